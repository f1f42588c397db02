from __future__ import annotations

import errno
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from imageset.errors import UserError
from imageset.store import Store

URL = "http://example.org/a.jpg"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def put(store: Store, url: str, data: bytes, decoded: bool = True, note: str = "") -> str:
    return store.put(url, data, md5(data), decoded=decoded, note=note)


def pack(root: Path) -> Path:
    return next(root.glob("*.pack"))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path) as opened:
        yield opened


def test_a_picture_comes_back_by_url_and_by_content(store):
    sha256 = put(store, URL, b"one", note="why")
    found = store.get(URL, md5(b"one"))
    assert (found.sha256, found.bytes, found.note) == (hashlib.sha256(b"one").hexdigest(), 3, "why")
    assert store.read(sha256) == b"one"
    assert store.get(URL + "?", None) is None


def test_another_md5_than_the_one_asked_for_is_absent(store):
    put(store, URL, b"one")
    assert store.get(URL, md5(b"two")) is None


def test_without_md5_only_decoded_pictures_count(store):
    put(store, URL, b"one", decoded=False)
    assert store.get(URL, md5(b"one")) is not None
    assert store.get(URL, None) is None
    put(store, URL, b"one", decoded=True)
    assert store.get(URL, None) is not None


def test_decoded_stays_for_the_same_bytes_only(store):
    put(store, URL, b"one", decoded=True)
    put(store, URL, b"one", decoded=False)
    assert store.get(URL, None) is not None
    put(store, URL, b"two", decoded=False)
    assert store.get(URL, None) is None


@pytest.mark.parametrize("content", [None, b"", b"on", b"onf"])
def test_a_damaged_picture_counts_as_absent_and_can_be_put_again(tmp_path, content):
    with Store(tmp_path) as store:
        sha256 = put(store, URL, b"one")
    if content is None:
        pack(tmp_path).unlink()
    else:
        pack(tmp_path).write_bytes(content)
    with Store(tmp_path) as store:
        assert store.get(URL, None) is None
        with pytest.raises(UserError, match="missing or damaged"):
            store.read(sha256)
        put(store, URL, b"one")
        assert store.read(sha256) == b"one"


def test_only_the_damaged_picture_is_lost(store, tmp_path):
    kept, lost = put(store, URL, b"one"), put(store, URL + "?", b"two")
    pack(tmp_path).write_bytes(b"onetwx")
    assert store.read(kept) == b"one"
    assert store.get(URL + "?", None) is None
    assert put(store, URL + "?", b"two") == lost
    assert (store.read(kept), store.read(lost)) == (b"one", b"two")


def test_the_same_picture_under_two_urls_is_kept_once(store, tmp_path):
    assert put(store, URL, b"one") == put(store, URL + "?", b"one")
    assert store.get(URL, None) == store.get(URL + "?", None)
    assert pack(tmp_path).read_bytes() == b"one"


def test_a_later_opening_finds_everything(tmp_path):
    with Store(tmp_path) as store:
        put(store, URL, b"one")
    with Store(tmp_path) as store:
        assert store.get(URL, None) is not None


def test_a_damaged_index_is_one_line_that_names_the_file(tmp_path):
    Store(tmp_path).close()
    index = next(tmp_path.glob("index*.sqlite"))
    index.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match=index.name):
        Store(tmp_path)


WRITER = """
import hashlib, sys
from pathlib import Path
from imageset.store import Store
store = Store(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    data = f"{number}".encode() * 2000
    store.put(f"http://{sys.argv[2]}/{number}", data, hashlib.md5(data).hexdigest(), decoded=True)
    print(number, flush=True)
"""


def writer(root: Path, host: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), host, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_that_begin_and_write_at_once_lose_nothing(tmp_path):
    root = tmp_path / "store"  # none of them finds it
    running = [writer(root, f"host{number}", 100) for number in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    with Store(root) as store:
        assert all(store.get(f"http://host{who}/{n}", None) for who in range(3) for n in range(100))
    assert not [path for path in root.iterdir() if path.name.startswith(".")]


def test_what_was_put_before_a_kill_is_there_after_it(tmp_path):
    process = writer(tmp_path, "host", 10**9)
    lines = [process.stdout.readline() for _ in range(200)]
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with Store(tmp_path) as store:
        assert all(store.get(f"http://host/{line.strip()}", None) for line in lines)
        put(store, URL, b"one")
    assert sqlite3.connect(next(tmp_path.glob("*.sqlite"))).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_names_the_pack(store, tmp_path):
    put(store, URL, b"one")
    # The next pack is a device that is always full.
    store._pack.close()
    store._pack = Path("/dev/full").open("wb")  # noqa: SIM115 - the store closes it
    with pytest.raises(OSError) as failed:
        put(store, URL, b"two")
    store._pack = None
    assert (failed.value.errno, failed.value.filename) == (errno.ENOSPC, str(pack(tmp_path)))


def test_an_index_that_cannot_be_opened_says_what_to_check(tmp_path):
    (tmp_path / "index-1.sqlite").mkdir()
    with pytest.raises(UserError, match="unable to open database file; check the disk"):
        Store(tmp_path)
