from __future__ import annotations

import json

import pandas as pd

from imageset import records
from imageset.counts import count_crops, count_split

CROPS = pd.DataFrame(
    [
        ("ok", None, "b"),
        ("ok", None, "a"),
        ("ok", None, "b"),
        ("excluded", "too_small", "a"),
        ("excluded", "is_group_of", "c"),
        ("failed", "truncated", "a"),
        ("failed", "truncated", "b"),
    ],
    columns=["status", "reason", "label"],
)
SPLIT = pd.DataFrame(
    [("1", "b", "g", "train"), ("2", "a", "g", "train"), ("3", "a", "h", "train"), ("4", "a", "i", "val")],
    columns=records.SPLIT.names,
)


def test_crops_are_counted_by_status_reason_and_label() -> None:
    assert count_crops(CROPS) == {
        "boxes": 7,
        "status": {"excluded": 2, "failed": 2, "ok": 3},
        "reason": {"is_group_of": 1, "too_small": 1, "truncated": 2},
        "labels": [{"label": "a", "crops": 1}, {"label": "b", "crops": 2}],
    }


def test_the_split_is_counted_by_split_and_label() -> None:
    assert count_split(SPLIT) == {
        "crops": {"train": 3, "val": 1, "test": 0},
        "labels": [{"label": "a", "train": 2, "val": 1, "test": 0}, {"label": "b", "train": 1, "val": 0, "test": 0}],
        "groups": 3,
        "largest_group": 2,
    }


def test_counts_are_plain_json_in_one_order() -> None:
    for count, table in ((count_crops, CROPS), (count_split, SPLIT)):
        shuffled = table.sample(frac=1, random_state=3)
        assert json.dumps(count(table)) == json.dumps(count(shuffled))


def test_nothing_is_counted_as_nothing() -> None:
    assert count_crops(records.CROPS.empty_table().to_pandas()) == {
        "boxes": 0,
        "status": {},
        "reason": {},
        "labels": [],
    }
