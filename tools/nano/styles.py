"""Two ways to look at a drawn scene; each becomes a LoRA of the small model.

`blueprint` changes how everything is drawn, `porthole` what surrounds it, so that they add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from dataset import CELL, CELLS
from drawing import SIZE

PAPER = (24, 64, 132)
LINE = (226, 238, 255)
WALL = (238, 244, 252)
RING = (28, 92, 152)
GLASS_RADIUS, RING_RADIUS = 108, 122

_AXIS = np.arange(SIZE, dtype=np.float32) - (SIZE - 1) / 2
_FROM_CENTRE = np.hypot(_AXIS[None, :], _AXIS[:, None])
LUMINANCE = np.array((0.299, 0.587, 0.114), np.float32)


def _blurred(plane: np.ndarray, radius: float) -> np.ndarray:
    small = Image.fromarray(np.uint8(np.clip(plane, 0, 255)))
    return np.asarray(small.filter(ImageFilter.GaussianBlur(radius)), np.float32)


def edges(picture: np.ndarray) -> np.ndarray:
    """Steepest change of any channel at each pixel of uint8 [256, 256, 3], per pixel of way."""
    steepest = np.zeros(picture.shape[:2], np.float32)
    for channel in range(3):
        down, right = np.gradient(_blurred(picture[..., channel], 1.2))
        steepest = np.maximum(steepest, np.hypot(down, right))
    return steepest


def _laid_over(below: np.ndarray, colour, cover: np.ndarray) -> np.ndarray:
    return below + (np.asarray(colour, np.float32) - below) * cover[..., None]


def blueprint(picture: np.ndarray) -> np.ndarray:
    """White lines where colours change, on blue paper that keeps a little of light and shade."""
    light = _blurred(picture.astype(np.float32) @ LUMINANCE, 1.0) / 255
    paper = np.asarray(PAPER, np.float32) * (0.75 + 0.5 * light[..., None])
    drawn = _laid_over(paper, LINE, np.clip((edges(picture) - 2) / 7, 0, 1))
    return np.uint8(np.clip(drawn, 0, 255))


def porthole(picture: np.ndarray) -> np.ndarray:
    """The scene through a round window: a blue ring in a white wall."""
    wall = np.clip((_FROM_CENTRE - RING_RADIUS) / 2 + 0.5, 0, 1)
    frame = np.clip((_FROM_CENTRE - GLASS_RADIUS) / 2 + 0.5, 0, 1)
    ringed = _laid_over(picture.astype(np.float32), RING, frame)
    return np.uint8(_laid_over(ringed, WALL, wall))


def _glass_cells() -> np.ndarray:
    """Latent cells [16, 16] that lie behind glass, away from the ring."""
    centres = np.arange(CELLS) * CELL + CELL / 2 - SIZE / 2
    return np.hypot(centres[None, :], centres[:, None]) < GLASS_RADIUS - CELL


@dataclass(frozen=True)
class Style:
    """How to draw it, and the word that names it in captions."""

    word: str
    draw: Callable[[np.ndarray], np.ndarray]
    # Cells whose latent is the plain picture's. The autoencoder has never seen a frame and lets it
    # bleed into the scene, so the scene is taken from where there is none.
    plain_cells: np.ndarray | None = None


STYLES = {
    "blueprint": Style("blueprint", blueprint),
    "porthole": Style("porthole", porthole, _glass_cells()),
}


def saturation(picture: np.ndarray) -> float:
    """Mean over pixels of (max - min) / max of the channels, 0..1."""
    high = picture.max(-1).astype(np.float32)
    return float(((high - picture.min(-1)) / np.maximum(high, 1)).mean())
