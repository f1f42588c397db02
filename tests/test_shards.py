from __future__ import annotations

import hashlib
import io
import tarfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.errors import UserError
from imageset.shards import PICTURES_PER_SHARD, Entry, check_entry, read_shard, shard_count, shard_name, write_shard

ENTRIES = [Entry("a", "jpg", b"1" * 700), Entry("a", "json", b"{}"), Entry("b-1", "jpg", b""), Entry("c", "txt", b"3")]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "00000.tar"
    write_shard(path, ENTRIES)
    return path


def tar_of(path: Path, *members: tarfile.TarInfo, data: bytes = b"") -> None:
    with tarfile.open(path, "w") as tar:
        for member in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_entries_go_round(shard: Path) -> None:
    assert list(read_shard(shard)) == ENTRIES


def test_the_same_entries_give_the_same_bytes(shard: Path, tmp_path: Path) -> None:
    write_shard(tmp_path / "other.tar", iter(ENTRIES))
    assert (tmp_path / "other.tar").read_bytes() == shard.read_bytes()


def test_the_file_is_a_plain_tar_without_times_or_owners(shard: Path) -> None:
    with tarfile.open(shard) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == ["a.jpg", "a.json", "b-1.jpg", "c.txt"]
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert member.mode == 0o644
        assert member.isreg()
        assert not member.pax_headers


def test_an_empty_shard_goes_round(tmp_path: Path) -> None:
    write_shard(tmp_path / "empty.tar", [])
    assert list(read_shard(tmp_path / "empty.tar")) == []


@pytest.mark.parametrize("key", ["k" * 90, "k" * 100, "k" * 250, "schlüssel", "文" * 60, "with space"])
def test_long_and_foreign_names_go_round(tmp_path: Path, key: str) -> None:
    write_shard(tmp_path / "t.tar", [Entry(key, "jpg", b"x"), Entry(key, "json", b"y")])
    assert list(read_shard(tmp_path / "t.tar")) == [Entry(key, "jpg", b"x"), Entry(key, "json", b"y")]
    write_shard(tmp_path / "again.tar", [Entry(key, "jpg", b"x"), Entry(key, "json", b"y")])
    assert (tmp_path / "t.tar").read_bytes() == (tmp_path / "again.tar").read_bytes()


@pytest.mark.parametrize("order", [[1, 0], [0, 0], [3, 2]])
def test_entries_out_of_order_or_twice_are_a_bug(tmp_path: Path, order: list[int]) -> None:
    with pytest.raises(ValueError, match="not sorted"):
        write_shard(tmp_path / "t.tar", [ENTRIES[index] for index in order])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["a.b", "../a", "a/b", "/a", "", "a\0b", "a\\b"])
def test_a_key_that_would_not_come_back_is_a_bug(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match=r"no name|not sorted"):
        write_shard(tmp_path / "t.tar", [Entry(key, "jpg", b"x")])
    assert not list(tmp_path.iterdir())


def test_reading_is_lazy(shard: Path) -> None:
    entries = read_shard(shard)
    assert next(entries) == ENTRIES[0]


def test_a_missing_shard_says_which_command_makes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="missing; run the stage"):
        list(read_shard(tmp_path / "t.tar"))


@pytest.mark.parametrize("size", range(0, 4 * 512 + 700, 97))
def test_a_shard_cut_off_anywhere_is_refused(shard: Path, size: int) -> None:
    whole = shard.read_bytes()
    shard.write_bytes(whole[:size])
    with pytest.raises(UserError, match="not a whole tar file"):
        list(read_shard(shard))


def test_a_shard_cut_off_between_two_entries_is_refused(shard: Path) -> None:
    with tarfile.open(shard) as tar:
        borders = [member.offset for member in tar.getmembers()]
    whole = shard.read_bytes()
    for border in borders:
        shard.write_bytes(whole[:border])
        with pytest.raises(UserError, match="not a whole tar file"):
            list(read_shard(shard))
        shard.write_bytes(whole[:border] + b"garbage!" * 64 + whole[border + 512 :])
        with pytest.raises(UserError, match="not a whole tar file"):
            list(read_shard(shard))


@given(st.binary(max_size=2000))
def test_random_bytes_are_no_shard(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "random.tar"
    path.write_bytes(data)
    with pytest.raises(UserError):
        list(read_shard(path))


@given(st.integers(0, 5000), st.integers(0, 255))
def test_a_changed_byte_is_a_user_error_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed.tar"
    write_shard(path, [Entry("k" * 120, "jpg", b"x"), *[Entry(f"l{n}", "jpg", b"x") for n in range(3)]])
    data = bytearray(path.read_bytes())
    data[place] = value
    path.write_bytes(data)
    with suppress(UserError):
        list(read_shard(path))


def link(kind: bytes) -> Callable[[], tarfile.TarInfo]:
    def make() -> tarfile.TarInfo:
        member = tarfile.TarInfo("a.jpg")
        member.type, member.linkname = kind, "/etc/passwd"
        return member

    return make


@pytest.mark.parametrize(
    "make",
    [
        link(tarfile.SYMTYPE),
        link(tarfile.LNKTYPE),
        link(tarfile.CHRTYPE),
        link(tarfile.BLKTYPE),
        link(tarfile.FIFOTYPE),
        link(tarfile.DIRTYPE),
        lambda: tarfile.TarInfo("../x.jpg"),
        lambda: tarfile.TarInfo("/tmp/x.jpg"),
        lambda: tarfile.TarInfo("a/../../x.jpg"),
        lambda: tarfile.TarInfo("folder/x.jpg"),
        lambda: tarfile.TarInfo(".jpg"),
        lambda: tarfile.TarInfo("noextension"),
        lambda: tarfile.TarInfo("a.jpg/../../b"),
        lambda: tarfile.TarInfo("a\\b.jpg"),
    ],
)
def test_what_a_shard_does_not_hold_is_refused(tmp_path: Path, make: Callable[[], tarfile.TarInfo]) -> None:
    path = tmp_path / "inside" / "t.tar"
    path.parent.mkdir()
    tar_of(path, make())
    with pytest.raises(UserError, match=r"KEY\.EXTENSION"):
        list(read_shard(path))
    assert [each.name for each in tmp_path.rglob("*")] == ["inside", "t.tar"]


def test_a_link_to_an_entry_before_it_is_refused_too(tmp_path: Path) -> None:
    member = link(tarfile.LNKTYPE)()
    member.name, member.linkname = "b.jpg", "a.jpg"
    tar_of(tmp_path / "t.tar", tarfile.TarInfo("a.jpg"), member)
    with pytest.raises(UserError, match=r"'b\.jpg'"):
        list(read_shard(tmp_path / "t.tar"))


def test_a_header_that_announces_a_terabyte_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.tar"
    member = tarfile.TarInfo("a.jpg")
    member.size = 1 << 40
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(UserError, match="not a whole tar file"):
        list(read_shard(path))


@pytest.mark.parametrize(
    ("pictures", "count"), [(0, 1), (1, 1), (512, 1), (768, 1), (769, 2), (4000, 8), (1_000_000, 2048)]
)
def test_the_number_of_shards_is_a_power_of_two(pictures: int, count: int) -> None:
    assert shard_count(pictures) == count
    assert pictures <= count * PICTURES_PER_SHARD * 1.5


def test_shards_are_filled_evenly() -> None:
    count = 16
    sizes = Counter(shard_name(f"{key:016x}", count) for key in range(16 * 512))
    assert len(sizes) == count
    assert min(sizes.values()) > 512 * 0.8
    assert max(sizes.values()) < 512 * 1.2
    assert sorted(sizes) == [f"{number:05d}.tar" for number in range(count)]


@given(st.text(), st.integers(0, 12))
def test_doubling_the_shards_splits_each_in_two(key: str, power: int) -> None:
    one, two = (int(Path(shard_name(key, 2**p)).stem) for p in (power, power + 1))
    assert two // 2 == one


def test_a_new_key_changes_one_shard(tmp_path: Path) -> None:
    def lay_out(folder: Path, keys: list[str]) -> dict[str, bytes]:
        for name in {shard_name(key, 8) for key in keys}:
            write_shard(folder / name, [Entry(k, "jpg", k.encode()) for k in sorted(keys) if shard_name(k, 8) == name])
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    keys = [f"key{number}" for number in range(100)]
    before, after = lay_out(tmp_path / "a", keys), lay_out(tmp_path / "b", [*keys, "new"])
    assert [name for name in after if after[name] != before[name]] == [shard_name("new", 8)]


@pytest.mark.parametrize("what", ["folder", "below a file"])
def test_what_is_no_file_is_one_clear_error(tmp_path: Path, what: str) -> None:
    path = tmp_path / "images" / "00000.tar"
    if what == "folder":
        path.mkdir(parents=True)
    else:
        path.parent.touch()
    with pytest.raises(UserError, match=r"00000\.tar is no file"):
        list(read_shard(path))


def test_an_entry_has_the_bytes_that_the_table_says(shard: Path) -> None:
    entry = next(read_shard(shard))
    check_entry(shard, entry, hashlib.sha256(entry.data).hexdigest(), "download")
    for other in (hashlib.sha256(b"other").hexdigest(), None):
        with pytest.raises(UserError, match=r"00000\.tar: the bytes of a\.jpg .*; dvc repro -f download"):
            check_entry(shard, entry, other, "download")
