"""Make the optimizer, schedule its learning rates, and save its state as tensors.

A restored state continues to the byte.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from prodigyopt import Prodigy

from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.training.adapter import TrainableAdapter

_WEIGHT_DECAY = 1e-2  # diffusers' scripts; next to nothing at these rates


def make_optimizer(
    adapter: TrainableAdapter, hyperparameters: Hyperparameters, *, is_recorded: bool = False
) -> torch.optim.Optimizer:
    """Make AdamW or Prodigy with one group per network, each with its own `peak_lr`; call
    `set_rates` before each step. `is_recorded`: for steps that are recorded and replayed.
    """
    denoiser = adapter.base.denoiser_name
    groups = [
        {"params": adapter.parameters(name), "peak_lr": _peak_rate(name, hyperparameters, denoiser)}
        for name in adapter.names
    ]
    if hyperparameters.optimizer == "adamw":
        device = adapter.base.device
        return torch.optim.AdamW(
            groups,
            # A recorded step reads its rate from a tensor.
            lr=torch.zeros((), device=device) if is_recorded else 0.0,
            weight_decay=_WEIGHT_DECAY,
            fused=True,
            capturable=is_recorded and device.type == "cuda",
        )
    # Flags: Mishchenko & Defazio's advice for diffusion. It prints where there is weight decay.
    prodigy: torch.optim.Optimizer = Prodigy(
        groups, lr=1.0, use_bias_correction=True, safeguard_warmup=True
    )
    return prodigy


def set_rates(
    optimizer: torch.optim.Optimizer, step: int, hyperparameters: Hyperparameters
) -> None:
    """Set each group's learning rate for this step, counted from 0."""
    for group in optimizer.param_groups:
        rate = group["peak_lr"] * rate_factor(step, hyperparameters)
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def rate_factor(step: int, hyperparameters: Hyperparameters) -> float:
    """Return the share of the peak rate at a step: linear warm-up, then a cosine down to
    `final_rate`.
    """
    if step < hyperparameters.warm_up_steps:
        return (step + 1) / hyperparameters.warm_up_steps
    length = max(1, hyperparameters.training_steps - hyperparameters.warm_up_steps)
    progress = (step - hyperparameters.warm_up_steps) / length
    least = hyperparameters.final_rate
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * progress))


def optimizer_tensors(optimizer: torch.optim.Optimizer, prefix: str) -> dict[str, torch.Tensor]:
    """Flatten an optimizer's state into named tensors; numbers become 0-d tensors."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}{index}.{name}": torch.as_tensor(value).detach().clone().contiguous()
        for index, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def optimizer_numbers(optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    """Return each group's own state as plain numbers: Prodigy's distances and step count."""
    return [
        {name: value for name, value in group.items() if name in _GROUP_STATE}
        for group in optimizer.param_groups
    ]


_GROUP_STATE = ("d", "d_max", "d_numerator", "d_denom", "d_hat", "k")


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, torch.Tensor],
    prefix: str,
    numbers: list[dict[str, Any]] | None = None,
) -> None:
    """Load the state that `optimizer_tensors` and `optimizer_numbers` took."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(prefix):
            index, name = key[len(prefix) :].split(".", 1)
            state.setdefault(int(index), {})[name] = _laid_out(value, parameters[int(index)])
    groups = optimizer.state_dict()["param_groups"]
    for group, found in zip(groups, numbers or [{}] * len(groups), strict=True):
        group |= found
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _peak_rate(name: str, hyperparameters: Hyperparameters, denoiser_name: str) -> float:
    """Return a network's peak learning rate. Prodigy estimates one distance for all groups, which
    therefore share a rate.
    """
    if name == denoiser_name or hyperparameters.optimizer == "prodigy":
        return hyperparameters.unet_learning_rate
    if name == "embedding":
        return hyperparameters.embedding_learning_rate
    return hyperparameters.text_encoder_learning_rate


def _laid_out(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Copy a state into its parameter's memory layout: fused optimizers walk raw memory."""
    if value.shape != like.shape:
        return value
    return torch.empty_like(like, dtype=value.dtype).copy_(value)
