"""Google Open Images: boxes of 600 classes on Flickr photographs, versions V4 to V7.

The box tables have millions of rows, so they are scanned by polars, and only the rows of wanted classes are kept.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from imageset import records
from imageset.classes import ClassNode, ClassTree, Labelling
from imageset.errors import UserError
from imageset.files import write_json
from imageset.metafiles import Metafile, fetch_metafile
from imageset.params import OpenImagesParams
from imageset.sources.base import AuditStep, SourceRows

# Where each version keeps its files, from its download page (storage.googleapis.com/openimages/web/download_v7.html
# and those of V4 to V6). V5 redrew the boxes of validation and test, V6 added boxes to train; the rest is shared.
_HIERARCHY = "2018_04/bbox_labels_600_hierarchy.json"
_CLASSES = {
    "v4": "2018_04/class-descriptions-boxable.csv",
    "v5": "v5/class-descriptions-boxable.csv",
    "v6": "v5/class-descriptions-boxable.csv",
    "v7": "v7/oidv7-class-descriptions-boxable.csv",
}
_V4_BOXES = "2018_04/{subset}/{subset}-annotations-bbox.csv"
_V5_BOXES = "v5/{subset}-annotations-bbox.csv"
_V6_BOXES = "v6/oidv6-train-annotations-bbox.csv"
_BOXES = {
    "v4": {"train": _V4_BOXES, "validation": _V4_BOXES, "test": _V4_BOXES},
    "v5": {"train": _V4_BOXES, "validation": _V5_BOXES, "test": _V5_BOXES},
    "v6": {"train": _V6_BOXES, "validation": _V5_BOXES, "test": _V5_BOXES},
    "v7": {"train": _V6_BOXES, "validation": _V5_BOXES, "test": _V5_BOXES},
}
_IMAGES = {
    "train": "2018_04/train/train-images-boxable-with-rotation.csv",
    "validation": "2018_04/validation/validation-images-with-rotation.csv",
    "test": "2018_04/test/test-images-with-rotation.csv",
}

_ROOT = ("/m/0bl9f", "Entity")  # the top of the hierarchy, which the class files leave out
_SIDES = {"xmin": "XMin", "xmax": "XMax", "ymin": "YMin", "ymax": "YMax"}
_ATTRIBUTES = {
    "is_occluded": "IsOccluded",
    "is_truncated": "IsTruncated",
    "is_group_of": "IsGroupOf",
    "is_depiction": "IsDepiction",
    "is_inside": "IsInside",
}
_BOX_COLUMNS = {
    "ImageID": pl.String,
    "LabelName": pl.String,
    "Confidence": pl.Float64,
    **dict.fromkeys(_SIDES.values(), pl.Float64),
    **dict.fromkeys(_ATTRIBUTES.values(), pl.Int8),
}
_IMAGE_TEXTS = {
    "license": "License",
    "author": "Author",
    "title": "Title",
    "landing_url": "OriginalLandingURL",
}
# Sizes and rotations are read as text: one that is no number is unknown, not an error.
_IMAGE_COLUMNS = dict.fromkeys(
    ("ImageID", "OriginalURL", "OriginalSize", "OriginalMD5", "Rotation", *_IMAGE_TEXTS.values()), pl.String
)
_ARROW = pl.CompatLevel.oldest()  # the types that pandas knows
_ALL = pl.lit(value=True)  # a condition that every row meets
_TOLERANCE = 1e-6  # what rounding may have put outside 0..1


@dataclass(frozen=True)
class _Table:
    """A CSV file: where it came from, where it lies, and its rows, the columns that are needed."""

    url: str
    path: Path
    scan: pl.LazyFrame


class _Tally(BaseModel):
    """All rows, and boxes and images of each class, those verified as absent left out; kept in the cache as JSON."""

    model_config = ConfigDict(frozen=True, strict=True)

    rows: NonNegativeInt
    classes: dict[str, tuple[NonNegativeInt, NonNegativeInt]]


@dataclass(frozen=True)
class _SubsetRows:
    """The rows of one subset: those of wanted classes, of them those present, of them those on described images."""

    wanted: pl.DataFrame
    present: pl.DataFrame
    boxes: pl.DataFrame
    images: pl.DataFrame
    described: int


class OpenImagesSource:
    """The rows of some subsets of one version.

    Parameters
    ----------
    params : OpenImagesParams
        `metadata.openimages`.
    cache : Path
        Folder for the metadata files and the class counts made from them.
    """

    def __init__(self, params: OpenImagesParams, cache: Path) -> None:
        self._params = params
        self._cache = cache
        self._metafiles: dict[str, Metafile] = {}

    def tree(self) -> ClassTree:
        """The 600 classes and what is above them, with the boxes and images of each in the subsets.

        A class is below another where the hierarchy calls it a subcategory; a part (a wheel of a bicycle) is not.

        Raises
        ------
        UserError
            When a file cannot be had, or is not what its name says.
        """
        counts = self._tally().classes
        return ClassTree(
            tuple(replace(node, boxes=counts[node.id][0], images=counts[node.id][1]) for node in self._nodes)
        )

    def rows(self, labelling: Labelling) -> SourceRows:
        """The images and boxes of the wanted classes; the same rows in the same order on any number of threads.

        Boxes of confidence 0 are verified absences and left out, and so are boxes on images that the image table
        does not describe; the audit counts both. `urls` are the original and the copy below `images_url`.

        Raises
        ------
        UserError
            When a file cannot be had, lacks a column, or holds a value that is none, a box with XMax < XMin or
            YMax < YMin or outside 0..1 (by more than 1e-6), or an image id that is no file name.
        """
        parts = [self._subset_rows(subset, labelling) for subset in self._params.subsets]
        boxes = pl.concat([part.boxes for part in parts]).sort("image_id", "label_id", *_SIDES, *_ATTRIBUTES)
        images = pl.concat([part.images for part in parts]).unique("image_id", keep="first", maintain_order=True)
        audit = (
            AuditStep("in the source", sum(part.described for part in parts), self._tally().rows),
            _step("of the wanted classes", [part.wanted for part in parts]),
            _step("not verified as absent", [part.present for part in parts]),
            _step("on a described image", [part.boxes for part in parts]),
        )
        return SourceRows(
            images=_to_pandas(images.sort("image_id"), records.IMAGES),
            boxes=_to_pandas(boxes, records.BOXES),
            audit=audit,
            labels=labelling.labels,
            files={url: metafile.version for url, metafile in sorted(self._metafiles.items())},
        )

    def _fetch(self, path: str) -> tuple[str, Path]:
        url = f"{self._params.base_url}/{path}"
        if url not in self._metafiles:
            # Both URLs stand in the params: a server may send on to the host of the other one.
            named = (self._params.base_url, self._params.images_url)
            hosts = frozenset(urlsplit(each).hostname or "" for each in named)
            self._metafiles[url] = fetch_metafile(url, self._cache, hosts)
        return url, self._metafiles[url].path

    def _boxes(self, subset: str) -> _Table:
        # No column holds free text, so nothing is quoted and a row is a line: reading takes a fifth less time.
        path = _BOXES[self._params.version][subset].format(subset=subset)
        return _table(*self._fetch(path), _BOX_COLUMNS, quote=None)

    def _images(self, subset: str) -> _Table:
        return _table(*self._fetch(_IMAGES[subset]), _IMAGE_COLUMNS, quote='"')

    @cached_property
    def _nodes(self) -> tuple[ClassNode, ...]:
        """The classes, sorted by id, not counted."""
        names = _read_names(*self._fetch(_CLASSES[self._params.version]))
        children = _read_children(*self._fetch(_HIERARCHY))
        return tuple(
            ClassNode(class_id, names.get(class_id, class_id), tuple(sorted(children.get(class_id, ()))))
            for class_id in sorted(names.keys() | children.keys())
        )

    def _tally(self) -> _Tally:
        """What `_count` finds in the box files, counted once for each version of them and kept in the cache."""
        class_ids = [node.id for node in self._nodes]
        tables = [self._boxes(subset) for subset in self._params.subsets]
        versions = [f"{table.url} {self._metafiles[table.url].version}" for table in tables]
        key = hashlib.sha256("\n".join(versions + class_ids).encode()).hexdigest()[:16]
        path = self._cache / f"{key}.tally.json"
        kept = _kept_tally(path)
        if kept is not None and kept.classes.keys() == set(class_ids):
            return kept
        tally = _count(tables, class_ids)
        write_json(tally.model_dump(), path)
        return tally

    def _subset_rows(self, subset: str, labelling: Labelling) -> _SubsetRows:
        boxes, images = self._boxes(subset), self._images(subset)
        wanted = _wanted(boxes, labelling)
        present = wanted.filter(pl.col("confidence") > 0)
        _check_boxes(present, boxes.url)
        copies = f"{self._params.images_url}/{subset}"
        found, described = _described(images, present["image_id"].unique(), copies, subset)
        left = present.join(found.select("image_id"), on="image_id", how="semi").with_columns(
            pl.col(*_SIDES).clip(0, 1)
        )
        return _SubsetRows(wanted, present, left, found, described)


def _kept_tally(path: Path) -> _Tally | None:
    """The tally in a file of the cache; one that is damaged counts as none."""
    try:
        return _Tally.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _read_names(url: str, path: Path) -> dict[str, str]:
    """Class id to name; V7's file has a header, those before have none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row and row[0] != "LabelName"]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{url} cannot be read as CSV: {error}") from error
    if wrong := [row for row in rows if len(row) != 2]:
        raise UserError(f"{url}: a line has an id and a name, received {','.join(wrong[0])[:80]!r}")
    if not rows:
        raise UserError(f"{url} has no classes; check the base URL and the version")
    return dict([_ROOT]) | dict(rows)


def _read_children(url: str, path: Path) -> dict[str, set[str]]:
    """Class id to the ids of its subcategories, of every class that the hierarchy has; parts have no parent here."""
    children: dict[str, set[str]] = {}
    try:
        stack: list[dict[str, Any]] = [json.loads(path.read_text(encoding="utf-8"))]
        while stack:
            node = stack.pop()
            below = node.get("Subcategory", [])
            node["LabelName"].encode()  # stops at what is no text, or none that can be written
            children.setdefault(node["LabelName"], set()).update(child["LabelName"] for child in below)
            stack += below + node.get("Part", [])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{url} is not a class hierarchy: JSON of LabelName, Subcategory and Part") from error
    return children


def _table(url: str, path: Path, columns: Mapping[str, type[pl.DataType]], quote: str | None) -> _Table:
    _check_text(url, path)
    with _one_line(url):
        scan = pl.scan_csv(path, infer_schema=False, schema_overrides=columns, glob=False, quote_char=quote)
        names = scan.collect_schema().names()
    if missing := [column for column in columns if column not in names]:
        raise UserError(f"{url}: no column {missing[0]}; it has {', '.join(names)[:300]}")
    return _Table(url, path, scan.select(*columns))


def _check_text(url: str, path: Path) -> None:
    """Refuse a file whose first line is no text: polars would unpack a compressed one, other readers here would not."""
    with path.open("rb") as file:
        head = file.readline(1 << 16)
    try:
        binary = "\0" in head.decode()
    except UnicodeDecodeError:
        binary = True
    if binary:
        raise UserError(f"{url} is no CSV file of UTF-8 text, not compressed; it starts with {head[:8]!r}")


@contextmanager
def _one_line(url: str) -> Iterator[None]:
    """Name the file when polars cannot read it."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{url} cannot be read as CSV: {str(error).partition(chr(10))[0]}") from error


def _count(tables: list[_Table], class_ids: list[str]) -> _Tally:
    total = 0
    counts = np.zeros((len(class_ids), 2), np.int64)
    for table in tables:
        keys = _keys(table, class_ids)
        total += len(keys)
        counts += _count_keys(keys, len(class_ids))
    pairs = ((boxes, images) for boxes, images in counts.tolist())
    return _Tally(rows=total, classes=dict(zip(class_ids, pairs, strict=True)))


def _keys(table: _Table, class_ids: list[str]) -> npt.NDArray[np.uint64]:
    """One number for each row, sorted: in the high bits the place of its class, in the others a hash of its image.

    Rows of no known class and those verified as absent have the place after the last. Sorting numbers is faster than
    a hash table of classes and images, and needs half the memory.
    """
    shift = _image_bits(len(class_ids))
    place = pl.col("LabelName").cast(pl.Enum(class_ids), strict=False).to_physical().cast(pl.UInt64)
    counted = pl.when(pl.col("Confidence") > 0).then(place).fill_null(len(class_ids))
    key = counted * 2**shift + pl.col("ImageID").hash() // 2 ** (64 - shift)
    with _one_line(table.url):
        keys = table.scan.select(key).collect(engine="streaming").to_series()
    found = keys.to_numpy(writable=True)
    found.sort()
    return found


def _image_bits(classes: int) -> int:
    """How many bits of a key are left for the image: 54 beside 601 classes.

    The chance that two of a million images of a class share them, and the count is one too low, is 3 in 100,000.
    """
    return 64 - classes.bit_length()


def _count_keys(keys: npt.NDArray[np.uint64], classes: int) -> npt.NDArray[np.int64]:
    """Boxes and images of each class, int64 (classes, 2): sorted, the keys of a class and of an image lie together."""
    new = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    first = np.arange(classes + 1, dtype=np.uint64) << np.uint64(_image_bits(classes))
    spans = pairwise(np.searchsorted(keys, first))
    return np.array([(stop - start, np.count_nonzero(new[start:stop])) for start, stop in spans])


def _wanted(table: _Table, labelling: Labelling) -> pl.DataFrame:
    """The rows whose class has a label, in the columns of `records.BOXES`, with their confidence."""
    label_id, label_of = pl.col("LabelName"), labelling.label_of
    with _one_line(table.url):
        rows = _collect(table.scan, _ALL)[0] if labelling.rest is not None else _rows_with(table, list(label_of))
    return rows.select(
        pl.col("ImageID").alias("image_id"),
        label_id.replace_strict(list(label_of), list(label_of.values()), default=labelling.rest).alias("label"),
        label_id.alias("label_id"),
        *(pl.col(name).alias(side) for side, name in _SIDES.items()),
        *(pl.col(name).fill_null(-1).alias(attribute) for attribute, name in _ATTRIBUTES.items()),
        pl.col("Confidence").alias("confidence"),
    )


def _rows_with(table: _Table, class_ids: list[str]) -> pl.DataFrame:
    """The rows of some classes.

    Only lines that name one of them are taken apart, which needs a third of the time.
    """
    named = pl.col("line").str.contains_any(class_ids)
    lines = _collect(pl.scan_lines(table.path, glob=False).filter(named), _ALL)[0]["line"]
    with table.path.open("rb") as file:
        head = file.readline().rstrip(b"\r\n")
    text = io.BytesIO(b"\n".join([head, *(line.encode() for line in lines)]))
    rows = pl.scan_csv(text, schema_overrides=_BOX_COLUMNS, infer_schema=False, quote_char=None).select(*_BOX_COLUMNS)
    return rows.filter(pl.col("LabelName").is_in(class_ids)).collect()


def _check_boxes(boxes: pl.DataFrame, url: str) -> None:
    """Stop at the first box, in the order of the file, that is none."""
    inside = pl.all_horizontal(pl.col(*_SIDES).is_between(-_TOLERANCE, 1 + _TOLERANCE).fill_null(value=False))
    ordered = (pl.col("xmin") <= pl.col("xmax")) & (pl.col("ymin") <= pl.col("ymax"))
    named = pl.col("image_id").str.contains(r"^[0-9A-Za-z_-]+$").fill_null(value=False)
    if len(odd := boxes.filter(~named)):
        raise UserError(f"{url}: an image id has letters, digits, - and _ only, received {odd['image_id'][0]!r}")
    if len(odd := boxes.filter(~(inside & ordered))):
        box = odd.row(0, named=True)
        sides = ", ".join(f"{name} {box[side]}" for side, name in _SIDES.items())
        raise UserError(
            f"{url}: a box has 0 <= XMin <= XMax <= 1 and 0 <= YMin <= YMax <= 1, "
            f"received {sides} on image {box['image_id']}"
        )


def _described(table: _Table, ids: pl.Series, copies: str, subset: str) -> tuple[pl.DataFrame, int]:
    """The rows of some images, in the columns of `records.IMAGES`, and how many rows the table has in all."""
    image_id = pl.col("ImageID")
    with _one_line(table.url):
        rows, total = _collect(table.scan, image_id.is_in(ids.implode()))
    copy = pl.concat_str(pl.lit(f"{copies}/"), image_id, pl.lit(".jpg"))
    digest = pl.col("OriginalMD5").str.decode("base64", strict=False).bin.encode("hex")
    columns = rows.select(
        image_id.alias("image_id"),
        pl.lit(subset).alias("subset"),
        pl.concat_list("OriginalURL", copy).list.drop_nulls().alias("urls"),
        pl.when(digest.str.len_bytes() == 32).then(digest).alias("md5"),
        pl.col("OriginalSize").cast(pl.Int64, strict=False).alias("bytes"),
        pl.col("Rotation").cast(pl.Float64, strict=False).cast(pl.Int64, strict=False).alias("rotation"),
        *(pl.col(name).alias(column) for column, name in _IMAGE_TEXTS.items()),
    )
    return columns, total


def _collect(query: pl.LazyFrame, condition: pl.Expr) -> tuple[pl.DataFrame, int]:
    """The rows of a query that meet a condition, in the order of the file, and how many rows the query has.

    Each batch goes through Arrow, which copies the texts that are left: rows that polars has filtered still hold all
    the text of the batch that they came from, which adds up to the whole file.
    """
    batches = [query.clear().collect().to_arrow(compat_level=_ARROW)]
    total = 0
    flagged = query.with_columns(condition.alias("kept"))
    for batch in flagged.collect_batches(engine="streaming", maintain_order=True):
        total += len(batch)
        found = batch.filter("kept")
        if len(found):
            batches.append(found.drop("kept").to_arrow(compat_level=_ARROW))
    return pl.DataFrame(pa.concat_tables(batches)), total


def _step(name: str, boxes: list[pl.DataFrame]) -> AuditStep:
    return AuditStep(name, sum(part["image_id"].n_unique() for part in boxes), sum(len(part) for part in boxes))


def _to_pandas(frame: pl.DataFrame, schema: pa.Schema) -> Any:
    return frame.select(schema.names).to_arrow(compat_level=_ARROW).cast(schema).to_pandas()
