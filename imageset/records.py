"""The tables that the stages hand to each other: their columns, types and order, in one place.

A table is a pandas DataFrame in memory and a Parquet file on disk. `read` and `write` check it against its schema,
so that a wrong table stops at the door of the stage that made it. Not for pixels: see `imageset.dataset`.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imageset.errors import UserError
from imageset.files import replacing

ATTRIBUTES = ("is_occluded", "is_truncated", "is_group_of", "is_depiction", "is_inside")
BOX = ("xmin", "xmax", "ymin", "ymax")

# Control characters and Unicode's line and paragraph separators, for RE2.
_CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{2028}\x{2029}]"

_box_fields = [pa.field(side, pa.float64(), nullable=False) for side in BOX]
_attribute_fields = [pa.field(name, pa.int8(), nullable=False) for name in ATTRIBUTES]


def _text(name: str) -> pa.Field:
    return pa.field(name, pa.string(), nullable=False)


# One row per picture, sorted by image_id. `md5` is that of the first URL's bytes (hex), `rotation` the degrees
# counter-clockwise that turn the stored picture upright.
IMAGES = pa.schema(
    [
        _text("image_id"),
        _text("subset"),
        pa.field("urls", pa.list_(pa.string()), nullable=False),
        pa.field("md5", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("license", pa.string()),
        pa.field("author", pa.string()),
        pa.field("title", pa.string()),
        pa.field("landing_url", pa.string()),
        pa.field("rotation", pa.int64()),
    ]
)

# One row per box, sorted by image_id, label_id and box. Sides are fractions of the stored pixels' width and height;
# attributes are 1 (yes), 0 (no) or -1 (unknown).
BOXES = pa.schema([_text("image_id"), _text("label"), _text("label_id"), *_box_fields, *_attribute_fields])

# One row per image, sorted by image_id. `causes` says, in order, why each URL that was tried gave no picture;
# `reason` is the last of them when none did. `shard` is the file name below data/images/.
DOWNLOADS = pa.schema(
    [
        _text("image_id"),
        _text("status"),
        pa.field("reason", pa.string()),
        pa.field("causes", pa.list_(pa.string()), nullable=False),
        pa.field("url", pa.string()),
        pa.field("http_status", pa.int64()),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("shard", pa.string()),
    ]
)

# One row per box, sorted by crop_id. `width` and `height` are the box's size in stored pixels, before resizing.
CROPS = pa.schema(
    [
        _text("crop_id"),
        _text("image_id"),
        _text("label"),
        _text("label_id"),
        _text("status"),
        pa.field("reason", pa.string()),
        *_box_fields,
        *_attribute_fields,
        pa.field("width", pa.int64()),
        pa.field("height", pa.int64()),
        pa.field("sha256", pa.string()),
        pa.field("shard", pa.string()),
    ]
)

# One row per crop that was made, sorted by crop_id. `split` is train, val or test.
SPLIT = pa.schema([_text("crop_id"), _text("label"), _text("group"), _text("split")])

# One row per crop of test, sorted by crop_id. `probabilities` has one for each class, in sorted order of the class
# names; `predicted` is the most probable class and `probability` its own.
PREDICTIONS = pa.schema(
    [
        _text("crop_id"),
        _text("label"),
        _text("predicted"),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float64()), nullable=False),
    ]
)


def write(table: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write a table as Parquet; the same rows give the same bytes.

    Raises
    ------
    UserError
        When columns are missing or unknown, a value does not fit its type, or an id or label has a control character.
    """
    _check_columns(list(table.columns), path, schema)
    for field in schema:
        if not field.nullable and table[field.name].isna().any():
            raise UserError(f"{path}: column {field.name} may not be empty")
    try:
        # Pages end where chunks end, so that a table put together of parts would give other bytes.
        arrow = pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False).combine_chunks()
        arrow.validate(full=True)
    except (ValueError, TypeError, OverflowError) as error:  # Arrow's own are kinds of these
        raise UserError(f"{path}: a value does not fit its column: {error}") from error
    _check_names(arrow, path)
    with replacing(path) as temporary:
        pq.write_table(arrow.replace_schema_metadata(None), temporary, compression="zstd")


def read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a table that `write` made; rows come in the order of the file.

    Raises
    ------
    UserError
        When the file is missing, is no Parquet file, or has other columns or types.
    """
    try:
        # A folder called like `a=1` on the way is no column of the table.
        arrow = pq.read_table(path, partitioning=None)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing; run the stage that makes it (dvc repro)") from error
    except (ValueError, OSError) as error:  # OSError: a page that cannot be decompressed
        raise UserError(f"{path} is not a whole Parquet file: {error}") from error
    _check_columns(arrow.column_names, path, schema)
    try:
        return arrow.select(schema.names).cast(schema).to_pandas()
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: a value does not fit its column: {error}") from error


def _check_names(table: pa.Table, path: Path) -> None:
    """Refuse what would break a file name or a line, in ids and labels: they are the texts that may not be null."""
    for field in table.schema:
        if field.type == pa.string() and not field.nullable:
            column = table[field.name]
            wrong = column.filter(pc.match_substring_regex(column, _CONTROL))
            if len(wrong):
                raise UserError(
                    f"{path}: column {field.name} has a control character in {wrong[0].as_py()!r}; "
                    "ids and labels are text of one line"
                )


def _check_columns(columns: list[str], path: Path, schema: pa.Schema) -> None:
    missing = [name for name in schema.names if name not in columns]
    unknown = [name for name in columns if name not in schema.names]
    if missing or unknown:
        wrong = [f"no column {name}" for name in missing] + [f"unknown column {name}" for name in unknown]
        raise UserError(f"{path}: {', '.join(wrong)}; expected {', '.join(schema.names)}")
