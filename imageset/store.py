"""The store of checked pictures: one per user, by content, with an index by URL.

The outs are laid out from it, so they may be deleted without anything being fetched twice. Failures are not stored,
nor are local files. Not for other files from the web.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import platformdirs

from imageset.errors import UserError

# The number is raised when the columns change: old and new programs may share the folder, and the pictures.
_INDEX = "index-1.sqlite"

_CREATE = """
CREATE TABLE IF NOT EXISTS pictures (
    url TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    md5 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    decoded INTEGER NOT NULL,
    note TEXT NOT NULL
) WITHOUT ROWID
"""

# A picture that was once decoded stays so when the same bytes come again and only their MD5 is checked.
_PUT = """
INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (url) DO UPDATE SET
    decoded = max(excluded.decoded, CASE sha256 WHEN excluded.sha256 THEN decoded ELSE 0 END),
    sha256 = excluded.sha256, md5 = excluded.md5, bytes = excluded.bytes, note = excluded.note
"""

_GET = "SELECT sha256, bytes, note FROM pictures WHERE url = ? AND (md5 = ? OR (? IS NULL AND decoded))"


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


def default_store_root() -> Path:
    """Folder of the store: below `IMAGESET_CACHE` when that is set, otherwise below the user's cache folder."""
    cache = os.environ.get("IMAGESET_CACHE") or platformdirs.user_cache_dir("imageset", appauthor=False)
    return Path(cache).expanduser() / "pictures"


class Store:
    """Checked pictures in a folder.

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
        self._objects = root / "objects"
        self._index = root / _INDEX
        self._temporary = root / f".{secrets.token_hex(8)}"
        self._objects.mkdir(parents=True, exist_ok=True)
        try:
            # Every statement commits by itself: in WAL mode that is one write without waiting for the disk, a kill
            # loses nothing, and no process holds the lock for longer than one row.
            self._database = sqlite3.connect(self._index, timeout=60, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute(_CREATE)
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
        try:
            row = self._database.execute(_GET, (url, md5, md5)).fetchone()
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error
        if row is None or self._whole(row[0]) is None:
            return None
        return StoredPicture(sha256=row[0], bytes=row[1], note=row[2])

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
        self._write_whole(self._path(sha256), data)
        try:
            self._database.execute(_PUT, (url, sha256, md5, len(data), decoded, note))
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of a picture.

        Raises
        ------
        UserError
            When the file is missing or damaged.
        """
        data = self._whole(sha256)
        if data is None:
            raise UserError(f"{self._path(sha256)} is missing or damaged; run again, and it is fetched again")
        return data

    def close(self) -> None:
        """Release the index."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _path(self, sha256: str) -> Path:
        return self._objects / sha256[:2] / sha256

    def _write_whole(self, path: Path, data: bytes) -> None:
        # No fsync: what a power cut leaves half written does not have its hash, and counts as absent.
        try:
            self._temporary.write_bytes(data)
            path.parent.mkdir(exist_ok=True)
            self._temporary.replace(path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def _whole(self, sha256: str) -> bytes | None:
        try:
            data = self._path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def _unusable(self, error: sqlite3.DatabaseError) -> UserError:
        # An operational error is a full disk, a file that may not be written or another process that never lets go.
        advice = "" if isinstance(error, sqlite3.OperationalError) else "; delete it, and a new one is begun"
        return UserError(f"{self._index}, the index of the pictures' store: {error}{advice}")
