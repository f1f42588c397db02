"""What every source of labels gives: the tree of its classes, and the rows of the wanted ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd

from imageset.classes import ClassTree, Labelling


@dataclass(frozen=True)
class AuditStep:
    """How many rows were left after one filter."""

    step: str
    images: int
    boxes: int


@dataclass(frozen=True)
class SourceRows:
    """The rows of the wanted classes.

    Attributes
    ----------
    images : pandas.DataFrame
        Schema `records.IMAGES`, sorted; one row for each image that a box refers to and the source describes.
    boxes : pandas.DataFrame
        Schema `records.BOXES`, sorted; `label` is already the label of this dataset.
    audit : tuple of AuditStep
        What each filter of the source left, in order, beginning with everything the source has.
    labels : tuple of str
        The labels that were asked for, sorted: those too that no box has.
    files : mapping of str to str
        URL of each file that was read, and its ETag (where the server gives none, its size in bytes).
    """

    images: pd.DataFrame
    boxes: pd.DataFrame
    audit: tuple[AuditStep, ...]
    labels: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A source of labels and links."""

    def tree(self) -> ClassTree:
        """The classes of the source, with how many boxes and images each has."""
        ...

    def rows(self, labelling: Labelling) -> SourceRows:
        """The rows whose class id has a label.

        Raises
        ------
        UserError
            When the source cannot be read, lacks a column or holds a box that is none.
        """
        ...
