"""Errors that a user can cause, as opposed to bugs.

A `UserError`, and trouble with the user's disk, is shown as one line and ends the program with exit code 1; a bug
keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

_FULL = "no space left on the disk while writing it; free some and run again"
_FORBIDDEN = "may not be read or written; check its owner and mode"
_IN_THE_WAY = "something else stands in its place; move that away or choose another place"

# What is wrong with the user's machine, not with the program. A file that is missing is not here: one that the user
# named is a `UserError` where it is opened, any other is a bug.
_TROUBLES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "the file system is read-only; choose another place or have it mounted for writing",
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTEMPTY: _IN_THE_WAY,
    errno.ENOTDIR: "a file stands where this path needs a folder; move it away or choose another place",
    errno.EISDIR: "a folder stands where a file should be; move it away or choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its symbolic links lead in a circle; remove one of them",
    errno.EBUSY: "the system holds it, as it does a mount point; choose another place",
    errno.EIO: "the disk reports a fault; check it, or choose another place",
}

STOPPED = "stopped; run again to go on"
_STOPPED_CODE = 128 + 2  # what a shell makes of a program that SIGINT ended


class UserError(Exception):
    """Something the user can put right: the rule, the value received and the nearest valid choice, in one line."""


def nearest(word: str, choices: Iterable[str], limit: int = 3) -> str:
    """Say which choices are nearest to a word that is none of them.

    Parameters
    ----------
    word : str
        What the user wrote.
    choices : iterable of str
        The valid choices. Letter case is ignored when they are compared.
    limit : int, default=3
        How many to name at most.

    Returns
    -------
    str
        Such as ``"; the nearest: Apple, Grape"``, or an empty string when nothing is near.
    """
    by_lower = {choice.lower(): choice for choice in sorted(choices)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=limit, cutoff=0.5)
    return "; the nearest: " + ", ".join(by_lower[name] for name in found) if found else ""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error that the user can put right into one line on stderr and exit code 1.

    Besides `UserError` these are a disk that is full, read-only or faulty, and a path that may not be used or has
    something else on it. Ctrl-C becomes one line and exit code 130.
    """
    try:
        yield
    except UserError as error:
        _leave(f"error: {error}", 1)
    except OSError as error:
        if error.errno not in _TROUBLES:
            raise
        _leave(f"error: {_place(error)}: {_TROUBLES[error.errno]}", 1)
    except KeyboardInterrupt:
        _leave(STOPPED, _STOPPED_CODE)


def _place(error: OSError) -> str:
    """The path, or what the library that failed says of it: PyArrow and HDF5 write it into the text."""
    if error.filename is not None:
        return os.fsdecode(error.filename) if isinstance(error.filename, bytes) else str(error.filename)
    plain = error.errno is not None and error.strerror == os.strerror(error.errno)
    return "a file" if plain else str(error.strerror)


def _leave(message: str, code: int) -> NoReturn:
    print(" ".join(message.split()), file=sys.stderr)
    sys.exit(code)
