"""What a scene stands on and before: table tops and walls."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from imageset.sources.drawing.canvas import UNIT, Colour
from imageset.sources.drawing.clutter import CLOTHS
from imageset.sources.drawing.foods import BREADS
from imageset.sources.drawing.shapes import Layer, ellipse, rectangle, shade


def ground(rng: Random, width: int, height: int, low: int) -> Iterable[Layer]:
    """Paint a table top and, above it, a wall.

    Parameters
    ----------
    rng : random.Random
    width, height : int
        Of the picture, in pixels.
    low : int
        Where the wall ends, in pixels from above; 0: no wall.

    Yields
    ------
    Layer
        From back to front, in sixteenths of a pixel.
    """
    across, down, edge = width * UNIT, height * UNIT, low * UNIT
    table = rng.choice(CLOTHS + BREADS)
    yield Layer((rectangle(0, edge, across, down),), table)
    yield from _pattern(rng, table, (0, edge, across, down))
    if low:
        wall = shade(rng.choice(CLOTHS), rng.randrange(60, 105))
        yield Layer((rectangle(0, 0, across, edge),), wall)
        yield from _pattern(rng, wall, (0, 0, across, edge))
        blobs = tuple(
            ellipse(rng.randrange(across), rng.randrange(edge), *[rng.randrange(200, 500)] * 2)
            for _ in range(rng.randrange(6))
        )
        if blobs:
            yield Layer(blobs, shade(rng.choice(CLOTHS), 115), 90)


def _pattern(rng: Random, colour: Colour, area: tuple[int, int, int, int]) -> Iterable[Layer]:
    """Planks, tiles, a chequered cloth or nothing."""
    left, top, right, bottom = area
    pitch, choice = rng.randrange(24, 60) * UNIT, rng.randrange(4)
    upright = [rectangle(x, top, x + pitch // 2, bottom) for x in range(left, right, pitch)]
    level = [rectangle(left, y, right, min(y + pitch // 2, bottom)) for y in range(top, bottom, pitch)]
    seams = [rectangle(left, y, right, y + UNIT * 3 // 2) for y in range(top + pitch // 2, bottom, pitch)]
    if choice == 0:
        yield Layer(tuple(upright), shade(colour, 86), 150)
        yield Layer(tuple(level), shade(colour, 86), 150)
    elif choice == 1:
        yield Layer(tuple(level), shade(colour, rng.choice((92, 107))))
        yield Layer(tuple(seams), shade(colour, 62))
    elif choice == 2:
        joints = [rectangle(x, top, x + UNIT * 3 // 2, bottom) for x in range(left, right, pitch)]
        yield Layer(tuple(joints), shade(colour, 72))
        yield Layer(tuple(seams), shade(colour, 72))
