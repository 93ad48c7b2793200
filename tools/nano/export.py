"""Writes the model in the released model's Hugging Face layout.

    python export.py --work WORK --model models/z-image-nano [--untrained]

The parts come from WORK/latents.pt, WORK/text.pt and WORK/transformer.pt (averaged weights); a part
without a checkpoint keeps the weights that stand in --model, or fresh ones.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import checkpoint
import text_encoder
import tokenizer
import transformer
import vae as autoencoder

SCHEDULER = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "num_train_timesteps": 1000,
    "shift": 3.0,
    "use_dynamic_shifting": False,
}
MODEL_INDEX = {
    "_class_name": "ZImagePipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "ZImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
SHARDS = 2


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def write_sharded(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Transformer weights in two files and an index, as the released model is stored."""
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    shards: list[dict[str, Tensor]] = [{} for _ in range(SHARDS)]
    filled = 0
    for name in sorted(tensors):
        shards[min(SHARDS - 1, filled * SHARDS // total)][name] = tensors[name]
        filled += tensors[name].numel() * tensors[name].element_size()
    weight_map = {}
    for index, shard in enumerate(shards):
        file = f"diffusion_pytorch_model-{index + 1:05}-of-{SHARDS:05}.safetensors"
        save_file(shard, str(folder / file), metadata={"format": "pt"})
        weight_map |= {name: file for name in shard}
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_json(folder / "diffusion_pytorch_model.safetensors.index.json", index)


def stored(tensors: dict[str, Tensor], dtype: torch.dtype, prefix: str = "") -> dict[str, Tensor]:
    return {prefix + name: t.detach().to(dtype).contiguous() for name, t in tensors.items()}


def write_transformer(folder: Path, tensors: dict[str, Tensor]) -> None:
    write_json(
        folder / "config.json", {"_class_name": "ZImageTransformer2DModel", **transformer.CONFIG}
    )
    write_sharded(folder, stored(tensors, torch.bfloat16))


def write_text_encoder(folder: Path, tensors: dict[str, Tensor]) -> None:
    config = text_encoder.CONFIG
    extra = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_window_layers": config["num_hidden_layers"],
        "rope_scaling": None,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
    }
    write_json(folder / "config.json", {**extra, **config})
    weights = stored(tensors, torch.bfloat16, prefix="model.")
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})


def write_vae(folder: Path, tensors: dict[str, Tensor], scaling: float, shift: float) -> None:
    config = {**autoencoder.CONFIG, "scaling_factor": scaling, "shift_factor": shift}
    write_json(folder / "config.json", {"_class_name": "AutoencoderKL", **config})
    path = folder / "diffusion_pytorch_model.safetensors"
    save_file(stored(tensors, torch.bfloat16), str(path), metadata={"format": "pt"})


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a component as fp32, whether stored in one file or in several."""
    tensors: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= load_file(str(file))
    return {name.removeprefix("model."): t.float() for name, t in tensors.items()}


def gather(work: Path, model: Path, untrained: bool) -> dict:
    """Weights of each part: from the checkpoint, else from the model, else fresh."""
    torch.manual_seed(0)
    parts = {
        "vae": autoencoder.build().state_dict(),
        "text_encoder": text_encoder.TextEncoder().state_dict(),
        "transformer": transformer.ZImageTransformer().state_dict(),
        "scaling": 1.0,
        "shift": 0.0,
    }
    if untrained:
        return parts
    for part in ("vae", "text_encoder", "transformer"):
        if (model / part).exists():
            parts[part] |= read_weights(model / part)
    if (model / "vae" / "config.json").exists():
        config = json.loads((model / "vae" / "config.json").read_text(encoding="utf-8"))
        parts["scaling"], parts["shift"] = config["scaling_factor"], config["shift_factor"]
    if state := checkpoint.load(work / "latents.pt"):
        parts["vae"] |= state["vae"]
        parts["scaling"], parts["shift"] = state["scaling"], state["shift"]
    if state := checkpoint.load(work / "decoder.pt"):
        averaged = state["average"]["weights"]
        parts["vae"] |= {f"decoder.{name}": weight for name, weight in averaged.items()}
    if state := checkpoint.load(work / "text.pt"):
        parts["text_encoder"] |= state["weights"]
    if state := checkpoint.load(work / "transformer.pt"):
        parts["transformer"] |= state["average"]["weights"]
        parts["text_encoder"] |= state["text_average"]["weights"]
    return parts


def export(work: Path, model: Path, untrained: bool = False) -> None:
    """Writes the whole layout beside the target, then moves its entries in place."""
    parts = gather(work, model, untrained)
    words = model / "tokenizer"
    words = tokenizer.load(words) if (words / "tokenizer.json").exists() else tokenizer.build()
    model.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=model.parent) as temporary:
        folder = Path(temporary)
        write_json(folder / "model_index.json", MODEL_INDEX)
        write_json(folder / "scheduler" / "scheduler_config.json", SCHEDULER)
        write_transformer(folder / "transformer", parts["transformer"])
        write_text_encoder(folder / "text_encoder", parts["text_encoder"])
        write_vae(folder / "vae", parts["vae"], parts["scaling"], parts["shift"])
        tokenizer.save(words, folder / "tokenizer")
        for file in folder.rglob("*.safetensors"):
            file.chmod(0o644)
        for entry in folder.iterdir():
            target = model / entry.name
            if target.is_dir():
                shutil.rmtree(target)
            entry.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--untrained", action="store_true", help="fresh weights in the final layout"
    )
    args = parser.parse_args()
    export(args.work, args.model, args.untrained)
    size = sum(f.stat().st_size for f in args.model.rglob("*") if f.is_file())
    print(f"{args.model}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
