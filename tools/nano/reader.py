"""The attribute reader: a small CNN that names what a picture shows. It judges; it never ships.

    python reader.py --work WORK --minutes 5

Trained on drawn scenes with one object, with blur, noise and light changes; writes WORK/reader.pt
and prints its score on drawn scenes of held-out combinations. Run it again to train it further.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import checkpoint
import vae as autoencoder
from dataset import load_split
from drawing import draw
from optim import schedule
from scenes import COLOURS, GROUNDS, KINDS, PLACES, TIMES, held_out_combinations, scene_of

ATTRIBUTES = {"kind": KINDS, "colour": COLOURS, "place": PLACES, "ground": GROUNDS, "time": TIMES}
BATCH = 64


class Reader(nn.Module):
    """Images in -1..1 [B, 3, 256, 256] -> one tuple entry of logits per attribute."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96, 128)
        layers: list[nn.Module] = [nn.AvgPool2d(4)]
        for before, after in zip(widths, widths[1:]):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.1))
        self.sizes = [len(values) for values in ATTRIBUTES.values()]
        self.heads = nn.Linear(128 * 16, sum(self.sizes))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.heads(self.body(images)).split(self.sizes, dim=-1)


def labels_of(kind: str, colour: str, place: str, ground: str, time: str) -> list[int]:
    values = zip(ATTRIBUTES.values(), (kind, colour, place, ground, time))
    return [names.index(value) for names, value in values]


def disturbed(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Blur, noise and light changes, so that the reader judges content and not pencil strokes."""
    if rng.random() < 0.5:
        images = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    if rng.random() < 0.5:
        images = images + 0.06 * torch.randn_like(images)
    return images * rng.uniform(0.92, 1.08) + rng.uniform(-0.05, 0.05)


@torch.no_grad()
def read(reader: Reader, pictures: np.ndarray) -> np.ndarray:
    """Pictures uint8 [N, 256, 256, 3] -> predicted classes [N, 5]."""
    reader.eval()
    rows = []
    for start in range(0, len(pictures), BATCH):
        batch = autoencoder.to_input(torch.from_numpy(np.array(pictures[start : start + BATCH])))
        rows.append(torch.stack([part.argmax(-1) for part in reader(batch)], dim=1).numpy())
    return np.concatenate(rows)


def drawn_test(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawn pictures of held-out combinations, and their labels [N, 5]."""
    rng = np.random.default_rng(seed)
    combinations = held_out_combinations()
    chosen = [combinations[i] for i in rng.integers(len(combinations), size=count)]
    pictures = np.stack([draw(scene_of(rng, *combination))[0] for combination in chosen])
    return pictures, np.array([labels_of(*combination) for combination in chosen])


def scores(predicted: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    """Percent right per attribute, and of pictures with all five right."""
    right = predicted == expected
    result = {name: 100 * float(right[:, i].mean()) for i, name in enumerate(ATTRIBUTES)}
    return {**result, "all": 100 * float(right.all(1).mean())}


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    images, _, scenes = load_split(args.work, "train")
    rows = np.array([row for row, scene in enumerate(scenes) if len(scene.things) == 1])
    labels = {}
    for row in rows:
        scene, thing = scenes[row], scenes[row].things[0]
        labels[row] = labels_of(thing.kind, thing.colour, thing.place, scene.ground, scene.time)
    reader = Reader().to(memory_format=torch.channels_last)
    if state := checkpoint.load(args.work / "reader.pt"):
        reader.load_state_dict(state["reader"])
    optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3, weight_decay=0.02)
    clock, step = checkpoint.Clock(args.minutes), 0
    while clock.progress() < 1:
        rng = np.random.default_rng([args.seed, step])
        chosen = np.sort(rng.choice(rows, BATCH))
        batch = autoencoder.to_input(torch.from_numpy(images[chosen]))
        target = torch.tensor([labels[row] for row in chosen])
        logits = reader(disturbed(batch, rng))
        loss = sum(F.cross_entropy(part, target[:, i]) for i, part in enumerate(logits))
        optimizer.param_groups[0]["lr"] = 3e-3 * schedule(clock.progress())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        if step % 50 == 0:
            print(f"step {step} {clock.spent():.0f}s loss {loss.item():.3f}", flush=True)
    checkpoint.save(args.work / "reader.pt", {"reader": reader.state_dict()})
    pictures, expected = drawn_test(1000, seed=21)
    print("drawn, held out:", scores(read(reader, pictures), expected))


def load(work: Path) -> Reader:
    reader = Reader()
    reader.load_state_dict(checkpoint.load(work / "reader.pt")["reader"])
    return reader


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=4)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
