"""What else stands on the table: fruit, cups and doughnuts, which are classes too, and plates, cutlery and papers.

In thousandths of their half width, like `foods`.
"""

from __future__ import annotations

from random import Random

from imageset.sources.drawing.canvas import Colour, Contour
from imageset.sources.drawing.foods import BREADS, GARNISHES, SAUCES, Recipe
from imageset.sources.drawing.shapes import (
    Layer,
    arc,
    band,
    cosine,
    ellipse,
    outline,
    placed,
    rectangle,
    shade,
    sine,
)

CLOTHS: tuple[Colour, ...] = (
    (236, 232, 222),
    (196, 60, 56),
    (70, 110, 160),
    (120, 160, 120),
    (240, 206, 120),
    (90, 84, 100),
    (220, 160, 160),
    (170, 120, 80),
)
_METAL: Colour = (176, 180, 188)


def apple(rng: Random) -> list[Layer]:
    """Apple with stalk and leaf."""
    skin = rng.choice(((198, 44, 40), (150, 180, 60), (222, 170, 70), (160, 30, 50)))
    body = outline(
        (x * (1000 - abs(cosine(a)) // 140) // 1000, y + 160 * (16384 - abs(cosine(a))) // 16384 * (1 if y < 0 else -1))
        for a, (x, y) in zip(range(0, 360, 10), arc(0, 0, 960, 900, start=0, stop=350), strict=True)
    )
    return [
        Layer(band([(0, -700), (60, -900), (160, -1100)], 50), (96, 66, 40)),
        Layer((body,), skin),
        Layer((ellipse(-380, -280, 220, 300),), shade(skin, 135), 140),
        Layer((ellipse(380, -960, 260, 110),), (90, 150, 60)),
    ]


def orange(rng: Random) -> list[Layer]:
    """Orange, whole or cut in half."""
    skin = rng.choice(((240, 140, 30), (232, 110, 40), (246, 170, 50)))
    if rng.randrange(2):
        dots = tuple(ellipse(rng.randrange(-550, 550), rng.randrange(-550, 550), 26, 26, 45) for _ in range(16))
        glow = ellipse(-300, -320, 300, 260)
        return [
            Layer((ellipse(0, 0, 960, 960),), skin),
            Layer(dots, shade(skin, 84)),
            Layer((glow,), shade(skin, 125), 130),
        ]
    rays = [_wedge(angle, 800) for angle in range(rng.randrange(45), 360, 45)]
    return [
        Layer((ellipse(0, 0, 960, 960),), skin),
        Layer((ellipse(0, 0, 880, 880),), (250, 232, 190)),
        Layer(tuple(rays), shade(skin, 112)),
    ]


def doughnut(rng: Random) -> list[Layer]:
    """Doughnut from above, iced, with sprinkles."""
    dough, icing = rng.choice(BREADS[:5]), rng.choice(GARNISHES + SAUCES)
    edge = [(a, 780 + 50 * sine(a * 5) // 16384) for a in range(0, 360, 6)]
    iced = outline((r * cosine(a) // 16384, r * sine(a) // 16384) for a, r in edge)
    layers = [Layer((ellipse(0, 0, 960, 960),), dough), Layer((iced,), icing)]
    for _ in range(12):
        angle, far = rng.randrange(360), rng.randrange(420, 700)
        spot = (far * cosine(angle) // 16384, far * sine(angle) // 16384)
        layers += placed(
            [Layer((rectangle(-70, -22, 70, 22),), rng.choice(SAUCES + CLOTHS))], spot, 1000, rng.randrange(180)
        )
    return [
        *layers,
        Layer((ellipse(0, 0, 330, 330),), shade(dough, 76)),
        Layer((ellipse(0, 40, 280, 260),), (110, 100, 94)),
    ]


def cup_side(rng: Random) -> list[Layer]:
    """Mug with a handle from the front."""
    glaze, stripe = rng.choice(CLOTHS), rng.choice(CLOTHS)
    handle = outline(arc(620, 40, 420, 420))
    hole = outline(arc(620, 40, 260, 260))
    body = outline([(-720, -780), (720, -780), (600, 800), (-600, 800)])
    return [
        Layer((handle,), shade(glaze, 84)),
        Layer((hole,), shade(glaze, 50)),
        Layer((body,), glaze),
        Layer((outline([(-690, -200), (690, -200), (655, 140), (-655, 140)]),), stripe),
        Layer((ellipse(0, -780, 720, 150),), shade(glaze, 115)),
        Layer((ellipse(0, -770, 620, 110),), (92, 60, 40)),
    ]


def cup_top(rng: Random) -> list[Layer]:
    """Cup on its saucer from above."""
    glaze = rng.choice(CLOTHS)
    return [
        Layer((ellipse(0, 0, 1000, 1000),), shade(glaze, 92)),
        Layer((ellipse(0, 0, 760, 760),), shade(glaze, 84)),
        Layer((rectangle(500, -90, 930, 90, 60),), shade(glaze, 108)),
        Layer((ellipse(0, 0, 620, 620),), glaze),
        Layer((ellipse(0, 0, 520, 520),), rng.choice(((92, 60, 40), (150, 104, 66), (196, 160, 120)))),
    ]


def plate(rng: Random, flat: int) -> list[Layer]:
    """Round plate or board; `flat` is its height in thousandths of its width."""
    glaze = rng.choice(CLOTHS)
    steps = ((1000, 88), (950, 108), (700, 96), (670, 104))
    return [Layer((ellipse(0, 0, wide, wide * flat // 1000),), shade(glaze, percent)) for wide, percent in steps]


def paper(rng: Random) -> list[Layer]:
    """Square of chequered or striped paper."""
    ground, lines = rng.choice(CLOTHS), rng.choice(CLOTHS)
    bars = [rectangle(x, -1000, x + 110, 1000) for x in range(-900, 900, 280)]
    layers = [Layer((rectangle(-1000, -1000, 1000, 1000),), ground), Layer(tuple(bars), lines, 190)]
    if rng.randrange(2):
        across = [rectangle(-1000, y, 1000, y + 110) for y in range(-900, 900, 280)]
        layers.append(Layer(tuple(across), lines, 110))
    return layers


def napkin(rng: Random) -> list[Layer]:
    """Folded napkin."""
    cloth = rng.choice(CLOTHS)
    return [
        Layer((outline([(-900, -600), (800, -700), (950, 600), (-850, 700)]),), cloth),
        Layer((outline([(-900, -600), (950, 600), (-850, 700)]),), shade(cloth, 88)),
        Layer((outline([(-880, -100), (-870, 150), (340, 640), (700, 620)]),), rng.choice(CLOTHS), 150),
    ]


def fork(_: Random) -> list[Layer]:
    """Fork, lying."""
    tines = [rectangle(480, y, 1000, y + 40, 15) for y in (-120, -46, 28, 102)]
    return [Layer((rectangle(-1000, -45, 320, 45, 40), rectangle(250, -120, 560, 142, 100), *tines), _METAL)]


def knife(rng: Random) -> list[Layer]:
    """Knife, lying."""
    blade = outline([(-100, -75), (850, -75), (1000, 20), (900, 75), (-100, 75)])
    return [Layer((blade,), _METAL), Layer((rectangle(-1000, -80, -60, 80, 70),), shade(rng.choice(CLOTHS), 60))]


def fries(rng: Random) -> list[Layer]:
    """A handful of chips."""
    layers = []
    for _ in range(rng.randrange(6, 12)):
        stick = Layer((rectangle(-620, -70, 620, 70, 20),), shade((244, 204, 110), rng.randrange(84, 108)))
        layers += placed([stick], (rng.randrange(-300, 301), rng.randrange(-300, 301)), 1000, rng.randrange(180))
    return layers


def leaf(rng: Random) -> list[Layer]:
    """Leaf of basil or lettuce."""
    green = rng.choice(((90, 150, 60), (120, 176, 70), (60, 110, 50)))
    blade = outline(arc(0, 340, 1000, 700, start=200, stop=340) + arc(0, -340, 1000, 700, start=20, stop=160))
    return [Layer((blade,), green), Layer(band([(-900, 0), (900, 0)], 26), shade(green, 130))]


def tomato(rng: Random) -> list[Layer]:
    """Slice of tomato, cucumber or onion."""
    flesh = rng.choice(GARNISHES)
    rays = tuple(_wedge(angle, 760) for angle in range(0, 360, 60))
    return [
        Layer((ellipse(0, 0, 950, 950),), flesh),
        Layer((ellipse(0, 0, 850, 850),), shade(flesh, 122)),
        Layer(rays, shade(flesh, 92)),
    ]


def bottle(rng: Random) -> list[Layer]:
    """Bottle of sauce, upright."""
    sauce = rng.choice(SAUCES)
    return [
        Layer((outline([(-60, -1400), (60, -1400), (140, -900), (-140, -900)]),), shade(sauce, 80)),
        Layer((rectangle(-420, -920, 420, 1400, 160),), sauce),
        Layer((rectangle(-420, -200, 420, 700),), rng.choice(CLOTHS)),
        Layer((rectangle(-330, -780, -230, 1200, 40),), shade(sauce, 140), 110),
    ]


# Clutter of a class of its own, and clutter without one, by where it is seen from.
APPLE: dict[str, tuple[Recipe, ...]] = {"side": (apple,), "top": (apple,)}
ORANGE: dict[str, tuple[Recipe, ...]] = {"side": (orange,), "top": (orange,)}
CUP: dict[str, tuple[Recipe, ...]] = {"side": (cup_side,), "top": (cup_top,)}
DOUGHNUT: dict[str, tuple[Recipe, ...]] = {"side": (doughnut,), "top": (doughnut,)}
NAMELESS: dict[str, tuple[Recipe, ...]] = {
    "side": (bottle, fries, leaf, tomato, napkin),
    "top": (napkin, fork, knife, fries, leaf, tomato),
}


def _wedge(angle: int, far: int) -> Contour:
    """One segment of a cut fruit."""
    rim = [(far * cosine(a) // 16384, far * sine(a) // 16384) for a in range(angle + 6, angle + 40, 8)]
    return outline([(90 * cosine(angle + 22) // 16384, 90 * sine(angle + 22) // 16384), *rim])
