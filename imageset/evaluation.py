"""How good predictions are: numbers from labels and probabilities.

Everything is rounded to 1e-6, so that last bits do not reach an out. Not for drawing (`imageset.charts`) nor for
predicting (`imageset.model_files`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

from imageset.ids import folder_names

_CURVE_POINTS = 100


@dataclass(frozen=True)
class ClassMetrics:
    """One class against all others; 0 where nothing can be counted (class absent, or never predicted).

    `support` is the number of crops with this label.
    """

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Curve:
    """Points of a curve of one class against all others, at most 100, in the order of `x`.

    Empty when the crops are all of this class, or none is: then there is nothing to tell apart.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """What predictions are worth.

    Attributes
    ----------
    classes : tuple of str
        Label names; the order of everything below.
    accuracy : float
        Share of crops whose most probable class is their label; 0 without crops.
    baseline_accuracy : float
        Accuracy of always answering with the most frequent label.
    macro_f1 : float
        Mean F1 of the classes that have crops.
    per_class : tuple of ClassMetrics
    confusion : tuple of tuple of int
        Rows are labels, columns are predictions, entries are crops.
    roc : tuple of Curve
        x: false positive rate, y: true positive rate.
    precision_recall : tuple of Curve
        x: recall, y: precision.
    """

    classes: tuple[str, ...]
    accuracy: float
    baseline_accuracy: float
    macro_f1: float
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]
    roc: tuple[Curve, ...]
    precision_recall: tuple[Curve, ...]

    def lines(self) -> list[str]:
        """The numbers as a table to print."""
        width = max(map(len, self.classes))
        head = f"test accuracy {self.accuracy:.3f} (always the most frequent label: {self.baseline_accuracy:.3f})"
        columns = f"{'':{width}} {'precision':>10} {'recall':>10} {'f1':>10} {'crops':>10}"
        rows = (
            f"{label:{width}} {each.precision:10.3f} {each.recall:10.3f} {each.f1:10.3f} {each.support:10,}"
            for label, each in zip(self.classes, self.per_class, strict=True)
        )
        return [head, columns, *rows]

    def metrics_dict(self) -> dict[str, Any]:
        """Give the numbers for a metrics file.

        Returns
        -------
        dict
            ``accuracy``, ``baseline_accuracy``, ``macro_f1``, ``crops`` and ``per_class``: slug of the label (without
            dots, which DVC puts between the levels) to precision, recall, F1 and support.
        """
        slugs = folder_names(self.classes)
        pairs = zip(self.classes, self.per_class, strict=True)
        return {
            "accuracy": self.accuracy,
            "baseline_accuracy": self.baseline_accuracy,
            "macro_f1": self.macro_f1,
            "crops": sum(metrics.support for metrics in self.per_class),
            "per_class": {slugs[label]: asdict(metrics) for label, metrics in pairs},
        }


def evaluate(
    labels: npt.NDArray[np.integer], probabilities: npt.NDArray[np.floating], classes: Sequence[str]
) -> Evaluation:
    """Compare probabilities with labels.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,) integers, index into `classes`; N may be 0.
    probabilities : numpy.ndarray
        (N, len(classes)), 0..1. The prediction is the most probable class, the first of equals.
    classes : sequence of str
        Label names. One without crops, or a single one, is fine.

    Returns
    -------
    Evaluation
    """
    predicted = probabilities.argmax(axis=1)
    every = range(len(classes))
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    crops = max(len(labels), 1)
    per_class = _per_class(confusion)
    f1_of_present = [metrics.f1 for metrics in per_class if metrics.support]
    scores = probabilities.astype(np.float64).round(6)  # thresholds that last bits do not move
    return Evaluation(
        classes=tuple(classes),
        accuracy=round(float(confusion.trace()) / crops, 6),
        baseline_accuracy=round(float(confusion.sum(axis=1).max()) / crops, 6),
        macro_f1=round(sum(f1_of_present) / max(len(f1_of_present), 1), 6),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        roc=tuple(_roc(labels == index, scores[:, index]) for index in every),
        precision_recall=tuple(_precision_recall(labels == index, scores[:, index]) for index in every),
    )


def predictions_table(
    crop_ids: Sequence[str],
    labels: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    classes: Sequence[str],
) -> pd.DataFrame:
    """Put predictions beside labels, a row for each crop.

    Parameters
    ----------
    crop_ids : sequence of str
        In the order of `labels` and `probabilities`, which are as in `evaluate`.
    classes : sequence of str
        Label names.

    Returns
    -------
    pandas.DataFrame
        Schema `records.PREDICTIONS`, sorted by crop id.
    """
    table = pd.DataFrame(
        {
            "crop_id": list(crop_ids),
            "label": [classes[label] for label in labels],
            "predicted": [classes[index] for index in probabilities.argmax(axis=1)],
            "probability": probabilities.max(axis=1),
            "probabilities": list(probabilities),
        }
    )
    return table.sort_values("crop_id", ignore_index=True)


def _per_class(confusion: npt.NDArray[np.int64]) -> tuple[ClassMetrics, ...]:
    hits, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    wholes = np.stack([predicted, support, support + predicted])
    rates = (np.stack([hits, hits, 2 * hits]) / np.maximum(wholes, 1)).round(6).T.tolist()
    return tuple(
        ClassMetrics(precision, recall, f1, int(count))
        for (precision, recall, f1), count in zip(rates, support, strict=True)
    )


def _roc(is_class: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> Curve:
    if is_class.all() or not is_class.any():
        return Curve((), ())
    false_positive_rate, true_positive_rate, _ = roc_curve(is_class, scores)
    return _thinned(false_positive_rate, true_positive_rate)


def _precision_recall(is_class: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64]) -> Curve:
    if is_class.all() or not is_class.any():
        return Curve((), ())
    precision, recall, _ = precision_recall_curve(is_class, scores)
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Curve:
    """Keep both ends and evenly many points between them."""
    kept = np.unique(np.linspace(0, len(x) - 1, _CURVE_POINTS).round().astype(int))
    return Curve(tuple(x[kept].round(6).tolist()), tuple(y[kept].round(6).tolist()))
