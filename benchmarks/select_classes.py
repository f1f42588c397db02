"""Select three classes (about 50,000 boxes) from metadata files as large as those of Open Images V4.

`python -m benchmarks.select_classes [--rows N]`. Baseline: `pandas.read_csv` of both tables, `isin`, `merge`. Ours is
what stage `metadata` asks of the source: the class tree with counts of all classes, and the rows; cold, as at first on
a machine that has the files, and warm, when the counts are kept from an earlier run. Each in a process of its own
(imports are not counted), over the same files, which are made here (drawn by a seed, with real columns and value
lengths; 2 GB, and their copies in the cache) and removed afterwards.
"""

from __future__ import annotations

import argparse
import base64
import functools
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from benchmarks.table import print_table
from imageset.classes import resolve
from imageset.metafiles import fetch_metafile
from imageset.params import OpenImagesParams
from imageset.sources.openimages import OpenImagesSource

BOXES = 14_610_229  # rows of train-annotations-bbox.csv
IMAGES = 1_743_042  # rows of train-images-boxable-with-rotation.csv
WANTED_BOXES = 50_000
ROUNDS = 2  # in turns; the faster run of each counts
CLASSES = 601
WANTED = ("Apple", "Banana", "Orange")
CLASSES_FILE = "2018_04/class-descriptions-boxable.csv"
HIERARCHY_FILE = "2018_04/bbox_labels_600_hierarchy.json"
BOXES_FILE = "2018_04/train/train-annotations-bbox.csv"
IMAGES_FILE = "2018_04/train/train-images-boxable-with-rotation.csv"
_CLASS_IDS = tuple(f"/m/0{number:05x}" for number in range(CLASSES))
Figures = dict[str, float]
_CHUNK = 100_000  # images


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=BOXES, help="box rows (default: as many as V4 has)")
    parser.add_argument("--run", nargs=3, metavar=("HOW", "FOLDER", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(_measure(*options.run)))
        return
    with tempfile.TemporaryDirectory() as name:
        _make(Path(name) / "files", options.rows)
        with _served(Path(name) / "files") as url:
            _in_process("fetch", name, url)
            rounds = [[_in_process(how, name, url) for how in ("pandas", "cold", "warm")] for _ in range(ROUNDS)]
    _show(options.rows, *(min(runs, key=lambda run: run["seconds"]) for runs in zip(*rounds, strict=True)))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *arguments: object) -> None:
            pass  # a client that knows the file by its size hangs up before the body

    server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _show(rows: int, baseline: Figures, cold: Figures, warm: Figures) -> None:
    if len({(run["boxes"], run["images"]) for run in (baseline, cold, warm)}) > 1:
        raise SystemExit(f"they do not agree: {baseline} {cold} {warm}")
    named = {"pandas: read_csv, isin, merge": baseline, "imageset, cold: count and select": cold}
    named["imageset, warm: counts kept, select"] = warm
    lines = [(name, f"{run['seconds']:.1f}", f"{run['peak_mb']:.0f}") for name, run in named.items()]
    for how, ours in (("cold (at least 2x and 4x)", cold), ("warm", warm)):
        faster, smaller = baseline["seconds"] / ours["seconds"], baseline["peak_mb"] / ours["peak_mb"]
        lines.append((f"pandas / {how}", f"{faster:.1f}x", f"{smaller:.1f}x"))
    title = f"Select 3 classes: {cold['boxes']:,.0f} of {rows:,} boxes"
    print_table(title, ("", "seconds", "peak MB"), lines)


def _in_process(how: str, folder: str, url: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.select_classes", "--run", how, folder, url]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def _measure(how: str, folder: str, url: str) -> Figures:
    select = {"fetch": _fetch, "pandas": _with_pandas, "cold": _with_imageset, "warm": _with_imageset}[how]
    if how == "cold":
        for kept in Path(folder, "cache").glob("*.tally.json"):
            kept.unlink()
    start = time.perf_counter()
    boxes, images = select(Path(folder), url)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"boxes": boxes, "images": images, "seconds": seconds, "peak_mb": peak}


def _fetch(folder: Path, url: str) -> tuple[int, int]:
    """Fill the cache, so that the measured run finds the files there."""
    for path in (CLASSES_FILE, HIERARCHY_FILE, BOXES_FILE, IMAGES_FILE):
        fetch_metafile(f"{url}/{path}", folder / "cache")
    return 0, 0


def _with_pandas(folder: Path, url: str) -> tuple[int, int]:  # noqa: ARG001 (one signature for all)
    names = pd.read_csv(folder / "files" / CLASSES_FILE, names=["LabelName", "Name"])
    boxes = pd.read_csv(folder / "files" / BOXES_FILE)
    images = pd.read_csv(folder / "files" / IMAGES_FILE)
    wanted = boxes[boxes["LabelName"].isin(names[names["Name"].isin(WANTED)]["LabelName"])]
    joined = wanted.merge(images, on="ImageID")
    return len(joined), joined["ImageID"].nunique()


def _with_imageset(folder: Path, url: str) -> tuple[int, int]:
    params = OpenImagesParams(base_url=url, images_url=url, version="v4", subsets=["train"])
    source = OpenImagesSource(params, folder / "cache")
    rows = source.rows(resolve(list(WANTED), source.tree()))
    return len(rows.boxes), len(rows.images)


def _make(folder: Path, rows: int) -> None:
    """Draw the four files of a subset, with `rows` boxes and as many images as V4 has for that."""
    (folder / BOXES_FILE).parent.mkdir(parents=True)
    names = [*WANTED, *(f"Class {number}" for number in range(len(WANTED), CLASSES))]
    lines = [f"{class_id},{name}\n" for class_id, name in zip(_CLASS_IDS, names, strict=True)]
    (folder / CLASSES_FILE).write_text("".join(lines))
    tree = {"LabelName": "/m/0bl9f", "Subcategory": [{"LabelName": class_id} for class_id in _CLASS_IDS]}
    (folder / HIERARCHY_FILE).write_text(json.dumps(tree))
    random = np.random.default_rng(20)
    images = round(rows * IMAGES / BOXES)
    image_ids = [f"{number:016x}" for number in np.sort(random.integers(0, 2**63, images))]
    boxes_of = random.multinomial(rows, np.full(images, 1 / images))
    with (folder / BOXES_FILE).open("wb") as boxes_file, (folder / IMAGES_FILE).open("wb") as images_file:
        for start in range(0, images, _CHUNK):
            part = slice(start, start + _CHUNK)
            ids = pl.Series("ImageID", image_ids[part])
            _boxes(ids, boxes_of[part], random).write_csv(boxes_file, include_header=start == 0, float_precision=6)
            _images(ids, random).write_csv(images_file, include_header=start == 0, float_precision=1)


def _boxes(ids: pl.Series, boxes_of: npt.NDArray[np.int64], random: np.random.Generator) -> pl.DataFrame:
    count = int(boxes_of.sum())
    share = WANTED_BOXES / BOXES / len(WANTED)
    shares = 1 / np.arange(1, CLASSES - len(WANTED) + 1)
    shares *= (1 - share * len(WANTED)) / shares.sum()
    classes = random.choice(CLASSES, count, p=[*[share] * len(WANTED), *shares])
    sides = np.sort(random.random((count, 2, 2)), axis=2)
    columns: dict[str, pl.Series | npt.NDArray[np.generic]] = {
        "ImageID": ids.gather(np.repeat(np.arange(len(ids)), boxes_of)),
        "Source": pl.repeat("xclick", count, eager=True),
        "LabelName": pl.Series(_CLASS_IDS).gather(classes),
        "Confidence": pl.repeat(1, count, eager=True),
    }
    columns |= {name: sides[:, i // 2, i % 2] for i, name in enumerate(("XMin", "XMax", "YMin", "YMax"))}
    columns |= {
        name: random.integers(-1, 2, count)
        for name in ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
    }
    return pl.DataFrame(columns)


def _images(ids: pl.Series, random: np.random.Generator) -> pl.DataFrame:
    numbers = random.integers(10**9, 10**10, len(ids))
    digests = random.bytes(16 * len(ids))
    photo = [f"{number}_{image_id[:10]}" for number, image_id in zip(numbers, ids, strict=True)]
    return pl.DataFrame(
        {
            "ImageID": ids,
            "Subset": "train",
            "OriginalURL": [
                f"https://c{number % 8}.staticflickr.com/{number % 9}/{number % 10000}/{name}_o.jpg"
                for number, name in zip(numbers, photo, strict=True)
            ],
            "OriginalLandingURL": [
                f"https://www.flickr.com/photos/person{number % 99991}/{number}" for number in numbers
            ],
            "License": "https://creativecommons.org/licenses/by/2.0/",
            "AuthorProfileURL": [f"https://www.flickr.com/people/person{number % 99991}/" for number in numbers],
            "Author": [f"Person {number % 99991}" for number in numbers],
            "Title": [f'Untitled, no. "{number % 1009}"' for number in numbers],
            "OriginalSize": random.integers(10**5, 10**7, len(ids)),
            "OriginalMD5": [base64.b64encode(digests[16 * i : 16 * i + 16]).decode() for i in range(len(ids))],
            "Thumbnail300KURL": [
                f"https://c{number % 8}.staticflickr.com/{number % 9}/{number % 10000}/{name}_z.jpg"
                for number, name in zip(numbers, photo, strict=True)
            ],
            "Rotation": random.choice([0.0, 90.0, 270.0], len(ids), p=[0.97, 0.015, 0.015]),
        }
    )


if __name__ == "__main__":
    main()
