"""One image shard to one crop shard: what is shared out to processes.

How one photograph is cut stands in `imageset.cut`; which boxes there are, and what the table says of them, in
`imageset.crops`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from imageset.cut import Box, CropRules, Cut, cut
from imageset.pictures import BadPictureError
from imageset.shards import Entry, check_entry, read_shard, write_shard


class WantedBox(NamedTuple):
    """A box to cut out: the row that stands for it in the caller's table, and what the shard says of its crop."""

    row: int
    crop_id: str
    label: str
    box: Box


@dataclass(frozen=True)
class ShardJob:
    """One shard's work.

    Attributes
    ----------
    source, target : Path
        The image shard, and the crop shard to write.
    boxes : mapping
        Image id to its boxes.
    hashes : mapping
        Image id to the SHA-256 of its photograph, of all images that the table knows in this shard.
    rotations : mapping
        Image id to degrees counter-clockwise, of the images that have a rotation.
    """

    source: Path
    target: Path
    boxes: Mapping[str, Sequence[WantedBox]]
    hashes: Mapping[str, str | None]
    rotations: Mapping[str, int]


@dataclass(frozen=True)
class CropResult:
    """What became of one box; but for `row`, the fields are columns of `records.CROPS`."""

    row: int
    status: str
    reason: str | None = None
    width: int | None = None
    height: int | None = None
    sha256: str | None = None


def crop_shard(job: ShardJob, rules: CropRules) -> list[CropResult]:
    """Cut all the boxes of one image shard into a crop shard; memory holds one photograph and the shard's crops.

    Returns
    -------
    list of CropResult
        One for each box of the job, in no particular order; those of photographs that the shard lacks are failed.

    Raises
    ------
    UserError
        When the image shard is missing or damaged, or a photograph has other bytes than the table says; the crop
        shard is not written then.
    """
    results: list[CropResult] = []
    entries: list[Entry] = []
    for picture in read_shard(job.source):
        if picture.key in job.hashes:
            check_entry(job.source, picture, job.hashes[picture.key], "download")
        boxes = job.boxes.get(picture.key, ())
        for box, done in zip(boxes, _cut_all(picture.data, boxes, job, picture.key, rules), strict=True):
            data = _jpeg(done.image) if isinstance(done, Cut) and done.image else None
            results.append(_result(box.row, done, data))
            if data:
                entries += _entries(box, picture.key, data)
    # Crops need not sort as their photographs do: one of photograph a-0 (a-0-...) may come before one of a (a-1...).
    write_shard(job.target, sorted(entries, key=lambda entry: (entry.key, entry.extension)))
    met = {result.row for result in results}
    absent = (box.row for boxes in job.boxes.values() for box in boxes if box.row not in met)
    return results + [CropResult(row, "failed", "no_picture") for row in absent]


def _cut_all(
    data: bytes, boxes: Sequence[WantedBox], job: ShardJob, image_id: str, rules: CropRules
) -> Sequence[Cut | str]:
    """A cut for each box, or for each the cause why the photograph gives none."""
    if not boxes:
        return []
    try:
        return cut(data, [wanted.box for wanted in boxes], job.rotations.get(image_id), rules)
    except BadPictureError as error:
        return [error.cause] * len(boxes)


def _entries(box: WantedBox, image_id: str, data: bytes) -> list[Entry]:
    about = json.dumps({"image_id": image_id, "label": box.label}, ensure_ascii=False)
    return [Entry(box.crop_id, "jpg", data), Entry(box.crop_id, "json", about.encode())]


def _result(row: int, done: Cut | str, data: bytes | None) -> CropResult:
    if isinstance(done, str):
        return CropResult(row, "failed", done)
    if data is None:
        return CropResult(row, "excluded", "too_small", done.width, done.height)
    return CropResult(row, "ok", None, done.width, done.height, hashlib.sha256(data).hexdigest())


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return buffer.getvalue()
