"""Light that falls on a painted scene. Integers only."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image


def lit(image: Image.Image, rng: Random) -> Image.Image:
    """Shine on a picture from one side, in a warm or cold colour, and add the grain of a sensor.

    Parameters
    ----------
    image : PIL.Image.Image
        RGB.
    rng : random.Random

    Returns
    -------
    PIL.Image.Image
        RGB, of the same size.
    """
    height, width = image.height, image.width
    down = np.arange(height, dtype=np.int32)[:, None] * rng.randrange(-50, 51) // height
    across = np.arange(width, dtype=np.int32) * rng.randrange(-50, 51) // width
    bright = rng.randrange(215, 290) + down + across
    coarse = rng.randrange(1, 6)
    noise = np.frombuffer(rng.randbytes(height * width), dtype=np.uint8).reshape(height, width)
    grain = ((noise & 15) + (noise >> 4)).astype(np.int32) * coarse // 8 - 15 * coarse // 8
    bands = []
    for band in image.split():
        light = bright * rng.randrange(222, 286)
        values = (np.asarray(band) * light >> 16) + grain
        bands.append(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))
    return Image.merge("RGB", bands)
