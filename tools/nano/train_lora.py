"""Trains a style LoRA of the small model on restyled scenes.

    python train_lora.py --work WORK --model MODEL --style blueprint --minutes 9

Restyles and encodes the drawn scenes of WORK/train once, then trains with the model frozen. Writes
WORK/lora-STYLE.pt and MODEL/loras/STYLE.safetensors; run it again to go on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import checkpoint
import lora
import parallel
import tokenizer
import vae as autoencoder
from captions import caption
from dataset import load_split
from optim import Average, schedule
from sample import Model
from scenes import Scene
from train_text import padded
from train_transformer import OBJECT_WEIGHT, draw_sigma
from styles import STYLES, Style

ENCODE_BATCH = 16
WORD_SHARE = 0.5
LONG_SHARE = 0.06


@torch.no_grad()
def encode_styled(model: Model, style: Style, images: np.ndarray) -> np.ndarray:
    """Latents of the restyled pictures as the transformer sees them, float16 [N, 16, 16, 16]."""
    parts = []
    for start in range(0, len(images), ENCODE_BATCH):
        plain = np.array(images[start : start + ENCODE_BATCH])
        raw = _encode(model, np.stack([style.draw(picture) for picture in plain]))
        if style.plain_cells is not None:
            kept = torch.from_numpy(style.plain_cells)
            raw = torch.where(kept, _encode(model, plain), raw)
        parts.append(((raw - model.shift) * model.scaling).half().numpy())
    return np.concatenate(parts)


def _encode(model: Model, pictures: np.ndarray) -> Tensor:
    return autoencoder.encode_mean(model.vae, autoencoder.to_input(torch.from_numpy(pictures)))


def styled_latents(args: argparse.Namespace, model: Model) -> np.ndarray:
    """The latents of all training scenes, made once by the processes together."""
    folder = args.work / f"latents-{args.style}"
    folder.mkdir(parents=True, exist_ok=True)
    images = load_split(args.work, "train")[0]
    chunks = list(range(0, len(images), 200))
    for start in chunks[parallel.rank() :: parallel.world()]:
        path = folder / f"{start}.npy"
        if not path.exists():
            part = encode_styled(model, STYLES[args.style], images[start : start + 200])
            np.save(path.with_suffix(".partial.npy"), part)
            path.with_suffix(".partial.npy").replace(path)
    parallel.wait()
    return np.concatenate([np.load(folder / f"{start}.npy") for start in chunks])


class Corpus:
    """Styled latents with the scenes' words; half of the captions begin with the style's word."""

    def __init__(self, args: argparse.Namespace, model: Model):
        self.model, self.word = model, STYLES[args.style].word
        self.latents = styled_latents(args, model)
        _, cells, self.scenes = load_split(args.work, "train")
        self.masks = np.minimum(cells.astype(np.float32).sum(1) / 255, 1)

    def words(self, rng: np.random.Generator, scenes: list[Scene]) -> tuple[Tensor, Tensor]:
        long = rng.random() < LONG_SHARE
        texts = [caption(rng, scene, long=long) for scene in scenes]
        named = [f"{self.word}, {t}" if rng.random() < WORD_SHARE else t for t in texts]
        return padded(tokenizer.encode(self.model.words, named), self.model.pad)

    def loss(self, rng: np.random.Generator, count: int) -> Tensor:
        """Flow loss of one batch, heavier on objects as in the model's own training."""
        rows = np.sort(rng.integers(len(self.scenes), size=count))
        clean = torch.from_numpy(self.latents[rows]).float()
        ids, lengths = self.words(rng, [self.scenes[row] for row in rows])
        sigma = draw_sigma(rng, count)[torch.from_numpy(rng.permutation(count))]
        noise, level = torch.randn_like(clean), sigma[:, None, None, None]
        with torch.no_grad():
            states = self.model.text(ids)
        noisy = (1 - level) * clean + level * noise
        out = self.model.transformer(noisy, 1 - sigma, states, lengths)
        weight = 1 + OBJECT_WEIGHT * torch.from_numpy(self.masks[rows])[:, None]
        return ((out - (clean - noise)).square() * weight).sum() / (weight.sum() * clean.shape[1])


class Run:
    """The state of a training run, stored and taken up again as one."""

    def __init__(self, args: argparse.Namespace, adapter: lora.Adapter):
        self.path = args.work / f"lora-{args.style}.pt"
        self.adapter, self.rate = adapter, args.rate
        self.optimizer = torch.optim.AdamW(adapter.parameters(), lr=args.rate, weight_decay=0.01)
        self.average = Average(adapter, args.average)
        self.step, spent = 0, 0.0
        if state := checkpoint.load(self.path):
            adapter.load_state_dict(state["adapter"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average.load_state_dict(state["average"])
            self.step, spent = state["step"], state["spent"]
        self.clock = checkpoint.Clock(args.minutes, spent)
        self.slice_end = spent + 60 * args.slice_minutes

    def store(self) -> None:
        record = {"step": self.step, "spent": self.clock.spent()}
        for part in ("adapter", "optimizer", "average"):
            record[part] = getattr(self, part).state_dict()
        checkpoint.save(self.path, record)

    def update(self, loss: Tensor, progress: float) -> None:
        loss.backward()
        parallel.average_gradients(self.adapter)
        torch.nn.utils.clip_grad_norm_(self.adapter.parameters(), 1.0)
        self.optimizer.param_groups[0]["lr"] = self.rate * schedule(progress, flat=0.4)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.adapter)
        self.step += 1


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    model, recipe = Model(args.model), lora.RECIPES[args.style]
    corpus = Corpus(args, model)
    run = Run(args, lora.Adapter(model.transformer, recipe))
    torch.manual_seed(args.seed + 1000 * run.step + parallel.rank())
    recent = []
    while (progress := parallel.agree(run.clock.progress())) < 1:
        if parallel.agree(run.clock.spent() - run.slice_end) > 0:
            break
        rng = np.random.default_rng([args.seed, run.step, parallel.rank()])
        loss = corpus.loss(rng, parallel.share(args.batch))
        run.update(loss, progress)
        recent.append(loss.item())
        if parallel.rank() == 0 and run.step % 25 == 0:
            spent = run.clock.spent()
            print(f"step {run.step} {spent:.0f}s flow {np.mean(recent):.4f}", flush=True)
            recent.clear()
            run.store()
    if parallel.rank() == 0:
        run.store()
        run.adapter.load_state_dict(run.average.weights)
        path = args.model / "loras" / f"{args.style}.safetensors"
        lora.write(path, run.adapter.factors(), recipe, STYLES[args.style].word)
        print(f"{path}: {path.stat().st_size} bytes after {run.step} steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--style", choices=STYLES, required=True)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument(
        "--slice-minutes", type=float, default=1e9, help="of this call, to share a machine"
    )
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--average", type=float, default=0.99)
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2)
    parallel.launch(train, parser.parse_args())


if __name__ == "__main__":
    main()
