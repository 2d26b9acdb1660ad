"""Play a few rounds of kill -9.

`python -m tests.service.scenarios.kill_rounds` plays as many as one likes.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.service.scenarios.kill_rounds import play


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.timeout(1200)
def test_no_job_is_lost_or_doubled_whoever_is_killed(tmp_path: Path) -> None:
    game = play(tmp_path, rounds=5, seed=11, say=lambda line: None)

    assert game.kills.total() == 5
