from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imageset.files import replacing, replacing_folder, sha256_of, write_json
from tests.drawn import contents

STOP_HALFWAY = """
import sys, time
from pathlib import Path
from imageset.files import {how}
with {how}(Path(sys.argv[1])) as temporary:
    (temporary / "new" if temporary.is_dir() else temporary).write_text("half of the new")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


def killed_while_replacing(how: str, path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", STOP_HALFWAY.format(how=how), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child:
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    killed_while_replacing("replacing", path)
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_killed_writer_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "shards"
    path.mkdir()
    (path / "a").write_text("old")
    killed_while_replacing("replacing_folder", path)
    assert contents(path) == {"a": b"old"}


@pytest.mark.parametrize("how", [replacing, replacing_folder])
def test_what_killed_writers_left_goes_and_what_living_ones_write_stays(tmp_path: Path, how: Any) -> None:
    path = tmp_path / "x[1].d"
    for _ in range(2):
        killed_while_replacing(how.__name__, path)
    (tmp_path / ".other.01234567").write_text("of another path")
    abandoned = set(tmp_path.iterdir())
    with how(path) as living:
        inside = living / "a" if living.is_dir() else living
        inside.write_text("living")
        with how(path):
            assert inside.read_text() == "living"
        now = set(tmp_path.iterdir())
        assert now & abandoned == {tmp_path / ".other.01234567"}
        assert inside.read_text() == "living"
    assert {each.name for each in tmp_path.iterdir()} == {"x[1].d", ".other.01234567"}


def test_a_folder_killed_before_it_was_begun_goes_too(tmp_path: Path) -> None:
    (tmp_path / ".x.01234567").touch()
    with replacing_folder(tmp_path / "x"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_without_locks_nothing_is_taken_for_abandoned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*args: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    path = tmp_path / "x"
    with replacing(path) as one, replacing(path) as two:
        one.write_text("one")
        two.write_text("two")
    assert contents(tmp_path) == {"x": b"one"}


@pytest.mark.parametrize("how", [replacing, replacing_folder])
def test_one_taken_for_abandoned_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Any
) -> None:
    path, lock, taken = tmp_path / "x", fcntl.flock, []

    def take_first(file: Any, operation: int) -> None:
        if not taken:
            taken.append(file.name)
            Path(file.name).unlink()
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", take_first)
    with how(path) as temporary:
        (temporary / "a" if temporary.is_dir() else temporary).write_text("new")
    assert taken
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with pytest.raises(stop), replacing(path) as temporary:  # noqa: PT012 - the block is what is tested
        temporary.write_text("half")
        raise stop
    assert contents(tmp_path) == {"table": b"old"}


@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_folder_and_nothing_else(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "shards"
    path.mkdir()
    (path / "a").write_text("old")
    with pytest.raises(stop), replacing_folder(path) as temporary:  # noqa: PT012 - the block is what is tested
        (temporary / "b").write_text("half")
        raise stop
    assert contents(tmp_path) == {"shards/a": b"old"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "shards"
    for name in ("a", "b"):
        with replacing_folder(path) as temporary:
            assert not list(temporary.iterdir())
            (temporary / name).write_text(name)
    assert contents(tmp_path) == {"deep/shards/b": b"b"}
    assert list(path.parent.iterdir()) == [path]


def test_missing_folders_above_are_made(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b" / "c") as temporary:
        temporary.write_text("x")
    assert contents(tmp_path) == {"a/b/c": b"x"}


def test_the_old_file_is_read_until_the_end(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent, "a rename across disks is a copy"


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask(tmp_path: Path) -> None:
    with replacing(tmp_path / "file") as temporary:
        temporary.write_text("x")
    with replacing_folder(tmp_path / "folder") as temporary:
        (temporary / "file").write_text("x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "folder" / "file").stat().st_mode & 0o777 == 0o640


def test_threads_that_replace_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "table"

    def write(letter: str) -> None:
        for _ in range(20):
            with replacing(path) as temporary:
                temporary.write_text(letter * 1000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in {letter * 1000 for letter in "abc"}
    assert list(tmp_path.iterdir()) == [path]


def test_json_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    write_json({"b": [1, {"é": None}], "a": 0.5}, tmp_path / "one")
    write_json({"a": 0.5, "b": [1, {"é": None}]}, tmp_path / "two")
    text = (tmp_path / "one").read_text(encoding="utf-8")
    assert text == (tmp_path / "two").read_text(encoding="utf-8")
    assert '"é"' in text
    assert text.endswith("}\n")


def test_sha256_is_of_the_content(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()
