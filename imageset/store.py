"""The store of checked pictures: one per user, by content, with an index by URL.

The outs are laid out from it, so they may be deleted without anything being fetched twice. Failures are not stored,
nor are local files. Not for other files from the web.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Any

from imageset.errors import UserError

# The number is raised when the columns change: old and new programs may share the folder, and the pictures.
_INDEX = "index-1.sqlite"

_LOCK_S = 60.0

_CREATE = """
CREATE TABLE objects (
    sha256 TEXT PRIMARY KEY,
    pack TEXT NOT NULL,
    start INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE pictures (
    url TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    decoded INTEGER NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID;
"""

_PUT_OBJECT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)"

# A picture that was once decoded stays so when the same bytes come again and only their MD5 is checked.
_PUT_PICTURE = """
INSERT INTO pictures VALUES (?, ?, ?, ?, ?)
ON CONFLICT (url) DO UPDATE SET
    decoded = max(excluded.decoded, CASE sha256 WHEN excluded.sha256 THEN decoded ELSE 0 END),
    sha256 = excluded.sha256, md5 = excluded.md5, note = excluded.note
"""

_GET_OBJECT = "SELECT pack, start, bytes FROM objects WHERE sha256 = ?"
_GET_PICTURE = "SELECT sha256, note FROM pictures WHERE url = ? AND (md5 = ? OR (? IS NULL AND decoded))"


@dataclass(frozen=True)
class StoredPicture:
    """A picture of the store.

    Attributes
    ----------
    sha256 : str
        Of the file, 64 hex digits.
    bytes : int
        Size of the file.
    note : str
        What the one who put the picture wanted to find again beside it.
    """

    sha256: str
    bytes: int
    note: str


class Store:
    """Checked pictures in a folder.

    Their bytes lie one behind the other in pack files, a new pack for each opening that puts any; the index says
    where. A file for each picture would take some file systems longer to make than the picture takes to fetch.

    Several processes may use one folder at the same time, and each may be killed at any moment: a picture is whole
    or absent. Within a process a store belongs to the thread that opened it.

    Parameters
    ----------
    root : Path
        Made when it does not exist.

    Raises
    ------
    UserError
        When the index in the folder cannot be used, here and in every method.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._index = root / _INDEX
        self._name = secrets.token_hex(8)
        self._pack: BufferedWriter | None = None
        root.mkdir(parents=True, exist_ok=True)
        try:
            if not self._index.exists():
                self._begin_index()
            # Every statement commits by itself: in WAL mode that is one write without waiting for the disk, a kill
            # loses nothing, and no process holds the lock for longer than one row.
            self._database = sqlite3.connect(self._index, timeout=_LOCK_S, isolation_level=None)
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_GET_OBJECT, ("",))
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def get(self, url: str, md5: str | None) -> StoredPicture | None:
        """Look a URL up.

        Parameters
        ----------
        url : str
        md5 : str or None
            Hex digits that the picture's MD5 must equal; without it only a picture that was decoded counts.

        Returns
        -------
        StoredPicture or None
            None when the URL is not here, its picture does not fit, or its file is missing or damaged.
        """
        row = self._one(_GET_PICTURE, (url, md5, md5))
        data = self._whole(row[0]) if row else None
        return None if row is None or data is None else StoredPicture(sha256=row[0], bytes=len(data), note=row[1])

    def put(self, url: str, data: bytes, md5: str, *, decoded: bool, note: str = "") -> str:
        """Keep a picture.

        Parameters
        ----------
        url : str
            Where it came from; an older picture of the same URL is forgotten.
        data : bytes
            The file.
        md5 : str
            Of `data`, as hex digits.
        decoded : bool
            Whether it was decoded, rather than known by its MD5.
        note : str, default=""
            Text to find again.

        Returns
        -------
        str
            SHA-256 of the file, as 64 hex digits.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if self._whole(sha256) is None:
            start = self._append(data)
            self._one(_PUT_OBJECT, (sha256, self._name, start, len(data)))
        self._one(_PUT_PICTURE, (url, sha256, md5, decoded, note))
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of a picture.

        Raises
        ------
        UserError
            When they are missing or damaged.
        """
        data = self._whole(sha256)
        if data is None:
            raise UserError(
                f"picture {sha256} of {self._root} is missing or damaged; run again, and it is fetched again"
            )
        return data

    def close(self) -> None:
        """Release the files."""
        self._database.close()
        if self._pack is not None:
            self._pack.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin_index(self) -> None:
        # SQLite does not wait for its lock while a database changes to WAL mode, so two processes that begin one at
        # the same time fail. The first to link a finished one into place wins.
        temporary = self._root / f".{self._name}"
        database = sqlite3.connect(temporary)
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_CREATE)
        database.close()
        with suppress(FileExistsError):
            self._index.hardlink_to(temporary)
        temporary.unlink()

    def _append(self, data: bytes) -> int:
        # No fsync: what a power cut loses does not have its hash, and counts as absent.
        if self._pack is None:
            self._pack = self._pack_path(self._name).open("xb")
        start = self._pack.tell()
        try:
            self._pack.write(data)
            self._pack.flush()
        except OSError as error:
            # Python does not say which file a write failed on.
            raise OSError(error.errno, error.strerror, str(self._pack_path(self._name))) from error
        return start

    def _whole(self, sha256: str) -> bytes | None:
        row = self._one(_GET_OBJECT, (sha256,))
        if row is None:
            return None
        pack, start, size = row
        try:
            with self._pack_path(pack).open("rb", buffering=0) as file:
                file.seek(start)
                data = file.read(size)
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def _pack_path(self, name: str) -> Path:
        return self._root / f"{name}.pack"

    def _one(self, statement: str, values: tuple[object, ...]) -> Any:
        try:
            return self._database.execute(statement, values).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.DatabaseError) -> UserError:
        # An operational error is a full disk, a file that may not be written or another process that never lets go.
        operational = isinstance(error, sqlite3.OperationalError)
        machine = "check the disk, the file's owner and mode, and whether another run hangs"
        advice = f"; {machine if operational else 'delete it, and a new one is begun'}"
        return UserError(f"{self._index}, the index of the pictures' store: {error}{advice}")
