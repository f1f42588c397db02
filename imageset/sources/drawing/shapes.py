"""Outlines that things are made of, and how they are turned and put in their place. Integers only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imageset.sources.drawing.canvas import Colour, Contour

_ONE = 1 << 14
# A whole turn in degrees; rounded, so that a sine whose last bit differs between machines makes no difference.
_SIN = [round(_ONE * math.sin(math.radians(degree))) for degree in range(360)]


@dataclass(frozen=True)
class Layer:
    """Polygons in one colour.

    Attributes
    ----------
    contours : tuple of int64 array, shape (n, 2)
        Thousandths of the thing's half width while it is being made, sixteenths of a pixel once it has been placed.
    colour : tuple of int
        Red, green, blue, 0..255.
    opacity : int
        0 to 255.
    """

    contours: tuple[Contour, ...]
    colour: Colour
    opacity: int = 255


def outline(points: Iterable[tuple[int, int]]) -> Contour:
    """Polygon through points."""
    return np.array(list(points), dtype=np.int64)


def arc(x: int, y: int, rx: int, ry: int, *, start: int = 0, stop: int = 360, step: int = 10) -> list[tuple[int, int]]:
    """Points on an ellipse, from `start` to `stop` degrees; 0 is right, 90 is down."""
    return [(x + rx * cosine(a) // _ONE, y + ry * sine(a) // _ONE) for a in range(start, stop + 1, step)]


def ellipse(x: int, y: int, rx: int, ry: int, step: int = 10) -> Contour:
    """Whole ellipse around a point."""
    return outline(arc(x, y, rx, ry, stop=359, step=step))


def rectangle(left: int, top: int, right: int, bottom: int, radius: int = 0) -> Contour:
    """Upright rectangle, with round corners where a radius is given."""
    if not radius:
        return outline([(left, top), (right, top), (right, bottom), (left, bottom)])
    x0, y0, x1, y1 = left + radius, top + radius, right - radius, bottom - radius
    corners = [(x1, y1, 0), (x0, y1, 90), (x0, y0, 180), (x1, y0, 270)]
    return outline(point for x, y, a in corners for point in arc(x, y, radius, radius, start=a, stop=a + 90, step=18))


def band(spine: Sequence[tuple[int, int]], half_width: int, *, round_ends: bool = False) -> tuple[Contour, ...]:
    """Strip along a line, and a disc at each end where they are to be round."""
    along = np.array(spine, dtype=np.int64)
    ahead = np.concatenate([along[1:2] - along[:1], along[2:] - along[:-2], along[-1:] - along[-2:-1]])
    lengths = np.array([[max(1, math.isqrt(int(dx * dx + dy * dy)))] for dx, dy in ahead])
    across = np.column_stack([-ahead[:, 1], ahead[:, 0]]) * half_width // lengths
    strip = np.concatenate([along + across, (along - across)[::-1]])
    ends = [ellipse(int(x), int(y), half_width, half_width, 20) for x, y in (along[0], along[-1])]
    return (strip, *ends) if round_ends else (strip,)


def placed(
    layers: Iterable[Layer], at: tuple[int, int], size: int, angle: int = 0, *, mirrored: bool = False
) -> list[Layer]:
    """Mirror (left and right), scale, turn and move layers.

    Parameters
    ----------
    layers : iterable of Layer
        In thousandths of the half width.
    at : tuple of int
        Where the origin goes.
    size : int
        What 1000 becomes, in the units of `at`.
    angle : int
        Degrees clockwise.
    mirrored : bool, default=False
    """
    c, s = cosine(angle) * size, sine(angle) * size
    x_axis = -1 if mirrored else 1
    matrix = np.array([[c * x_axis, s * x_axis], [-s, c]], dtype=np.int64)
    return [
        Layer(
            tuple(contour @ matrix // (1000 * _ONE) + np.array(at) for contour in layer.contours),
            layer.colour,
            layer.opacity,
        )
        for layer in layers
    ]


def extent(layers: Iterable[Layer]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of everything in the layers, in their own units."""
    points = np.concatenate([contour for layer in layers for contour in layer.contours])
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def shade(colour: Colour, percent: int) -> Colour:
    """Darker below 100, lighter above."""
    red, green, blue = (min(255, value * percent // 100) for value in colour)
    return red, green, blue


def sine(degrees: int) -> int:
    """Sine times 2**14."""
    return _SIN[degrees % 360]


def cosine(degrees: int) -> int:
    """Cosine times 2**14."""
    return _SIN[(degrees + 90) % 360]
