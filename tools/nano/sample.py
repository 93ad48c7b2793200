"""Renders prompts with an exported model, through the lean training code.

    python sample.py --model models/z-image-nano --out sheet.png --columns 4 PROMPT [PROMPT ...]

Same noise, same sampler and same maths as diffusers' ZImagePipeline; only the batching is ours.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import text_encoder
import tokenizer
import transformer
import vae as autoencoder
from export import read_weights
from train_text import padded
from train_transformer import SHIFT

BATCH = 50


def sigmas(steps: int) -> list[float]:
    """The scheduler's noise levels from 1 down to 0, static shift applied."""
    u = [1 - k / steps for k in range(steps)]
    return [SHIFT * x / (1 + (SHIFT - 1) * x) for x in u] + [0.0]


class Model:
    """An exported model directory, loaded in fp32."""

    def __init__(self, folder: Path):
        self.words = tokenizer.load(folder / "tokenizer")
        self.pad = self.words.token_to_id("<|endoftext|>")
        self.text = text_encoder.TextEncoder()
        self.text.load_state_dict(read_weights(folder / "text_encoder"))
        self.transformer = transformer.ZImageTransformer()
        self.transformer.load_state_dict(read_weights(folder / "transformer"))
        self.vae = autoencoder.build()
        self.vae.load_state_dict(read_weights(folder / "vae"))
        config = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
        self.scaling, self.shift = config["scaling_factor"], config["shift_factor"]

    @torch.no_grad()
    def latents(self, prompts: list[str], seeds: list[int], steps: int) -> Tensor:
        """Denoised latents [B, 16, 16, 16] of prompts that share one caption bucket."""
        ids, lengths = padded(tokenizer.encode(self.words, prompts), self.pad)
        states = self.text(ids)
        noise = [
            torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        z, levels = torch.cat(noise), sigmas(steps)
        for now, after in zip(levels, levels[1:]):
            out = self.transformer(z, torch.full((len(z),), 1 - now), states, lengths)
            z = z - (after - now) * out
        return z

    @torch.no_grad()
    def render(self, prompts: list[str], seeds: list[int], steps: int = 8) -> np.ndarray:
        """Pictures uint8 [N, 256, 256, 3], grouped by caption bucket so that no pad is shared."""
        pictures = np.zeros((len(prompts), 256, 256, 3), np.uint8)
        counts = [-(-len(row) // 32) for row in tokenizer.encode(self.words, prompts)]
        for bucket in sorted(set(counts)):
            rows = [row for row, count in enumerate(counts) if count == bucket]
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                z = self.latents([prompts[r] for r in part], [seeds[r] for r in part], steps)
                image = self.vae.decoder(z / self.scaling + self.shift)
                pictures[part] = autoencoder.to_pixels(image).numpy()
        return pictures


def sheet(pictures: np.ndarray, columns: int, gap: int = 6) -> Image.Image:
    """Pictures side by side on white."""
    rows = -(-len(pictures) // columns)
    size = pictures.shape[1] + gap
    out = Image.new("RGB", (columns * size - gap, rows * size - gap), (255, 255, 255))
    for index, picture in enumerate(pictures):
        out.paste(Image.fromarray(picture), ((index % columns) * size, (index // columns) * size))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prompts", nargs="*")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--prompts-file", type=Path, help="one prompt a line; '#' starts a comment")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first prompt; the next ones count up"
    )
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--columns", type=int, default=4)
    args = parser.parse_args()
    prompts = args.prompts
    if args.prompts_file:
        lines = args.prompts_file.read_text(encoding="utf-8").splitlines()
        prompts = [line for line in lines if line and not line.startswith("#")]
    seeds = [args.seed + index for index in range(len(prompts))]
    pictures = Model(args.model).render(prompts, seeds, args.steps)
    sheet(pictures, args.columns).save(args.out, optimize=True)


if __name__ == "__main__":
    main()
