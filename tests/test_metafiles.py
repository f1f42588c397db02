from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from imageset import metafiles
from imageset.errors import UserError
from imageset.metafiles import fetch_metafile
from tests.webserver import Behaviour, Site, answer, in_turn, redirect, reset, without_length

BODY = random.Random(20).randbytes(300_000)
NEWER = random.Random(21).randbytes(200_000)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site({}).running() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metafiles, "_FIRST_PAUSE_S", 0.001)


def versioned(body: bytes, etag: str | None = '"one"', stop_after: int | None = None, pause: float = 0) -> Behaviour:
    """A file with an ETag, ranges and conditions; `stop_after`: hang up after so many bytes."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        asked, start, status = handler.headers.get("Range"), 0, 200
        if etag and handler.headers.get("If-None-Match") == etag:
            status = 304
        elif asked and handler.headers.get("If-Range", etag) == etag:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            if start >= len(body):
                return answer(status=416)(handler)
        handler.send_response(status)
        if etag:
            handler.send_header("ETag", etag)
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        handler.send_header("Content-Length", "0" if status == 304 else str(len(body) - start))
        handler.end_headers()
        if status != 304:
            end = len(body) if stop_after is None else start + stop_after
            handler.wfile.write(body[start:end])
            time.sleep(pause)
            handler.close_connection = stop_after is not None
        return None

    return send


def test_a_file_is_fetched_once_and_asked_for_by_etag(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = versioned(BODY)
    first = fetch_metafile(site.url("/a.csv"), tmp_path)
    assert first.path.read_bytes() == BODY
    assert (first.etag, first.bytes, first.version) == ('"one"', len(BODY), '"one"')
    assert fetch_metafile(site.url("/a.csv"), tmp_path) == first
    assert site.seen[1]["If-None-Match"] == '"one"'
    assert site.hits["/a.csv"] == 2


def test_a_new_version_takes_the_place_of_the_old_one(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = versioned(BODY)
    old = fetch_metafile(site.url("/a.csv"), tmp_path)
    site.routes["/a.csv"] = versioned(NEWER, '"two"')
    new = fetch_metafile(site.url("/a.csv"), tmp_path)
    assert (new.path.read_bytes(), new.etag) == (NEWER, '"two"')
    assert not old.path.exists()


def test_without_an_etag_the_size_tells(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = versioned(BODY, None)
    first = fetch_metafile(site.url("/a.csv"), tmp_path)
    stamp = first.path.stat().st_mtime_ns
    assert first.version == "300000 bytes"
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.stat().st_mtime_ns == stamp
    site.routes["/a.csv"] = versioned(NEWER, None)
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == NEWER


def test_a_transfer_that_is_cut_off_goes_on_where_it_ended(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(versioned(BODY, stop_after=100_000), versioned(BODY))
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY
    assert site.seen[1]["Range"] == "bytes=100000-"
    assert site.seen[1]["If-Range"] == '"one"'


def test_a_part_of_another_version_is_not_continued(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(versioned(BODY, stop_after=100_000), versioned(NEWER, '"two"'))
    found = fetch_metafile(site.url("/a.csv"), tmp_path)
    assert (found.path.read_bytes(), found.etag) == (NEWER, '"two"')


def test_a_server_that_ignores_if_range_does_not_mix_versions(site: Site, tmp_path: Path):
    def careless(handler: BaseHTTPRequestHandler) -> None:
        del handler.headers["If-Range"]
        versioned(NEWER, '"two"')(handler)

    site.routes["/a.csv"] = in_turn(versioned(BODY, stop_after=100_000), careless)
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == NEWER


def test_a_weak_etag_is_no_promise_of_the_same_bytes(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(versioned(BODY, 'W/"1"', stop_after=100_000), versioned(BODY, 'W/"1"'))
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY
    assert "Range" not in site.seen[1]


def test_a_part_longer_than_the_file_is_thrown_away(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(
        versioned(BODY, stop_after=250_000), versioned(NEWER, '"one"'), versioned(NEWER, '"one"')
    )
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == NEWER


def test_a_killed_process_leaves_a_part_that_the_next_one_continues(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(versioned(BODY, stop_after=150_000, pause=30), versioned(BODY))
    code = "import sys; from pathlib import Path; from imageset.metafiles import fetch_metafile\n"
    code += "fetch_metafile(sys.argv[1], Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, site.url("/a.csv"), str(tmp_path)])
    deadline = time.monotonic() + 20
    while not any(part.stat().st_size for part in tmp_path.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY
    assert int(site.seen[-1]["Range"].removeprefix("bytes=").removesuffix("-")) > 0


def test_passing_failures_are_tried_again(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(reset, answer(status=503), answer(status=429), versioned(BODY))
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY
    assert site.hits["/a.csv"] == 4


def test_a_body_without_a_length_is_taken(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = without_length(BODY)
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY


def test_redirects_are_followed_but_not_for_ever(site: Site, tmp_path: Path):
    site.routes |= {f"/{n}": redirect(f"/{n + 1}") for n in range(5)}
    site.routes |= {"/5": versioned(BODY), "/loop": redirect("/loop")}
    assert fetch_metafile(site.url("/0"), tmp_path).path.read_bytes() == BODY
    with pytest.raises(UserError, match=r"/loop is redirected more than 5 times"):
        fetch_metafile(site.url("/loop"), tmp_path)
    assert site.hits["/loop"] <= 7


def test_a_redirect_away_from_the_web_is_refused(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = redirect("file:///etc/hostname")
    with pytest.raises(UserError, match="redirected to none"):
        fetch_metafile(site.url("/a.csv"), tmp_path)


@pytest.mark.parametrize(
    ("target", "refused"),
    [
        ("http://localhost:{port}/b.csv", "localhost has the address "),
        ("http://127.0.0.2:{port}/b.csv", "http://127.0.0.2:{port}/b.csv"),
        ("http://2130706433:{port}/b.csv", "http://2130706433:{port}/b.csv"),
        ("http://[::1]:{port}/b.csv", r"http://\[::1\]:{port}/b.csv"),
        ("http://169.254.169.254/b.csv", "http://169.254.169.254/b.csv"),
    ],
)
def test_a_redirect_to_an_address_that_nobody_named_is_refused(site: Site, tmp_path: Path, target: str, refused: str):
    site.routes |= {"/a.csv": redirect(target.format(port=site.port)), "/b.csv": versioned(BODY)}
    with pytest.raises(UserError, match=rf"/a\.csv is redirected.* {refused.format(port=site.port)}.*which is refused"):
        fetch_metafile(site.url("/a.csv"), tmp_path)
    assert dict(site.hits) == {"/a.csv": 1}


def test_a_redirect_to_a_host_that_was_named_is_followed(site: Site, tmp_path: Path):
    site.routes |= {"/a.csv": redirect(site.url("/b.csv", "localhost")), "/b.csv": versioned(BODY)}
    found = fetch_metafile(site.url("/a.csv"), tmp_path, frozenset({"localhost"}))
    assert found.path.read_bytes() == BODY


def test_a_proxy_of_the_user_may_have_a_private_address(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", site.url("", "localhost"))
    monkeypatch.delenv("no_proxy", raising=False)
    site.routes["http://files.example/a.csv"] = versioned(BODY)
    assert fetch_metafile("http://files.example/a.csv", tmp_path).path.read_bytes() == BODY


def test_a_missing_file_is_named_and_not_asked_for_again(site: Site, tmp_path: Path):
    with pytest.raises(UserError, match=r"/v9/a\.csv answers 404 .*check the base URL"):
        fetch_metafile(site.url("/v9/a.csv"), tmp_path)
    assert site.hits["/v9/a.csv"] == 1


def test_without_a_network_the_whole_copy_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with Site({"/a.csv": versioned(BODY)}).running() as site:
        url = site.url("/a.csv")
        first = fetch_metafile(url, tmp_path)
    capsys.readouterr()
    assert fetch_metafile(url, tmp_path) == first
    said = capsys.readouterr().err
    assert said.startswith(f"note: {url} cannot be reached")
    assert said.count("\n") == 1


def test_without_a_network_and_a_copy_there_is_one_line(tmp_path: Path):
    with Site({}).running() as site:
        url = site.url("/a.csv")
    with pytest.raises(UserError, match=rf"^{url} cannot be fetched: .*; check the network and run again$"):
        fetch_metafile(url, tmp_path)


def test_a_part_is_no_copy(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = in_turn(versioned(BODY, stop_after=1000), answer(status=500))
    with pytest.raises(UserError, match="the server answers 500"):
        fetch_metafile(site.url("/a.csv"), tmp_path)


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(BODY[:-1]), Path.unlink])
def test_a_damaged_copy_is_fetched_again(site: Site, tmp_path: Path, damage):
    site.routes["/a.csv"] = versioned(BODY)
    damage(fetch_metafile(site.url("/a.csv"), tmp_path).path)
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY


DAMAGE = [
    b"",
    b"{",
    b"[]",
    b"{}",
    b"\xff\x00",
    b"[" * 100_000,
    b'{"etag": 1, "bytes": 300000}',
    b'{"etag": "a\\nb", "bytes": 300000}',
    b'{"etag": "\\ud800", "bytes": 300000}',
    b'{"etag": null, "bytes": "z"}',
    b'{"etag": null, "bytes": 300000, "file": "../x"}',
]


@pytest.mark.parametrize("content", DAMAGE)
def test_a_damaged_entry_counts_as_absent(site: Site, tmp_path: Path, content: bytes):
    site.routes["/a.csv"] = versioned(BODY)
    first = fetch_metafile(site.url("/a.csv"), tmp_path)
    (tmp_path / f"{first.path.name[:16]}.json").write_bytes(content)
    assert fetch_metafile(site.url("/a.csv"), tmp_path) == first
    assert "If-None-Match" not in site.seen[1]
    assert first.path.read_bytes() == BODY


@pytest.mark.parametrize("content", DAMAGE)
def test_a_part_with_a_damaged_entry_is_not_continued(site: Site, tmp_path: Path, content: bytes):
    site.routes["/a.csv"] = versioned(BODY)
    key = hashlib.sha256(site.url("/a.csv").encode()).hexdigest()[:16]
    (tmp_path / f"{key}.part").write_bytes(b"other bytes")
    (tmp_path / f"{key}.part.json").write_bytes(content)
    assert fetch_metafile(site.url("/a.csv"), tmp_path).path.read_bytes() == BODY
    assert "Range" not in site.seen[0]


def test_an_etag_that_is_no_ascii_counts_as_none(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = answer(BODY, ETag='"\xe9"')
    assert fetch_metafile(site.url("/a.csv"), tmp_path).version == "300000 bytes"


def test_a_file_that_is_too_large_is_refused_before_its_body(site: Site, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(metafiles, "MAX_BYTES", 100_000)
    site.routes |= {"/a.csv": versioned(BODY), "/b.csv": without_length(BODY)}
    for name in ("/a.csv", "/b.csv"):
        with pytest.raises(UserError, match="at most 100000 bytes"):
            fetch_metafile(site.url(name), tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a.csv", "a.csv"])
def test_only_the_web_is_asked(url: str, tmp_path: Path):
    with pytest.raises(UserError, match="come from http:// or https://"):
        fetch_metafile(url, tmp_path)


def test_two_at_once_fetch_once(site: Site, tmp_path: Path):
    site.routes["/a.csv"] = versioned(BODY, pause=0.2)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch_metafile(site.url("/a.csv"), tmp_path), range(4)))
    assert len(set(found)) == 1
    assert [request.get("If-None-Match") for request in site.seen] == [None, *['"one"'] * 3]


def test_file_names_come_from_a_hash_not_from_the_url(site: Site, tmp_path: Path):
    path = "/" + "x" * 300 + "/../a b.csv"
    site.routes |= {url: versioned(BODY) for url in ("/a%20b.csv", "/a b.csv")}
    found = fetch_metafile(site.url(path), tmp_path)
    assert found.path.parent == tmp_path
    assert found.path.name.startswith(hashlib.sha256(site.url(path).encode()).hexdigest()[:16])


def test_a_full_disk_passes_through_and_the_old_copy_stays(site: Site, tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    site.routes["/a.csv"] = versioned(BODY)
    old = fetch_metafile(site.url("/a.csv"), tmp_path)
    site.routes["/a.csv"] = versioned(NEWER, '"two"')
    old.path.with_name(old.path.name.split("-")[0] + ".part").symlink_to(full)
    with pytest.raises(OSError, match="No space left"):
        fetch_metafile(site.url("/a.csv"), tmp_path)
    assert old.path.read_bytes() == BODY
