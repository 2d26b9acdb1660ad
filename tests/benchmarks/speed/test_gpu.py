"""The benchmark for graphics cards, tried on the processor with a tiny model."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import InvalidRequest
from modelsheet_benchmarks.speed import gpu
from sprite_training.sprite32.tiles import TileSet
from tests.diffusion.tiny import write_sd15
from tests.sprite_training.archive import write_archive


def tiny_sd15(folder: Path) -> Callable[[torch.device], BaseModel]:
    tiles = TileSet.load(write_archive(folder / "tiles.zip"))
    write_sd15(folder / "models" / "sd15", tiles)
    return lambda device: load_base_model("sd15", folder, device)


def run(file: Path, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    gpu.add_arguments(parser)
    return gpu.run(parser.parse_args(["--json", str(file), *arguments]))


def test_every_figure_is_taken_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def remember(function: Callable[..., object], mode: str) -> Callable[..., object]:
        compiled.append(mode)
        return function

    monkeypatch.setattr(gpu, "BASES", {"sprite32": tiny_sd15(tmp_path)})
    monkeypatch.setattr(gpu, "_JOB_STEPS", 2)
    monkeypatch.setattr(gpu, "_PICTURE_STEPS", 2)
    monkeypatch.setattr(gpu, "_TIMED_STEPS", 2)
    monkeypatch.setattr(torch, "compile", remember)
    file = tmp_path / "gpu.json"

    assert run(file, "--device", "cpu") == 0

    found = json.loads(file.read_text())
    assert found["machine"]["device"] == "processor"
    assert list(found)[1:] == [
        "sprite32: load",
        "sprite32: step of 1",
        "sprite32: step of 2",
        "sprite32: step of 4",
        "sprite32: step of 8",
        "sprite32: step of 1, recorded",
        "sprite32: a step's kernels",
        "sprite32: picture",
        "sprite32: picture, compiled",
        "sprite32: step of 1, compiled",
        "sprite32: 2 steps in all",
    ]
    assert compiled == ["reduce-overhead"] * 2
    profile = found["sprite32: a step's kernels"]
    assert profile["kernels"] > 100
    assert profile["tflop"] > 0
    assert found["sprite32: picture"]["of_bare_pipeline"] > 0


def test_a_figure_that_fails_is_told_and_the_others_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: torch.device) -> BaseModel:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gpu, "BASES", {"sprite32": fail, "klein 512 px": tiny_sd15(tmp_path)})
    monkeypatch.setattr(gpu, "measurements_of", lambda base: {"name": lambda: {"id": base.id}})
    file = tmp_path / "gpu.json"

    assert run(file, "--device", "cpu") == 1

    found = json.loads(file.read_text())
    assert found["sprite32: load"] == {"error": "RuntimeError: out of memory"}
    assert found["klein 512 px: name"] == {"id": "sd15"}


def test_nothing_begins_when_time_is_up(tmp_path: Path) -> None:
    assert run(tmp_path / "gpu.json", "--device", "cpu", "--seconds", "0") == 0
    assert not (tmp_path / "gpu.json").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card")
def test_without_a_card_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no graphics card"):
        run(tmp_path / "gpu.json")
