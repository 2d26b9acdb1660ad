"""Find base models whose parts lie in files of their own: a denoiser, and beside it a text encoder
and an autoencoder, as ComfyUI and Krita AI Diffusion keep them.

A file's part is known by one weight, whose name and shape the table of families has.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.installation_folders import PART_FOLDERS, find_part_files
from modelsheet.errors import ModelMissing, UnsafeModel
from modelsheet.files.safetensors_file import read_header

# Put before the names of a denoiser's weights by some programs.
DENOISER_PREFIX = "model.diffusion_model."
_BASE = "base"  # in the names of the denoisers that are learnt on
_NAMES = {"text_encoder": "text encoder", "vae": "autoencoder (VAE)"}


@dataclass(frozen=True)
class ModelPart:
    """The part of a family's models that a file is, such as "transformer"."""

    family: Family
    component: str

    @property
    def is_denoiser(self) -> bool:
        return FAMILIES[self.family].components[0] == self.component


def part_of(path: Path) -> ModelPart | None:
    """Return the part that a .safetensors file is, None where it is none or cannot be read."""
    if path.suffix.lower() != ".safetensors":
        return None
    try:
        state = path.stat()
    except OSError:
        return None
    return _part_cached(path, state.st_mtime_ns, state.st_size)


def find_denoisers(root: Path) -> dict[str, Path]:
    """Return the denoisers of an installation that are files of their own, by name."""
    return {
        name: path
        for component in {facts.components[0] for facts in FAMILIES.values()} & set(PART_FOLDERS)
        for name, path in find_part_files(root, component).items()
        if (part := part_of(path)) is not None and part.is_denoiser
    }


def find_companions(
    denoiser: Path, family: Family, installations: Sequence[Path]
) -> Mapping[str, Path]:
    """Return the other parts of a denoiser's model: from its own folder, its program's, or one of
    the `installations`. Raises ModelMissing: there is none.
    """
    parents = [folder.parent for folder in denoiser.parents if _holds_denoisers(folder)]
    roots = [*parents[:1], *installations]
    found = {}
    for component in FAMILIES[family].components[1:]:
        wanted = ModelPart(family, component)
        files = (*sorted(denoiser.parent.glob("*.safetensors")), *_files_in(roots, component))
        path = next((each for each in files if part_of(each) == wanted), None)
        if path is None:
            raise ModelMissing(
                f"{denoiser.name} is a {FAMILIES[family].name} without its {_NAMES[component]}, "
                "and none that fits was found. Put that file beside it, or add the folder of the "
                "ComfyUI that has it with: modelsheet models add FOLDER"
            )
        found[component] = path
    return found


def is_distilled(denoiser: Path) -> bool:
    """Tell by a denoiser's name whether it is the distilled twin: its file does not say."""
    return _BASE not in denoiser.stem.lower()


@functools.lru_cache(maxsize=4096)
def _part_cached(path: Path, modified_ns: int, size: int) -> ModelPart | None:
    try:
        entries = read_header(path).entries
    except UnsafeModel:
        return None
    for family, facts in FAMILIES.items():
        for component, mark in facts.part_files.items():
            entry = entries.get(mark.key) or entries.get(DENOISER_PREFIX + mark.key)
            if entry is not None and entry.shape == mark.shape:
                return ModelPart(family, component)
    return None


def _holds_denoisers(folder: Path) -> bool:
    kinds = {kind.replace("_", "") for kind in PART_FOLDERS["transformer"]}
    return folder.name.lower().replace("_", "") in kinds


def _files_in(roots: Sequence[Path], component: str) -> Iterator[Path]:
    for root in roots:
        yield from find_part_files(root, component).values()
