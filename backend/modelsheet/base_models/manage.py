"""List, add and remove models for the API, without loading one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from modelsheet.api.models import AddModelRequest, BaseModelView, Downloadable, ModelList, ModelView
from modelsheet.base_models import single_file, user_models
from modelsheet.base_models.diffusers_folder import MODEL_INDEX, size_of
from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.installation_folders import hub_snapshot
from modelsheet.base_models.locate import (
    DEFAULT_BASE_MODEL,
    BaseModelFiles,
    base_model_ids,
    check_base_model,
    files_of_user_model,
    list_base_models,
    locate_base_model,
)
from modelsheet.base_models.user_models import Installation, UserModel, default_name
from modelsheet.errors import InvalidRequest, ModelsheetError
from modelsheet.files.safetensors_file import read_header

_SPRITE32_LICENCE = "Apache-2.0; trained on CC0 tiles"
_UNKNOWN_LICENCE = "its maker's; look there"
# Models that are no base model, and their use.
_AUXILIARY_MODELS: Mapping[Downloadable, tuple[Literal["naming", "matting"], str]] = {
    "clip": ("naming", "SD 1.5 and SDXL need it to learn: it names and compares."),
    "matting": ("matting", "It cuts figures out of backgrounds that are not flat."),
}


def list_models(data_dir: Path) -> ModelList:
    """Return base models, naming CLIP and matting model with state, size and licence."""
    views = [_base_view(base, data_dir) for base in list_base_models(data_dir)]
    return ModelList(
        models=[*views, *(_auxiliary_view(name, data_dir) for name in _AUXILIARY_MODELS)]
    )


def add_models(request: AddModelRequest, data_dir: Path) -> ModelList:
    """Add a model, or an installation with all its checkpoints, and return the added models.

    Raises InvalidRequest, Conflict, ModelMissing, UnsafeModel: why it cannot be added.
    """
    path = _existing(request.path)
    path = hub_snapshot(path) or path
    is_model = not path.is_dir() or (path / MODEL_INDEX).is_file() or (path / "unet").is_dir()
    if not is_model:
        return _add_installation(path, request, data_dir)
    model = UserModel(
        id=request.name or default_name(Path(os.path.expanduser(request.path))),
        path=str(path),
        config=request.config,
        prediction_type=request.prediction_type,
    )
    _check_config(request, path)
    check_base_model(files_of_user_model(model, data_dir))
    user_models.add_model(data_dir, model, base_model_ids(data_dir))
    return _views_of({model.id}, data_dir)


def _existing(given: str) -> Path:
    """Return a whole path that exists. Raises InvalidRequest: it does not, or cannot be read."""
    path = Path(os.path.expanduser(given))  # pathlib's raises where there is no such user
    try:
        exists = path.is_absolute() and (path.stat() is not None)
        if exists and path.is_dir():
            os.listdir(path)
    except PermissionError as error:
        raise InvalidRequest(
            f"{path} cannot be read ({error.strerror}). Give the service's user the right to read "
            "it and the folders above it."
        ) from None
    except OSError:
        exists = False
    if not exists:
        raise InvalidRequest(
            f"There is no {path} on the service's machine. Give the whole path of a folder or of a "
            ".safetensors file."
        )
    return path


def remove_user_model(name: str, data_dir: Path) -> None:
    """Remove an added model or installation from the list. Raises NotFound: none of that name."""
    user_models.remove_model(data_dir, name)


def _add_installation(path: Path, request: AddModelRequest, data_dir: Path) -> ModelList:
    installation = Installation(name=request.name or default_name(path), path=str(path))
    user_models.add_installation(data_dir, installation)
    return _views_of(set(user_models.checkpoints_of(installation)), data_dir)


def _views_of(ids: set[str], data_dir: Path) -> ModelList:
    return ModelList(models=[each for each in list_models(data_dir).models if each.id in ids])


def _check_config(request: AddModelRequest, path: Path) -> None:
    if not request.config:
        return
    denoisers = {facts.components[0] for facts in FAMILIES.values()}
    configs = [Path(request.config) / each / "config.json" for each in denoisers]
    if path.is_dir() or not any(each.is_file() for each in configs):
        raise InvalidRequest(
            "Config files are for a single checkpoint: give a folder in diffusers' layout with "
            "unet/config.json and the like, or leave it out."
        )


def _base_view(base: BaseModelView, data_dir: Path) -> ModelView:
    files = _files(base.id, data_dir)
    source = next((DOWNLOAD_SOURCES[key] for key in DOWNLOAD_SOURCES if key == base.id), None)
    is_missing = files is None and source is not None
    size = source.size_bytes if source and files is None else 0
    return ModelView(
        id=base.id,
        kind="base",
        family=base.family,
        state="ready" if base.available else "missing" if is_missing else "faulty",
        path=str(files.path) if files else "",
        size_bytes=sum(map(size_of, files.paths)) if files else size,
        licence=source.licence if source else _licence(files),
        note=base.note,
    )


def _files(model_id: str, data_dir: Path) -> BaseModelFiles | None:
    try:
        return locate_base_model(model_id, data_dir)
    except ModelsheetError:
        return None


def _licence(files: BaseModelFiles | None) -> str:
    if files is not None and files.id == DEFAULT_BASE_MODEL:
        return _SPRITE32_LICENCE
    if files is not None and files.is_single_file:
        if files.vae is not None:
            metadata = read_header(files.path).metadata
            return metadata.get(single_file.LICENCE_KEY) or _UNKNOWN_LICENCE
        return single_file.inspect_checkpoint(files.path).licence or _UNKNOWN_LICENCE
    return _UNKNOWN_LICENCE


def _auxiliary_view(name: Downloadable, data_dir: Path) -> ModelView:
    kind, use = _AUXILIARY_MODELS[name]
    source = DOWNLOAD_SOURCES[name]
    folder = source.target(data_dir)
    is_there = (folder / source.mark).is_file()
    return ModelView(
        id=name,
        kind=kind,
        state="ready" if is_there else "missing",
        path=str(folder) if is_there else "",
        size_bytes=size_of(folder) if is_there else source.size_bytes,
        licence=source.licence,
        note="" if is_there else use,
    )
