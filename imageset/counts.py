"""Counts of the tables, as the stages' reports give them: plain values that go into JSON.

The audit of `metadata` and the causes of `download` are counted where they arise.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from imageset.splits import NAMES


def count_crops(crops: pd.DataFrame) -> dict[str, Any]:
    """Count a table of crops (`records.CROPS`): by status, by reason, and by label where status is ok.

    Labels are a list, because DVC would make a column of its metrics table of each.
    """
    made = crops[crops["status"] == "ok"]
    return {
        "boxes": len(crops),
        "status": _counted(crops["status"]),
        "reason": _counted(crops["reason"].dropna()),
        "labels": [{"label": label, "crops": crops} for label, crops in _counted(made["label"]).items()],
    }


def count_split(split: pd.DataFrame) -> dict[str, Any]:
    """Count an assignment (`records.SPLIT`): crops by split, by label and split; groups, and the largest in crops."""
    by_label = pd.crosstab(split["label"], split["split"]).reindex(columns=list(NAMES), fill_value=0)
    sizes = split.groupby("group").size()
    return {
        "crops": {name: int(by_label[name].sum()) for name in NAMES},
        "labels": [{"label": label, **{name: int(row[name]) for name in NAMES}} for label, row in by_label.iterrows()],
        "groups": len(sizes),
        "largest_group": int(sizes.max()),
    }


def _counted(column: pd.Series[str]) -> dict[str, int]:
    return {str(value): int(count) for value, count in sorted(column.value_counts().items())}
