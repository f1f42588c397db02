"""Pixels and labels of the crops in one HDF5 file: written in batches from the crop shards, read split by split.

Layout: groups `train`, `val` and `test`, each with `images` uint8 (N, H, W, C), `labels` int32 (N,) and `crop_ids`,
all with HDF5's checksum (Fletcher-32); the file attribute `classes` has the label names in sorted order. Not for
augmentation or training.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from imageset.errors import UserError
from imageset.files import replacing
from imageset.late_errors import LateErrors
from imageset.progress import tracking
from imageset.shards import check_entry, read_shard
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
        uint8, (N, H, W, C), values 0..255; N > 0, H is W, C is 3 (RGB) or 1 (grey).
    labels : numpy.ndarray
        int32, (N,): index into `classes`.
    crop_ids : list of str
        Sorted within each shard, shards in order.
    classes : list of str
        Label names, sorted, each once.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    crop_ids: list[str]
    classes: list[str]


def write_dataset(split: pd.DataFrame, hashes: Mapping[str, str], crops_folder: Path, path: Path) -> None:
    """Write `dataset.h5` from the crop shards; the same crops give the same bytes.

    Parameters
    ----------
    split : pandas.DataFrame
        Schema `records.SPLIT`.
    hashes : mapping
        Crop id to the SHA-256 of its JPEG file, of every crop of `split`.
    crops_folder : Path
        Crop shards whose JPEG files are all of one size and mode.
    path : Path
        Written whole or not at all; memory holds one batch of crops.

    Raises
    ------
    UserError
        When the shards lack a crop of `split`, have other bytes for one than `hashes` says, or have none at all.
    OSError
        When the disk is full; what was at `path` is as it was.
    """
    classes = sorted(split["label"].unique())
    shape = _shape(crops_folder, hashes)
    codes = pd.Categorical(split["label"], classes).codes
    place_of = dict(zip(split["crop_id"], zip(split["split"], codes, strict=True), strict=True))
    with replacing(path) as temporary, temporary.open("r+b", buffering=0) as opened:
        disk = LateErrors(opened, path)
        with h5py.File(disk, "w") as file, tracking("dataset", len(split)) as advance:
            file.attrs["classes"] = classes
            writers = {name: _Writer(file.create_group(name), ids, shape) for name, ids in _ids(split).items()}
            for crop_id, image in _crops(crops_folder, hashes):
                if crop_id in place_of:
                    name, label = place_of[crop_id]
                    writers[name].add(crop_id, label, image)
                    disk.check()
                    advance()
            for writer in writers.values():
                writer.close()
        disk.check()


def open_split(path: Path, name: str) -> Split:
    """Read one split into memory.

    Raises
    ------
    UserError
        When the file is missing, no HDF5 file, cut off, lacks the split, or has in it what `write_dataset` would not
        have written.
    """
    if not path.exists():
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro split)")
    try:
        with h5py.File(path, "r") as file:
            group = file[name]
            _check_arrays(group)
            classes = _checked_classes(file.attrs["classes"])
            labels = _checked_labels(group["labels"], len(classes))
            crop_ids = [str(crop_id) for crop_id in group["crop_ids"].asstr()[:]]
            return Split(group["images"][:], labels, crop_ids, classes)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged or no dataset of this project: {error}; dvc repro -f split") from error


def _check_arrays(group: h5py.Group) -> None:
    """Check types, shapes and lengths before anything is read into memory."""
    images, labels, crop_ids = group["images"], group["labels"], group["crop_ids"]
    if (
        images.dtype != np.uint8
        or images.ndim != 4
        or images.shape[1] != images.shape[2]
        or images.shape[3] not in (1, 3)
    ):
        raise ValueError(f"images are uint8 (N, S, S, 3 or 1), received {images.dtype} {images.shape}")
    if labels.dtype != np.int32 or labels.ndim != 1:
        raise ValueError(f"labels are int32 (N,), received {labels.dtype} {labels.shape}")
    if not len(images) == len(labels) == len(crop_ids):
        raise ValueError(
            f"{len(images)} images, {len(labels)} labels and {len(crop_ids)} crop_ids are not of one length"
        )
    if not len(images):
        raise ValueError(f"split {group.name.strip('/')} is empty")


def _checked_classes(found: npt.NDArray[np.object_]) -> list[str]:
    classes = list(found) if np.ndim(found) == 1 else []
    if not classes or not all(isinstance(label, str) for label in classes) or classes != sorted(set(classes)):
        raise ValueError(f"classes are different names in sorted order, received {np.asarray(found).tolist()}")
    return classes


def _checked_labels(found: h5py.Dataset, classes: int) -> npt.NDArray[np.int32]:
    labels: npt.NDArray[np.int32] = found[:]
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise ValueError(f"labels are 0 to {classes - 1}, received {wrong[0]}")
    return labels


def _ids(split: pd.DataFrame) -> dict[str, list[str]]:
    """Crop ids of each split, in any order."""
    return {name: split.loc[split["split"] == name, "crop_id"].tolist() for name in NAMES}


class _Writer:
    """Fills the arrays of one split, a batch at a time."""

    def __init__(self, group: h5py.Group, ids: list[str], shape: tuple[int, int, int]) -> None:
        # Texts of one length, because HDF5 has no checksum over those of any length.
        text = h5py.string_dtype(length=max((len(crop_id.encode()) for crop_id in ids), default=1))
        self._images = _array(group, "images", (len(ids), *shape), "uint8", _IMAGES_PER_CHUNK)
        self._labels = _array(group, "labels", (len(ids),), "int32", _BATCH)
        self._ids = _array(group, "crop_ids", (len(ids),), text, _BATCH)
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


def _array(group: h5py.Group, name: str, shape: tuple[int, ...], dtype: object, rows: int) -> h5py.Dataset:
    """A compressed array with a checksum, in chunks of so many rows; HDF5 has chunks only where there are rows."""
    if not shape[0]:
        return group.create_dataset(name, shape, dtype)
    chunks = (min(rows, shape[0]), *shape[1:])
    return group.create_dataset(
        name, shape, dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True, fletcher32=True
    )


def _crops(crops_folder: Path, hashes: Mapping[str, str]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Crop ids and pixels (H, W, C) of the crops in `hashes`, shard by shard."""
    for path in sorted(crops_folder.glob("*.tar")):
        for entry in read_shard(path):
            if entry.extension == "jpg" and entry.key in hashes:
                check_entry(path, entry, hashes[entry.key], "crop")
                with Image.open(io.BytesIO(entry.data)) as image:
                    pixels = np.asarray(image)
                yield entry.key, pixels if pixels.ndim == 3 else pixels[:, :, None]


def _shape(crops_folder: Path, hashes: Mapping[str, str]) -> tuple[int, int, int]:
    for _, image in _crops(crops_folder, hashes):
        height, width, channels = image.shape
        return height, width, channels
    raise UserError(f"{crops_folder} has no crops; every box failed or was left out: see reports/crop.json")
