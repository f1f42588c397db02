"""How a download went: counts by status, cause and host, and whether that is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from imageset.downloads import Outcome, PictureRequest
from imageset.errors import UserError


def summarise(requests: Iterable[PictureRequest], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Count what came of a download.

    Parameters
    ----------
    requests : iterable of PictureRequest
    outcomes : sequence of Outcome
        One for each request, in any order.

    Returns
    -------
    dict
        ``images``, ``bytes`` (of the pictures), ``status`` (images by status), ``reasons`` (failed images by reason),
        ``causes`` (tries that gave no picture, by cause; the image may have another URL) and ``hosts`` (a row for
        each: ``ok`` pictures and ``failed`` tries; files count as host ``file``). Keys and rows are sorted.
    """
    urls = {request.image_id: request.urls for request in requests}
    ok: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for outcome in outcomes:
        tried = urls[outcome.image_id]
        failed.update(_host(url) for url, _ in zip(tried, outcome.causes, strict=False))
        if outcome.status == "ok":
            ok[_host(outcome.url or "")] += 1
    return {
        "images": len(outcomes),
        "bytes": sum(outcome.bytes or 0 for outcome in outcomes),
        "status": {"ok": ok.total(), "failed": len(outcomes) - ok.total()},
        "reasons": _counts(outcome.reason for outcome in outcomes if outcome.reason),
        "causes": _counts(cause for outcome in outcomes for cause in outcome.causes),
        # A list, because DVC would make a column of its metrics table of each host.
        "hosts": [{"host": host, "ok": ok[host], "failed": failed[host]} for host in sorted(ok | failed)],
    }


def check_success(outcomes: Sequence[Outcome], min_success: float) -> None:
    """Stop when too few pictures are there.

    Parameters
    ----------
    outcomes : sequence of Outcome
    min_success : float
        Smallest share, 0..1, of images whose status must be ``ok``.

    Raises
    ------
    UserError
        With the counts by reason, the most frequent first.
    """
    reasons = Counter(outcome.reason for outcome in outcomes if outcome.reason)
    good = len(outcomes) - reasons.total()
    if good >= min_success * len(outcomes):
        return
    counts = ", ".join(
        f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda each: (-each[1], each))
    )
    raise UserError(
        f"download.min_success: at least {min_success:.0%} of the pictures must be there, received {good} of "
        f"{len(outcomes)} ({good / len(outcomes):.0%}); failed: {counts}"
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "none"
    return "file" if parts.scheme == "file" else parts.hostname or "none"
