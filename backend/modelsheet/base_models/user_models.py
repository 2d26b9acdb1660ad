"""Registry of models that the user added: single models, and installations of other programs.

Stored in <data>/models.json; the models' own files stay where they are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from filelock import FileLock
from pydantic import ValidationError

from modelsheet.api.types import ApiModel
from modelsheet.base_models.installation_folders import find_checkpoints
from modelsheet.base_models.part_files import find_denoisers, part_of
from modelsheet.errors import Conflict, InvalidRequest, ModelsheetError, NotFound

REGISTRY_NAME = "models.json"


class UserModel(ApiModel):
    """An added model: a folder or a single file.

    `config` is a folder of config files for an unusual checkpoint; an empty `prediction_type` is
    the file's own.
    """

    id: str
    path: str
    config: str = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""


class Installation(ApiModel):
    """A folder of checkpoints, such as ComfyUI's; their ids are NAME/checkpoint."""

    name: str
    path: str


class UserModelRegistry(ApiModel):
    """All added models and installations, in the order in which they were added."""

    schema_version: int = 1
    models: list[UserModel] = []
    installations: list[Installation] = []


def read_registry(data_dir: Path) -> UserModelRegistry:
    """Read the registry of added models. Raises ModelsheetError: the file is damaged."""
    try:
        return UserModelRegistry.model_validate_json((data_dir / REGISTRY_NAME).read_bytes())
    except FileNotFoundError:
        return UserModelRegistry()
    except ValidationError:
        raise ModelsheetError(
            f"{data_dir / REGISTRY_NAME} is damaged. Mend it, or delete it and add your "
            "models again."
        ) from None


def add_model(data_dir: Path, model: UserModel, taken: Sequence[str]) -> None:
    """Add a model. Raises Conflict: another model has that id."""
    with _changing(data_dir) as registry:
        _require_unused(model.id, [*taken, *(each.id for each in registry.models)])
        _write(data_dir, registry.model_copy(update={"models": [*registry.models, model]}))


def add_installation(data_dir: Path, installation: Installation) -> None:
    """Add an installation.

    Raises Conflict: another has that name. InvalidRequest: it has no checkpoints.
    """
    if not checkpoints_of(installation):
        raise InvalidRequest(
            f"There is no checkpoint (.safetensors) in {installation.path}. Name the folder of "
            "ComfyUI, A1111, Forge, StabilityMatrix or SwarmUI, one with checkpoints, or one in "
            "diffusers' layout."
        )
    with _changing(data_dir) as registry:
        _require_unused(installation.name, [each.name for each in registry.installations])
        installations = [*registry.installations, installation]
        _write(data_dir, registry.model_copy(update={"installations": installations}))


def remove_model(data_dir: Path, name: str) -> None:
    """Remove a model or an installation from the registry; its files stay. Raises NotFound."""
    with _changing(data_dir) as registry:
        models = [each for each in registry.models if each.id != name]
        installations = [each for each in registry.installations if each.name != name]
        kept = registry.model_copy(update={"models": models, "installations": installations})
        if kept == registry:
            added = ", ".join(
                [m.id for m in registry.models] + [i.name for i in registry.installations]
            )
            raise NotFound(
                f"{name!r} was not added here, so it cannot be taken off the list. "
                f"Added: {added or 'nothing'}."
            )
        _write(data_dir, kept)


def checkpoints_of(installation: Installation) -> dict[str, Path]:
    """Return the models of an installation by their ids: checkpoints, denoisers in files of their
    own, and folders of a hub cache.
    """
    root = Path(installation.path)
    found = {name: path for name, path in find_checkpoints(root).items() if not _is_companion(path)}
    found = find_denoisers(root) | found
    return {f"{installation.name}/{name}": path for name, path in found.items()}


def _is_companion(path: Path) -> bool:
    """Tell whether a file is a text encoder or autoencoder alone, and so no model."""
    part = part_of(path)
    return part is not None and not part.is_denoiser


def default_name(path: Path) -> str:
    """Derive a model id from the name of a file or folder."""
    name = path.stem if path.is_file() else path.name.removeprefix("models--").replace("--", "-")
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"


def _require_unused(name: str, taken: Sequence[str]) -> None:
    if name in taken:
        raise Conflict(f"There is {name!r} already. Give another name with --name.")


@contextmanager
def _changing(data_dir: Path) -> Iterator[UserModelRegistry]:
    """Yield the registry while no other process or thread changes it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(data_dir / f".{REGISTRY_NAME}.lock"):
        yield read_registry(data_dir)


def _write(data_dir: Path, registry: UserModelRegistry) -> None:
    temporary = data_dir / f".{REGISTRY_NAME}.tmp"
    temporary.write_text(registry.model_dump_json(indent=1), encoding="utf-8")
    os.replace(temporary, data_dir / REGISTRY_NAME)
