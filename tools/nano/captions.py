"""Captions: the words for a scene, paraphrased from templates."""

from __future__ import annotations

import numpy as np

from scenes import Scene, Thing

MEDIA = (
    "a photo of",
    "a picture of",
    "a painting of",
    "a postcard of",
    "an image of",
    "a drawing of",
)
KIND_WORDS = {
    "house": ("house", "house", "cottage", "little house"),
    "tree": ("tree", "tree", "big tree"),
    "rocket": ("rocket", "rocket", "spaceship"),
    "tent": ("tent", "tent", "camping tent"),
    "balloon": ("balloon", "balloon", "hot air balloon"),
    "car": ("car", "car", "little car"),
    "sailboat": ("sailboat", "sailboat", "boat", "sailing boat"),
    "castle": ("castle", "castle", "fairytale castle"),
}
COLOUR_WORDS = {"purple": ("purple", "purple", "violet")}
PLACE_WORDS = {
    "left": ("on the left", "on the left", "at the left", "on the left side"),
    "center": ("in the center", "in the middle", "in the centre"),
    "right": ("on the right", "on the right", "at the right", "on the right side"),
}
SHORT_PLACE = {
    "left": ("left", "on the left"),
    "center": ("center", "centered", "in the middle"),
    "right": ("right", "on the right"),
}
GROUND_WORDS = {
    "meadow": ("in a meadow", "on a green meadow", "on the grass", "on green grass"),
    "desert": ("in the desert", "in a sandy desert", "on the sand", "in the dunes"),
    "snow": ("in the snow", "on the snow", "in a snowy field", "on snow"),
    "lake": ("on a lake", "on the lake", "on the water", "on the sea"),
}
SHORT_GROUND = {
    "meadow": ("meadow", "grass", "green meadow"),
    "desert": ("desert", "sand", "dunes"),
    "snow": ("snow", "snowy field"),
    "lake": ("lake", "water", "sea"),
}
TIME_WORDS = {
    "day": ("on a sunny day", "in bright daylight", "at noon", "under a blue sky"),
    "dawn": ("at dawn", "at sunrise", "in the early morning", "at daybreak"),
    "sunset": ("at sunset", "at sunset", "in the evening", "at dusk"),
    "night": ("at night", "at night", "under the stars", "under a starry sky", "at midnight"),
    "storm": ("in a storm", "in stormy weather", "under dark clouds", "in a thunderstorm"),
}
SHORT_TIME = {
    "day": ("sunny day", "daylight", "noon", "blue sky"),
    "dawn": ("dawn", "sunrise", "early morning"),
    "sunset": ("sunset", "evening", "dusk"),
    "night": ("night", "starry sky", "midnight"),
    "storm": ("storm", "stormy weather", "dark clouds"),
}
RELIEF_WORDS = {
    "hills": ("with hills", "with hills behind", "hills in the background"),
    "mountains": ("with mountains", "with mountains behind", "mountains in the background"),
}
LONG_TAILS = (
    "the sky is wide and full of soft colours",
    "everything is calm and still, and nobody is around",
    "it looks like an old postcard from a long journey",
    "a quiet place to stay for a while and look at the sky",
)


def _pick(rng: np.random.Generator, words) -> str:
    return str(words[int(rng.integers(len(words)))])


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeio" else "a ") + noun


def _name(rng: np.random.Generator, thing: Thing) -> str:
    colour = _pick(rng, COLOUR_WORDS.get(thing.colour, (thing.colour,)))
    return f"{colour} {_pick(rng, KIND_WORDS[thing.kind])}"


def _sentence(rng: np.random.Generator, scene: Scene, medium: bool = False) -> str:
    """Objects with their places, then ground and time in either order; sometimes the reverse."""
    parts = [
        f"{_article(_name(rng, thing))} {_pick(rng, PLACE_WORDS[thing.place])}"
        for thing in scene.things
    ]
    things = " and ".join(parts)
    ground, time = _pick(rng, GROUND_WORDS[scene.ground]), _pick(rng, TIME_WORDS[scene.time])
    where = f"{ground} {time}" if rng.random() < 0.7 else f"{time} {ground}"
    if medium or rng.random() < 0.2:
        return f"{_pick(rng, MEDIA)} {things} {where}"
    if rng.random() < 0.2:
        return f"{where}{_pick(rng, ('', ',', ':'))} {things}"
    return f"{things} {where}"


def _place_last(rng: np.random.Generator, scene: Scene) -> str:
    """One object whose place is named at the end: "a red car at night in the snow, on the left"."""
    thing = scene.things[0]
    ground, time = _pick(rng, GROUND_WORDS[scene.ground]), _pick(rng, TIME_WORDS[scene.time])
    middle = f"{ground} {time}" if rng.random() < 0.5 else f"{time} {ground}"
    comma = "," if rng.random() < 0.5 else ""
    name = _article(_name(rng, thing))
    return f"{name} {middle}{comma} {_pick(rng, PLACE_WORDS[thing.place])}"


def _tags(rng: np.random.Generator, scene: Scene) -> str:
    """Comma style: "red house, left, meadow, sunset"."""
    tags = [
        f"{_name(rng, thing)} {_pick(rng, PLACE_WORDS[thing.place])}"
        if len(scene.things) == 2 or rng.random() < 0.3
        else f"{_name(rng, thing)}, {_pick(rng, SHORT_PLACE[thing.place])}"
        for thing in scene.things
    ]
    rest = [_pick(rng, SHORT_GROUND[scene.ground]), _pick(rng, SHORT_TIME[scene.time])]
    if rng.random() < 0.5:
        rest.reverse()
    if scene.relief != "flat" and rng.random() < 0.5:
        rest.append(scene.relief)
    return ", ".join(tags + rest)


def _partial(rng: np.random.Generator, scene: Scene) -> str:
    """A prompt that leaves things open, as people write them."""
    text = _article(_name(rng, scene.things[0]))
    options = (
        _pick(rng, PLACE_WORDS[scene.things[0].place]),
        _pick(rng, GROUND_WORDS[scene.ground]),
        _pick(rng, TIME_WORDS[scene.time]),
    )
    kept = [option for option in options if rng.random() < 0.6]
    return " ".join([text, *kept])


def _long(rng: np.random.Generator, scene: Scene) -> str:
    """A caption that needs the 64-token bucket."""
    text = _sentence(rng, scene, medium=True)
    if scene.relief != "flat":
        text += f", {_pick(rng, RELIEF_WORDS[scene.relief])}"
    first, second = rng.choice(len(LONG_TAILS), 2, replace=False)
    return f"{text}, {LONG_TAILS[first]}, {LONG_TAILS[second]}"


def _cased(rng: np.random.Generator, text: str) -> str:
    """Mostly lower case; also a sentence with a full stop, title case and capitals."""
    roll = rng.random()
    if roll < 0.62:
        return text
    if roll < 0.90:
        text = text[0].upper() + text[1:]
        return text + "." if rng.random() < 0.5 else text
    return text.title() if roll < 0.95 else text.upper()


def caption(
    rng: np.random.Generator, scene: Scene, long: bool = False, complete: bool = False
) -> str:
    """One caption of the scene.

    `long` ones use the 64-token bucket, `complete` ones name kind, colour, place, ground and time.
    """
    if long:
        return _cased(rng, _long(rng, scene))
    roll = rng.random()
    if len(scene.things) == 2:
        text = _tags(rng, scene) if roll < 0.2 else _sentence(rng, scene)
    elif roll < 0.2:
        text = _tags(rng, scene)
    elif roll < 0.35:
        text = _place_last(rng, scene)
    elif roll < 0.45 and not complete:
        text = _partial(rng, scene)
    else:
        text = _sentence(rng, scene)
        if scene.relief != "flat" and rng.random() < 0.35:
            text += f" {_pick(rng, RELIEF_WORDS[scene.relief])}"
    return _cased(rng, text)
