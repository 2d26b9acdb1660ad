"""Train in a process of its own, so many steps at a time as it is told, timed by `modelsheet bench
busy`.

`python -m modelsheet_benchmarks.speed.timed_steps BASE DATA_DIR PRIORITY`: PRIORITY is "worker" or
"normal". Each line of standard input is a number of steps; each line of standard output the seconds
that they took.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from pathlib import Path

import torch

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.cpu_threads import threads_for
from modelsheet.service.executors.environment import lower_priority
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.speed.sd15_step import drawn_picture
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session

_MOST_STEPS = 20_000


def serve_steps(base_model: str, data_dir: Path, *, is_worker: bool) -> None:
    """Prepare a training without likeness measurements, then take steps until the input ends."""
    base = load_base_model(base_model, data_dir, torch.device("cpu"))
    if is_worker:
        torch.set_num_threads(threads_for(base, torch.get_num_threads(), data_dir))
    picture = drawn_picture().resize((base.resolution, base.resolution))
    overrides = TrainingOverrides(training_steps=_MOST_STEPS)
    request = benchmark_request("human woman", [picture], base_model=base.id, overrides=overrides)
    with (
        tempfile.TemporaryDirectory() as folder,
        standalone_session(base, request, [picture], Path(folder)) as session,
    ):
        steps = session.trainer.steps()
        next(steps)  # the first one warms up
        print_line("ready")
        for line in sys.stdin:
            began = time.monotonic()
            for _ in itertools.islice(steps, int(line)):
                pass
            print_line(f"{time.monotonic() - began}")


if __name__ == "__main__":
    is_worker = sys.argv[3] == "worker"
    if is_worker:
        lower_priority()
    serve_steps(sys.argv[1], Path(sys.argv[2]), is_worker=is_worker)
