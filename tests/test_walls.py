"""Holds the walls between the rooms: who may import what, and what no one may call."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests import import_graph
from tests.paths import ROOT

BACKEND = ROOT / "backend"
PLUGIN = ROOT / "krita_plugin"

LEARNING = frozenset({"torch", "torchvision", "diffusers", "transformers", "peft", "accelerate"})
LEARNING_ROOMS = frozenset(
    {"modelsheet.diffusion", "modelsheet.worker.runner", "sprite_training.sprite32"}
)
SERVICE_ROOM = frozenset({"modelsheet.service"})
TORCH_FREE = frozenset(
    {"modelsheet.service", "modelsheet.subjects.store", "modelsheet.api.contract"}
)
KRITA_ROOMS = frozenset(
    f"modelsheet_krita.{room}" for room in ("docker", "document", "settings")
) | {"modelsheet_krita"}

FORBIDDEN_IMPORTS = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"})
FORBIDDEN_NAMES = frozenset({"eval", "exec", "__import__"})
FORBIDDEN_CALLS = frozenset(
    {"torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen"}
)
FORBIDDEN_KEYWORDS = frozenset({"allow_pickle", "shell", "trust_remote_code"})


@pytest.fixture(scope="module")
def backend() -> import_graph.Graph:
    return import_graph.read_graph(BACKEND, "modelsheet")


@pytest.fixture(scope="module")
def plugin() -> import_graph.Graph:
    graph = import_graph.read_graph(PLUGIN, "modelsheet_krita")
    assert "modelsheet_krita" in graph, "the walls of an empty tree hold nothing"
    return graph


def outside(modules: set[str], rooms: frozenset[str]) -> list[str]:
    return sorted(name for name in modules if not import_graph.is_within(name, rooms))


def test_only_the_learning_rooms_import_torch_and_its_company(backend: import_graph.Graph) -> None:
    assert outside(import_graph.importers(backend, LEARNING), LEARNING_ROOMS) == []


def test_only_the_service_imports_flask(backend: import_graph.Graph) -> None:
    servers = frozenset({"flask", "werkzeug", "waitress"})

    assert outside(import_graph.importers(backend, servers), SERVICE_ROOM) == []


def test_only_the_benchmarks_plots_need_matplotlib(backend: import_graph.Graph) -> None:
    drawing = import_graph.importers(backend, frozenset({"matplotlib"}))

    assert drawing == {"modelsheet_benchmarks.plots"}
    assert import_graph.importers(backend, frozenset(drawing)) == set(), (
        "it is imported when asked for"
    )


def test_service_subjects_and_contract_never_reach_torch(backend: import_graph.Graph) -> None:
    rooms = [name for name in backend if import_graph.is_within(name, TORCH_FREE)]

    assert {
        name: sorted(found)
        for name in rooms
        if (
            found := {
                t
                for t in import_graph.reached(backend, name)
                if import_graph.is_within(t, LEARNING)
            }
        )
    } == {}


def test_backend_has_no_import_cycle(backend: import_graph.Graph) -> None:
    assert import_graph.cycles(backend) == []


def test_plugin_has_no_import_cycle(plugin: import_graph.Graph) -> None:
    assert import_graph.cycles(plugin) == []


def test_only_the_border_rooms_of_the_plugin_import_krita(plugin: import_graph.Graph) -> None:
    assert import_graph.importers(plugin, frozenset({"krita"})) <= KRITA_ROOMS


def test_plugin_needs_nothing_but_python_qt_krita_and_its_own(plugin: import_graph.Graph) -> None:
    allowed = frozenset(sys.stdlib_module_names) | {"krita", "PyQt5", "PyQt6", "modelsheet_krita"}
    foreign = {
        t for targets in plugin.values() for t in targets if not import_graph.is_within(t, allowed)
    }

    # A checkout has no vendored copy yet: there the tests use the installed one.
    assert foreign <= {"requests"}


def test_plugin_and_backend_share_no_code(
    backend: import_graph.Graph, plugin: import_graph.Graph
) -> None:
    assert import_graph.importers(plugin, frozenset({"modelsheet"})) == set()
    assert import_graph.importers(backend, frozenset({"modelsheet_krita"})) == set()


def test_importing_every_torch_free_room_loads_no_torch(backend: import_graph.Graph) -> None:
    quiet = [
        name
        for name in outside(set(backend), LEARNING_ROOMS)
        if not name.endswith("__main__") and ".krita_plugin" not in name
    ]
    script = f"import importlib, sys\nfor n in {quiet!r}: importlib.import_module(n)\n"
    script += f"sys.exit(' '.join(sorted({set(LEARNING)!r} & set(sys.modules))) or 0)"

    run = subprocess.run(
        [sys.executable, "-c", script], cwd=BACKEND, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stderr) == (0, "")


def forbidden(tree: ast.Module) -> list[str]:
    """List what in `tree` could run code out of a file that somebody sent."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_NAMES | FORBIDDEN_CALLS:
                found.append(f"{node.lineno}: {called}")
            found += [
                f"{node.lineno}: {keyword.arg}=True"
                for keyword in node.keywords
                if keyword.arg in FORBIDDEN_KEYWORDS and ast.unparse(keyword.value) != "False"
            ]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            named = [
                f"{getattr(node, 'module', '')}.{alias.name}".strip(".") for alias in node.names
            ]
            found += [
                f"{node.lineno}: import {name}"
                for name in named
                if name in FORBIDDEN_CALLS or name.split(".")[0] in FORBIDDEN_IMPORTS
            ]
    return found


@pytest.mark.parametrize(
    ("root", "package"), [(BACKEND, "modelsheet"), (PLUGIN, "modelsheet_krita")]
)
def test_nothing_runs_code_out_of_a_file(root: Path, package: str) -> None:
    trees = import_graph.read_trees(root, package)

    assert {name: found for name, tree in trees.items() if (found := forbidden(tree))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "from torch import load",
        "def f(): import marshal",
        "torch.load(path)",
        "yaml.load(text)",
        "eval(text)",
        "numpy.load(path, allow_pickle=True)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_the_gate_sees(source: str) -> None:
    assert len(forbidden(ast.parse(source))) == 1


@pytest.mark.parametrize(
    "source", ["unet.eval()", "json.loads(text)", "import json", "run(shell=False)"]
)
def test_the_gate_lets_pass(source: str) -> None:
    assert forbidden(ast.parse(source)) == []


def write_package(root: Path, sources: dict[str, str]) -> import_graph.Graph:
    for name, source in sources.items():
        path = root / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return import_graph.read_graph(root, "house")


def test_the_reader_sees_imports_inside_functions_and_relative_ones(tmp_path: Path) -> None:
    graph = write_package(
        tmp_path,
        {
            "__init__.py": "",
            "hall.py": "def walk():\n    from .kitchen import stove\n    import torch.nn",
            "kitchen/__init__.py": "from . import stove",
            "kitchen/stove.py": "from ..hall import walk\nfrom house import cellar",
            "cellar.py": "",
        },
    )

    assert graph["house.hall"] == {"house.kitchen.stove", "torch.nn"}
    assert graph["house.kitchen"] == {"house.kitchen.stove"}
    assert graph["house.kitchen.stove"] == {"house.hall", "house.cellar"}
    assert import_graph.cycles(graph) == ["house.hall", "house.kitchen.stove"]
    assert import_graph.importers(graph, frozenset({"torch"})) == {"house.hall"}
    assert "torch.nn" in import_graph.reached(graph, "house.kitchen")


def test_the_reader_finds_no_cycle_where_there_is_none(tmp_path: Path) -> None:
    graph = write_package(
        tmp_path,
        {"__init__.py": "", "hall.py": "from house import cellar", "cellar.py": "import torches"},
    )

    assert import_graph.cycles(graph) == []
    assert import_graph.importers(graph, frozenset({"torch"})) == set()
