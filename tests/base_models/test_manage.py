"""Models are listed by their files on disk, added and removed, without loading one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelsheet.api.models import AddModelRequest, ModelView
from modelsheet.base_models import installation_folders
from modelsheet.base_models.checkpoint_weights import STANDARD_DEPTHS, missing_weight
from modelsheet.base_models.diffusers_folder import variant_of
from modelsheet.base_models.locate import (
    family_of_base_model,
    list_base_models,
    locate_base_model,
)
from modelsheet.base_models.manage import add_models, list_models, remove_user_model
from modelsheet.errors import Conflict, InvalidRequest, ModelMissing, ModelsheetError, NotFound
from modelsheet.files.safetensors_file import encode_safetensors

UNET = "model.diffusion_model."
Shapes = dict[str, tuple[int, ...]]


def whole(family: str) -> Shapes:
    """Return all weights that a checkpoint of the family needs, tiny."""
    shapes: Shapes = {}
    for level, depth in STANDARD_DEPTHS[family].items():
        inner = "" if level.startswith("middle") else ".1"
        blocks = (f"{level}{inner}.transformer_blocks.{index}" for index in range(depth))
        shapes |= {f"{UNET}{block}.norm1.weight": (1,) for block in blocks}
    while missing := missing_weight(shapes):
        shapes[missing] = (1,)
    return shapes


SD15 = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (8, 4),
    **whole("sd15"),
}
SDXL = {
    f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
    f"{UNET}label_emb.0.0.weight": (4, 4),
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": (4,),
    "conditioner.embedders.1.model.ln_final.weight": (4,),
    **whole("sdxl"),
}


def checkpoint(path: Path, shapes: Shapes, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key: np.zeros(shape, np.float16) for key, shape in shapes.items()}
    path.write_bytes(encode_safetensors(tensors, metadata))
    return path


def folder(path: Path, **index: object) -> Path:
    """Write a model's folder with tiny but complete weights."""
    parts = {part: ["diffusers", part] for part in ("unet", "vae", "text_encoder")}
    for part in ("unet", "vae", "text_encoder"):
        (path / part).mkdir(parents=True)
        (path / part / "config.json").write_text("{}")
        checkpoint(path / part / "model.safetensors", {"x": (4,)})
    for name in ("tokenizer/tokenizer.json", "scheduler/scheduler_config.json"):
        (path / name).parent.mkdir()
        (path / name).write_text("{}")
    (path / "model_index.json").write_text(json.dumps({**parts, **index}))
    return path


def add(data_dir: Path, path: Path, **more: str) -> list[ModelView]:
    return add_models(AddModelRequest(path=str(path), **more), data_dir).models  # type: ignore[arg-type]


def test_a_checkpoint_is_listed_with_family_size_and_licence(tmp_path: Path) -> None:
    licence = {"modelspec.license": "Fair AI"}
    path = checkpoint(tmp_path / "else" / "Dream Shaper.safetensors", SDXL, **licence)

    (view,) = add(tmp_path, path)

    assert view == ModelView(
        id="Dream-Shaper",
        kind="base",
        family="sdxl",
        state="ready",
        path=str(path),
        size_bytes=path.stat().st_size,
        licence="Fair AI",
    )
    assert view in list_models(tmp_path).models
    assert [model.id for model in list_base_models(tmp_path)][-1] == "Dream-Shaper"


@pytest.mark.parametrize("shelf", ["models/checkpoints", "models/Stable-diffusion/sub", "."])
def test_all_checkpoints_of_an_installation_are_listed(shelf: str, tmp_path: Path) -> None:
    program = tmp_path / "ComfyUI"
    checkpoint(program / shelf / "one.safetensors", SD15)
    checkpoint(program / shelf / "two.safetensors", SDXL)
    checkpoint(program / shelf / "flux.safetensors", {"double_blocks.0.x": (2,)})

    views = {view.id.rpartition("/")[2]: view for view in add(tmp_path, program)}

    assert {name: (view.family, view.state) for name, view in views.items() if name != "flux"} == {
        "one": ("sd15", "ready"),
        "two": ("sdxl", "ready"),
    }
    assert (views["flux"].state, views["flux"].family) == ("faulty", None)
    assert "no checkpoint of SD 1.5 or SDXL" in views["flux"].note
    listed = list_base_models(tmp_path)
    flux = next(each for each in listed if each.id == views["flux"].id)
    assert (flux.family, flux.resolution, flux.available) == (None, 0, False)
    with pytest.raises(ModelMissing, match="cannot be used: .*no checkpoint of SD 1.5 or SDXL"):
        family_of_base_model(flux.id, listed)
    assert all(view.id.startswith("ComfyUI/") for view in views.values())


def test_a_whole_disk_is_no_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    checkpoint(program / "checkpoints" / "one.safetensors", SD15)
    add(tmp_path, program)
    for number in range(4):
        (program / "checkpoints" / f"{number}").mkdir()
    monkeypatch.setattr(installation_folders, "_MOST_FOLDERS", 4)

    with pytest.raises(InvalidRequest, match="more than 4 folders. Name the one with the models"):
        add(tmp_path, program, name="again")
    assert not [one for one in list_base_models(tmp_path) if "/" in one.id]  # the list goes on


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "~nobody-of-this-name"])
def test_a_home_of_nobody_is_a_sentence(path: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=f"There is no {path} on the service's machine"):
        add_models(AddModelRequest(path=path), tmp_path)


@pytest.mark.parametrize(
    "shelf",
    [
        "Models/StableDiffusion",
        "Data/Models/StableDiffusion",
        "Models/Stable-Diffusion",
        "ComfyUI/models/checkpoints",
        "webui/models/Stable-diffusion",
        "anime/old",
    ],
)
def test_every_programs_folders_are_found(shelf: str, tmp_path: Path) -> None:
    checkpoint(tmp_path / "program" / shelf / "one.SAFETENSORS", SD15)
    checkpoint(tmp_path / "program" / shelf / "one.vae.safetensors", {"decoder.conv_in.x": (2,)})
    checkpoint(tmp_path / "program" / "loras" / "two.safetensors", {"x.lora_up.weight": (2,)})

    (view,) = add(tmp_path, tmp_path / "program")

    assert (view.state, view.id.rpartition("/")[2]) == ("ready", "one")


def test_links_to_other_disks_are_followed(tmp_path: Path) -> None:
    checkpoint(tmp_path / "disk" / "xl" / "one.safetensors", SDXL)
    shelf = tmp_path / "ComfyUI" / "models" / "checkpoints"
    checkpoint(shelf / "two.safetensors", SD15)
    (shelf / "SDXL").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "round").symlink_to(tmp_path / "disk")

    views = add(tmp_path, tmp_path / "ComfyUI")

    assert {view.id for view in views} == {"ComfyUI/SDXL/xl/one", "ComfyUI/two"}


def test_folders_that_comfyui_shares_are_found(tmp_path: Path) -> None:
    checkpoint(tmp_path / "a1111" / "models" / "Stable-diffusion" / "one.safetensors", SD15)
    checkpoint(tmp_path / "more" / "two.safetensors", SD15)
    (tmp_path / "ComfyUI").mkdir()
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(
        f"a111:\n  base_path: {tmp_path}/a1111\n  checkpoints: models/Stable-diffusion\n"
        "comfyui:\n  base_path: ..\n  checkpoints: |\n    more\n    missing\n  loras: x\n"
        "other: 3\n"
    )

    views = add(tmp_path, tmp_path / "ComfyUI")

    assert {view.id for view in views} == {"ComfyUI/one", "ComfyUI/two"}


def test_a_damaged_list_of_shared_folders_is_passed_over(tmp_path: Path) -> None:
    program = tmp_path / "ComfyUI"
    checkpoint(program / "models" / "checkpoints" / "one.safetensors", SD15)
    (program / "extra_model_paths.yaml").write_text("a: [\n!!python/object:x {}")

    assert [view.id for view in add(tmp_path, program)] == ["ComfyUI/one"]


def test_models_of_a_hub_cache_are_found(tmp_path: Path) -> None:
    model = tmp_path / "hub" / "models--org--model"
    folder(model / "snapshots" / "abc")
    (model / "snapshots" / "older").mkdir()
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("abc")

    (one,) = add(tmp_path, model)
    (other,) = add(tmp_path, tmp_path / "hub", name="hub")

    assert (one.id, one.state) == ("org-model", "ready")
    assert one.path.endswith("snapshots/abc")
    assert (other.id, other.state) == ("hub/org/model", "ready")


def test_an_unreadable_folder_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder(tmp_path / "mine")
    listdir = os.listdir

    def guarded(which: Path) -> list[str]:
        if which == path / "unet":
            raise PermissionError(13, "Permission denied")
        return listdir(which)

    monkeypatch.setattr(os, "listdir", guarded)
    with pytest.raises(ModelMissing, match="unet cannot be read .Permission denied"):
        add(tmp_path, path)


def test_a_file_in_an_unreadable_folder_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(InvalidRequest, match="cannot be read .Permission denied.*right to read"):
        add(tmp_path, tmp_path / "locked" / "in.safetensors")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine")
    (path / "unet" / "model.safetensors").unlink()
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    checkpoint(path / "unet" / shards["a"], {"a": (2,)})
    index = path / "unet" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))

    with pytest.raises(ModelMissing, match="lacks model-00002-of-00002"):
        add(tmp_path, path)
    checkpoint(path / "unet" / shards["b"], {"b": (2,)})

    assert add(tmp_path, path)[0].state == "ready"


def test_the_variant_is_one_that_every_part_has(tmp_path: Path) -> None:
    path = folder(tmp_path / "mine")
    assert variant_of(path) is None
    checkpoint(path / "unet" / "model.fp16.safetensors", {"x": (4,)})
    assert variant_of(path) is None
    (path / "vae" / "model.safetensors").rename(path / "vae" / "model.fp16.safetensors")
    assert variant_of(path) == "fp16"
    (path / "unet" / "model.fp16.safetensors").unlink()
    assert variant_of(path) == "fp16"
    (path / "unet" / "model.safetensors").rename(path / "unet" / "model.bf16.safetensors")

    with pytest.raises(ModelMissing, match="do not go together: bf16, fp16, the plain"):
        add(tmp_path, path)


def test_a_checkpoint_that_is_put_in_later_is_listed_too(tmp_path: Path) -> None:
    program = tmp_path / "a1111"
    checkpoint(program / "models/Stable-diffusion/one.safetensors", SD15)
    add(tmp_path, program, name="forge")
    checkpoint(program / "models/Stable-diffusion/two.safetensors", SD15)

    assert {view.id for view in list_base_models(tmp_path)} >= {"forge/one", "forge/two"}


def test_what_was_named_can_be_taken_off_and_stays_on_the_disk(tmp_path: Path) -> None:
    path = folder(tmp_path / "else" / "mine")
    (view,) = add(tmp_path, path)
    assert (view.id, view.family, view.state) == ("mine", "sd15", "ready")

    remove_user_model("mine", tmp_path)

    assert "mine" not in {view.id for view in list_models(tmp_path).models}
    assert (path / "model_index.json").is_file()
    with pytest.raises(NotFound, match="was not added"):
        remove_user_model("mine", tmp_path)


def test_one_name_stands_for_one_model(tmp_path: Path) -> None:
    add(tmp_path, folder(tmp_path / "mine"))

    with pytest.raises(Conflict, match="--name"):
        add(tmp_path, folder(tmp_path / "else" / "mine"))
    with pytest.raises(Conflict, match="--name"):
        add(tmp_path, folder(tmp_path / "third"), name="sd15")


@pytest.mark.parametrize(
    ("markers", "metadata", "settings", "expected"),
    [
        ({}, {}, "", ("", False)),
        ({"v_pred": (0,)}, {}, "", ("v_prediction", False)),
        ({"v_pred": (0,), "ztsnr": (0,)}, {}, "", ("v_prediction", True)),
        ({}, {"modelspec.prediction_type": "v"}, "", ("v_prediction", False)),
        ({}, {"modelspec.prediction_type": "epsilon"}, "", ("", False)),
        ({}, {}, 'model:\n  params:\n    parameterization: "v"\n', ("v_prediction", False)),
        ({}, {}, "model:\n  params:\n    parameterization: eps\n", ("", False)),
    ],
)
def test_what_a_checkpoint_predicts_is_read_from_it(
    markers: Shapes,
    metadata: dict[str, str],
    settings: str,
    expected: tuple[str, bool],
    tmp_path: Path,
) -> None:
    path = checkpoint(tmp_path / "x.safetensors", SD15 | markers, **metadata)
    if settings:
        path.with_suffix(".yaml").write_text(settings)
    add(tmp_path, path)

    files = locate_base_model("x", tmp_path)

    assert (files.prediction_type, files.has_zero_snr) == expected


def without(shapes: Shapes, start: str) -> Shapes:
    return {key: shape for key, shape in shapes.items() if not key.startswith(start)}


EDM = {**SDXL, "edm_vpred.sigma_max": ()}
INPAINTING = SD15 | {f"{UNET}input_blocks.0.0.weight": (320, 9, 3, 3)}
SD2 = without(SD15, "cond_stage") | {"cond_stage_model.model.ln_final.weight": (4,)}
REFUSED: dict[str, tuple[Shapes, str]] = {
    "UNet alone": (without(SD15, "cond_stage"), "has no text encoder"),
    "half of SDXL": (without(SDXL, "conditioner.embedders.1"), "has no text encoder"),
    "no VAE": (without(SD15, "first_stage"), r"has no autoencoder \(VAE\)"),
    "CosXL": (EDM, r"another kind of noise \(EDM\)"),
    "inpainting": (INPAINTING, "made for inpainting"),
    "SD 2": (SD2, "is a Stable Diffusion 2"),
    "SD 2 by Hugging Face's names": (
        SD15 | {f"{UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024)},
        "is a Stable Diffusion 2",
    ),
    "LoRA": ({"lora_unet_x.lora_up.weight": (2, 2)}, "is a LoRA, no base model"),
    "something else": ({"x": (2,)}, "is no checkpoint of SD 1.5 or SDXL"),
}


@pytest.mark.parametrize(("shapes", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_no_base_model_is_refused(
    shapes: Shapes, sentence: str, tmp_path: Path
) -> None:
    path = checkpoint(tmp_path / "x.safetensors", shapes)

    with pytest.raises(ModelsheetError, match=sentence):
        add(tmp_path, path)

    assert "x" not in {view.id for view in list_models(tmp_path).models}


def spoil_index(path: Path) -> None:
    (path / "model_index.json").write_text("{")


def no_text_encoder(path: Path) -> None:
    index = json.loads((path / "model_index.json").read_text())
    (path / "model_index.json").write_text(json.dumps({**index, "text_encoder": [None, None]}))


def pickle_under_another_name(path: Path) -> None:
    (path / "unet" / "model.safetensors").write_bytes(b"\x80\x02}q\x00." + b"\0" * 90)


def only_pickles(path: Path) -> None:
    (path / "vae" / "model.safetensors").rename(path / "vae" / "pytorch_model.bin")


def cut_off(path: Path) -> None:
    file = path / "text_encoder" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def no_weights(path: Path) -> None:
    (path / "unet" / "model.safetensors").unlink()


def no_vocabulary(path: Path) -> None:
    (path / "tokenizer" / "tokenizer.json").unlink()


def no_scheduler(path: Path) -> None:
    (path / "scheduler" / "scheduler_config.json").unlink()


SCHEDULE = "scheduler/scheduler_config.json"


def saying(file: str, **config: object) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        (path / file).write_text(json.dumps(config))

    return spoil


SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "index": (spoil_index, "model_index.json cannot be read"),
    "no text encoder": (no_text_encoder, "has no text encoder"),
    "pickle named safetensors": (pickle_under_another_name, "model.safetensors is a pickle"),
    "pickles": (only_pickles, "has its weights only as a pickle"),
    "cut off": (cut_off, "text encoder in .* cannot be used: .* is cut off: 1 of 8 bytes"),
    "no weights": (no_weights, "there is no UNet"),
    "no vocabulary": (no_vocabulary, "has no vocabulary"),
    "no scheduler": (no_scheduler, "is missing or damaged"),
    "EDM": (saying(SCHEDULE, _class_name="EDMEulerScheduler"), "another kind of noise"),
    "says x_0": (saying(SCHEDULE, prediction_type="sample"), "another kind of noise"),
    "inpainting": (saying("unet/config.json", in_channels=9), "made for inpainting"),
    "SD 2": (saying("unet/config.json", cross_attention_dim=1024), "is a Stable Diffusion 2"),
}


@pytest.mark.parametrize(("spoil", "sentence"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_folder_is_one_clear_sentence(
    spoil: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    path = folder(tmp_path / "models" / "sd15")
    assert list_base_models(tmp_path)[1].available
    spoil(path)

    view = list_base_models(tmp_path)[1]

    assert not view.available
    with pytest.raises(ModelsheetError, match=sentence):
        raise ModelsheetError(view.note)
    with pytest.raises(ModelsheetError, match=sentence):
        add(tmp_path, path, name="mine")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for path in ("/none/at/all", "relative"):
        with pytest.raises(InvalidRequest, match="Give the whole path"):
            add(tmp_path, Path(path))
    with pytest.raises(InvalidRequest, match="There is no checkpoint"):
        add(tmp_path, tmp_path)
    pickled = tmp_path / "old.ckpt"
    pickled.write_bytes(b"PK")
    with pytest.raises(ModelsheetError, match=r"no \.safetensors file"):
        add(tmp_path, pickled)


def test_a_model_that_went_away_is_said(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "x.safetensors", SD15)
    add(tmp_path, path)
    path.unlink()

    view = list_base_models(tmp_path)[-1]

    assert (view.id, view.available) == ("x", False)
    assert "modelsheet models remove x" in view.note


def test_a_damaged_list_is_said_and_kept(tmp_path: Path) -> None:
    (tmp_path / "models.json").write_text("{")

    with pytest.raises(ModelsheetError, match=r"models\.json is damaged"):
        list_base_models(tmp_path)
    assert (tmp_path / "models.json").read_text() == "{"
