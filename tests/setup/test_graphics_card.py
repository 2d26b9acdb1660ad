"""Which PyTorch a computer's graphics card means."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelsheet_setup import graphics_card, torch_build
from modelsheet_setup.errors import SetupError
from modelsheet_setup.runner import Runner
from tests.setup.conftest import Computer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its programs are shell scripts")

CARDS = "GPU 0: NVIDIA GeForce RTX 4070 (UUID: GPU-1)\nGPU 1: NVIDIA T4 (UUID: GPU-2)"


def detect(computer: Computer, tmp_path: Path, system: str, machine: str, said: str) -> str:
    platform = computer(system, machine)
    if said:
        tool = tmp_path / "bin/nvidia-smi"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
        tool.chmod(0o755)
    driver = tmp_path / "none"
    runner = Runner(computer(), tmp_path / "log")  # the programs run on this system
    return graphics_card.detect(platform, runner, kernel_driver=driver).title


@pytest.mark.parametrize(
    ("system", "machine", "said", "title"),
    [
        ("linux", "x86_64", CARDS, "NVIDIA GeForce RTX 4070 (cuda)"),
        ("win32", "AMD64", CARDS, "NVIDIA GeForce RTX 4070 (cuda)"),
        ("linux", "x86_64", "No devices were found", "cpu"),
        ("linux", "x86_64", "", "cpu"),
        ("darwin", "arm64", "", "Apple (cpu)"),
        ("darwin", "x86_64", CARDS, "cpu"),
    ],
)
def test_card(
    computer: Computer, tmp_path: Path, system: str, machine: str, said: str, title: str
) -> None:
    assert detect(computer, tmp_path, system, machine, said) == title


def test_amds_driver_and_programs_mean_rocm(computer: Computer, tmp_path: Path) -> None:
    for name in ("kfd", "bin/rocminfo"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    platform = computer()

    found = graphics_card.detect(
        platform, Runner(platform, tmp_path / "log"), kernel_driver=tmp_path / "kfd"
    )

    assert found.accelerator == "rocm"


@pytest.mark.parametrize(
    ("build", "accelerator", "system", "fits"),
    [
        ("2.13.0+cpu", "cpu", "linux", True),
        ("2.13.0", "cpu", "linux", False),
        ("2.13.0", "cpu", "darwin", True),
        ("2.13.0", "cpu", "win32", True),
        ("2.13.0", "cuda", "linux", True),
        ("2.13.0+cu130", "cuda", "win32", True),
        ("2.13.0+cpu", "cuda", "linux", False),
        ("2.13.0+rocm7.1", "rocm", "linux", True),
        ("2.13.0", "rocm", "linux", False),
        (None, "cpu", "linux", False),
    ],
)
def test_builds(build: str | None, accelerator: str, system: str, fits: bool) -> None:
    assert torch_build.suits(build, accelerator, system) is fits


def test_windows_takes_cuda_from_pytorchs_index() -> None:
    def offer(options: object) -> str:
        return "2.13.0+cu130" if "cu130" in str(options) else "2.13.0+cpu"

    build = torch_build.choose("cuda", "win32", offer)

    assert build.version == "2.13.0+cu130"
    assert build.options == ("--extra-index-url", "https://download.pytorch.org/whl/cu130")


def test_no_build_for_the_card_is_a_sentence() -> None:
    with pytest.raises(SetupError, match=r"no PyTorch .* for cuda within reach"):
        torch_build.choose("cuda", "linux", lambda options: None)
