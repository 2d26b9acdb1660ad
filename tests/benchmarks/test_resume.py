"""Learning that is killed goes on from its last checkpoint and ends with the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet_benchmarks.resume import ResumeTest, compare


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_process_s_learning_ends_with_the_same_bytes(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = ResumeTest("sd15", data_dir, "cat", steps=5, every=2)

    assert compare(test, kills=[3])

    assert "1 of 1 as undisturbed" in capsys.readouterr().out
