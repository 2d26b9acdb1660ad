"""Run a short day on a Ray cluster.

`python -m tests.service.scenarios.cluster_rounds` has a longer one.
It starts a dozen processes that outgrow a small machine, so that it runs only where it is asked
for; what an executor promises is tested on Ray in any case (test_executors.py).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.service.scenarios.cluster_rounds import play


@pytest.mark.slow
@pytest.mark.skipif(
    "MODELSHEET_STUDIO" not in os.environ, reason="it takes minutes: MODELSHEET_STUDIO=1 runs it"
)
def test_jobs_outlive_a_node_and_the_service(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'modelsheet[cluster]'")

    day = play(tmp_path, nodes=2, artists=3, paintings=8, say=lambda line: None)

    assert len(day.jobs) == 30
