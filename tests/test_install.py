"""install.sh: what it does, what it says, and that it does it once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import import_graph
from tests.fake_python import write_fake_python
from tests.paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CPU = "- 2.13.0+cpu"


@dataclass
class Machine:
    """A checkout, an empty home and a fake Python: install.sh's whole world."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def checkout(self) -> Path:
        return self.root / "a checkout"

    @property
    def calls(self) -> list[str]:
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def tool(self, name: str, script: str) -> None:
        """Put a program of our own before all others."""
        path = self.root / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def run(
        self, *arguments: str, shell: str = "", output: int = subprocess.PIPE, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shell.split(), str(self.checkout / "install.sh"), *arguments],
            env=self.environment | environment,
            cwd=self.root,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    for folder in (machine.home, machine.checkout / "backend", tmp_path / "bin"):
        folder.mkdir(parents=True)
    for name in ("install.sh", "constraints.txt", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, machine.checkout)
    ignored = shutil.ignore_patterns("__pycache__", "_vendor", "weights")
    shutil.copytree(
        ROOT / "backend/modelsheet", machine.checkout / "backend/modelsheet", ignore=ignored
    )
    shutil.copytree(
        ROOT / "backend/modelsheet_setup",
        machine.checkout / "backend/modelsheet_setup",
        ignore=ignored,
    )
    shutil.copytree(ROOT / "krita_plugin", machine.checkout / "krita_plugin", ignore=ignored)
    write_fake_python(tmp_path / "bin")
    for name in ("nvidia-smi", "pgrep", "apt-get"):
        machine.tool(name, "exit 1")
    machine.environment = {
        "HOME": str(machine.home),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "OFFERS": CPU,
    }
    return machine


def test_install_sets_up_backend_and_plugin_and_says_so(machine: Machine) -> None:
    run = machine.run()

    package = machine.home / ".local/share/krita/pykrita/modelsheet_krita"
    assert run.returncode == 0, run.stderr
    assert str(machine.checkout / ".venv/bin/python") in (package / "backend.json").read_text()
    assert "enable_modelsheet_krita=true" in (machine.home / ".config/kritarc").read_text()
    assert str(package) in run.stdout
    packages, _, torch, backend = machine.calls
    assert packages.endswith("install --require-hashes --no-deps --requirement requirements.txt")
    assert torch.endswith("install torch==2.13.0+cpu")
    assert backend.endswith("install --no-build-isolation --no-deps --editable .")


def test_a_second_run_installs_nothing_more(machine: Machine) -> None:
    machine.run()
    before = machine.calls

    again = machine.run()

    assert again.returncode == 0
    assert "up to date" in again.stdout
    assert machine.calls == before


def test_a_changed_pin_is_installed_into_the_same_environment(machine: Machine) -> None:
    machine.run()
    with (machine.checkout / "constraints.txt").open("a") as constraints:
        constraints.write("nothing==1\n")

    machine.run()

    assert [call.rpartition("==")[2] for call in machine.calls if "torch==" in call] == [
        "2.13.0",
        "2.13.0+cpu",
    ]
    assert sum(call.endswith("requirements.txt") for call in machine.calls) == 2
    assert sum(call.endswith("--editable .") for call in machine.calls) == 2


def test_an_interrupted_setup_is_taken_up_again(machine: Machine) -> None:
    machine.run(PIP_FAILS="interrupted")

    again = machine.run()

    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("option", "offers", "taken"),
    [
        ("--cpu", "- 2.13.0+cpu", "torch==2.13.0+cpu"),
        ("--cpu", "- 2.13.0\ncpu 2.13.0+cpu", "cpu torch==2.13.0+cpu"),
        ("--cpu", "- 2.13.0", "install torch==2.13.0"),
        ("--cuda", "- 2.13.0", "install torch==2.13.0"),
        ("--cuda", "- 2.13.0+cpu\ncu130 2.13.0+cu130", "cu130 torch==2.13.0+cu130"),
        ("--rocm", "- 2.13.0\nrocm7.1 2.13.0+rocm7.1", "rocm7.1 torch==2.13.0+rocm7.1"),
    ],
)
def test_the_build_of_pytorch(machine: Machine, option: str, offers: str, taken: str) -> None:
    machine.tool("uname", "echo Linux")

    run = machine.run(option, OFFERS=offers)

    assert run.returncode == 0, run.stderr
    assert machine.calls[-2].endswith(taken)


def test_a_graphics_card_is_found(machine: Machine) -> None:
    machine.tool("nvidia-smi", "echo 'GPU 0: a card'")

    assert "for cuda" in machine.run("--dry-run").stdout


def test_no_build_for_the_card_says_what_else_there_is(machine: Machine) -> None:
    run = machine.run("--rocm", OFFERS=CPU)

    assert run.returncode == 1
    assert "./install.sh --cpu" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ([], {"PIP_FAILS": "NewConnectionError: Network is unreachable"}, "Check the network"),
        ([], {"PIP_FAILS": "OSError: [Errno 28] No space left on device"}, "the disk is full"),
        ([], {"PIP_FAILS": "THESE PACKAGES DO NOT MATCH THE HASHES"}, "changes it on the way"),
        ([], {"PIP_FAILS": "something quite new"}, "something quite new"),
        (["--krita-dir"], {}, "needs a folder"),
        (["--colour"], {}, 'do not know "--colour"'),
    ],
)
def test_failures_are_plain_sentences(
    machine: Machine, arguments: list[str], environment: dict[str, str], sentence: str
) -> None:
    run = machine.run(*arguments, **environment)

    assert run.returncode == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def only_these(machine: Machine) -> str:
    """Give a PATH on which there is no Python but the fake one."""
    tools = machine.root / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    return f"{machine.root / 'bin'}{os.pathsep}{tools}"


def test_no_python_says_which_to_get(machine: Machine) -> None:
    machine.tool("python3", "exit 1")

    run = machine.run(PATH=only_these(machine))

    assert run.returncode == 1
    assert "no Python from 3.10 to 3.14" in run.stderr


def test_no_venv_module_says_how_to_get_it(machine: Machine) -> None:
    run = machine.run(PATH=only_these(machine), NO_VENV="1")

    assert run.returncode == 1
    assert "apt-get install python3-venv" in run.stderr


def test_somebody_elses_environment_is_left_alone(machine: Machine) -> None:
    mine = machine.checkout / ".venv/mine"
    mine.parent.mkdir()
    mine.write_text("")

    install, uninstall = machine.run(), machine.run("uninstall")

    assert "that Modelsheet did not make" in install.stderr
    assert "I did not make it" in uninstall.stdout
    assert mine.exists()


def test_nothing_is_imported_from_where_one_stands(machine: Machine) -> None:
    for name in ("pathlib", "html", "modelsheet"):
        (machine.root / f"{name}.py").write_text("raise SystemExit('out of this folder')")

    run = machine.run("--dry-run", PYTHON=sys.executable)

    assert run.returncode == 0, run.stderr
    assert "the plugin would be installed" in run.stdout


def test_a_plain_shell_and_an_appimage_s_python_do_no_harm(machine: Machine) -> None:
    run = machine.run("--dry-run", shell="sh", PYTHONHOME="/none", PYTHONPATH="/none")

    assert run.returncode == 0, run.stderr
    assert "the plugin would be installed" in run.stdout


@pytest.mark.parametrize("arguments", ["--help", "--dry-run", "uninstall", ""])
def test_a_reader_who_has_enough_ends_it_quietly(machine: Machine, arguments: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    run = machine.run(*arguments.split(), output=writer)
    os.close(writer)

    assert run.stderr in ("", "cat: write error: Broken pipe\n")
    assert not (machine.home / ".local").exists()
    assert machine.calls == []


@pytest.mark.parametrize("command", ["install", "demo", "test", "uninstall"])
def test_dry_run_touches_nothing(machine: Machine, command: str) -> None:
    before = sorted(machine.root.rglob("*"))

    run = machine.run("--dry-run", *([command] if command != "install" else []))

    assert run.returncode == 0, run.stderr
    assert run.stdout
    assert sorted(machine.root.rglob("*")) == before


def test_uninstall_leaves_the_learnt_subjects(machine: Machine) -> None:
    machine.run()
    subject = machine.home / ".local/share/modelsheet/subjects/hero"
    subject.mkdir(parents=True)

    run = machine.run("uninstall")

    assert run.returncode == 0, run.stderr
    assert not (machine.checkout / ".venv").exists()
    assert not (machine.home / ".local/share/krita/pykrita/modelsheet_krita").exists()
    assert subject.exists()


def test_krita_dir_is_relative_to_where_the_user_stands(machine: Machine) -> None:
    machine.run("--krita-dir", "art")

    assert (machine.root / "art/pykrita/modelsheet_krita/__init__.py").is_file()


def run_checks(machine: Machine, **environment: str) -> subprocess.CompletedProcess[str]:
    machine.tool("shellcheck", "exit 0")
    (machine.checkout / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", machine.checkout / ".ci")
    return machine.run("test", **environment)


def test_test_runs_every_check_once(machine: Machine) -> None:
    run = run_checks(machine, KNOWN='"name": "flask", "vulns": []')

    ran = [call for call in machine.calls if call.startswith("ran")]
    assert run.returncode == 0, run.stderr
    assert ran == [
        "ran ruff check .",
        "ran ruff format --check .",
        "ran mypy --strict",
        "ran mypy --strict --platform win32 --cache-dir .mypy_cache/win32",
        "ran mypy --strict --platform darwin --cache-dir .mypy_cache/darwin",
        "ran bandit --quiet --recursive --configfile pyproject.toml backend krita_plugin",
        "ran pip-audit --progress-spinner off --skip-editable",
        "ran pytest",
    ]
    assert "skipped: 0;" in run.stdout
    assert "--no-build-isolation --editable .[test,dev,cluster]" in machine.calls[3]


def test_holes_that_nobody_can_tell_of_are_counted_as_skipped(machine: Machine) -> None:
    run = run_checks(machine, KNOWN='"name": "flask", "skip_reason": "not found"')

    assert run.returncode == 0, run.stderr
    assert not any(call.startswith("ran pip-audit") for call in machine.calls)
    assert "nothing within reach knows the packages' holes; skipped" in run.stdout
    assert "skipped: 1 (pip-audit)" in run.stdout


def test_one_check_that_fails_fails_the_whole_after_the_others_ran(machine: Machine) -> None:
    run = run_checks(machine, FAILS="mypy")

    assert run.returncode == 1
    assert "Not clean: [mypy --strict] [mypy --strict --platform win32" in run.stderr
    assert machine.calls[-1] == "ran pytest"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_the_scripts_are_shellcheck_clean() -> None:
    subprocess.run(["shellcheck", "install.sh", ".ci/run"], cwd=ROOT, check=True)


def project() -> dict[str, Any]:
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return cast("dict[str, Any]", content["project"])


def pins() -> dict[str, set[str]]:
    """Map each pinned package to its versions on all platforms."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            version = re.fullmatch(r"==([\w.]+)", str(requirement.specifier))
            assert version, f"{line} is no exact pin"
            found.setdefault(canonicalize_name(requirement.name), set()).add(version[1])
    return found


def locked() -> dict[str, set[str]]:
    """Map each package with checksums to its versions."""
    found: dict[str, set[str]] = {}
    text = (ROOT / "requirements.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line.partition(" --hash")[0])
            assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", line), line
            name = canonicalize_name(requirement.name)
            found.setdefault(name, set()).add(str(requirement.specifier).removeprefix("=="))
    return found


def closure(requirements: list[str]) -> set[str]:
    """Name every package that `requirements` bring in on this machine."""
    seen: set[str] = set()
    waiting = [(Requirement(line), "") for line in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if name in seen and not requirement.extras:
            continue
        seen.add(name)
        for line in metadata.requires(name) or []:
            waiting += [(Requirement(line), part) for part in (requirement.extras or {""})]
    return seen


def test_everything_that_gets_installed_is_pinned() -> None:
    extras = project()["optional-dependencies"]

    installed = closure(project()["dependencies"] + extras["test"] + extras["dev"])

    libraries = {name for name in installed if name.startswith(("nvidia-", "cuda-", "triton"))}
    assert installed - libraries - pins().keys() == set()


def test_everything_that_an_artist_installs_has_checksums() -> None:
    installed = closure(project()["dependencies"])

    libraries = {name for name in installed if name.startswith(("nvidia-", "cuda-", "triton"))}
    assert installed - libraries - locked().keys() == {"torch"}


def test_checksums_are_of_the_pinned_versions() -> None:
    known = pins()

    assert {name: at for name, at in locked().items() if at - known.get(name, at)} == {}
    assert {"hatchling", "editables"} <= locked().keys()


def test_every_library_that_the_backend_imports_is_declared() -> None:
    graph = import_graph.read_graph(ROOT / "backend", "modelsheet")
    tops = {target.partition(".")[0] for targets in graph.values() for target in targets}
    ours, extras, types = {"modelsheet"}, {"ray", "matplotlib"}, {"_typeshed"}
    foreign = tops - sys.stdlib_module_names - ours - extras - types
    distributions = metadata.packages_distributions()

    lines = project()["dependencies"]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}

    assert [
        top
        for top in sorted(foreign)
        if not declared & {canonicalize_name(name) for name in distributions.get(top, [top])}
    ] == []


def test_torch_is_pinned_without_a_local_label() -> None:
    assert pins()["torch"] == {"2.13.0"}
