"""The eight objects, drawn on a transparent layer around a base point.

Every function takes (pen, paint, x, base, w): `x` the centre, `base` the ground line and `w` the width,
all in pixels of the layer.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import ImageDraw

Rgb = tuple[int, int, int]

COLOUR_RGB: dict[str, Rgb] = {
    "red": (222, 44, 48),
    "orange": (246, 134, 22),
    "yellow": (250, 214, 46),
    "green": (40, 160, 72),
    "blue": (36, 98, 224),
    "purple": (132, 56, 190),
    "pink": (250, 128, 182),
    "white": (244, 243, 240),
}


def mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    """Colour between `a` (share 0) and `b` (share 1)."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b))


@dataclass(frozen=True)
class Paint:
    """The colours of one object in the light of the scene."""

    body: Rgb
    light: Rgb
    shade: Rgb
    trim: Rgb
    wood: Rgb
    glass: Rgb
    pale: Rgb

    @staticmethod
    def of(colour: str, tint: tuple[float, float, float], lamps: bool) -> Paint:
        def lit(rgb: Rgb) -> Rgb:
            return tuple(min(255, round(c * t)) for c, t in zip(rgb, tint))

        body = COLOUR_RGB[colour]
        dark = 0.22 if colour == "white" else 0.34
        return Paint(
            body=lit(body),
            light=lit(mix(body, (255, 255, 255), 0.32)),
            shade=lit(mix(body, (24, 18, 48), dark)),
            trim=lit((74, 66, 84)),
            wood=lit((124, 82, 52)),
            glass=(255, 222, 120) if lamps else lit((186, 222, 242)),
            pale=lit((238, 234, 226)),
        )


def box(pen: ImageDraw.ImageDraw, x0: float, y0: float, x1: float, y1: float, fill: Rgb) -> None:
    pen.rectangle((x0, y0, x1, y1), fill=fill)


def disc(pen: ImageDraw.ImageDraw, x: float, y: float, rx: float, ry: float, fill: Rgb) -> None:
    pen.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)


def house(pen, paint, x, base, w) -> None:
    half, top = 0.40 * w, base - 0.50 * w
    box(pen, x - half, top, x + half, base, paint.body)
    box(pen, x + 0.16 * w, top, x + half, base, paint.shade)
    box(pen, x + 0.20 * w, top - 0.34 * w, x + 0.30 * w, top, paint.trim)
    pen.polygon([(x - 0.5 * w, top), (x, top - 0.40 * w), (x + 0.5 * w, top)], fill=paint.trim)
    box(pen, x - 0.06 * w, base - 0.28 * w, x + 0.10 * w, base, paint.wood)
    box(pen, x - 0.31 * w, top + 0.12 * w, x - 0.14 * w, top + 0.29 * w, paint.glass)
    box(pen, x + 0.20 * w, top + 0.12 * w, x + 0.34 * w, top + 0.29 * w, paint.glass)


def tree(pen, paint, x, base, w) -> None:
    pen.polygon(
        [(x - 0.08 * w, base), (x - 0.05 * w, base - 0.5 * w), (x + 0.05 * w, base - 0.5 * w), (x + 0.08 * w, base)],
        fill=paint.wood,
    )
    crown = ((-0.22, -0.52, 0.25), (0.22, -0.52, 0.25), (0.0, -0.50, 0.28), (0.0, -0.80, 0.29))
    for dx, dy, radius in crown:
        disc(pen, x + (dx + 0.02) * w, base + (dy + 0.02) * w, radius * w, radius * w, paint.shade)
    for dx, dy, radius in crown:
        disc(pen, x + (dx - 0.02) * w, base + (dy - 0.03) * w, (radius - 0.03) * w, (radius - 0.03) * w, paint.body)
    disc(pen, x - 0.09 * w, base - 0.90 * w, 0.13 * w, 0.11 * w, paint.light)


def rocket(pen, paint, x, base, w) -> None:
    foot, half = base - 0.10 * w, 0.19 * w
    flame = (255, 176, 40)
    pen.polygon([(x - 0.12 * w, foot), (x, base + 0.07 * w), (x + 0.12 * w, foot)], fill=flame)
    for side in (-1, 1):
        fin = [(x + side * half * 0.8, foot - 0.42 * w), (x + side * 0.40 * w, foot + 0.04 * w), (x + side * half * 0.6, foot)]
        pen.polygon(fin, fill=paint.shade)
    box(pen, x - half, foot - 0.70 * w, x + half, foot, paint.body)
    box(pen, x + 0.07 * w, foot - 0.70 * w, x + half, foot, paint.shade)
    pen.pieslice((x - half, foot - 1.18 * w, x + half, foot - 0.22 * w), 180, 360, fill=paint.pale)
    disc(pen, x - 0.02 * w, foot - 0.48 * w, 0.11 * w, 0.11 * w, paint.pale)
    disc(pen, x - 0.02 * w, foot - 0.48 * w, 0.075 * w, 0.075 * w, paint.glass)


def tent(pen, paint, x, base, w) -> None:
    peak = base - 0.66 * w
    pen.polygon([(x - 0.5 * w, base), (x - 0.04 * w, peak), (x + 0.5 * w, base)], fill=paint.body)
    pen.polygon([(x + 0.12 * w, base), (x - 0.04 * w, peak), (x + 0.5 * w, base)], fill=paint.shade)
    pen.polygon([(x - 0.5 * w, base), (x - 0.04 * w, peak), (x - 0.36 * w, base)], fill=paint.light)
    pen.polygon([(x - 0.22 * w, base), (x - 0.05 * w, peak + 0.22 * w), (x + 0.06 * w, base)], fill=paint.trim)
    pen.polygon([(x - 0.19 * w, base), (x - 0.05 * w, peak + 0.30 * w), (x - 0.05 * w, base)], fill=paint.glass)


def balloon(pen, paint, x, base, w) -> None:
    top, radius = base - 1.22 * w, 0.44 * w
    middle = top + radius
    skirt = middle + 1.32 * radius
    pen.polygon([(x - 0.92 * radius, middle + 0.38 * radius), (x - 0.24 * radius, skirt), (x + 0.24 * radius, skirt), (x + 0.92 * radius, middle + 0.38 * radius)], fill=paint.shade)
    disc(pen, x, middle, radius, radius, paint.shade)
    pen.polygon([(x - 0.56 * radius, middle + 0.38 * radius), (x - 0.15 * radius, skirt), (x + 0.15 * radius, skirt), (x + 0.56 * radius, middle + 0.38 * radius)], fill=paint.body)
    disc(pen, x, middle, 0.68 * radius, radius, paint.body)
    disc(pen, x, middle, 0.26 * radius, radius, paint.light)
    for side in (-1, 1):
        pen.line((x + side * 0.22 * radius, skirt, x + side * 0.18 * radius, skirt + 0.16 * w), fill=paint.trim, width=3)
    box(pen, x - 0.10 * w, skirt + 0.13 * w, x + 0.10 * w, skirt + 0.27 * w, paint.wood)


def car(pen, paint, x, base, w) -> None:
    wheel = 0.115 * w
    belt = base - 0.30 * w
    pen.polygon([(x - 0.30 * w, belt), (x - 0.20 * w, belt - 0.24 * w), (x + 0.14 * w, belt - 0.24 * w), (x + 0.27 * w, belt)], fill=paint.body)
    pen.polygon([(x - 0.23 * w, belt), (x - 0.16 * w, belt - 0.18 * w), (x - 0.04 * w, belt - 0.18 * w), (x - 0.04 * w, belt)], fill=paint.glass)
    pen.polygon([(x + 0.01 * w, belt), (x + 0.01 * w, belt - 0.18 * w), (x + 0.11 * w, belt - 0.18 * w), (x + 0.20 * w, belt)], fill=paint.glass)
    pen.rounded_rectangle((x - 0.5 * w, belt, x + 0.5 * w, base - 0.07 * w), radius=0.09 * w, fill=paint.body)
    pen.rounded_rectangle((x - 0.48 * w, base - 0.16 * w, x + 0.48 * w, base - 0.07 * w), radius=0.04 * w, fill=paint.shade)
    disc(pen, x + 0.44 * w, belt + 0.08 * w, 0.035 * w, 0.04 * w, (255, 240, 170))
    for dx in (-0.27, 0.27):
        disc(pen, x + dx * w, base - wheel, wheel, wheel, (44, 42, 52))
        disc(pen, x + dx * w, base - wheel, wheel * 0.45, wheel * 0.45, paint.pale)


def sailboat(pen, paint, x, base, w) -> None:
    deck = base - 0.17 * w
    box(pen, x - 0.025 * w, deck - 0.88 * w, x + 0.015 * w, deck, paint.wood)
    pen.polygon([(x + 0.03 * w, deck - 0.84 * w), (x + 0.03 * w, deck - 0.05 * w), (x + 0.46 * w, deck - 0.05 * w)], fill=paint.body)
    pen.polygon([(x + 0.03 * w, deck - 0.22 * w), (x + 0.03 * w, deck - 0.05 * w), (x + 0.46 * w, deck - 0.05 * w)], fill=paint.shade)
    pen.polygon([(x - 0.04 * w, deck - 0.74 * w), (x - 0.04 * w, deck - 0.05 * w), (x - 0.40 * w, deck - 0.05 * w)], fill=paint.light)
    pen.polygon([(x - 0.5 * w, deck), (x + 0.5 * w, deck), (x + 0.36 * w, base), (x - 0.36 * w, base)], fill=paint.wood)
    pen.polygon([(x - 0.5 * w, deck), (x + 0.5 * w, deck), (x + 0.47 * w, deck + 0.05 * w), (x - 0.47 * w, deck + 0.05 * w)], fill=paint.pale)


def castle(pen, paint, x, base, w) -> None:
    wall = base - 0.42 * w
    for step in range(4):
        left = x - 0.27 * w + step * 0.15 * w
        box(pen, left, wall - 0.08 * w, left + 0.09 * w, wall, paint.body)
    box(pen, x - 0.34 * w, wall, x + 0.34 * w, base, paint.body)
    for side, fill in ((-1, paint.light), (1, paint.shade)):
        middle, top = x + side * 0.36 * w, base - 0.66 * w
        box(pen, middle - 0.13 * w, top, middle + 0.13 * w, base, fill)
        pen.polygon([(middle - 0.18 * w, top), (middle, top - 0.36 * w), (middle + 0.18 * w, top)], fill=paint.trim)
        disc(pen, middle, top + 0.15 * w, 0.045 * w, 0.065 * w, paint.glass)
    disc(pen, x, base - 0.17 * w, 0.10 * w, 0.10 * w, paint.trim)
    box(pen, x - 0.10 * w, base - 0.17 * w, x + 0.10 * w, base, paint.trim)


DRAW = {
    "house": house,
    "tree": tree,
    "rocket": rocket,
    "tent": tent,
    "balloon": balloon,
    "car": car,
    "sailboat": sailboat,
    "castle": castle,
}
