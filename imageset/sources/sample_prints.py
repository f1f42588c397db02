"""One picture of the sample as it is published: the files behind its links, and its boxes on them.

What the picture shows is drawn by `drawing`; which flaw it has is decided by `sample_flaws`.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from imageset.sources.drawing.canvas import UNIT, Canvas
from imageset.sources.drawing.scenes import Scene, SceneBox, compose, paint
from imageset.sources.drawing.shapes import band, ellipse, rectangle
from imageset.sources.sample_flaws import Fate, Flaw

_ORIENTATION = 0x0112
_TURN_RIGHT = 6  # EXIF: shown after a quarter turn clockwise
_SIDEWAYS = (Flaw.SIDEWAYS_BY_EXIF, Flaw.SIDEWAYS_BY_COLUMN)
_NO_COPY = (Flaw.DEAD, Flaw.PLACEHOLDER, Flaw.TRUNCATED)
_WITH_COPY = (Flaw.DEAD_WITH_COPY, Flaw.PLACEHOLDER_WITH_COPY, Flaw.TRUNCATED_WITH_COPY)


@dataclass(frozen=True)
class Print:
    """A published picture.

    Attributes
    ----------
    original : bytes
        JPEG, as it was when its row was written.
    at_first_link : bytes or None
        What lies there now; None when nothing does.
    has_second_link : bool
    at_second_link : bytes or None
        A copy in two thirds of the size; None when nothing lies there.
    boxes : tuple of SceneBox
        In fractions, 0..1 to six digits, of the stored pixels.
    rotation : int or None
        Degrees counter-clockwise that turn the stored pixels upright.
    """

    original: bytes
    at_first_link: bytes | None
    has_second_link: bool
    at_second_link: bytes | None
    boxes: tuple[SceneBox, ...]
    rotation: int | None


def scene_of(seed: int, number: int) -> Scene:
    """The scene with a number: a function of seed and number only."""
    return compose(_generator(seed, f"scene {number}"))


def make_print(seed: int, number: int, fate: Fate) -> Print:
    """Draw a picture and let its fate happen to it.

    Parameters
    ----------
    seed, number : int
        Which picture.
    fate : Fate

    Returns
    -------
    Print
        The same bytes for the same arguments, given the same libjpeg.
    """
    rng, flaw = _generator(seed, f"print {number}"), fate.flaw
    image, boxes = _stored(scene_of(seed, fate.scene), flaw, rng)
    orientation = _TURN_RIGHT if flaw is Flaw.SIDEWAYS_BY_EXIF else None
    original = _jpeg(image, 88, orientation)
    copied = flaw in _WITH_COPY or (flaw not in _NO_COPY and rng.randrange(10) > 0)
    return Print(
        original,
        at_first_link=_left_of(original, flaw, rng),
        has_second_link=copied or (flaw in _NO_COPY and rng.randrange(2) > 0),
        at_second_link=_jpeg(_smaller(image), 80, orientation) if copied else None,
        boxes=boxes,
        rotation=270 if flaw in _SIDEWAYS else rng.choice((0, 0, 0, None)),
    )


def _stored(scene: Scene, flaw: Flaw | None, rng: Random) -> tuple[Image.Image, tuple[SceneBox, ...]]:
    """The pixels as they are stored, and the boxes on them."""
    image, boxes = paint(scene), _fractions(scene.boxes, scene.width, scene.height)
    if flaw is Flaw.NEAR_DUPLICATE:
        return _altered(image, scene.boxes, rng)
    if flaw is Flaw.GREY:
        return image.convert("L"), boxes
    if flaw in _SIDEWAYS:
        return image.transpose(Image.Transpose.ROTATE_90), tuple(_on_its_side(box) for box in boxes)
    return image, boxes


def _generator(seed: int, purpose: str) -> Random:
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - draws pictures, guards nothing


def _left_of(original: bytes, flaw: Flaw | None, rng: Random) -> bytes | None:
    """What became of the file behind the first link."""
    if flaw in (Flaw.DEAD, Flaw.DEAD_WITH_COPY):
        return None
    if flaw in (Flaw.PLACEHOLDER, Flaw.PLACEHOLDER_WITH_COPY):
        return _placeholder()
    if flaw in (Flaw.TRUNCATED, Flaw.TRUNCATED_WITH_COPY):
        return original[: len(original) * rng.randrange(30, 90) // 100]
    return original


@cache
def _placeholder() -> bytes:
    """The grey picture that says that a photograph is not there any more: a camera, crossed out."""
    canvas, ink = Canvas(320, 240, (222, 222, 222)), (150, 150, 150)
    body = rectangle(90 * UNIT, 80 * UNIT, 230 * UNIT, 170 * UNIT, 12 * UNIT)
    canvas.fill([body, rectangle(130 * UNIT, 64 * UNIT, 190 * UNIT, 90 * UNIT, 6 * UNIT)], ink)
    canvas.fill([ellipse(160 * UNIT, 125 * UNIT, 32 * UNIT, 32 * UNIT)], (222, 222, 222))
    canvas.fill([ellipse(160 * UNIT, 125 * UNIT, 22 * UNIT, 22 * UNIT)], ink)
    canvas.fill(band([(80 * UNIT, 190 * UNIT), (240 * UNIT, 50 * UNIT)], 6 * UNIT), (190, 60, 60))
    return _jpeg(canvas.image, 88, None)


def _jpeg(image: Image.Image, quality: int, orientation: int | None) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if orientation is not None:
        exif[_ORIENTATION] = orientation
    image.save(buffer, "JPEG", quality=quality, exif=exif.tobytes() if orientation else b"")
    return buffer.getvalue()


def _smaller(image: Image.Image) -> Image.Image:
    """Two thirds of the size, by means over blocks of doubled pixels: no kernel, no floating point."""
    doubled = np.asarray(image).repeat(2, axis=0).repeat(2, axis=1)
    return Image.fromarray(doubled).reduce(3)


def _altered(image: Image.Image, boxes: tuple[SceneBox, ...], rng: Random) -> tuple[Image.Image, tuple[SceneBox, ...]]:
    """Cut strips off that hold no part of a box, and perhaps mirror."""
    room = [image.width, image.height, image.width, image.height]
    for box in boxes:
        gaps = (box.left, box.top, image.width - box.right, image.height - box.bottom)
        room = [min(old, int(gap)) for old, gap in zip(room, gaps, strict=True)]
    left, top, right, bottom = (min(gap, rng.randrange(4, 14)) for gap in room)
    part = image.crop((left, top, image.width - right, image.height - bottom))
    moved = tuple(
        replace(box, left=box.left - left, right=box.right - left, top=box.top - top, bottom=box.bottom - top)
        for box in boxes
    )
    fractions = _fractions(moved, part.width, part.height)
    if rng.randrange(2):
        return part, fractions
    mirrored = tuple(replace(box, left=_rest(box.right), right=_rest(box.left)) for box in fractions)
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT), mirrored


def _fractions(boxes: tuple[SceneBox, ...], width: int, height: int) -> tuple[SceneBox, ...]:
    return tuple(
        replace(
            box,
            left=round(box.left / width, 6),
            right=round(box.right / width, 6),
            top=round(box.top / height, 6),
            bottom=round(box.bottom / height, 6),
        )
        for box in boxes
    )


def _on_its_side(box: SceneBox) -> SceneBox:
    """A box in fractions after a quarter turn counter-clockwise of the picture."""
    return replace(box, left=box.top, right=box.bottom, top=_rest(box.right), bottom=_rest(box.left))


def _rest(fraction: float) -> float:
    return round(1 - fraction, 6)
