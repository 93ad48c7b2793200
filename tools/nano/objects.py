"""The eight objects, drawn with a pencil whose unit is the object's width.

Coordinates are relative to the middle of the object's base line: x to the right, y downwards, so
that everything above the ground has a negative y.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

Rgb = tuple[int, int, int]
Point = tuple[float, float]

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
FLAME: Rgb = (255, 176, 40)
LAMP: Rgb = (255, 240, 170)
TYRE: Rgb = (44, 42, 52)


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


@dataclass(frozen=True)
class Pencil:
    """Draws in units of `width` around the base point (`x`, `base`), both in pixels."""

    pen: ImageDraw.ImageDraw
    x: float
    base: float
    width: float

    def at(self, x: float, y: float) -> Point:
        return self.x + x * self.width, self.base + y * self.width

    def poly(self, fill: Rgb, *points: Point) -> None:
        self.pen.polygon([self.at(*point) for point in points], fill=fill)

    def box(self, fill: Rgb, left: float, top: float, right: float, bottom: float) -> None:
        self.pen.rectangle((*self.at(left, top), *self.at(right, bottom)), fill=fill)

    def rounded(self, fill: Rgb, left: float, top: float, right: float, bottom: float) -> None:
        corners = (*self.at(left, top), *self.at(right, bottom))
        radius = min(0.09, (bottom - top) / 2.25) * self.width
        self.pen.rounded_rectangle(corners, radius=radius, fill=fill)

    def disc(self, fill: Rgb, x: float, y: float, rx: float, ry: float | None = None) -> None:
        ry = rx if ry is None else ry
        self.pen.ellipse((*self.at(x - rx, y - ry), *self.at(x + rx, y + ry)), fill=fill)

    def dome(self, fill: Rgb, left: float, top: float, right: float, bottom: float) -> None:
        """The upper half of the ellipse in this box."""
        self.pen.pieslice((*self.at(left, top), *self.at(right, bottom)), 180, 360, fill=fill)

    def rope(self, fill: Rgb, start: Point, end: Point) -> None:
        self.pen.line((*self.at(*start), *self.at(*end)), fill=fill, width=3)


def house(pencil: Pencil, paint: Paint) -> None:
    pencil.box(paint.body, -0.40, -0.50, 0.40, 0)
    pencil.box(paint.shade, 0.16, -0.50, 0.40, 0)
    pencil.box(paint.trim, 0.20, -0.84, 0.30, -0.50)
    pencil.poly(paint.trim, (-0.5, -0.50), (0, -0.90), (0.5, -0.50))
    pencil.box(paint.wood, -0.06, -0.28, 0.10, 0)
    pencil.box(paint.glass, -0.31, -0.38, -0.14, -0.21)
    pencil.box(paint.glass, 0.20, -0.38, 0.34, -0.21)


def tree(pencil: Pencil, paint: Paint) -> None:
    pencil.poly(paint.wood, (-0.08, 0), (-0.05, -0.5), (0.05, -0.5), (0.08, 0))
    crown = ((-0.22, -0.52, 0.25), (0.22, -0.52, 0.25), (0.0, -0.50, 0.28), (0.0, -0.80, 0.29))
    for x, y, radius in crown:
        pencil.disc(paint.shade, x + 0.02, y + 0.02, radius)
    for x, y, radius in crown:
        pencil.disc(paint.body, x - 0.02, y - 0.03, radius - 0.03)
    pencil.disc(paint.light, -0.09, -0.90, 0.13, 0.11)


def rocket(pencil: Pencil, paint: Paint) -> None:
    pencil.poly(FLAME, (-0.12, -0.10), (0, 0.07), (0.12, -0.10))
    for side in (-1, 1):
        pencil.poly(paint.shade, (side * 0.152, -0.52), (side * 0.40, -0.06), (side * 0.114, -0.10))
    pencil.box(paint.body, -0.19, -0.80, 0.19, -0.10)
    pencil.box(paint.shade, 0.07, -0.80, 0.19, -0.10)
    pencil.dome(paint.pale, -0.19, -1.28, 0.19, -0.32)
    pencil.disc(paint.pale, -0.02, -0.58, 0.11)
    pencil.disc(paint.glass, -0.02, -0.58, 0.075)


def tent(pencil: Pencil, paint: Paint) -> None:
    peak = (-0.04, -0.66)
    pencil.poly(paint.body, (-0.5, 0), peak, (0.5, 0))
    pencil.poly(paint.shade, (0.12, 0), peak, (0.5, 0))
    pencil.poly(paint.light, (-0.5, 0), peak, (-0.36, 0))
    pencil.poly(paint.trim, (-0.22, 0), (-0.05, -0.44), (0.06, 0))
    pencil.poly(paint.glass, (-0.19, 0), (-0.05, -0.36), (-0.05, 0))


def balloon(pencil: Pencil, paint: Paint) -> None:
    middle, radius, belt, skirt = -0.78, 0.44, -0.6128, -0.1992
    # The stripes are nested: each is a disc with a skirt, narrower than the one before.
    for fill, disc, low, high in (
        (paint.shade, 1.0, 0.24, 0.92),
        (paint.body, 0.68, 0.15, 0.56),
    ):
        low, high = low * radius, high * radius
        pencil.poly(fill, (-high, belt), (-low, skirt), (low, skirt), (high, belt))
        pencil.disc(fill, 0, middle, disc * radius, radius)
    pencil.disc(paint.light, 0, middle, 0.26 * radius, radius)
    for side in (-1, 1):
        pencil.rope(paint.trim, (side * 0.097, skirt), (side * 0.079, skirt + 0.16))
    pencil.box(paint.wood, -0.10, skirt + 0.13, 0.10, skirt + 0.27)


def car(pencil: Pencil, paint: Paint) -> None:
    pencil.poly(paint.body, (-0.30, -0.30), (-0.20, -0.54), (0.14, -0.54), (0.27, -0.30))
    pencil.poly(paint.glass, (-0.23, -0.30), (-0.16, -0.48), (-0.04, -0.48), (-0.04, -0.30))
    pencil.poly(paint.glass, (0.01, -0.30), (0.01, -0.48), (0.11, -0.48), (0.20, -0.30))
    pencil.rounded(paint.body, -0.5, -0.30, 0.5, -0.07)
    pencil.rounded(paint.shade, -0.48, -0.16, 0.48, -0.07)
    pencil.disc(LAMP, 0.44, -0.22, 0.035, 0.04)
    for x in (-0.27, 0.27):
        pencil.disc(TYRE, x, -0.115, 0.115)
        pencil.disc(paint.pale, x, -0.115, 0.052)


def sailboat(pencil: Pencil, paint: Paint) -> None:
    pencil.box(paint.wood, -0.025, -1.05, 0.015, -0.17)
    pencil.poly(paint.body, (0.03, -1.01), (0.03, -0.22), (0.46, -0.22))
    pencil.poly(paint.shade, (0.03, -0.39), (0.03, -0.22), (0.46, -0.22))
    pencil.poly(paint.light, (-0.04, -0.91), (-0.04, -0.22), (-0.40, -0.22))
    pencil.poly(paint.wood, (-0.5, -0.17), (0.5, -0.17), (0.36, 0), (-0.36, 0))
    pencil.poly(paint.pale, (-0.5, -0.17), (0.5, -0.17), (0.47, -0.12), (-0.47, -0.12))


def castle(pencil: Pencil, paint: Paint) -> None:
    for step in range(4):
        left = -0.27 + step * 0.15
        pencil.box(paint.body, left, -0.50, left + 0.09, -0.42)
    pencil.box(paint.body, -0.34, -0.42, 0.34, 0)
    for x, fill in ((-0.36, paint.light), (0.36, paint.shade)):
        pencil.box(fill, x - 0.13, -0.66, x + 0.13, 0)
        pencil.poly(paint.trim, (x - 0.18, -0.66), (x, -1.02), (x + 0.18, -0.66))
        pencil.disc(paint.glass, x, -0.51, 0.045, 0.065)
    pencil.disc(paint.trim, 0, -0.17, 0.10)
    pencil.box(paint.trim, -0.10, -0.17, 0.10, 0)


DRAW: dict[str, Callable[[Pencil, Paint], None]] = {
    "house": house,
    "tree": tree,
    "rocket": rocket,
    "tent": tent,
    "balloon": balloon,
    "car": car,
    "sailboat": sailboat,
    "castle": castle,
}
