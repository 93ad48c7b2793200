"""Runs the reference pipeline on a request and writes what it computes.

    python reference.py SECTION REQUEST.json

Started by certify.ts once a section, so that a component's memory is free before the next one is
loaded. Every section writes OUT/SECTION.safetensors, all tensors in float32: that holds token ids
and bytes exactly, and the reading side needs no other type.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
import diffusers
import torch
import transformers
from diffusers import ZImagePipeline, ZImageTransformer2DModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from reference_loras import loaded_stack, merged_stack

Tensors = dict[str, Tensor]
PACKAGES = ("torch", "diffusers", "transformers", "tokenizers", "safetensors", "peft", "numpy")


def write(request: dict, section: str, tensors: Tensors) -> None:
    stored = {name: tensor.detach().float().contiguous() for name, tensor in tensors.items()}
    save_file(stored, str(Path(request["out"]) / f"{section}.safetensors"))


def encode_text(request: dict) -> Tensors:
    """Token ids and the rows that the transformer reads, by case, as the pipeline makes them."""
    pipe = ZImagePipeline.from_pretrained(
        request["model"], transformer=None, vae=None, dtype=torch.float32
    )
    tensors: Tensors = {}
    for case in request["cases"]:
        texts = {case["name"]: case["prompt"]}
        if "guidance" in case:
            texts[f"{case['name']}-negative"] = case["guidance"]["negativePrompt"]
        for name, text in texts.items():
            chat = pipe.tokenizer.apply_chat_template(
                [{"role": "user", "content": text}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=True,
            )
            tensors[f"{name}.ids"] = torch.tensor(pipe.tokenizer(chat).input_ids)
            states, _ = pipe.encode_prompt(text, do_classifier_free_guidance=False)
            tensors[f"{name}.states"] = states[0]
    return tensors


class Painter:
    """ZImagePipeline without its text encoder, recording what happens inside."""

    def __init__(self, request: dict):
        self.captions = load_file(str(Path(request["out"]) / "text.safetensors"))
        self.pipe = ZImagePipeline.from_pretrained(
            request["model"], text_encoder=None, tokenizer=None, dtype=torch.float32
        )
        self.pipe.set_progress_bar_config(disable=True)

    def paint(self, case: dict) -> Tensors:
        """Noise, each step's output and the latents after it, the decoder's picture, its pixels."""
        seen: Tensors = {}
        with self._recording(seen):
            picture = self.pipe(
                prompt_embeds=[self.captions[f"{case['name']}.states"]],
                **self._guidance(case),
                generator=torch.Generator().manual_seed(case["seed"]),
                width=case["width"],
                height=case["height"],
                num_inference_steps=case["steps"],
                callback_on_step_end=lambda pipe, step, time, values: seen.update(
                    {f"after-{step}": values["latents"][0].clone()}
                )
                or {},
            ).images[0]
        return seen | {"pixels": torch.from_numpy(np.array(picture))}

    def _guidance(self, case: dict) -> dict:
        if "guidance" not in case:
            return {"guidance_scale": 0.0}
        guidance = case["guidance"]
        return {
            "guidance_scale": guidance["scale"],
            "cfg_normalization": guidance["normalization"],
            "cfg_truncation": guidance["truncation"],
            "negative_prompt_embeds": [self.captions[f"{case['name']}-negative.states"]],
        }

    @contextmanager
    def _recording(self, seen: Tensors) -> Iterator[None]:
        def transformer_ran(module, inputs, output) -> None:
            step = sum(name.startswith("output-") for name in seen)
            if step == 0:
                seen["noise"] = inputs[0][0][:, 0].clone()
            seen[f"output-{step}"] = output[0][0][:, 0]

        def decoder_ran(module, inputs, output) -> None:
            seen["decoded"] = output[0]

        hooks = [
            self.pipe.transformer.register_forward_hook(transformer_ran),
            self.pipe.vae.decoder.register_forward_hook(decoder_ran),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def paint_cases(request: dict, painter: Painter) -> Tensors:
    return {
        f"{case['name']}.{name}": tensor
        for case in request["cases"]
        for name, tensor in painter.paint(case).items()
    }


def paint_stacks(request: dict, painter: Painter) -> Tensors:
    """Each stack twice: through diffusers' own loader, and merged into the weights by hand."""
    cases = {case["name"]: case for case in request["cases"]}
    tensors: Tensors = {}
    for index, stack in enumerate(request["stacks"]):
        for way, applied in (("loader", loaded_stack), ("merged", merged_stack)):
            with applied(painter.pipe, stack["uses"]):
                for name, tensor in painter.paint(cases[stack["case"]]).items():
                    tensors[f"{index}.{way}.{name}"] = tensor
    return tensors


def draw_noise(request: dict) -> Tensors:
    return {
        f"{seed}.{count}": torch.randn(count, generator=torch.Generator().manual_seed(seed))
        for seed, count in request["noise"]
    }


def write_block(request: dict) -> None:
    """Random weights for a transformer of the request's configuration, stored in bfloat16."""
    block = request["block"]
    generator = torch.Generator().manual_seed(block["seed"])
    model = ZImageTransformer2DModel(**block["config"]).to(torch.bfloat16)
    for name, param in model.named_parameters():
        values = torch.randn(param.shape, generator=generator)
        if name.endswith("pad_token"):
            values *= 0.5
        elif param.dim() == 1:
            is_norm = "norm" in name or name == "cap_embedder.0.weight"
            values = 1 + 0.1 * values if is_norm else 0.05 * values
        else:
            values /= param.shape[1] ** 0.5
        param.copy_(values)
    model.save_pretrained(block["transformer"])


def run_block(request: dict) -> Tensors:
    """That transformer on random inputs, which are written too."""
    block = request["block"]
    model = ZImageTransformer2DModel.from_pretrained(block["transformer"], dtype=torch.float32)
    generator = torch.Generator().manual_seed(block["seed"] + 1)
    tensors: Tensors = {}
    for index, sample in enumerate(block["samples"]):
        latent = torch.randn(16, sample["height"], sample["width"], generator=generator)
        caption = torch.randn(sample["rows"], model.config.cap_feat_dim, generator=generator)
        time = torch.tensor([sample["time"]])
        inputs = ([latent[:, None]], time, [caption])
        output = model(*inputs, return_dict=False)[0][0]
        tensors |= {f"{index}.latent": latent, f"{index}.caption": caption}
        tensors[f"{index}.output"] = output[:, 0]
    return tensors


def describe() -> dict:
    """Versions, and how many threads torch takes."""
    versions = {name: version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "threads": torch.get_num_threads(), **versions}


@torch.no_grad()
def main(section: str, path: str) -> None:
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    if section == "text":
        write(request, section, encode_text(request))
    elif section == "pictures":
        write(request, section, paint_cases(request, Painter(request)))
    elif section == "stacks":
        write(request, section, paint_stacks(request, Painter(request)))
    elif section == "weights":
        write_block(request)
    elif section == "block":
        write(request, section, run_block(request))
    elif section == "noise":
        write(request, section, draw_noise(request))
        (Path(request["out"]) / "versions.json").write_text(json.dumps(describe()))
    else:
        sys.exit(f"section {section} is not known")


if __name__ == "__main__":
    main(*sys.argv[1:])
