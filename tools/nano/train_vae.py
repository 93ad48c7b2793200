"""Trains the autoencoder on the drawn scenes.

    python train_vae.py --work WORK --minutes 45 [--init-from MODEL]

First on crops, which shows more scenes per second, then on whole pictures, whose group statistics
are those of inference. Writes WORK/vae.pt; run it again to go on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import checkpoint
import parallel
import vae as autoencoder
from dataset import load_split
from optim import Average, Optimizers, schedule

CROP = 128
CROP_SHARE = 0.8
CROP_BATCH, FULL_BATCH = 8, 4
LATENT_NOISE = 0.1


def reconstruction_loss(output: Tensor, target: Tensor) -> Tensor:
    """L1 of pixels, of edges (for sharp outlines) and of a coarse view (for true colours)."""
    error = output - target
    edges = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    coarse = F.avg_pool2d(error, 8).abs().mean()
    return error.abs().mean() + edges + 0.5 * coarse


def latent_loss(mean: Tensor) -> Tensor:
    """Holds every channel near zero mean and small: the KL term of a fixed-variance posterior."""
    return mean.mean((0, 2, 3)).square().mean() + 0.1 * mean.square().mean()


def batch_of(images: np.ndarray, rng: np.random.Generator, full: bool) -> Tensor:
    count = parallel.share(FULL_BATCH if full else CROP_BATCH)
    pictures = []
    for index in rng.integers(len(images), size=count):
        if full:
            pictures.append(images[index])
            continue
        y, x = rng.integers(0, images.shape[1] - CROP + 1, size=2)
        pictures.append(images[index, y : y + CROP, x : x + CROP])
    batch = np.stack(pictures)
    if rng.random() < 0.5:
        batch = batch[:, :, ::-1]
    return autoencoder.to_input(torch.from_numpy(np.ascontiguousarray(batch)))


@torch.no_grad()
def decibels(vae, images: np.ndarray, count: int = 48) -> float:
    """Mean PSNR of whole held-out pictures."""
    values = []
    for start in range(0, count, 8):
        batch = torch.from_numpy(np.ascontiguousarray(images[start : start + 8]))
        out = vae.decoder(autoencoder.encode_mean(vae, autoencoder.to_input(batch)))
        error = (autoencoder.to_pixels(out).float() - batch.float()).square().mean((1, 2, 3))
        values.append(10 * torch.log10(255**2 / error))
    return float(torch.cat(values).mean())


def optimizers_for(vae, muon_lr: float, adam_lr: float) -> Optimizers:
    """Muon on inner convolutions and attention; AdamW on the ends, norms and biases."""
    matrices, others = [], []
    for name, param in vae.named_parameters():
        ends = "conv_in" in name or "conv_out" in name
        (others if param.dim() < 2 or ends else matrices).append(param)
    return Optimizers(matrices, others, muon_lr, adam_lr)


def train_step(vae, batch: Tensor) -> Tensor:
    mean = autoencoder.encode_mean(vae, batch)
    noise = LATENT_NOISE * mean.detach().std() * torch.randn_like(mean)
    return reconstruction_loss(vae.decoder(mean + noise), batch) + 1e-3 * latent_loss(mean)


def train(args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    images, _, _ = load_split(args.work, "train")
    held, _, _ = load_split(args.work, "test")
    vae = autoencoder.build()
    if args.init_from:
        vae.load_state_dict(type(vae).from_pretrained(args.init_from / "vae").state_dict())
    optimizers = optimizers_for(vae, args.muon_lr, args.adam_lr)
    average, step, spent = Average(vae, 0.995), 0, 0.0
    path = args.work / f"{args.name}.pt"
    if state := checkpoint.load(path):
        vae.load_state_dict(state["vae"])
        optimizers.load_state_dict(state["optimizers"])
        average.load_state_dict(state["average"])
        step, spent = state["step"], state["spent"]
    torch.manual_seed(args.seed + 1000 * step + parallel.rank())
    clock = checkpoint.Clock(args.minutes, spent)
    saved = spent

    def store() -> None:
        live = {name: p.detach().clone() for name, p in vae.named_parameters()}
        vae.load_state_dict(average.weights, strict=False)
        quality = decibels(vae, held)
        vae.load_state_dict(live, strict=False)
        print(f"step {step} spent {clock.spent():.0f}s psnr {quality:.2f} dB", flush=True)
        record = {"vae": vae.state_dict(), "optimizers": optimizers.state_dict()}
        record |= {"average": average.state_dict(), "step": step, "spent": clock.spent()}
        checkpoint.save(path, record)

    while (progress := parallel.agree(clock.progress())) < 1:
        optimizers.set_scale(schedule(progress, flat=0.4))
        rng = np.random.default_rng([args.seed, step, parallel.rank()])
        loss = train_step(vae, batch_of(images, rng, full=progress > CROP_SHARE))
        loss.backward()
        parallel.average_gradients(vae)
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 5.0)
        optimizers.step()
        optimizers.zero_grad()
        average.update(vae)
        step += 1
        if parallel.rank() > 0:
            continue
        if step % 50 == 0:
            print(f"step {step} {clock.spent():.0f}s loss {loss.item():.4f}", flush=True)
        if clock.spent() - saved > 60 * args.save_minutes:
            store()
            saved = clock.spent()
    if parallel.rank() == 0:
        store()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--init-from", type=Path)
    parser.add_argument("--name", default="vae")
    parser.add_argument("--muon-lr", type=float, default=0.02)
    parser.add_argument("--adam-lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parallel.launch(train, parser.parse_args())


if __name__ == "__main__":
    main()
