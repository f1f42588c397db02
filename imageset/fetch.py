"""URLs to checked pictures, many at once: from the store, from a local folder, or from the web and into the store.

Rows do not depend on the order in which servers answer. Not for laying the pictures out: see `imageset.layout`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from imageset.causes import Cause, FetchError, is_lasting
from imageset.downloads import FetchRules, Outcome, PictureRequest
from imageset.local_files import is_local, read_local
from imageset.pictures import BadPictureError, check_picture, open_picture
from imageset.progress import tracking
from imageset.store import Store
from imageset.web import WebClient, web_client

_T = TypeVar("_T")


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
            reasons: Counter[str] = Counter()

            async def work(waiting: Iterator[PictureRequest]) -> None:
                for request in waiting:
                    outcome = await fetcher.outcome(request)
                    on_outcome(outcome)
                    reasons.update([outcome.reason] if outcome.reason else [])
                    advance(note=", ".join(f"{reason} {count}" for reason, count in reasons.most_common(3)))
                    await asyncio.sleep(0)  # a row of pictures from the store would let nobody else run

            waiting = iter(requests)
            await _all_or_first_error([work(waiting) for _ in range(min(rules.concurrency, len(requests)))])


async def _all_or_first_error(works: Iterable[Coroutine[None, None, None]]) -> None:
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
        return _failed(request, tuple(causes), http_status)

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
        # An MD5 is quicker taken than handed to a thread; a decode is not.
        digest = _check(data, md5, 200) if md5 else await self._in_thread(_check, data, None, 200)
        sha256 = self._store.put(url, data, digest, decoded=md5 is None, note=_note(request, causes))
        return _Picture(sha256, len(data), 200)

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._decoders, function, *arguments)


def _local_picture(url: str, md5: str | None, rules: FetchRules) -> _Picture:
    data = read_local(url, rules.root, rules.max_bytes)
    _check(data, md5, None)
    return _Picture(hashlib.sha256(data).hexdigest(), len(data), None)


def _check(data: bytes, md5: str | None, http_status: int | None) -> str:
    """Check content by its MD5, or without one by decoding it; returns the MD5."""
    digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
    try:
        if md5 is None:
            check_picture(data)
        elif md5 != digest:
            raise FetchError(Cause.MD5_MISMATCH, http_status)
        else:
            open_picture(data)  # the source may have taken the MD5 of something else
    except BadPictureError as error:
        raise FetchError(error.cause, http_status) from error
    return digest


def _md5_of(request: PictureRequest, position: int) -> str | None:
    return request.md5.lower() if request.md5 and position == 0 else None


def _ok(request: PictureRequest, url: str, causes: tuple[str, ...], picture: _Picture) -> Outcome:
    return Outcome(
        image_id=request.image_id,
        status="ok",
        reason=None,
        causes=causes,
        url=url,
        http_status=picture.http_status,
        bytes=picture.bytes,
        sha256=picture.sha256,
    )


def _failed(request: PictureRequest, causes: tuple[str, ...], http_status: int | None) -> Outcome:
    return Outcome(
        image_id=request.image_id,
        status="failed",
        reason=causes[-1] if causes else str(Cause.NO_URL),
        causes=causes,
        url=request.urls[-1] if request.urls else None,
        http_status=http_status,
        bytes=None,
        sha256=None,
    )


def _note(request: PictureRequest, causes: Sequence[str]) -> str:
    """What the store keeps beside a picture: why the URLs before its own have none, where that is likely to last.

    Only so can a second run write the same row without asking them again. A URL that failed for another reason (a
    time-out, our own limits) is asked again.
    """
    if not causes or not all(is_lasting(cause) for cause in causes):
        return ""
    return json.dumps([request.md5, list(request.urls[: len(causes)]), list(causes)])


def _causes_before(request: PictureRequest, position: int, note: str) -> tuple[str, ...] | None:
    """Read a note: the causes of the URLs before `position`, or None when they are not known for this request."""
    if position == 0:
        return ()
    md5, urls, causes = json.loads(note) if note else (None, [], [])
    return tuple(causes) if md5 == request.md5 and urls == list(request.urls[:position]) else None
