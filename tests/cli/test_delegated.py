"""Commands of packages outside the wheel: benchmarks, queue simulation, training of models."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from modelsheet.cli import main
from modelsheet_benchmarks.__main__ import BENCHMARKS
from tests.paths import ROOT


@pytest.mark.parametrize("command", sorted(main.DELEGATED))
def test_a_checkout_has_the_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        main.main([command, "--help"])

    assert ending.value.code == 0
    assert f"usage: modelsheet {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", sorted(main.DELEGATED))
def test_a_wheel_says_in_a_sentence_where_the_command_lives(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)

    assert main.main([command, "--help"]) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"modelsheet: `modelsheet {command}` is not part of an installed")
    package = main.DELEGATED[command].partition(".")[0]
    assert f"backend/{package} of the source repository" in said.err


def test_the_product_package_alone_has_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "modelsheet").symlink_to(ROOT / "backend" / "modelsheet", target_is_directory=True)
    # -S: an editable install would put the whole checkout on the path; the libraries come back.
    libraries = [entry for entry in sys.path if entry.endswith("site-packages")]
    path = os.pathsep.join([str(tmp_path), *libraries])

    ended = subprocess.run(
        [sys.executable, "-S", "-m", "modelsheet", "bench", "speed"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "run it in a checkout" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("module", sorted(BENCHMARKS.values()))
def test_every_benchmark_is_there(module: str) -> None:
    assert callable(importlib.import_module(module).add_arguments)
