"""Data-parallel training on CPU cores: one process and one thread each.

On a machine shared with other work this beats one process with several threads by far: processes
wait for each other once a step, threads at every single operation.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def _worker(index: int, train: Callable[[Namespace], None], args: Namespace, meeting: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=index, world_size=args.processes
    )
    train(args)
    dist.destroy_process_group()


def launch(train: Callable[[Namespace], None], args: Namespace) -> None:
    """Runs `train` in `args.processes` processes that can meet."""
    if args.processes == 1:
        train(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        mp.spawn(_worker, (train, args, meeting), nprocs=args.processes)


def share(count: int) -> int:
    """This process's part of a batch."""
    return count // world()


def average_gradients(module: nn.Module) -> None:
    """Replaces every gradient by its mean over the processes."""
    if world() == 1:
        return
    grads = [param.grad for param in module.parameters() if param.grad is not None]
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    dist.all_reduce(flat)
    flat /= world()
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads])):
        grad.copy_(part.view_as(grad))


def agree(value: float) -> float:
    """The first process's value, so that all take the same decision."""
    if world() == 1:
        return value
    agreed = torch.tensor([value], dtype=torch.float64)
    dist.broadcast(agreed, src=0)
    return float(agreed)


def wait() -> None:
    """Returns when all processes have come here."""
    if world() > 1:
        dist.barrier()


def split_work(stack: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies `work` to a stack [n, ...]; every process does a part and receives the others'."""
    if world() == 1 or len(stack) < world():
        return work(stack)
    each = -(-len(stack) // world())
    start = min(rank() * each, len(stack) - each)
    parts = [torch.empty_like(stack[:each]) for _ in range(world())]
    dist.all_gather(parts, work(stack[start : start + each]).contiguous())
    out = torch.empty_like(stack)
    for index, part in enumerate(parts):
        begin = min(index * each, len(stack) - each)
        out[begin : begin + each] = part
    return out
