"""One subject learnt by two processes: as by one, and the same bytes whatever comes between."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load

from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.errors import InvalidRequest, WorkerCrashed
from modelsheet.jobs.protocol import Directive, JobSuspended
from modelsheet.subjects.store import ADAPTER
from modelsheet.worker.runner import Worker
from tests.diffusion.training.test_learning_session import Context, learn, learn_request

STEPS = 5


class Deadly(Context):
    """Ends the helper after a step, as a lack of memory does."""

    def directive(self) -> Directive:
        if self.said[-1].phase == "learning":
            for helper in helpers():
                helper.kill()
        return Directive.RUN


def helpers() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [
        child for child in children if "modelsheet.diffusion.training.multi_gpu" in child.cmdline()
    ]


def wish(context: Context, pictures: list[Image.Image], processes: int) -> LearnRequest:
    overrides = TrainingOverrides(
        training_steps=STEPS, batch=1, accumulation=2, processes=processes, pivotal=True
    )
    return learn_request(context, pictures, overrides=overrides)


def learnt(context: Context, request: LearnRequest, home: Path) -> bytes:
    subject = learn(Worker(home, torch.device("cpu")), context, request)
    return (context.store.folder(subject.id) / ADAPTER).read_bytes()


@pytest.fixture
def homes(data_dir: Path, tmp_path: Path) -> list[Path]:
    """Data folders with the same models and no subjects, whose identifiers would be taken."""
    found = [tmp_path / str(number) for number in range(3)]
    for home in found:
        home.mkdir()
        (home / "models").symlink_to(data_dir / "models", target_is_directory=True)
    return found


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_and_go_on_to_the_byte(
    homes: list[Path], pictures: list[Image.Image]
) -> None:
    alone, together = Context(homes[0], "a0"), Context(homes[1], "a0")
    one = learnt(alone, wish(alone, pictures, processes=1), homes[0])
    two = learnt(together, wish(together, pictures, processes=2), homes[1])
    worker = Worker(homes[2], torch.device("cpu"))
    paused = Context(homes[2], "a0", stop_at=2, directive="pause")
    with pytest.raises(JobSuspended):
        worker.run(wish(paused, pictures, processes=2), paused)
    assert not helpers()
    broken = Deadly(homes[2], "a0")
    with pytest.raises(WorkerCrashed, match="has ended"):
        worker.run(wish(broken, pictures, processes=2), broken)
    resumed = Context(homes[2], "a0")
    again = learnt(resumed, wish(resumed, pictures, processes=2), homes[2])

    assert [said.step for said in resumed.said if said.phase == "learning"] == [3, 4, 5]
    assert again == two
    close(load(one), load(two))
    losses = [[said.loss for said in each.said if said.loss] for each in (alone, together)]
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]))


def close(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], rtol=1e-4, atol=1e-6)


def test_batches_that_cannot_be_shared_evenly_are_refused() -> None:
    overrides = TrainingOverrides(processes=2, accumulation=3)

    with pytest.raises(InvalidRequest, match="Set `accumulation` to 2"):
        hyperparameters_for("sd15", "quick", overrides)
