"""A .kra with an embedded subject is opened on another machine, whose backend imports it."""

from __future__ import annotations

from pathlib import Path

from tests.krita import harness
from tests.krita.conftest import TOY
from tests.krita.toy_runner import adapter
from tests.paths import KRITA_STEPS

STEPS = KRITA_STEPS / "embedded_subjects.py"
PATIENCE_S = 600.0


def run(tmp_path: Path, part: str) -> harness.KritaRun:
    """In a home, and with a backend, of its own."""
    home = tmp_path / part / "home"
    harness.make_home(home, TOY)
    environment = {"EMBEDDED_FILE": str(tmp_path / "hero.kra"), "EMBEDDED_PART": part}
    try:
        return harness.run(
            STEPS, home, tmp_path / part / "out", environment=environment, timeout_s=PATIENCE_S
        )
    finally:
        harness.stop_service(home / "modelsheet")


def test_a_document_brings_its_subject_to_another_machine(tmp_path: Path) -> None:
    here = run(tmp_path, "carry").report
    there = run(tmp_path, "bring").report

    size = len(adapter())
    assert here["cost"].startswith("@captain makes “")
    assert here["exported"] > size / 4  # half as precise
    assert here["saved"]
    assert here["bytes"] > size / 2  # Krita compresses it
    assert there["subjects before"] == 0
    assert there["offered"].startswith("This document brings @captain with it")
    assert there["subject"].startswith("Captain\n@captain · ")
    assert (there["id"], there["references"]) == (here["id"], 5)
