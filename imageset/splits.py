"""Crops to train, val and test: stratified by label, and everything of one photograph on one side.

Not for pixels: see `imageset.dataset`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from imageset.errors import UserError
from imageset.ids import rank
from imageset.records import SPLIT

NAMES = ("train", "val", "test")


def assign(crops: pd.DataFrame, same_picture: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Give each crop a split.

    Photographs of the same bytes, and all the crops of one photograph, are one group and stay together. The groups
    come in an order drawn by the seed, large ones first, and each goes where it brings the shares of its labels
    nearest to `fractions` (the greedy rule of iterative stratification, Sechidis et al. 2011).

    Parameters
    ----------
    crops : pandas.DataFrame
        Columns crop_id, image_id and label: the crops that were made.
    same_picture : pandas.DataFrame
        Columns image_id and sha256; images of equal sha256 are the same picture.
    fractions : mapping
        Share of train, val and test; they add up to 1.
    seed : int

    Returns
    -------
    pandas.DataFrame
        Schema `records.SPLIT`, sorted by crop_id. `group` is the first image id of the group. Each label's share in
        each split is off by at most about one group.

    Raises
    ------
    UserError
        When a label has no crop in one of the splits.
    """
    first = same_picture.groupby("sha256")["image_id"].transform("min")
    group_of = dict(zip(same_picture["image_id"], first, strict=True))
    table = crops[["crop_id", "label"]].assign(group=crops["image_id"].map(group_of))
    counts = pd.crosstab(table["group"], table["label"])
    table["split"] = table["group"].map(_assign_groups(counts, np.array([fractions[name] for name in NAMES]), seed))
    _check_each_label(table)
    return table.sort_values("crop_id", ignore_index=True)[SPLIT.names]


def _assign_groups(counts: pd.DataFrame, fractions: np.ndarray, seed: int) -> dict[str, str]:
    """Split of each group; `counts` has a row for each group and a column for each label."""
    groups = counts.to_numpy()
    order = sorted(range(len(groups)), key=lambda row: (-groups[row].sum(), rank(seed, str(counts.index[row]))))
    totals = groups.sum(axis=0)
    missing = np.outer(fractions, totals)
    splits = {}
    for row in order:
        labels = groups[row].nonzero()[0]
        # How much of its goal each split still lacks, for the labels of this group, weighed by how many it has.
        lacks = missing[:, labels] / (fractions[:, None] * totals[labels])
        best = int(np.argmax((lacks * groups[row, labels]).sum(axis=1).round(9)))
        missing[best] -= groups[row]
        splits[str(counts.index[row])] = NAMES[best]
    return splits


def _check_each_label(table: pd.DataFrame) -> None:
    found = pd.crosstab(table["label"], table["split"]).reindex(columns=list(NAMES), fill_value=0)
    for label, row in found.iterrows():
        if (row == 0).any():
            photographs = table.loc[table["label"] == label, "group"].nunique()
            raise UserError(
                f"too few crops to split: {label} has {row.sum()} from {photographs} photographs, which leaves "
                f"{_listed(row.index[row == 0])} without any; take a class with more pictures, or leave it out"
            )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(names)
