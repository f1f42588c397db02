"""Crops to train, val and test: stratified by label, and everything of one photograph on one side.

Not for pixels: see `imageset.dataset`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from imageset.errors import UserError
from imageset.ids import rank
from imageset.records import SPLIT

NAMES = ("train", "val", "test")

# Groups that the smallest split should get of a label, before chance may decide about its groups.
_PLENTY = 3


def assign(crops: pd.DataFrame, same_picture: pd.DataFrame, fractions: Mapping[str, float], seed: int) -> pd.DataFrame:
    """Give each crop a split.

    Photographs of the same bytes, and all the crops of one photograph, are one group and stay together. A group goes
    where its own hash says, unless that split is full for one of its labels; then it goes where its labels lack most
    (the rule of iterative stratification, Sechidis et al. 2011). So the shares are kept, and when the dataset grows
    few groups move: those that came when a split was full. Large groups come first, equal ones in an order drawn by
    the seed. For a label with so few photographs that a split would get less than three, the hash is not asked.

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


def _assign_groups(counts: pd.DataFrame, fractions: npt.NDArray[np.float64], seed: int) -> dict[str, str]:
    """Split of each group; `counts` has a row for each group and a column for each label."""
    groups = counts.to_numpy()
    ranks = [rank(seed, str(group)) for group in counts.index]
    totals = groups.sum(axis=0)
    missing = np.outer(fractions, totals)
    plenty = (groups > 0).sum(axis=0) * fractions.min() >= _PLENTY
    splits = {}
    for row in sorted(range(len(groups)), key=lambda row: (-groups[row].sum(), ranks[row])):
        labels = groups[row].nonzero()[0]
        chosen = _drawn(ranks[row], fractions)
        # A split is full for a label when less than half of the group's crops of it still fit.
        if not plenty[labels].all() or (missing[chosen, labels] < groups[row, labels] / 2).any():
            lacks = missing[:, labels] / (fractions[:, None] * totals[labels])
            chosen = int(np.argmax((lacks * groups[row, labels]).sum(axis=1).round(9)))
        missing[chosen] -= groups[row]
        splits[str(counts.index[row])] = NAMES[chosen]
    return splits


def _drawn(rank_of_group: str, fractions: npt.NDArray[np.float64]) -> int:
    """The split that a group's rank alone would give it: 0, 1 or 2 with the chances `fractions`."""
    # The rank's end, because its beginning is the order in which groups come.
    share = int(rank_of_group[-8:], 16) / 2**32
    return min(int(np.searchsorted(fractions.cumsum(), share, side="right")), len(NAMES) - 1)


def _check_each_label(table: pd.DataFrame) -> None:
    found = pd.crosstab(table["label"], table["split"]).reindex(columns=list(NAMES), fill_value=0)
    for label, row in found.iterrows():
        if (row == 0).any():
            photographs = table.loc[table["label"] == label, "group"].nunique()
            raise UserError(
                f"too few crops to split: {label} has {row.sum()} from {photographs} photographs, which leaves "
                f"{' and '.join(row.index[row == 0])} without any; take a class with more pictures, or leave it out"
            )
