"""The sample: the same bytes and rows for the same seed, and every flaw where the tables say that it is."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from imageset import records
from imageset.classes import resolve
from imageset.pictures import BadPictureError, check_picture, upright_transpose
from imageset.sources.base import SourceRows
from imageset.sources.sample import SampleSource
from imageset.sources.sample_flaws import Fate, Flaw
from imageset.sources.sample_prints import make_print

CATEGORIES = ["Hamburger", "Hot dog", "Sandwich - Hamburger"]
FOLDER = Path("data/metadata/sample")


@dataclass(frozen=True)
class Drawn:
    """A small sample: its source, its rows, and the files by the URL that leads to each."""

    source: SampleSource
    rows: SourceRows
    files: dict[str, bytes]


def draw(root: Path, images: int, seed: int, categories: list[str]) -> Drawn:
    (root / FOLDER).mkdir(parents=True)
    with chdir(root):
        source = SampleSource(images, seed, FOLDER)
        rows = source.rows(resolve(categories, source.tree()))
    files = {f"file:{path.relative_to(root).as_posix()}": path.read_bytes() for path in (root / FOLDER).iterdir()}
    return Drawn(source, rows, files)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return draw(tmp_path_factory.mktemp("sample"), 60, 7, CATEGORIES)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def first_files(drawn: Drawn) -> pd.Series:
    """What lies behind the first link of each image, or None."""
    return drawn.rows.images["urls"].map(lambda urls: drawn.files.get(urls[0]))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    one, again, other = (
        draw(tmp_path / name, 6, seed, CATEGORIES) for name, seed in (("one", 3), ("again", 3), ("other", 4))
    )
    assert one.files == again.files
    pd.testing.assert_frame_equal(one.rows.images, again.rows.images)
    pd.testing.assert_frame_equal(one.rows.boxes, again.rows.boxes)
    assert not set(one.rows.images["md5"]) & set(other.rows.images["md5"])


def test_rows_fit_the_schemas_and_are_sorted(drawn: Drawn, tmp_path: Path) -> None:
    for name, schema, table, keys in (
        ("images", records.IMAGES, drawn.rows.images, ["image_id"]),
        ("boxes", records.BOXES, drawn.rows.boxes, ["image_id", "label_id", *records.BOX]),
    ):
        records.write(table, tmp_path / name, schema)
        stored = records.read(tmp_path / name, schema)
        pd.testing.assert_frame_equal(stored, stored.sort_values(keys, ignore_index=True))
        assert not stored.duplicated(keys).any()


def test_links_lead_to_files_or_nowhere_and_every_file_has_a_link(drawn: Drawn) -> None:
    linked = {url for urls in drawn.rows.images["urls"] for url in urls}
    assert set(drawn.files) < linked
    ids = drawn.rows.images["image_id"]
    assert ids.str.fullmatch("[0-9a-f]{16}").all()
    assert all(
        Path(url).name.startswith(i) for i, urls in zip(ids, drawn.rows.images["urls"], strict=True) for url in urls
    )


def test_every_flaw_is_there(drawn: Drawn) -> None:
    images, first = drawn.rows.images, first_files(drawn)
    has_copy = images["urls"].map(lambda urls: len(urls) == 2 and urls[1] in drawn.files)
    as_published = first.map(lambda data: data and md5(data)) == images["md5"]
    whole = first.map(lambda data: data is not None and is_whole(data))
    dead, replaced, cut_off = first.isna(), first.notna() & ~as_published & whole, first.notna() & ~whole
    for trouble in (dead, replaced, cut_off):
        assert (trouble & has_copy).any()
        assert (trouble & ~has_copy).any()
    assert (as_published & whole).mean() > 0.6
    placeholders = set(first[replaced])
    assert len(placeholders) == 1
    assert md5(placeholders.pop()) not in set(images["md5"])
    assert images["md5"].duplicated().any()
    assert any(mode(data) == "L" for data in first[as_published & whole])


def test_cut_off_files_begin_like_the_original(drawn: Drawn) -> None:
    sizes = first_files(drawn).map(lambda data: len(data) if data is not None and not is_whole(data) else None).dropna()
    assert len(sizes) >= 2
    assert (sizes < drawn.rows.images.loc[sizes.index, "bytes"]).all()


def test_pictures_on_their_side_say_so_and_their_boxes_lie_on_the_stored_pixels(tmp_path: Path) -> None:
    """A sideways picture turned upright shows, in the box turned with it, what the plain scene shows in its box."""
    plain = make_print(5, 1, Fate(None, 1))
    for flaw, expected_exif in ((Flaw.SIDEWAYS_BY_EXIF, 6), (Flaw.SIDEWAYS_BY_COLUMN, None)):
        turned = make_print(5, 1, Fate(flaw, 1))
        stored = Image.open(io.BytesIO(turned.original))
        assert stored.getexif().get(0x0112) == expected_exif
        assert turned.rotation == 270
        transpose = upright_transpose(stored, turned.rotation)
        assert transpose is not None
        for box, upright_box in zip(turned.boxes, plain.boxes, strict=True):
            crop = region(stored, box).transpose(transpose)
            assert difference(crop, region(Image.open(io.BytesIO(plain.original)), upright_box)) < 6


def test_a_near_duplicate_shows_the_same_things_in_its_own_boxes() -> None:
    mirrored = set()
    for number in range(6):
        plain, altered = make_print(5, 3, Fate(None, 2)), make_print(5, number, Fate(Flaw.NEAR_DUPLICATE, 2))
        one, other = (Image.open(io.BytesIO(each.original)) for each in (plain, altered))
        assert one.size != other.size
        wanted = [region(one, box) for box in plain.boxes]
        found = [region(other, box) for box in altered.boxes]
        flipped = [crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for crop in found]
        differences = [max(difference(a, b) for a, b in zip(crops, wanted, strict=True)) for crops in (found, flipped)]
        assert min(differences) < 8
        mirrored.add(differences[1] < differences[0])
    assert mirrored == {True, False}


def test_boxes_lie_within_the_picture_and_attributes_are_known_values(drawn: Drawn) -> None:
    boxes = drawn.rows.boxes
    assert ((boxes["xmin"] >= 0) & (boxes["xmin"] < boxes["xmax"]) & (boxes["xmax"] <= 1)).all()
    assert ((boxes["ymin"] >= 0) & (boxes["ymin"] < boxes["ymax"]) & (boxes["ymax"] <= 1)).all()
    attributes = boxes[list(records.ATTRIBUTES)]
    assert set(attributes.to_numpy().ravel()) == {-1, 0, 1}
    assert set(boxes["is_truncated"]) == {-1, 0, 1}
    assert set(boxes["is_occluded"]) == {-1, 0, 1}


def test_a_truncated_box_touches_an_edge_and_only_such_a_box(drawn: Drawn) -> None:
    known = drawn.rows.boxes.query("is_truncated != -1 and is_group_of == 0 and is_depiction == 0")
    at_edge = (known[["xmin", "ymin"]] == 0).any(axis=1) | (known[["xmax", "ymax"]] == 1).any(axis=1)
    assert (known["is_truncated"].eq(1) <= at_edge).all()
    assert (at_edge & known["is_truncated"].eq(0)).mean() < 0.05  # a thing may just touch the edge


def test_only_wanted_classes_are_drawn_and_labelled(tmp_path: Path, drawn: Drawn) -> None:
    fruit = draw(tmp_path / "fruit", 12, 7, ["Apple", "Fruit - Apple"])
    assert set(fruit.rows.boxes["label"]) == {"Apple", "Fruit"}
    assert set(fruit.rows.boxes["image_id"]) == set(fruit.rows.images["image_id"])
    assert set(drawn.rows.boxes["label"]) == {"Hamburger", "Hot dog", "Sandwich"}
    before, after = fruit.rows.audit
    assert before.images == 12
    assert (after.images, after.boxes) == (len(fruit.rows.images), len(fruit.rows.boxes))
    assert after.boxes < before.boxes


def test_the_tree_counts_what_the_rows_have(drawn: Drawn) -> None:
    tree = drawn.source.tree()
    for label_id, count in Counter(drawn.rows.boxes["label_id"]).items():
        assert tree.node(label_id).boxes == count
        images = drawn.rows.boxes.query("label_id == @label_id")["image_id"].nunique()
        assert tree.node(label_id).images == images
    assert tree.ids("hamburger")[0] in tree.node(tree.ids("sandwich")[0]).children


def test_the_default_sample_has_enough_of_every_class_and_attribute() -> None:
    """Counted on the plan, without drawing 400 pictures."""
    tree = SampleSource(400, 20, FOLDER).tree()
    for name in ("Hamburger", "Hot dog", "Sandwich"):
        boxes = tree.node(tree.ids(name)[0]).boxes
        assert boxes is not None
        assert 200 <= boxes <= 320


def test_a_tiny_sample_has_no_more_flaws_than_pictures(tmp_path: Path) -> None:
    assert len(draw(tmp_path / "tiny", 1, 1, ["*", "Hot dog"]).rows.images) <= 1


def is_whole(data: bytes) -> bool:
    try:
        check_picture(data)
    except BadPictureError:
        return False
    return True


def mode(data: bytes) -> str:
    return Image.open(io.BytesIO(data)).mode


def region(image: Image.Image, box: object) -> Image.Image:
    left, right, top, bottom = (getattr(box, side) for side in ("left", "right", "top", "bottom"))
    across, down = image.size
    return image.convert("RGB").crop(
        (round(left * across), round(top * down), round(right * across), round(bottom * down))
    )


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures brought to one small size, 0..255."""
    pairs = zip(one.resize((24, 24)).tobytes(), other.resize((24, 24)).tobytes(), strict=True)
    differences = [abs(a - b) for a, b in pairs]
    return sum(differences) / len(differences)
