"""Hamburgers, hot dogs and sandwiches, seen from the side or from above, in thousandths of their half width.

All three draw their colours from the same palettes, so that a colour says little about what a thing is.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from imageset.sources.drawing.canvas import Colour, Contour
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

Recipe = Callable[[Random], list[Layer]]

BREADS: tuple[Colour, ...] = (
    (214, 158, 88),
    (190, 128, 66),
    (232, 192, 128),
    (158, 102, 56),
    (240, 216, 168),
    (118, 78, 50),
    (204, 146, 80),
    (224, 176, 112),
    (86, 74, 66),  # charcoal
    (178, 84, 84),  # beetroot
    (142, 152, 84),  # spinach
)
PROTEINS: tuple[Colour, ...] = (
    (104, 60, 38),
    (146, 70, 44),
    (196, 84, 58),
    (222, 132, 104),
    (226, 186, 138),
    (160, 40, 36),
    (230, 128, 48),
    (128, 112, 58),
)
GARNISHES: tuple[Colour, ...] = (
    (110, 170, 60),
    (160, 200, 84),
    (206, 52, 40),
    (244, 196, 60),
    (250, 224, 130),
    (150, 70, 120),
    (244, 238, 220),
    (70, 120, 50),
    (232, 140, 110),
)
SAUCES: tuple[Colour, ...] = ((240, 196, 40), (200, 36, 28), (246, 240, 222), (120, 70, 34), (150, 190, 70))


def hamburger_side(rng: Random) -> list[Layer]:
    """Domed bun on a pile of discs, seen from the front or from somewhat above."""
    bread, flat = rng.choice(BREADS), rng.randrange(40, 300)
    y = 640
    layers = _disc(y, 940, flat, 230, shade(bread, 92))
    y -= 215
    for _ in range(rng.randrange(2, 6)):
        thick = rng.randrange(60, 210)
        radius = rng.randrange(920, 1060)
        kind = rng.randrange(3)
        if kind == 0:
            layers += _disc(y, radius, flat, thick + 60, rng.choice(PROTEINS))
            y -= thick + 45
        elif kind == 1:
            layers += _frill(y, radius, flat, rng.choice(GARNISHES), rng.randrange(360))
            y -= 60
        else:
            layers += _cheese(y, radius, flat, rng.choice(GARNISHES), rng.randrange(-400, 400))
            y -= 40
    return layers + _dome(rng, y, flat, bread)


def hamburger_top(rng: Random) -> list[Layer]:
    """Round bun from above, with what is in it looking out around it."""
    bread = rng.choice(BREADS)
    layers = []
    for _ in range(rng.randrange(1, 4)):
        x, y = rng.randrange(-130, 131), rng.randrange(-130, 131)
        colour = rng.choice(GARNISHES + PROTEINS)
        kind = rng.randrange(3)
        if kind == 0:
            layers.append(Layer((ellipse(x, y, 930, 930),), colour))
        elif kind == 1:
            layers += _ruffle(x, y, 940, colour, rng.randrange(360))
        else:
            tile = Layer((rectangle(-740, -740, 740, 740, 60),), colour)
            layers += placed([tile], (x, y), 1000, rng.randrange(360))
    for radius, percent in ((860, 86), (800, 100), (600, 106), (380, 112)):
        layers.append(
            Layer((ellipse(-(860 - radius) // 5, -(860 - radius) // 5, radius, radius),), shade(bread, percent))
        )
    return layers + _seeds(rng, 0, 0, 640, 640)


def hot_dog_top(rng: Random) -> list[Layer]:
    """Sausage in a long bun from above, with a line of sauce."""
    bread, bend, wide = rng.choice(BREADS), rng.randrange(-160, 161), rng.randrange(300, 400)
    layers = [
        Layer(band(_bow(-820, 820, bend), wide, round_ends=True), shade(bread, 84)),
        Layer(band(_bow(-820, 820, bend), wide - 50, round_ends=True), bread),
        Layer(band(_bow(-780, 780, bend), wide - 110, round_ends=True), shade(bread, 122)),
    ]
    if rng.randrange(2):
        frill = [(x, y + 250 * sine(x // 2 + 400) // 16384) for x, y in _bow(-760, 760, bend, 60)]
        layers.append(Layer(band(frill, 70), rng.choice(GARNISHES)))
    layers += _sausage(rng, bend, rng.randrange(150, 210), rng.randrange(900, 1060))
    return layers + _topping(rng, bend)


def hot_dog_side(rng: Random) -> list[Layer]:
    """Sausage looking out of a long bun that stands open upwards."""
    bread, bend, rise = rng.choice(BREADS), rng.randrange(-60, 140), rng.randrange(150, 260)
    back = [(x, y - rise) for x, y in _bow(-800, 800, bend)]
    front = [(x, y + 100) for x, y in _bow(-800, 800, bend)]
    glint = [(x, y + 20) for x, y in _bow(-700, 700, bend)]
    layers = [Layer(band(back, 210, round_ends=True), shade(bread, 80))]
    filled = _sausage(rng, bend, rng.randrange(160, 200), rng.randrange(920, 1080))
    if rng.randrange(2):
        frill = [(x, y + 60 + 60 * sine(x) // 16384) for x, y in _bow(-800, 800, bend, 40)]
        filled.append(Layer(band(frill, 90), rng.choice(GARNISHES)))
    filled += _topping(rng, bend)
    layers += placed(filled, (0, -rise // 2 - 20), 1000)
    layers.append(Layer(band(front, 240, round_ends=True), bread))
    layers.append(Layer(band(glint, 50, round_ends=True), shade(bread, 118), 150))
    return layers


def sandwich_side(rng: Random) -> list[Layer]:
    """Two slices with straight layers between them, seen from the front or from somewhat above."""
    bread, back, y = rng.choice(BREADS), rng.randrange(0, 420), rng.randrange(360, 520)
    layers = _slab(y, 960, rng.randrange(170, 250), bread)
    y -= 190
    for _ in range(rng.randrange(2, 5)):
        thick, half = rng.randrange(60, 160), rng.randrange(930, 1050)
        if rng.randrange(4):
            layers.append(Layer((rectangle(-half, y - thick, half, y + 20, 20),), rng.choice(PROTEINS + GARNISHES)))
        else:
            wave = [(x, y - thick // 2 + 45 * sine(x) // 16384) for x in range(-half, half + 1, 45)]
            layers.append(Layer(band(wave, 55), rng.choice(GARNISHES)))
        y -= thick
    layers += _slab(y, 970, rng.randrange(170, 250), bread)
    y -= 200
    if back > 60:
        slant = rng.randrange(-300, 301)
        top = outline([(-970, y), (970, y), (820 + slant, y - back), (-820 + slant, y - back)])
        layers.append(Layer((top,), shade(bread, 116)))
    return layers + (_pick(rng, y - back // 2) if rng.randrange(3) == 0 else [])


def sandwich_wedge(rng: Random) -> list[Layer]:
    """Half a sandwich, cut across: a triangle of toast above its layers."""
    bread, tip, y = rng.choice(BREADS), rng.randrange(-250, 251), 560
    high = rng.randrange(560, 820)
    layers = [Layer((outline([(-1000, y), (1000, y), (1000, y - 150), (-1000, y - 150)]),), shade(bread, 125))]
    y -= 150
    for _ in range(rng.randrange(2, 4)):
        thick = rng.randrange(70, 130)
        layers.append(Layer((rectangle(-1010, y - thick, 1010, y + 10),), rng.choice(PROTEINS + GARNISHES)))
        y -= thick
    layers.append(Layer((rectangle(-1000, y - 150, 1000, y + 10, 20),), shade(bread, 125)))
    y -= 140
    layers.append(Layer((outline([(-1000, y), (1000, y), (tip, y - high)]),), shade(bread, 80)))
    crumb = outline([(-860 + tip // 10, y - 50), (860 + tip // 10, y - 50), (tip, y - high + 110)])
    layers.append(Layer((crumb,), shade(bread, 112)))
    return layers + (_pick(rng, y - high // 3) if rng.randrange(3) == 0 else [])


def sandwich_top(rng: Random) -> list[Layer]:
    """Slice of toast from above, with what is under it looking out at its corners."""
    bread, under = rng.choice(BREADS), []
    for _ in range(rng.randrange(1, 4)):
        tile = Layer((rectangle(-800, -800, 800, 800, 40),), rng.choice(GARNISHES + PROTEINS))
        under += placed([tile], (rng.randrange(-110, 111), rng.randrange(-110, 111)), 1000, rng.randrange(-14, 15))
    crust, crumb = shade(bread, 78), shade(bread, 116)
    layers = [*under, Layer((_slice(0),), crust), Layer((_slice(90),), crumb)]
    marks = rng.choice(("grill", "cut", "both"))
    if marks != "cut":
        bars = [band([(x - 250, 520), (x + 250, -520)], 35)[0] for x in range(-420, 421, 210)]
        layers.append(Layer(tuple(bars), shade(bread, 64), 170))
    if marks != "grill":
        cut = rng.choice((-1, 1))
        layers.append(Layer(band([(-860 * cut, 860), (860 * cut, -860)], 70), rng.choice(PROTEINS + GARNISHES)))
        layers.append(Layer(band([(-860 * cut - 80, 780), (860 * cut - 80, -940)], 30), crust, 200))
    return layers


def sandwich_halves(rng: Random) -> list[Layer]:
    """Two triangles from above, lying apart, with the layers along their cut sides."""
    bread, gap = rng.choice(BREADS), rng.randrange(60, 200)
    filling = [rng.choice(PROTEINS + GARNISHES) for _ in range(2)]
    half: list[Layer] = []
    for low, colour in ((330, shade(bread, 84)), (230, filling[0]), (140, filling[1])):
        half.append(Layer((outline([(-940, 0), (940, 0), (900, low), (-900, low)]),), colour))
    half.append(Layer((outline([(-960, 40), (960, 40), (0, -900)]),), shade(bread, 78)))
    half.append(Layer((outline([(-810, -20), (810, -20), (0, -790)]),), shade(bread, 116)))
    turn = rng.randrange(-20, 21)
    first = placed(half, (0, -gap), 900, turn)
    return first + placed(half, (rng.randrange(-100, 101), gap + 420), 900, rng.choice((180, 180, 0)) + turn)


HAMBURGER: dict[str, tuple[Recipe, ...]] = {"side": (hamburger_side,), "top": (hamburger_top, hamburger_side)}
HOT_DOG: dict[str, tuple[Recipe, ...]] = {"side": (hot_dog_side, hot_dog_top), "top": (hot_dog_top,)}
SANDWICH: dict[str, tuple[Recipe, ...]] = {
    "side": (sandwich_side, sandwich_wedge, sandwich_wedge),
    "top": (sandwich_top, sandwich_halves, sandwich_halves, sandwich_wedge, sandwich_wedge),
}


def _disc(y: int, radius: int, flat: int, thick: int, colour: Colour) -> list[Layer]:
    side = outline(arc(0, y, radius, flat, start=0, stop=180) + arc(0, y - thick, radius, flat, start=180, stop=360))
    return [Layer((side,), colour), Layer((ellipse(0, y - thick, radius, flat),), shade(colour, 112))]


def _frill(y: int, radius: int, flat: int, colour: Colour, phase: int) -> list[Layer]:
    waves = [
        (radius * cosine(a) // 16384, y + flat * sine(a) // 16384 + 70 * sine(a * 7 + phase) // 16384)
        for a in range(0, 181, 6)
    ]
    return [Layer((outline(waves + arc(0, y - 90, radius, flat, start=180, stop=360)),), colour)]


def _cheese(y: int, radius: int, flat: int, colour: Colour, tip: int) -> list[Layer]:
    front = y + flat * 9 // 10
    corner = outline([(tip - 380, front - 40), (tip + 380, front - 40), (tip, front + 190)])
    return [*_disc(y, radius, flat, 50, colour), Layer((corner,), colour)]


def _dome(rng: Random, y: int, flat: int, bread: Colour) -> list[Layer]:
    high = rng.randrange(520, 860)
    dome = outline(arc(0, y, 980, flat, start=0, stop=180) + arc(0, y, 980, high, start=180, stop=360))
    glow = ellipse(-260, y - high * 55 // 100, 420, high * 26 // 100)
    return [
        Layer((dome,), bread),
        Layer((glow,), shade(bread, 125), 120),
        *_seeds(rng, 0, y - high * 45 // 100, 640, high * 40 // 100),
    ]


def _seeds(rng: Random, x: int, y: int, rx: int, ry: int) -> list[Layer]:
    """Sesame within an ellipse; one bun in four has none."""
    spots = []
    for _ in range(rng.choice((0, 14, 18, 24))):
        angle, far = rng.randrange(360), rng.randrange(100, 1000)
        px, py = x + rx * far * cosine(angle) // 16384000, y + ry * far * sine(angle) // 16384000
        spots.append(placed([Layer((ellipse(0, 0, 46, 26, 45),), (0, 0, 0))], (px, py), 1000, rng.randrange(180))[0])
    contours = tuple(spot.contours[0] for spot in spots)
    return [Layer(contours, (248, 232, 190))] if contours else []


def _ruffle(x: int, y: int, radius: int, colour: Colour, phase: int) -> list[Layer]:
    reach = [(a, radius + 50 * sine(a * 9 + phase) // 16384) for a in range(0, 360, 6)]
    leaf = outline((x + r * cosine(a) // 16384, y + r * sine(a) // 16384) for a, r in reach)
    return [Layer((leaf,), colour), Layer((ellipse(x, y, radius - 90, radius - 90),), shade(colour, 86))]


def _bow(start: int, stop: int, bend: int, step: int = 164) -> list[tuple[int, int]]:
    """Points on a parabola through the origin that is `bend` lower at 1000."""
    return [(x, bend * x * x // 1000000) for x in range(start, stop + 1, step)]


def _sausage(rng: Random, bend: int, half_width: int, reach: int) -> list[Layer]:
    colour = rng.choice(PROTEINS)
    line = _bow(-reach, reach, bend, reach // 6)
    glint = [(x, y - half_width // 3) for x, y in line[2:-2]]
    layers = [
        Layer(band(line, half_width, round_ends=True), shade(colour, 84)),
        Layer(band(line, half_width - 35, round_ends=True), colour),
        Layer(band(glint, half_width // 5, round_ends=True), shade(colour, 135), 150),
    ]
    if rng.randrange(3) == 0:
        bars = [band([(x - 50, y - 100), (x + 50, y + 100)], 18)[0] for x, y in line[2:-2]]
        layers.append(Layer(tuple(bars), shade(colour, 60), 180))
    return layers


def _topping(rng: Random, bend: int) -> list[Layer]:
    """A zigzag or a wave of sauce along the sausage, one in six without."""
    if rng.randrange(6) == 0:
        return []
    swing, pitch = rng.randrange(60, 130), rng.randrange(2, 5)
    line = [(x, y + swing * sine(x * pitch // 2) // 16384) for x, y in _bow(-780, 780, bend, 40)]
    return [Layer(band(line, rng.randrange(32, 52)), rng.choice(SAUCES))]


def _slab(y: int, half: int, thick: int, bread: Colour) -> list[Layer]:
    """A slice from its cut side: crust around crumb."""
    crust = rectangle(-half, y - thick, half, y, 50)
    crumb = rectangle(-half + 40, y - thick + 35, half - 40, y - 30, 40)
    return [Layer((crust,), shade(bread, 78)), Layer((crumb,), shade(bread, 112))]


def _slice(inset: int) -> Contour:
    """A loaf's slice: straight below, two round shoulders above."""
    low, side = 880 - inset, 860 - inset
    shoulders = arc(side - 300, -560, 330, 320 - inset // 2, start=270, stop=380)
    left = [(-x, y) for x, y in reversed(shoulders)]
    return outline([(side - 60, low), (-side + 60, low), (-side, low - 60), *left, *shoulders, (side, low - 60)])


def _pick(rng: Random, y: int) -> list[Layer]:
    """A wooden pick with an olive."""
    wood = rectangle(-18, y - 420, 18, y)
    return [Layer((wood,), (226, 196, 140)), Layer((ellipse(0, y - 400, 95, 120, 20),), rng.choice(GARNISHES))]
