"""Pictures at file: URLs: paths relative to one folder, which they may not leave.

Not for web addresses: see `imageset.addresses`.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from imageset.causes import Cause, FetchError


def read_local(url: str, root: Path, max_bytes: int) -> bytes:
    """Read the file of a file: URL.

    Parameters
    ----------
    url : str
        Such as ``file:sample/0001.jpg``; percent-encoded like any URL.
    root : Path
        The folder that the path is relative to. Symbolic links are followed, but not out of it.
    max_bytes : int

    Raises
    ------
    FetchError
        refused_path, not_found (also for what may not be read) or too_large.
    """
    path = _path_below(url, root)
    try:
        # A pipe or device is no picture, and reading one may never end.
        if not path.is_file():
            raise FetchError(Cause.NOT_FOUND)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise FetchError(Cause.NOT_FOUND) from error
    if len(data) > max_bytes:
        raise FetchError(Cause.TOO_LARGE)
    return data


def is_local(url: str) -> bool:
    """Whether a URL is a file: URL."""
    return url[:5].lower() == "file:"


def _path_below(url: str, root: Path) -> Path:
    base = root.resolve()
    try:
        parts = urlsplit(url)
        full = (base / unquote(parts.path)).resolve()
    except (ValueError, OSError, RuntimeError) as error:  # a NUL byte, a name that is too long, a loop of links
        raise FetchError(Cause.REFUSED_PATH) from error
    if parts.netloc or parts.path.startswith("/") or not full.is_relative_to(base):
        raise FetchError(Cause.REFUSED_PATH)
    return full
