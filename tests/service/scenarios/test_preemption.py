"""A picture overtakes learning on the same base model, and learning does not notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.scenarios.preemption import learn


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_interrupted_adapter_is_the_undisturbed_one_to_the_byte(tmp_path: Path) -> None:
    calm = learn(tmp_path / "calm", 6, ())
    disturbed = learn(tmp_path / "disturbed", 6, (2,))

    assert len(disturbed.waits_s) == 1
    assert disturbed.adapter == calm.adapter
