"""The embedded source: a small world shaped like Open Images that the project draws itself, offline.

It gives tables and files; the drawing itself is in `drawing`, what is wrong with the pictures in `sample_flaws`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from imageset import records
from imageset.classes import ClassNode, ClassTree, Labelling
from imageset.ids import rank
from imageset.progress import tracking
from imageset.sources.base import AuditStep, SourceRows
from imageset.sources.drawing.scenes import SceneBox
from imageset.sources.sample_flaws import Fate, fates
from imageset.sources.sample_prints import Print, make_print, scene_of

_T = TypeVar("_T")

_CLASS_OF = {
    "hamburger": "/m/0cdn1",
    "hot dog": "/m/01b9xk",
    "sandwich": "/m/0l515",
    "apple": "/m/014j1m",
    "orange": "/m/0cyhj_",
    "coffee cup": "/m/02p5f1q",
    "doughnut": "/m/0jy4k",
}
# Id, name and children: Open Images' ids, in a shorter tree.
_TREE = (
    ("/m/02wbm", "Food", ("/m/01b9xk", "/m/0l515", "/m/02xwb", "/m/0jy4k")),
    ("/m/0l515", "Sandwich", ("/m/0cdn1",)),
    ("/m/0cdn1", "Hamburger", ()),
    ("/m/01b9xk", "Hot dog", ()),
    ("/m/02xwb", "Fruit", ("/m/014j1m", "/m/0cyhj_")),
    ("/m/014j1m", "Apple", ()),
    ("/m/0cyhj_", "Orange", ()),
    ("/m/0jy4k", "Doughnut", ()),
    ("/m/04brg2", "Tableware", ("/m/02p5f1q",)),
    ("/m/02p5f1q", "Coffee cup", ()),
)
_LICENCES: tuple[str | None, ...] = (
    *["https://creativecommons.org/licenses/by/2.0/"] * 30,
    *["https://creativecommons.org/licenses/by-sa/2.0/"] * 2,
    "https://creativecommons.org/publicdomain/zero/1.0/",
    None,
)
_AUTHORS: tuple[str | None, ...] = (
    "Ada Krume",
    "Béla Senf",
    "Chiara Toast",
    "Dmitri Olive",
    "Эмма Булка",
    "文 三明治",
    None,
)
_TITLES: tuple[str | None, ...] = ("Lunch", "At the counter", "Picnic, second day", "What we ate", "IMG_0417.JPG", None)
_SUBSETS = ("train",) * 7 + ("validation",) + ("test",) * 2


@dataclass(frozen=True)
class SampleSource:
    """The sample.

    Attributes
    ----------
    images : int
        How many pictures there are.
    seed : int
        Draws all of it; another number of pictures with the same seed shows the same scenes, flawed differently.
    folder : Path
        An empty folder to draw into, relative to the root of the project, as the links say it, which is also where
        the program runs.
    """

    images: int
    seed: int
    folder: Path

    def tree(self) -> ClassTree:
        """The classes; boxes are counted by composing every scene, without drawing it (2 ms each)."""
        boxes, images = Counter[str](), Counter[str]()
        for kinds in self._kinds:
            boxes.update(_CLASS_OF[kind] for kind in kinds)
            images.update({_CLASS_OF[kind] for kind in kinds})
        return ClassTree(
            tuple(
                ClassNode(class_id, name, children, boxes[class_id], images[class_id])
                for class_id, name, children in _TREE
            )
        )

    def rows(self, labelling: Labelling) -> SourceRows:
        """Draw the pictures that have a box of a wanted class, and say what is on them.

        The same bytes and rows for the same seed and number of pictures; about 20 ms for each picture.
        """
        wanted = [
            number
            for number, kinds in enumerate(self._kinds)
            if any(labelling.label(_CLASS_OF[kind]) is not None for kind in kinds)
        ]
        image_rows, box_rows = list[dict[str, Any]](), list[dict[str, Any]]()
        with tracking("draw", len(wanted)) as advance:
            for number in wanted:
                image_id = self._image_id(number)
                made = make_print(self.seed, number, self._fates[number])
                image_rows.append(self._publish(image_id, made))
                box_rows += self._box_rows(image_id, made.boxes, labelling)
                advance()
        images = _sorted(image_rows, records.IMAGES.names, ["image_id"])
        boxes = _sorted(box_rows, records.BOXES.names, ["image_id", "label_id", *records.BOX])
        everything = AuditStep("in the source", self.images, sum(len(kinds) for kinds in self._kinds))
        left = AuditStep("of the wanted classes", len(images), len(boxes))
        return SourceRows(images, boxes, (everything, left), labelling.labels)

    @cached_property
    def _fates(self) -> list[Fate]:
        return fates(self.images, self.seed)

    @cached_property
    def _kinds(self) -> list[tuple[str, ...]]:
        """What has a box on each picture."""
        return [tuple(box.kind for box in scene_of(self.seed, fate.scene).boxes) for fate in self._fates]

    def _image_id(self, number: int) -> str:
        return hashlib.sha256(f"{self.seed}:{number}".encode()).hexdigest()[:16]

    def _publish(self, image_id: str, made: Print) -> dict[str, Any]:
        """Write the files of a picture and give its row of `records.IMAGES`."""
        files = {f"{image_id}.jpg": made.at_first_link}
        if made.has_second_link:
            files[f"{image_id}_copy.jpg"] = made.at_second_link
        for name, data in files.items():
            if data is not None:
                (self.folder / name).write_bytes(data)
        return {
            "image_id": image_id,
            "subset": self._pick("subset", image_id, _SUBSETS),
            "urls": [f"file:{(self.folder / name).as_posix()}" for name in files],
            "md5": hashlib.md5(made.original, usedforsecurity=False).hexdigest(),
            "bytes": len(made.original),
            "license": self._pick("licence", image_id, _LICENCES),
            "author": self._pick("author", image_id, _AUTHORS),
            "title": self._pick("title", image_id, _TITLES),
            "landing_url": f"https://example.org/photos/{image_id}",
            "rotation": made.rotation,
        }

    def _box_rows(self, image_id: str, boxes: tuple[SceneBox, ...], labelling: Labelling) -> list[dict[str, Any]]:
        rows = []
        for place, box in enumerate(boxes):
            label_id = _CLASS_OF[box.kind]
            label = labelling.label(label_id)
            if label is None:
                continue
            known = self._pick("known", f"{image_id} {place}", (True,) * 19 + (False,))
            attributes = {name: getattr(box, name) if known else -1 for name in records.ATTRIBUTES}
            sides = dict(zip(records.BOX, (box.left, box.right, box.top, box.bottom), strict=True))
            rows.append({"image_id": image_id, "label": label, "label_id": label_id, **sides, **attributes})
        return rows

    def _pick(self, what: str, key: str, choices: tuple[_T, ...]) -> _T:
        return choices[int(rank(self.seed, f"{what} {key}"), 16) % len(choices)]


def _sorted(rows: list[dict[str, Any]], columns: list[str], by: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).sort_values(by, ignore_index=True)
