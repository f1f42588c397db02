"""URLs to checked pictures, many at once: from the store, from a local folder, or from the web and into the store.

Rows do not depend on the order in which servers answer. Not for laying the pictures out: see `imageset.layout`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

from imageset.causes import Cause, FetchError, is_lasting
from imageset.downloads import FetchRules, Outcome, PictureRequest
from imageset.local_files import is_local, read_local
from imageset.pictures import BadPictureError, check_picture, open_picture
from imageset.progress import tracking
from imageset.store import Store
from imageset.web import WebClient, web_client


def fetch(
    requests: Sequence[PictureRequest], rules: FetchRules, store: Store, on_outcome: Callable[[Outcome], None]
) -> None:
    """Fetch pictures.

    A picture that the store has asks the web nothing, neither do the URLs before it that are known to have none.
    Everything that was put into the store stays when the run is stopped or killed.

    Parameters
    ----------
    requests : sequence of PictureRequest
        Their order is the order in which they are begun.
    rules : FetchRules
    store : Store
        Opened by the calling thread.
    on_outcome : callable
        Called once for each request, in the calling thread, in the order in which they are finished. An exception
        that it raises stops the run.

    Raises
    ------
    UserError
        When the store cannot be used.
    """
    asyncio.run(_fetch_all(requests, rules, store, on_outcome))


@dataclass(frozen=True)
class _Picture:
    """A checked picture."""

    sha256: str
    bytes: int
    http_status: int | None


async def _fetch_all(
    requests: Sequence[PictureRequest], rules: FetchRules, store: Store, on_outcome: Callable[[Outcome], None]
) -> None:
    # Looking a name up blocks a thread, and a dead name for long: as many threads as there can be look-ups.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(rules.concurrency))
    with tracking("download", len(requests)) as advance, ThreadPoolExecutor(os.cpu_count()) as decoders:
        async with web_client(rules) as web:
            fetcher = _Fetcher(rules, store, web, decoders)

            async def work(waiting: Iterator[PictureRequest]) -> None:
                for request in waiting:
                    on_outcome(await fetcher.outcome(request))
                    advance()

            waiting = iter(requests)
            await _all_or_first_error([work(waiting) for _ in range(min(rules.concurrency, len(requests)))])


async def _all_or_first_error(works) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Fetcher:
    """Turns one request into its outcome."""

    def __init__(self, rules: FetchRules, store: Store, web: WebClient, decoders: Executor) -> None:
        self._rules, self._store, self._web, self._decoders = rules, store, web, decoders

    async def outcome(self, request: PictureRequest) -> Outcome:
        known = self._known(request)
        if known is not None:
            return known
        causes: list[str] = []
        http_status = None
        for position, url in enumerate(request.urls):
            try:
                picture = await self._picture(request, position, causes)
            except FetchError as error:
                causes.append(error.cause)
                http_status = error.http_status
            else:
                return _ok(request, url, tuple(causes), picture)
        reason = causes[-1] if causes else str(Cause.NO_URL)
        url = request.urls[-1] if request.urls else None
        return Outcome(request.image_id, "failed", reason, tuple(causes), url, http_status, None, None)

    def _known(self, request: PictureRequest) -> Outcome | None:
        """The outcome of an earlier run, when the store has the picture and why the URLs before it have none."""
        for position, url in enumerate(request.urls):
            if is_local(url):
                return None
            stored = self._store.get(url, _md5_of(request, position))
            if stored is not None:
                causes = _causes_before(request, position, stored.note)
                return None if causes is None else _ok(request, url, causes, _Picture(stored.sha256, stored.bytes, 200))
        return None

    async def _picture(self, request: PictureRequest, position: int, causes: Sequence[str]) -> _Picture:
        url, md5 = request.urls[position], _md5_of(request, position)
        if is_local(url):
            return await self._in_thread(_local_picture, url, md5, self._rules)
        stored = self._store.get(url, md5)
        if stored is not None:
            return _Picture(stored.sha256, stored.bytes, 200)
        data = await self._web.get(url)
        if md5 is not None:
            digest = _check_known(data, md5)
        else:
            digest = await self._in_thread(_check_unknown, data)
        sha256 = self._store.put(url, data, digest, decoded=md5 is None, note=_note(request, causes))
        return _Picture(sha256, len(data), 200)
