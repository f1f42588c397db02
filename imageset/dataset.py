"""Pixels and labels of the crops in one HDF5 file: written in batches from the crop shards, read split by split.

Layout: groups `train`, `val` and `test`, each with `images` uint8 (N, H, W, C), `labels` int32 (N,) and `crop_ids`;
the file attribute `classes` has the label names in sorted order. Not for augmentation or training.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from imageset.errors import UserError
from imageset.files import replacing
from imageset.progress import tracking
from imageset.shards import read_shard
from imageset.splits import NAMES

_BATCH = 256
# Small enough that a random read decodes little beside what it wants, large enough to compress.
_IMAGES_PER_CHUNK = 16


@dataclass(frozen=True)
class Split:
    """One split in memory.

    Attributes
    ----------
    images : numpy.ndarray
        uint8, (N, H, W, C), values 0..255; C is 3 (RGB) or 1 (grey).
    labels : numpy.ndarray
        int32, (N,): index into `classes`.
    crop_ids : list of str
        Sorted within each shard, shards in order.
    classes : list of str
        Label names, sorted.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    crop_ids: list[str]
    classes: list[str]


def write_dataset(split: pd.DataFrame, crops_folder: Path, path: Path) -> None:
    """Write `dataset.h5` from the crop shards; the same crops give the same bytes.

    Parameters
    ----------
    split : pandas.DataFrame
        Schema `records.SPLIT`.
    crops_folder : Path
        Crop shards whose JPEG files are all of one size and mode.
    path : Path
        Written whole or not at all; memory holds one batch of crops.

    Raises
    ------
    UserError
        When the shards lack a crop of `split`, or have none at all.
    """
    classes = sorted(split["label"].unique())
    shape = _shape(crops_folder)
    codes = pd.Categorical(split["label"], classes).codes
    place_of = dict(zip(split["crop_id"], zip(split["split"], codes, strict=True), strict=True))
    with (
        replacing(path) as temporary,
        h5py.File(temporary, "w") as file,
        tracking("dataset", len(split)) as advance,
    ):
        file.attrs["classes"] = classes
        writers = {name: _Writer(file.create_group(name), int((split["split"] == name).sum()), shape) for name in NAMES}
        for crop_id, image in _crops(crops_folder):
            if crop_id in place_of:
                name, label = place_of[crop_id]
                writers[name].add(crop_id, label, image)
                advance()
        for writer in writers.values():
            writer.close()


def open_split(path: Path, name: str) -> Split:
    """Read one split into memory.

    Raises
    ------
    UserError
        When the file is missing, no HDF5 file, cut off, or lacks the split.
    """
    if not path.exists():
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro split)")
    try:
        with h5py.File(path, "r") as file:
            group = file[name]
            return Split(
                images=group["images"][:],
                labels=group["labels"][:],
                crop_ids=[str(crop_id) for crop_id in group["crop_ids"].asstr()[:]],
                classes=[str(label) for label in file.attrs["classes"]],
            )
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged or no dataset of this project: {error}; dvc repro -f split") from error


class _Writer:
    """Fills the arrays of one split, a batch at a time."""

    def __init__(self, group: h5py.Group, count: int, shape: tuple[int, int, int]) -> None:
        chunks = (min(_IMAGES_PER_CHUNK, max(count, 1)), *shape)
        gzip = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
        self._images = group.create_dataset(
            "images", (count, *shape), "uint8", chunks=chunks if count else None, **(gzip if count else {})
        )
        self._labels = group.create_dataset("labels", (count,), "int32")
        self._ids = group.create_dataset("crop_ids", (count,), h5py.string_dtype())
        self._batch: list[tuple[str, int, npt.NDArray[np.uint8]]] = []
        self._written = 0

    def add(self, crop_id: str, label: int, image: npt.NDArray[np.uint8]) -> None:
        self._batch.append((crop_id, label, image))
        if len(self._batch) == _BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._written != len(self._labels):
            raise UserError(f"the crop shards lack {len(self._labels) - self._written} crops; dvc repro -f crop")

    def _flush(self) -> None:
        if self._batch:
            span = slice(self._written, self._written + len(self._batch))
            ids, labels, images = zip(*self._batch, strict=True)
            self._ids[span], self._labels[span], self._images[span] = ids, labels, np.stack(images)
            self._written = span.stop
            self._batch.clear()


def _crops(crops_folder: Path) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Crop ids and pixels (H, W, C), shard by shard."""
    for path in sorted(crops_folder.glob("*.tar")):
        for entry in read_shard(path):
            if entry.extension == "jpg":
                with Image.open(io.BytesIO(entry.data)) as image:
                    pixels = np.asarray(image)
                yield entry.key, pixels if pixels.ndim == 3 else pixels[:, :, None]


def _shape(crops_folder: Path) -> tuple[int, int, int]:
    for _, image in _crops(crops_folder):
        height, width, channels = image.shape
        return height, width, channels
    raise UserError(f"{crops_folder} has no crops; every box failed or was left out: see reports/crop.json")
