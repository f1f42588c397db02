"""One photograph to its crops: each box is cut out of the stored pixels, resized, and then turned upright.

The photograph is decoded once for all its boxes, at reduced scale where that loses nothing. Not for files, shards or
tables: see `imageset.crops`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from imageset.pictures import decode, open_picture, to_grey, to_rgb, upright_transpose

if TYPE_CHECKING:
    from imageset.params import Colour, Resize

# A reduced decode keeps at least this many pixels for each pixel of the crop, so that the last step down is
# antialiased by the resize and not by the decoder alone. On 60 photographs crops differ from those of a full decode by
# 0.5 of 255 on average at 1.5, 0.4 at 2, and 1.2 at 1.
_MARGIN = 1.5

# Above this many times its target a picture that cannot be decoded at reduced scale (PNG and the like) is first
# averaged in whole blocks; at 3 the difference to one exact step is invisible (Pillow's `reducing_gap`).
_REDUCING_GAP = 3.0


class Box(NamedTuple):
    """A bounding box as fractions 0..1 of the stored pixels' width and height."""

    xmin: float
    xmax: float
    ymin: float
    ymax: float


WHOLE = Box(0.0, 1.0, 0.0, 1.0)


@dataclass(frozen=True)
class CropRules:
    """What a box becomes.

    Attributes
    ----------
    size : int
        Side of the crop in pixels.
    resize : {"stretch", "pad", "crop"}
        Both sides to `size`; or the longer side, with black bars; or the shorter side, keeping the middle.
    colour : {"rgb", "grey"}
    min_box_px : int
        A box with a shorter side, in stored pixels, gives no crop.
    """

    size: int
    resize: Resize
    colour: Colour
    min_box_px: int


@dataclass(frozen=True)
class Cut:
    """What one box gave: the crop, or None when the box is too small; and the box's size in stored pixels."""

    image: Image.Image | None
    width: int
    height: int


def cut(data: bytes, boxes: Sequence[Box], rotation: int | None, rules: CropRules) -> list[Cut]:
    """Cut boxes out of a photograph.

    Parameters
    ----------
    data : bytes
        The picture file, of any of the formats in `imageset.pictures.FORMATS`.
    boxes : sequence of Box
    rotation : int or None
        Degrees counter-clockwise that turn the stored pixels upright; EXIF, where there is one, is believed instead.
    rules : CropRules

    Returns
    -------
    list of Cut
        In the order of `boxes`; images of mode RGB (or L for grey), `size` x `size` pixels.

    Raises
    ------
    BadPictureError
        When the bytes are no whole picture.
    """
    image = open_picture(data)
    stored = image.size
    sides = [_sides(box, stored) for box in boxes]
    wanted = [min(pair) >= rules.min_box_px for pair in sides]
    upright = upright_transpose(image, rotation)
    _draft(image, stored, [pair for pair, keep in zip(sides, wanted, strict=True) if keep], rules)
    decode(image)
    image = to_rgb(image)
    return [
        Cut(_crop(image, box, upright, rules) if keep else None, *pair)
        for box, pair, keep in zip(boxes, sides, wanted, strict=True)
    ]


def _sides(box: Box, stored: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a box in stored pixels."""
    return round((box.xmax - box.xmin) * stored[0]), round((box.ymax - box.ymin) * stored[1])


def _draft(image: Image.Image, stored: tuple[int, int], sides: Sequence[tuple[int, int]], rules: CropRules) -> None:
    """Let the decoder halve the picture as often as the smallest crop allows (JPEG only; others ignore it)."""
    # `pad` fits the longer side into the crop, the other two the shorter side.
    deciding = max if rules.resize == "pad" else min
    spare = min((deciding(pair) for pair in sides), default=max(stored)) // (_MARGIN * rules.size)
    scale = max(step for step in (1, 2, 4, 8) if step <= max(spare, 1))
    if scale > 1:
        # Rounded down: `draft` picks the largest step that still gives at least the size asked for.
        image.draft(image.mode, (max(1, stored[0] // scale), max(1, stored[1] // scale)))


def _crop(image: Image.Image, box: Box, upright: Image.Transpose | None, rules: CropRules) -> Image.Image:
    """One crop from the decoded picture."""
    left, right = box.xmin * image.width, box.xmax * image.width
    top, bottom = box.ymin * image.height, box.ymax * image.height
    width, height = right - left, bottom - top
    target = (rules.size, rules.size)
    if rules.resize == "crop":
        side = min(width, height)
        left, top = left + (width - side) / 2, top + (height - side) / 2
        right, bottom = left + side, top + side
    elif rules.resize == "pad":
        scale = rules.size / max(width, height)
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
    edges = (left, top, min(right, image.width), min(bottom, image.height))
    # Of Pillow's filters, which all widen to antialias, bilinear is nearest to scikit-image's antialiased resize.
    crop = image.resize(target, Image.Resampling.BILINEAR, edges, _REDUCING_GAP)
    if target != (rules.size, rules.size):
        bars = Image.new("RGB", (rules.size, rules.size))
        bars.paste(crop, ((rules.size - target[0]) // 2, (rules.size - target[1]) // 2))
        crop = bars
    if upright is not None:
        crop = crop.transpose(upright)
    return to_grey(crop) if rules.colour == "grey" else crop
