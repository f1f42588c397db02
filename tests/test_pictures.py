from __future__ import annotations

import io
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imageset.pictures import (
    FORMATS,
    BadPictureError,
    PictureInfo,
    check_picture,
    decode,
    open_picture,
    to_grey,
    to_rgb,
    upright_transpose,
)
from tests.drawn import UPRIGHT, encoded, photograph

PICTURE = photograph(80, 60)
NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 80, 3), dtype=np.uint8))

FILES = {
    "jpeg": encoded(PICTURE, "JPEG"),
    "progressive": encoded(PICTURE, "JPEG", progressive=True),
    "cmyk": encoded(PICTURE.convert("CMYK"), "JPEG", quality=95),
    "grey jpeg": encoded(PICTURE.convert("L"), "JPEG"),
    "mpo": encoded(PICTURE, "MPO", save_all=True, append_images=[photograph(80, 60, 1)]),
    "png": encoded(PICTURE),
    "palette": encoded(PICTURE.quantize(32)),
    "one bit": encoded(PICTURE.convert("1")),
    "webp": encoded(PICTURE, "WEBP"),
    "gif": encoded(PICTURE.quantize(), "GIF"),
    "bmp": encoded(PICTURE, "BMP"),
    "tiff": encoded(PICTURE, "TIFF"),
    "tiff lzw": encoded(PICTURE, "TIFF", compression="tiff_lzw"),
}


def pixels(data: bytes) -> Image.Image:
    image = open_picture(data)
    decode(image)
    return to_rgb(image)


def cause(data: bytes) -> str:
    with pytest.raises(BadPictureError) as bad:
        check_picture(data)
    return bad.value.cause


def png_header(width: int, height: int) -> bytes:
    """A PNG file that declares a size, and has a few pixels at most."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_known_by_its_content(name: str) -> None:
    extension = {"progressive": "jpg", "cmyk": "jpg", "grey jpeg": "jpg", "jpeg": "jpg", "mpo": "jpg"}.get(name)
    extension = extension or {"webp": "webp", "gif": "gif", "bmp": "bmp", "tiff": "tif", "tiff lzw": "tif"}.get(
        name, "png"
    )
    assert check_picture(FILES[name]) == PictureInfo(extension, 80, 60)


def test_every_format_is_known_in_a_fresh_process() -> None:
    # Pillow loads its plugins as they are needed; another test may have loaded them all here.
    code = (
        "import sys; from imageset.pictures import check_picture;"
        "data = sys.stdin.buffer.read(); sizes = [int(size) for size in sys.argv[1:]];"
        "print([check_picture(data[sum(sizes[:n]):sum(sizes[:n + 1])]).extension for n in range(len(sizes))])"
    )
    files = [FILES[name] for name in ("webp", "tiff", "bmp", "gif", "png", "mpo", "jpeg")]
    command = [sys.executable, "-c", code, *(str(len(file)) for file in files)]
    done = subprocess.run(command, input=b"".join(files), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "['webp', 'tif', 'bmp', 'gif', 'png', 'jpg', 'jpg']"


@pytest.mark.parametrize("name", FILES)
def test_every_format_shows_the_picture(name: str) -> None:
    image = pixels(FILES[name])
    assert image.mode == "RGB"
    expected = {"grey jpeg": PICTURE.convert("L"), "one bit": PICTURE.convert("1")}.get(name, PICTURE).convert("RGB")
    assert np.abs(np.asarray(image, float) - np.asarray(expected, float)).mean() < 8


def test_formats_that_nobody_asked_for_are_no_pictures() -> None:
    for kind in ("PPM", "ICO", "TGA", "PCX", "PDF", "EPS"):
        assert cause(encoded(PICTURE, kind)) == "not_an_image"
    assert "ppm" not in FORMATS.values()


@pytest.mark.parametrize(
    "data", [b"", b"<!DOCTYPE html><html>gone</html>", b"\xff\xd8\xff", b"GIF89a", b"BM", bytes(1000)]
)
def test_what_is_no_picture(data: bytes) -> None:
    assert cause(data) in {"not_an_image", "undecodable", "truncated"}


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_picture_cut_off_is_found(kind: str, share: float) -> None:
    data = encoded(NOISE.quantize() if kind == "GIF" else NOISE, kind)
    assert cause(data[: int(len(data) * share)]) in {"truncated", "undecodable"}


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_in_half_is_truncated(progressive: bool) -> None:
    data = encoded(NOISE, "JPEG", quality=95, progressive=progressive)
    half = data[: len(data) // 2]
    Image.open(io.BytesIO(half)).verify()  # which is why the check decodes
    assert cause(half) == "truncated"


def test_the_check_decodes_large_jpegs_at_reduced_scale_and_still_finds_the_cut() -> None:
    data = encoded(photograph(1600, 1203), "JPEG", quality=90)
    assert check_picture(data) == PictureInfo("jpg", 1600, 1203)
    assert cause(data[:-3000]) == "truncated"


@pytest.mark.parametrize("size", [(30_000, 30_000), (15_000, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_without_memory(size: tuple[int, int]) -> None:
    tracemalloc.start()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert cause(png_header(*size)) == "too_many_pixels"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert Image.MAX_IMAGE_PIXELS == 89_478_485, "the guard is Pillow's own"


def test_the_guard_is_per_pixel_not_per_side() -> None:
    assert check_picture(encoded(Image.new("1", (20_000, 4)))) == PictureInfo("png", 20_000, 4)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_turns_a_picture_upright(kind: str, orientation: int) -> None:
    stored = np.asarray(photograph(48, 32))
    options = {"quality": 98, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    image = open_picture(encoded(Image.fromarray(stored), kind, orientation, **options))
    turn = upright_transpose(image, None)
    decode(image)
    upright = np.asarray(image if turn is None else image.transpose(turn), float)
    expected = UPRIGHT[orientation](stored)
    assert upright.shape == expected.shape
    assert np.abs(upright - expected).mean() < 3


@pytest.mark.parametrize(
    ("rotation", "turns"), [(None, 0), (0, 0), (90, 1), (180, 2), (270, 3), (360, 0), (-90, 3), (45, 0)]
)
def test_the_rotation_of_the_source_counts_where_exif_is_silent(rotation: int | None, turns: int) -> None:
    image = open_picture(encoded(PICTURE))
    turn = upright_transpose(image, rotation)
    upright = np.asarray(PICTURE if turn is None else PICTURE.transpose(turn))
    assert np.array_equal(upright, np.rot90(np.asarray(PICTURE), turns))


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_is_none_is_passed_over(orientation: int) -> None:
    image = open_picture(encoded(PICTURE, "JPEG", orientation))
    assert upright_transpose(image, 90) == Image.Transpose.ROTATE_90
    assert upright_transpose(image, None) is None


def test_exif_is_believed_and_not_the_source() -> None:
    assert upright_transpose(open_picture(encoded(PICTURE, "JPEG", 1)), 270) is None
    assert upright_transpose(open_picture(encoded(PICTURE, "JPEG", 6)), 90) == Image.Transpose.ROTATE_270


@pytest.mark.parametrize(
    "block",
    [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(40), b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_says_nothing(block: bytes) -> None:
    data = encoded(PICTURE, "JPEG", exif=block)
    assert check_picture(data) == PictureInfo("jpg", 80, 60)
    assert upright_transpose(open_picture(data), 90) == Image.Transpose.ROTATE_90


def test_transparent_is_white_and_half_transparent_is_mixed() -> None:
    image = Image.new("RGBA", (3, 1), (200, 0, 0, 255))
    image.putpixel((1, 0), (200, 0, 0, 0))
    image.putpixel((2, 0), (200, 0, 0, 128))
    for kind in ("PNG", "WEBP"):
        data = encoded(image, kind, lossless=True, exact=True)
        first, second, third = (pixels(data).getpixel((x, 0)) for x in range(3))
        assert first == (200, 0, 0)
        assert second == (255, 255, 255)
        assert np.allclose(third, (227, 127, 127), atol=1)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_a_transparent_colour_is_white(mode: str) -> None:
    image = Image.new("P" if mode == "P" else mode, (4, 2), 0)
    if mode == "P":
        image.putpalette([10, 20, 30, 0, 200, 0])
    transparency = (0, 0, 0) if mode == "RGB" else 0
    shown = pixels(encoded(image, transparency=transparency))
    # 16-bit grey with a transparent value is beyond what Pillow keeps; it stays black.
    assert shown.getpixel((0, 0)) == ((0, 0, 0) if mode == "I;16" else (255, 255, 255))


def test_grey_with_alpha_and_gif_transparency_are_white() -> None:
    grey = Image.new("LA", (2, 2), (50, 0))
    assert pixels(encoded(grey)).getpixel((0, 0)) == (255, 255, 255)
    gif = Image.new("P", (2, 2), 1)
    gif.putpalette([0, 0, 0, 9, 9, 9])
    assert pixels(encoded(gif, "GIF", transparency=1)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_become_8(kind: str) -> None:
    values = np.array([[0, 255, 256, 32_768, 65_535]], dtype=np.uint16)
    shown = np.asarray(pixels(encoded(Image.fromarray(values), kind)))
    assert np.array_equal(shown[0, :, 0], [0, 0, 1, 128, 255])
    assert np.array_equal(shown[..., 0], shown[..., 2])


def test_cmyk_has_the_right_colours() -> None:
    for colour in ((220, 30, 40), (20, 200, 30), (250, 250, 250), (5, 5, 5)):
        data = encoded(Image.new("RGB", (16, 16), colour).convert("CMYK"), "JPEG", quality=98)
        assert np.allclose(pixels(data).getpixel((8, 8)), colour, atol=6)


def test_grey_is_the_luma_of_rec_601() -> None:
    grey = np.asarray(to_grey(PICTURE), float)
    assert np.allclose(grey, np.asarray(PICTURE, float) @ [0.299, 0.587, 0.114], atol=1)


def meet(data: bytes) -> None:
    """Everything that meets bytes from the web; only `BadPictureError` may come out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(BadPictureError):
            check_picture(data)
            image = open_picture(data)
            upright_transpose(image, None)
            decode(image)
            assert to_rgb(image).mode == "RGB"


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF"]),
)
def test_random_bytes(data: bytes, start: bytes) -> None:
    meet(start + data)


@given(
    name=st.sampled_from(sorted(FILES)), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8)
)
def test_changed_bytes(name: str, changes: list[tuple[float, int]]) -> None:
    data = bytearray(FILES[name])
    for place, value in changes:
        # Squared: most of what can go wrong stands in the header.
        data[int(place * place * (len(data) - 1))] = value
    meet(bytes(data))


@given(name=st.sampled_from(sorted(FILES)), start=st.floats(0, 1), stop=st.floats(0, 1))
def test_a_piece_taken_out(name: str, start: float, stop: float) -> None:
    data = FILES[name]
    first, last = sorted((int(start * len(data)), int(stop * len(data))))
    meet(data[:first] + data[last:])
