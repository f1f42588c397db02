"""Small pictures, tables and folders for the tests, drawn and not photographed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from imageset import records
from imageset.shards import Entry, write_shard

ORIENTATION = 0x0112

# What a viewer does to the stored pixels for each EXIF orientation, in NumPy (TIFF 6.0, page 36), so that the tests
# do not lean on Pillow's own table.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth RGB picture without any symmetry: gradients, and discs of many colours."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    picture = Image.fromarray((np.dstack([x, y, (1 - x) * y]) * 255).astype("uint8"))
    draw = ImageDraw.Draw(picture)
    for left, top, radius in rng.uniform(0.05, 0.3, (8, 3)) * [3 * width, 3 * height, min(width, height)]:
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        draw.ellipse((left - radius, top - radius, left + radius, top + radius), fill=colour)
    return picture


def encoded(image: Image.Image, kind: str = "PNG", orientation: int | None = None, **options: Any) -> bytes:
    """A picture as a file of some format."""
    if orientation is not None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options["exif"] = exif
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def image_rows(ids: Sequence[str], **columns: Any) -> pd.DataFrame:
    """A table of schema `records.IMAGES`."""
    nothing = dict.fromkeys(("md5", "bytes", "license", "author", "title", "landing_url", "rotation"))
    rows = {"image_id": ids, "subset": "train", "urls": [[f"http://x/{i}"] for i in ids], **nothing, **columns}
    return pd.DataFrame(rows)[records.IMAGES.names]


def box_rows(rows: Sequence[tuple[str, str, tuple[float, float, float, float]]], **columns: Any) -> pd.DataFrame:
    """A table of schema `records.BOXES`, from image id, label and box."""
    table = pd.DataFrame([(image_id, label, f"/m/{label}", *box) for image_id, label, box in rows])
    table.columns = ["image_id", "label", "label_id", *records.BOX]
    return table.assign(**dict.fromkeys(records.ATTRIBUTES, 0) | columns)


def lay_out(pictures: dict[str, bytes], folder: Path, shard_of: dict[str, str]) -> pd.DataFrame:
    """Write pictures into shards; gives their rows of schema `records.DOWNLOADS`."""
    for shard in sorted(set(shard_of.values())):
        keys = sorted(key for key in pictures if shard_of[key] == shard)
        write_shard(folder / shard, (Entry(key, "jpg", pictures[key]) for key in keys))
    hashes = [hashlib.sha256(pictures[key]).hexdigest() for key in sorted(pictures)]
    return download_rows(sorted(pictures), shard=[shard_of[key] for key in sorted(pictures)], sha256=hashes)


def download_rows(ids: Sequence[str], **columns: Any) -> pd.DataFrame:
    """A table of schema `records.DOWNLOADS`."""
    nothing = dict.fromkeys(("reason", "url", "http_status", "bytes", "sha256", "shard"))
    rows = {"image_id": ids, "status": "ok", "causes": [[] for _ in ids], **nothing, **columns}
    return pd.DataFrame(rows)[records.DOWNLOADS.names]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
