"""Metrics against numbers worked out by hand, and the cases where there is nothing to divide by."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from imageset.evaluation import ClassMetrics, Curve, evaluate

pytestmark = pytest.mark.filterwarnings("error")


def sure(predicted: list[int], classes: int) -> np.ndarray:
    """Probabilities of somebody who is nearly certain."""
    return np.where(np.arange(classes) == np.array(predicted, int)[:, None], 0.9, 0.1 / max(classes - 1, 1))


def test_against_numbers_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    result = evaluate(labels, sure([0, 0, 0, 1, 1, 1, 0, 2, 2, 1], 3), ["a", "b", "c"])
    assert result.confusion == ((3, 1, 0), (1, 2, 0), (0, 1, 2))
    assert result.accuracy == 0.7
    assert result.baseline_accuracy == 0.4
    assert result.per_class == (
        ClassMetrics(0.75, 0.75, 0.75, 4),
        ClassMetrics(0.5, 0.666667, 0.571429, 3),
        ClassMetrics(1.0, 0.666667, 0.8, 3),
    )
    assert result.macro_f1 == round((0.75 + 4 / 7 + 0.8) / 3, 6)


def test_curves_by_hand():
    # In order of falling probability of "yes": yes, no, yes, no.
    yes = np.array([0.9, 0.7, 0.6, 0.2])
    result = evaluate(np.array([1, 0, 1, 0]), np.stack([1 - yes, yes], axis=1), ["no", "yes"])
    assert result.roc[1] == Curve((0.0, 0.0, 0.5, 0.5, 1.0), (0.0, 0.5, 0.5, 1.0, 1.0))
    assert result.precision_recall[1] == Curve((0.0, 0.5, 0.5, 1.0, 1.0), (1.0, 1.0, 0.5, 0.666667, 0.5))


def test_metrics_for_dvc_are_json_with_names_without_dots():
    result = evaluate(np.array([0, 1, 1]), sure([0, 1, 0], 2), ["Mr. Pizza", "mr pizza"])
    metrics = result.metrics_dict()
    assert json.loads(json.dumps(metrics)) == metrics
    assert [metrics[name] for name in ("accuracy", "baseline_accuracy", "crops")] == [0.666667, 0.666667, 3]
    assert len(metrics["per_class"]) == 2
    assert not any("." in name for name in metrics["per_class"])
    assert {"precision": 1.0, "recall": 0.5, "f1": 0.666667, "support": 2} in metrics["per_class"].values()


def test_class_that_no_crop_has():
    result = evaluate(np.array([0, 0, 1]), sure([0, 2, 1], 3), ["a", "b", "absent"])
    assert result.per_class[2] == ClassMetrics(0.0, 0.0, 0.0, 0)
    assert result.macro_f1 == round((2 / 3 + 1) / 2, 6)  # the absent class does not count
    assert result.roc[2] == result.precision_recall[2] == Curve((), ())


def test_class_that_is_never_predicted():
    result = evaluate(np.array([0, 1]), sure([0, 0], 2), ["a", "b"])
    assert result.per_class[1] == ClassMetrics(0.0, 0.0, 0.0, 1)


def test_single_class():
    result = evaluate(np.zeros(4, int), np.ones((4, 1)), ["only"])
    assert (result.accuracy, result.baseline_accuracy, result.macro_f1) == (1.0, 1.0, 1.0)
    assert result.confusion == ((4,),)
    assert result.roc == (Curve((), ()),)


def test_no_crops():
    result = evaluate(np.empty(0, int), np.empty((0, 3)), ["a", "b", "c"])
    assert (result.accuracy, result.baseline_accuracy, result.macro_f1) == (0.0, 0.0, 0.0)
    assert result.metrics_dict()["crops"] == 0


def test_last_bits_do_not_matter():
    rng = np.random.default_rng(4)
    labels, raw = rng.integers(0, 3, 300), rng.random((300, 3))
    # In the middle between two roundings, so that the noise cannot reach one.
    probabilities = (raw / raw.sum(axis=1, keepdims=True)).round(6)
    noise = rng.uniform(-1e-9, 1e-9, probabilities.shape)
    assert evaluate(labels, probabilities + noise, list("abc")) == evaluate(labels, probabilities, list("abc"))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.integers(1, 4), st.integers(0, 100))
def test_properties(crops, classes, seed):
    rng = np.random.default_rng(seed)
    labels, probabilities = rng.integers(0, classes, crops), rng.random((crops, classes))
    result = evaluate(labels, probabilities, [f"class {index}" for index in range(classes)])
    assert sum(map(sum, result.confusion)) == crops
    assert [metrics.support for metrics in result.per_class] == np.bincount(labels, minlength=classes).tolist()
    if crops:
        predicted = probabilities.argmax(axis=1)
        assert result.accuracy == pytest.approx((predicted == labels).mean(), abs=1e-6)
        expected = precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=0.0)
        ours = [(metrics.precision, metrics.recall, metrics.f1, metrics.support) for metrics in result.per_class]
        np.testing.assert_allclose(ours, np.transpose(expected), atol=1e-6)
    for curve in (*result.roc, *result.precision_recall):
        assert len(curve.x) == len(curve.y) <= 100
        assert list(curve.x) == sorted(curve.x)
        assert not curve.x or (curve.x[0], curve.x[-1]) == (0, 1)
    for curve in result.roc:
        assert list(curve.y) == sorted(curve.y)
