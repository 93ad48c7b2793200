"""The two ways in which the reference applies adapters: its own loader, and plain arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import ZImagePipeline
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import Tensor, nn

PREFIXES = ("diffusion_model.", "transformer.", "lora_unet_")
ENDS = {
    ".lora_A.weight": "down",
    ".lora_down.weight": "down",
    ".lora_B.weight": "up",
    ".lora_up.weight": "up",
    ".alpha": "alpha",
}


def read_parts(path: str, transformer: nn.Module) -> dict[str, dict[str, Tensor]]:
    """Module name to its tensors down [rank, in], up [out, rank] and, where stored, alpha."""
    by_spelling = {name.replace(".", "_"): name for name, _ in transformer.named_modules()}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load_file(path).items():
        end = next(end for end in ENDS if key.endswith(end))
        prefix = next(prefix for prefix in PREFIXES if key.startswith(prefix))
        spelling = key.removeprefix(prefix).removesuffix(end).replace(".", "_")
        parts.setdefault(by_spelling[spelling], {})[ENDS[end]] = tensor.float()
    return parts


@contextmanager
def merged_stack(pipe: ZImagePipeline, uses: list[dict]) -> Iterator[None]:
    """W + weight * alpha / rank * B A, summed over the stack; the weights come back afterwards."""
    kept: dict[str, Tensor] = {}
    for use in uses:
        for name, part in read_parts(use["path"], pipe.transformer).items():
            weight = pipe.transformer.get_submodule(name).weight
            kept.setdefault(name, weight.detach().clone())
            rank = len(part["down"])
            scale = use["weight"] * float(part.get("alpha", torch.tensor(rank))) / rank
            weight += (scale * part["up"] @ part["down"]).to(weight.dtype)
    try:
        yield
    finally:
        for name, weight in kept.items():
            pipe.transformer.get_submodule(name).weight.copy_(weight)


@contextmanager
def loaded_stack(pipe: ZImagePipeline, uses: list[dict]) -> Iterator[None]:
    """Through `load_lora_weights`, which may leave keys out silently: that would be an error."""
    names = [f"adapter{index}" for index in range(len(uses))]
    wanted = {}
    for name, use in zip(names, uses):
        path = Path(use["path"])
        wanted[name] = len(read_parts(use["path"], pipe.transformer))
        pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name=name)
    pipe.set_adapters(names, [use["weight"] for use in uses])
    for name, count in wanted.items():
        layers = [m for m in pipe.transformer.modules() if isinstance(m, BaseTunerLayer)]
        loaded = sum(name in layer.lora_A for layer in layers)
        if loaded != count:
            raise RuntimeError(f"diffusers loaded {loaded} of {count} modules of {use['path']}")
    try:
        yield
    finally:
        pipe.unload_lora_weights()
