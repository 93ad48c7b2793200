"""Sharpens the decoder for latents that stay as they are, so that the transformer need not change.

    python train_decoder.py --work WORK --minutes 15

Starts from WORK/latents.pt and reads WORK/latents.npy beside the drawn pictures; the encoder is not
run at all. Writes WORK/decoder.pt; run it again to go on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

import checkpoint
import parallel
import vae as autoencoder
from dataset import CELL, CELLS, load_split
from optim import Average, schedule
from train_vae import LATENT_NOISE, decibels, optimizers_for

WINDOW = 8
WINDOW_SHARE = 0.7
WINDOW_BATCH, FULL_BATCH = 8, 4
OBJECT_WEIGHT = 4.0


class Pairs:
    """Latents and the pictures they stand for."""

    def __init__(self, work: Path, scaling: float, shift: float):
        self.latents = np.load(work / "latents.npy", mmap_mode="r")
        self.images, cells, _ = load_split(work, "train")
        self.masks = np.minimum(cells[: len(self.latents)].astype(np.float32).sum(1) / 255, 1)
        self.scaling, self.shift = scaling, shift

    def batch(self, rng: np.random.Generator, full: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Raw latents [B, 16, n, n], pictures [B, 3, 16 n, 16 n], object weights [B, 1, n, n]."""
        size = CELLS if full else WINDOW
        latents, pictures, masks = [], [], []
        for index in rng.integers(len(self.latents), size=parallel.share(batch_size(full))):
            y, x = rng.integers(0, CELLS - size + 1, size=2)
            latents.append(self.latents[index, :, y : y + size, x : x + size])
            rows, cols = slice(y * CELL, (y + size) * CELL), slice(x * CELL, (x + size) * CELL)
            pictures.append(self.images[index, rows, cols])
            masks.append(self.masks[index, None, y : y + size, x : x + size])
        raw = torch.from_numpy(np.stack(latents)).float() / self.scaling + self.shift
        images = autoencoder.to_input(torch.from_numpy(np.stack(pictures)))
        return raw, images, 1 + OBJECT_WEIGHT * torch.from_numpy(np.stack(masks))


def weighted_loss(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 of pixels, edges and patches; objects count more, and patches hold their true colour."""
    fine = F.interpolate(weight, scale_factor=CELL)
    error = output - target
    edges = error.diff(dim=2).abs() * fine[:, :, 1:], error.diff(dim=3).abs() * fine[..., 1:]
    patches = F.avg_pool2d(error, 4).abs() * F.interpolate(weight, scale_factor=CELL // 4)
    total = (error.abs() * fine).mean() + edges[0].mean() + edges[1].mean() + 2 * patches.mean()
    return total / weight.mean()


def batch_size(full: bool) -> int:
    return FULL_BATCH if full else WINDOW_BATCH


def train(args: argparse.Namespace) -> None:
    start = checkpoint.load(args.work / "latents.pt")
    vae: AutoencoderKL = autoencoder.build()
    vae.load_state_dict(start["vae"])
    decoder, pairs = vae.decoder, Pairs(args.work, start["scaling"], start["shift"])
    optimizers = optimizers_for(decoder, args.muon_lr, args.adam_lr)
    average, step, spent = Average(decoder, 0.99), 0, 0.0
    path = args.work / "decoder.pt"
    if state := checkpoint.load(path):
        decoder.load_state_dict(state["decoder"])
        optimizers.load_state_dict(state["optimizers"])
        average.load_state_dict(state["average"])
        step, spent = state["step"], state["spent"]
    torch.manual_seed(args.seed + 1000 * step + parallel.rank())
    clock, saved = checkpoint.Clock(args.minutes, spent), spent

    def store() -> None:
        record = {"decoder": decoder.state_dict(), "optimizers": optimizers.state_dict()}
        record |= {"average": average.state_dict(), "step": step, "spent": clock.spent()}
        checkpoint.save(path, record)

    while (progress := parallel.agree(clock.progress())) < 1:
        optimizers.set_scale(schedule(progress, flat=0.2))
        rng = np.random.default_rng([args.seed, step, parallel.rank()])
        latents, pictures, weight = pairs.batch(rng, full=progress > WINDOW_SHARE)
        noise = LATENT_NOISE / pairs.scaling * torch.randn_like(latents)
        loss = weighted_loss(decoder(latents + noise), pictures, weight)
        loss.backward()
        parallel.average_gradients(decoder)
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 5.0)
        optimizers.step()
        optimizers.zero_grad()
        average.update(decoder)
        step += 1
        if parallel.rank() == 0 and step % 50 == 0:
            print(f"step {step} {clock.spent():.0f}s loss {loss.item():.4f}", flush=True)
        if parallel.rank() == 0 and clock.spent() - saved > 120:
            store()
            saved = clock.spent()
    if parallel.rank() == 0:
        store()
        decoder.load_state_dict(decoder.state_dict() | average.weights)
        print(f"held-out PSNR {decibels(vae, load_split(args.work, 'test')[0], 200):.2f} dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--muon-lr", type=float, default=0.01)
    parser.add_argument("--adam-lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--processes", type=int, default=2)
    parallel.launch(train, parser.parse_args())


if __name__ == "__main__":
    main()
