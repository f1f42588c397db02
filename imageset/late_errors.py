"""A file for HDF5 to write to whose first failed write is kept for us and hidden from HDF5.

HDF5 does not survive a full disk: it tries to write again when the file is closed, and once more when the program ends,
which then crashes. Not for reading datasets: see `imageset.dataset`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO


class LateErrors(io.RawIOBase):
    """A file object for `h5py.File` that never fails to write.

    What comes after the first failed write is kept in memory, so that HDF5 reads what it wrote. To bound that memory,
    and to learn of the failure at all, call `check` now and then, and once after HDF5 has closed.

    Parameters
    ----------
    file : binary file
        Open for reading and writing, unbuffered, and empty.
    path : Path
        What errors call it.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._path = path
        self._error: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []
        self._size = 0
        self._place = 0

    def check(self) -> None:
        """Raise the error of the first write that failed, if any did.

        Raises
        ------
        OSError
            Such as ENOSPC.
        """
        if self._error:
            raise OSError(self._error.errno, self._error.strerror, str(self._path)) from self._error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; HDF5 asks for the end by going there."""
        self._place = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence] + offset
        return self._place

    def tell(self) -> int:
        """The place that the next read or write begins at, in bytes."""
        return self._place

    def write(self, data: memoryview) -> int:  # type: ignore[override] # h5py gives nothing else
        """Write all of the data, to the file or, after an error, to memory."""
        if not self._error:
            try:
                self._write_all(data)
            except OSError as error:
                self._error = error
        if self._error:
            self._kept.append((self._place, bytes(data)))
        self._place += len(data)
        self._size = max(self._size, self._place)
        return len(data)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as if every write had succeeded; what was never written is zero."""
        self._file.seek(self._place)
        data = bytearray(self._file.read(len(buffer)).ljust(len(buffer), b"\0"))
        for place, kept in self._kept:
            start, end = max(place, self._place), min(place + len(kept), self._place + len(buffer))
            if start < end:
                data[start - self._place : end - self._place] = kept[start - place : end - place]
        buffer[:] = data
        self._place += len(buffer)
        return len(buffer)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        self._size = self._place if size is None else size
        try:
            self._file.truncate(self._size)
        except OSError as error:
            self._error = self._error or error
        return self._size

    def _write_all(self, data: memoryview) -> None:
        self._file.seek(self._place)
        written = 0
        # The system may write less than it was given, and say why only at the next try.
        while written < len(data):
            written += self._file.write(data[written:])
