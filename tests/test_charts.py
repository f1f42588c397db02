"""Tables for plots and contact sheets: what is on them, and the same bytes twice."""

import numpy as np
import pytest
from PIL import Image

from imageset.charts import contact_sheet, worst_mistakes, write_confusion, write_precision_recall, write_roc
from imageset.evaluation import evaluate

CLASSES = ["Hot dog", 'Sandwich, "club"']
RED, GREEN, BLUE, GREY = (220, 30, 30), (30, 200, 30), (30, 30, 220), (90,)


def plain(colour: tuple[int, ...], side: int = 16) -> np.ndarray:
    return np.full((side, side, len(colour)), colour, np.uint8)


def colour_of_tile(sheet: Image.Image, row: int, column: int, lines: int = 1) -> tuple[int, ...]:
    height = 128 + 4 + 15 * lines
    return sheet.getpixel((8 + column * 136 + 64, 8 + row * (height + 8) + 64))


def dark_pixels(sheet: Image.Image) -> int:
    return int((np.asarray(sheet.convert("L")) < 128).sum())


def test_confusion_has_a_row_per_crop_in_their_order(tmp_path):
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    write_confusion(np.array([0, 1, 1]), probabilities, CLASSES, tmp_path / "new" / "confusion.csv")
    assert (tmp_path / "new" / "confusion.csv").read_text() == (
        'actual,predicted\nHot dog,Hot dog\n"Sandwich, ""club""",Hot dog\n"Sandwich, ""club""","Sandwich, ""club"""\n'
    )


def test_curves_class_by_class(tmp_path):
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    evaluation = evaluate(np.array([0, 1]), probabilities, ["a", "b"])
    write_roc(evaluation, tmp_path / "roc.csv")
    write_precision_recall(evaluation, tmp_path / "pr.csv")
    assert (tmp_path / "roc.csv").read_text().splitlines() == [
        "class,fpr,tpr", *(f"{name},{point}" for name in "ab" for point in ("0.0,0.0", "0.0,1.0", "1.0,1.0"))
    ]  # fmt: skip
    assert (tmp_path / "pr.csv").read_text().splitlines()[:2] == ["class,recall,precision", "a,0.0,1.0"]


def test_curves_without_points_leave_the_header(tmp_path):
    evaluation = evaluate(np.array([0]), np.ones((1, 1)), ["only"])
    write_roc(evaluation, tmp_path / "roc.csv")
    assert (tmp_path / "roc.csv").read_text() == "class,fpr,tpr\n"


def test_sheet_is_filled_row_by_row():
    sheet = contact_sheet([plain(RED), plain(GREEN, 200), plain(BLUE)], ["red", "green", "blue"], columns=2)
    assert sheet.mode == "RGB"
    assert sheet.size == (2 * 128 + 3 * 8, 2 * (128 + 4 + 15) + 3 * 8)
    assert [colour_of_tile(sheet, *place) for place in ((0, 0), (0, 1), (1, 0))] == [RED, GREEN, BLUE]
    assert colour_of_tile(sheet, 1, 1) == (255, 255, 255)


def test_sheet_is_no_wider_than_its_crops():
    assert contact_sheet([plain(RED)], ["red"], columns=6).width == 128 + 2 * 8


def test_grey_and_oblong_crops():
    sheet = contact_sheet([plain(GREY), plain(RED)[:8]], ["", ""], columns=2)
    assert colour_of_tile(sheet, 0, 0) == GREY * 3
    assert colour_of_tile(sheet, 0, 1) == RED


@pytest.mark.parametrize("caption", ["x" * 300, "a label of many words that goes on and on 0.97", "pøté → 1", ""])
def test_captions_stay_below_their_crop(caption):
    sheet = contact_sheet([plain((255, 255, 255))] * 2, [caption, ""], columns=2)
    left, right = sheet.crop((0, 0, 140, sheet.height)), sheet.crop((140, 0, sheet.width, sheet.height))
    assert bool(dark_pixels(left)) == bool(caption)
    assert not dark_pixels(right)
    assert not dark_pixels(left.crop((0, 0, 140, 8 + 128)))


def test_png_bytes_are_the_same_twice(tmp_path):
    for name in ("one.png", "two.png"):
        contact_sheet([plain(RED), plain(GREY)], ["red -> grey 0.97", "two\nlines"], columns=2).save(tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert Image.open(tmp_path / "one.png").info == {}


def test_worst_mistakes_come_first():
    images = np.stack([plain(RED), plain(GREEN), plain(BLUE), plain((0, 0, 0))])
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    sheet = worst_mistakes(images, labels, probabilities, CLASSES, limit=2)
    assert sheet.width == 2 * 128 + 3 * 8
    assert [colour_of_tile(sheet, 0, column, lines=2) for column in (0, 1)] == [BLUE, (0, 0, 0)]


@pytest.mark.parametrize("crops", [0, 3])
def test_no_mistakes_gives_a_sheet_that_says_so(crops):
    images = np.zeros((crops, 16, 16, 3), np.uint8)
    sheet = worst_mistakes(images, np.zeros(crops, int), np.tile([0.9, 0.1], (crops, 1)), CLASSES, limit=12)
    assert dark_pixels(sheet) > 100
