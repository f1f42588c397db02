"""Why a URL gave no picture: the words that stand in `reason` and `causes` of the table `records.DOWNLOADS`.

Not for why a box gave no crop: see `imageset.crops`.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Every cause but one: an HTTP status that is no success is `http_` and its number, see `http_cause`."""

    TIMEOUT = "timeout"
    """The answer was not complete within the time limit."""
    CONNECTION = "connection"
    """The server refused, reset or closed the connection before it answered."""
    DNS = "dns"
    """The host's name has no address."""
    TLS = "tls"
    """The certificate is not valid for the host, or no secure connection came about."""
    REFUSED_ADDRESS = "refused_address"
    """The host's address is private, loopback, link-local or reserved, and `allow_hosts` does not have the host."""
    REFUSED_SCHEME = "refused_scheme"
    """The URL, or a redirect, is neither http: nor https: (nor, in the table, file:)."""
    REFUSED_PATH = "refused_path"
    """The file: URL leads out of the folder that it is relative to."""
    BAD_URL = "bad_url"
    """The URL cannot be read, names no host, or carries a user name or password."""
    NO_URL = "no_url"
    """The image has no URL. Only a `reason`, because no URL was tried."""
    TOO_LARGE = "too_large"
    """The body is larger than `max_bytes`."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    """More than five redirects."""
    PLACEHOLDER = "placeholder"
    """A redirect to the picture that stands for one that was taken down."""
    MD5_MISMATCH = "md5_mismatch"
    """Other bytes than the source's MD5 says."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is none of `pictures.FORMATS`, whatever its name and headers say."""
    TRUNCATED = "truncated"
    """The body ended before its announced length, or the picture before its last row."""
    UNDECODABLE = "undecodable"
    """The picture's data are broken."""
    TOO_MANY_PIXELS = "too_many_pixels"
    """More pixels than Pillow's guard against decompression bombs allows."""
    NOT_FOUND = "not_found"
    """The file of a file: URL is missing or is no plain file."""


# What another request would find again: the web has something else under this URL, or nothing.
_LASTING = frozenset(
    {
        Cause.PLACEHOLDER,
        Cause.MD5_MISMATCH,
        Cause.NOT_AN_IMAGE,
        Cause.TRUNCATED,
        Cause.UNDECODABLE,
        Cause.TOO_MANY_PIXELS,
        "http_404",
        "http_410",
    }
)


class FetchError(Exception):
    """A URL gave no picture.

    Attributes
    ----------
    cause : str
        A `Cause`, or ``http_`` and a status.
    http_status : int or None
        Of the last answer, where there was one.
    """

    def __init__(self, cause: str, http_status: int | None = None) -> None:
        super().__init__(cause)
        self.cause = str(cause)
        self.http_status = http_status


def http_cause(status: int) -> str:
    """The cause for an HTTP status that is no success, such as ``http_404``."""
    return f"http_{status}"


def is_lasting(cause: str) -> bool:
    """Whether a cause says something about what the web has, rather than about one attempt or our own limits."""
    return cause in _LASTING
