"""Tar shards in the WebDataset convention: entries `<key>.<extension>`, sorted, without times or owners.

A key goes to the shard of its SHA-256 prefix, so a new picture changes one shard. Reading never extracts to disk.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imageset.errors import UserError
from imageset.files import replacing

PICTURES_PER_SHARD = 512


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
    """
    last = ("", "")
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for entry in entries:
            if (entry.key, entry.extension) <= last:
                raise ValueError(
                    f"entries are not sorted: {entry.key}.{entry.extension} after {'.'.join(last)}"
                )
            last = (entry.key, entry.extension)
            info = tarfile.TarInfo(f"{entry.key}.{entry.extension}")
            info.size, info.mode = len(entry.data), 0o644
            tar.addfile(info, io.BytesIO(entry.data))


def read_shard(path: Path) -> Iterator[Entry]:
    """Yield the entries of a shard in the order of the file, one in memory at a time.

    Raises
    ------
    UserError
        When the file is missing or no tar file.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                if file is None:
                    raise UserError(f"{path}: {member.name} is not a plain file; a shard holds only files")
                key, _, extension = member.name.partition(".")
                yield Entry(key, extension, file.read())
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro)") from error
    except tarfile.TarError as error:
        raise UserError(f"{path} is not a whole tar file: {error}") from error
