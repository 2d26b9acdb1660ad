"""What the user named beside the models in the data folder: single models, and installations of
ComfyUI or A1111. Kept in <data>/models.json; what is named stays where it lies.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from modelsheet.api.types import Model
from modelsheet.errors import Conflict, InvalidRequest, ModelsheetError, NotFound

REGISTRY_NAME = "models.json"
# Where ComfyUI, A1111 with Forge, and a plain folder of models keep their checkpoints.
_SHELVES = ("models/checkpoints", "models/Stable-diffusion", "checkpoints", ".")


class UserModel(Model):
    """One folder or file; `config` is a folder of config files for a checkpoint of another build,
    an empty `prediction_type` is the file's own.
    """

    id: str
    path: str
    config: str = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""


class Installation(Model):
    """A folder of another program; its checkpoints are called NAME/checkpoint."""

    name: str
    path: str


class UserModelRegistry(Model):
    """All that was named, in order."""

    schema_version: int = 1
    models: list[UserModel] = []
    installations: list[Installation] = []


def read_registry(data_dir: Path) -> UserModelRegistry:
    """Raises ModelsheetError: the file is damaged."""
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
    """Raises Conflict: another model has that name."""
    _require_free(model.id, taken)
    registry = read_registry(data_dir)
    _write(data_dir, registry.model_copy(update={"models": [*registry.models, model]}))


def add_installation(data_dir: Path, installation: Installation) -> None:
    """Raises Conflict: another has that name. InvalidRequest: it has no checkpoints."""
    registry = read_registry(data_dir)
    _require_free(installation.name, [each.name for each in registry.installations])
    if not checkpoints_of(installation):
        raise InvalidRequest(
            f"There is no checkpoint (.safetensors) in {installation.path}. Name the folder of "
            "ComfyUI or A1111 that holds “models”."
        )
    installations = [*registry.installations, installation]
    _write(data_dir, registry.model_copy(update={"installations": installations}))


def remove_model(data_dir: Path, name: str) -> None:
    """Take a model or an installation off the list; its files stay. Raises NotFound."""
    registry = read_registry(data_dir)
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
    """The checkpoints of an installation by their ids."""
    root = Path(installation.path)
    for shelf in _SHELVES:
        files = sorted((root / shelf).rglob("*.safetensors") if shelf != "." else root.glob("*.s*"))
        found = {
            f"{installation.name}/{file.relative_to(root / shelf).with_suffix('').as_posix()}": file
            for file in files
            if file.suffix == ".safetensors" and file.is_file()
        }
        if found:
            return found
    return {}


def default_name(path: Path) -> str:
    """Make an id of a file's or folder's name."""
    return (
        re.sub(r"[^\w.-]+", "-", path.stem if path.is_file() else path.name).strip("-") or "model"
    )


def _require_free(name: str, taken: Sequence[str]) -> None:
    if name in taken:
        raise Conflict(f"There is {name!r} already. Give another name with --name.")


def _write(data_dir: Path, registry: UserModelRegistry) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    temporary = data_dir / f".{REGISTRY_NAME}.tmp"
    temporary.write_text(registry.model_dump_json(indent=1), encoding="utf-8")
    os.replace(temporary, data_dir / REGISTRY_NAME)
