"""Numbers and crops to files that people look at: tables for DVC's plots, contact sheets of crops.

The same input gives the same bytes with one version of Pillow. Not for computing the numbers (`imageset.evaluation`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from skimage.util import montage

from imageset.evaluation import Curve, Evaluation
from imageset.files import replacing

Pixels = npt.NDArray[np.uint8]

_TILE = 128  # pixels, both sides, of a crop on a sheet
_FONT_SIZE = 12
_LINE = 15  # pixels from line to line
_MARGIN = 4  # pixels between a crop and its caption
_KEPT_END = 5  # characters
_GAP = 8
_PAPER, _INK = "white", "#202020"


def write_confusion(
    labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating], classes: Sequence[str], path: Path
) -> None:
    """Write one row per crop, columns ``actual`` and ``predicted``, for DVC's template ``confusion``.

    Parameters
    ----------
    labels, probabilities, classes
        As in `imageset.evaluation.evaluate`.
    path : Path
        A CSV file, in the order of the crops.
    """
    predicted = probabilities.argmax(axis=1)
    pairs = zip(labels, predicted, strict=True)
    _write_csv(path, ("actual", "predicted"), ((classes[actual], classes[guess]) for actual, guess in pairs))


def write_roc(evaluation: Evaluation, path: Path) -> None:
    """Write the ROC curves as CSV: ``class``, ``fpr``, ``tpr``, class by class, ``fpr`` ascending."""
    _write_csv(path, ("class", "fpr", "tpr"), _points(evaluation.classes, evaluation.roc))


def write_precision_recall(evaluation: Evaluation, path: Path) -> None:
    """Write the curves as CSV: ``class``, ``recall``, ``precision``, class by class, ``recall`` ascending."""
    _write_csv(path, ("class", "recall", "precision"), _points(evaluation.classes, evaluation.precision_recall))


def worst_mistakes(
    images: Pixels,
    labels: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    classes: Sequence[str],
    limit: int,
) -> Image.Image:
    """Show the crops that the model got wrong, the most confident mistakes first.

    Parameters
    ----------
    images : numpy.ndarray
        uint8, (N, H, W, C) with C of 3 or 1.
    labels, probabilities, classes
        As in `imageset.evaluation.evaluate`, for the same crops.
    limit : int
        How many to show at most.

    Returns
    -------
    PIL.Image.Image
        A contact sheet; one line of text when there is no mistake.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).round(6)
    wrong = np.flatnonzero(predicted != labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:limit]
    if not len(shown):
        return _note(f"no mistakes: {len(labels)} of {len(labels)} crops right")
    captions = [f"{classes[labels[i]]}\n-> {classes[predicted[i]]} {confidence[i]:.2f}" for i in shown]
    return contact_sheet([images[i] for i in shown], captions, columns=6)


def contact_sheet(images: Sequence[Pixels], captions: Sequence[str], columns: int) -> Image.Image:
    """Put crops side by side, each 128 pixels wide with its caption below.

    Parameters
    ----------
    images : sequence of numpy.ndarray
        At least one; uint8, (H, W, C) with C of 3 or 1. Stretched to a square.
    captions : sequence of str
        One for each, lines separated by newlines; a line that is too long is shortened in its middle.
    columns : int
        How many side by side, at most.

    Returns
    -------
    PIL.Image.Image
        RGB, filled row by row. `Image.save` writes it as PNG without times.
    """
    lines = [caption.split("\n") for caption in captions]
    height = _TILE + _MARGIN + _LINE * max(map(len, lines))
    tiles = [np.asarray(_tile(image, below, height)) for image, below in zip(images, lines, strict=True)]
    across = min(columns, len(tiles))
    shape = (math.ceil(len(tiles) / across), across)
    sheet = montage(np.stack(tiles), fill=(255, 255, 255), grid_shape=shape, padding_width=_GAP, channel_axis=-1)
    return Image.fromarray(sheet)


def _tile(pixels: Pixels, lines: list[str], height: int) -> Image.Image:
    crop = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    tile = Image.new("RGB", (_TILE, height), _PAPER)
    tile.paste(crop.resize((_TILE, _TILE), Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(tile)
    for number, line in enumerate(lines):
        draw.text((0, _TILE + _MARGIN + number * _LINE), _cut(line), _INK, font=_font())
    return tile


def _note(text: str) -> Image.Image:
    sheet = Image.new("RGB", (round(_font().getlength(text)) + 4 * _GAP, _LINE + 4 * _GAP), _PAPER)
    ImageDraw.Draw(sheet).text((2 * _GAP, 2 * _GAP), text, _INK, font=_font())
    return sheet


@cache
def _font() -> ImageFont.FreeTypeFont:
    # Comes with Pillow, so that captions look the same on every machine.
    return ImageFont.load_default(_FONT_SIZE)  # type: ignore[return-value]


def _cut(line: str) -> str:
    """Shorten a line in the middle until it fits below a crop; the end often holds a number."""
    start, end = line[:-_KEPT_END], line[-_KEPT_END:]
    while start and _font().getlength(line) > _TILE:
        start = start[:-1]
        line = f"{start.rstrip()}...{end.lstrip()}"
    return line


def _points(classes: Sequence[str], curves: Sequence[Curve]) -> Iterable[tuple[object, ...]]:
    for label, curve in zip(classes, curves, strict=True):
        for x, y in zip(curve.x, curve.y, strict=True):
            yield label, x, y


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
