"""Counts of the tables, as the stages' reports give them: plain values that go into JSON.

The audit of `metadata` and the causes of `download` are counted where they arise.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from imageset.splits import NAMES


def count_crops(crops: pd.DataFrame) -> dict[str, Any]:
    """Count a table of crops (`records.CROPS`): by status, by reason, and by label where status is ok."""
    made = crops[crops["status"] == "ok"]
    return {
        "boxes": len(crops),
        "status": _counted(crops["status"]),
        "reason": _counted(crops["reason"].dropna()),
        "label": _counted(made["label"]),
    }


def count_split(split: pd.DataFrame) -> dict[str, Any]:
    """Count an assignment (`records.SPLIT`): crops by split and label, and groups with the size of the largest."""
    crops = {name: _counted(split.loc[split["split"] == name, "label"]) for name in NAMES}
    sizes = split.groupby("group").size()
    return {"crops": crops, "groups": len(sizes), "largest_group": int(sizes.max())}


def _counted(column: pd.Series[str]) -> dict[str, int]:
    return {str(value): int(count) for value, count in sorted(column.value_counts().items())}
