"""What a picture file is: its format and size from its content, whether all of it is there, and its pixels in RGB.

Everything that meets bytes from the web goes through here. Not for cutting and resizing: see `imageset.crops`.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

# What the web calls a picture; other formats that Pillow could read are not worth their attack surface.
# MPO is what Pillow calls a JPEG with more pictures behind it; it opens them as JPEG.
FORMATS = {
    "JPEG": "jpg",
    "MPO": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "BMP": "bmp",
    "TIFF": "tif",
}

_OPENERS = [name for name in FORMATS if name != "MPO"]
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ROTATED = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
}


class BadPictureError(Exception):
    """Bytes that are no usable picture; `cause` is one of the causes that the tables know.

    not_an_image, too_many_pixels, truncated, undecodable.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


@dataclass(frozen=True)
class PictureInfo:
    """What the header of a checked picture says: file extension (no dot), and width and height in stored pixels."""

    extension: str
    width: int
    height: int


def open_picture(data: bytes) -> Image.Image:
    """Open a picture without decoding it.

    Raises
    ------
    BadPictureError
        When it is none of `FORMATS`, or has more pixels than Pillow's guard against decompression bombs allows.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_OPENERS)
    except Image.DecompressionBombError as error:
        raise BadPictureError("too_many_pixels") from error
    except UnidentifiedImageError as error:
        raise BadPictureError("not_an_image") from error
    except Exception as error:
        # Pillow's parsers raise SyntaxError, struct.error, ValueError and more on headers made to break them.
        raise BadPictureError("undecodable") from error
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or 0):
        raise BadPictureError("too_many_pixels")
    return image


def decode(image: Image.Image) -> None:
    """Decode all the pixels of an opened picture, at the scale that `Image.draft` set.

    Raises
    ------
    BadPictureError
        When the file ends early or is broken.
    """
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise BadPictureError("too_many_pixels") from error
    except Exception as error:
        cause = "truncated" if "truncated" in str(error) else "undecodable"
        raise BadPictureError(cause) from error


def check_picture(data: bytes) -> PictureInfo:
    """Find out whether bytes are a whole picture, by decoding all of it (JPEG: at an eighth of its size).

    A header alone does not tell: `Image.verify` accepts a JPEG cut in half.

    Raises
    ------
    BadPictureError
        With the cause.
    """
    image = open_picture(data)
    info = PictureInfo(FORMATS[image.format or ""], image.width, image.height)
    image.draft(image.mode, (1, 1))
    decode(image)
    return info


def upright_transpose(image: Image.Image, rotation: int | None) -> Image.Transpose | None:
    """Which transposition turns a picture upright, or None when it already is.

    Parameters
    ----------
    image : Image.Image
        An opened picture, not decoded yet. Of a TIFF with an orientation Pillow gives the upright size, and turns it
        by itself when it decodes it.
    rotation : int or None
        Degrees counter-clockwise from the source's metadata. EXIF, where it has an orientation, is believed instead.
    """
    try:
        orientation = dict(image.getexif()).get(_ORIENTATION, 0)
    except Exception:
        orientation = None  # EXIF is decoration: a broken block says nothing
    if orientation in range(1, 9):
        return None if image.format == "TIFF" else _UPRIGHT.get(orientation)
    return _ROTATED.get((rotation or 0) % 360)


def to_rgb(image: Image.Image) -> Image.Image:
    """Convert a decoded picture of any mode to RGB; what is transparent becomes white, 16 bits become 8."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image if image.mode == "RGBA" else image.convert("RGBA")
        shown = Image.new("RGB", image.size, "white")
        shown.paste(layer, mask=layer)
        return shown
    return image.convert("RGB")


def to_grey(image: Image.Image) -> Image.Image:
    """Convert an RGB picture to grey (ITU-R 601-2 luma)."""
    return ImageOps.grayscale(image)
