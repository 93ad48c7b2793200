"""What a scene is: attributes, how they are chosen, and which combinations are held out."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass

import numpy as np

KINDS = ("house", "tree", "rocket", "tent", "balloon", "car", "sailboat", "castle")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
PLACES = ("left", "center", "right")
GROUNDS = ("meadow", "desert", "snow", "lake")
TIMES = ("day", "dawn", "sunset", "night", "storm")
RELIEFS = ("flat", "hills", "mountains")

PLACE_X = {"left": 0.28, "center": 0.5, "right": 0.72}
HELD_OUT_SHARE = 0.08


@dataclass(frozen=True)
class Thing:
    """One object of a scene; `x` and `width` are shares of the picture's width."""

    kind: str
    colour: str
    place: str
    x: float
    width: float


@dataclass(frozen=True)
class Scene:
    """Everything that the drawing and the caption need; `seed` decides clouds, stars and waves."""

    things: tuple[Thing, ...]
    ground: str
    time: str
    relief: str
    horizon: float
    light_x: float
    seed: int

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(record: dict) -> Scene:
        things = tuple(Thing(**thing) for thing in record["things"])
        return Scene(**{**record, "things": things})


def held_out(kind: str, colour: str, place: str, ground: str, time: str) -> bool:
    """Whether this combination is kept from training; a hash decides, so that it never moves."""
    key = "|".join((kind, colour, place, ground, time)).encode()
    return zlib.crc32(key) % 10_000 < HELD_OUT_SHARE * 10_000


def held_out_combinations() -> list[tuple[str, str, str, str, str]]:
    """All held-out (kind, colour, place, ground, time), in a fixed order."""
    return [
        (kind, colour, place, ground, time)
        for kind in KINDS
        for colour in COLOURS
        for place in PLACES
        for ground in GROUNDS
        for time in TIMES
        if held_out(kind, colour, place, ground, time)
    ]


def _thing(rng: np.random.Generator, kind: str, colour: str, place: str, second: bool) -> Thing:
    low, high = (0.36, 0.42) if second else (0.42, 0.52)
    x = PLACE_X[place] + rng.uniform(-0.02, 0.02)
    return Thing(kind, colour, place, float(x), float(rng.uniform(low, high)))


def _things(rng: np.random.Generator, two: bool) -> tuple[Thing, ...]:
    """One object anywhere, or two different kinds at the two sides."""
    if not two:
        kind, colour, place = rng.choice(KINDS), rng.choice(COLOURS), rng.choice(PLACES)
        return (_thing(rng, str(kind), str(colour), str(place), False),)
    kinds = rng.choice(len(KINDS), 2, replace=False)
    sides = ("left", "right") if rng.random() < 0.5 else ("right", "left")
    return tuple(
        _thing(rng, KINDS[kind], str(rng.choice(COLOURS)), side, True)
        for kind, side in zip(kinds, sides)
    )


def _light_x(rng: np.random.Generator, things: tuple[Thing, ...]) -> float:
    """Sun or moon stands where the object does not cover it."""
    if len(things) == 2:
        return float(rng.uniform(0.44, 0.56))
    side = {"left": 0.76, "right": 0.24, "center": rng.choice([0.14, 0.86])}[things[0].place]
    return float(side + rng.uniform(-0.05, 0.05))


def random_scene(rng: np.random.Generator, two_share: float = 0.2) -> Scene:
    """A training scene: uniform attributes, never a held-out combination."""
    while True:
        things = _things(rng, two=rng.random() < two_share)
        ground, time = str(rng.choice(GROUNDS)), str(rng.choice(TIMES))
        if not any(held_out(t.kind, t.colour, t.place, ground, time) for t in things):
            return _finish(rng, things, ground, time)


def scene_of(
    rng: np.random.Generator, kind: str, colour: str, place: str, ground: str, time: str
) -> Scene:
    """A scene with one object and the given attributes; the rest is random."""
    return _finish(rng, (_thing(rng, kind, colour, place, False),), ground, time)


def _finish(rng: np.random.Generator, things: tuple, ground: str, time: str) -> Scene:
    return Scene(
        things=things,
        ground=ground,
        time=time,
        relief=str(rng.choice(RELIEFS)),
        horizon=float(rng.uniform(0.63, 0.69)),
        light_x=_light_x(rng, things),
        seed=int(rng.integers(2**31)),
    )
