from __future__ import annotations

import datetime
import gzip
import hashlib
import io
import ipaddress
import os
import random
import shutil
import signal
import ssl
import struct
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image

from imageset.downloads import FetchRules, Outcome, PictureRequest
from imageset.fetch import fetch
from imageset.store import Store
from tests.webserver import Site, answer, cut_off, in_turn, redirect, reset, slow, without_length


def picture(number: int, kind: str = "JPEG") -> bytes:
    pixels = random.Random(number).randbytes(48 * 40 * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (48, 40), pixels).save(file, kind)
    return file.getvalue()


GOOD = picture(1)
LARGE = b"\xff\xd8" + bytes(300_000)
MD5 = hashlib.md5(GOOD).hexdigest()
SIZE = struct.pack("<ii", 50_000, 50_000)
BOMB = picture(4, "BMP")[:18] + SIZE + picture(4, "BMP")[26:]
HALF = GOOD[: len(GOOD) // 2]


@pytest.fixture
def site():
    with Site({}).running() as running:
        yield running


@pytest.fixture
def run(tmp_path):
    """Fetch with rules of a test; the store is the same in every call of one test."""

    def go(*requests: PictureRequest, **changes: object) -> dict[str, Outcome]:
        rules = FetchRules(16, 8, 5.0, 200_000, 0, frozenset({"127.0.0.1"}), "tests/1", tmp_path / "root")
        outcomes: list[Outcome] = []
        with Store(tmp_path / "store") as store:
            fetch(requests, replace(rules, **changes), store, outcomes.append)
        assert sorted(each.image_id for each in outcomes) == sorted(each.image_id for each in requests)
        return {each.image_id: each for each in outcomes}

    return go


def wanted(*urls: str, md5: str | None = None, image_id: str = "a") -> PictureRequest:
    return PictureRequest(image_id, urls, md5)


# What the server does, the MD5 of the request, what the row must say: cause (None: the picture is there) and HTTP
# status, and how often a run with two retries asks.
MISBEHAVIOUR = {
    "ok": (answer(GOOD), None, None, 200, 1),
    "ok by md5": (answer(GOOD), MD5, None, 200, 1),
    "ok by md5 in capitals": (answer(GOOD), MD5.upper(), None, 200, 1),
    "ok without length": (without_length(GOOD), MD5, None, 200, 1),
    "png called jpg": (answer(picture(2, "PNG"), Content_Type="image/jpeg"), None, None, 200, 1),
    "404": (answer(b"gone", 404), None, "http_404", 404, 1),
    "410": (answer(b"gone", 410), None, "http_410", 410, 1),
    "401": (answer(b"who", 401), None, "http_401", 401, 1),
    "403": (answer(GOOD, 403), None, "http_403", 403, 1),
    "204": (answer(status=204), None, "http_204", 204, 1),
    "500 then ok": (in_turn(answer(status=500), answer(GOOD)), None, None, 200, 2),
    "429 then ok": (in_turn(answer(status=429, Retry_After="1"), answer(GOOD)), None, None, 200, 2),
    "429, come back tomorrow": (answer(status=429, Retry_After="86400"), None, "http_429", 429, 1),
    "503 for ever": (answer(status=503, Retry_After="0"), None, "http_503", 503, 3),
    "503, date in the past": (
        answer(status=503, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), None, "http_503", 503, 3,
    ),
    "reset then ok": (in_turn(reset, answer(GOOD)), None, None, 200, 2),
    "body cut off": (cut_off(GOOD, 100), None, "truncated", 200, 3),
    "body cut off, md5": (cut_off(GOOD, 100), MD5, "truncated", 200, 3),
    "whole body, half a picture": (answer(HALF), None, "truncated", 200, 1),
    "half a picture, no length": (without_length(HALF), None, "truncated", 200, 1),
    "too large": (answer(LARGE), None, "too_large", 200, 1),
    "too large without length": (without_length(LARGE), None, "too_large", 200, 1),
    "sign-in page": (answer(b"<html>Sign in</html>", Content_Type="image/jpeg"), None, "not_an_image", 200, 1),
    "empty": (answer(b""), None, "not_an_image", 200, 1),
    "other picture": (answer(picture(3)), MD5, "md5_mismatch", 200, 1),
    "md5 of a page": (answer(b"<html>"), hashlib.md5(b"<html>").hexdigest(), "not_an_image", 200, 1),
    "gzip bomb": (answer(gzip.compress(bytes(10**8)), Content_Encoding="gzip"), None, "not_an_image", 200, 1),
    "bomb of pixels": (answer(BOMB), None,
                       "too_many_pixels", 200, 1),
    "redirect without target": (answer(status=302), None, "http_302", 302, 1),
    "redirect to a placeholder": (redirect("/images/photo_unavailable.png"), None, "placeholder", 302, 1),
    "redirect to a file": (redirect("file:///etc/passwd"), None, "refused_scheme", None, 1),
    "redirect to nonsense": (redirect("http://[::1/"), None, "bad_url", None, 1),
    "redirect to a private host": (redirect("http://10.0.0.1/a.jpg"), None, "refused_address", None, 1),
    "redirect to metadata": (redirect("http://169.254.169.254/latest"), None, "refused_address", None, 1),
    "redirect to a private name": (redirect("http://localhost:1/a.jpg"), None, "refused_address", None, 1),
}  # fmt: skip


def test_every_misbehaviour_has_its_cause_and_number_of_tries(site, run):
    paths = {name: f"/{number}" for number, name in enumerate(MISBEHAVIOUR)}
    site.routes = {paths[name]: case[0] for name, case in MISBEHAVIOUR.items()}
    requests = [wanted(site.url(paths[name]), md5=case[1], image_id=name) for name, case in MISBEHAVIOUR.items()]
    outcomes = run(*requests, retries=2)
    found = {name: (row.reason, row.http_status, site.hits[paths[name]]) for name, row in outcomes.items()}
    assert found == {name: case[2:] for name, case in MISBEHAVIOUR.items()}
    assert all((row.status == "ok") == (row.reason is None) for row in outcomes.values())
    assert all(row.causes == ((row.reason,) if row.reason else ()) for row in outcomes.values())


def test_a_good_picture_is_described_and_kept_as_it_was_sent(site, run, tmp_path):
    site.routes["/a"] = answer(GOOD)
    sha256 = hashlib.sha256(GOOD).hexdigest()
    assert run(wanted(site.url("/a")))["a"] == Outcome("a", "ok", None, (), site.url("/a"), 200, len(GOOD), sha256)
    with Store(tmp_path / "store") as store:
        assert store.read(sha256) == GOOD


def test_a_time_out_is_tried_again(site, run):
    site.routes["/a"] = in_turn(slow(1.0, answer(GOOD)), answer(GOOD))
    assert run(wanted(site.url("/a")), timeout_s=0.3)["a"].reason == "timeout"
    assert run(wanted(site.url("/a")), timeout_s=0.3, retries=1)["a"].status == "ok"


def test_a_lost_connection_is_tried_again(site, run):
    site.routes["/a"] = reset
    assert run(wanted(site.url("/a")), retries=1)["a"].reason == "connection"
    assert 2 <= site.hits["/a"] <= 4  # aiohttp asks once more on a new connection, which is no second answer


def test_a_name_without_address_and_an_insecure_connection_are_told_apart(site, run, own_certificate):
    site.routes["/a"] = answer(GOOD)
    with Site({"/a": answer(GOOD)}, tls=own_certificate).running() as secure:
        plain, untrusted = (f"https://127.0.0.1:{port}/a" for port in (site.port, secure.port))
        urls = {"http://no-such-host.invalid/": "dns", plain: "tls", untrusted: "tls"}
        outcomes = run(*(wanted(url, image_id=url) for url in urls), retries=1)
        assert {url: row.reason for url, row in outcomes.items()} == urls
        assert not secure.hits


@pytest.fixture
def own_certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = (
        builder.not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    path = tmp_path / "server.pem"
    path.write_bytes(key.private_bytes(*private) + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_redirects_are_followed_but_not_for_ever(site, run):
    site.routes = {f"/{n}": redirect(f"/{n + 1}") for n in range(6)} | {"/6": answer(GOOD), "/loop": redirect("loop")}
    outcomes = run(wanted(site.url("/1"), image_id="five"), wanted(site.url("/0"), image_id="six"),
                   wanted(site.url("/loop"), image_id="loop"))  # fmt: skip
    assert outcomes["five"].status == "ok"
    assert outcomes["five"].url == site.url("/1")
    assert (outcomes["six"].reason, outcomes["loop"].reason) == ("too_many_redirects",) * 2


def test_md5_is_that_of_the_first_url_only_and_causes_stand_in_order(site, run):
    site.routes = {"/original": answer(picture(5)), "/copy": answer(picture(6))}
    row = run(wanted(site.url("/original"), site.url("/gone"), site.url("/copy"), md5=MD5))["a"]
    assert (row.status, row.url, row.causes) == ("ok", site.url("/copy"), ("md5_mismatch", "http_404"))


def test_no_url_is_a_reason(run):
    assert run(wanted())["a"] == Outcome("a", "failed", "no_url", (), None, None, None, None)


def test_a_second_run_asks_only_for_what_failed(site, run):
    site.routes = {f"/{name}": answer(picture(n)) for n, name in enumerate(("a", "b", "c", "other"), start=1)}
    requests = [
        wanted(site.url("/a"), md5=MD5, image_id="first"),
        wanted(site.url("/gone"), site.url("/b"), image_id="second choice"),
        wanted(site.url("/other"), site.url("/c"), md5=MD5, image_id="wrong md5"),
        wanted(site.url("/gone2"), image_id="dead"),
    ]
    once = run(*requests)
    site.hits.clear()
    assert run(*requests) == once
    assert site.hits == {"/gone2": 1}


def test_a_url_that_failed_by_our_own_limits_is_asked_again(site, run):
    site.routes = {"/a": answer(picture(9) + bytes(5000)), "/b": answer(GOOD)}
    request = wanted(site.url("/a"), site.url("/b"))
    assert run(request, max_bytes=len(GOOD) + 1000)["a"].causes == ("too_large",)
    assert run(request)["a"].url == site.url("/a")


def test_a_damaged_picture_of_the_store_is_fetched_again(site, run, tmp_path):
    site.routes = {"/a": answer(GOOD), "/b": answer(picture(9))}
    requests = [wanted(site.url(path), image_id=path) for path in site.routes]
    once = run(*requests, concurrency=1)
    pack = next((tmp_path / "store").glob("*.pack"))
    pack.write_bytes(pack.read_bytes()[:-1] + b"x")
    assert run(*requests) == once
    assert site.hits == {"/a": 1, "/b": 2}


REFUSED = {
    "ftp://example.org/a.jpg": "refused_scheme",
    "data:image/png;base64,AAAA": "refused_scheme",
    "/a.jpg": "refused_scheme",
    "http:///a.jpg": "bad_url",
    "http://example.org:port/": "bad_url",
    "http://user:secret@example.org/": "bad_url",
    "http://127.0.0.1@example.org/": "bad_url",
    "http://127.0.0.1:{port}/a": "refused_address",
    "http://localhost:{port}/a": "refused_address",
    "http://0.0.0.0:{port}/a": "refused_address",
    "http://2130706433:{port}/a": "refused_address",
    "http://127.1:{port}/a": "refused_address",
    "http://0177.0.0.1:{port}/a": "refused_address",
    "http://0x7f.0.0.1:{port}/a": "refused_address",
    "http://0x7f000001:{port}/a": "refused_address",
    "http://127.0.0.1.:{port}/a": "refused_address",
    "http://①②⑦.0.0.1:{port}/a": "refused_address",
    "http://[::1]:{port}/a": "refused_address",
    "http://[::]:{port}/a": "refused_address",
    "http://[::ffff:127.0.0.1]:{port}/a": "refused_address",
    "http://[::ffff:7f00:1]:{port}/a": "refused_address",
    "http://[64:ff9b::7f00:1]:{port}/a": "refused_address",
    "http://[2002:7f00:1::]:{port}/a": "refused_address",
    "http://[fe80::1%25lo]:{port}/a": "refused_address",
    "http://[fd00::1]/a": "refused_address",
    "http://10.1.2.3/a": "refused_address",
    "http://172.16.0.1/a": "refused_address",
    "http://192.168.1.1/a": "refused_address",
    "http://100.64.0.1/a": "refused_address",
    "http://169.254.169.254/latest/meta-data": "refused_address",
    "http://224.0.0.1/a": "refused_address",
    "http://255.255.255.255/a": "refused_address",
}


def test_nothing_but_public_addresses_is_asked(site, run):
    site.routes["/a"] = answer(GOOD)
    requests = [wanted(url.format(port=site.port), image_id=url) for url in REFUSED]
    outcomes = run(*requests, allow_hosts=frozenset())
    assert {url: row.reason for url, row in outcomes.items()} == REFUSED
    assert not site.hits


def test_a_host_is_allowed_by_the_name_that_stands_in_the_url(site, run):
    site.routes["/a"] = answer(GOOD)
    requests = [
        wanted(site.url("/a", host), image_id=host) for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]")
    ]
    outcomes = run(*requests, allow_hosts=frozenset({"localhost"}))
    assert [outcomes[request.image_id].status for request in requests] == ["ok", "failed", "failed"]


def test_requests_are_honest_bare_and_bounded_per_host(site, run, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    site.routes = {f"/{n}": slow(0.02, answer(GOOD, Set_Cookie="a=b")) for n in range(20)}
    outcomes = run(*(wanted(site.url(f"/{n}"), image_id=str(n)) for n in range(20)), per_host=3)
    assert {row.status for row in outcomes.values()} == {"ok"}
    assert 1 < site.most_at_once <= 3
    for headers in site.seen:
        assert (headers["User-Agent"], headers["Accept-Encoding"]) == ("tests/1", "identity")
        assert not {"Cookie", "Authorization", "Referer"} & set(headers)


def test_files_below_the_root_are_read_and_others_refused(run, tmp_path):
    root = tmp_path / "root"
    (root / "a folder").mkdir(parents=True)
    (root / "a folder" / "é.jpg").write_bytes(GOOD)
    (root / "page.jpg").write_bytes(b"<html>")
    (root / "large.jpg").write_bytes(LARGE)
    (root / "inside.jpg").symlink_to("a folder/é.jpg")
    (tmp_path / "secret.jpg").write_bytes(GOOD)
    (root / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")
    expected = {
        "file:a%20folder/%C3%A9.jpg": None,
        "file:inside.jpg": None,
        "file:page.jpg": "not_an_image",
        "file:large.jpg": "too_large",
        "file:missing.jpg": "not_found",
        "file:a%20folder": "not_found",
        "file:pipe": "not_found",
        "file:loop": "refused_path",
        "file:outside.jpg": "refused_path",
        "file:../secret.jpg": "refused_path",
        "file:%2E%2E/secret.jpg": "refused_path",
        "file:a%00.jpg": "refused_path",
        "file:" + "x" * 5000: "not_found",
        f"file://{tmp_path}/secret.jpg": "refused_path",
        f"file:{root}/page.jpg": "refused_path",
        f"file:%2F{str(tmp_path)[1:]}/secret.jpg": "refused_path",
    }
    outcomes = run(*(wanted(url, image_id=url) for url in expected))
    assert {url: row.reason for url, row in outcomes.items()} == expected
    assert outcomes["file:inside.jpg"].http_status is None


def test_files_have_their_md5_checked_and_never_enter_the_store(run, tmp_path):
    (tmp_path / "root").mkdir()
    path = tmp_path / "root" / "a.jpg"
    path.write_bytes(GOOD)
    assert run(wanted("file:a.jpg", md5=MD5))["a"].status == "ok"
    path.write_bytes(picture(10))
    assert run(wanted("file:a.jpg", md5=MD5))["a"].reason == "md5_mismatch"
    assert run(wanted("file:a.jpg"))["a"].sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not list((tmp_path / "store").glob("*.pack"))


def test_what_a_caller_raises_stops_the_run_as_it_is(site, tmp_path, run):
    site.routes = {"/a": answer(GOOD), "/b": slow(3.0, answer(GOOD))}

    def broken(_: Outcome) -> None:
        raise ZeroDivisionError

    rules = FetchRules(4, 4, 5.0, 10**6, 0, frozenset({"127.0.0.1"}), "tests/1", tmp_path)
    begun = time.monotonic()
    with Store(tmp_path) as store, pytest.raises(ZeroDivisionError):
        fetch([wanted(site.url("/b"), image_id="b"), wanted(site.url("/a"))], rules, store, broken)
    assert time.monotonic() - begun < 2


MANY = 100
CHILD = f"""
import sys
from pathlib import Path
from imageset.downloads import FetchRules, PictureRequest
from imageset.fetch import fetch
from imageset.store import Store
rules = FetchRules(4, 4, 5.0, 10**6, 0, frozenset(["127.0.0.1"]), "tests/1", Path())
requests = [PictureRequest(str(n), (f"{{sys.argv[2]}}/{{n}}",), None) for n in range({MANY})]
fetch(requests, rules, Store(Path(sys.argv[1])), lambda outcome: None)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_only_the_rest_is_asked_and_the_rows_are_the_same(site, run, tmp_path, how):
    site.routes = {f"/{n}": slow(0.01, answer(picture(n))) for n in range(MANY) if n % 10}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "store"), site.url("")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while site.hits.total() < MANY // 2 and process.poll() is None:
        time.sleep(0.001)
    os.kill(process.pid, how)
    assert process.wait() != 0
    with Store(tmp_path / "store") as store:
        stored = {f"/{n}" for n in range(MANY) if store.get(site.url(f"/{n}"), None)}
    assert MANY // 4 < len(stored) < MANY
    site.hits.clear()
    requests = [wanted(site.url(f"/{n}"), image_id=str(n)) for n in range(MANY)]
    resumed = run(*requests)
    assert site.hits == {f"/{n}": 1 for n in range(MANY) if f"/{n}" not in stored}
    shutil.rmtree(tmp_path / "store")
    assert run(*requests) == resumed
