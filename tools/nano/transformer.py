"""A lean Z-Image transformer for training: same maths and tensor names as the released model.

It handles batches whose captions share one padded length, which lets everything be dense;
`check.py` compares it with diffusers' ZImageTransformer2DModel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CONFIG = {
    "all_patch_size": [2],
    "all_f_patch_size": [1],
    "in_channels": 16,
    "dim": 192,
    "n_layers": 8,
    "n_refiner_layers": 1,
    "n_heads": 4,
    "n_kv_heads": 4,
    "norm_eps": 1e-5,
    "qk_norm": True,
    "cap_feat_dim": 128,
    "rope_theta": 256.0,
    "t_scale": 1000.0,
    "axes_dims": [16, 16, 16],
    "axes_lens": [1536, 512, 512],
}
SEQ_MULTIPLE = 32
TIME_FREQUENCIES = 256
TIME_HIDDEN = 1024


class RmsNorm(nn.Module):
    def __init__(self, size: int, eps: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary embedding of pairs (x[2i], x[2i+1]) of [B, L, heads, d]; tables [L, 1, d/2]."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim, bias=False)])
        self.norm_q = RmsNorm(dim // heads)
        self.norm_k = RmsNorm(dim // heads)

    def forward(self, x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
        split = (*x.shape[:2], self.heads, -1)
        q = rotate(self.norm_q(self.to_q(x).view(split)), *table).transpose(1, 2)
        k = rotate(self.norm_k(self.to_k(x).view(split)), *table).transpose(1, 2)
        v = self.to_v(x).view(split).transpose(1, 2)
        out = F.scaled_dot_product_attention(q, k, v)
        return self.to_out[0](out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        wide = int(dim / 3 * 8)
        self.w1 = nn.Linear(dim, wide, bias=False)
        self.w2 = nn.Linear(wide, dim, bias=False)
        self.w3 = nn.Linear(dim, wide, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Block(nn.Module):
    def __init__(self, config: dict, modulated: bool):
        super().__init__()
        dim, eps = config["dim"], config["norm_eps"]
        self.attention = Attention(dim, config["n_heads"])
        self.feed_forward = FeedForward(dim)
        self.attention_norm1, self.ffn_norm1 = RmsNorm(dim, eps), RmsNorm(dim, eps)
        self.attention_norm2, self.ffn_norm2 = RmsNorm(dim, eps), RmsNorm(dim, eps)
        self.modulated = modulated
        if modulated:
            self.adaLN_modulation = nn.ModuleList([nn.Linear(min(dim, 256), 4 * dim)])

    def forward(self, x: Tensor, table: tuple[Tensor, Tensor], time: Tensor | None) -> Tensor:
        if not self.modulated:
            x = x + self.attention_norm2(self.attention(self.attention_norm1(x), table))
            return x + self.ffn_norm2(self.feed_forward(self.ffn_norm1(x)))
        scales = self.adaLN_modulation[0](time)[:, None].chunk(4, dim=-1)
        scale1, gate1, scale2, gate2 = (
            1 + scales[0],
            scales[1].tanh(),
            1 + scales[2],
            scales[3].tanh(),
        )
        x = x + gate1 * self.attention_norm2(
            self.attention(self.attention_norm1(x) * scale1, table)
        )
        return x + gate2 * self.ffn_norm2(self.feed_forward(self.ffn_norm1(x) * scale2))


class TimeEmbedder(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(TIME_FREQUENCIES, TIME_HIDDEN), nn.SiLU(), nn.Linear(TIME_HIDDEN, size)
        )

    def forward(self, time: Tensor) -> Tensor:
        """Scaled times [B] -> [B, size]; cosines come first."""
        half = TIME_FREQUENCIES // 2
        frequency = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
        angle = time.float()[:, None] * frequency
        return self.mlp(torch.cat([angle.cos(), angle.sin()], dim=-1))


class FinalLayer(nn.Module):
    def __init__(self, dim: int, out: int):
        super().__init__()
        self.linear = nn.Linear(dim, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(min(dim, 256), dim))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale = 1 + self.adaLN_modulation(time)[:, None]
        return self.linear(F.layer_norm(x, x.shape[-1:], eps=1e-6) * scale)


def positions(caption: int, rows: int, cols: int, image_pads: int) -> Tensor:
    """Positions [image + pads + caption, 3]; the image's f is one after the caption's end."""
    grid = torch.cartesian_prod(torch.tensor([caption + 1]), torch.arange(rows), torch.arange(cols))
    words = torch.zeros(caption, 3, dtype=torch.long)
    words[:, 0] = 1 + torch.arange(caption)
    return torch.cat([grid, torch.zeros(image_pads, 3, dtype=torch.long), words])


def rope_table(where: Tensor, axes: list[int], theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [L, 1, head_dim / 2] of positions [L, 3]."""
    angles = []
    for axis, size in enumerate(axes):
        frequency = theta ** (-torch.arange(0, size, 2, dtype=torch.float64) / size)
        angles.append((where[:, axis, None] * frequency).float())
    angle = torch.cat(angles, dim=-1)[:, None]
    return angle.cos(), angle.sin()


class ZImageTransformer(nn.Module):
    """Latents [B, C, h, w], t [B] (0 noise, 1 clean), captions [B, Lp, cap_dim] -> x0 - noise.

    `Lp` is a multiple of 32; rows from `lengths` [B] on are replaced by the learned pad token.
    """

    def __init__(self, config: dict = CONFIG):
        super().__init__()
        self.config = config
        dim, time = config["dim"], min(config["dim"], 256)
        patch = config["all_patch_size"][0] ** 2 * config["in_channels"]
        self.all_x_embedder = nn.ModuleDict({"2-1": nn.Linear(patch, dim)})
        self.all_final_layer = nn.ModuleDict({"2-1": FinalLayer(dim, patch)})
        refiners = range(config["n_refiner_layers"])
        self.noise_refiner = nn.ModuleList(Block(config, True) for _ in refiners)
        self.context_refiner = nn.ModuleList(Block(config, False) for _ in refiners)
        self.layers = nn.ModuleList(Block(config, True) for _ in range(config["n_layers"]))
        self.t_embedder = TimeEmbedder(time)
        self.cap_embedder = nn.Sequential(
            RmsNorm(config["cap_feat_dim"], config["norm_eps"]),
            nn.Linear(config["cap_feat_dim"], dim),
        )
        self.x_pad_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self.cap_pad_token = nn.Parameter(torch.randn(1, dim) * 0.02)
        self._tables: dict[tuple, tuple[Tensor, Tensor]] = {}
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        """Small adaLN weights with open gates: blocks work from the first step on."""
        for name, param in self.named_parameters():
            if "adaLN_modulation" in name:
                param.zero_()
        for block in [*self.noise_refiner, *self.layers]:
            gates = block.adaLN_modulation[0].bias.view(4, -1)
            gates[1], gates[3] = 0.3, 0.3
        nn.init.normal_(self.all_final_layer["2-1"].linear.weight, std=0.01)

    def _table(self, *shape: int) -> tuple[Tensor, Tensor]:
        if shape not in self._tables:
            where = positions(*shape)
            self._tables[shape] = rope_table(
                where, self.config["axes_dims"], self.config["rope_theta"]
            )
        return self._tables[shape]

    def patchify(self, latents: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, N, 4 C], the channel fastest."""
        batch, channels, height, width = latents.shape
        x = latents.view(batch, channels, height // 2, 2, width // 2, 2)
        return x.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, 4 * channels)

    def unpatchify(self, tokens: Tensor, height: int, width: int) -> Tensor:
        x = tokens.view(len(tokens), height // 2, width // 2, 2, 2, -1)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(len(tokens), -1, height, width)

    def forward(
        self, latents: Tensor, t: Tensor, captions: Tensor, lengths: Tensor, middle: int = 0
    ) -> Tensor | tuple[Tensor, Tensor]:
        """With `middle` the image tokens after that many layers are returned too."""
        batch, _, height, width = latents.shape
        time = self.t_embedder(t * self.config["t_scale"])
        x = self.all_x_embedder["2-1"](self.patchify(latents))
        count = x.shape[1]
        pads = -count % SEQ_MULTIPLE
        if pads:
            x = torch.cat([x, self.x_pad_token.expand(batch, pads, -1)], dim=1)
        words = self.cap_embedder(captions)
        beyond = torch.arange(words.shape[1])[None] >= lengths[:, None]
        words = torch.where(beyond[..., None], self.cap_pad_token, words)

        cos, sin = self._table(words.shape[1], height // 2, width // 2, pads)
        for block in self.noise_refiner:
            x = block(x, (cos[: count + pads], sin[: count + pads]), time)
        for block in self.context_refiner:
            words = block(words, (cos[count + pads :], sin[count + pads :]), None)
        x = torch.cat([x, words], dim=1)
        hidden = None
        for index, block in enumerate(self.layers):
            x = block(x, (cos, sin), time)
            if index + 1 == middle:
                hidden = x[:, :count]
        out = self.unpatchify(self.all_final_layer["2-1"](x[:, :count], time), height, width)
        return (out, hidden) if middle else out
