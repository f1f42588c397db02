"""Errors that a user can cause, as opposed to bugs.

A `UserError` is shown as one line and ends the program with exit code 1; everything else keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


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

    Besides `UserError` these are a full disk and a file or folder that may not be written.
    """
    try:
        yield
    except UserError as error:
        message = str(error)
    except OSError as error:
        if error.errno in _NO_SPACE:
            message = f"no space left on the disk while writing {error.filename or 'a file'}; free some and run again"
        elif isinstance(error, PermissionError):
            message = f"may not be written: {error.filename}; check its owner and mode"
        else:
            raise
    else:
        return
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(1)
