"""Architectures: shapes, ranges, refusals."""

import keras
import numpy as np
import pytest

from imageset import models
from imageset.determinism import make_deterministic
from imageset.errors import UserError


@pytest.fixture(autouse=True)
def _fixed_numbers():
    make_deterministic(seed=1, threads=2)


def test_plain_cnn_is_the_network_of_the_texts():
    model = models.build("plain_cnn", (128, 128, 3), 3)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D"]
    assert kinds == ["Rescaling", *block * 3, "Flatten", "Dense", "Dropout", "Dense"]
    # 3x3 kernels and biases; 128 -> 63 -> 30 -> 14 pixels after the poolings.
    convolutions = (27 * 32 + 32) + (288 * 32 + 32) + (288 * 64 + 64)
    assert model.count_params() == convolutions + (14 * 14 * 64 * 64 + 64) + (64 * 3 + 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_takes_pixels_as_they_lie_in_the_dataset(channels):
    model = models.build("plain_cnn", (24, 24, channels), 4)
    pixels = np.random.default_rng(1).integers(0, 256, (5, 24, 24, channels), dtype=np.uint8)
    from_bytes = model.predict(pixels, verbose=0)
    assert from_bytes.shape == (5, 4)
    np.testing.assert_allclose(from_bytes.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(from_bytes, model.predict(pixels.astype(np.float32), verbose=0))


def test_scales_pixels_to_one():
    scale = models.build("plain_cnn", (24, 24, 3), 2).get_layer("scale")
    np.testing.assert_allclose(scale(np.array([0, 255], np.uint8)), [0, 1])


def test_layer_names_do_not_depend_on_what_was_built_before():
    def names(model: keras.Model) -> list[str]:
        return [layer.name for layer in model.layers]

    first = models.build("plain_cnn", (24, 24, 3), 2)
    assert names(models.build("plain_cnn", (24, 24, 3), 2)) == names(first)


def test_seed_decides_the_weights():
    def weights(seed: int) -> np.ndarray:
        make_deterministic(seed, threads=2)
        return models.build("plain_cnn", (24, 24, 3), 2).get_weights()[0]

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_smallest_crop_that_is_left_after_three_poolings():
    assert models.build("plain_cnn", (22, 22, 3), 2).output_shape == (None, 2)
    with pytest.raises(UserError, match=r"at least 22 pixels, received 40 x 21; set crop.size to 22"):
        models.build("plain_cnn", (21, 40, 3), 2)


def test_unknown_architecture_names_the_nearest():
    with pytest.raises(UserError, match="'plain_cn'; the nearest: plain_cnn"):
        models.build("plain_cn", (64, 64, 3), 2)
