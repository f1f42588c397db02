"""Photographs for the benchmarks: a user's own, brought to the wanted size, or drawn ones that weigh as much."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from imageset.pictures import BadPictureError, check_picture


def photographs(folder: Path | None, *, count: int, long_side: int) -> list[bytes]:
    """JPEG files of one size.

    Parameters
    ----------
    folder : Path or None
        Where photographs lie, in any depth; drawn ones without it.
    count : int
        How many; a folder's are taken in order of their names and again from the start when they are too few.
    long_side : int
        Pixels; drawn ones are 4:3.
    """
    paths = _whole(folder, count) if folder else []
    if folder and not paths:
        raise SystemExit(f"error: {folder} has no .jpg file that can be read")
    distinct = min(count, len(paths) or 16)
    made = [_jpeg(Image.open(paths[i]) if paths else _drawn(i, long_side), long_side) for i in range(distinct)]
    return [made[i % distinct] for i in range(count)]


def _whole(folder: Path, count: int) -> list[Path]:
    """The first photographs of a folder that can be read; others are passed over."""
    found: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg") and len(found) < count:
            try:
                check_picture(path.read_bytes())
            except BadPictureError:
                continue
            found.append(path)
    return found


def _jpeg(image: Image.Image, long_side: int) -> bytes:
    scale = long_side / max(image.size)
    resized = image.convert("RGB").resize((round(image.width * scale), round(image.height * scale)))
    buffer = io.BytesIO()
    resized.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _drawn(seed: int, long_side: int) -> Image.Image:
    """Smooth colours with fine grain: compresses to about what a photograph of that size does."""
    rng = np.random.default_rng(seed)
    size = (long_side, long_side * 3 // 4)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)).resize(size)
    return Image.blend(coarse, fine, 0.15)
