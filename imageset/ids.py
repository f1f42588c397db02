"""Ids, file names and seeded order: everything that is derived by hashing, so that it is the same everywhere."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence


def crop_id(image_id: str, label_id: str, box: Sequence[float]) -> str:
    """Id of a crop: the image's id, a dash, and 8 hex digits over label id and box.

    Parameters
    ----------
    image_id, label_id : str
    box : sequence of float
        xmin, xmax, ymin, ymax as fractions 0..1; rounded to 1e-6, so that the last bits do not matter.
    """
    text = label_id + "".join(f",{side:.6f}" for side in box)
    return f"{image_id}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def rank(seed: int, key: str) -> str:
    """Where a key stands in the order that a seed gives: 64 hex digits to sort by, evenly spread.

    A key's rank does not depend on which other keys there are, so a growing table keeps its order.
    """
    return hashlib.sha256(f"{seed}:{key}".encode()).hexdigest()


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Folder name of each label: its slug, with 4 hex digits where two labels share one (more where 4 are not enough).

    No two labels get the same name, and no name leads out of a folder.
    """
    names = {label: _slug(label) for label in sorted(set(labels))}
    for digits in (4, 8, 64):
        taken = Counter(names.values())
        for label in [label for label, name in names.items() if taken[name] > 1]:
            names[label] = f"{_slug(label)}-{hashlib.sha256(label.encode()).hexdigest()[:digits]}"
    return names


def _slug(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "label"
