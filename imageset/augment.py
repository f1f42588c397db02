"""Bends training crops a little, anew in each epoch: one affine transform per crop.

The transform is drawn from (seed, epoch, index of the crop) and from nothing else, so any epoch can be repeated. Only
`imageset.training` calls it, and only for the training crops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import tensorflow as tf

from imageset.params import AugmentParams

_DRAWS = 6  # numbers per transform: flip, rotation, shift across, shift down, shear, zoom


@dataclass(frozen=True)
class Augmenter:
    """Draws transforms, and bends crops by them.

    Attributes
    ----------
    params : AugmentParams
        How far at most; each amount is drawn evenly from both directions.
    seed : int
        0 to 2**31 - 1.
    """

    params: AugmentParams
    seed: int

    def draw(self, epoch: int | tf.Tensor, count: int, side: tuple[int, int]) -> tf.Tensor:
        """Draw the transforms of one epoch.

        Parameters
        ----------
        epoch : int or scalar integer tensor
        count : int
            Number of crops. The transform of a crop does not depend on it.
        side : tuple of int
            Height and width of a crop in pixels.

        Returns
        -------
        tf.Tensor
            (count, 8) float32; row i takes a point of bent crop i to the point of the crop that it shows, in the
            order that ``ImageProjectiveTransformV3`` wants.
        """
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(epoch, tf.int64)])
        # Philox counts: row i is the same whatever comes after it. "auto_select" would depend on the device.
        drawn = tf.random.stateless_uniform((count, _DRAWS), seed, minval=-1, dtype=tf.float64, alg="philox")
        # Sines differ in their last bits with the processor and the length of the array; float32 has no room for them.
        return tf.cast(self._transforms(tf.unstack(drawn, axis=1), side), tf.float32)

    def bend(self, images: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
        """Bend crops; what comes in from outside is the nearest pixel of the border.

        Parameters
        ----------
        images : tf.Tensor
            (N, H, W, C), any real type, 0..255.
        transforms : tf.Tensor
            (N, 8) float32, from `draw`.

        Returns
        -------
        tf.Tensor
            (N, H, W, C) float32, 0..255, bilinear.
        """
        return tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(images, tf.float32),
            transforms=transforms,
            output_shape=tf.shape(images)[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        )

    def _transforms(self, drawn: list[tf.Tensor], side: tuple[int, int]) -> tf.Tensor:
        """From draws in -1..1 to matrix rows: shift, then turn, shear, zoom and flip about the middle."""
        flip, rotation, across, down, shear, zoom = drawn
        height, width = side
        one = tf.ones_like(flip)
        angle = rotation * math.radians(self.params.rotation)
        slope = shear * self.params.shear
        scale = 1 + zoom * self.params.zoom
        mirror = tf.where(flip < 0, -one, one) if self.params.flip else one
        cos, sin = scale * tf.cos(angle), scale * tf.sin(angle)
        xx, xy = mirror * cos, mirror * (slope * cos - sin)
        yx, yy = sin, slope * sin + cos
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        from_x = middle_x + across * self.params.shift * width
        from_y = middle_y + down * self.params.shift * height
        offset_x = middle_x - xx * from_x - xy * from_y
        offset_y = middle_y - yx * from_x - yy * from_y
        return tf.stack([xx, xy, offset_x, yx, yy, offset_y, 0 * one, 0 * one], axis=1)
