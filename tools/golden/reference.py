"""Prints what diffusers computes for a golden case: the content of its expected file's `output`.

    python tools/golden/reference.py test/golden/pipeline-guidance.case.json

Needs the packages of tools/certify/requirements.txt. Reads cases of the components `transformer`
and `pipeline`; weights and inputs are the hash filler's, as in packages/zimage/test/hash-filler.ts.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ZImagePipeline,
    ZImageTransformer2DModel,
)

Tensor = torch.Tensor


def fill(name: str, count: int) -> np.ndarray:
    """-1 to 1 as float64 for each element of the tensor of this name."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (np.uint64(seed) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B9)).astype(
        np.uint32
    )
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x.astype(np.float64) / 2**31 - 1


def fill_input(spec: dict) -> Tensor:
    scale = spec.get("scale", np.sqrt(3))
    values = scale * fill(spec["name"], int(np.prod(spec["shape"])))
    return torch.from_numpy(values.astype(np.float32)).reshape(spec["shape"])


def fill_weight(name: str, shape: tuple[int, ...]) -> Tensor:
    u = fill(name, int(np.prod(shape)))
    if len(shape) == 1 and (
        ("norm" in name and name.endswith(".weight")) or name == "cap_embedder.0.weight"
    ):
        u = 1 + 0.1 * u
    elif name.endswith("pad_token"):
        u = 0.5 * u
    elif len(shape) == 1:
        u = 0.05 * u
    else:
        u = u * np.sqrt(3 / np.prod(shape[1:]))
    return torch.from_numpy(u.astype(np.float32)).reshape(shape)


def with_filled_weights(module: torch.nn.Module) -> torch.nn.Module:
    state = module.state_dict()
    filled = {name: fill_weight(name, tuple(value.shape)) for name, value in state.items()}
    module.load_state_dict(filled)
    return module.eval()


def describe(tensor: Tensor) -> dict:
    flat = tensor.reshape(-1).double()
    return {
        "shape": list(tensor.shape),
        "first4": flat[:4].tolist(),
        "last4": flat[-4:].tolist(),
        "sum": flat.sum().item(),
        "l2": flat.norm().item(),
    }


def run_transformer(case: dict) -> dict:
    transformer = with_filled_weights(ZImageTransformer2DModel(**case["config"]))
    outputs = []
    # One by one: a sample's result is its own, whatever stands beside it.
    for sample in case["samples"]:
        latent, caption = fill_input(sample["latent"]), fill_input(sample["caption"])
        time = torch.tensor([sample["t"]], dtype=torch.float32)
        output = transformer([latent], time, [caption], return_dict=False)[0][0]
        outputs.append(describe(output))
    return {"samples": outputs}


def run_pipeline(case: dict) -> dict:
    sampler = case["sampler"]
    constants = {"use_quant_conv": False, "use_post_quant_conv": False}
    levels = len(case["vae"]["block_out_channels"])
    blocks = {
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
    }
    pipe = ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=sampler["shift"]),
        vae=with_filled_weights(AutoencoderKL(**case["vae"], **constants, **blocks)),
        text_encoder=None,
        tokenizer=None,
        transformer=with_filled_weights(ZImageTransformer2DModel(**case["transformer"])),
    )
    pipe.set_progress_bar_config(disable=True)
    latents = fill_input(case["latents"])
    steps = []

    def record(_pipe: ZImagePipeline, _step: int, _time: Tensor, values: dict) -> dict:
        steps.append(values["latents"].double().norm().item())
        return values

    factor = 2 ** (levels - 1)
    call = {
        "height": latents.shape[2] * factor,
        "width": latents.shape[3] * factor,
        "num_inference_steps": sampler["steps"],
        "guidance_scale": sampler.get("guidance", 0.0),
        "cfg_normalization": sampler.get("cfg_normalization", 0.0),
        "cfg_truncation": sampler.get("cfg_truncation", 1.0),
        "prompt_embeds": [fill_input(spec) for spec in case["captions"]],
        "negative_prompt_embeds": [fill_input(spec) for spec in case.get("negatives", [])],
        "latents": latents,
        "output_type": "latent",
        "callback_on_step_end": record,
    }
    final = pipe(**call).images
    unscaled = final / pipe.vae.config.scaling_factor + pipe.vae.config.shift_factor
    image = (pipe.vae.decode(unscaled, return_dict=False)[0] * 0.5 + 0.5).clamp(0, 1)
    pixels = (image * 255).round().to(torch.uint8)
    return {
        "steps": steps,
        "latents": describe(final),
        "image": describe(image),
        "uint8Sum": int(pixels.long().sum()),
    }


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        case = json.load(file)
    runners = {"transformer": run_transformer, "pipeline": run_pipeline}
    with torch.no_grad():
        print(json.dumps(runners[case["component"]](case), indent=2))


if __name__ == "__main__":
    main()
