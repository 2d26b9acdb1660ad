"""Train the motion model: steps, average of the weights, checkpoints, cool-down, time budget."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from modelsheet.errors import Conflict, NotFound
from modelsheet.motion.network.model import MotionConfig, MotionModel
from modelsheet.motion.network.weights_file import read_weights, write_weights
from sprite_training.device import Accelerator
from sprite_training.motion.checkpoints import (
    WEIGHTS_NAME,
    checkpoint_folder,
    newest_state,
    read_state,
    write_state,
)
from sprite_training.motion.losses import Losses, motion_loss
from sprite_training.motion.training_data import MotionItems, RankBatches, batches
from sprite_training.motion.training_log import TrainingLog

_logger = logging.getLogger(__name__)
_AVERAGE_DECAY, _EARLY_STEPS = 0.9998, 4000
_WEIGHT_DECAY = 0.02
_STEPS_BETWEEN_BROADCASTS = 500


@dataclass(frozen=True)
class TrainingOptions:
    """Options of a training run: data, start, length and hyper-parameters."""

    archives: tuple[Path, ...]
    split: Path
    out: Path
    start: Path | None = None  # fp16 weights
    resume: bool = False
    config: MotionConfig = field(default_factory=MotionConfig)
    items: int = 3  # characters a step, of each rank
    targets: int = 4  # wanted poses of each character
    samples: int = 256  # pixels whose colour is trained, of each target
    learning_rate: float = 4e-4
    warm_up_steps: int = 200
    pictures: int | None = None  # stop after so many in all
    seconds: float | None = None
    cooldown: int | None = None  # pictures
    save_every_s: float = 600.0
    workers: int = 1
    ranks: int = 1
    threads: int = 1  # of each rank
    seed: int = 0

    @property
    def pictures_a_step(self) -> int:
        return self.items * self.targets * self.ranks


class MotionTrainer:
    """The training state of one rank; all ranks have the same weights, and rank 0 saves them.

    Raises Conflict when there is earlier work and no `resume`, or when that has cooled down;
    NotFound when there is nothing to resume.
    """

    def __init__(
        self, options: TrainingOptions, rank: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        torch.manual_seed(options.seed)
        torch.set_num_threads(options.threads)
        self.options, self.rank, self._clock = options, rank, clock
        self.accelerator = Accelerator.detect()
        # The number of drawings, and with it the encoder's batch, is another at each step.
        torch.backends.cudnn.benchmark = False
        self.pictures = self.steps = self.warm_up_step = 0
        self.cooldown: tuple[int, int] | None = None  # pictures at its start, its length
        self.is_stop_wanted = False
        self._is_stopped = False
        self._folder = checkpoint_folder(options.out)
        state = self._state()
        self.config, weights = options.config, None
        if state is not None:
            self.config = MotionConfig(**state["config"])
        elif options.start is not None:
            self.config, weights, _ = read_weights(options.start)
        self.model: MotionModel = self.accelerator.prepare(MotionModel(self.config))
        if weights is not None:
            self.model.load_state_dict(weights)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model), lr=0.0, betas=(0.9, 0.98), fused=True
        )
        self.average = {name: x.detach().clone() for name, x in self.model.state_dict().items()}
        if state is not None:
            self._restore(state)
        if rank:  # other pixels are sampled than at rank 0
            torch.manual_seed(options.seed + 1000 * rank + self.pictures)

    @property
    def is_finished(self) -> bool:
        limit = self.options.pictures
        is_enough = limit is not None and self.pictures >= limit
        return self._is_stopped or is_enough or self._is_cold

    @property
    def learning_rate(self) -> float:
        """Compute the rate of this step: warm-up, then constant; a cool-down is half a cosine."""
        factor = min(1.0, (self.warm_up_step + 1) / self.options.warm_up_steps)
        if self.cooldown is not None:
            start, length = self.cooldown
            done = min(1.0, (self.pictures - start) / length)
            factor *= 0.5 + 0.5 * math.cos(math.pi * done)
        return self.options.learning_rate * factor

    def run(self) -> None:
        """Train until the budget is spent, the cool-down has ended or a stop is wanted; save."""
        options = self.options
        items = MotionItems(options.archives, options.split, options.targets, options.seed)
        first = self.pictures // options.targets
        numbers = RankBatches(first, options.items, self.rank, options.ranks)
        self.run_on(iter(batches(items, numbers, options.workers)))

    def run_on(self, source: Iterator[dict[str, Tensor]]) -> None:
        """Train on the given batches."""
        log = TrainingLog()
        began = saved = self._clock()
        first = self.pictures
        while True:
            elapsed = self._clock() - began
            self._agree(elapsed, self.pictures - first)
            if self.is_finished:
                break
            losses = self.step(next(source))
            count = self.options.pictures_a_step
            log.add(losses, self.pictures, count, self.learning_rate)
            if self._clock() - saved >= self.options.save_every_s:
                self.save()
                saved = self._clock()
        self.save()
        _logger.info("stopped at %d pictures", self.pictures)

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """Train on one batch; every rank at once."""
        moved = {name: self.accelerator.move(value) for name, value in batch.items()}
        targets = moved.pop("targets")
        with self.accelerator.autocast():
            sources, prediction = self.model(**moved)
        chunk = 32 if self.accelerator.is_cuda else 1
        losses = motion_loss(sources, prediction, targets, self.options.samples, chunk)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(losses.total)
        if self.options.ranks > 1:
            self._share_gradients()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        if bool(norm.isfinite()):
            self.optimizer.step()
            self._follow()
        self.pictures += targets.shape[0] * targets.shape[1] * self.options.ranks
        self.steps += 1
        self.warm_up_step += 1
        return losses

    def save(self) -> None:
        """Write the state and the averaged weights; rank 0 alone does."""
        if self.rank:
            return
        state = {
            "config": self.config.to_dict(),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimiser": self.optimizer.state_dict(),
            "pictures": self.pictures,
            "steps": self.steps,
            "rate_step": self.warm_up_step,
            "cooldown": self.cooldown,
            "random": torch.get_rng_state(),
        }
        write_state(self._folder, self.pictures, state)
        write_weights(self._folder / WEIGHTS_NAME, self.average, self.config, self.pictures)

    @property
    def _is_cold(self) -> bool:
        return self.cooldown is not None and self.pictures >= sum(self.cooldown)

    def _state(self) -> dict[str, Any] | None:
        """Read the state to resume, where that is asked for."""
        newest = newest_state(self._folder)
        if self.options.resume and newest is None:
            raise NotFound(f"There is nothing to resume in {self._folder}.")
        if newest is not None and not self.options.resume:
            raise Conflict(
                f"There is earlier work in {self._folder}. Add --resume to go on with it, or name "
                "another --out."
            )
        return None if newest is None else read_state(newest)

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average = {name: self.accelerator.move(x) for name, x in state["average"].items()}
        self.optimizer.load_state_dict(state["optimiser"])
        self.pictures, self.steps = state["pictures"], state["steps"]
        self.warm_up_step, self.cooldown = state["rate_step"], state["cooldown"]
        torch.set_rng_state(state["random"])
        if self._is_cold:
            raise Conflict(
                f"The cool-down in {self._folder} has ended. Train on from its weights with --from "
                "and another --out."
            )

    def _agree(self, elapsed: float, done: int) -> None:
        """Decide before each step, for all ranks alike, whether to stop or to begin the cool-down.

        `elapsed` seconds of this run have passed, in which `done` pictures were seen.
        """
        is_due = self.options.seconds is not None and elapsed >= self.options.seconds
        wanted = [self.is_stop_wanted or is_due, self._is_cooldown_due(elapsed, done)]
        if self.options.ranks > 1:
            flags = torch.tensor(wanted, dtype=torch.uint8)
            dist.broadcast(flags, 0)
            wanted = [bool(flag) for flag in flags]
        self._is_stopped, begins = wanted
        if begins and self.cooldown is None and self.options.cooldown is not None:
            self.cooldown = (self.pictures, self.options.cooldown)

    def _is_cooldown_due(self, elapsed: float, done: int) -> bool:
        """Tell if a cool-down begun now would end, at the measured speed, with the seconds."""
        if self.options.cooldown is None:
            return False
        if self.options.seconds is None:
            return True
        left = self.options.seconds - elapsed
        return bool(done) and left * done <= self.options.cooldown * elapsed

    def _share_gradients(self) -> None:
        """Average the gradients over the ranks; now and then take rank 0's weights for all."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = (flat / self.options.ranks).split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        if self.steps % _STEPS_BETWEEN_BROADCASTS == 0:  # against drift
            for parameter in self.model.parameters():
                dist.broadcast(parameter.data, 0)

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average a little towards the weights, faster at the beginning."""
        decay = 1 - 1 / (1 + self.steps / 4) if self.steps < _EARLY_STEPS else _AVERAGE_DECAY
        current = self.model.state_dict()
        for name, value in self.average.items():
            value.lerp_(current[name], 1 - decay)


def parameter_groups(model: MotionModel) -> list[dict[str, Any]]:
    """Group parameters: no weight decay on biases, norms, positions and embeddings of views."""
    decayed: list[torch.nn.Parameter] = []
    kept: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_kept = parameter.ndim <= 1 or "view_of" in name or "position" in name
        (kept if is_kept else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": _WEIGHT_DECAY},
        {"params": kept, "weight_decay": 0.0},
    ]
