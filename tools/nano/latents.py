"""Encodes the training scenes once and measures the latent's scale.

    python latents.py --work WORK [--init-from MODEL]

The autoencoder is WORK/vae.pt, or that of a model directory. Writes WORK/latents.npy (float16, as
the transformer sees them) and WORK/latents.pt: the averaged autoencoder with its scaling_factor and
shift_factor, which export.py stores.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

import checkpoint
import parallel
import vae as autoencoder
from dataset import CELLS, load_split
from export import read_weights
from train_vae import LATENT_NOISE, decibels

BATCH = 32


def load_vae(work: Path, model: Path | None) -> AutoencoderKL:
    """Averaged weights, rounded to bf16 as they are stored: the latents are those of what ships."""
    vae = autoencoder.build()
    if model:
        vae.load_state_dict(read_weights(model / "vae"))
    else:
        state = checkpoint.load(work / "vae.pt")
        vae.load_state_dict(state["vae"] | state["average"]["weights"])
    return vae.to(torch.bfloat16).to(torch.float32)


def encode_all(vae: AutoencoderKL, images: np.ndarray, path: Path) -> np.ndarray:
    """Raw latent means of all images, float16 [N, 16, 16, 16]; every process does its batches."""
    shape = (len(images), autoencoder.CONFIG["latent_channels"], CELLS, CELLS)
    if parallel.rank() == 0:
        np.lib.format.open_memmap(path, "w+", np.float16, shape)
    parallel.wait()
    out = np.load(path, mmap_mode="r+")
    for start in range(BATCH * parallel.rank(), len(images), BATCH * parallel.world()):
        batch = torch.from_numpy(np.array(images[start : start + BATCH]))
        mean = autoencoder.encode_mean(vae, autoencoder.to_input(batch))
        out[start : start + BATCH] = mean.half().numpy()
    parallel.wait()
    return out


def fix_variance(weights: dict[str, Tensor], std: float) -> None:
    """States the fixed noise of training in the log-variance half of the encoder's output."""
    half = weights["encoder.conv_out.bias"].numel() // 2
    weights["encoder.conv_out.weight"][half:] = 0
    weights["encoder.conv_out.bias"][half:] = 2 * math.log(LATENT_NOISE * std)


@torch.no_grad()
def encode(args: argparse.Namespace) -> None:
    vae = load_vae(args.work, args.init_from)
    images = load_split(args.work, "train")[0][: args.count]
    latents = encode_all(vae, images, args.work / "latents.npy")
    if parallel.rank() > 0:
        return
    sample = latents[:: max(1, len(latents) // 4000)].astype(np.float32)
    shift, std = float(sample.mean()), float(sample.std())
    print(f"{len(latents)} latents, mean {shift:.4f} std {std:.4f}")
    print("channel means", np.round(sample.mean((0, 2, 3)), 2))
    print("channel stds", np.round(sample.std((0, 2, 3)), 2))
    for start in range(0, len(latents), 4000):
        part = latents[start : start + 4000].astype(np.float32)
        latents[start : start + 4000] = (part - shift) / std
    weights = vae.state_dict()
    fix_variance(weights, std)
    record = {"vae": weights, "scaling": round(1 / std, 6), "shift": round(shift, 6)}
    checkpoint.save(args.work / "latents.pt", record)
    print(f"held-out PSNR {decibels(vae, load_split(args.work, 'test')[0], 200):.2f} dB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--init-from", type=Path)
    parser.add_argument("--count", type=int, default=9_000, help="scenes to encode, from the first")
    parser.add_argument("--processes", type=int, default=2)
    parallel.launch(encode, parser.parse_args())


if __name__ == "__main__":
    main()
