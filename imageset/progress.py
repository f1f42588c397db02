"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere.

Writes to stderr only; it never enters an out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LOG_EVERY_S = 10.0


class Advance(Protocol):
    """Say that more is done: `amount` pieces, and what to show beside them."""

    def __call__(self, amount: int = 1, note: str = "") -> None:
        """Count `amount` more pieces as done; `note` replaces the text after the numbers."""


@contextmanager
def tracking(what: str, total: int) -> Iterator[Advance]:
    """Show how far a piece of work is while the block runs.

    Parameters
    ----------
    what : str
        What is being done, such as ``"download"``.
    total : int
        How many pieces there are.

    Yields
    ------
    Advance
        To be called from one thread, after each piece.
    """
    if sys.stderr.isatty():
        with _bar(what, total) as advance:
            yield advance
    else:
        lines = _Lines(what, total)
        yield lines
        lines.close()


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.1f}/s" if task.speed else "")


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, note="")

        def advance(amount: int = 1, note: str = "") -> None:
            progress.update(task, advance=amount, note=note)

        yield advance


class _Lines:
    """A line every ten seconds, and one at the end, for logs."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._note = what, total, 0, ""
        self._start = self._said = time.monotonic()

    def __call__(self, amount: int = 1, note: str = "") -> None:
        self._done += amount
        self._note = note
        if time.monotonic() - self._said >= _LOG_EVERY_S:
            self._say()

    def close(self) -> None:
        self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        rate = self._done / max(self._said - self._start, 1e-3)
        left = (self._total - self._done) / rate if rate else 0.0
        line = f"{self._what}: {self._done}/{self._total}, {rate:,.1f}/s, {left:.0f} s left {self._note}"
        print(line.rstrip(), file=sys.stderr, flush=True)
