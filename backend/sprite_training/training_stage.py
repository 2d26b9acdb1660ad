"""Run one stage of a model's training: a loop within a time budget that resumes from its last
checkpoint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from modelsheet.diffusion.training.checkpoint import newest_checkpoint, write_checkpoint
from modelsheet.diffusion.training.optimizer import optimizer_tensors, restore_optimizer

_logger = logging.getLogger(__name__)
_CHECKPOINT_EVERY_S = 180.0
_LOG_EVERY_S = 30.0
_WARM_UP_STEPS = 100


@dataclass
class TrainingStage:
    """The modules to train, their learning rates and the time budget.

    `learning_rates` has one entry per module. The rate is constant for the first half of the budget
    and falls linearly to a hundredth over the second, by wall time, so that any budget ends
    annealed.
    """

    name: str
    folder: Path
    modules: Sequence[torch.nn.Module]
    learning_rates: Sequence[float]
    budget_s: float
    ema_decay: float = 0.0
    weight_decay: float = 0.01
    elapsed_s: float = 0.0
    step: int = 0
    averages: dict[str, torch.Tensor] = field(default_factory=dict)

    def run(self, loss_at: Callable[[int], torch.Tensor]) -> None:
        """Train until the budget is spent; afterwards the modules hold the averaged weights."""
        optimizer = self._optimizer()
        self._resume(optimizer)
        began, saved, logged, smooth = time.monotonic(), self.elapsed_s, self.elapsed_s, 0.0
        before = self.elapsed_s
        while self.elapsed_s < self.budget_s:
            loss = self._advance(optimizer, loss_at)
            smooth = loss if smooth == 0.0 else 0.98 * smooth + 0.02 * loss
            self.elapsed_s = before + time.monotonic() - began
            if self.elapsed_s - logged > _LOG_EVERY_S:
                logged = self.elapsed_s
                _logger.info(
                    "%s: step %d, %.0f of %.0f s, loss %.5f",
                    self.name,
                    self.step,
                    self.elapsed_s,
                    self.budget_s,
                    smooth,
                )
            if self.elapsed_s - saved > _CHECKPOINT_EVERY_S:
                saved = self.elapsed_s
                self._save(optimizer)
        self._save(optimizer)
        self._use_averages()

    def _optimizer(self) -> torch.optim.Optimizer:
        groups = [
            {"params": [p for p in module.parameters() if p.requires_grad], "base_lr": rate}
            for module, rate in zip(self.modules, self.learning_rates, strict=True)
        ]
        return torch.optim.AdamW(groups, lr=0.0, weight_decay=self.weight_decay, fused=True)

    def _advance(
        self, optimizer: torch.optim.Optimizer, loss_at: Callable[[int], torch.Tensor]
    ) -> float:
        left = 1.0 - self.elapsed_s / self.budget_s
        factor = min(1.0, (self.step + 1) / _WARM_UP_STEPS) * max(0.01, min(1.0, 2 * left))
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * factor
        loss = loss_at(self.step)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_((p for g in optimizer.param_groups for p in g["params"]), 1)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._average()
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        if not self.ema_decay:
            return
        decay = min(self.ema_decay, (1 + self.step) / (10 + self.step))
        live = self._weights()
        if not self.averages:
            self.averages = {name: value.clone() for name, value in live.items()}
        torch._foreach_lerp_(list(self.averages.values()), list(live.values()), 1 - decay)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            f"{index}.{name}": value.detach()
            for index, module in enumerate(self.modules)
            for name, value in module.named_parameters()
            if value.requires_grad
        }

    def _save(self, optimizer: torch.optim.Optimizer) -> None:
        tensors = {f"weights.{name}": value for name, value in self._weights().items()}
        tensors |= {f"averages.{name}": value for name, value in self.averages.items()}
        tensors |= optimizer_tensors(optimizer, "optimizer.")
        write_checkpoint(self.folder, self.step, tensors, {"elapsed_s": self.elapsed_s})

    @torch.no_grad()
    def _resume(self, optimizer: torch.optim.Optimizer) -> None:
        saved = newest_checkpoint(self.folder)
        if saved is None:
            return
        for name, value in self._weights().items():
            value.copy_(saved.tensors[f"weights.{name}"])
        if self.ema_decay:
            self.averages = {
                name: torch.empty_like(value).copy_(saved.tensors[f"averages.{name}"])
                for name, value in self._weights().items()
            }
        restore_optimizer(optimizer, saved.tensors, "optimizer.")
        self.step, self.elapsed_s = saved.step, float(saved.position["elapsed_s"])
        _logger.info("%s: resumed at step %d, %.0f s", self.name, self.step, self.elapsed_s)

    @torch.no_grad()
    def _use_averages(self) -> None:
        for name, value in self._weights().items():
            if name in self.averages:
                value.copy_(self.averages[name])
