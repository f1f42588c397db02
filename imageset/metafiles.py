"""Metadata files of the web, kept whole in a cache folder: asked for again only when they changed.

For the few large files that a source is made of; photographs, many and small, have `imageset.fetch`.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp

from imageset.addresses import PublicResolver, RefusedAddressError, web_url
from imageset.causes import FetchError
from imageset.errors import UserError
from imageset.files import write_json
from imageset.progress import tracking

MAX_BYTES = 20_000_000_000  # seven times the largest file of Open Images
_TIMEOUT = aiohttp.ClientTimeout(total=6 * 3600, sock_connect=20, sock_read=60)
_MAX_REDIRECTS = 5
_TRIES = 4
_FIRST_PAUSE_S = 0.25
_BLOCK = 1 << 20
_REFUSED = "which is refused: only hosts of URLs in the params may have a private or loopback address"
_PASSING = (408, 425, 429)  # and every 5xx: worth another try


@dataclass(frozen=True)
class Metafile:
    """A whole file in the cache.

    Attributes
    ----------
    path : Path
        Where it lies.
    etag : str or None
        What the server calls this version.
    bytes : int
        Its size.
    """

    path: Path
    etag: str | None
    bytes: int

    @property
    def version(self) -> str:
        """The ETag, or the size where the server gives none."""
        return self.etag or f"{self.bytes} bytes"


class _PassingError(Exception):
    """The server cannot be reached, or hung up; `again` says whether another try may help."""

    def __init__(self, cause: str, *, again: bool) -> None:
        super().__init__(cause)
        self.again = again


def fetch_metafile(url: str, cache: Path, allow_hosts: frozenset[str] = frozenset()) -> Metafile:
    """Bring a file into the cache, or find that the copy there is still the server's.

    The server is asked once, by ETag (by size, where it gives none). A transfer that was cut off, in this run or in
    an earlier one, goes on where it ended if the server still has the same version. Several processes may ask for
    the same file at once: one fetches, the others wait.

    Parameters
    ----------
    url : str
        http or https; its host may have any address. Up to 5 redirects are followed, to public addresses.
    cache : Path
        The folder; made when missing. What is damaged there counts as absent.
    allow_hosts : frozenset of str, default=frozenset()
        Further hosts, as URLs name them, that may have a private or loopback address.

    Returns
    -------
    Metafile
        The server's version or, when the server cannot be reached, the last whole copy (a line on stderr says so).

    Raises
    ------
    UserError
        For another scheme, no network and no copy, an answer that is no success, a redirect to an address that is
        not public, and a file over 20 GB.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"metadata files come from http:// or https://, received {url!r}")
    slot = _Slot(url, cache)
    with slot.locked():
        try:
            return asyncio.run(_fetch(slot, allow_hosts | {urlsplit(url).hostname or ""}))
        except _PassingError as error:
            whole = slot.whole()
            if whole is None:
                raise UserError(f"{url} cannot be fetched: {error}; check the network and run again") from error
            print(f"note: {url} cannot be reached ({error}); using the copy of {whole.version}", file=sys.stderr)
            return whole


class _Slot:
    """The place of one URL in the cache.

    A small JSON file, written last, names the whole copy; so a copy counts only when all of it is there, and the
    old one stays valid until the moment the new one is. The part of a transfer lies beside it with its own ETag.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self.url = url
        self._folder = cache
        self._key = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._entry = cache / f"{self._key}.json"
        self.part = cache / f"{self._key}.part"
        self._part_entry = cache / f"{self._key}.part.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / f"{self._key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def whole(self) -> Metafile | None:
        entry = _read_entry(self._entry)
        etag, size = _plain(entry.get("etag")), entry.get("bytes")
        if not isinstance(size, int):
            return None
        path = self._data(etag, size)
        return Metafile(path, etag, size) if path.is_file() and path.stat().st_size == size else None

    def resumable(self) -> tuple[int, str] | None:
        """Bytes that are there already, and the ETag they are of."""
        etag = _plain(_read_entry(self._part_entry).get("etag"))
        size = self.part.stat().st_size if self.part.is_file() else 0
        return (size, etag) if size and etag else None

    def begin(self, etag: str | None) -> None:
        # A weak ETag does not promise the same bytes, so a part of one cannot be continued.
        self.part.write_bytes(b"")
        write_json({"etag": etag if etag and not etag.startswith("W/") else None}, self._part_entry)

    def commit(self, etag: str | None) -> Metafile:
        size = self.part.stat().st_size
        metafile = Metafile(self._data(etag, size), etag, size)
        self.part.replace(metafile.path)
        write_json({"url": self.url, "etag": etag, "bytes": size}, self._entry)
        self._part_entry.unlink(missing_ok=True)
        for old in self._folder.glob(f"{self._key}-*.data"):
            if old != metafile.path:
                old.unlink()
        return metafile

    def _data(self, etag: str | None, size: int) -> Path:
        version = hashlib.sha256(f"{etag}:{size}".encode()).hexdigest()[:8]
        return self._folder / f"{self._key}-{version}.data"


def _read_entry(path: Path) -> dict[str, Any]:
    """What a JSON file of the cache says: nothing, where there is none or it is damaged."""
    try:
        entry = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}


def _plain(etag: object) -> str | None:
    """An ETag that can be sent back as it came; None for every other value."""
    return etag if isinstance(etag, str) and etag.isascii() and etag.isprintable() else None


async def _fetch(slot: _Slot, allow_hosts: frozenset[str]) -> Metafile:
    async with _session(slot.url, allow_hosts) as session:
        for attempt in range(_TRIES):
            try:
                return await _try(session, slot)
            except _PassingError as error:
                if not error.again or attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_FIRST_PAUSE_S * 4**attempt)
    raise AssertionError("the last try returns or raises")


def _session(url: str, allow_hosts: frozenset[str]) -> aiohttp.ClientSession:
    """A client whose every request, also after a redirect, goes to an allowed host or a public address."""

    async def guard(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        # A host that is an address is not resolved, so the resolver below does not see it.
        try:
            web_url(str(request.url), allow_hosts)
        except FetchError as error:
            raise UserError(f"{url} is redirected to {request.url}, {_REFUSED}") from error
        return await send(request)

    # The user's proxies are resolved like every other host, and often have private addresses.
    proxies = {urlsplit(proxy).hostname or "" for proxy in getproxies().values()}
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=PublicResolver(allow_hosts | proxies)),
        middlewares=(guard,),
        timeout=_TIMEOUT,
        trust_env=True,
        auto_decompress=False,
    )


async def _try(session: aiohttp.ClientSession, slot: _Slot) -> Metafile:
    whole = slot.whole()
    with _explained(slot.url):
        async with session.get(slot.url, headers=_headers(slot, whole), max_redirects=_MAX_REDIRECTS + 1) as response:
            _check_status(response, slot)
            if whole and (response.status == 304 or (response.status == 200 and _same(whole, response))):
                return whole
            await _save(response, slot)
            return slot.commit(_plain(response.headers.get("ETag")))


def _headers(slot: _Slot, whole: Metafile | None) -> dict[str, str]:
    # Identity: sizes and ranges are those of the file, not of a compressed transfer.
    headers = {"Accept-Encoding": "identity"}
    if partial := slot.resumable():
        size, etag = partial
        return headers | {"Range": f"bytes={size}-", "If-Range": etag}
    return headers | {"If-None-Match": whole.etag} if whole and whole.etag else headers


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """Turn the client's exceptions into what the user can put right, and what another try may."""
    try:
        yield
    except aiohttp.TooManyRedirects as error:
        raise UserError(f"{url} is redirected more than {_MAX_REDIRECTS} times; check the address") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise UserError(f"{url} is no address, or is redirected to none: {error}") from error
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, RefusedAddressError):
            raise UserError(f"{url} is redirected, and {error.os_error}, {_REFUSED}") from error
        raise _PassingError(str(error), again=False) from error
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise _PassingError(str(error), again=False) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _PassingError(str(error) or type(error).__name__, again=True) from error


def _check_status(response: aiohttp.ClientResponse, slot: _Slot) -> None:
    if response.status == 416:
        slot.begin(None)
        raise _PassingError("the part that is here is longer than the file", again=True)
    if response.status in _PASSING or response.status >= 500:
        raise _PassingError(f"the server answers {response.status}", again=True)
    if response.status not in (200, 206, 304):
        raise UserError(f"{slot.url} answers {response.status} {response.reason}; check the base URL and the version")


def _same(whole: Metafile, response: aiohttp.ClientResponse) -> bool:
    """Whether an answer in full is of the copy that is here, by its headers."""
    etag = _plain(response.headers.get("ETag"))
    return etag == whole.etag if etag else response.content_length == whole.bytes


def _continues(response: aiohttp.ClientResponse, slot: _Slot) -> bool:
    partial = slot.resumable()
    if partial is None:
        return False
    size, etag = partial
    span = response.headers.get("Content-Range", "")
    return span.startswith(f"bytes {size}-") and response.headers.get("ETag", etag) == etag


async def _save(response: aiohttp.ClientResponse, slot: _Slot) -> None:
    """Write the body behind what is there already, or from the start when the server sends all of it."""
    if response.status == 200:
        slot.begin(_plain(response.headers.get("ETag")))
    elif not _continues(response, slot):
        slot.begin(None)
        raise _PassingError("the server sends another part than was asked for", again=True)
    size = slot.part.stat().st_size
    total = size + (response.content_length or 0)
    _check_size(total, slot)
    name = PurePosixPath(urlsplit(slot.url).path).name
    with slot.part.open("ab") as file, tracking(f"{name} (kB)", total // 1000) as advance:
        async for block in response.content.iter_chunked(_BLOCK):
            advance((size + len(block)) // 1000 - size // 1000)
            size += len(block)
            _check_size(size, slot)
            file.write(block)
    if response.content_length is not None and size != total:
        raise _PassingError(f"{size} of {total} bytes arrived", again=True)


def _check_size(size: int, slot: _Slot) -> None:
    if size > MAX_BYTES:
        raise UserError(f"a metadata file has at most {MAX_BYTES} bytes, {slot.url} has {size} or more")
