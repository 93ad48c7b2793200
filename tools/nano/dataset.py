"""Draws the training and test scenes once, in parallel, into memory-mapped files.

    python dataset.py --work WORK [--train 24000] [--test 1000]

WORK/train/{images.npy,cells.npy,scenes.jsonl} and the same under WORK/test. Scene i depends on the
seed and on i alone, so the files are the same on any machine and with any number of processes.
"""

from __future__ import annotations

import argparse
import json
from multiprocessing import Pool
from pathlib import Path

import numpy as np

from drawing import SIZE, draw
from scenes import COLOURS, KINDS, Scene, random_scene

CELL = 16
CELLS = SIZE // CELL
SEEDS = {"train": 11, "test": 12}
CHUNK = 100


def cell_cover(mask: np.ndarray) -> np.ndarray:
    """Coverage [256, 256] uint8 -> mean coverage of each latent cell, uint8 [16, 16]."""
    means = mask.astype(np.float32).reshape(CELLS, CELL, CELLS, CELL).mean((1, 3))
    return np.uint8(means + 0.5)


def _open(folder: Path, count: int, mode: str) -> tuple[np.memmap, np.memmap]:
    images = np.lib.format.open_memmap(
        folder / "images.npy", mode, np.uint8, (count, SIZE, SIZE, 3)
    )
    cells = np.lib.format.open_memmap(
        folder / "cells.npy", mode, np.uint8, (count, 2, CELLS, CELLS)
    )
    return images, cells


def _draw_chunk(job: tuple[Path, int, int, int, int]) -> list[str]:
    """Draws scenes [start, stop) straight into the files; returns their records."""
    folder, count, seed, start, stop = job
    images, cells = _open(folder, count, "r+")
    lines = []
    for index in range(start, stop):
        scene = random_scene(np.random.default_rng([seed, index]))
        images[index], masks = draw(scene)
        for slot, mask in enumerate(masks):
            cells[index, slot] = cell_cover(mask)
        lines.append(json.dumps(scene.to_json()))
    return lines


def make_split(work: Path, split: str, count: int, processes: int) -> None:
    folder = work / split
    folder.mkdir(parents=True, exist_ok=True)
    _open(folder, count, "w+")
    jobs = [
        (folder, count, SEEDS[split], start, min(start + CHUNK, count))
        for start in range(0, count, CHUNK)
    ]
    with Pool(processes) as pool, open(folder / "scenes.jsonl", "w", encoding="utf-8") as out:
        for lines in pool.imap(_draw_chunk, jobs):
            out.write("\n".join(lines) + "\n")


def load_split(work: Path, split: str) -> tuple[np.ndarray, np.ndarray, list[Scene]]:
    """Images [N, 256, 256, 3], cell coverage [N, 2, 16, 16] (both mapped) and the scenes."""
    folder = Path(work) / split
    images = np.load(folder / "images.npy", mmap_mode="r")
    cells = np.load(folder / "cells.npy", mmap_mode="r")
    with open(folder / "scenes.jsonl", encoding="utf-8") as lines:
        scenes = [Scene.from_json(json.loads(line)) for line in lines]
    return images, cells, scenes


def token_labels(cells: np.ndarray, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Kind and colour class of each of the 8x8 image tokens, int64 [64]; 0 where no object is."""
    tokens = cells.astype(np.float32).reshape(2, CELLS // 2, 2, CELLS // 2, 2).mean((2, 4))
    kind = np.zeros(tokens.shape[1:], np.int64)
    colour = np.zeros_like(kind)
    for slot, thing in enumerate(scene.things):
        inside = tokens[slot] > 64
        kind[inside] = 1 + KINDS.index(thing.kind)
        colour[inside] = 1 + COLOURS.index(thing.colour)
    return kind.ravel(), colour.ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--train", type=int, default=24_000)
    parser.add_argument("--test", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    args = parser.parse_args()
    for split, count in (("test", args.test), ("train", args.train)):
        make_split(args.work, split, count, args.processes)
        print(f"{split}: {count} scenes in {args.work / split}", flush=True)


if __name__ == "__main__":
    main()
