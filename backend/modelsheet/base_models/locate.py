"""Catalogue of base models: find one by its id, and check whether it is on this machine.

Reads folders and headers only, without torch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from modelsheet.api.models import BaseModelView
from modelsheet.api.types import Family
from modelsheet.base_models import diffusers_folder, part_files, single_file
from modelsheet.base_models.diffusers_folder import MODEL_INDEX
from modelsheet.base_models.families import FAMILIES, STANDARD_MODELS
from modelsheet.base_models.ip_adapter import find_ip_adapter, references_note
from modelsheet.base_models.user_models import UserModel, checkpoints_of, read_registry
from modelsheet.errors import InvalidRequest, ModelMissing, ModelsheetError, NotFound, UnsafeModel

_log = logging.getLogger(__name__)
DEFAULT_BASE_MODEL = "sprite32"
CHECKPOINT_CONFIGS = Path(__file__).parent / "configs"
SPRITE32_WEIGHTS = Path(__file__).parent / "weights" / "sprite32"


@dataclass(frozen=True)
class BaseModelFiles:
    """Files of a base model: `path` is a folder in diffusers' layout, a single-file checkpoint, or
    a denoiser's file, whose `text_encoder` and `vae` are files of their own.

    The config files of a checkpoint are in `configs`. An empty `prediction_type` is the one in the
    model's own config.
    """

    id: str
    family: Family
    path: Path
    configs: Path
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""
    has_zero_snr: bool = False
    text_encoder: Path | None = None
    vae: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files, or the folder."""
        return tuple(each for each in (self.path, self.text_encoder, self.vae) if each is not None)

    @property
    def is_single_file(self) -> bool:
        return self.path != self.configs


def list_base_models(data_dir: Path) -> list[BaseModelView]:
    """Return all base models: the standard ones, the embedded one first, then the user's."""
    standard = [
        _view(name, family, data_dir, partial(_standard_model, name, data_dir))
        for name, family in STANDARD_MODELS.items()
    ]
    added = _user_models(data_dir).items()
    return standard + [
        _view(each, None, data_dir, partial(files_of_user_model, model, data_dir))
        for each, model in added
    ]


def base_model_ids(data_dir: Path) -> list[str]:
    """Return the ids of all base models, standard and user-added."""
    return [*STANDARD_MODELS, *_user_models(data_dir)]


def locate_base_model(model_id: str, data_dir: Path) -> BaseModelFiles:
    """Return a base model's files by its id, without reading the weights.

    Raises ModelMissing with what to do when they are missing, NotFound for an unknown id,
    UnsafeModel for a file that is no base model.
    """
    if model_id in STANDARD_MODELS:
        return _standard_model(model_id, data_dir)
    added = _user_models(data_dir).get(model_id)
    if added is None:
        known = ", ".join(each.id for each in list_base_models(data_dir) if each.available)
        raise NotFound(f"There is no base model {model_id!r}. Choose one of: {known}.")
    return files_of_user_model(added, data_dir)


def files_of_user_model(model: UserModel, data_dir: Path) -> BaseModelFiles:
    """Return the files of a model that the user added. Raises ModelMissing, UnsafeModel."""
    path = Path(model.path)
    if path.is_dir():
        return BaseModelFiles(
            model.id, diffusers_folder.family_of_folder(path), path, path, model.prediction_type
        )
    if not path.is_file():
        raise ModelMissing(
            f"{path}, which {model.id} stands for, is no longer there. Put it back, or take it "
            f"off the list with: modelsheet models remove {model.id}"
        )
    part = part_files.part_of(path)
    if part is not None and part.is_denoiser:
        return _files_of_parts(model, part.family, data_dir)
    found = single_file.inspect_checkpoint(path)
    if not found.is_standard and not model.config:
        raise UnsafeModel(
            f"{path.name} is built otherwise than the standard models of its family: a distilled "
            "one, for example SSD-1B. Add it with --config and a folder of its config files: unet, "
            "vae, text_encoder and scheduler in diffusers' layout."
        )
    return BaseModelFiles(
        id=model.id,
        family=found.family,
        path=path,
        configs=Path(model.config) if model.config else CHECKPOINT_CONFIGS / found.family,
        prediction_type=model.prediction_type or found.prediction_type,
        has_zero_snr=found.has_zero_snr,
    )


def _files_of_parts(model: UserModel, family: Family, data_dir: Path) -> BaseModelFiles:
    """Return the files of a model whose parts are separate. Raises ModelMissing: one is lacking."""
    path = Path(model.path)
    installations = [Path(each.path) for each in read_registry(data_dir).installations]
    configs = Path(model.config) if model.config else CHECKPOINT_CONFIGS / family
    companions = part_files.find_companions(path, family, installations)
    return BaseModelFiles(
        id=model.id,
        family=family,
        path=path,
        configs=configs,
        text_encoder=companions["text_encoder"],
        vae=companions["vae"],
    )


def check_base_model(files: BaseModelFiles) -> None:
    """Check that a base model is complete and safe to load. Raises ModelMissing, UnsafeModel."""
    if not files.is_single_file:
        diffusers_folder.check_folder(files.path)


def view_of_base_model(model_id: str, models: Sequence[BaseModelView]) -> BaseModelView:
    """Return the view of one of the `models`. Raises NotFound: it is not among them."""
    for one in models:
        if one.id == model_id:
            return one
    raise NotFound(f"There is no base model {model_id!r}.")


def family_of_base_model(model_id: str, models: Sequence[BaseModelView]) -> Family:
    """Return the family of one of the `models`.

    Raises NotFound: it is not among them. ModelMissing: it cannot be read.
    """
    view = view_of_base_model(model_id, models)
    if view.family is None:
        raise ModelMissing(f"The base model {model_id} cannot be used: {view.note}")
    return view.family


def painting_model(model_id: str, models: Sequence[BaseModelView]) -> str:
    """Return the model that paints subjects of this one: its distilled twin, or itself."""
    family = next((one.family for one in models if one.id == model_id), None)
    if family is None or not FAMILIES[family].shares_adapters:
        return model_id
    twins = (one.id for one in models if one.family == family and one.is_distilled)
    own = (one.id for one in models if one.id == model_id and one.is_distilled)
    return next(chain(own, twins), model_id)


def _standard_model(model_id: str, data_dir: Path) -> BaseModelFiles:
    """Return the files of a standard model.

    sprite32 is in this package, the others are in `data_dir`/models. Raises ModelMissing.
    """
    folder = data_dir / "models" / model_id
    if model_id == DEFAULT_BASE_MODEL:
        folder = SPRITE32_WEIGHTS
    if not (folder / MODEL_INDEX).is_file():
        raise ModelMissing(_missing_sentence(model_id, folder))
    return BaseModelFiles(model_id, STANDARD_MODELS[model_id], folder, folder)


def _missing_sentence(model_id: str, folder: Path) -> str:
    if model_id == DEFAULT_BASE_MODEL:
        return f"The weights of {model_id} are missing from {folder}; install Modelsheet again."
    return (
        f"{model_id} is not installed. Get it with: modelsheet models download {model_id}, or put "
        f"it, in diffusers' folder layout, at {folder}, or add one you have with: modelsheet "
        "models add"
    )


def _user_models(data_dir: Path) -> dict[str, UserModel]:
    registry = read_registry(data_dir)
    models = {model.id: model for model in registry.models}
    for installation in registry.installations:
        try:
            found = checkpoints_of(installation)
        except InvalidRequest as error:  # it has grown since it was added
            _log.warning("The installation %s is left out: %s", installation.name, error)
            continue
        for model_id, path in found.items():
            models.setdefault(model_id, UserModel(id=model_id, path=str(path)))
    return models


def _view(
    model_id: str, family: Family | None, data_dir: Path, find: Callable[[], BaseModelFiles]
) -> BaseModelView:
    """Return the view of a base model; `family` is that of one which is not there."""
    note = missing = ""
    is_distilled = False
    try:
        files = find()
        family = files.family
        check_base_model(files)
        is_distilled = _is_distilled(files)
        found = find_ip_adapter(family, files.configs, data_dir)
        missing = references_note(model_id, family, found)
    except ModelsheetError as error:
        note = missing = str(error)
    return BaseModelView(
        id=model_id,
        family=family,
        resolution=FAMILIES[family].resolution if family else 0,
        available=not note,
        note=note,
        samplers=list(FAMILIES[family].samplers) if family else [],
        tiles_seamlessly=family is not None and FAMILIES[family].tiles_seamlessly,
        is_distilled=is_distilled,
        takes_references=not missing,
        references_note=missing,
    )


def _is_distilled(files: BaseModelFiles) -> bool:
    if files.vae is not None:
        return part_files.is_distilled(files.path)
    return not files.is_single_file and diffusers_folder.is_distilled(files.path)
