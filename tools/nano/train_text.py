"""Teaches the text encoder to name what a caption says, before the transformer listens to it.

    python train_text.py --work WORK --model MODEL --minutes 2 [--init-from MODEL]

The answer is read at the caption's last token through throw-away heads. Writes WORK/text.pt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import checkpoint
import text_encoder
import tokenizer
from captions import caption
from export import read_weights
from optim import Optimizers, schedule
from scenes import COLOURS, GROUNDS, KINDS, PLACES, TIMES, Scene, random_scene

QUESTIONS = {
    "kind": len(KINDS),
    "colour": len(COLOURS),
    "place": len(PLACES),
    "second_kind": len(KINDS) + 1,
    "second_colour": len(COLOURS) + 1,
    "ground": len(GROUNDS),
    "time": len(TIMES),
}
BATCH = 96


def answers(scene: Scene) -> list[int]:
    """Class of each question, in the order of QUESTIONS; 0 means that there is no second object."""
    first = scene.things[0]
    second = (0, 0)
    if len(scene.things) == 2:
        other = scene.things[1]
        second = (1 + KINDS.index(other.kind), 1 + COLOURS.index(other.colour))
    return [
        KINDS.index(first.kind),
        COLOURS.index(first.colour),
        PLACES.index(first.place),
        *second,
        GROUNDS.index(scene.ground),
        TIMES.index(scene.time),
    ]


def padded(rows: list[list[int]], pad: int, multiple: int = 32) -> tuple[Tensor, Tensor]:
    """Ids [B, L] padded at the right to the next multiple of 32 of the longest, and lengths [B]."""
    lengths = torch.tensor([len(row) for row in rows])
    width = -(-int(lengths.max()) // multiple) * multiple
    ids = torch.full((len(rows), width), pad)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    return ids, lengths


class Heads(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.sizes = list(QUESTIONS.values())
        self.out = nn.Linear(hidden, sum(self.sizes))

    def forward(self, states: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        last = states[torch.arange(len(states)), lengths - 1]
        return self.out(F.rms_norm(last, last.shape[-1:])).split(self.sizes, dim=-1)


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    words = tokenizer.load(args.model / "tokenizer")
    pad = words.token_to_id("<|endoftext|>")
    encoder = text_encoder.TextEncoder()
    if args.init_from:
        encoder.load_state_dict(read_weights(args.init_from / "text_encoder"))
    heads = Heads(text_encoder.CONFIG["hidden_size"])
    matrices = [p for n, p in encoder.used_parameters() if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in encoder.used_parameters() if p.dim() == 1 or "embed" in n]
    optimizers = Optimizers(matrices, [*others, *heads.parameters()], 0.01, 2e-3)
    clock, step = checkpoint.Clock(args.minutes), 0
    while clock.progress() < 1:
        optimizers.set_scale(schedule(clock.progress()))
        rng = np.random.default_rng([args.seed, step])
        scenes = [random_scene(rng, two_share=0.3) for _ in range(BATCH)]
        long = rng.random() < 0.1
        texts = [caption(rng, scene, long=long, complete=True) for scene in scenes]
        ids, lengths = padded(tokenizer.encode(words, texts), pad)
        target = torch.tensor([answers(scene) for scene in scenes])
        logits = heads(encoder(ids), lengths)
        loss = sum(F.cross_entropy(part, target[:, i]) for i, part in enumerate(logits))
        loss.backward()
        optimizers.step()
        optimizers.zero_grad()
        step += 1
        if step % 50 == 0:
            right = [
                (part.argmax(-1) == target[:, i]).float().mean() for i, part in enumerate(logits)
            ]
            named = " ".join(f"{name} {100 * r:.0f}" for name, r in zip(QUESTIONS, right))
            print(f"step {step} {clock.spent():.0f}s loss {loss.item():.3f} {named}", flush=True)
    checkpoint.save(args.work / "text.pt", {"weights": encoder.state_dict()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="where the tokenizer stands")
    parser.add_argument("--init-from", type=Path)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=2)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
