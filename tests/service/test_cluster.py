"""A short day on a Ray cluster; `python -m tests.service.cluster_rounds` has a longer one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.cluster_rounds import play


@pytest.mark.slow
def test_jobs_outlive_a_node_and_the_service(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'modelsheet[cluster]'")

    day = play(tmp_path, nodes=2, artists=3, paintings=8, say=lambda line: None)

    assert len(day.jobs) == 30
