"""Tar shards in the WebDataset convention: entries `<key>.<extension>`, sorted, without times or owners.

A key goes to the shard of its SHA-256 prefix, so a new picture changes one shard. Reading never extracts to disk.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imageset.errors import UserError
from imageset.files import replacing

PICTURES_PER_SHARD = 512

# A key ends at the first dot, and no name leads into another folder.
_NAME = re.compile(r"[^./\\\0]+\.[^/\\\0]+")
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Entry:
    """One file of a shard: `key` and `extension` (without the dot) make its name."""

    key: str
    extension: str
    data: bytes


def shard_count(pictures: int) -> int:
    """How many shards a set of pictures gets: the power of two that leaves about 512 in each."""
    count = 1
    while pictures > count * PICTURES_PER_SHARD * 1.5:
        count *= 2
    return count


def shard_name(key: str, count: int) -> str:
    """File name of the shard that a key belongs to.

    Parameters
    ----------
    key : str
        An image id; the crops of an image go to the shard of its id.
    count : int
        Number of shards, a power of two.
    """
    prefix = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
    return f"{prefix * count >> 32:05d}.tar"


def write_shard(path: Path, entries: Iterable[Entry]) -> None:
    """Write a shard; the same entries give the same bytes.

    Parameters
    ----------
    path : Path
        Written whole or not at all.
    entries : iterable of Entry
        Sorted by key, then extension; drawn one by one, so that one entry is in memory at a time.

    Raises
    ------
    ValueError
        When they are not sorted, or a key has a dot or a slash in it.
    """
    last = ("", "")
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            if (entry.key, entry.extension) <= last:
                raise ValueError(f"entries are not sorted: {entry.key}.{entry.extension} after {'.'.join(last)}")
            last = (entry.key, entry.extension)
            info = tarfile.TarInfo(f"{entry.key}.{entry.extension}")
            if "." in entry.key or not _NAME.fullmatch(info.name):
                raise ValueError(f"no name for an entry of a shard: {info.name!r}")
            info.size, info.mode = len(entry.data), 0o644
            tar.addfile(info, io.BytesIO(entry.data))


def read_shard(path: Path) -> Iterator[Entry]:
    """Yield the entries of a shard in the order of the file, one in memory at a time.

    Raises
    ------
    UserError
        When the file is missing, is no file, no tar file or is cut off, or has an entry that is no plain file or
        whose name leads elsewhere. Entries before the place where it is cut off have been given by then.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                yield _entry(path, tar, member)
            # tarfile takes a cut between two entries, and garbage there, for the end.
            file.seek(tar.offset)
            if file.read(len(_END)) != _END:
                raise tarfile.ReadError("unexpected end of data")
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro)") from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise UserError(f"{path} is no file; remove what stands there and run the stage that makes it again") from error
    except tarfile.TarError as error:
        raise UserError(f"{path} is not a whole tar file: {error}; run the stage that makes it again") from error


def check_entry(path: Path, entry: Entry, sha256: str | None, stage: str) -> None:
    """Compare the content of an entry with the table that names it.

    Parameters
    ----------
    path : Path
        The shard.
    entry : Entry
    sha256 : str or None
        What the table says, as 64 hex digits.
    stage : str
        The stage that makes shard and table.

    Raises
    ------
    UserError
        When it has another SHA-256.
    """
    if hashlib.sha256(entry.data).hexdigest() != sha256:
        raise UserError(
            f"{path}: the bytes of {entry.key}.{entry.extension} are not those that the table of stage {stage} names "
            f"(SHA-256); dvc repro -f {stage}"
        )


def _entry(path: Path, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    if not member.isreg() or not _NAME.fullmatch(member.name):
        raise UserError(f"{path}: a shard holds plain files named KEY.EXTENSION, received {member.name!r}")
    # A header may announce any size; nothing is read, and no memory taken, for more than there is.
    file = tar.extractfile(member)
    if file is None or member.offset_data + member.size > path.stat().st_size:
        raise tarfile.ReadError("unexpected end of data")
    key, _, extension = member.name.partition(".")
    return Entry(key, extension, file.read())
