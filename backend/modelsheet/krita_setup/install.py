"""Puts the plugin into Krita's folders, switches it on, takes it out again, or packs it as a zip.

Only the standard library is imported here, so that `./install.sh --dry-run` can ask before any
package is installed. Krita itself is not needed.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelsheet.errors import InvalidRequest, NotFound
from modelsheet.krita_setup import kritarc, vendor

MODULE = "modelsheet_krita"
GENERATED_FILES = frozenset({"_vendor", "__pycache__", "backend.json"})
# The earliest time that a zip can say; a fixed one makes equal plugins equal zips.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class KritaInstallation:
    """One Krita on this machine: its resource folder and its settings file."""

    label: str
    resources: Path
    settings: Path

    @property
    def package(self) -> Path:
        return self.resources / "pykrita" / MODULE

    @property
    def beside_package(self) -> dict[str, Path]:
        """Map the plugin's files that lie outside its package to where Krita wants them."""
        return {
            f"{MODULE}.desktop": self.resources / "pykrita" / f"{MODULE}.desktop",
            f"{MODULE}.action": self.resources / "actions" / f"{MODULE}.action",
        }


def find_installations(
    krita_dir: Path | None, *, environment: Mapping[str, str], platform: str = sys.platform
) -> list[KritaInstallation]:
    """Say where Krita looks for plugins: the usual folder, and Flatpak's where there is one.

    `krita_dir`: Krita's resource folder, or the pykrita folder in it, instead of these.
    """
    places = _usual_places(environment, platform)
    if krita_dir is None:
        return places
    resources = krita_dir.absolute()
    if resources.name == "pykrita":
        resources = resources.parent
    known = [place for place in places if place.resources == resources]
    return known or [KritaInstallation("Krita", resources, places[0].settings)]


def _usual_places(environment: Mapping[str, str], platform: str) -> list[KritaInstallation]:
    home = Path(environment.get("HOME") or Path.home())
    if platform == "darwin":
        library = home / "Library"
        return [_place("Krita", library / "Application Support/krita", library / "Preferences")]
    if platform == "win32":
        roaming = Path(environment.get("APPDATA") or home / "AppData/Roaming")
        local = Path(environment.get("LOCALAPPDATA") or home / "AppData/Local")
        return [_place("Krita", roaming / "krita", local)]
    resources = Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "krita"
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    places = [_place("Krita", resources, settings)]
    sandbox = home / ".var/app/org.kde.krita"
    if sandbox.is_dir():
        places.append(_place("Krita from Flatpak", sandbox / "data/krita", sandbox / "config"))
    return places


def _place(label: str, resources: Path, settings_folder: Path) -> KritaInstallation:
    settings = settings_folder / "kritarc"
    return KritaInstallation(label, kritarc.resource_folder(settings) or resources, settings)


def install(
    krita_dir: Path | None,
    backend_command: Sequence[str],
    *,
    environment: Mapping[str, str],
    home: Path | None = None,
    dry_run: bool = False,
) -> list[str]:
    """Install the plugin, with its own requests, wherever Krita looks for it, and switch it on.

    `backend_command`: what the plugin runs to start the backend; `home`: its MODELSHEET_HOME.
    Gives a sentence for each thing done, or, in a dry run, that would be done.
    Raises InvalidRequest: a folder cannot be written.
    """
    said = []
    for place in find_installations(krita_dir, environment=environment):
        if not dry_run:
            with _explained(place):
                _install_in(place, backend_command, home)
        would = "would be " if dry_run else ""
        said.append(f"{place.label}: the plugin {would or 'is '}installed in {place.package}.")
        said.append(f"{place.label}: it {would or 'is '}switched on in {place.settings}.")
    return said


def _install_in(
    place: KritaInstallation, backend_command: Sequence[str], home: Path | None
) -> None:
    command = {"command": list(backend_command), "home": str(home) if home else None}
    files = package_files() | {"backend.json": (json.dumps(command, indent=2) + "\n").encode()}
    place.package.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and moved in one step: Krita never sees half a plugin.
    with tempfile.TemporaryDirectory(dir=place.package.parent, prefix=f".{MODULE}-") as folder:
        staging = Path(folder) / MODULE
        for name, content in files.items():
            _write(staging / name, content)
        _remove(place.package)
        staging.rename(place.package)
    for name, target in place.beside_package.items():
        _write(target, (plugin_source() / name).read_bytes())
    kritarc.enable_plugin(place.settings, MODULE)


def uninstall(
    krita_dir: Path | None, *, environment: Mapping[str, str], dry_run: bool = False
) -> list[str]:
    """Take the plugin out of Krita; learnt subjects are not touched.

    Gives a sentence for each thing removed. Raises InvalidRequest: a folder cannot be written.
    """
    said = []
    for place in find_installations(krita_dir, environment=environment):
        paths = [place.package, *place.beside_package.values()]
        present = [path for path in paths if path.is_symlink() or path.exists()]
        would = "would be " if dry_run else "is "
        said += [f"{place.label}: {path} {would}removed." for path in present]
        if not dry_run:
            with _explained(place):
                for path in present:
                    _remove(path)
                kritarc.disable_plugin(place.settings, MODULE)
    return said or ["Krita has no plugin of Modelsheet to remove."]


def build_zip(target: Path) -> None:
    """Pack the plugin, with its own requests, as a zip for Krita's "Import Python Plugin".

    Equal plugins make equal bytes. It names no backend: the artist enters its URL and token.
    """
    entries = {f"{MODULE}/{name}": content for name, content in package_files().items()}
    for name in (f"{MODULE}.desktop", f"{MODULE}.action"):
        entries[name] = (plugin_source() / name).read_bytes()
    # Krita's importer finds a plugin only by an entry for its folder.
    folders = {f"{parent.as_posix()}/" for name in entries for parent in Path(name).parents}
    entries |= dict.fromkeys(folders - {"./"}, b"")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name])


def package_files() -> dict[str, bytes]:
    """Map each path in the plugin's package to its content: our sources, licence and `_vendor`."""
    source = plugin_source()
    own = {
        path.relative_to(source / MODULE).as_posix(): path.read_bytes()
        for path in sorted((source / MODULE).rglob("*"))
        if path.is_file() and not GENERATED_FILES & set(path.relative_to(source / MODULE).parts)
    }
    vendored = vendor.vendored_files()
    licence = {"LICENSE": (source / "LICENSE").read_bytes()}
    return own | licence | {f"_vendor/{name}": content for name, content in vendored.items()}


def plugin_source() -> Path:
    """Find the plugin: in the checkout we run from, or else inside the installed package."""
    package = Path(__file__).parents[1]
    for folder in (package.parents[1] / "krita_plugin", package / "krita_plugin"):
        if (folder / f"{MODULE}.desktop").is_file():
            return folder
    raise NotFound("The plugin's files are missing beside the backend. Install Modelsheet again.")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _explained(place: KritaInstallation) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidRequest(
            f"{error.filename or place.resources} cannot be written ({error.strerror}). "
            "Check the folder's rights and free space, or name another with --krita-dir."
        ) from error
