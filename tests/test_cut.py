from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.transform import resize

from imageset.cut import WHOLE, Box, CropRules, cut
from imageset.pictures import BadPictureError
from tests.drawn import UPRIGHT, encoded, photograph

STRETCH = CropRules(32, "stretch", "rgb", 1)


def rules(size: int = 32, resize: str = "stretch", colour: str = "rgb", min_box_px: int = 1) -> CropRules:
    return CropRules(size, resize, colour, min_box_px)  # type: ignore[arg-type]


def one(data: bytes, box: Box = WHOLE, rules: CropRules = STRETCH, rotation: int | None = None) -> np.ndarray:
    (done,) = cut(data, [box], rotation, rules)
    assert done.image is not None
    return np.asarray(done.image, float)


def quarters(width: int = 80, height: int = 40) -> Image.Image:
    """Red, green / blue, white: which corner is where can be told from one pixel."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste("lime", (width // 2, 0, width, height // 2))
    picture.paste("blue", (0, height // 2, width // 2, height))
    picture.paste("white", (width // 2, height // 2, width, height))
    return picture


def names(pixels: np.ndarray) -> list[str]:
    """Colour names of the four quarters, row by row."""
    known = {(255, 0, 0): "red", (0, 255, 0): "lime", (0, 0, 255): "blue", (255, 255, 255): "white", (0, 0, 0): "black"}
    size = len(pixels)
    corners = [pixels[y, x] for y in (size // 4, size * 3 // 4) for x in (size // 4, size * 3 // 4)]
    return [min(known.items(), key=lambda item: np.abs(corner - item[0]).sum())[1] for corner in corners]


boxes = st.builds(
    lambda x, y: Box(min(x), max(x), min(y), max(y)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
)


@given(
    size=st.tuples(st.integers(1, 200), st.integers(1, 200)),
    wanted=st.lists(boxes, min_size=1, max_size=3),
    side=st.integers(8, 48),
    how=st.sampled_from(["stretch", "pad", "crop"]),
    colour=st.sampled_from(["rgb", "grey"]),
    floor=st.integers(1, 20),
    kind=st.sampled_from(["JPEG", "PNG"]),
    turn=st.sampled_from([None, 90, 180, 270]),
)
def test_every_crop_has_the_size_and_mode_asked_for(
    size: tuple[int, int],
    wanted: list[Box],
    side: int,
    how: str,
    colour: str,
    floor: int,
    kind: str,
    turn: int | None,
) -> None:
    cuts = cut(encoded(Image.new("RGB", size, "teal"), kind), wanted, turn, rules(side, how, colour, floor))
    assert len(cuts) == len(wanted)
    for box, done in zip(wanted, cuts, strict=True):
        assert abs(done.width - (box.xmax - box.xmin) * size[0]) <= 0.5
        assert abs(done.height - (box.ymax - box.ymin) * size[1]) <= 0.5
        assert (done.image is None) == (min(done.width, done.height) < floor)
        if done.image is not None:
            assert done.image.size == (side, side)
            assert done.image.mode == {"rgb": "RGB", "grey": "L"}[colour]


@settings(max_examples=40)
@given(
    x=st.tuples(st.integers(0, 300), st.integers(100, 340)),
    y=st.tuples(st.integers(0, 200), st.integers(80, 240)),
    side=st.integers(16, 64),
)
def test_crops_are_those_of_an_antialiased_resize(x: tuple[int, int], y: tuple[int, int], side: int) -> None:
    # On whole pixels, so that scikit-image can be given the exact crop. It blurs with a Gaussian and then
    # interpolates, Pillow uses one bicubic filter: on a smooth picture the mean difference measured over
    # 40 such crops is 0.5 of 255 in the middle and 2.1 at most.
    picture = photograph(640, 440)
    left, right, top, bottom = x[0], min(x[0] + x[1], 640), y[0], min(y[0] + y[1], 440)
    box = Box(left / 640, right / 640, top / 440, bottom / 440)
    ours = one(encoded(picture), box, rules(side))
    exact = np.asarray(picture)[top:bottom, left:right]
    theirs = resize(exact, (side, side), anti_aliasing=True, preserve_range=True)
    assert np.abs(ours - theirs).mean() < 3


@pytest.mark.parametrize("how", ["stretch", "crop"])
@pytest.mark.parametrize("size", [(2048, 1364), (1999, 1501), (1024, 683), (2400, 1800)])
def test_decoding_at_reduced_scale_is_close_to_decoding_all(size: tuple[int, int], how: str) -> None:
    picture = photograph(*size)
    box = Box(0.1, 0.9, 0.05, 0.95)
    reduced = one(encoded(picture, "JPEG", quality=95), box, rules(64, how))
    whole = one(encoded(picture, "BMP"), box, rules(64, how))
    assert np.abs(reduced - whole).mean() < 1.5  # measured: 0.9 at most


@pytest.mark.parametrize(
    ("size", "scale"), [((1024, 683), 4), ((1001, 1001), 8), ((2047, 1535), 8), ((300, 200), 2), ((190, 200), 1)]
)
def test_large_jpegs_are_decoded_at_reduced_scale(
    size: tuple[int, int], scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr("imageset.cut.decode", lambda image: (decoded.append(image.size), image.load()))
    one(encoded(photograph(*size), "JPEG"), rules=rules(64))
    assert decoded == [(-(-size[0] // scale), -(-size[1] // scale))]


def test_xmin_is_a_fraction_of_the_width() -> None:
    data = encoded(quarters(200, 40))
    assert names(one(data, Box(0, 0.5, 0, 0.5))) == ["red"] * 4
    assert names(one(data, Box(0.5, 1, 0, 0.5))) == ["lime"] * 4
    assert names(one(data, Box(0, 0.5, 0.5, 1))) == ["blue"] * 4
    assert names(one(data, Box(0.5, 1, 0, 1))) == ["lime", "lime", "white", "white"]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rotation", [None, 270])
def test_the_box_is_cut_from_the_stored_pixels_and_turned_once(orientation: int, rotation: int | None) -> None:
    # The lower half as it is stored: blue and white. Both EXIF and the source say how to turn it.
    data = encoded(quarters(), "JPEG", orientation, quality=98, subsampling=0)
    stored = np.array([["blue", "white"], ["blue", "white"]])
    expected = UPRIGHT[orientation](stored)
    assert names(one(data, Box(0, 1, 0.5, 1), rotation=rotation)) == expected.ravel().tolist()


def test_the_rotation_of_the_source_turns_counter_clockwise() -> None:
    data = encoded(quarters())
    assert names(one(data)) == ["red", "lime", "blue", "white"]
    assert names(one(data, rotation=90)) == ["lime", "white", "red", "blue"]
    assert names(one(data, rotation=270)) == ["blue", "red", "white", "lime"]


def test_pad_keeps_the_shape_between_black_bars() -> None:
    wide = one(encoded(Image.new("RGB", (120, 60), "white")), rules=rules(32, "pad"))
    assert np.array_equal(wide[8:24], np.full((16, 32, 3), 255))
    assert not wide[:8].any()
    assert not wide[24:].any()
    turned = one(encoded(Image.new("RGB", (120, 60), "white")), rules=rules(32, "pad"), rotation=90)
    assert np.array_equal(turned, wide.swapaxes(0, 1))


def test_pad_leaves_something_of_a_very_long_box() -> None:
    line = one(encoded(Image.new("RGB", (900, 1), "white")), rules=rules(16, "pad"))
    assert (line.max(axis=(1, 2)) > 0).sum() == 1


def test_crop_keeps_the_middle() -> None:
    picture = Image.new("RGB", (90, 30), "red")
    picture.paste("lime", (30, 0, 60, 30))
    assert np.abs(one(encoded(picture), rules=rules(32, "crop"))[:, 2:-2] - (0, 255, 0)).max() < 10
    assert np.abs(one(encoded(picture.rotate(90, expand=True)), rules=rules(32, "crop"))[2:-2] - (0, 255, 0)).max() < 10


def test_crop_stays_inside_the_box() -> None:
    assert names(one(encoded(quarters(200, 40)), Box(0.5, 1, 0.5, 1), rules(16, "crop"))) == ["white"] * 4


def test_grey_of_colour_and_of_grey() -> None:
    grey = one(encoded(quarters()), rules=rules(colour="grey"))
    assert grey.shape == (32, 32)
    assert np.allclose([grey[4, 4], grey[4, 28], grey[28, 4], grey[28, 28]], [76, 150, 29, 255], atol=2)
    picture = photograph(80, 60).convert("L")
    assert np.ptp(one(encoded(picture)), axis=2).max() == 0


def test_boxes_smaller_than_the_floor_give_no_crop() -> None:
    data = encoded(photograph(100, 100))
    wanted = [Box(0, 0.15, 0, 1), Box(0, 0.16, 0, 1), Box(0, 1, 0.5, 0.6), Box(0.5, 0.5, 0, 1), Box(0.6, 0.2, 0, 1)]
    cuts = cut(data, wanted, None, rules(min_box_px=16))
    assert [(done.image is not None, done.width, done.height) for done in cuts] == [
        (False, 15, 100),
        (True, 16, 100),
        (False, 100, 10),
        (False, 0, 100),
        (False, -40, 100),
    ]


def test_the_floor_counts_stored_pixels_also_when_decoded_at_reduced_scale() -> None:
    data = encoded(photograph(1600, 1200), "JPEG")
    wanted = [Box(0, 1, 0, 1), Box(0, 15 / 1600, 0, 1)]
    first, second = cut(data, wanted, None, rules(16, min_box_px=16))
    assert (first.width, first.height, first.image is not None) == (1600, 1200, True)
    assert (second.width, second.image) == (15, None)


def test_a_small_box_beside_a_large_one_is_not_cut_from_a_coarse_picture() -> None:
    picture = photograph(1600, 1200)
    small = Box(0.4, 0.44, 0.4, 0.45)
    data = encoded(picture, "JPEG", quality=95)
    _, beside = cut(data, [WHOLE, small], None, rules(32))
    assert beside.image is not None
    assert np.array_equal(np.asarray(beside.image, float), one(data, small))


@pytest.mark.parametrize("size", [(97, 53), (1999, 1333)])
@pytest.mark.parametrize("how", ["stretch", "pad", "crop"])
def test_boxes_at_the_borders_have_no_strange_edge(size: tuple[int, int], how: str) -> None:
    data = encoded(Image.new("RGB", size, "white"), "JPEG")
    for box in (Box(0, 1 / 3, 0, 1 / 3), Box(2 / 3, 1, 2 / 3, 1), Box(0.999999, 1, 0, 1), WHOLE):
        (done,) = cut(data, [box], None, rules(16, how))
        if done.image is not None:
            assert set(np.asarray(done.image).ravel().tolist()) <= ({0, 255} if how == "pad" else {255})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_bad_photograph_gives_its_cause_even_when_no_box_is_wanted(kind: str) -> None:
    data = encoded(photograph(300, 200), kind)
    for wanted in ([WHOLE], [Box(0, 0, 0, 0)], []):
        with pytest.raises(BadPictureError) as bad:
            cut(data[: len(data) // 2], wanted, None, STRETCH)
        assert bad.value.cause in {"truncated", "undecodable"}
    assert cut(data, [], None, STRETCH) == []


def test_the_same_crop_whatever_stands_beside_it_in_the_same_photograph() -> None:
    data = encoded(photograph(640, 480))
    wanted = [Box(0.1, 0.6, 0.1, 0.6), Box(0.3, 0.9, 0.2, 0.8)]
    together = [np.asarray(done.image) for done in cut(data, wanted, None, STRETCH)]
    apart = [one(data, box) for box in wanted]
    assert all(np.array_equal(a, b) for a, b in zip(together, apart, strict=True))
