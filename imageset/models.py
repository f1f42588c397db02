"""The architectures: from a name and a shape to a Keras model that has not seen a picture yet.

A model takes pixels as they lie in the dataset (0..255) and gives one probability per class; everything it needs to
know about pixel ranges is inside it. Not for fitting (`imageset.training`) nor for files (`imageset.model_files`).
"""

from __future__ import annotations

from collections.abc import Callable

import keras

from imageset.errors import UserError, nearest
from imageset.params import SMALLEST_CROP

Layers = list[keras.layers.Layer]


def build(architecture: str, shape: tuple[int, int, int], classes: int) -> keras.Model:
    """Make a model with fresh weights; which ones depends on Keras' global seed.

    Parameters
    ----------
    architecture : str
        ``plain_cnn``: three blocks of 3x3 convolution (32, 32, 64 filters, ReLU, no padding) and 2x2 max pooling,
        64 dense units (ReLU), dropout of 0.5.
    shape : tuple of int
        Height, width (pixels) and channels (3 or 1) of a crop.
    classes : int
        Number of classes, at least 1.

    Returns
    -------
    keras.Model
        Input (N, H, W, C), 0..255, uint8 or float32; output (N, classes) float32, softmax, rows add up to 1. Not
        compiled. Layers have fixed names, so that the file does not depend on what else the process built.

    Raises
    ------
    UserError
        For an unknown architecture, or crops too small for it.
    """
    if architecture not in _ARCHITECTURES:
        raise UserError(f"unknown architecture {architecture!r}{nearest(architecture, _ARCHITECTURES)}")
    smallest = SMALLEST_CROP[architecture]
    height, width, _ = shape
    if min(height, width) < smallest:
        raise UserError(
            f"{architecture} needs crops of at least {smallest} pixels, received {width} x {height}; "
            f"set crop.size to {smallest} or more"
        )
    layers: Layers = [
        keras.layers.Rescaling(1 / 255, name="scale"),
        *_ARCHITECTURES[architecture](),
        keras.layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential([keras.Input(shape, name="pixels"), *layers], name=architecture)


def _plain_cnn() -> Layers:
    layers: Layers = []
    for block, filters in enumerate((32, 32, 64), start=1):
        layers.append(keras.layers.Conv2D(filters, 3, activation="relu", name=f"convolution_{block}"))
        layers.append(keras.layers.MaxPooling2D(2, name=f"pooling_{block}"))
    return [
        *layers,
        keras.layers.Flatten(name="flatten"),
        keras.layers.Dense(64, activation="relu", name="dense"),
        keras.layers.Dropout(0.5, name="dropout"),
    ]


# From name to the layers between the scaled pixels and the last one.
_ARCHITECTURES: dict[str, Callable[[], Layers]] = {"plain_cnn": _plain_cnn}
