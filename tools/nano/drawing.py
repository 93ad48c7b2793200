"""Draws a scene: sky, light, clouds, relief, ground, then the objects.

The background is smooth and drawn at the final size; objects have hard edges and are drawn at twice
the size, then reduced.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from objects import DRAW, Paint, Pencil
from scenes import Scene, Thing

SIZE = 256
OVERSAMPLE = 2

# Sky colours from the top (0) to the horizon (1).
SKIES = {
    "day": ((0.0, (58, 134, 222)), (0.55, (128, 190, 244)), (1.0, (214, 238, 250))),
    "dawn": (
        (0.0, (112, 142, 206)),
        (0.45, (206, 172, 214)),
        (0.75, (252, 196, 196)),
        (1.0, (255, 232, 190)),
    ),
    "sunset": (
        (0.0, (58, 34, 104)),
        (0.4, (150, 48, 106)),
        (0.72, (238, 98, 66)),
        (1.0, (255, 192, 84)),
    ),
    "night": ((0.0, (8, 12, 42)), (0.6, (22, 34, 88)), (1.0, (52, 74, 140))),
    "storm": ((0.0, (44, 48, 60)), (0.6, (88, 96, 108)), (1.0, (150, 158, 162))),
}
GROUNDS = {
    "meadow": ((128, 192, 78), (62, 136, 58)),
    "desert": ((246, 210, 142), (206, 152, 88)),
    "snow": ((238, 244, 252), (196, 212, 236)),
    "lake": ((96, 168, 208), (28, 92, 152)),
}
RELIEF = {"hills": ((96, 148, 112), (72, 128, 92)), "mountains": ((122, 132, 164), (96, 106, 142))}
# How daylight colours look at each time: one factor per channel for the land and one for objects.
LAND_TINT = {
    "day": (1.0, 1.0, 1.0),
    "dawn": (1.0, 0.90, 0.92),
    "sunset": (0.92, 0.68, 0.62),
    "night": (0.34, 0.40, 0.62),
    "storm": (0.62, 0.65, 0.68),
}
OBJECT_TINT = {
    "day": (1.0, 1.0, 1.0),
    "dawn": (1.0, 0.96, 0.96),
    "sunset": (1.0, 0.88, 0.84),
    "night": (0.76, 0.78, 0.86),
    "storm": (0.84, 0.85, 0.87),
}
HAZE = {
    "day": (206, 230, 246),
    "dawn": (250, 208, 200),
    "sunset": (240, 124, 84),
    "night": (40, 58, 118),
    "storm": (128, 136, 144),
}
LAMPS = ("night", "sunset")


_AXIS = (np.arange(SIZE, dtype=np.float32) + 0.5) / SIZE
GRID_X, GRID_Y = _AXIS[None, :], _AXIS[:, None]


def _gradient(stops, rows: np.ndarray) -> np.ndarray:
    """Colours [n, 3] of the positions `rows` [n] between the stops."""
    where = [stop[0] for stop in stops]
    return np.stack(
        [np.interp(rows, where, [stop[1][c] for stop in stops]) for c in range(3)], -1
    ).astype(np.float32)


def _blend(image: np.ndarray, colour, alpha: np.ndarray) -> None:
    """Lays a colour over [H, W, 3] in place with coverage [H, W] in 0..1."""
    image += (np.asarray(colour, np.float32) - image) * alpha[..., None]


def _soft(mask: Image.Image, radius: float) -> np.ndarray:
    """A small 8-bit mask, blurred and scaled up to coverage [H, W]."""
    big = mask.filter(ImageFilter.GaussianBlur(radius)).resize((SIZE, SIZE), Image.BICUBIC)
    return np.asarray(big, np.float32) / 255


def _sky(scene: Scene) -> np.ndarray:
    rows = np.clip(GRID_Y[:, 0] / scene.horizon, 0, 1)
    return np.repeat(_gradient(SKIES[scene.time], rows)[:, None, :], SIZE, axis=1)


def _light(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    """Sun or moon with its glow; a storm has a bright gap in the clouds instead."""
    low = scene.time in ("dawn", "sunset")
    y = scene.horizon - rng.uniform(0.06, 0.10) if low else rng.uniform(0.13, 0.20)
    radius = {"day": 0.052, "dawn": 0.062, "sunset": 0.085, "night": 0.062, "storm": 0.0}[
        scene.time
    ]
    distance = np.sqrt((GRID_X - scene.light_x) ** 2 + (GRID_Y - y) ** 2)
    glow, reach, strength = {
        "day": ((255, 250, 214), 0.10, 0.75),
        "dawn": ((255, 240, 204), 0.20, 0.80),
        "sunset": ((255, 206, 96), 0.19, 0.85),
        "night": ((150, 172, 232), 0.09, 0.60),
        "storm": ((214, 218, 216), 0.13, 0.55),
    }[scene.time]
    _blend(image, glow, strength * np.exp(-np.maximum(distance - radius, 0) / reach))
    if radius == 0:
        return
    disc = {
        "day": (255, 248, 206),
        "dawn": (255, 250, 230),
        "sunset": (255, 232, 150),
        "night": (246, 244, 226),
    }
    edge = np.clip((radius - distance) * SIZE + 0.5, 0, 1)
    if scene.time == "night":
        shadow = np.sqrt((GRID_X - scene.light_x - 0.036) ** 2 + (GRID_Y - y + 0.016) ** 2)
        edge = edge * np.clip((shadow - radius) * SIZE + 0.5, 0, 1)
    _blend(image, disc[scene.time], edge)


def _stars(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    reach = 6
    for _ in range(int(rng.integers(12, 18))):
        x, y = rng.uniform(0.03, 0.97), rng.uniform(0.03, scene.horizon - 0.14)
        radius = rng.uniform(0.0052, 0.0082)
        row, col = int(y * SIZE), int(x * SIZE)
        rows, cols = slice(row - reach, row + reach), slice(col - reach, col + reach)
        distance = (GRID_X[:, cols] - x) ** 2 + (GRID_Y[rows] - y) ** 2
        _blend(image[rows, cols], (255, 252, 232), 0.95 * np.exp(-distance / radius**2))


def _clouds(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    """Puffs gathered in a few clouds; storm clouds cover the upper sky."""
    small = SIZE // 2
    mask = Image.new("L", (small, small))
    pen = ImageDraw.Draw(mask)
    count = {"day": 3, "dawn": 2, "sunset": 3, "night": 0, "storm": 6}[scene.time]
    for _ in range(int(rng.integers(count - 1, count + 1)) if count else 0):
        x = rng.uniform(0.05, 0.95) * small
        y = rng.uniform(0.06, 0.36 if scene.time != "storm" else 0.26) * small
        flat = 0.5 if scene.time in ("dawn", "sunset") else 1.0
        wide = (0.075 if scene.time != "storm" else 0.13) * small * rng.uniform(0.8, 1.25)
        for puff in range(4):
            dx, dy = (puff - 1.5) * wide * 0.75, rng.uniform(-0.2, 0.2) * wide
            rx = wide * (0.85 if puff in (1, 2) else 0.6)
            pen.ellipse(
                (x + dx - rx, y + dy - rx * 0.55 * flat, x + dx + rx, y + dy + rx * 0.5 * flat),
                fill=255,
            )
    cover = _soft(mask, 2.2)
    colour = {
        "day": (255, 255, 255),
        "dawn": (255, 226, 224),
        "sunset": (255, 150, 104),
        "night": (0, 0, 0),
        "storm": (58, 62, 74),
    }
    _blend(image, colour[scene.time], cover * (0.88 if scene.time in ("day", "storm") else 0.7))


def _bolt(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    """A lightning bolt where the sun would stand."""
    layer = Image.new("L", (2 * SIZE, 2 * SIZE))
    x, y = scene.light_x * 2 * SIZE, 0.16 * 2 * SIZE
    points = [(x, y)]
    for step in range(4):
        x += ((0.05 if step % 2 else -0.06) + rng.uniform(-0.01, 0.01)) * 2 * SIZE
        y += 0.095 * 2 * SIZE
        points.append((x, y))
    ImageDraw.Draw(layer).line(points, fill=255, width=10, joint="curve")
    _blend(image, (255, 246, 190), 0.5 * _soft(layer.reduce(4), 4.0))
    _blend(image, (255, 252, 228), np.asarray(layer.reduce(2), np.float32) / 255)


def _relief_line(scene: Scene, rng: np.random.Generator, layer: int) -> np.ndarray:
    """Height above the horizon per column, as a share of the picture."""
    x = GRID_X[0]
    if scene.relief == "hills":
        phase, waves = rng.uniform(0, 6.28), rng.uniform(1.0, 1.6)
        return 0.055 + 0.045 * np.sin(2 * np.pi * waves * x + phase) - 0.03 * layer
    peaks = np.sort(rng.uniform(0, 1, 2)) * 0.7 + 0.15 + rng.uniform(-0.1, 0.1, 2)
    height = rng.uniform(0.13, 0.19, 2) - 0.055 * layer
    return np.max(
        [h - 0.62 * np.abs(x - p) for h, p in zip(height, peaks)] + [np.full_like(x, 0.012)], axis=0
    )


def _relief(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    for layer in range(2):
        line = scene.horizon - _relief_line(scene, rng, layer)
        colour = np.asarray(RELIEF[scene.relief][layer], np.float32) * LAND_TINT[scene.time]
        colour = colour + (np.asarray(HAZE[scene.time]) - colour) * (0.42 - 0.2 * layer)
        below = np.clip((GRID_Y - line[None, :]) * SIZE + 0.5, 0, 1)
        _blend(image, colour, below)
        if scene.relief == "mountains":
            cap = np.clip((0.055 - (GRID_Y - line[None, :])) * SIZE, 0, 1) * below
            high = np.clip((scene.horizon - 0.085 - GRID_Y) * SIZE / 3, 0, 1)
            white = np.asarray((246, 248, 252)) * (0.5 + 0.5 * np.asarray(LAND_TINT[scene.time]))
            _blend(image, white, cap * high * 0.9)


def _water(image: np.ndarray, scene: Scene, rng: np.random.Generator, shore: int) -> None:
    """The lake mirrors the sky above it and carries a path of light."""
    depth = SIZE - shore
    mirror = image[shore - depth : shore][::-1] if shore >= depth else image[:shore][::-1]
    near = np.linspace(0, 1, depth, dtype=np.float32)[:, None, None]
    water = _gradient(((0.0, GROUNDS["lake"][0]), (1.0, GROUNDS["lake"][1])), near[:, 0, 0])[
        :, None, :
    ]
    water = water * np.asarray(LAND_TINT[scene.time], np.float32)
    image[shore:] = mirror * (0.55 - 0.2 * near) + water * (0.45 + 0.2 * near)
    glint = {
        "day": (240, 250, 255),
        "dawn": (255, 240, 214),
        "sunset": (255, 214, 120),
        "night": (206, 218, 250),
        "storm": (176, 184, 190),
    }
    rows = GRID_Y[shore:, 0]
    for _ in range(7):
        y = rng.uniform(rows[0] + 0.02, 0.985)
        half = 0.03 + 0.10 * (y - rows[0]) + rng.uniform(0, 0.03)
        x = scene.light_x + rng.uniform(-0.04, 0.04)
        band = np.exp(-(((rows[:, None] - y) / 0.005) ** 2))
        _blend(
            image[shore:],
            glint[scene.time],
            0.7 * band * np.clip((half - np.abs(GRID_X - x)) * 40, 0, 1),
        )


def _ground(image: np.ndarray, scene: Scene, rng: np.random.Generator) -> None:
    shore = int(scene.horizon * SIZE)
    if scene.ground == "lake":
        _water(image, scene, rng, shore)
        return
    far, near = GROUNDS[scene.ground]
    rows = np.linspace(0, 1, SIZE - shore, dtype=np.float32)
    # Snow keeps some of the moonlight, or it would pass for water.
    moonlit = 1.3 if (scene.ground, scene.time) == ("snow", "night") else 1.0
    tint = np.asarray(LAND_TINT[scene.time], np.float32) * moonlit
    image[shore:] = (_gradient(((0.0, far), (1.0, near)), rows) * tint)[:, None, :]
    # Two soft swells give the plain some depth; on sand they are dunes with a sharper crest.
    for level in (0.25, 0.6):
        wave = level + 0.09 * np.sin(
            2 * np.pi * rng.uniform(0.7, 1.3) * GRID_X[0] + rng.uniform(0, 6.28)
        )
        drop = rows[:, None] - wave[None, :]
        lit = np.exp(-np.maximum(drop, 0) / 0.16) * np.clip(drop * 60 + 0.5, 0, 1)
        bright = np.minimum(np.asarray(far, np.float32) * 1.08, 255) * tint
        _blend(image[shore:], bright, lit * 0.75)


def _thing_layer(scene: Scene, thing: Thing) -> tuple[Image.Image, float]:
    """The object alone with premultiplied alpha, and its ground line as a share of the picture."""
    canvas = OVERSAMPLE * SIZE
    layer = Image.new("RGBA", (canvas, canvas), (0, 0, 0, 0))
    # Things on the lake sit a little higher, so that their mirror image fits.
    base = 0.80 if scene.ground == "lake" else 0.865
    lift = 0.16 if thing.kind == "balloon" else 0.0
    paint = Paint.of(thing.colour, OBJECT_TINT[scene.time], scene.time in LAMPS)
    pen, width = ImageDraw.Draw(layer), thing.width * canvas
    DRAW[thing.kind](Pencil(pen, thing.x * canvas, (base - lift) * canvas, width), paint)
    return layer.convert("RGBa").reduce(OVERSAMPLE), base


def _lay(image: np.ndarray, layer: Image.Image, strength: float = 1.0) -> np.ndarray:
    """Lays a premultiplied layer over the picture; returns its coverage [H, W]."""
    pixels = np.asarray(layer, np.float32) * strength
    cover = pixels[..., 3] / 255
    image *= 1 - cover[..., None]
    image += pixels[..., :3]
    return cover


def _place(image: np.ndarray, scene: Scene, thing: Thing) -> np.ndarray:
    """Draws one object with its shadow or mirror image; returns its coverage [H, W]."""
    layer, base = _thing_layer(scene, thing)
    if scene.ground == "lake":
        flipped = layer.transpose(Image.FLIP_TOP_BOTTOM)
        mirror = Image.new("RGBa", layer.size, (0, 0, 0, 0))
        mirror.paste(flipped, (0, round((2 * base - 1) * SIZE)))
        _lay(image, mirror.filter(ImageFilter.GaussianBlur(1.5)), 0.38)
    else:
        wide = thing.width * (0.34 if thing.kind in ("balloon", "tree", "rocket") else 0.54)
        x, y = GRID_X - thing.x, GRID_Y - base
        _blend(image, (26, 26, 52), 0.42 * np.exp(-(((x / wide) ** 2 + (y / 0.016) ** 2) ** 2)))
    return _lay(image, layer)


def draw(scene: Scene) -> tuple[np.ndarray, list[np.ndarray]]:
    """Picture uint8 [256, 256, 3] and one coverage map uint8 [256, 256] per object."""
    rng = np.random.default_rng(scene.seed)
    image = _sky(scene)
    if scene.time == "night":
        _stars(image, scene, rng)
    _light(image, scene, rng)
    _clouds(image, scene, rng)
    if scene.time == "storm":
        _bolt(image, scene, rng)
    if scene.relief != "flat":
        _relief(image, scene, rng)
    _ground(image, scene, rng)
    covers = [_place(image, scene, thing) for thing in scene.things]
    return np.uint8(np.clip(image + 0.5, 0, 255)), [np.uint8(c * 255 + 0.5) for c in covers]
