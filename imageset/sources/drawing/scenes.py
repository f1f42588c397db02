"""Where things stand in a picture, which boxes they have, and the painting of all of it.

Composing is cheap and needs no pixels, so that boxes can be counted without drawing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image

from imageset.sources.drawing import clutter, foods
from imageset.sources.drawing.canvas import UNIT, Canvas, Colour
from imageset.sources.drawing.grounds import ground
from imageset.sources.drawing.light import lit
from imageset.sources.drawing.shapes import Layer, cosine, ellipse, extent, placed, rectangle, shade, sine

# What a scene can hold that has a box, by a name of ours.
KINDS: dict[str, dict[str, tuple[foods.Recipe, ...]]] = {
    "hamburger": foods.HAMBURGER,
    "hot dog": foods.HOT_DOG,
    "sandwich": foods.SANDWICH,
    "apple": clutter.APPLE,
    "orange": clutter.ORANGE,
    "coffee cup": clutter.CUP,
    "doughnut": clutter.DOUGHNUT,
}
FOODS = ("hamburger", "hot dog", "sandwich")
_FRUIT = ("apple", "orange", "coffee cup", "doughnut")

_SIZES = ((400, 300), (300, 400), (352, 352), (416, 312), (384, 288))

Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class SceneBox:
    """A box around a thing.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    left, right, top, bottom : float
        Cut off at the edges of the picture. In pixels of the scene, whole sixteenths of them; `sample_prints` turns
        them into fractions of what is stored.
    is_occluded, is_truncated, is_group_of, is_depiction, is_inside : int
        1 (yes) or 0 (no).
    """

    kind: str
    left: float
    right: float
    top: float
    bottom: float
    is_occluded: int = 0
    is_truncated: int = 0
    is_group_of: int = 0
    is_depiction: int = 0
    is_inside: int = 0


@dataclass(frozen=True)
class Scene:
    """A composed picture: its size in pixels, its layers from back to front, its boxes, and the seed of its light."""

    width: int
    height: int
    layers: tuple[Layer, ...]
    boxes: tuple[SceneBox, ...]
    light: int


def compose(rng: Random) -> Scene:
    """Think up a scene.

    Parameters
    ----------
    rng : random.Random
        Everything comes from it: the same state gives the same scene.

    Returns
    -------
    Scene
        With one to three foods in most cases, sometimes a heap of them, a drawn sign of one, a tiny one far away,
        or none.
    """
    width, height = rng.choice(_SIZES)
    table = _Table(rng, width, height)
    event = rng.randrange(100)
    if event < 4:
        table.add_heap(rng.choice(FOODS))
    elif event < 8:
        table.add_sign(rng.choice(FOODS))
    wanted = 0 if event >= 97 else rng.choice((1, 2, 2, 2, 3))
    for _ in range(wanted):
        table.add_food(rng.choice(FOODS), wanted)
    for _ in range(rng.randrange(1 if wanted else 2, 4)):
        table.add_fruit()
    if 8 <= event < 14:
        table.add_tiny(rng.choice(FOODS))
    return table.scene()


def paint(scene: Scene) -> Image.Image:
    """Draw a scene.

    Returns
    -------
    PIL.Image.Image
        RGB, the same pixels on every machine.
    """
    canvas = Canvas(scene.width, scene.height, (128, 128, 128))
    for layer in scene.layers:
        canvas.fill(layer.contours, layer.colour, layer.opacity)
    return lit(canvas.image, Random(scene.light))  # noqa: S311 - draws pictures, guards nothing


class _Table:
    """A scene in the making."""

    def __init__(self, rng: Random, width: int, height: int) -> None:
        self._rng, self._width, self._height = rng, width, height
        self._view = rng.choice(("side", "top"))
        self._low = 0 if self._view == "top" else height * rng.randrange(35, 60) // 100
        self._back = list(ground(rng, width, height, self._low))
        self._under: list[Layer] = []
        self._front: list[tuple[int, list[Layer]]] = []
        self._taken: list[Rectangle] = []
        self._boxes: list[SceneBox] = []
        self._strew(rng.randrange(2, 5))

    def scene(self) -> Scene:
        """What has been put on the table so far."""
        front = [layer for _, layers in sorted(self._front, key=lambda item: item[0]) for layer in layers]
        layers = (*self._back, *self._under, *front)
        return Scene(self._width, self._height, layers, tuple(self._boxes), self._rng.randrange(2**32))

    def add_food(self, kind: str, crowd: int) -> None:
        """Put a food down, on a plate or paper or neither, perhaps cut off by the edge or partly hidden.

        `crowd` is how many foods there will be: the more, the smaller each.
        """
        rng, angle = self._rng, self._angle(kind)
        size = rng.randrange(48, 100) * (100 - 12 * crowd) // 100
        thing = placed(self._made(kind), (0, 0), size * UNIT, angle, mirrored=rng.randrange(2) == 1)
        spot = self._spot(thing, over_edge=rng.randrange(8) == 0)
        if spot is None:
            return
        self._serve(spot, size)
        layers = _moved(thing, spot)
        self._put(layers)
        hidden = rng.randrange(6) == 0 and self._hide(spot, size, angle)
        self._box(kind, layers, is_occluded=int(hidden))

    def add_fruit(self) -> None:
        """Put something with a class of its own beside the foods."""
        kind, size = self._rng.choice(_FRUIT), self._rng.randrange(22, 46)
        self._stand(kind, placed(self._made(kind), (0, 0), size * UNIT, self._rng.randrange(-15, 16)))

    def add_tiny(self, kind: str) -> None:
        """Put down a food of some ten pixels."""
        self._stand(kind, placed(self._made(kind), (0, 0), self._rng.randrange(4, 7) * UNIT))

    def add_heap(self, kind: str) -> None:
        """Put down seven of a kind, one over the other, under one box."""
        heap: list[Layer] = []
        for row, count in ((0, 4), (1, 3)):
            for column in range(count):
                at = ((2 * column - count + 1) * 24 * UNIT, -row * 26 * UNIT + self._rng.randrange(-60, 60))
                heap += placed(self._made(kind), at, 26 * UNIT, self._rng.randrange(-12, 13))
        self._stand(kind, heap, is_group_of=1)

    def add_sign(self, kind: str) -> None:
        """Hang up a board with a food drawn on it in one ink; the box is around the drawing."""
        ink, board = self._rng.choice(clutter.CLOTHS[4:]), self._rng.choice(clutter.CLOTHS[:4])
        shapes = placed(self._made(kind), (0, 0), 34 * UNIT)
        drawing = [replace(layer, colour=shade(ink, 60 + 25 * (n % 3))) for n, layer in enumerate(shapes)]
        frame = [_square(48, shade(board, 60)), _square(44, board)]
        spot = self._spot([*frame, *drawing])
        if spot is not None:
            self._put(_moved([*frame, *drawing], spot))
            self._box(kind, _moved(drawing, spot), is_depiction=1)

    def _made(self, kind: str) -> list[Layer]:
        return self._rng.choice(KINDS[kind][self._view])(self._rng)

    def _stand(self, kind: str, thing: list[Layer], **attributes: int) -> None:
        """Put a thing where there is room for it, if there is, and give it a box."""
        spot = self._spot(thing)
        if spot is not None:
            self._put(_moved(thing, spot))
            self._box(kind, _moved(thing, spot), **attributes)

    def _angle(self, kind: str) -> int:
        if self._view == "side":
            return self._rng.randrange(-10, 11)
        return self._rng.randrange(360) if kind == "hot dog" else self._rng.randrange(-20, 21)

    def _clutter(self, at: tuple[int, int], size: int) -> list[Layer]:
        """Something without a class; from the side it stands, from above it lies any way round."""
        thing = self._rng.choice(clutter.NAMELESS[self._view])(self._rng)
        angle = self._rng.randrange(360) if self._view == "top" else self._rng.randrange(-12, 13)
        return placed(thing, at, size, angle)

    def _spot(self, thing: list[Layer], *, over_edge: bool = False) -> tuple[int, int] | None:
        """Find a place where a thing touches none that has a box, or None after thirty tries."""
        left, top, right, bottom = extent(thing)
        across, down = self._width * UNIT, self._height * UNIT
        for _ in range(30):
            x = self._rng.randrange(-left, max(across - right, 1 - left))
            low = max(-top, self._low * UNIT - bottom)
            y = self._rng.randrange(low, max(down - bottom, low + 1))
            if over_edge:
                beyond = (right - left) * self._rng.randrange(12, 34) // 100
                x = self._rng.choice((-left - beyond, across - right + beyond))
            area = (x + left, y + top, x + right, y + bottom)
            if not any(_overlap(area, other) for other in self._taken):
                self._taken.append(area)
                return x, y
        return None

    def _serve(self, spot: tuple[int, int], size: int) -> None:
        """Lay a plate or paper under a place; every other time nothing."""
        rng = self._rng
        wide = size * rng.randrange(105, 150) // 100 * UNIT
        x, y = spot
        choice = rng.randrange(4)
        if choice == 0:
            flat, drop = (1000, 0) if self._view == "top" else (rng.randrange(200, 340), size * UNIT * 45 // 100)
            self._under += placed(clutter.plate(rng, flat), (x, y + drop), wide)
        elif choice == 1 and self._view == "top":
            self._under += placed(clutter.paper(rng), (x, y), wide, rng.randrange(90))

    def _hide(self, spot: tuple[int, int], size: int, angle: int) -> bool:
        """Put something over one end of the thing put down last, unless it would get in the way of another."""
        far = self._rng.choice((-780, 780)) * size * UNIT // 1000
        at = (spot[0] + far * cosine(angle) // 2**14, spot[1] + far * sine(angle) // 2**14)
        lid = self._clutter(at, size * UNIT * 45 // 100)
        if any(_overlap(extent(lid), other) for other in self._taken[:-1]):
            return False
        self._taken.append(extent(lid))
        self._front.append((self._front[-1][0] + 1, lid))
        return True

    def _strew(self, count: int) -> None:
        """Lay clutter without a class below everything else."""
        for _ in range(count):
            at = (self._rng.randrange(self._width) * UNIT, self._rng.randrange(self._low, self._height) * UNIT)
            self._under += self._clutter(at, self._rng.randrange(20, 46) * UNIT)

    def _put(self, layers: list[Layer]) -> None:
        left, _, right, bottom = extent(layers)
        wide, drop = (right - left) // 2, (right - left) // 24
        if self._view == "side":
            shadow = ellipse((left + right) // 2, bottom - drop, wide, wide // 6 + 1)
            self._under.append(Layer((shadow,), (20, 16, 12), 90))
        else:
            outlines = tuple(c + np.array([drop, drop]) for layer in layers[:2] for c in layer.contours)
            self._under.append(Layer(outlines, (20, 16, 12), 90))
        self._front.append((bottom, layers))

    def _box(self, kind: str, layers: list[Layer], **attributes: int) -> None:
        left, top, right, bottom = extent(layers)
        across, down = self._width * UNIT, self._height * UNIT
        cut = left < 0 or top < 0 or right > across or bottom > down
        sides = (max(left, 0) / UNIT, min(right, across) / UNIT, max(top, 0) / UNIT, min(bottom, down) / UNIT)
        self._boxes.append(SceneBox(kind, *sides, is_truncated=int(cut), **attributes))


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _moved(layers: Iterable[Layer], by: tuple[int, int]) -> list[Layer]:
    return [replace(layer, contours=tuple(contour + np.array(by) for contour in layer.contours)) for layer in layers]


def _square(half: int, colour: Colour) -> Layer:
    return Layer((rectangle(-half * UNIT, -half * UNIT, half * UNIT, half * UNIT),), colour)
