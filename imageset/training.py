"""Fits a model to the training crops, the same way in every run; the validation crops choose the epoch.

Metrics go to DVCLive epoch by epoch. Not for the test crops, which it never gets to see (`imageset.evaluation`).
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from dvclive.live import Live

from imageset import models
from imageset.augment import Augmenter
from imageset.determinism import make_deterministic
from imageset.errors import UserError
from imageset.params import TrainParams

_VAL_BATCH = 128  # only speed depends on it, but for the last bits


@dataclass(frozen=True)
class EpochMetrics:
    """What one epoch came to; loss is cross-entropy (natural logarithm), accuracy 0..1, rounded to 1e-6.

    Those of the training crops are means over the epoch, of bent crops and with dropout, while the weights move; so
    they may well be worse than those of the validation crops.
    """

    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


@dataclass(frozen=True)
class Trained:
    """A fitted model.

    Attributes
    ----------
    model : keras.Model
        With the weights of the best epoch.
    best_epoch : int
        The epoch with the lowest `val_loss`, counted from 1; the earliest of them.
    history : tuple of EpochMetrics
        One for each epoch that was run.
    """

    model: keras.Model
    best_epoch: int
    history: tuple[EpochMetrics, ...]


def train(
    train_images: npt.NDArray[np.uint8],
    train_labels: npt.NDArray[np.integer],
    val_images: npt.NDArray[np.uint8],
    val_labels: npt.NDArray[np.integer],
    *,
    classes: int,
    params: TrainParams,
    seed: int,
    live_folder: Path,
) -> Trained:
    """Build a model and fit it with RMSprop until `val_loss` has not fallen for `params.patience` epochs.

    The same arguments give the same weights and the same files on one kind of processor with one set of library
    versions; elsewhere metrics differ a little. Changes switches of the whole process: see
    `imageset.determinism.make_deterministic`. Prints a line per epoch to stderr.

    Parameters
    ----------
    train_images, val_images : numpy.ndarray
        (N, H, W, C) uint8. Only the training crops are shuffled and bent.
    train_labels, val_labels : numpy.ndarray
        (N,) integers, 0 to `classes` - 1.
    classes : int
        Number of classes.
    params : TrainParams
        Architecture, epochs, patience (epochs), batch size, learning rate, threads and augmentation.
    seed : int
        Draws the weights, the order of the crops, the dropout and the augmentation.
    live_folder : Path
        DVCLive's: ``metrics.json`` and ``plots/metrics/{train,val}/{loss,accuracy}.tsv``. What it wrote there before
        goes away first. In a git repository without DVC, DVCLive makes it a DVC one.

    Returns
    -------
    Trained

    Raises
    ------
    UserError
        When a split is empty, the crops are too small for the architecture, or the loss stops being a number.
    RuntimeError
        When TensorFlow already runs with another number of threads.
    """
    for name, images in (("train", train_images), ("val", val_images)):
        if not len(images):
            raise UserError(f"the split {name} needs at least 1 crop, received 0; change split.fractions")
    make_deterministic(seed, params.threads)
    model = models.build(params.architecture, train_images.shape[1:], classes)
    model.compile(
        optimizer=keras.optimizers.RMSprop(params.learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,  # XLA has no deterministic form of some operations
    )
    with tf.device("CPU"):  # a batch at a time goes to the accelerator, if there is one
        batches = _training_batches(train_images, train_labels, params, seed)
        val_batches = tf.data.Dataset.from_tensor_slices((val_images, val_labels)).batch(_VAL_BATCH)
    steps = math.ceil(len(train_images) / params.batch_size)
    with Live(str(live_folder), save_dvc_exp=False, dvcyaml=None, report=None) as live:
        log = _EpochLog(live, params)
        best = keras.callbacks.EarlyStopping("val_loss", patience=params.patience, restore_best_weights=True)
        model.fit(
            batches,
            epochs=params.epochs,
            steps_per_epoch=steps,
            validation_data=val_batches,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=log), best],
            shuffle=False,  # the batches come shuffled
            verbose=0,
        )
        return log.finish(model, best.best_epoch + 1)


def _training_batches(
    images: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer], params: TrainParams, seed: int
) -> tf.data.Dataset:
    """The batches of all epochs in a row; each epoch has its own order and its own transforms."""
    augmenter = Augmenter(params.augment, seed)
    pixels, targets = tf.constant(images), tf.constant(labels)
    count, side = len(images), images.shape[1:3]

    def epoch_of(epoch: tf.Tensor) -> tf.data.Dataset:
        # Away from the seeds of the transforms, which begin with the same number.
        keys = tf.random.stateless_uniform((count,), tf.stack([-1 - tf.cast(seed, tf.int64), epoch]), alg="philox")
        order = tf.argsort(keys, stable=True)
        transforms = tf.gather(augmenter.draw(epoch, count, side), order)
        return tf.data.Dataset.from_tensor_slices((order, transforms)).batch(params.batch_size)

    def batch_of(order: tf.Tensor, transforms: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return augmenter.bend(tf.gather(pixels, order), transforms), tf.gather(targets, order)

    epochs = tf.data.Dataset.range(params.epochs).flat_map(epoch_of)
    return epochs.map(batch_of, num_parallel_calls=params.threads).prefetch(2)


class _EpochLog:
    """Takes Keras' numbers at the end of each epoch: to DVCLive, to stderr, and to the result."""

    def __init__(self, live: Live, params: TrainParams) -> None:
        self._live, self._params = live, params
        self._history: list[EpochMetrics] = []
        self._since = time.monotonic()

    def __call__(self, epoch: int, logs: dict[str, Any]) -> None:
        number = epoch + 1
        if not all(math.isfinite(value) for value in logs.values()):
            raise UserError(
                f"the loss is not a number any more in epoch {number}; "
                f"lower train.learning_rate, received {self._params.learning_rate:g}"
            )
        names = ("loss", "accuracy", "val_loss", "val_accuracy")
        metrics = EpochMetrics(*(round(float(logs[name]), 6) for name in names))
        self._history.append(metrics)
        self._live.step = number
        for name, value in asdict(metrics).items():
            self._live.log_metric(name.replace("_", "/"), value)
        self._say(number, metrics)

    def finish(self, model: keras.Model, best_epoch: int) -> Trained:
        best = self._history[best_epoch - 1]
        for name, value in (("epoch", best_epoch), ("val_loss", best.val_loss), ("val_accuracy", best.val_accuracy)):
            self._live.log_metric(f"best/{name}", value, plot=False)
        return Trained(model, best_epoch, tuple(self._history))

    def _say(self, number: int, metrics: EpochMetrics) -> None:
        now = time.monotonic()
        numbers = ", ".join(f"{name} {value:.4f}" for name, value in asdict(metrics).items())
        print(
            f"epoch {number}/{self._params.epochs}: {numbers} ({now - self._since:.1f} s)", file=sys.stderr, flush=True
        )
        self._since = now
