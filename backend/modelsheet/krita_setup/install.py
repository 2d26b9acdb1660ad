"""Install the plugin into Krita and enable it, uninstall it, or build it as a zip.

Only the standard library is imported here, so that `./install.sh --dry-run` runs before any
package is installed. Krita itself is not needed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelsheet.errors import InvalidRequest, NotFound
from modelsheet.krita_setup import kritarc, vendor_requests

MODULE = "modelsheet_krita"
SETUP = "_vendor/modelsheet_setup"
GENERATED_FILES = frozenset({"_vendor", "__pycache__", "backend.json", "payload"})
# The earliest time of the zip format; a fixed one makes zips of equal plugins equal.
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class KritaInstallation:
    """A Krita on this machine: its resource folder and its settings file."""

    label: str
    resources: Path
    settings: Path

    @property
    def package(self) -> Path:
        return self.resources / "pykrita" / MODULE

    @property
    def files_outside_package(self) -> dict[str, Path]:
        """Map the plugin's files outside its package to their paths in Krita's folders."""
        return {
            f"{MODULE}.desktop": self.resources / "pykrita" / f"{MODULE}.desktop",
            f"{MODULE}.action": self.resources / "actions" / f"{MODULE}.action",
        }


def find_installations(
    krita_dir: Path | None, *, environment: Mapping[str, str], platform: str = sys.platform
) -> list[KritaInstallation]:
    """Find Krita's installations by their default folders, Flatpak's included where it exists.

    `krita_dir`: Krita's resource folder, or the pykrita folder in it, instead of these.
    """
    found = _default_installations(environment, platform)
    if krita_dir is None:
        return found
    resources = krita_dir.absolute()
    if resources.name == "pykrita":
        resources = resources.parent
    known = [krita for krita in found if krita.resources == resources]
    return known or [KritaInstallation("Krita", resources, found[0].settings)]


def _default_installations(
    environment: Mapping[str, str], platform: str
) -> list[KritaInstallation]:
    home = Path(environment.get("HOME") or Path.home())
    if platform == "darwin":
        library = home / "Library"
        return [
            _installation("Krita", library / "Application Support/krita", library / "Preferences")
        ]
    if platform == "win32":
        roaming = Path(environment.get("APPDATA") or home / "AppData/Roaming")
        local = Path(environment.get("LOCALAPPDATA") or home / "AppData/Local")
        return [_installation("Krita", roaming / "krita", local)]
    resources = Path(environment.get("XDG_DATA_HOME") or home / ".local/share") / "krita"
    settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    found = [_installation("Krita", resources, settings)]
    sandbox = home / ".var/app/org.kde.krita"
    if sandbox.is_dir():
        found.append(
            _installation("Krita from Flatpak", sandbox / "data/krita", sandbox / "config")
        )
    return found


def _installation(label: str, resources: Path, settings_folder: Path) -> KritaInstallation:
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
    """Install and enable the plugin, with its vendored requests, in every Krita found.

    `backend_command` starts the backend from the plugin; `home` is its MODELSHEET_HOME.
    Returns a sentence for each step done, or, in a dry run, that would be done.
    Raises InvalidRequest: a folder cannot be written.
    """
    sentences = []
    for krita in find_installations(krita_dir, environment=environment):
        if not dry_run:
            with _explain_os_errors(krita):
                _install_in(krita, backend_command, home)
        would = "would be " if dry_run else ""
        sentences.append(f"{krita.label}: the plugin {would or 'is '}installed in {krita.package}.")
        sentences.append(f"{krita.label}: it {would or 'is '}switched on in {krita.settings}.")
    return sentences


def _install_in(
    krita: KritaInstallation, backend_command: Sequence[str], home: Path | None
) -> None:
    command = {"command": list(backend_command), "home": str(home) if home else None}
    files = package_files() | {"backend.json": (json.dumps(command, indent=2) + "\n").encode()}
    krita.package.parent.mkdir(parents=True, exist_ok=True)
    # Renamed in one step: Krita never sees an incomplete plugin.
    with tempfile.TemporaryDirectory(dir=krita.package.parent, prefix=f".{MODULE}-") as folder:
        staging = Path(folder) / MODULE
        for name, content in files.items():
            _write(staging / name, content)
        _remove(krita.package)
        staging.rename(krita.package)
    for name, target in krita.files_outside_package.items():
        _write(target, (plugin_source() / name).read_bytes())
    kritarc.enable_plugin(krita.settings, MODULE)


def uninstall(
    krita_dir: Path | None, *, environment: Mapping[str, str], dry_run: bool = False
) -> list[str]:
    """Remove the plugin from Krita; learnt subjects stay.

    Returns a sentence for each file removed. Raises InvalidRequest: a folder cannot be written.
    """
    sentences = []
    for krita in find_installations(krita_dir, environment=environment):
        paths = [krita.package, *krita.files_outside_package.values()]
        present = [path for path in paths if path.is_symlink() or path.exists()]
        would = "would be " if dry_run else "is "
        sentences += [f"{krita.label}: {path} {would}removed." for path in present]
        if not dry_run:
            with _explain_os_errors(krita):
                for path in present:
                    _remove(path)
                kritarc.disable_plugin(krita.settings, MODULE)
    return sentences or ["Krita has no plugin of Modelsheet to remove."]


def build_zip(target: Path) -> None:
    """Build the plugin as a zip for Krita's "Import Python Plugin", with what it needs to set the
    backend up: a wheel and its lock.

    Equal checkouts make equal bytes. Raises NotFound outside a checkout.
    """
    files = package_files() | {f"{SETUP}/payload/{name}": content for name, content in _payload()}
    entries = {f"{MODULE}/{name}": content for name, content in files.items()}
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
            stored = name.endswith(".whl")  # compressed already
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, entries[name])


def package_files() -> dict[str, bytes]:
    """Map each path in the plugin's package to its content: sources, licence, and in `_vendor`
    requests and modelsheet_setup.
    """
    source = plugin_source()
    vendored = vendor_requests.vendored_files()
    return (
        _files_below(source / MODULE, "")
        | {"LICENSE": (source / "LICENSE").read_bytes()}
        | {f"_vendor/{name}": content for name, content in vendored.items()}
        | _files_below(Path(__file__).parents[2] / "modelsheet_setup", f"{SETUP}/")
    )


def _files_below(folder: Path, prefix: str) -> dict[str, bytes]:
    return {
        prefix + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not GENERATED_FILES & set(path.relative_to(folder).parts)
    }


def _payload() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file that setting the backend up needs."""
    root = Path(__file__).parents[3]
    if not (root / "install.sh").is_file():
        raise NotFound(
            "The zip is made in a checkout of Modelsheet: run `modelsheet krita zip` there."
        )
    with tempfile.TemporaryDirectory() as folder:
        build = [sys.executable, "-I", "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        run = subprocess.run(build, cwd=root, capture_output=True, text=True, check=False)
        if run.returncode:
            last = run.stderr.strip().rpartition("\n")[2]
            raise NotFound(
                f"The backend's wheel could not be built: {last}. Run ./install.sh again."
            )
        (wheel,) = Path(folder).glob("*.whl")
        yield wheel.name, wheel.read_bytes()
    for name in ("requirements.txt", "constraints.txt", "docs/sample/hero.ora"):
        yield Path(name).name, (root / name).read_bytes()


def plugin_source() -> Path:
    """Return the plugin's source folder: in the checkout, or else in the installed package."""
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
def _explain_os_errors(krita: KritaInstallation) -> Iterator[None]:
    """Turn OSError into InvalidRequest with a sentence."""
    try:
        yield
    except OSError as error:
        raise InvalidRequest(
            f"{error.filename or krita.resources} cannot be written ({error.strerror}). "
            "Check the folder's rights and free space, or name another with --krita-dir."
        ) from error
