"""The autoencoder: diffusers' AutoencoderKL, five levels, 256x256 pixels to 16x16x16 latents."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

CONFIG = {
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": [8, 16, 48, 96, 128],
    "down_block_types": ["DownEncoderBlock2D"] * 5,
    "up_block_types": ["UpDecoderBlock2D"] * 5,
    "layers_per_block": 1,
    "latent_channels": 16,
    "norm_num_groups": 2,
    "sample_size": 256,
    "act_fn": "silu",
    "mid_block_add_attention": True,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
    "scaling_factor": 1.0,
    "shift_factor": 0.0,
    "force_upcast": True,
}


def build(config: dict = CONFIG) -> AutoencoderKL:
    return AutoencoderKL.from_config(config).to(memory_format=torch.channels_last)


def encode_mean(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Images in -1..1 [B, 3, H, W] -> the mean of the raw latent [B, 16, H/16, W/16]."""
    return vae.encoder(images).chunk(2, dim=1)[0]


def to_input(pixels: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] -> float in -1..1 [B, 3, H, W], channels last."""
    return pixels.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def to_pixels(images: Tensor) -> Tensor:
    """Float [B, 3, H, W] -> uint8 [B, H, W, 3], rounding half to even."""
    return images.div(2).add(0.5).clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1)
