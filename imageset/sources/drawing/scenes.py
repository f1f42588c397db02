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
from imageset.sources.drawing.shapes import Layer, band, ellipse, extent, outline, placed, rectangle, shade

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
    """A box around a thing, in pixels of the scene.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    left, right, top, bottom : float
        Within the picture, in sixteenths.
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
    wanted = 0 if event >= 97 else rng.choice((1, 1, 2, 2, 2, 3, 3))
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
    return _lit(canvas.image, Random(scene.light))  # noqa: S311 - draws pictures, guards nothing


class _Table:
    """A scene in the making."""

    def __init__(self, rng: Random, width: int, height: int) -> None:
        self._rng, self._width, self._height = rng, width, height
        self._view = rng.choice(("side", "top"))
        self._low = 0 if self._view == "top" else height * rng.randrange(35, 60) // 100
        self._back = list(_ground(rng, width, height, self._low))
        self._under: list[Layer] = []
        self._front: list[tuple[int, list[Layer]]] = []
        self._taken: list[Rectangle] = []
        self._boxes: list[SceneBox] = []
        self._strew(rng.randrange(2, 5))

    def scene(self) -> Scene:
        """What has been put on the table so far."""
        front = [layer for _, layers in sorted(self._front, key=lambda item: item[0]) for layer in layers]
        # Crumbs and specks lie over everything but hide nothing.
        layers = (*self._back, *self._under, *front)
        return Scene(self._width, self._height, layers, tuple(self._boxes), self._rng.randrange(2**32))

    def add_food(self, kind: str, crowd: int) -> None:
        """Put a food down, on a plate or paper or neither, perhaps cut off by the edge or half hidden."""
        rng = self._rng
        size = rng.randrange(48, 100) * (100 - 12 * crowd) // 100
        recipe = rng.choice(KINDS[kind][self._view])
        thing = placed(recipe(rng), (0, 0), size * UNIT, self._angle(kind), mirrored=rng.randrange(2) == 1)
        spot = self._spot(thing, over_edge=rng.randrange(7) == 0)
        if spot is None:
            return
        self._serve(spot, size)
        layers = _moved(thing, spot)
        hidden = rng.randrange(5) == 0 and self._hide(layers, spot, size)
        self._put(layers)
        self._box(kind, layers, is_occluded=int(hidden))

    def add_fruit(self) -> None:
        """Put something with a class of its own beside the foods."""
        rng, kind = self._rng, self._rng.choice(_FRUIT)
        thing = placed(rng.choice(KINDS[kind][self._view])(rng), (0, 0), rng.randrange(22, 46) * UNIT, rng.randrange(-15, 16))
        spot = self._spot(thing)
        if spot is not None:
            self._put(_moved(thing, spot))
            self._box(kind, _moved(thing, spot))

    def add_tiny(self, kind: str) -> None:
        """Put down a food of some ten pixels."""
        rng = self._rng
        thing = placed(rng.choice(KINDS[kind][self._view])(rng), (0, 0), rng.randrange(4, 7) * UNIT)
        spot = self._spot(thing)
        if spot is not None:
            self._put(_moved(thing, spot))
            self._box(kind, _moved(thing, spot))

    def add_heap(self, kind: str) -> None:
        """Put down seven of a kind, one over the other, under one box."""
        rng, heap = self._rng, list[Layer]()
        for row, count in ((0, 4), (1, 3)):
            for column in range(count):
                thing = rng.choice(KINDS[kind][self._view])(rng)
                at = ((2 * column - count + 1) * 24 * UNIT, -row * 26 * UNIT + rng.randrange(-60, 60))
                heap += placed(thing, at, 26 * UNIT, rng.randrange(-12, 13))
        spot = self._spot(heap)
        if spot is not None:
            self._put(_moved(heap, spot))
            self._box(kind, _moved(heap, spot), is_group_of=1)

    def add_sign(self, kind: str) -> None:
        """Hang up a picture of a food, in two colours."""
        rng = self._rng
        ink, board = rng.choice(clutter.CLOTHS[4:]), rng.choice(clutter.CLOTHS[:4])
        drawing = placed(rng.choice(KINDS[kind][self._view])(rng), (0, 0), 34 * UNIT)
        flat = [replace(layer, colour=shade(ink, 60 + 25 * (n % 3))) for n, layer in enumerate(drawing)]
        frame = [_rectangle_layer(48, shade(board, 60)), _rectangle_layer(44, board)]
        spot = self._spot([*frame, *flat])
        if spot is not None:
            self._put(_moved([*frame, *flat], spot))
            self._box(kind, _moved(flat, spot), is_depiction=1)

    def _angle(self, kind: str) -> int:
        if self._view == "side":
            return self._rng.randrange(-14, 15)
        return self._rng.randrange(360) if kind == "hot dog" else self._rng.randrange(-35, 36)

    def _spot(self, thing: list[Layer], *, over_edge: bool = False) -> tuple[int, int] | None:
        """Find a place where a thing touches none that has a box, or None after thirty tries."""
        left, top, right, bottom = extent(thing)
        across, down = self._width * UNIT, self._height * UNIT
        for _ in range(30):
            x = self._rng.randrange(-left, max(across - right, 1 - left))
            low = max(-top, self._low * UNIT - bottom)
            y = self._rng.randrange(low, max(down - bottom, low + 1))
            if over_edge:
                share = self._rng.randrange(15, 40)
                x = self._rng.choice((-left - (right - left) * share // 100, across - right + (right - left) * share // 100))
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

    def _hide(self, layers: list[Layer], spot: tuple[int, int], size: int) -> bool:
        """Put something over one end of a thing, unless it would get in the way of another."""
        rng = self._rng
        left, _, right, _ = extent(layers)
        x = rng.choice((left + (right - left) // 8, right - (right - left) // 8))
        recipe = rng.choice(clutter.NAMELESS[self._view])
        lid = placed(recipe(rng), (x, spot[1] + rng.randrange(-size, size) * UNIT // 5), size * UNIT * 45 // 100, rng.randrange(360))
        if any(_overlap(extent(lid), other) for other in self._taken[:-1]):
            return False
        self._taken.append(extent(lid))
        self._front.append((extent(layers)[3] + 1, lid))
        return True

    def _strew(self, count: int) -> None:
        """Lay clutter without a class below everything else."""
        rng = self._rng
        for _ in range(count):
            recipe, size = rng.choice(clutter.NAMELESS[self._view]), rng.randrange(24, 70)
            at = (rng.randrange(self._width) * UNIT, rng.randrange(self._low, self._height) * UNIT)
            angle = rng.randrange(360) if self._view == "top" else rng.randrange(-10, 11)
            self._under += placed(recipe(rng), at, size * UNIT, angle)

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


def _rectangle_layer(half: int, colour: Colour) -> Layer:
    return Layer((rectangle(-half * UNIT, -half * UNIT, half * UNIT, half * UNIT),), colour)


def _ground(rng: Random, width: int, height: int, low: int) -> Iterable[Layer]:
    """Table top, and above the line `low` a wall, in sixteenths of a pixel."""
    across, down, edge = width * UNIT, height * UNIT, low * UNIT
    table = rng.choice(clutter.CLOTHS + foods.BREADS)
    yield Layer((rectangle(0, edge, across, down),), table)
    yield from _pattern(rng, table, (0, edge, across, down))
    if low:
        wall = shade(rng.choice(clutter.CLOTHS), rng.randrange(60, 105))
        yield Layer((rectangle(0, 0, across, edge),), wall)
        yield from _pattern(rng, wall, (0, 0, across, edge))
        blobs = tuple(
            ellipse(rng.randrange(across), rng.randrange(edge), *[rng.randrange(200, 500)] * 2) for _ in range(rng.randrange(6))
        )
        if blobs:
            yield Layer(blobs, shade(rng.choice(clutter.CLOTHS), 115), 90)


def _pattern(rng: Random, ground: Colour, area: Rectangle) -> Iterable[Layer]:
    """Planks, tiles, a chequered cloth or nothing."""
    left, top, right, bottom = area
    pitch, choice = rng.randrange(24, 60) * UNIT, rng.randrange(4)
    upright = [rectangle(x, top, x + pitch // 2, bottom) for x in range(left, right, pitch)]
    level = [rectangle(left, y, right, min(y + pitch // 2, bottom)) for y in range(top, bottom, pitch)]
    seams = [rectangle(left, y, right, y + UNIT * 3 // 2) for y in range(top + pitch // 2, bottom, pitch)]
    if choice == 0:
        yield Layer(tuple(upright), shade(ground, 86), 150)
        yield Layer(tuple(level), shade(ground, 86), 150)
    elif choice == 1:
        yield Layer(tuple(level), shade(ground, rng.choice((92, 107))))
        yield Layer(tuple(seams), shade(ground, 62))
    elif choice == 2:
        joints = [rectangle(x, top, x + UNIT * 3 // 2, bottom) for x in range(left, right, pitch)]
        yield Layer(tuple(joints), shade(ground, 72))
        yield Layer(tuple(seams), shade(ground, 72))


def _lit(image: Image.Image, rng: Random) -> Image.Image:
    """Light from one side, in a warm or cold colour, and the grain of a sensor."""
    pixels = np.asarray(image).astype(np.int64)
    height, width, _ = pixels.shape
    down = np.arange(height)[:, None] * rng.randrange(-80, 81) // height
    across = np.arange(width)[None, :] * rng.randrange(-80, 81) // width
    bright = (rng.randrange(180, 290) + down + across)[:, :, None]
    tint = np.array([rng.randrange(215, 290) for _ in range(3)])
    grain = np.frombuffer(rng.randbytes(height * width), dtype=np.uint8).reshape(height, width, 1).astype(np.int64)
    lit = (pixels * bright * tint >> 16) + (grain % 16 + grain // 16 - 15) * rng.randrange(1, 6) // 8
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
