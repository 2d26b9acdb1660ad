"""What a machine lacks, told without torch."""

from __future__ import annotations

from importlib import metadata

import pytest

from modelsheet.service import missing_requirements
from modelsheet.service.missing_requirements import shortcomings


def on(monkeypatch: pytest.MonkeyPatch, torch: str | None, *programs: str) -> list[str]:
    """With this version of torch and these programs, all other packages being there."""

    def version(name: str) -> str:
        if name == "torch" and torch is None:
            raise metadata.PackageNotFoundError(name)
        return torch if name == "torch" and torch else "1.0"

    monkeypatch.setattr(missing_requirements.metadata, "version", version)
    monkeypatch.setattr(
        missing_requirements.shutil, "which", lambda name: name if name in programs else None
    )
    return shortcomings()


def test_a_missing_package_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = on(monkeypatch, None, "nvidia-smi")

    assert said == "torch: not installed on the backend's computer. Run ./install.sh."


def test_a_card_that_torch_cannot_use_is_worth_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = on(monkeypatch, "2.13.0+cpu", "nvidia-smi")

    assert "./install.sh --cuda" in said
    assert "GB" in said


@pytest.mark.parametrize(
    ("torch", "driver"), [("2.13.0+cu130", "nvidia-smi"), ("2.13", "rocminfo")]
)
def test_nothing_is_missing_with_a_card(
    monkeypatch: pytest.MonkeyPatch, torch: str, driver: str
) -> None:
    assert on(monkeypatch, torch, driver) == []


def test_without_a_card_large_models_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    (said,) = on(monkeypatch, "2.13.0+cpu")

    assert "no graphics card" in said
