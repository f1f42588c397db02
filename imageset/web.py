"""One web client for all pictures: pooled connections, bounds, redirects by hand, second tries where they can help.

Gives bytes as they were sent. What the bytes are is checked by `imageset.fetch`.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from imageset.addresses import PublicResolver, RefusedAddressError, web_url
from imageset.causes import Cause, FetchError, http_cause
from imageset.downloads import FetchRules

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Flickr redirects requests for photographs that were taken down to one picture of this name.
_PLACEHOLDER = "photo_unavailable"
_FIRST_WAIT_S = 0.5
# A server that asks for a longer pause will not answer in this run.
_LONGEST_WAIT_S = 60.0


class _TransientError(FetchError):
    """A failure that another try may not meet; `retry_after` is the server's header."""

    retry_after: str | None = None


@dataclass(frozen=True)
class _Answer:
    status: int
    location: str | None
    body: bytes


class WebClient:
    """Asks web servers within the rules; made by `web_client`.

    Parameters
    ----------
    session : aiohttp.ClientSession
    rules : FetchRules
    """

    def __init__(self, session: aiohttp.ClientSession, rules: FetchRules) -> None:
        self._session = session
        self._rules = rules
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(rules.per_host))

    async def get(self, text: str) -> bytes:
        """Get the body behind a URL, through at most five redirects, each of which is checked like the first URL.

        Raises
        ------
        FetchError
            With any cause that is not about the content.
        """
        for _ in range(_MAX_REDIRECTS + 1):
            url = web_url(text, self._rules.allow_hosts)
            answer = await self._ask(url)
            if answer.location is None:
                return answer.body
            text = _target(url, answer.location)
            if _PLACEHOLDER in text:
                raise FetchError(Cause.PLACEHOLDER, answer.status)
        raise FetchError(Cause.TOO_MANY_REDIRECTS, answer.status)

    async def _ask(self, url: URL) -> _Answer:
        # The host's place is kept while waiting: a host that is overloaded is then asked by fewer at a time.
        async with self._gates[url.raw_host or ""]:
            for tries in range(self._rules.retries):
                try:
                    return await self._ask_once(url)
                except _TransientError as error:
                    wait = _wait_s(tries, error.retry_after)
                    if wait > _LONGEST_WAIT_S:
                        raise
                await asyncio.sleep(wait)
            return await self._ask_once(url)

    async def _ask_once(self, url: URL) -> _Answer:
        try:
            async with (
                asyncio.timeout(self._rules.timeout_s),
                self._session.get(url, allow_redirects=False) as response,
            ):
                return await self._answer(response)
        except TimeoutError as error:
            raise _TransientError(Cause.TIMEOUT) from error
        except aiohttp.ClientConnectorDNSError as error:
            refused = isinstance(error.os_error, RefusedAddressError)
            raise FetchError(Cause.REFUSED_ADDRESS if refused else Cause.DNS) from error
        except aiohttp.ClientSSLError as error:
            raise FetchError(Cause.TLS) from error
        except (aiohttp.InvalidURL, UnicodeError) as error:
            raise FetchError(Cause.BAD_URL) from error
        except (aiohttp.ClientError, OSError) as error:
            # By now aiohttp has asked once more on a new connection: a pooled one may just have been closed.
            raise _TransientError(Cause.CONNECTION) from error

    async def _answer(self, response: aiohttp.ClientResponse) -> _Answer:
        status = response.status
        location = response.headers.get("Location")
        if status in _REDIRECTS and location is not None:
            return _Answer(status, location, b"")
        if status == 429 or status >= 500:
            error = _TransientError(http_cause(status), status)
            error.retry_after = response.headers.get("Retry-After")
            raise error
        if status != 200:
            raise FetchError(http_cause(status), status)
        return _Answer(status, None, await self._body(response))

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        limit = self._rules.max_bytes
        if (response.content_length or 0) > limit:
            raise FetchError(Cause.TOO_LARGE, response.status)
        chunks, size = [], 0
        try:
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > limit:
                    raise FetchError(Cause.TOO_LARGE, response.status)
                chunks.append(chunk)
        except aiohttp.ClientPayloadError as error:
            raise _TransientError(Cause.TRUNCATED, response.status) from error
        return b"".join(chunks)


@asynccontextmanager
async def web_client(rules: FetchRules) -> AsyncIterator[WebClient]:
    """Open the client: no cookies, no proxies from the environment, no login, certificates checked."""
    session = aiohttp.ClientSession(
        # The bounds are the callers' number and the gates; the pool's own would run into the time limit.
        connector=aiohttp.TCPConnector(limit=0, resolver=PublicResolver(rules.allow_hosts)),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Bytes as the server has them: an MD5 is over these, and nothing inflates in memory.
        headers={"User-Agent": rules.user_agent, "Accept-Encoding": "identity"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(),
        trust_env=False,
    )
    async with session:
        yield WebClient(session, rules)


def _target(url: URL, location: str) -> str:
    try:
        return str(url.join(URL(location)))
    except ValueError as error:
        raise FetchError(Cause.BAD_URL) from error


def _wait_s(tries_before: int, retry_after: str | None) -> float:
    """Seconds to wait: as the server asks, otherwise doubling from half a second, with jitter."""
    asked = _seconds(retry_after) if retry_after else None
    if asked is not None:
        return asked
    return _FIRST_WAIT_S * float(2**tries_before) * random.uniform(0.5, 1.5)  # noqa: S311  spreads load, no secret


def _seconds(retry_after: str) -> float | None:
    """Read a Retry-After header: a number of seconds or a date (RFC 9110, 10.2.3)."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        date = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
