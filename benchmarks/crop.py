"""Cropping against the way of the notebooks: whole photograph to an array, then scikit-image's antialiased resize.

`python -m benchmarks.crop [--data FOLDER]`. One box of half the sides in the middle of each photograph, 128 px crops.
The baseline decodes and resizes only, in one process; ours also reads and writes shards and tables.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from skimage.transform import resize

from benchmarks.drawing import photographs
from benchmarks.table import print_table
from imageset.crops import make_crops
from imageset.cut import CropRules
from imageset.shards import Entry, shard_name, write_shard

SIZE = 128
RULES = CropRules(SIZE, "stretch", "rgb", 16)
MIDDLE = {"xmin": 0.25, "xmax": 0.75, "ymin": 0.25, "ymax": 0.75}
SHARDS = 8
BASELINE_SHARE = 10  # the baseline gets so much fewer photographs; it is the slow one, and rates are compared


def baseline(files: list[bytes]) -> None:
    """What the notebooks do, with the axes the right way round."""
    for data in files:
        array = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype="int32")
        height, width = array.shape[:2]
        crop = array[height // 4 : height - height // 4, width // 4 : width - width // 4]
        resized = resize(crop, (SIZE, SIZE), anti_aliasing=True, mode="constant", preserve_range=True)
        np.round(resized).astype("uint8")


def tables(files: list[bytes], folder: Path) -> dict[str, pd.DataFrame]:
    """Lay the files out as image shards, with the tables that go with them."""
    keys = [f"{index:016x}" for index in range(len(files))]
    shard_of = {key: shard_name(key, SHARDS) for key in keys}
    for shard in sorted(set(shard_of.values())):
        write_shard(
            folder / shard, (Entry(k, "jpg", d) for k, d in zip(keys, files, strict=True) if shard_of[k] == shard)
        )
    attributes = dict.fromkeys(("is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside"), 0)
    return {
        "downloads": pd.DataFrame(
            {
                "image_id": keys,
                "status": "ok",
                "shard": [shard_of[key] for key in keys],
                "sha256": [hashlib.sha256(data).hexdigest() for data in files],
            }
        ),
        "images": pd.DataFrame({"image_id": keys, "rotation": None}),
        "boxes": pd.DataFrame({"image_id": keys, "label": "a", "label_id": "/a", **MIDDLE, **attributes}),
    }


def seconds(work: Callable[[], object]) -> float:
    """Wall time of the better of two runs."""
    times = []
    for _ in range(2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(what: str, files: list[bytes]) -> list[tuple[object, ...]]:
    """Rows of the table for one kind of photograph."""
    with tempfile.TemporaryDirectory() as scratch:
        given = tables(files, Path(scratch) / "images")

        def ours(workers: int) -> None:
            made = make_crops(
                Path(scratch) / "images", Path(scratch) / "crops", rules=RULES, exclude=(), workers=workers, **given
            )
            if not (made["status"] == "ok").all():
                raise SystemExit(f"not every photograph gave a crop: {made['reason'].value_counts().to_dict()}")

        few = files[: len(files) // BASELINE_SHARE]
        base = len(few) / seconds(lambda: baseline(few))
        one, two = len(files) / seconds(lambda: ours(1)), len(files) / seconds(lambda: ours(2))
    return [
        (what, "notebooks' way", f"{base:.1f}", ""),
        (what, "one process", f"{one:.1f}", f"{one / base:.1f}x"),
        (what, "two processes", f"{two:.1f}", f"{two / base:.1f}x ({two / one:.2f}x of one)"),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of photographs to take instead of drawn ones")
    data = parser.parse_args().data
    rows = compare("1024 px", photographs(data, count=4000, long_side=1024))
    rows += compare("12 megapixels", photographs(data, count=400, long_side=4000))
    print_table("Crops per second", ("photographs", "by", "crops/s", "ratio"), rows)


if __name__ == "__main__":
    main()
