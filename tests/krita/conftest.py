"""Homes in which Krita finds the plugin; without a real Krita every test here is skipped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.krita import harness

HERE = Path(__file__).parent
TOY = "tests.krita.toy_runner:make_runner"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = harness.why_not()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.krita)
            item.add_marker(pytest.mark.slow)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(1300))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


Play = Callable[..., harness.KritaRun]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Run steps in a fresh Krita: `play("road", runner=TOY, environment={...})`."""
    home = tmp_path / "home"

    def start(
        steps: str,
        *,
        runner: str = TOY,
        environment: dict[str, str] | None = None,
        timeout_s: float = 1200.0,
    ) -> harness.KritaRun:
        harness.make_home(home, runner)
        script = HERE / "steps" / f"{steps}.py"
        return harness.run(
            script, home, tmp_path / "out", environment=environment, timeout_s=timeout_s
        )

    yield start
    harness.stop_service(home / "modelsheet")
