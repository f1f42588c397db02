"""Photographs in image shards to crops in crop shards of the same names, shard by shard.

How one photograph is cut stands in `imageset.cut`. Not for grouping or splitting crops: see `imageset.splits`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from imageset.cut import Box, CropRules, Cut, cut
from imageset.files import replacing_folder
from imageset.ids import crop_id
from imageset.pictures import BadPictureError
from imageset.progress import tracking
from imageset.records import BOX, CROPS
from imageset.shards import Entry, read_shard, write_shard


@dataclass(frozen=True)
class _Result:
    """What became of one box; the fields are columns of `records.CROPS`."""

    status: str
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class _Job:
    """One shard's work: where to read and write, the rows of its boxes, and each image's rotation."""

    source: Path
    target: Path
    boxes: pd.DataFrame
    rotations: Mapping[str, int]


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
        When a shard that `downloads` names is missing or damaged; `crops_folder` is as it was.
    """
    table = _known_before(boxes, downloads, exclude)
    todo = table[table["status"] == "ok"]
    rotations = images.dropna(subset=["rotation"]).set_index("image_id")["rotation"].astype(int).to_dict()
    with replacing_folder(crops_folder) as folder:
        jobs = [
            _Job(path, folder / path.name, rows, {i: rotations[i] for i in rows["image_id"] if i in rotations})
            for path, rows in _by_shard(todo, images_folder)
        ]
        results = _do(jobs, rules, workers)
    found = pd.DataFrame([asdict(result) for result in results.values()], index=list(results), dtype=object)
    table.loc[found.index, found.columns] = found
    return table.sort_values("crop_id", kind="stable", ignore_index=True)[CROPS.names]


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


def _by_shard(todo: pd.DataFrame, images_folder: Path) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Each image shard with the rows of its boxes; one without any still gets an (empty) crop shard.

    A shard that is missing is given too, so that reading it says so.
    """
    rows = {str(name): of_shard for name, of_shard in todo.groupby("shard")}
    for name in sorted(rows.keys() | {path.name for path in images_folder.glob("*.tar")}):
        yield images_folder / name, rows.get(name, todo.iloc[:0])


def _do(jobs: Sequence[_Job], rules: CropRules, workers: int) -> dict[Any, _Result]:
    """Do the jobs, in processes of their own where there are several; results by row of the table."""
    results: dict[Any, _Result] = {}
    processes = min(workers, len(jobs))
    # Spawned, not forked: the libraries loaded here hold threads and locks that a fork would freeze.
    pool: Any = ProcessPoolExecutor(processes, get_context("spawn")) if processes > 1 else nullcontext()
    with tracking("crop", sum(len(job.boxes) for job in jobs)) as advance, pool as executor:
        each = executor.map if isinstance(executor, Executor) else map
        for job, done in zip(jobs, each(partial(_crop_shard, rules=rules), jobs), strict=True):
            results |= done
            advance(len(job.boxes))
    return results


def _crop_shard(job: _Job, rules: CropRules) -> dict[Any, _Result]:
    """Cut all the boxes of one image shard into a crop shard."""
    rows_of = dict(iter(job.boxes.groupby("image_id")))
    results = dict.fromkeys(job.boxes.index, _Result("failed", "no_picture"))

    def entries() -> Iterator[Entry]:
        for picture in read_shard(job.source):
            if picture.key not in rows_of:
                continue
            rows = rows_of[picture.key].sort_values("crop_id")
            cuts = _cut_rows(picture.data, rows, job.rotations.get(picture.key), rules)
            for row, done in zip(rows.itertuples(), cuts, strict=True):
                data = _jpeg(done.image) if isinstance(done, Cut) and done.image else None
                results[row.Index] = _result(done, data)
                if data:
                    about = json.dumps({"image_id": row.image_id, "label": row.label}, ensure_ascii=False)
                    yield Entry(str(row.crop_id), "jpg", data)
                    yield Entry(str(row.crop_id), "json", about.encode())

    write_shard(job.target, entries())
    return results


def _cut_rows(data: bytes, rows: pd.DataFrame, rotation: int | None, rules: CropRules) -> Sequence[Cut | str]:
    """A cut for each row, or for each the cause why the photograph gives none."""
    try:
        return cut(data, [Box(*sides) for sides in rows[list(BOX)].itertuples(index=False)], rotation, rules)
    except BadPictureError as error:
        return [error.cause] * len(rows)


def _result(done: Cut | str, data: bytes | None) -> _Result:
    if isinstance(done, str):
        return _Result("failed", done)
    if data is None:
        return _Result("excluded", "too_small", done.width, done.height)
    return _Result("ok", None, done.width, done.height, hashlib.sha256(data).hexdigest())


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()
