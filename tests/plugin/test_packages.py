"""Packages of the plugin import in one direction, and stubs for mypy do not travel to Krita."""

from __future__ import annotations

from modelsheet.krita_setup import install
from tests import import_graph
from tests.paths import ROOT

PACKAGE = "modelsheet_krita"
ALLOWED = {
    "app": {"controllers", "ui", "document", "backend"},
    "controllers": {"ui", "document", "backend"},
    "ui": {"backend"},
    "document": set(),
    "backend": set(),
}


def package_of(module: str) -> str:
    """Return the package below the plugin's root, empty for a module of the root."""
    parts = module.split(".")
    name = parts[1] if parts[0] == PACKAGE and len(parts) > 1 else ""
    return name if name in ALLOWED else ""


def test_packages_import_in_one_direction() -> None:
    graph = import_graph.read_graph(ROOT / "krita_plugin", PACKAGE)

    against = [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in targets
        if module != PACKAGE  # it starts the docker
        and package_of(target) not in {"", package_of(module)}
        and package_of(target) not in ALLOWED.get(package_of(module), set())
    ]

    assert against == []


def test_stubs_are_not_installed_into_krita() -> None:
    own = [name for name in install.package_files() if not name.startswith("_vendor/")]

    assert (ROOT / "krita_plugin/typings/krita.pyi").is_file()
    assert [name for name in own if "typings" in name or name.endswith(".pyi")] == []
