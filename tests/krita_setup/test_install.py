"""The plugin in Krita's folders: installed, enabled, replaced, uninstalled, zipped."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from modelsheet.errors import InvalidRequest
from modelsheet.krita_setup import install
from tests.paths import BACKEND, ROOT

COMMAND = ["/opt/modelsheet/bin/python", "-m", "modelsheet", "serve"]
KRITA_IMPORTER = Path("/usr/share/krita/pykrita/plugin_importer/plugin_importer.py")


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user without any files."""
    return {"HOME": str(tmp_path)}


def places(user: dict[str, str], platform: str = "linux") -> list[tuple[str, str]]:
    found = install.find_installations(None, environment=user, platform=platform)
    home = Path(user["HOME"])
    return [
        (place.package.relative_to(home).as_posix(), place.settings.relative_to(home).as_posix())
        for place in found
    ]


def test_krita_from_the_distribution_or_as_an_appimage(user: dict[str, str]) -> None:
    assert places(user) == [(".local/share/krita/pykrita/modelsheet_krita", ".config/kritarc")]


def test_krita_on_macos(user: dict[str, str]) -> None:
    assert places(user, "darwin") == [
        (
            "Library/Application Support/krita/pykrita/modelsheet_krita",
            "Library/Preferences/kritarc",
        )
    ]


def test_krita_from_flatpak_is_served_beside_the_usual_one(user: dict[str, str]) -> None:
    Path(user["HOME"], ".var/app/org.kde.krita").mkdir(parents=True)

    assert places(user)[1] == (
        ".var/app/org.kde.krita/data/krita/pykrita/modelsheet_krita",
        ".var/app/org.kde.krita/config/kritarc",
    )


def test_xdg_folders_are_honoured(user: dict[str, str], tmp_path: Path) -> None:
    user |= {"XDG_DATA_HOME": str(tmp_path / "d"), "XDG_CONFIG_HOME": str(tmp_path / "c")}

    assert places(user) == [("d/krita/pykrita/modelsheet_krita", "c/kritarc")]


def test_resource_folder_chosen_in_krita_is_honoured(user: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/kritarc").write_text(f"ResourceDirectory={tmp_path}/art\n[python]\n")

    assert places(user) == [("art/pykrita/modelsheet_krita", ".config/kritarc")]


@pytest.mark.parametrize("named", ["art", "art/pykrita"])
def test_krita_dir_may_name_the_resources_or_the_pykrita_folder(
    user: dict[str, str], tmp_path: Path, named: str
) -> None:
    (place,) = install.find_installations(tmp_path / named, environment=user)

    assert place.package == tmp_path / "art/pykrita/modelsheet_krita"


def test_install_puts_in_all_that_krita_needs_and_switches_it_on(
    user: dict[str, str], tmp_path: Path
) -> None:
    said = install.install(None, COMMAND, environment=user, home=tmp_path / "ours")

    resources = tmp_path / ".local/share/krita"
    package = resources / "pykrita/modelsheet_krita"
    assert (resources / "pykrita/modelsheet_krita.desktop").is_file()
    assert (resources / "actions/modelsheet_krita.action").is_file()
    assert (package / "__init__.py").is_file()
    assert (package / "_vendor/requests/LICENSE").is_file()
    assert "GNU GENERAL PUBLIC LICENSE" in (package / "LICENSE").read_text()
    assert json.loads((package / "backend.json").read_text()) == {
        "command": COMMAND,
        "home": str(tmp_path / "ours"),
    }
    assert (tmp_path / ".config/kritarc").read_text() == "[python]\nenable_modelsheet_krita=true\n"
    assert any(str(package) in sentence for sentence in said)


def test_dry_run_says_where_and_writes_nothing(user: dict[str, str], tmp_path: Path) -> None:
    said = install.install(None, COMMAND, environment=user, dry_run=True)

    assert "would be installed in" in said[0]
    assert list(tmp_path.iterdir()) == []


def test_installing_again_leaves_nothing_of_the_old_plugin(
    user: dict[str, str], tmp_path: Path
) -> None:
    install.install(None, COMMAND, environment=user)
    package = tmp_path / ".local/share/krita/pykrita/modelsheet_krita"
    (package / "left_over.py").write_text("")

    install.install(None, COMMAND, environment=user)

    assert not (package / "left_over.py").exists()
    assert sorted(path.name for path in package.parent.iterdir()) == [
        "modelsheet_krita",
        "modelsheet_krita.desktop",
    ]


def test_a_link_to_a_checkout_is_replaced_and_the_checkout_kept(
    user: dict[str, str], tmp_path: Path
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / "mine.py").write_text("")
    pykrita = tmp_path / ".local/share/krita/pykrita"
    pykrita.mkdir(parents=True)
    (pykrita / "modelsheet_krita").symlink_to(checkout)

    install.install(None, COMMAND, environment=user)

    assert not (pykrita / "modelsheet_krita").is_symlink()
    assert (checkout / "mine.py").exists()


def test_uninstall_takes_out_all_and_nothing_else(user: dict[str, str], tmp_path: Path) -> None:
    install.install(None, COMMAND, environment=user)
    other = tmp_path / ".local/share/krita/pykrita/other.desktop"
    other.write_text("")

    said = install.uninstall(None, environment=user)

    left = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {other, tmp_path / ".config/kritarc"}
    assert "modelsheet" not in (tmp_path / ".config/kritarc").read_text()
    assert len(said) == 3


def test_uninstall_where_there_is_nothing_says_so(user: dict[str, str], tmp_path: Path) -> None:
    said = install.uninstall(None, environment=user)

    assert said == ["Krita has no plugin of Modelsheet to remove."]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(user: dict[str, str], tmp_path: Path) -> None:
    # A file in the way stops root too, unlike missing rights.
    (tmp_path / "art").write_text("")

    with pytest.raises(InvalidRequest, match=r"art.*--krita-dir"):
        install.install(tmp_path / "art", COMMAND, environment=user)


def test_zips_of_the_same_plugin_are_equal(tmp_path: Path) -> None:
    install.build_zip(tmp_path / "a.zip")
    install.build_zip(tmp_path / "b.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_zip_brings_what_sets_the_backend_up(tmp_path: Path) -> None:
    install.build_zip(tmp_path / "plugin.zip")

    folder = "modelsheet_krita/_vendor/modelsheet_setup"
    archive = zipfile.ZipFile(tmp_path / "plugin.zip")
    (wheel,) = (name for name in archive.namelist() if name.endswith(".whl"))
    assert wheel.startswith(f"{folder}/payload/modelsheet-")
    assert (
        archive.read(f"{folder}/payload/requirements.txt")
        == (ROOT / "requirements.txt").read_bytes()
    )
    assert f"{folder}/installation.py" in archive.namelist()
    inside = zipfile.ZipFile(io.BytesIO(archive.read(wheel))).namelist()
    assert any(name.startswith("modelsheet/base_models/weights/") for name in inside)
    assert "modelsheet_setup/__main__.py" in inside
    assert (tmp_path / "plugin.zip").stat().st_size < 80 * 10**6


def test_zip_has_an_entry_for_each_folder_and_nothing_built(tmp_path: Path) -> None:
    install.build_zip(tmp_path / "plugin.zip")

    names = zipfile.ZipFile(tmp_path / "plugin.zip").namelist()
    parents = {f"{parent.as_posix()}/" for name in names for parent in Path(name).parents} - {"./"}
    assert parents <= set(names)
    assert "modelsheet_krita/_vendor/requests/__init__.py" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith("/backend.json")]


def krita_importer() -> ModuleType:
    if not KRITA_IMPORTER.is_file():
        pytest.skip("Krita is not installed: its plugin importer cannot be tried")
    spec = importlib.util.spec_from_file_location("plugin_importer", KRITA_IMPORTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_kritas_own_importer_takes_the_zip(tmp_path: Path) -> None:
    importer = krita_importer()
    install.build_zip(tmp_path / "plugin.zip")
    (tmp_path / "resources").mkdir()

    imported = importer.PluginImporter(
        str(tmp_path / "plugin.zip"), str(tmp_path / "resources"), lambda plugin: False
    ).import_all()

    assert [plugin["name"] for plugin in imported] == ["modelsheet_krita"]
    assert (tmp_path / "resources/pykrita/modelsheet_krita/__init__.py").is_file()
    assert (tmp_path / "resources/actions/modelsheet_krita.action").is_file()


def test_dry_run_needs_no_package_but_pythons_own() -> None:
    script = "import sys; sys.path.insert(0, sys.argv[1]); import modelsheet.krita_setup.install"
    backend = BACKEND

    subprocess.run([sys.executable, "-I", "-S", "-c", script, str(backend)], check=True)


def test_the_plugin_is_found_inside_an_installed_package(tmp_path: Path) -> None:
    repository = ROOT
    package = tmp_path / "site-packages/modelsheet"
    ignored = shutil.ignore_patterns("__pycache__", "_vendor")
    shutil.copytree(repository / "krita_plugin", package / "krita_plugin", ignore=ignored)
    python_only = shutil.ignore_patterns("__pycache__", "weights", "configs")
    shutil.copytree(
        repository / "backend/modelsheet", package, ignore=python_only, dirs_exist_ok=True
    )
    script = "from modelsheet.krita_setup.install import plugin_source; print(plugin_source())"

    run = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(package.parent)!r}); {script}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(run.stdout.strip()) == package / "krita_plugin"
