"""Find the checkpoints in the folders of ComfyUI, A1111, Forge, StabilityMatrix and SwarmUI, of the
Hugging Face hub's cache, and in plain folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from modelsheet.base_models.diffusers_folder import MODEL_INDEX, family_of_folder
from modelsheet.base_models.families import FAMILIES
from modelsheet.errors import InvalidRequest, ModelMissing

# Of ComfyUI and A1111 (and Forge), of SwarmUI, of StabilityMatrix, and of a folder of models.
_CHECKPOINT_FOLDERS = (
    "models/checkpoints",
    "models/Stable-diffusion",
    "Models/Stable-Diffusion",
    "Models/Stable-diffusion",
    "Models/StableDiffusion",
    "checkpoints",
)
# Of the parts of a model that have files of their own, in any case and without "_" too.
PART_FOLDERS: Mapping[str, tuple[str, ...]] = {
    "transformer": ("diffusion_models", "unet"),
    "text_encoder": ("text_encoders", "text_encoder", "clip"),
    "vae": ("vae",),
}
# Where a portable version, or StabilityMatrix, keeps the program below the folder that was named.
INNER_FOLDERS = ("", "ComfyUI", "stable-diffusion-webui", "webui", "Data")
_EXTRA_PATHS = "extra_model_paths.yaml"  # of ComfyUI
_LARGEST_YAML = 1 << 20  # bytes
_DEEPEST = 5  # folders below a plain folder
_MOST_FOLDERS = 10_000  # of models; a whole disk has more
# Folders of models that are no checkpoints.
_OTHERS = frozenset(
    {"lora", "loras", "lycoris", "vae", "controlnet", "embeddings", "upscale_models", "clip"}
    | {"clip_vision", "text_encoders", "unet", "diffusion_models", "ipadapter", "hypernetworks"}
)


def find_checkpoints(root: Path) -> dict[str, Path]:
    """Return the checkpoints and the diffusers folders of an installation by their names.

    Names are paths below the folder of checkpoints, without the ending; of two with one name the
    first counts, as in ComfyUI. Raises InvalidRequest: there are too many folders.
    """
    found: dict[str, Path] = {}
    for folder in _checkpoint_folders(root):
        for file in _checkpoints_below(folder):
            found.setdefault(_name_of(file, folder), file)
    if not found:
        for file in _checkpoints_below(root, _DEEPEST, _OTHERS):
            found.setdefault(_name_of(file, root), file)
    for model, snapshot in _hub_snapshots(root):
        found.setdefault(model, snapshot)
    return found


def find_part_files(root: Path, component: str) -> dict[str, Path]:
    """Return the files in an installation's folders of one kind of part (`PART_FOLDERS`), by their
    names as in `find_checkpoints`.
    """
    kinds = PART_FOLDERS[component]
    names = {kind.replace("_", "") for kind in kinds}
    found: dict[str, Path] = {}
    for program in (root / inner for inner in INNER_FOLDERS):
        likely = [
            folder
            for models in (program, program / "models", program / "Models")
            for folder in _subfolders(models)
            if folder.name.lower().replace("_", "") in names
        ]
        for folder in (*likely, *extra_folders(program, kinds)):
            for file in _checkpoints_below(folder):
                found.setdefault(_name_of(file, folder), file)
    return found


def hub_snapshot(folder: Path) -> Path | None:
    """Return the folder with the files of a model in the hub's cache (models--org--name).

    It is the one that "main" names, else the newest; None where the folder is no such model.
    """
    snapshots = folder / "snapshots"
    if not folder.name.startswith("models--") or not snapshots.is_dir():
        return None
    try:
        named = snapshots / (folder / "refs" / "main").read_text("utf-8").strip()
    except (OSError, ValueError):
        named = snapshots
    if named != snapshots and named.is_dir():
        return named
    newest = sorted(
        (each for each in snapshots.iterdir() if each.is_dir()), key=lambda one: one.stat().st_mtime
    )
    return newest[-1] if newest else None


def _checkpoint_folders(root: Path) -> Iterator[Path]:
    """Yield the folders of checkpoints that exist, each once, whatever links lead to it."""
    seen: set[str] = set()
    for inner in INNER_FOLDERS:
        program = root / inner
        named = (program / each for each in _CHECKPOINT_FOLDERS)
        for folder in (*named, *extra_folders(program, ("checkpoints",))):
            real = os.path.realpath(folder)
            if real not in seen and folder.is_dir():
                seen.add(real)
                yield folder


def _subfolders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def extra_folders(program: Path, kinds: Sequence[str]) -> Iterator[Path]:
    """Yield the folders of models of some kinds that ComfyUI's extra_model_paths.yaml names."""
    file = program / _EXTRA_PATHS
    try:
        if not file.is_file() or file.stat().st_size > _LARGEST_YAML:
            return
        content = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return
    for section in content.values() if isinstance(content, dict) else ():
        named = [section.get(kind) for kind in kinds] if isinstance(section, dict) else []
        for lines in (each for each in named if isinstance(each, str)):
            given = os.path.expandvars(str(section.get("base_path") or "."))
            base = os.path.expanduser(given)  # pathlib's raises where there is no such user
            for line in lines.splitlines():
                if line.strip():
                    yield program / base / line.strip()


def _checkpoints_below(
    folder: Path, depth: int = 100, without: frozenset[str] = frozenset()
) -> list[Path]:
    """Return all checkpoints below a folder, sorted. Links are followed, each folder once.

    Raises InvalidRequest: there are too many folders.
    """
    found: list[Path] = []
    seen: set[str] = set()
    for path, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(path)
        if len(seen) >= _MOST_FOLDERS:
            raise InvalidRequest(
                f"{folder} has more than {_MOST_FOLDERS} folders. Name the one with the models."
            )
        is_deep = len(Path(path).relative_to(folder).parts) >= depth
        if real in seen or is_deep or MODEL_INDEX in files:
            folders.clear()
        else:
            folders[:] = sorted(
                each for each in folders if not each.startswith(".") and each.lower() not in without
            )
        if real not in seen and MODEL_INDEX not in files:
            found += [Path(path) / each for each in files if _is_checkpoint_name(each)]
        seen.add(real)
    return sorted(file for file in found if file.is_file())


def _is_checkpoint_name(name: str) -> bool:
    lower = name.lower()  # A1111 has autoencoders beside its checkpoints
    return lower.endswith(".safetensors") and not lower.endswith(".vae.safetensors")


def _name_of(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()


def _hub_snapshots(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the models in diffusers' layout of a hub cache, as org/name."""
    for cache in (root, root / "hub"):
        for model in sorted(cache.glob("models--*")):
            snapshot = hub_snapshot(model)
            if snapshot and (snapshot / MODEL_INDEX).is_file() and _has_denoiser(snapshot):
                yield model.name.removeprefix("models--").replace("--", "/"), snapshot


def _has_denoiser(snapshot: Path) -> bool:
    """Tell whether a folder has the denoiser of its family, which tells other pipelines apart."""
    try:
        return (snapshot / FAMILIES[family_of_folder(snapshot)].components[0]).is_dir()
    except ModelMissing:  # its index is damaged: its listing says so
        return (snapshot / "unet").is_dir()
