"""Processes that learn one subject together: each takes its share of a step's batches, and their
gradients are added up, so that all of them take the same step.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from modelsheet.errors import WorkerCrashed

_PATIENCE = timedelta(minutes=30)  # one waits for another that probes or saves
_LOOPBACK = {"linux": "lo", "darwin": "lo0"}
_Item = TypeVar("_Item")


class Company:
    """One of `processes` that learn together, the first being 0. Alone, nothing is shared."""

    def __init__(self, rank: int = 0, processes: int = 1) -> None:
        self._rank, self._processes = rank, processes

    def share(self, batches: Sequence[_Item]) -> Sequence[_Item]:
        """Which of a step's batches are this process' own."""
        return batches[self._rank :: self._processes]

    def add_up(
        self, parameters: Sequence[torch.nn.Parameter], losses: tuple[float, float]
    ) -> tuple[float, float]:
        """Replace each gradient by the sum of all processes', and return the sums of the losses.

        Raises WorkerCrashed: one of the others is gone.
        """
        if self._processes == 1:
            return losses
        found = torch.tensor([*losses, *(float(p.grad is not None) for p in parameters)])
        parts = [torch.zeros(p.numel()) if p.grad is None else _row(p.grad) for p in parameters]
        summed = torch.cat([found, *parts])
        with _others_needed():
            dist.all_reduce(summed)
        found, *parts = summed.split([len(found), *(len(part) for part in parts)])
        instance, prior, *has = found.tolist()
        for parameter, part, is_there in zip(parameters, parts, has, strict=True):
            if is_there:
                # A fused optimizer walks raw memory: a gradient must lie as its parameter does.
                gradient = torch.empty_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = gradient.copy_(part.view(parameter.shape))
        return instance, prior

    def require_alike(self, step: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Raises WorkerCrashed: the processes do not begin from the same place."""
        if self._processes == 1:
            return
        own = torch.tensor([step, _checksum(tensors)])
        all_of_them = [torch.empty_like(own) for _ in range(self._processes)]
        with _others_needed():
            dist.all_gather(all_of_them, own)
        if any(not torch.equal(own, other) for other in all_of_them):
            raise WorkerCrashed(
                "The processes that learn together did not begin from the same place. Learn in "
                "one process: leave `processes` out."
            )


@contextmanager
def company(rank: int, processes: int, meeting: Path) -> Iterator[Company]:
    """Meet the others at the file `meeting`, which is nobody's yet, and part at the end.

    Gloo, also between GPUs: a few MB a step are quick by way of the CPU, and it notices at once
    when a process dies, where NCCL would wait. It listens on the loopback alone.
    """
    if sys.platform in _LOOPBACK:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _LOOPBACK[sys.platform])
    with _others_needed():
        dist.init_process_group(
            "gloo",
            init_method=meeting.as_uri(),
            rank=rank,
            world_size=processes,
            timeout=_PATIENCE,
        )
    try:
        yield Company(rank, processes)
    finally:
        dist.destroy_process_group()


@contextmanager
def _others_needed() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise WorkerCrashed("one of the processes that learn together has ended") from error


def _row(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.detach().to("cpu", torch.float32).flatten()


def _checksum(tensors: Mapping[str, torch.Tensor]) -> int:
    checksum = 0
    for name in sorted(tensors):
        content = tensors[name].detach().cpu().contiguous().view(-1).view(torch.uint8)
        checksum = zlib.crc32(content.numpy().tobytes(), checksum)
    return checksum
