"""A short run of schemathesis; `python -m tests.service.scenarios.fuzz` runs a long one."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.scenarios.fuzz import fuzz
from tests.service.scenarios.live import LiveService


@pytest.mark.skipif(
    importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed"
)
@pytest.mark.timeout(1200)
def test_no_request_gets_an_answer_that_is_not_documented(
    live: Callable[..., LiveService], tmp_path: Path
) -> None:
    service = live()

    code, said = fuzz(service, tmp_path, cases=5, seed=1, phases="fuzzing,stateful")

    assert code == 0, said
    count = re.search(r"(\d+) generated", said)
    assert count is not None
    assert int(count[1]) > 100
    assert service.get("/v1/ping") == {"ok": True, "proof": ""}
