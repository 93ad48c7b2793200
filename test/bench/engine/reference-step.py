"""Times one step of diffusers' transformer in bfloat16 at the released size; prints JSON."""
import json
import sys
import time

import torch
from diffusers import ZImageTransformer2DModel


def build(layers):
    with torch.device("meta"):
        model = ZImageTransformer2DModel(
            all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=3840,
            n_layers=layers, n_refiner_layers=2, n_heads=30, n_kv_heads=30, norm_eps=1e-5,
            qk_norm=True, cap_feat_dim=2560, rope_theta=256.0, t_scale=1000.0,
            axes_dims=[32, 48, 48], axes_lens=[1536, 512, 512],
        )
    model = model.to(torch.bfloat16).to_empty(device="cpu").eval()
    with torch.no_grad():
        pool = torch.randn(1 << 22, dtype=torch.bfloat16)
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
                continue
            # Copies of one pool: random numbers for 6 billion weights would take minutes.
            flat = weight.view(-1)
            for start in range(0, flat.numel(), pool.numel()):
                part = flat[start : start + pool.numel()]
                part.copy_(pool[: part.numel()])
            weight.mul_(weight.shape[-1] ** -0.5)
    return model


def main():
    threads, steps, layers = (int(value) for value in sys.argv[1:4])
    torch.set_num_threads(threads)
    model = build(layers)
    latent = torch.randn(16, 1, 32, 32, dtype=torch.bfloat16)
    caption = torch.randn(20, 2560, dtype=torch.bfloat16)
    seconds = []
    core_seconds = []
    with torch.no_grad():
        for _ in range(steps):
            start, cpu = time.perf_counter(), time.process_time()
            model([latent], torch.tensor([0.3], dtype=torch.bfloat16), [caption])
            seconds.append(round(time.perf_counter() - start, 3))
            core_seconds.append(round(time.process_time() - cpu, 3))
    print(json.dumps({"torch": torch.__version__, "seconds": seconds, "coreSeconds": core_seconds}))


main()
