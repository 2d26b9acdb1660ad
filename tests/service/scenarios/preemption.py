"""How soon a picture is begun while something is learnt, with the real worker and sprite32.

`python -m tests.service.scenarios.preemption --steps 60` learns twice, undisturbed and
interrupted by pictures, and says how long they waited and whether the two adapters are
the same bytes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import JobView
from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.base_models.locate import list_base_models
from modelsheet.imaging.rgba import to_bgra
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.service import Service
from modelsheet.worker.runner import Worker
from tests.service.event_pages import read_page
from tests.service.executors.inline_executor import InlineExecutor

_SIDE = 32  # px


@dataclass
class Learning:
    """What one run left: the adapter's bytes, the time of a step, the waits of the pictures."""

    adapter: bytes = b""
    step_s: float = 0.0
    waits_s: list[float] = field(default_factory=list)


def learn(home: Path, steps: int, pictures_at: tuple[int, ...]) -> Learning:
    """Learn a subject; at some steps ask for a picture and wait until it is begun."""
    learnt = Learning()
    with _serving(home) as service:
        job = service.jobs.submit(OPERATOR, _request(service, steps)).id
        moments: dict[int, float] = {}
        for moment in pictures_at:
            _follow(service, job, moments, lambda view, at=moment: view.progress.step >= at)
            learnt.waits_s.append(_wait_for_a_picture(service))
        _follow(service, job, moments, lambda view: view.state == "done")
        learnt.step_s = _step_time(moments)
        learnt.adapter = (home / "subjects" / job / "adapter.safetensors").read_bytes()
    return learnt


@contextmanager
def _serving(home: Path) -> Iterator[Service]:
    worker = Worker(home, torch.device("cpu"))
    service = Service(
        home,
        lambda on_report: InlineExecutor(home, worker, on_report),
        base_models=lambda: list_base_models(home),
    )
    service.start()
    try:
        yield service
    finally:
        service.stop()


def _request(service: Service, steps: int) -> LearnRequest:
    picture = Image.new("RGBA", (_SIDE, _SIDE))
    ImageDraw.Draw(picture).ellipse((6, 4, 24, 28), fill=(200, 60, 30, 255))
    blob = service.blobs.write(to_bgra(picture))
    return LearnRequest(
        name="Dot",
        class_noun="human woman",
        identifier="",
        preset="quick",
        images=[ImageRef(blob=blob, width=_SIDE, height=_SIDE)],
        overrides=TrainingOverrides(training_steps=steps, prior="none"),
    )


def _wait_for_a_picture(service: Service) -> float:
    """Return the seconds from asking for a picture to the end of its first step."""
    cursor = read_page(service.events).cursor
    began = time.monotonic()
    job = service.jobs.submit(OPERATOR, GenerateRequest(prompt="a human woman", inference_steps=4))
    view = job
    while not (view.progress.step >= 1 or view.state == "done"):
        assert view.state not in ("failed", "cancelled"), view.error
        cursor = read_page(service.events, cursor, 15.0, job.id).cursor
        view = service.jobs.get(OPERATOR, job.id)
    waited = time.monotonic() - began
    _follow(service, job.id, {}, lambda view: view.state == "done")
    return waited


def _follow(
    service: Service, job_id: str, moments: dict[int, float], is_met: Callable[[JobView], bool]
) -> None:
    """Follow a job until the condition is met; note when each step was first seen."""
    cursor = read_page(service.events).cursor
    view = service.jobs.get(OPERATOR, job_id)
    while not is_met(view):
        assert view.state not in ("failed", "cancelled"), view.error
        cursor = read_page(service.events, cursor, 15.0, job_id).cursor
        view = service.jobs.get(OPERATOR, job_id)
        moments.setdefault(view.progress.step, time.monotonic())


def _step_time(moments: dict[int, float]) -> float:
    """Return the mean time of a step; quick ones are reported together."""
    seen = sorted(step for step in moments if step)
    return (moments[seen[-1]] - moments[seen[0]]) / (seen[-1] - seen[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as home:
        calm = learn(Path(home) / "calm", steps, ())
        disturbed = learn(Path(home) / "disturbed", steps, (steps // 4, steps // 2))
    waits = ", ".join(f"{wait * 1000:.0f} ms" for wait in disturbed.waits_s)
    verdict = "the same bytes" if calm.adapter == disturbed.adapter else "DIFFERENT BYTES"
    print(  # noqa: T201
        f"a step of learning takes {calm.step_s * 1000:.0f} ms; pictures were begun after {waits} "
        f"(at most {max(disturbed.waits_s) / calm.step_s:.1f} steps); adapters: {verdict}"
    )


if __name__ == "__main__":
    main()
