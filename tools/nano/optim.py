"""Muon for matrices, AdamW for the rest, a cosine schedule and an averaged copy of the weights."""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor, nn

import parallel


def orthogonalised(update: Tensor, steps: int = 5) -> Tensor:
    """Pushes the singular values of a stack of matrices [n, rows, cols] towards one.

    A quintic Newton-Schulz iteration; its coefficients trade exactness for speed, and an update
    direction needs no exactness.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = update.shape[1] > update.shape[2]
    x = update.mT if tall else update
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        gram = torch.bmm(x, x.mT)
        x = a * x + torch.bmm(b * gram + c * torch.bmm(gram, gram), x)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonalised matrix updates; matrices of one shape are handled together."""

    def __init__(self, params, lr: float = 0.02, momentum: float = 0.95, decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    by_shape[param.flatten(1).shape].append(param)
            for params in by_shape.values():
                self._step_stack(group, params)

    def _step_stack(self, group: dict, params: list[Tensor]) -> None:
        momentum = group["momentum"]
        updates = []
        for param in params:
            grad = param.grad.flatten(1)
            state = self.state[param]
            if "buffer" not in state:
                state["buffer"] = torch.zeros_like(grad)
            state["buffer"].lerp_(grad, 1 - momentum)
            updates.append(grad.lerp(state["buffer"], momentum))
        rows, cols = updates[0].shape
        scale = max(1.0, rows / cols) ** 0.5
        directions = parallel.split_work(torch.stack(updates), orthogonalised)
        for param, update in zip(params, directions):
            param.mul_(1 - group["lr"] * group["decay"])
            param.add_(update.reshape(param.shape), alpha=-group["lr"] * scale)


class Optimizers:
    """Muon on the hidden matrices and AdamW on the rest, under one schedule."""

    def __init__(self, matrices, others, muon_lr: float, adam_lr: float, decay: float = 0.0):
        self.parts = [
            Muon(matrices, lr=muon_lr, decay=decay),
            torch.optim.AdamW(others, lr=adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
        ]
        self.base = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def set_scale(self, scale: float) -> None:
        for part, rates in zip(self.parts, self.base):
            for group, rate in zip(part.param_groups, rates):
                group["lr"] = rate * scale

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states):
            part.load_state_dict(state)


def schedule(progress: float, warmup: float = 0.02, flat: float = 0.3) -> float:
    """Learning-rate factor at `progress` in 0..1: a short rise, a plateau, a cosine to zero."""
    if progress < warmup:
        return max(progress, 1e-3) / warmup
    if progress < flat:
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (progress - flat) / (1 - flat)))


class Average:
    """Exponential moving average of a module's weights, debiased while it is young."""

    def __init__(self, module: nn.Module, decay: float):
        self.decay, self.count = decay, 0
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.count += 1
        keep = min(self.decay, self.count / (self.count + 10))
        for name, param in module.named_parameters():
            self.weights[name].lerp_(param, 1 - keep)

    def state_dict(self) -> dict:
        return {"count": self.count, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]
        for name, weight in state["weights"].items():
            self.weights[name].copy_(weight)
