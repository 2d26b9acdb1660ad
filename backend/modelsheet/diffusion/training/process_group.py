"""Data-parallel training over torch.distributed (gloo): each process runs a part of a step's
batches, and gradients are summed so that all processes take the same step.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from modelsheet.errors import WorkerCrashed
from modelsheet.operating_system import LOOPBACK_INTERFACE

_TIMEOUT = timedelta(minutes=30)  # the others wait while rank 0 validates or saves
_Item = TypeVar("_Item")


class ProcessGroup:
    """One rank of `processes` that train together; with one process nothing is communicated."""

    def __init__(self, rank: int = 0, processes: int = 1) -> None:
        self._rank, self._processes = rank, processes

    def shard(self, batches: Sequence[_Item]) -> Sequence[_Item]:
        """Return this rank's own batches of a step."""
        return batches[self._rank :: self._processes]

    def all_reduce(
        self, parameters: Sequence[torch.nn.Parameter], losses: tuple[float, float]
    ) -> tuple[float, float]:
        """Replace each gradient by the sum of all ranks', and return the sums of the losses.

        Raises WorkerCrashed when another process has ended.
        """
        if self._processes == 1:
            return losses
        found = torch.tensor([*losses, *(float(p.grad is not None) for p in parameters)])
        parts = [torch.zeros(p.numel()) if p.grad is None else _row(p.grad) for p in parameters]
        summed = torch.cat([found, *parts])
        with _raising_worker_crashed():
            dist.all_reduce(summed)
        found, *parts = summed.split([len(found), *(len(part) for part in parts)])
        instance, prior, *has = found.tolist()
        for parameter, part, is_there in zip(parameters, parts, has, strict=True):
            if is_there:
                # A fused optimizer walks raw memory: a gradient must lie as its parameter does.
                gradient = torch.empty_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = gradient.copy_(part.view(parameter.shape))
        return instance, prior

    def require_equal_state(self, step: int, tensors: Mapping[str, torch.Tensor]) -> None:
        """Compare all ranks' step and tensors by checksum. Raises WorkerCrashed if they differ."""
        if self._processes == 1:
            return
        own = torch.tensor([step, _checksum(tensors)])
        all_of_them = [torch.empty_like(own) for _ in range(self._processes)]
        with _raising_worker_crashed():
            dist.all_gather(all_of_them, own)
        if any(not torch.equal(own, other) for other in all_of_them):
            raise WorkerCrashed(
                "The processes that learn together did not begin from the same place. Learn in "
                "one process: leave `processes` out."
            )


@contextmanager
def joined_process_group(rank: int, processes: int, rendezvous: Path) -> Iterator[ProcessGroup]:
    """Join the process group that meets at the file `rendezvous`, new for each; leave it at the
    end. Raises WorkerCrashed.

    Gloo, also between GPUs: a few MB a step are quick by way of the CPU, and it notices at once
    when a process dies, where NCCL would wait. It listens on the loopback alone.
    """
    if LOOPBACK_INTERFACE is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", LOOPBACK_INTERFACE)
    with _raising_worker_crashed():
        dist.init_process_group(
            "gloo",
            init_method=rendezvous.as_uri(),
            rank=rank,
            world_size=processes,
            timeout=_TIMEOUT,
        )
    try:
        yield ProcessGroup(rank, processes)
    finally:
        dist.destroy_process_group()


@contextmanager
def _raising_worker_crashed() -> Iterator[None]:
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
