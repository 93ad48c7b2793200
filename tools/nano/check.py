"""Checks that the exported directory loads in diffusers and that our lean code computes the same.

python check.py --model models/z-image-nano
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import ZImagePipeline

import text_encoder
import tokenizer
import transformer
from export import read_weights

TOLERANCE = 1e-4
PROMPTS = ["a red house on the left in the snow at night", "A Castle, 42 héron 城堡, right", ""]


def check_tokenizer(model: Path, pipeline: ZImagePipeline) -> list[list[int]]:
    """The slow road through the chat template gives the ids that training used."""
    ours = tokenizer.encode(tokenizer.load(model / "tokenizer"), PROMPTS)
    for prompt, ids in zip(PROMPTS, ours):
        messages = [{"role": "user", "content": prompt}]
        text = pipeline.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=True
        )
        assert text == tokenizer.template(prompt), text
        assert pipeline.tokenizer(text).input_ids == ids, prompt
        assert pipeline.tokenizer.decode(ids) == text, prompt
    return ours


def check_text_encoder(model: Path, pipeline: ZImagePipeline, ids: list[list[int]]) -> float:
    lean = text_encoder.TextEncoder()
    lean.load_state_dict(read_weights(model / "text_encoder"))
    worst = 0.0
    for row in ids:
        batch = torch.tensor([row])
        theirs = pipeline.text_encoder(batch, output_hidden_states=True).hidden_states[-2]
        worst = max(worst, float((theirs - lean(batch)).abs().max()))
    return worst


def check_transformer(model: Path, pipeline: ZImagePipeline) -> float:
    """Shapes with and without image pads, captions of one and two buckets, several times."""
    lean = transformer.ZImageTransformer()
    lean.load_state_dict(read_weights(model / "transformer"))
    worst = 0.0
    for height, width, count, t in ((16, 16, 20, 0.0), (12, 20, 32, 0.3), (16, 16, 45, 0.7)):
        padded = -(-count // 32) * 32
        latent, words = torch.randn(1, 16, height, width), torch.randn(1, count, 128)
        time = torch.tensor([t])
        theirs = pipeline.transformer([latent[0][:, None]], time, [words[0]], return_dict=False)[0]
        full = torch.cat([words, torch.zeros(1, padded - count, 128)], dim=1)
        ours = lean(latent, time, full, torch.tensor([count]))
        worst = max(worst, float((theirs[0][:, 0] - ours[0]).abs().max()))
    return worst


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    args = parser.parse_args()
    torch.manual_seed(0)
    pipeline = ZImagePipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    ids = check_tokenizer(args.model, pipeline)
    print("tokenizer: same ids and text")
    for name, worst in (
        ("text encoder", check_text_encoder(args.model, pipeline, ids)),
        ("transformer", check_transformer(args.model, pipeline)),
    ):
        print(f"{name}: max abs difference {worst:.2e}")
        assert worst < TOLERANCE, f"{name} differs from the reference by {worst}"
    result = pipeline(PROMPTS[0], height=256, width=256, num_inference_steps=2, guidance_scale=0.0)
    print(f"pipeline: draws {result.images[0].size}")


if __name__ == "__main__":
    main()
