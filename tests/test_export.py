"""Class folders from shards."""

import pytest

from imageset.errors import UserError
from imageset.export import export_pictures
from imageset.shards import Entry, write_shard


@pytest.fixture
def shards(tmp_path):
    folder = tmp_path / "shards"
    write_shard(folder / "00000.tar", [Entry("a", "jpg", b"A"), Entry("a", "json", b"{}"), Entry("b", "png", b"B")])
    write_shard(folder / "00001.tar", [Entry("c", "jpg", b"C")])
    return folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_picture_lies_in_the_folder_of_its_label(shards, tmp_path):
    written = export_pictures(shards, {"a": ["Hot dog"], "b": ["Sandwich"]}, tmp_path / "out")
    assert written == 2
    assert files(tmp_path / "out") == {"hot-dog/a.jpg": b"A", "sandwich/b.png": b"B"}


def test_a_picture_with_two_labels_lies_in_both_and_once_in_each(shards, tmp_path):
    export_pictures(shards, {"a": ["x", "y", "x"]}, tmp_path / "out")
    assert sorted(files(tmp_path / "out")) == ["x/a.jpg", "y/a.jpg"]


def test_labels_with_one_slug_get_folders_of_their_own(shards, tmp_path):
    export_pictures(shards, {"a": ["Hot dog"], "c": ["hot-dog"]}, tmp_path / "out")
    assert len({name.split("/")[0] for name in files(tmp_path / "out")}) == 2


def test_a_folder_with_something_in_it_is_left_alone(shards, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        export_pictures(shards, {"a": ["x"]}, tmp_path / "out")
    assert files(tmp_path / "out") == {"mine.txt": b"mine"}


def test_no_shards_is_an_error_that_says_what_to_run(tmp_path):
    with pytest.raises(UserError, match="dvc repro"):
        export_pictures(tmp_path, {"a": ["x"]}, tmp_path / "out")


def test_a_damaged_shard_leaves_no_half_export(shards, tmp_path):
    whole = (shards / "00001.tar").read_bytes()
    (shards / "00001.tar").write_bytes(whole[:700])
    with pytest.raises(UserError, match=r"00001\.tar"):
        export_pictures(shards, {"a": ["x"], "c": ["x"]}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_to_an_empty_folder_stays_a_link(shards, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    export_pictures(shards, {"a": ["x"]}, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert files(tmp_path / "real") == {"x/a.jpg": b"A"}
