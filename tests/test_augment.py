"""Augmentation: repeatable, and geometrically what the parameters say."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from imageset.augment import Augmenter
from imageset.determinism import make_deterministic
from imageset.params import AugmentParams

SIDE = (33, 41)  # height, width: odd, so that there is a pixel in the middle, and no square
MIDDLE = np.array([20.0, 16.0])  # x, y


@pytest.fixture(autouse=True, scope="module")
def _fixed_numbers():
    make_deterministic(seed=1, threads=2)


def augmenter(seed: int = 20, **amounts) -> Augmenter:
    nothing = {"flip": False, "rotation": 0, "shift": 0, "shear": 0, "zoom": 0}
    return Augmenter(AugmentParams(**(nothing | amounts)), seed)


def dots(points: np.ndarray) -> np.ndarray:
    """Black pictures (N, H, W, 1), each with one white pixel at (x, y)."""
    images = np.zeros((len(points), *SIDE, 1), np.uint8)
    for image, (x, y) in zip(images, points, strict=True):
        image[int(y), int(x)] = 255
    return images


def centres(images: tf.Tensor) -> np.ndarray:
    """Where the light of each picture is, as (x, y)."""
    light = images.numpy()[..., 0]
    total = light.sum(axis=(1, 2))
    xs = (light.sum(axis=1) * np.arange(SIDE[1])).sum(axis=1) / total
    ys = (light.sum(axis=2) * np.arange(SIDE[0])).sum(axis=1) / total
    return np.stack([xs, ys], axis=1)


def moved_dots(bender: Augmenter, point: tuple[int, int], count: int = 200) -> np.ndarray:
    images = dots(np.array([point] * count))
    return centres(bender.bend(images, bender.draw(1, count, SIDE)))


def pictures(count: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *SIDE, channels), dtype=np.uint8)


def test_without_amounts_nothing_changes():
    images = pictures(6)
    bender = augmenter()
    bent = bender.bend(images, bender.draw(3, 6, SIDE))
    assert bent.dtype == tf.float32
    np.testing.assert_array_equal(bent, images)


def test_a_pure_shift_moves_the_light_by_as_many_pixels():
    bender = augmenter(shift=0.2)
    shifts = -bender.draw(1, 200, SIDE).numpy()[:, [2, 5]]
    moved = moved_dots(bender, (20, 16)) - MIDDLE
    np.testing.assert_allclose(moved, shifts, atol=1e-3)
    limit = 0.2 * np.array([SIDE[1], SIDE[0]])
    assert (np.abs(moved) <= limit + 1e-3).all()
    assert (moved.max(axis=0) > 0.8 * limit).all()
    assert (moved.min(axis=0) < -0.8 * limit).all()


def test_whole_pixels_are_moved_exactly():
    images = pictures(1)
    bent = augmenter().bend(images, tf.constant([[1.0, 0, -3, 0, 1, 2, 0, 0]]))
    np.testing.assert_array_equal(bent[0, :-2, 3:], images[0, 2:, :-3])
    np.testing.assert_array_equal(bent[0, 0, :3], np.repeat(images[0, 2, :1], 3, axis=0))


def test_flip_mirrors_about_half_of_the_crops_left_to_right():
    images = np.repeat(pictures(1), 100, axis=0)
    bender = augmenter(flip=True)
    bent = bender.bend(images, bender.draw(1, 100, SIDE)).numpy()
    mirrored = [np.array_equal(image, images[0][:, ::-1]) for image in bent]
    same = [np.array_equal(image, images[0]) for image in bent]
    assert np.logical_xor(mirrored, same).all()
    assert 35 <= sum(mirrored) <= 65


def test_rotation_keeps_the_distance_and_stays_within_its_degrees():
    offsets = moved_dots(augmenter(rotation=30), (32, 16)) - MIDDLE
    np.testing.assert_allclose(np.hypot(*offsets.T), 12, atol=0.4)
    degrees = np.degrees(np.arctan2(offsets[:, 1], offsets[:, 0]))
    assert 25 < degrees.max() < 32
    assert -32 < degrees.min() < -25


def test_zoom_scales_about_the_middle():
    offsets = moved_dots(augmenter(zoom=0.2), (30, 10)) - MIDDLE
    scales = offsets / [10, -6]
    assert scales.min() > 1 / 1.2 - 0.03
    assert scales.max() < 1 / 0.8 + 0.03
    assert scales.max() - scales.min() > 0.3
    np.testing.assert_allclose(scales[:, 0], scales[:, 1], atol=0.1)


def test_shear_moves_rows_sideways_only():
    offsets = moved_dots(augmenter(shear=0.5), (20, 26)) - MIDDLE
    np.testing.assert_allclose(offsets[:, 1], 10, atol=1e-3)
    assert 4 < offsets[:, 0].max() < 5.1
    assert -5.1 < offsets[:, 0].min() < -4


def test_outside_is_the_nearest_pixel():
    bender = augmenter(flip=True, rotation=180, shift=0.9, shear=0.9, zoom=0.9)
    grey = np.full((50, *SIDE, 1), 77, np.uint8)
    np.testing.assert_allclose(bender.bend(grey, bender.draw(1, 50, SIDE)), 77, rtol=1e-5)


def test_draws_depend_on_seed_epoch_and_index_only():
    amounts = {"flip": True, "rotation": 40, "shift": 0.2, "shear": 0.2, "zoom": 0.2}
    bender = augmenter(**amounts)
    drawn = bender.draw(3, 10, SIDE).numpy()
    tf.random.uniform((5,))  # the global generator moves on
    np.testing.assert_array_equal(augmenter(**amounts).draw(tf.constant(3, tf.int64), 10, SIDE), drawn)
    np.testing.assert_array_equal(bender.draw(3, 1001, SIDE)[:10], drawn)
    assert len(np.unique(drawn, axis=0)) == 10
    assert not np.isclose(drawn, bender.draw(4, 10, SIDE)).all(axis=1).any()
    assert not np.isclose(drawn, augmenter(seed=21, **amounts).draw(3, 10, SIDE)).all(axis=1).any()


@settings(max_examples=20, deadline=None)
@given(
    st.builds(
        AugmentParams,
        flip=st.booleans(),
        rotation=st.floats(0, 180),
        shift=st.floats(0, 0.99),
        shear=st.floats(0, 0.99),
        zoom=st.floats(0, 0.99),
    ),
    st.integers(0, 2**31 - 1),
    st.integers(0, 10_000),
)
def test_pixels_stay_within_the_picture_s_range(params, seed, epoch):
    bender = Augmenter(params, seed)
    images = np.clip(pictures(4, channels=1), 40, 200)
    bent = bender.bend(images, bender.draw(epoch, 4, SIDE)).numpy()
    assert bent.shape == images.shape
    assert np.isfinite(bent).all()
    assert bent.min() >= 40 - 1e-3
    assert bent.max() <= 200 + 1e-3
