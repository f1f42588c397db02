"""Keeps TensorFlow from telling the user how it was built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing_tensorflow() -> Iterator[None]:
    """Import TensorFlow in the block: its C++ parts then write neither during the import nor after it.

    What they write while they are imported no setting of theirs stops, so file descriptor 2 leads nowhere meanwhile.
    Exceptions pass and are shown as usual.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    shown = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(shown, 2)
        os.close(shown)
        os.close(nowhere)
