"""Trains the transformer, and the text encoder with it, on the encoded scenes.

    python train_transformer.py --work WORK --model MODEL --minutes 60 [--init-from MODEL]

Rectified flow: x = (1 - sigma) x0 + sigma noise, and the model predicts x0 - noise. Captions are
worded anew for every batch. Writes WORK/transformer.pt; run it again to go on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import checkpoint
import parallel
import text_encoder
import tokenizer
import transformer
from captions import caption
from dataset import load_split, token_labels
from export import read_weights
from optim import Average, Optimizers, schedule
from scenes import COLOURS, KINDS, Scene
from train_text import padded

SHIFT = 3.0
STEPS = 8
GRID_SHARE = 0.5
OBJECT_WEIGHT = 6.0
LAYOUT_WEIGHT = 0.05
LAYOUT_AFTER = 4
LONG_SHARE = 0.06


def shifted(u: Tensor) -> Tensor:
    return SHIFT * u / (1 + (SHIFT - 1) * u)


def draw_sigma(rng: np.random.Generator, count: int) -> Tensor:
    """Half of the batch at the very sigmas that eight steps visit, half anywhere in between."""
    anywhere = (np.arange(count) + rng.random(count)) / count
    grid = np.ceil(anywhere * STEPS) / STEPS
    u = np.where(rng.random(count) < GRID_SHARE, grid, anywhere)
    return shifted(torch.from_numpy(u).float())


class Corpus:
    """What training reads: latents, object masks, layout labels and the scenes' words."""

    def __init__(self, work: Path, model: Path):
        self.latents = np.load(work / "latents.npy")
        _, cells, scenes = load_split(work, "train")
        cells, self.scenes = cells[: len(self.latents)], scenes[: len(self.latents)]
        self.masks = np.minimum(cells.astype(np.float32).sum(1) / 255, 1).astype(np.float16)
        labels = [token_labels(c, s) for c, s in zip(cells, self.scenes)]
        self.kinds = np.stack([kind for kind, _ in labels]).astype(np.uint8)
        self.colours = np.stack([colour for _, colour in labels]).astype(np.uint8)
        self.words = tokenizer.load(model / "tokenizer")
        self.pad = self.words.token_to_id("<|endoftext|>")

    def ids(self, rng: np.random.Generator, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        long = rng.random() < LONG_SHARE
        texts = [caption(rng, scene, long=long) for scene in scenes]
        return padded(tokenizer.encode(self.words, texts), self.pad)

    def batch(self, rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        rows = np.sort(rng.integers(len(self.scenes), size=count))
        ids, lengths = self.ids(rng, [self.scenes[row] for row in rows])
        return {
            "latents": torch.from_numpy(self.latents[rows]).float(),
            "mask": torch.from_numpy(self.masks[rows]).float(),
            "kinds": torch.from_numpy(self.kinds[rows]).long(),
            "colours": torch.from_numpy(self.colours[rows]).long(),
            "ids": ids,
            "lengths": lengths,
            "sigma": draw_sigma(rng, count)[torch.from_numpy(rng.permutation(count))],
        }


class Student(nn.Module):
    """Both trained parts, and the layout head that is dropped at export."""

    def __init__(self) -> None:
        super().__init__()
        self.text = text_encoder.TextEncoder()
        self.transformer = transformer.ZImageTransformer()
        self.layout = nn.Linear(transformer.CONFIG["dim"], len(KINDS) + len(COLOURS) + 2)

    def losses(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Flow loss, heavier on objects, and the loss of the layout seen at mid depth."""
        clean, sigma = batch["latents"], batch["sigma"][:, None, None, None]
        noise = torch.randn_like(clean)
        out, hidden = self.transformer(
            (1 - sigma) * clean + sigma * noise,
            1 - batch["sigma"],
            self.text(batch["ids"]),
            batch["lengths"],
            middle=LAYOUT_AFTER,
        )
        weight = 1 + OBJECT_WEIGHT * batch["mask"][:, None]
        flow = ((out - (clean - noise)).square() * weight).sum() / (weight.sum() * clean.shape[1])
        logits = self.layout(F.rms_norm(hidden, hidden.shape[-1:])).flatten(0, 1)
        kinds, colours = logits.split([len(KINDS) + 1, len(COLOURS) + 1], dim=-1)
        layout = F.cross_entropy(kinds, batch["kinds"].flatten())
        layout = layout + F.cross_entropy(colours, batch["colours"].flatten())
        return flow, layout

    def optimizers(self, muon_lr: float, adam_lr: float) -> Optimizers:
        """Muon on the matrices of the blocks; AdamW on the rest and on the whole text encoder."""
        matrices, others = [], [p for _, p in self.text.used_parameters()]
        for name, param in self.transformer.named_parameters():
            inner = ".attention." in name or ".feed_forward." in name
            (matrices if inner and param.dim() == 2 else others).append(param)
        return Optimizers(matrices, [*others, *self.layout.parameters()], muon_lr, adam_lr, 0.01)

    def start(self, work: Path, model: Path | None) -> None:
        """Starts from a model directory, else with a text encoder that can name things."""
        if model:
            self.text.load_state_dict(read_weights(model / "text_encoder"))
            self.transformer.load_state_dict(read_weights(model / "transformer"))
        elif state := checkpoint.load(work / "text.pt"):
            self.text.load_state_dict(state["weights"])


class Run:
    """The state of a training run, stored and taken up again as one."""

    def __init__(self, args: argparse.Namespace):
        self.path = args.work / "transformer.pt"
        self.student = Student()
        self.student.start(args.work, args.init_from)
        self.optimizers = self.student.optimizers(args.muon_lr, args.adam_lr)
        self.average = Average(self.student.transformer, args.average)
        self.text_average = Average(self.student.text, args.average)
        self.step, spent = 0, 0.0
        if state := checkpoint.load(self.path):
            self.student.load_state_dict(state["student"])
            self.step, spent = state["step"], state["spent"]
            for part in ("optimizers", "average", "text_average"):
                getattr(self, part).load_state_dict(state[part])
        self.clock = checkpoint.Clock(args.minutes, spent)

    def store(self) -> None:
        record = {"student": self.student.state_dict(), "step": self.step}
        record["spent"] = self.clock.spent()
        for part in ("optimizers", "average", "text_average"):
            record[part] = getattr(self, part).state_dict()
        checkpoint.save(self.path, record)

    def update(self, loss: Tensor, progress: float) -> None:
        loss.backward()
        parallel.average_gradients(self.student)
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizers.set_scale(schedule(progress, flat=0.4))
        self.optimizers.step()
        self.optimizers.zero_grad()
        self.average.update(self.student.transformer)
        self.text_average.update(self.student.text)
        self.step += 1


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    if args.compile:
        # Every shape is fixed, so each of the few (batch, length) pairs gets its own fused kernels.
        block = transformer.Block
        block.forward = torch.compile(block.forward, dynamic=False)
    corpus, run = Corpus(args.work, args.model), Run(args)
    saved, recent = run.clock.spent(), []
    torch.manual_seed(args.seed + 1000 * run.step + parallel.rank())
    while (progress := parallel.agree(run.clock.progress())) < 1:
        rng = np.random.default_rng([args.seed, run.step, parallel.rank()])
        flow, layout = run.student.losses(corpus.batch(rng, parallel.share(args.batch)))
        run.update(flow + LAYOUT_WEIGHT * layout, progress)
        if parallel.rank() > 0:
            continue
        recent.append((flow.item(), layout.item()))
        if run.step % 50 == 0:
            mean, spent = np.mean(recent, axis=0), run.clock.spent()
            print(
                f"step {run.step} {spent:.0f}s flow {mean[0]:.4f} layout {mean[1]:.4f}", flush=True
            )
            recent.clear()
        if run.clock.spent() - saved > 60 * args.save_minutes:
            run.store()
            saved = run.clock.spent()
    if parallel.rank() == 0:
        run.store()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="where the tokenizer stands")
    parser.add_argument("--init-from", type=Path, help="a model directory to go on from")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=1.5e-3)
    parser.add_argument("--average", type=float, default=0.996)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument(
        "--compile", action="store_true", help="a quarter faster; needs a C++ compiler"
    )
    parser.add_argument("--processes", type=int, default=2)
    parallel.launch(train, parser.parse_args())


if __name__ == "__main__":
    main()
