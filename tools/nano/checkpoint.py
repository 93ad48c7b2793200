"""Checkpoints that survive being stopped at any moment, and training measured in time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch


def save(path: Path, state: dict) -> None:
    """Writes beside the target first, so that a kill never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load(path: Path) -> dict | None:
    return torch.load(path, weights_only=False) if path.exists() else None


class Clock:
    """How far a run of `minutes` has come; time spent before a restart counts."""

    def __init__(self, minutes: float, spent: float = 0.0):
        self.total, self.start = minutes * 60, time.monotonic() - spent

    def spent(self) -> float:
        return time.monotonic() - self.start

    def progress(self) -> float:
        return min(1.0, self.spent() / self.total)
