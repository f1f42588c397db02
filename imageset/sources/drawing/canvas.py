"""Fills polygons on a picture, antialiased, with integers only. What to fill: see `shapes` and `scenes`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Colour = tuple[int, int, int]
Contour = NDArray[np.int64]

UNIT = 16  # coordinates are in sixteenths of a pixel
_LINES = 4  # scan lines per row of pixels


class Canvas:
    """A picture under construction.

    Parameters
    ----------
    width, height : int
        In pixels.
    colour : tuple of int
        Red, green, blue, 0..255, of the empty canvas.
    """

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.image = Image.new("RGB", (width, height), colour)

    def fill(self, contours: Sequence[Contour], colour: Colour, opacity: int = 255) -> None:
        """Fill the union of closed polygons; what lies outside of the picture is left out.

        Parameters
        ----------
        contours : sequence of int64 array, shape (n, 2)
            x to the right and y downwards, in sixteenths of a pixel. Either direction of turning will do.
        colour : tuple of int
        opacity : int, default=255
            0 (nothing) to 255 (covers).
        """
        lines = np.concatenate([_edges(contour) for contour in contours])
        corners = lines[:, :4].reshape(-1, 2)
        left, top = (int(side) for side in np.maximum(corners.min(axis=0) // UNIT, 0))
        right, bottom = (int(side) for side in np.minimum(corners.max(axis=0) // UNIT + 1, self.image.size))
        if left < right and top < bottom:
            full = UNIT * _LINES
            covered = np.clip(_coverage(lines, (left, top, right, bottom)), 0, full) * opacity // full
            mask = Image.fromarray(covered.astype(np.uint8))
            self.image.paste(colour, (left, top, right, bottom), mask)


def _edges(contour: Contour) -> NDArray[np.int64]:
    """Edges x0, y0, x1, y1 and the sign (1 or -1) with which a crossing from the left enters the polygon."""
    after = np.roll(contour, -1, axis=0)
    turn = int((contour[:, 0] * after[:, 1] - after[:, 0] * contour[:, 1]).sum())
    enters = np.where(after[:, 1] < contour[:, 1], 1, -1) * (1 if turn >= 0 else -1)
    return np.column_stack([contour, after, enters])


def _coverage(lines: NDArray[np.int64], window: tuple[int, int, int, int]) -> NDArray[np.int64]:
    """How much of each pixel of a window the polygons cover: 0 to 64, more where polygons overlap.

    Accumulation of signed areas along scan lines: each crossing adds what is to its right to its own pixel and the
    rest to the next one; the running sum over a row is the coverage.
    """
    left, top, right, bottom = window
    step = UNIT // _LINES
    heights = np.arange(top * UNIT + step // 2, bottom * UNIT, step)
    x0, y0, x1, y1, enters = lines.T
    edge, line = np.nonzero((np.minimum(y0, y1)[:, None] <= heights) & (heights < np.maximum(y0, y1)[:, None]))
    x = x0[edge] + (heights[line] - y0[edge]) * (x1 - x0)[edge] // (y1 - y0)[edge]
    x = np.clip(x, left * UNIT, right * UNIT) - left * UNIT
    columns = right - left + 2
    cell = line // _LINES * columns + x // UNIT
    areas = np.zeros((bottom - top) * columns, dtype=np.int64)
    np.add.at(areas, cell, enters[edge] * (UNIT - x % UNIT))
    np.add.at(areas, cell + 1, enters[edge] * (x % UNIT))
    return areas.reshape(bottom - top, columns).cumsum(axis=1)[:, : right - left]
