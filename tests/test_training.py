"""Training: the same bytes in every run, the best weights, and val crops that nothing touches."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from imageset.determinism import make_deterministic
from imageset.errors import UserError
from imageset.model_files import ModelMeta, probabilities, save_model
from imageset.params import AugmentParams, TrainParams
from imageset.training import _training_batches, train

NOTHING = AugmentParams(flip=False, rotation=0, shift=0, shear=0, zoom=0)
EVERYTHING = AugmentParams(flip=True, rotation=90, shift=0.4, shear=0.4, zoom=0.8)
PARAMS = TrainParams(
    architecture="plain_cnn",
    epochs=3,
    patience=3,
    batch_size=16,
    learning_rate=1e-3,
    threads=2,
    augment=NOTHING,
)


def crops(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes: bright on the left, bright on the right."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype(np.int32)
    images = rng.integers(0, 120, (count, 24, 24, 3), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, label * 12 : label * 12 + 12] += 100
    return images, labels


TRAIN, VAL = crops(40, 1), crops(20, 2)


def noise(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 24, 24, 3), dtype=np.uint8), rng.integers(0, 2, count).astype(np.int32)


def cross_entropy(model, images: np.ndarray, labels: np.ndarray) -> float:
    of_label = probabilities(model, images)[np.arange(len(labels)), labels]
    return float(-np.log(of_label).mean())


@pytest.fixture
def fit(tmp_path, monkeypatch):
    """Train in a folder outside of any repository, as DVCLive looks for one."""
    monkeypatch.chdir(tmp_path)

    def run(params: TrainParams = PARAMS, training=TRAIN, validation=VAL, seed: int = 20):
        return train(*training, *validation, classes=2, params=params, seed=seed, live_folder=tmp_path / "live")

    return run


def train_and_save(folder: Path) -> None:
    params = PARAMS.model_copy(update={"augment": EVERYTHING})
    trained = train(*TRAIN, *VAL, classes=2, params=params, seed=20, live_folder=folder / "live")
    meta = ModelMeta("plain_cnn", ("left", "right"), 24, "stretch", "rgb")
    save_model(trained.model, folder / "model.keras", meta)


def test_another_process_writes_the_same_bytes(tmp_path, monkeypatch, capfd):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    command = "import sys, pathlib; sys.path[:0] = sys.argv[1:]; import test_training; "
    command += "test_training.train_and_save(pathlib.Path())"
    tests = Path(__file__).parent
    subprocess.run([sys.executable, "-c", command, str(tests), str(tests.parent)], cwd=there, check=True, timeout=120)
    said = capfd.readouterr().err
    assert re.findall(r"^epoch (\d/\d): train_loss 0\.", said, re.MULTILINE) == ["1/3", "2/3", "3/3"]
    monkeypatch.chdir(here)
    train_and_save(here)
    first, second = (
        {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        for root in (here, there)
    )
    curves = [
        f"live/plots/metrics/{split}/{metric}.tsv" for split in ("train", "val") for metric in ("accuracy", "loss")
    ]
    assert sorted(map(str, first)) == ["live/metrics.json", *curves, "model.keras"]
    assert first == second


def test_learns_what_can_be_learnt(fit):
    trained = fit(PARAMS.model_copy(update={"epochs": 8, "patience": 8}))
    images, labels = crops(20, 3)
    assert (probabilities(trained.model, images).argmax(axis=1) == labels).mean() > 0.9


def test_stops_early_and_gives_the_best_weights_back(fit):
    # Noise cannot be learnt, only remembered, so val_loss rises soon.
    training, validation = noise(40, 1), noise(40, 2)
    trained = fit(PARAMS.model_copy(update={"epochs": 30, "patience": 2, "learning_rate": 3e-3}), training, validation)
    losses = [epoch.val_loss for epoch in trained.history]
    assert len(losses) == trained.best_epoch + 2 < 30
    assert losses[trained.best_epoch - 1] == min(losses)
    assert cross_entropy(trained.model, *validation) == pytest.approx(min(losses), abs=1e-5)
    assert losses[-1] > min(losses) + 1e-3  # the last weights would have been seen


def test_logs_every_epoch_and_the_best(fit, tmp_path):
    trained = fit()
    lines = (tmp_path / "live/plots/metrics/val/loss.tsv").read_text().splitlines()
    assert lines == [
        "step\tloss",
        *(f"{step}\t{epoch.val_loss}" for step, epoch in enumerate(trained.history, start=1)),
    ]
    best = trained.history[trained.best_epoch - 1]
    assert json.loads((tmp_path / "live/metrics.json").read_text()) == {
        "train": {"loss": trained.history[-1].train_loss, "accuracy": trained.history[-1].train_accuracy},
        "val": {"loss": trained.history[-1].val_loss, "accuracy": trained.history[-1].val_accuracy},
        "best": {"epoch": trained.best_epoch, "val_loss": best.val_loss, "val_accuracy": best.val_accuracy},
        "step": 3,
    }


def test_augmentation_bends_train_and_never_val(fit):
    one_epoch = PARAMS.model_copy(update={"epochs": 1, "learning_rate": 1e-12})  # weights stay where they are
    plain = fit(one_epoch)
    bent = fit(one_epoch.model_copy(update={"augment": EVERYTHING}))
    assert bent.history[0].val_loss == pytest.approx(cross_entropy(bent.model, *VAL), abs=2e-6)
    assert bent.history[0].val_loss == pytest.approx(plain.history[0].val_loss, abs=2e-6)
    assert abs(bent.history[0].train_loss - plain.history[0].train_loss) > 1e-4


def test_seed_changes_the_result(fit):
    one_epoch = PARAMS.model_copy(update={"epochs": 1})
    assert fit(one_epoch).history != fit(one_epoch, seed=21).history


def test_each_epoch_has_every_crop_once_in_an_order_of_its_own():
    images = np.arange(37, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    batches = list(_training_batches(images, np.arange(37) * 10, PARAMS, seed=20))
    assert [len(labels) for _, labels in batches] == [16, 16, 5] * 3
    seen = np.concatenate([pixels[:, 0, 0, 0] for pixels, _ in batches]).reshape(3, 37)
    labels = np.concatenate([labels for _, labels in batches]).reshape(3, 37)
    np.testing.assert_array_equal(seen * 10, labels)
    np.testing.assert_array_equal(np.sort(seen), [np.arange(37)] * 3)
    assert len(np.unique(seen, axis=0)) == 3


def test_a_loss_that_is_no_number_is_one_line(fit):
    with pytest.raises(
        UserError, match=r"not a number any more in epoch \d; lower train.learning_rate, received 1e\+30"
    ):
        fit(PARAMS.model_copy(update={"learning_rate": 1e30}))


@pytest.mark.parametrize(("empty", "name"), [("training", "train"), ("validation", "val")])
def test_empty_split(fit, empty, name):
    with pytest.raises(UserError, match=f"the split {name} needs at least 1 crop, received 0"):
        fit(**{empty: (TRAIN[0][:0], TRAIN[1][:0])})


def test_threads_cannot_change_once_tensorflow_runs():
    make_deterministic(seed=1, threads=2)
    tf.constant(0) + 1
    with pytest.raises(RuntimeError, match=r"runs with 2 threads .* cannot change to 1"):
        make_deterministic(seed=1, threads=1)
