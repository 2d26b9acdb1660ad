"""Hold the walls between the packages: which may import which, and what nothing may call.

`pytest -s tests/test_walls.py` prints the graph of packages.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest

from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES
from tests import import_graph
from tests.paths import ROOT

BACKEND = ROOT / "backend"
PLUGIN = ROOT / "krita_plugin"
MAX_MODULES = 20  # in one folder
LARGER_FOLDERS = {"backend/modelsheet/diffusion/training": 22}

TORCH = frozenset({"torch", "torchvision", "diffusers", "transformers", "peft", "accelerate"})
WITH_TORCH = frozenset(
    f"modelsheet.{name}" for name in ("diffusion", "motion.network", "motion.animation", "worker")
)
WITH_FLASK = frozenset({"modelsheet.service.http"})
WITH_KRITA = frozenset(
    f"modelsheet_krita.{name}" for name in ("app.docker", "app.settings", "document.document")
) | {"modelsheet_krita"}
# They name Krita's classes in annotations alone.
WITH_KRITA_TYPES = frozenset({"modelsheet_krita.app", "modelsheet_krita.document"})

# What each package may import of the others; beside them all may import `modelsheet` itself (its
# version), `module_process`, `operating_system`, `errors` and `settings`. Lower packages stand
# first, and none imports a later one.
BASE = frozenset(
    f"modelsheet{name}"
    for name in ("", ".module_process", ".errors", ".settings", ".operating_system")
)
ALLOWED: Mapping[str, str] = {
    "connection_file": "",
    "api": "",
    "files": "api",
    "imaging": "api files",
    "base_models": "api files",
    "lora": "api files base_models",
    "subjects": "api files imaging base_models lora",
    "prompts": "api imaging base_models subjects",
    "jobs": "api imaging",
    "diffusion": "",
    "diffusion.kernels": "",
    "diffusion.models": "api files base_models",
    "diffusion.sampling": "api imaging diffusion.kernels diffusion.models",
    "diffusion.families": ("api files base_models lora prompts diffusion.kernels diffusion.models"),
    "diffusion.training": (
        "api imaging base_models prompts diffusion.kernels diffusion.models diffusion.sampling "
        "diffusion.families"
    ),
    "diffusion.generation": (
        "api imaging base_models prompts jobs diffusion.models diffusion.sampling"
    ),
    "motion.figures": "api imaging",
    "motion.network": "files motion.figures",
    "motion": "api imaging motion.figures motion.network",
    "worker": (
        "api files imaging base_models subjects prompts jobs diffusion.models diffusion.sampling "
        "diffusion.families diffusion.training diffusion.generation motion.figures motion.network "
        "motion"
    ),
    "service.auth": "api",
    "service.storage": "",
    "service.queue": (
        "api imaging base_models subjects prompts motion.figures service.auth service.storage"
    ),
    "service.executors": (
        "api files base_models subjects prompts jobs service.storage service.queue"
    ),
    "service.scheduling": "api jobs service.storage service.queue service.executors",
    "service": (
        "api base_models lora subjects prompts motion.figures service.auth service.storage "
        "service.queue service.executors service.scheduling"
    ),
    "service.http": (
        "connection_file api base_models subjects service.auth service.queue service.executors "
        "service.scheduling service"
    ),
    "client": "connection_file api imaging",
    "krita_setup": "",
    "diagnostics": (
        "connection_file api base_models subjects service.auth service.queue service client "
        "krita_setup"
    ),
    "cli": (
        "api files imaging base_models subjects prompts service.executors service.http client "
        "krita_setup diagnostics"
    ),
}
PLUGIN_ALLOWED: Mapping[str, str] = {
    "backend": "",
    "document": "",
    "ui": "backend",
    "results": "backend document ui",
    "controllers": "backend document ui results",
    "animation": "backend document ui results controllers",
    "app": "backend document ui results controllers animation",
}

FORBIDDEN_IMPORTS = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"})
FORBIDDEN_NAMES = frozenset({"eval", "exec", "__import__"})
FORBIDDEN_CALLS = frozenset(
    {"torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "os.system", "os.popen"}
)
# Readers of strangers' files, each with limits, and what only they may call.
READERS: Mapping[str, frozenset[str]] = {
    "Image.open": frozenset({"modelsheet.imaging.rgba"}),
    "ElementTree.XMLParser": frozenset({"modelsheet.files.xml_tree"}),
    # To write an archive is nobody's danger: what these three open is new.
    "zipfile.ZipFile": frozenset(
        f"modelsheet.{name}"
        for name in (
            "files.zip_archive",
            "diagnostics.bundle",
            "imaging.openraster",
            "krita_setup.install",
            "subjects.archive",
        )
    ),
    **dict.fromkeys(
        ("ElementTree.fromstring", "ElementTree.parse", "ElementTree.iterparse"), frozenset()
    ),
    **dict.fromkeys(("shutil.unpack_archive", "tarfile.open"), frozenset()),
}
FORBIDDEN_KEYWORDS = frozenset({"allow_pickle", "shell", "trust_remote_code"})


@pytest.fixture(scope="module")
def backend() -> import_graph.Graph:
    return import_graph.read_graph(BACKEND, "modelsheet")


@pytest.fixture(scope="module")
def benchmarks() -> import_graph.Graph:
    return import_graph.read_graph(BACKEND, "modelsheet_benchmarks")


@pytest.fixture(scope="module")
def sprite_training() -> import_graph.Graph:
    return import_graph.read_graph(BACKEND, "sprite_training")


@pytest.fixture(scope="module")
def plugin() -> import_graph.Graph:
    graph = import_graph.read_graph(PLUGIN, "modelsheet_krita")
    assert "modelsheet_krita" in graph, "the walls of an empty tree hold nothing"
    return graph


@pytest.fixture(scope="module")
def setup() -> import_graph.Graph:
    return import_graph.read_graph(BACKEND, "modelsheet_setup")


def outside(modules: set[str], packages: frozenset[str]) -> list[str]:
    return sorted(name for name in modules if not import_graph.is_within(name, packages))


def test_packages_import_only_what_the_table_allows(backend: import_graph.Graph) -> None:
    packages = import_graph.packages(backend, 2)
    print(*(f"{name}: {' '.join(sorted(targets))}" for name, targets in packages.items()), sep="\n")
    allowed = {
        f"modelsheet.{name}": {f"modelsheet.{target}" for target in targets.split()}
        for name, targets in ALLOWED.items()
    }
    files = {"modelsheet", "modelsheet.__main__", *BASE}

    assert set(packages) - files == set(allowed)
    assert {
        name: sorted(found)
        for name, targets in packages.items()
        if name not in files and (found := targets - allowed[name] - BASE)
    } == {}


def test_the_table_is_in_order() -> None:
    names = list(ALLOWED)

    assert {
        name: late
        for place, name in enumerate(names)
        if (late := set(ALLOWED[name].split()) - set(names[:place]))
    } == {}


def test_the_plugins_packages_import_only_what_the_table_allows(
    plugin: import_graph.Graph,
) -> None:
    packages = import_graph.packages(plugin, 1)
    named = {f"modelsheet_krita.{name}" for name in PLUGIN_ALLOWED}
    print(*(f"{name}: {' '.join(sorted(packages[name]))}" for name in sorted(named)), sep="\n")

    assert {
        name: sorted(found)
        for name, targets in PLUGIN_ALLOWED.items()
        if (
            found := packages[f"modelsheet_krita.{name}"]
            & named - {f"modelsheet_krita.{target}" for target in targets.split()}
        )
    } == {}


def test_generation_and_training_know_nothing_of_each_other(backend: import_graph.Graph) -> None:
    packages = import_graph.packages(backend, 2)

    assert "modelsheet.diffusion.training" not in packages["modelsheet.diffusion.generation"]
    assert "modelsheet.diffusion.generation" not in packages["modelsheet.diffusion.training"]


def test_the_product_imports_neither_benchmarks_nor_training_of_base_models(
    backend: import_graph.Graph,
) -> None:
    apart = frozenset({"modelsheet_benchmarks", "sprite_training"})

    assert import_graph.importers(backend, apart) == set()


def test_only_diffusion_motion_and_worker_import_torch(backend: import_graph.Graph) -> None:
    assert outside(import_graph.importers(backend, TORCH), WITH_TORCH) == []


def test_who_learns_paints_and_serves_knows_no_family_by_name() -> None:
    blind = (
        *("diffusion.training", "diffusion.generation", "diffusion.sampling", "diffusion.models"),
        *("worker", "service"),
    )
    packages = frozenset(f"modelsheet.{name}" for name in blind)
    named = set(get_args(Family)) | {facts.name for facts in FAMILIES.values()}

    assert {
        (name, node.value)
        for name, tree in import_graph.read_trees(BACKEND, "modelsheet").items()
        if import_graph.is_within(name, packages)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in named
    } == set()


def test_only_the_http_package_imports_flask(backend: import_graph.Graph) -> None:
    servers = frozenset({"flask", "werkzeug", "uvicorn"})

    assert outside(import_graph.importers(backend, servers), WITH_FLASK) == []


def test_only_the_benchmarks_plots_need_matplotlib(
    backend: import_graph.Graph, benchmarks: import_graph.Graph
) -> None:
    drawing = import_graph.importers(backend | benchmarks, frozenset({"matplotlib"}))

    assert drawing == {"modelsheet_benchmarks.fidelity.plots"}
    assert import_graph.importers(benchmarks, frozenset(drawing)) == set(), (
        "imported when asked for"
    )


def test_what_needs_no_torch_never_reaches_it(backend: import_graph.Graph) -> None:
    assert {
        name: sorted(found)
        for name in outside(set(backend), WITH_TORCH)
        if (
            found := {
                target
                for target in import_graph.reached(backend, name)
                if import_graph.is_within(target, TORCH)
            }
        )
    } == {}


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("name", ["backend", "benchmarks", "sprite_training", "plugin", "setup"])
def test_packages_have_no_import_cycle(
    name: str, depth: int, request: pytest.FixtureRequest
) -> None:
    graph: import_graph.Graph = request.getfixturevalue(name)

    assert import_graph.cycles(import_graph.packages(graph, depth)) == []


@pytest.mark.parametrize("name", ["backend", "benchmarks", "sprite_training", "plugin", "setup"])
def test_modules_have_no_import_cycle(name: str, request: pytest.FixtureRequest) -> None:
    assert import_graph.cycles(request.getfixturevalue(name)) == []


@pytest.mark.parametrize("root", ["backend", "krita_plugin/modelsheet_krita"])
def test_no_folder_holds_too_many_modules(root: str) -> None:
    folders = {path.parent for path in (ROOT / root).rglob("*.py") if "_vendor" not in path.parts}

    counts = {
        str(folder.relative_to(ROOT)): sum(each.stem != "__init__" for each in folder.glob("*.py"))
        for folder in folders
    }

    assert {
        folder: count
        for folder, count in counts.items()
        if count > LARGER_FOLDERS.get(folder, MAX_MODULES)
    } == {}


def test_only_the_border_modules_of_the_plugin_import_krita() -> None:
    graph = import_graph.read_graph(PLUGIN, "modelsheet_krita", with_types=False)

    assert import_graph.importers(graph, frozenset({"krita"})) <= WITH_KRITA


def test_only_app_and_document_name_kritas_types(plugin: import_graph.Graph) -> None:
    found = import_graph.importers(plugin, frozenset({"krita"})) - {"modelsheet_krita"}

    assert outside(found, WITH_KRITA_TYPES) == []


def test_plugin_needs_nothing_but_python_qt_krita_and_its_own(plugin: import_graph.Graph) -> None:
    allowed = frozenset(sys.stdlib_module_names) | {"krita", "PyQt5", "PyQt6", "modelsheet_krita"}
    foreign = {
        target
        for targets in plugin.values()
        for target in targets
        if not import_graph.is_within(target, allowed)
    }

    # A checkout has no vendored copies yet: mypy reads the originals there.
    assert outside(foreign, frozenset({"requests", "modelsheet_setup"})) == []


def test_plugin_and_backend_share_no_code(
    backend: import_graph.Graph, plugin: import_graph.Graph
) -> None:
    assert import_graph.importers(plugin, frozenset({"modelsheet"})) == set()
    assert import_graph.importers(backend, frozenset({"modelsheet_krita"})) == set()


def test_setting_up_needs_nothing_but_python(setup: import_graph.Graph) -> None:
    allowed = frozenset(sys.stdlib_module_names) | {"modelsheet_setup"}

    assert outside({target for targets in setup.values() for target in targets}, allowed) == []


# Whoever asks for the system, and what Windows' Python does not have.
OF_ONE_SYSTEM = frozenset({"sys.platform", "os.name", "platform.system()"}) | {
    f"{module}.{name}"
    for module, names in {
        "os": "chown fchmod fork forkpty getegid geteuid getgid getgroups getpgid getpriority "
        "getuid killpg lchown mkfifo nice pipe2 posix_spawn sched_getaffinity sched_setaffinity "
        "setgid setpgid setpriority setsid setuid statvfs sysconf uname wait wait3 wait4 WNOHANG",
        "signal": "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 alarm",
        "socket": "AF_UNIX",
        "time": "tzset",
    }.items()
    for name in names.split()
}
ONE_SYSTEM_MODULES = frozenset({"fcntl", "grp", "msvcrt", "pwd", "resource", "termios", "winreg"})
# Values, not questions: a pretended system is passed on to what is asked for it.
PASSED_ON = {
    "modelsheet.krita_setup.install": {"sys.platform"},
    "modelsheet_krita.app.diagnostics": {"platform.system()"},
    "modelsheet_krita.app.settings": {"sys.platform"},
}


def of_one_system(tree: ast.Module) -> set[str]:
    """Name what in `tree` differs among Linux, macOS and Windows."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Call):
            found.add(ast.unparse(node))
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found & (OF_ONE_SYSTEM | ONE_SYSTEM_MODULES)


@pytest.mark.parametrize(
    ("root", "package", "asks"),
    [
        (BACKEND, "modelsheet", "modelsheet.operating_system"),
        (BACKEND, "modelsheet_setup", "modelsheet_setup.platforms"),
        (PLUGIN, "modelsheet_krita", ""),
    ],
)
def test_systems_differ_in_one_module(root: Path, package: str, asks: str) -> None:
    trees = import_graph.read_trees(root, package)

    assert {
        name: found
        for name, tree in trees.items()
        if name != asks and (found := of_one_system(tree) - PASSED_ON.get(name, set()))
    } == {}


def test_the_search_for_systems_sees() -> None:
    source = "import fcntl\nfrom os import fork\nif sys.platform == 'x': os.killpg(1, 2)"

    assert of_one_system(ast.parse(source)) == {"fcntl", "os.fork", "sys.platform", "os.killpg"}


def test_importing_what_needs_no_torch_loads_none(backend: import_graph.Graph) -> None:
    quiet = [
        name
        for name in outside(set(backend), WITH_TORCH)
        if not name.endswith("__main__") and ".krita_plugin" not in name
    ]
    script = f"import importlib, sys\nfor n in {quiet!r}: importlib.import_module(n)\n"
    script += f"sys.exit(' '.join(sorted({set(TORCH)!r} & set(sys.modules))) or 0)"

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
    ("root", "package"),
    [(BACKEND, "modelsheet"), (BACKEND, "modelsheet_setup"), (PLUGIN, "modelsheet_krita")],
)
def test_nothing_runs_code_out_of_a_file(root: Path, package: str) -> None:
    trees = import_graph.read_trees(root, package)

    assert {name: found for name, tree in trees.items() if (found := forbidden(tree))} == {}


def calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_strangers_files_are_opened_by_their_readers_alone() -> None:
    trees = import_graph.read_trees(BACKEND, "modelsheet")
    openers = {
        called: {name for name, tree in trees.items() if called in map(_name_of, calls(tree))}
        for called in READERS
    }

    assert openers == {called: set(readers) for called, readers in READERS.items()}


def test_labels_show_names_as_they_are() -> None:
    trees = import_graph.read_trees(PLUGIN, "modelsheet_krita")

    assert {
        name
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "QtWidgets.QLabel"
    } == {"modelsheet_krita.qt", "modelsheet_krita.ui.report_window"}  # the latter escapes them


def test_archives_are_opened_for_reading_by_their_reader_alone() -> None:
    trees = import_graph.read_trees(BACKEND, "modelsheet")

    assert [
        name
        for name, tree in trees.items()
        for call in calls(tree)
        if _name_of(call) == "zipfile.ZipFile"
        and name != "modelsheet.files.zip_archive"
        and (len(call.args) < 2 or ast.unparse(call.args[1]) not in ("'w'", "'x'"))
    ] == []


def _name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


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
