"""The stub of Krita's API is for mypy only."""

from __future__ import annotations

from modelsheet.krita_setup import install
from tests.paths import ROOT


def test_stubs_are_not_installed_into_krita() -> None:
    own = [name for name in install.package_files() if not name.startswith("_vendor/")]

    assert (ROOT / "krita_plugin/typings/krita.pyi").is_file()
    assert [name for name in own if "typings" in name or name.endswith(".pyi")] == []
