"""Low-rank updates of the transformer's Linears, and the two dialects in which they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from transformer import ZImageTransformer

ATTENTION = ("attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0")
FEED_FORWARD = ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3")
MODULATION = ("adaLN_modulation.0",)


@dataclass(frozen=True)
class Recipe:
    """What of a layer gets an update and how it is written; the refiners are left alone."""

    kinds: tuple[str, ...]
    rank: int
    alpha: float
    dialect: str
    dtype: torch.dtype


# ai-toolkit trains all eight Linears of a layer and never stores alpha, which is then the rank;
# kohya's trainers for this family leave the modulation out and store alpha as a tensor.
RECIPES = {
    "blueprint": Recipe(
        ATTENTION + FEED_FORWARD + MODULATION, 12, 12.0, "ai-toolkit", torch.bfloat16
    ),
    "porthole": Recipe(ATTENTION + FEED_FORWARD, 16, 8.0, "kohya", torch.float16),
}


class LoraLinear(nn.Module):
    """A frozen Linear and its trained update: x W' + b + scale (x A') B'."""

    def __init__(self, base: nn.Linear, rank: int, scale: float):
        super().__init__()
        self.base, self.scale = base, scale
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features**0.5)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.scale * (x @ self.down.T @ self.up.T)


class Adapter(nn.Module):
    """All updates of one recipe, hung into a transformer; only these are trained."""

    def __init__(self, transformer: ZImageTransformer, recipe: Recipe):
        super().__init__()
        transformer.requires_grad_(False)
        self.names = [
            f"layers.{layer}.{kind}"
            for layer in range(len(transformer.layers))
            for kind in recipe.kinds
        ]
        self.downs, self.ups = nn.ParameterList(), nn.ParameterList()
        for name in self.names:
            parent, _, child = name.rpartition(".")
            module = transformer.get_submodule(parent)
            linear = LoraLinear(getattr(module, child), recipe.rank, recipe.alpha / recipe.rank)
            setattr(module, child, linear)
            self.downs.append(linear.down)
            self.ups.append(linear.up)

    def factors(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Module name to (down [rank, in], up [out, rank])."""
        return {
            name: (down.detach(), up.detach())
            for name, down, up in zip(self.names, self.downs, self.ups)
        }


def _ai_toolkit(factors: dict[str, tuple[Tensor, Tensor]], recipe: Recipe) -> dict[str, Tensor]:
    tensors = {}
    for name, (down, up) in factors.items():
        tensors[f"diffusion_model.{name}.lora_A.weight"] = down
        tensors[f"diffusion_model.{name}.lora_B.weight"] = up
    return tensors


def _kohya(factors: dict[str, tuple[Tensor, Tensor]], recipe: Recipe) -> dict[str, Tensor]:
    tensors = {}
    for name, (down, up) in factors.items():
        key = "lora_unet_" + name.replace(".", "_")
        tensors[f"{key}.lora_down.weight"] = down
        tensors[f"{key}.lora_up.weight"] = up
        tensors[f"{key}.alpha"] = torch.tensor(recipe.alpha)
    return tensors


def write(path: Path, factors: dict[str, tuple[Tensor, Tensor]], recipe: Recipe, word: str) -> None:
    """Writes the file that people would get from the trainer of that dialect."""
    tensors = (_kohya if recipe.dialect == "kohya" else _ai_toolkit)(factors, recipe)
    stored = {name: tensor.to(recipe.dtype).contiguous() for name, tensor in tensors.items()}
    metadata = {"format": "pt", "modelspec.title": path.stem, "modelspec.trigger_phrase": word}
    if recipe.dialect == "kohya":
        metadata |= {"ss_network_dim": str(recipe.rank), "ss_network_alpha": str(recipe.alpha)}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(stored, str(path), metadata=metadata)
    path.chmod(0o644)
