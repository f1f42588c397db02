"""Filled polygons: coverage against the exact area, and the same on either way round."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageset.sources.drawing.canvas import UNIT, Canvas
from imageset.sources.drawing.shapes import band, ellipse, outline, rectangle

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
corner = st.tuples(st.integers(0, 40 * UNIT), st.integers(0, 30 * UNIT))


def covered(*contours: np.ndarray, opacity: int = 255) -> np.ndarray:
    """(30, 40) coverage 0..1 of a filled shape."""
    canvas = Canvas(40, 30, BLACK)
    canvas.fill(contours, WHITE, opacity)
    return np.asarray(canvas.image)[:, :, 0] / 255


def test_a_rectangle_on_the_grid_fills_its_pixels_and_no_other() -> None:
    filled = covered(rectangle(3 * UNIT, 4 * UNIT, 10 * UNIT, 9 * UNIT))
    expected = np.zeros((30, 40))
    expected[4:9, 3:10] = 1
    np.testing.assert_array_equal(filled, expected)


def test_half_a_pixel_gets_half_the_colour() -> None:
    filled = covered(rectangle(3 * UNIT + UNIT // 2, 4 * UNIT, 10 * UNIT, 5 * UNIT))
    assert filled[4, 3] == pytest.approx(0.5, abs=0.01)
    assert filled[4, 4] == 1


@given(corners=st.lists(corner, min_size=3, max_size=3))
def test_a_triangle_covers_its_area_whichever_way_round(corners: list[tuple[int, int]]) -> None:
    (x0, y0), (x1, y1), (x2, y2) = corners
    area = abs((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2 / UNIT**2
    filled = covered(outline(corners))
    np.testing.assert_array_equal(filled, covered(outline(corners[::-1])))
    assert filled.sum() == pytest.approx(area, abs=0.5 + 0.02 * area)


@given(shift=st.tuples(st.integers(-60, 60), st.integers(-60, 60)))
def test_what_lies_outside_changes_nothing_inside(shift: tuple[int, int]) -> None:
    """A shape that hangs over the edge gives the pixels that it has on a larger picture."""
    dx, dy = shift[0] * UNIT, shift[1] * UNIT
    shape = ellipse(20 * UNIT, 15 * UNIT, 17 * UNIT, 11 * UNIT) + np.array([dx, dy])
    large = Canvas(240, 240, BLACK)
    large.fill([shape + np.array([100 * UNIT, 100 * UNIT])], WHITE)
    np.testing.assert_array_equal(covered(shape), np.asarray(large.image)[100:130, 100:140, 0] / 255)


def test_polygons_that_overlap_are_one_shape() -> None:
    strip, *ends = band([(8 * UNIT, 15 * UNIT), (30 * UNIT, 15 * UNIT)], 4 * UNIT, round_ends=True)
    filled = covered(strip, *ends)
    assert filled[15, 8] == filled[15, 20] == filled[15, 5] == 1
    assert filled.sum() == pytest.approx(22 * 8 + np.pi * 16, rel=0.05)


def test_opacity_lets_through_what_is_below() -> None:
    filled = covered(rectangle(0, 0, 40 * UNIT, 30 * UNIT), opacity=51)
    assert np.unique(filled) == pytest.approx([0.2])
