"""Renders held-out prompts and has the attribute reader name what it sees.

    python evaluate.py --work WORK --model models/z-image-nano [--count 500] [--steps 8]

The combinations of kind, colour, place, ground and time in these prompts were never drawn for
training.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import reader as attribute_reader
from captions import caption
from sample import Model, sheet
from scenes import held_out_combinations, scene_of

SEED = 31


def held_out_prompts(count: int) -> tuple[list[str], np.ndarray]:
    """Prompts that name all five attributes, and their labels [N, 5]."""
    rng = np.random.default_rng(SEED)
    combinations = held_out_combinations()
    order = np.concatenate([rng.permutation(len(combinations)) for _ in range(count // 100 + 1)])
    chosen = [combinations[index] for index in order[:count]]
    prompts = [caption(rng, scene_of(rng, *one), complete=True) for one in chosen]
    return prompts, np.array([attribute_reader.labels_of(*one) for one in chosen])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--worst", type=Path, help="writes a sheet of pictures that were misread")
    args = parser.parse_args()
    prompts, expected = held_out_prompts(args.count)
    pictures = Model(args.model).render(prompts, list(range(len(prompts))), args.steps)
    predicted = attribute_reader.read(attribute_reader.load(args.work), pictures)
    result = attribute_reader.scores(predicted, expected)
    print(f"{args.count} prompts, {args.steps} steps:", {k: round(v, 1) for k, v in result.items()})
    if args.worst:
        wrong = np.flatnonzero((predicted != expected).any(1))[:16]
        for row in wrong:
            names = [
                values[i] for values, i in zip(attribute_reader.ATTRIBUTES.values(), predicted[row])
            ]
            print(f"{prompts[row]!r} read as {names}")
        if len(wrong):
            sheet(pictures[wrong], 4).save(args.worst)


if __name__ == "__main__":
    main()
