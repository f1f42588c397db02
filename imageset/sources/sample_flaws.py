"""What is wrong with which picture of the sample: the web's usual troubles, a few per cent of each, on purpose.

Only which; how a flawed picture is made stands in `sample_prints`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from imageset.ids import rank


class Flaw(Enum):
    """One trouble per picture."""

    DEAD = "nothing lies behind any link"
    DEAD_WITH_COPY = "nothing lies behind the first link"
    PLACEHOLDER = "the only link answers with the picture that says that there is none"
    PLACEHOLDER_WITH_COPY = "the first link does"
    TRUNCATED = "the only file ends early"
    TRUNCATED_WITH_COPY = "the first file does"
    GREY = "no colours"
    SIDEWAYS_BY_EXIF = "stored on its side; EXIF and the rotation column say so"
    SIDEWAYS_BY_COLUMN = "stored on its side; only the rotation column says so"
    DUPLICATE = "the bytes of another picture"
    NEAR_DUPLICATE = "another picture, cut a little and perhaps mirrored"


REPEATS = (Flaw.DUPLICATE, Flaw.NEAR_DUPLICATE)

_PER_MILLE = {
    Flaw.DEAD: 20,
    Flaw.DEAD_WITH_COPY: 30,
    Flaw.PLACEHOLDER: 10,
    Flaw.PLACEHOLDER_WITH_COPY: 25,
    Flaw.TRUNCATED: 10,
    Flaw.TRUNCATED_WITH_COPY: 15,
    Flaw.GREY: 30,
    Flaw.SIDEWAYS_BY_EXIF: 25,
    Flaw.SIDEWAYS_BY_COLUMN: 15,
    Flaw.DUPLICATE: 20,
    Flaw.NEAR_DUPLICATE: 40,
}


@dataclass(frozen=True)
class Fate:
    """What happens to a picture: its flaw, if any, and the number of the picture whose scene it shows."""

    flaw: Flaw | None
    scene: int


def fates(count: int, seed: int) -> list[Fate]:
    """Share the flaws out.

    Parameters
    ----------
    count : int
        How many pictures there are.
    seed : int

    Returns
    -------
    list of Fate
        One for each picture. At least half have no flaw; each flaw is there from some thirty pictures on. A picture
        that repeats another shows the scene of one without a flaw.
    """
    order = sorted(range(count), key=lambda number: rank(seed, f"flaw {number}"))
    flaws = [flaw for flaw, share in _PER_MILLE.items() for _ in range(-(-count * share // 1000))][: count // 2]
    fate_of = {number: Fate(None, number) for number in order}
    clean = iter(order[len(flaws) :])
    for number, flaw in zip(order, flaws, strict=False):
        fate_of[number] = Fate(flaw, next(clean) if flaw in REPEATS else number)
    return [fate_of[number] for number in range(count)]
