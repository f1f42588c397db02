"""From the rows of a source to the tables of a dataset: each box once, caps, the minimum, and the audit of it all.

Where the rows come from is the business of `imageset.sources`; what is on the photographs, of the stages that follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from imageset.errors import UserError
from imageset.ids import rank
from imageset.records import BOX
from imageset.sources.base import AuditStep, SourceRows


@dataclass(frozen=True)
class Selection:
    """The images and boxes of a dataset.

    Attributes
    ----------
    images : pandas.DataFrame
        Schema `records.IMAGES`, sorted; each has a box.
    boxes : pandas.DataFrame
        Schema `records.BOXES`, sorted.
    audit : tuple of AuditStep
        What each filter left, in order: those of the source, then those of the selection.
    labels : tuple of str
        The labels that were asked for, sorted.
    files : mapping of str to str
        URL and version of each file that the source read.
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    audit: tuple[AuditStep, ...]
    labels: tuple[str, ...]
    files: Mapping[str, str]

    def lines(self) -> list[str]:
        """The audit and the counts of each label, as a table to print."""
        rows = [(step.step, step.images, step.boxes) for step in self.audit]
        rows += [(f"  {label}", counts["images"], counts["boxes"]) for label, counts in self._counts().items()]
        width = max(len(name) for name, _, _ in rows)
        head = f"{'':{width}} {'images':>12} {'boxes':>12}"
        return [head, *(f"{name:{width}} {images:12,} {boxes:12,}" for name, images, boxes in rows)]

    def report(self) -> dict[str, Any]:
        """The same as plain values, for `reports/metadata.json`."""
        return {
            "images": len(self.images),
            "boxes": len(self.boxes),
            "audit": [{"step": step.step, "images": step.images, "boxes": step.boxes} for step in self.audit],
            # Lists, because DVC would make columns of its metrics table of each label and URL.
            "labels": [{"label": label, **counts} for label, counts in self._counts().items()],
            "files": [{"url": url, "version": version} for url, version in sorted(self.files.items())],
        }

    def _counts(self) -> dict[str, dict[str, int]]:
        groups = self.boxes.groupby("label")["image_id"]
        boxes, images = groups.size(), groups.nunique()
        return {
            label: {"boxes": int(boxes.get(label, 0)), "images": int(images.get(label, 0))} for label in self.labels
        }


def select(rows: SourceRows, seed: int, max_per_class: int | None, min_per_class: int) -> Selection:
    """Choose the boxes of a dataset, and the images that they are on.

    A box that stands twice (same image, class and sides to 1e-6) counts once. Where a label has more boxes than the
    cap, photographs are drawn in the order that the seed gives to their ids (`ids.rank`), each with all its boxes of
    the label, until the cap is reached; of the last photograph, boxes are taken in the order of the table. The order
    is the same for all labels, so labels share photographs, and it does not depend on which rows there are: more rows
    or a higher cap keep what was drawn, as far as there is room.

    Parameters
    ----------
    rows : SourceRows
        What the source found.
    seed : int
    max_per_class : int or None
        At most so many boxes of each label; None: all.
    min_per_class : int
        Fewer boxes of a label are an error.

    Raises
    ------
    UserError
        For a label with fewer boxes than `min_per_class`.
    """
    boxes = rows.boxes[~rows.boxes.assign(**rows.boxes[list(BOX)].round(6)).duplicated(["image_id", "label_id", *BOX])]
    steps = [_step("each box once", boxes)]
    labels = rows.labels or tuple(sorted(boxes["label"].unique()))
    _check_minimum(boxes, labels, min_per_class)
    if max_per_class is not None:
        boxes = _cap(boxes, seed, max_per_class)
        steps.append(_step(f"at most {max_per_class:,} of a class", boxes))
    return Selection(
        images=rows.images[rows.images["image_id"].isin(boxes["image_id"])].reset_index(drop=True),
        boxes=boxes.reset_index(drop=True),
        audit=(*rows.audit, *steps),
        labels=labels,
        files=rows.files,
    )


def _step(name: str, boxes: pd.DataFrame) -> AuditStep:
    return AuditStep(name, int(boxes["image_id"].nunique()), len(boxes))


def _cap(boxes: pd.DataFrame, seed: int, cap: int) -> pd.DataFrame:
    ranks = {image_id: rank(seed, image_id) for image_id in boxes["image_id"].unique()}
    drawn = boxes.assign(rank=boxes["image_id"].map(ranks)).sort_values("rank", kind="stable")
    return boxes.loc[drawn.groupby("label").head(cap).index.sort_values()]


def _check_minimum(boxes: pd.DataFrame, labels: tuple[str, ...], minimum: int) -> None:
    counts = boxes["label"].value_counts()
    few = [(int(counts.get(label, 0)), label) for label in labels if counts.get(label, 0) < minimum]
    if few:
        count, label = min(few)
        raise UserError(
            f"a class needs at least {minimum} boxes (metadata.min_per_class), {label} has {count}; "
            "widen its expression, add subsets, or lower the minimum"
        )
