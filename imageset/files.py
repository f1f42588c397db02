"""Whole files or none: everything is written under a temporary name and renamed when it is complete.

Not for the store of pictures, which checks content instead (`imageset.store`).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends without an exception.

    A reader sees the old file or the new one, never half of one. The temporary file is removed on failure, and that
    of a run that was killed when the next one begins.
    """
    with _claimed(path) as temporary:
        yield temporary
        temporary.replace(path)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` that takes its place when the block ends without an exception.

    The old folder is moved aside, not emptied in place: a reader sees the old one, or none for the moment between
    two renames, or the new one. What a killed run left is removed when the next one begins.
    """
    with _claimed(path) as claim:
        scratch = _scratch(claim)
        new = scratch / "new"
        new.mkdir(parents=True)
        yield new
        if path.exists():
            path.replace(scratch / "old")
        new.replace(path)


def write_json(value: Any, path: Path) -> None:
    """Write sorted, indented JSON: the same value gives the same bytes."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _claimed(path: Path) -> Iterator[Path]:
    """Give an empty file beside `path` that is locked, so that others see that its owner lives.

    It goes when the block ends, together with the folder that `_scratch` names.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    claim, file = _claim(path)
    with file:
        try:
            yield claim
        finally:
            _remove(claim)


def _claim(path: Path) -> tuple[Path, IO[bytes]]:
    while True:
        claim = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        file = claim.open("xb")
        # A file system that has no locks has no abandoned files either, as far as `_remove_abandoned` can tell.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        # Another run may have taken it for abandoned in the moment before it was locked.
        if claim.exists():
            return claim, file
        file.close()


def _remove_abandoned(path: Path) -> None:
    """Remove what runs that were killed left beside `path`: the system has let go of their locks."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    for claim in [each for each in path.parent.iterdir() if ours.fullmatch(each.name)]:
        # Locked by a run that lives, of another user, or gone by now.
        with suppress(OSError), claim.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(claim)


def _remove(claim: Path) -> None:
    # The folder first: without the file, nobody would know it for abandoned.
    shutil.rmtree(_scratch(claim), ignore_errors=True)
    claim.unlink(missing_ok=True)


def _scratch(claim: Path) -> Path:
    return claim.with_name(f"{claim.name}.d")
