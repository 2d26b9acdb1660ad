"""Record a training step of fixed shapes once and replay it: CUDA starts a graph's thousands of
kernels at once, where the host would start each by itself.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.training.batches import Batch

_logger = logging.getLogger(__name__)
_WARM_UP_STEPS = 3  # as PyTorch's notes on CUDA graphs have it: libraries choose their algorithms
_MOST_RECORDINGS = 2  # each keeps the memory of a step


@dataclass(frozen=True)
class StepInputs:
    """All tensors of a step: batches, the prior's prompts by the original text encoders, and all
    prompts by the tuned ones, or their tokens where those are trained.
    """

    batch: Batch
    prior: Batch | None
    original: PromptEmbeds | None
    tuned: PromptEmbeds | None
    tokens: tuple[torch.Tensor, ...]

    def tensors(self) -> Iterator[torch.Tensor]:
        for batch in (self.batch, self.prior):
            if batch is not None:
                yield from (batch.latents, batch.noise, batch.timesteps)
                if batch.mask is not None:
                    yield batch.mask
        for embeds in (self.original, self.tuned):
            if embeds is not None:
                yield embeds.hidden
                if embeds.pooled is not None:
                    yield embeds.pooled
        yield from self.tokens

    def cloned(self) -> StepInputs:
        return StepInputs(
            _cloned_batch(self.batch),
            None if self.prior is None else _cloned_batch(self.prior),
            None if self.original is None else _cloned_embeds(self.original),
            None if self.tuned is None else _cloned_embeds(self.tuned),
            tuple(ids.clone() for ids in self.tokens),
        )


@dataclass(frozen=True)
class StepConditioning:
    """Prompt embeddings of one step's own prompts, as `Conditioning` gives them."""

    base: BaseModel
    inputs: StepInputs

    def tuned(self, prompts: list[str]) -> PromptEmbeds:
        if self.inputs.tuned is not None:
            return self.inputs.tuned
        return self.base.encode_tokens(self.inputs.tokens)

    def original(self, prompts: list[str]) -> PromptEmbeds:
        assert self.inputs.original is not None
        return self.inputs.original


class Graphs(Protocol):
    """A device's way to record work."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do work that is going to be recorded."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record work without doing it, and return what does it."""


class CudaGraphs:
    """Graphs of the current CUDA device, as PyTorch's notes on them advise."""

    def warm_up(self, work: Callable[[], None]) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            work()
        return graph.replay


class StepRecorder:
    """Recordings of `step`, one for each combination of shapes.

    `step` takes inputs and returns losses as a tensor; it must not read numbers from the device.
    """

    def __init__(self, step: Callable[[StepInputs], torch.Tensor], graphs: Graphs) -> None:
        self._step, self._graphs = step, graphs
        self._warm_ups: Counter[tuple[torch.Size, ...]] = Counter()
        self._recordings: dict[tuple[torch.Size, ...], _Recording] = {}

    def run(self, inputs: StepInputs) -> torch.Tensor:
        """Take a step: the first of each shapes as they are, then by replay."""
        shapes = tuple(tensor.shape for tensor in inputs.tensors())
        recording = self._recordings.get(shapes)
        if recording is None:
            recording = _Recording(self._step, inputs.cloned())
            if self._warm_ups[shapes] < _WARM_UP_STEPS or len(self._recordings) >= _MOST_RECORDINGS:
                self._warm_ups[shapes] += 1
                self._graphs.warm_up(recording.work)
                return recording.losses
            recording.work = self._graphs.record(recording.work)
            self._recordings[shapes] = recording
            _logger.info("a training step was recorded")
        recording.fill(inputs)
        recording.work()
        return recording.losses


class _Recording:
    def __init__(self, step: Callable[[StepInputs], torch.Tensor], buffers: StepInputs) -> None:
        self._step, self._buffers = step, buffers
        self.losses = torch.zeros(0)
        self.work: Callable[[], None] = self._take_step

    def fill(self, inputs: StepInputs) -> None:
        for buffer, value in zip(self._buffers.tensors(), inputs.tensors(), strict=True):
            buffer.copy_(value)

    def _take_step(self) -> None:
        self.losses = self._step(self._buffers)


def _cloned_batch(batch: Batch) -> Batch:
    return Batch(
        batch.latents.clone(),
        batch.noise.clone(),
        batch.timesteps.clone(),
        batch.prompts,
        None if batch.mask is None else batch.mask.clone(),
    )


def _cloned_embeds(embeds: PromptEmbeds) -> PromptEmbeds:
    pooled = None if embeds.pooled is None else embeds.pooled.clone()
    return PromptEmbeds(embeds.hidden.clone(), pooled)
