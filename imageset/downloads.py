"""What the modules of the download stage hand to each other: what to fetch, within which limits, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PictureRequest:
    """A picture that is wanted.

    Attributes
    ----------
    image_id : str
        Unique among the requests of a run.
    urls : tuple of str
        Where it may be had, in the order to try: http:, https:, or file: with a path relative to `FetchRules.root`.
    md5 : str or None
        MD5 of the bytes at the first URL, as hex digits. Copies at the other URLs have bytes of their own.
    """

    image_id: str
    urls: tuple[str, ...]
    md5: str | None


@dataclass(frozen=True)
class FetchRules:
    """How to fetch.

    Attributes
    ----------
    concurrency : int
        Pictures in flight at most, which also bounds the memory: each is held whole.
    per_host : int
        Of these, requests to one host at most.
    timeout_s : float
        Seconds for one request, from connecting to the last byte.
    max_bytes : int
        A larger body is not read to its end.
    retries : int
        Further tries after a time-out, a lost connection, or an answer of 429 or 5xx.
    allow_hosts : frozenset of str
        Hosts, as URLs name them, that may have a private or loopback address.
    user_agent : str
    root : Path
        The folder that file: URLs are relative to and may not leave.
    """

    concurrency: int
    per_host: int
    timeout_s: float
    max_bytes: int
    retries: int
    allow_hosts: frozenset[str]
    user_agent: str
    root: Path


@dataclass(frozen=True)
class Outcome:
    """What came of a request: a row of `records.DOWNLOADS`, less the shard.

    Attributes
    ----------
    image_id : str
    status : str
        ``ok`` or ``failed``.
    reason : str or None
        Why it failed: the last of `causes`, or ``no_url``.
    causes : tuple of str
        Why the URLs that were tried gave no picture, one for each, in the order of the request's URLs.
    url : str or None
        The request's URL that gave the picture or, for a failed one, the last that was tried.
    http_status : int or None
        Of the last answer; None for a file and where no server answered.
    bytes : int or None
        Size of the picture's file.
    sha256 : str or None
        Of the picture's file, as 64 hex digits.
    """

    image_id: str
    status: str
    reason: str | None
    causes: tuple[str, ...]
    url: str | None
    http_status: int | None
    bytes: int | None
    sha256: str | None
