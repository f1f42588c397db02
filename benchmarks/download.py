"""Downloading from nginx on loopback against img2dataset 1.47 (`files`, no resize, 2 processes of 64 threads).

`python -m benchmarks.download [--data FOLDER]`. 4,000 photographs of about 80 kB, with their MD5 given and without,
where we decode each; the baseline decodes each unless it is told not to look at pictures at all, which is a row of its
own. Both write what they fetched to the disk: ours into an empty store, and from there into shards. Needs nginx, and
pip's index for the first run.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.drawing import photographs
from benchmarks.table import print_table
from imageset.caches import cache_root
from imageset.downloads import FetchRules, Outcome, PictureRequest
from imageset.fetch import fetch
from imageset.layout import lay_out
from imageset.shards import read_shard
from imageset.store import Store

COUNT = 4000
LONG_SIDE = 720  # pixels: about 80 kB
ROUNDS = 2
BASELINE = "img2dataset==1.47.0"

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    types {{ image/jpeg jpg; }}
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/photographs; }}
}}
"""

DECODE = "decode check"
_MD5 = {"compute_hash": "md5", "verify_hash": ["md5", "md5"]}
# JPEG files are written as they came in every row; by default it would encode them again.
BASELINE_CHECKS: dict[str, dict[str, object]] = {
    "MD5 given": {**_MD5, "skip_reencode": True},
    "MD5 given, baseline does not decode": {**_MD5, "disable_all_reencoding": True},
    DECODE: {"skip_reencode": True},
}

# Runs in the baseline's own environment; imports are not counted, the start of its processes is.
BASELINE_RUN = """
import json, sys, time
from img2dataset import download
if __name__ == "__main__":
    begun = time.perf_counter()
    download(**json.loads(sys.argv[1]))
    print("seconds", time.perf_counter() - begun)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of photographs to take instead of drawn ones")
    data = parser.parse_args().data
    nginx = _nginx()
    _baseline_python()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = _write_photographs(folder / "photographs", data)
        with _served(nginx, folder) as url:
            times = {how: _compare(folder, url, how) for how in BASELINE_CHECKS}
    rows: list[tuple[object, ...]] = []
    for how, (theirs, ours) in times.items():
        rows += [(how, "img2dataset", f"{theirs:.1f}", f"{COUNT / theirs:,.0f}", "")]
        rows += [(how, "imageset", f"{ours:.1f}", f"{COUNT / ours:,.0f}", f"{theirs / ours:.1f}x")]
    title = f"Downloading {COUNT:,} photographs of {size / 1000:.0f} kB, checked and written"
    print_table(title, ("check", "by", "seconds", "photographs/s", "ratio"), rows)


def _compare(folder: Path, url: str, how: str) -> tuple[float, float]:
    """Seconds of the baseline and of ours, the better of the alternating rounds each."""
    # Nothing is deleted between the rounds: file systems make new files slowly after many were removed.
    pairs = []
    for number in range(ROUNDS):
        out = folder / f"{how}-{number}"
        theirs = _baseline(folder, out / "theirs", url, BASELINE_CHECKS[how])
        pairs.append((theirs, _ours(folder, out / "ours", url, with_md5=how != DECODE)))
    return min(theirs for theirs, _ in pairs), min(ours for _, ours in pairs)


def _ours(folder: Path, out: Path, url: str, *, with_md5: bool) -> float:
    requests = [PictureRequest(key, (f"{url}/{key}.jpg",), md5 if with_md5 else None) for key, md5 in _listed(folder)]
    rules = FetchRules(64, 16, 30.0, 50_000_000, 2, frozenset({"127.0.0.1"}), "open-image-classifier/0.1", folder)
    outcomes: list[Outcome] = []
    begun = time.perf_counter()
    with Store(out / "store") as store:
        fetch(requests, rules, store, outcomes.append)
        lay_out(outcomes, store, folder, out / "images")
    seconds = time.perf_counter() - begun
    got = sum(1 for shard in (out / "images").iterdir() for _ in read_shard(shard))
    return _complete("imageset", got, seconds)


def _baseline(folder: Path, out: Path, url: str, check: dict[str, object]) -> float:
    urls = folder / "urls.csv"
    with urls.open("w", newline="") as file:
        csv.writer(file).writerows([("url", "md5"), *((f"{url}/{key}.jpg", md5) for key, md5 in _listed(folder))])
    out.parent.mkdir()
    options = {"url_list": str(urls), "input_format": "csv", "output_folder": str(out), "output_format": "files",
               "resize_mode": "no", "processes_count": 2, "thread_count": 64, "number_sample_per_shard": 500,
               "extract_exif": False}  # fmt: skip
    command = [_baseline_python(), "-c", BASELINE_RUN, json.dumps(options | check)]
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    said = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("seconds ")]
    if not said:
        raise SystemExit(f"error: the baseline failed: {done.stderr.strip().splitlines()[-1:]}")
    got = sum(1 for _ in out.rglob("*.jpg"))
    return _complete("img2dataset", got, float(said[0]))


def _complete(who: str, got: int, seconds: float) -> float:
    if got != COUNT:
        raise SystemExit(f"error: {who} got {got} of {COUNT} photographs, so its time says nothing")
    return seconds


def _write_photographs(folder: Path, data: Path | None) -> float:
    """Write them, each with other bytes; returns the mean size."""
    folder.mkdir()
    size = 0
    for number, picture in enumerate(photographs(data, count=COUNT, long_side=LONG_SIDE)):
        comment = f"{number:08d}".encode()  # a JPEG comment segment, right behind the start marker
        distinct = picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]
        (folder / f"{number:08d}.jpg").write_bytes(distinct)
        size += len(distinct)
    return size / COUNT


def _listed(folder: Path) -> list[tuple[str, str]]:
    """Name and MD5 of each photograph."""
    paths = sorted((folder / "photographs").iterdir())
    return [(path.stem, hashlib.md5(path.read_bytes()).hexdigest()) for path in paths]


def _nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise SystemExit("error: nothing was measured: nginx is not installed (Debian: apt-get install nginx-light)")
    return found


@contextmanager
def _served(nginx: str, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port))
    folder.chmod(0o755)
    command = [nginx, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"]
    server = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/00000000.jpg", server)
        yield url
    finally:
        server.terminate()
        server.wait()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.URLError:
            if server.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    raise SystemExit("error: nothing was measured: nginx did not start")


def _baseline_python() -> str:
    """Python of an environment that has the baseline, made on first use."""
    environment = cache_root() / "benchmarks" / BASELINE.replace("==", "-")
    python = environment / "bin" / "python"
    if not (environment / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", BASELINE], check=True)
        (environment / "complete").touch()
    return str(python)


if __name__ == "__main__":
    main()
