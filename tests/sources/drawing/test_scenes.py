"""Scenes: boxes that fit what is painted, attributes that are true, the same pixels whatever the processor can do."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from imageset.sources.drawing.canvas import UNIT
from imageset.sources.drawing.foods import HAMBURGER, HOT_DOG, SANDWICH, Recipe
from imageset.sources.drawing.scenes import Scene, SceneBox, compose, paint
from imageset.sources.drawing.shapes import extent, placed

PRINT_HASHES = """
import hashlib
from random import Random
from imageset.sources.drawing.scenes import compose, paint
for seed in range(3):
    print(hashlib.sha256(paint(compose(Random(seed))).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [compose(Random(seed)) for seed in range(120)]


def test_pixels_do_not_depend_on_what_the_processor_can_do() -> None:
    here = [hashlib.sha256(paint(compose(Random(seed))).tobytes()).hexdigest() for seed in range(3)]
    plain = os.environ | {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX", "PYTHONHASHSEED": "5"}
    other = subprocess.run([sys.executable, "-c", PRINT_HASHES], env=plain, capture_output=True, text=True, check=True)
    assert other.stdout.split() == here


def test_boxes_lie_within_the_picture(scenes: list[Scene]) -> None:
    for scene in scenes:
        for box in scene.boxes:
            assert 0 <= box.left < box.right <= scene.width
            assert 0 <= box.top < box.bottom <= scene.height


def test_boxed_things_keep_apart(scenes: list[Scene]) -> None:
    """So a thing that is not called occluded is hidden by nothing that has a box."""
    for scene in scenes:
        foods = [box for box in scene.boxes if not box.is_depiction]
        for number, one in enumerate(foods):
            assert not any(overlap(one, other) for other in foods[number + 1 :])


def test_every_attribute_is_there_and_rare(scenes: list[Scene]) -> None:
    boxes = [box for scene in scenes for box in scene.boxes if box.kind in ("hamburger", "hot dog", "sandwich")]
    for name in ("is_occluded", "is_truncated", "is_group_of", "is_depiction"):
        count = sum(getattr(box, name) for box in boxes)
        assert 0 < count < len(boxes) / 4, name
    assert any(min(box.right - box.left, box.bottom - box.top) < 16 for box in boxes)


def test_what_is_truncated_touches_an_edge(scenes: list[Scene]) -> None:
    for scene in scenes:
        for box in (box for box in scene.boxes if box.is_truncated):
            assert box.left == 0 or box.top == 0 or box.right == scene.width or box.bottom == scene.height


def test_a_box_is_tight_around_what_is_painted() -> None:
    """Without the layers of its thing, a picture changes within the box, up to each of its sides, and nowhere else."""
    checked = 0
    for seed in range(40):
        scene = compose(Random(seed))
        for box in scene.boxes:
            if box.is_truncated or box.is_occluded or box.is_depiction or box.right - box.left < 16:
                continue
            left, top, right, bottom = changed_without(scene, box)
            assert abs(left - box.left) <= 2
            assert abs(top - box.top) <= 2
            assert abs(right - box.right) <= 2
            assert abs(bottom - box.bottom) <= 2
            checked += 1
        if checked > 8:
            return
    pytest.fail("too few boxes to look at")


@pytest.mark.parametrize("recipes", [HAMBURGER, HOT_DOG, SANDWICH])
def test_foods_fill_their_unit_and_turn_about_its_middle(recipes: dict[str, tuple[Recipe, ...]]) -> None:
    for recipe in {recipe for view in recipes.values() for recipe in view}:
        for seed in range(20):
            left, top, right, bottom = extent(recipe(Random(seed)))
            assert -1350 < left < -700
            assert 700 < right < 1350
            assert -1500 < top < bottom < 1500
            turned = extent(placed(recipe(Random(seed)), (0, 0), 1000, 90))
            assert turned == pytest.approx((-bottom, left, -top, right), abs=2)


def changed_without(scene: Scene, box: SceneBox) -> tuple[int, int, int, int]:
    """Where the picture differs when the layers inside a box, save those that stay below, are left out."""
    sides = [round(value * UNIT) for value in (box.left, box.top, box.right, box.bottom)]
    kept = tuple(layer for layer in scene.layers if not within(extent([layer]), sides) or layer.opacity == 90)
    with_it = np.asarray(paint(scene)).astype(int)
    without = np.asarray(paint(replace(scene, layers=kept))).astype(int)
    rows, columns = np.nonzero(np.abs(with_it - without).sum(axis=2) > 0)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def within(inner: tuple[int, int, int, int], outer: list[int]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def overlap(one: SceneBox, other: SceneBox) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > 0.01 and down > 0.01
