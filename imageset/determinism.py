"""Makes TensorFlow compute the same numbers in every run on one kind of machine.

It sets switches of the whole process, so a stage calls it once, before anything else computes with TensorFlow.
"""

from __future__ import annotations

import keras
import tensorflow as tf


def make_deterministic(seed: int, threads: int) -> None:
    """Seed, choose deterministic kernels, and fix the number of threads.

    Parameters
    ----------
    seed : int
        0 to 2**31 - 1. Also seeds the global generators of Python and NumPy, which Keras draws weights from.
    threads : int
        Threads inside one operation, and operations at a time. Sums are split among them, so the last bits of a
        result depend on it.

    Raises
    ------
    RuntimeError
        When TensorFlow has already started with another number of threads, which it cannot change any more.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        started = tf.config.threading.get_intra_op_parallelism_threads()
        raise RuntimeError(
            f"TensorFlow runs with {started or 'as many as there are cores'} threads since its first computation and "
            f"cannot change to {threads}; call make_deterministic before it"
        ) from error
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
