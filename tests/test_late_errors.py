from __future__ import annotations

import errno
import io
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.late_errors import LateErrors


class Limited(io.BytesIO):
    """A file on a disk with room for so many bytes; like the system it writes what fits, and says why at the next."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        fitting = max(0, self.room - self.tell())
        if not fitting and len(data):
            raise OSError(errno.ENOSPC, "full")
        return super().write(data[:fitting])

    def truncate(self, size: int | None = None) -> int:
        if (size or 0) > self.room:
            raise OSError(errno.ENOSPC, "full")
        return super().truncate(size)


operations = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 60), st.binary(max_size=30)),  # a write
        st.tuples(st.integers(0, 60), st.integers(0, 40)),  # a read
    ),
    max_size=30,
)


@given(operations, st.integers(0, 100))
def test_it_reads_what_was_written_whatever_the_room(todo: list[tuple[int, bytes | int]], room: int) -> None:
    file, expected = LateErrors(Limited(room), Path("x")), bytearray(100)
    for place, what in todo:
        file.seek(place)
        if isinstance(what, bytes):
            assert file.write(memoryview(what)) == len(what)
            expected[place : place + len(what)] = what
        else:
            buffer = bytearray(what)
            file.readinto(memoryview(buffer))
            assert buffer == expected[place : place + what]
    ends = [place + len(what) for place, what in todo if isinstance(what, bytes)]
    assert file.seek(0, io.SEEK_END) == file.tell() == max(ends, default=0)
    if max(ends, default=0) <= room:
        file.check()


def test_hdf5_notices_no_full_disk_and_check_tells_of_it() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (50, 100), dtype=np.uint8)
    for room in [*range(0, 8000, 500), 100_000]:
        limited = Limited(room)
        disk = LateErrors(limited, Path("the/file"))
        with h5py.File(disk, "w") as file:
            for number in range(3):
                file[f"a{number}"] = pixels
            assert np.array_equal(file["a0"][:], pixels)
        if room < 15_000:
            with pytest.raises(OSError, match="full") as failed:
                disk.check()
            assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, "the/file")
        else:
            disk.check()
            with h5py.File(io.BytesIO(limited.getvalue())) as file:
                assert np.array_equal(file["a2"][:], pixels)
