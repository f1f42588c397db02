"""Photographs in image shards to crops in crop shards, and the table that says what became of each box.

What happens to one shard stands in `imageset.crop_shard`. Not for grouping or splitting crops: see `imageset.splits`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from imageset.crop_shard import CropResult, ShardJob, WantedBox, crop_shard
from imageset.cut import Box, CropRules
from imageset.errors import UserError
from imageset.files import replacing_folder
from imageset.ids import crop_id
from imageset.progress import tracking
from imageset.records import BOX, CROPS

_TOLERANCE = 1e-6  # what rounding may have put outside 0..1
_RESULT = [field.name for field in fields(CropResult)]


def make_crops(
    images_folder: Path,
    crops_folder: Path,
    *,
    downloads: pd.DataFrame,
    images: pd.DataFrame,
    boxes: pd.DataFrame,
    rules: CropRules,
    exclude: Sequence[str],
    workers: int,
) -> pd.DataFrame:
    """Cut every box out of its photograph and write the crops into shards.

    Parameters
    ----------
    images_folder : Path
        The image shards.
    crops_folder : Path
        Replaced as a whole when all shards are done; gets one crop shard for each image shard, of the same name, with
        entries `<crop_id>.jpg` (quality 95, 4:4:4) and `<crop_id>.json` (image id and label).
    downloads, images, boxes : pandas.DataFrame
        Tables of the schemas `records.DOWNLOADS`, `IMAGES` and `BOXES`.
    rules : CropRules
    exclude : sequence of str
        Boxes where one of these attributes is 1 are left out; 0 and -1 (unknown) stay.
    workers : int
        Processes to share the shards out to; the result does not depend on it.

    Returns
    -------
    pandas.DataFrame
        Schema `records.CROPS`: a row for every box. Status `ok`; `excluded`, with an attribute's name, `too_small` or
        `duplicate_box` as reason; or `failed`, with `no_picture` or a cause of `BadPictureError`.

    Raises
    ------
    UserError
        When a box is none, a shard that `downloads` names is missing or damaged, or a photograph has other bytes than
        `downloads` says; `crops_folder` is as it was.
    """
    _check_boxes(boxes)
    table = _known_before(boxes, downloads, exclude)
    turned = images.dropna(subset=["rotation"])
    rotations = dict(zip(turned["image_id"], turned["rotation"].astype(int), strict=True))
    with replacing_folder(crops_folder) as folder:
        jobs = list(_jobs(table[table["status"] == "ok"], _hashes(downloads), rotations, images_folder, folder))
        results = _do(jobs, rules, workers)
    found = pd.DataFrame([asdict(result) for result in results], columns=_RESULT, dtype=object).set_index("row")
    table.loc[found.index, found.columns] = found
    return table.sort_values("crop_id", kind="stable", ignore_index=True)[CROPS.names]


def _check_boxes(boxes: pd.DataFrame) -> None:
    """Stop at the first box that is none; NaN fails every comparison."""
    sides = boxes[list(BOX)]
    inside = sides.ge(-_TOLERANCE).all(axis=1) & sides.le(1 + _TOLERANCE).all(axis=1)
    fine = inside & (sides["xmin"] <= sides["xmax"]) & (sides["ymin"] <= sides["ymax"])
    if not fine.all():
        box = boxes[~fine].iloc[0]
        received = ", ".join(f"{side} {box[side]}" for side in BOX)
        raise UserError(
            f"a box has 0 <= xmin <= xmax <= 1 and 0 <= ymin <= ymax <= 1, received {received} on image "
            f"{box['image_id']}; dvc repro -f metadata"
        )


def _known_before(boxes: pd.DataFrame, downloads: pd.DataFrame, exclude: Sequence[str]) -> pd.DataFrame:
    """The table of crops as far as it can be told before any photograph is opened."""
    table = boxes.merge(downloads[["image_id", "status", "shard"]], on="image_id", how="left")
    no_picture = table["status"] != "ok"
    sides = table[list(BOX)].itertuples(index=False, name=None)
    ids = zip(table["image_id"], table["label_id"], sides, strict=True)
    unknown = dict.fromkeys(("reason", "width", "height", "sha256"))
    table = table.assign(crop_id=[crop_id(*parts) for parts in ids], status="ok", **unknown).astype(
        dict.fromkeys(("status", *unknown), object)
    )
    table.loc[no_picture, ["status", "reason"]] = ["failed", "no_picture"]
    for attribute in reversed(exclude):
        table.loc[table[attribute] == 1, ["status", "reason"]] = ["excluded", attribute]
    table.loc[table["crop_id"].duplicated(), ["status", "reason"]] = ["excluded", "duplicate_box"]
    return table


def _hashes(downloads: pd.DataFrame) -> dict[str, dict[str, str | None]]:
    """SHA-256 of each photograph, by shard and image id."""
    shards = downloads.groupby("shard")[["image_id", "sha256"]]
    return {str(shard): dict(zip(rows["image_id"], rows["sha256"], strict=True)) for shard, rows in shards}


def _jobs(
    todo: pd.DataFrame,
    hashes: dict[str, dict[str, str | None]],
    rotations: dict[str, int],
    images_folder: Path,
    crops_folder: Path,
) -> Iterator[ShardJob]:
    """The work of each shard; one without any box still gets an (empty) crop shard.

    A shard that is missing is given too, so that reading it says so.
    """
    boxes: dict[str, dict[str, list[WantedBox]]] = {path.name: {} for path in images_folder.glob("*.tar")}
    ordered = todo.sort_values("crop_id")
    sides = ordered[list(BOX)].clip(0, 1).itertuples(index=False, name=None)  # what rounding put outside
    texts = zip(ordered["shard"], ordered["image_id"], ordered["crop_id"], ordered["label"], strict=True)
    for row, (shard, image_id, crop, label), box in zip(ordered.index.tolist(), texts, sides, strict=True):
        boxes.setdefault(shard, {}).setdefault(image_id, []).append(WantedBox(row, crop, label, Box(*box)))
    for shard, of_shard in sorted(boxes.items()):
        turned = {image_id: rotations[image_id] for image_id in of_shard if image_id in rotations}
        yield ShardJob(images_folder / shard, crops_folder / shard, of_shard, hashes.get(shard, {}), turned)


def _do(jobs: Sequence[ShardJob], rules: CropRules, workers: int) -> list[CropResult]:
    results: list[CropResult] = []
    total = sum(len(boxes) for job in jobs for boxes in job.boxes.values())
    with tracking("crop", total) as advance:
        for done in _each(jobs, partial(crop_shard, rules=rules), min(workers, len(jobs))):
            results += done
            advance(len(done))
    return results


def _each(
    jobs: Sequence[ShardJob], work: Callable[[ShardJob], list[CropResult]], processes: int
) -> Iterator[list[CropResult]]:
    """What the jobs give, in their order, done in processes of their own where there are several."""
    if processes < 2:
        yield from map(work, jobs)
        return
    # Spawned, not forked: the libraries loaded here hold threads and locks that a fork would freeze.
    pool = ProcessPoolExecutor(processes, get_context("spawn"))
    # Ctrl-C reaches all processes of a terminal. It is for this one: workers inherit that they do not hear it.
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        done = pool.map(work, jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    try:
        yield from done
    finally:
        pool.shutdown(cancel_futures=True)
