"""Single-file checkpoints generate the same images as the same model's folder, offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelsheet.base_models.locate import files_of_user_model
from modelsheet.base_models.single_file import inspect_checkpoint
from modelsheet.base_models.user_models import Installation, UserModel, add_installation, add_model
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import ModelMissing, UnsafeModel
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer
from tests.base_models.single_checkpoint import Tensors, checkpoint_of, write_checkpoint
from tests.base_models.true_architecture import make_pipeline
from tests.sprite_training.archive import write_archive

CPU = torch.device("cpu")
FAMILIES = ("sd15", "sdxl")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both families as folders and as checkpoints, of the same weights."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiles = TileSet.load(write_archive(folder / "tiles.zip"))
    tokenizer = build_tokenizer(tiles, 400, folder / "tokenizer")
    for family in FAMILIES:
        pipeline = make_pipeline(family, tokenizer)
        pipeline.save_pretrained(folder / "folders" / family)
        write_checkpoint(checkpoint_of(pipeline), folder / "comfy" / f"{family}.safetensors")
    return folder


def add(home: Path, data_dir: Path, family: str, **more: str) -> UserModel:
    model = UserModel(
        id="mine",
        path=str(home / "comfy" / f"{family}.safetensors"),
        config=str(home / "folders" / family),
        **more,  # type: ignore[arg-type]
    )
    add_model(data_dir, model, taken=[])
    return model


def outputs(base: BaseModel) -> list[torch.Tensor]:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        embeds = base.encode_prompts(["a photo of an imp"])
        noise = base.predict(latents, torch.tensor([500]), embeds)
        return [embeds.hidden, noise, base.decode_latents(latents)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_gives_what_its_folder_gives(family: str, home: Path, tmp_path: Path) -> None:
    add(home, tmp_path, family)
    add_model(tmp_path, UserModel(id="folder", path=str(home / "folders" / family)), taken=[])

    single = load_base_model("mine", tmp_path, CPU)

    folder = load_base_model("folder", tmp_path, CPU)
    assert single.family == folder.family == family
    torch.testing.assert_close(outputs(single), outputs(folder))
    tokens = [tokenizer("a brave imp").input_ids for tokenizer in single.tokenizers]
    assert tokens == [tokenizer("a brave imp").input_ids for tokenizer in folder.tokenizers]


def test_a_folder_as_it_is_downloaded_loads(home: Path, tmp_path: Path) -> None:
    """In half precision, and without the safety checker that its index lists."""
    folder = tmp_path / "models" / "sd15"
    shutil.copytree(home / "folders" / "sd15", folder)
    for file in list(folder.glob("*/*.safetensors")):
        halves = {key: value.half() for key, value in load_file(file).items()}
        save_file(halves, file.with_suffix(".fp16.safetensors"), metadata={"format": "pt"})
        file.unlink()
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPImageProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index))

    base = load_base_model("sd15", tmp_path, CPU)

    assert base.unet.dtype == base.vae.dtype == torch.float32
    assert base.pipeline.safety_checker is None


def marked(home: Path, family: str, path: Path, markers: Tensors, **metadata: str) -> Path:
    tensors = load_file(home / "comfy" / f"{family}.safetensors")
    return write_checkpoint(tensors | markers, path, **metadata)


def test_what_was_said_of_the_prediction_is_set(home: Path, tmp_path: Path) -> None:
    add(home, tmp_path, "sd15", prediction_type="v_prediction")

    base = load_base_model("mine", tmp_path, CPU)

    assert base.noise_scheduler.config.prediction_type == "v_prediction"


def test_zero_terminal_snr_is_set_where_the_file_is_marked(home: Path, tmp_path: Path) -> None:
    markers = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    path = marked(home, "sdxl", tmp_path / "noob.safetensors", markers)
    config = str(home / "folders" / "sdxl")
    add_model(tmp_path, UserModel(id="noob", path=str(path), config=config), taken=[])

    scheduler = load_base_model("noob", tmp_path, CPU).pipeline.scheduler.config

    assert scheduler.prediction_type == "v_prediction"
    assert scheduler.rescale_betas_zero_snr
    assert scheduler.timestep_spacing == "trailing"


@pytest.fixture
def bare_home(home: Path, tmp_path: Path) -> Path:
    """Return a data folder with a checkpoint and config files, but no vocabulary."""
    for part in ("unet", "vae", "text_encoder"):
        (tmp_path / "configs" / part).mkdir(parents=True)
        source = home / "folders" / "sd15" / part / "config.json"
        (tmp_path / "configs" / part / "config.json").write_bytes(source.read_bytes())
    for name in ("model_index.json", "scheduler/scheduler_config.json"):
        target = tmp_path / "configs" / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((home / "folders" / "sd15" / name).read_bytes())
    model = UserModel(
        id="mine",
        path=str(home / "comfy" / "sd15.safetensors"),
        config=str(tmp_path / "configs"),
    )
    add_model(tmp_path, model, taken=[])
    return tmp_path


def test_without_a_vocabulary_it_is_said_where_to_get_one(bare_home: Path) -> None:
    with pytest.raises(ModelMissing, match="CLIP's vocabulary.*modelsheet models download clip"):
        load_base_model("mine", bare_home, CPU)


@pytest.mark.parametrize("place", ["comfy/sd1_tokenizer", "backend/huggingface/a/b/tokenizer"])
def test_the_vocabulary_of_comfyui_or_forge_is_taken(
    place: str, bare_home: Path, home: Path
) -> None:
    program = bare_home / "program"
    (program / place).mkdir(parents=True)
    for name in ("vocab.json", "merges.txt"):
        (program / place / name).write_bytes((home / "tokenizer" / name).read_bytes())
    checkpoint = program / "models" / "checkpoints" / "other.safetensors"
    write_checkpoint({"x": torch.zeros(1)}, checkpoint)
    add_installation(bare_home, Installation(name="program", path=str(program)))

    base = load_base_model("mine", bare_home, CPU)

    assert base.tokenizers[0].tokenize("imp")


@pytest.mark.parametrize(
    "lost",
    [
        "model.diffusion_model.middle_block.0.in_layers.2.weight",
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.norm2.bias",
        "model.diffusion_model.out.0.weight",
        "first_stage_model.decoder.up.0.block.1.norm1.weight",
        "first_stage_model.encoder.mid.attn_1.q.bias",
        "first_stage_model.post_quant_conv.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.3.layer_norm1.weight",
    ],
)
def test_a_checkpoint_that_lacks_weights_is_refused(lost: str, home: Path, tmp_path: Path) -> None:
    tensors = load_file(home / "comfy" / "sd15.safetensors")
    del tensors[lost]
    path = write_checkpoint(tensors, tmp_path / "half.safetensors")

    with pytest.raises(UnsafeModel, match=rf"is not whole: it lacks the weight {lost}"):
        inspect_checkpoint(path)


@pytest.mark.parametrize("lost", ["first_stage_model.encoder.down.1.block.1.", "middle_block.2."])
def test_a_checkpoint_that_lacks_a_whole_block_is_refused(
    lost: str, home: Path, tmp_path: Path
) -> None:
    tensors = load_file(home / "comfy" / "sd15.safetensors")
    kept = {key: value for key, value in tensors.items() if lost not in key}
    path = write_checkpoint(kept, tmp_path / "half.safetensors")
    model = UserModel(id="half", path=str(path), config=str(home / "folders" / "sd15"))
    add_model(tmp_path, model, taken=[])

    with pytest.raises(UnsafeModel, match="is not whole"):
        load_base_model("half", tmp_path, CPU)


def test_a_checkpoint_with_nan_is_refused(home: Path, tmp_path: Path) -> None:
    tensors = load_file(home / "comfy" / "sd15.safetensors")
    tensors["model.diffusion_model.out.2.weight"][0, 0, 0, 0] = float("nan")
    path = write_checkpoint(tensors, tmp_path / "nan.safetensors")
    model = UserModel(id="nan", path=str(path), config=str(home / "folders" / "sd15"))
    add_model(tmp_path, model, taken=[])

    with pytest.raises(UnsafeModel, match=r"NaN or infinite.*unet, conv_out.weight"):
        load_base_model("nan", tmp_path, CPU)


def test_names_of_2022_load_as_todays(home: Path, tmp_path: Path) -> None:
    tensors = load_file(home / "comfy" / "sd15.safetensors")
    stem = "cond_stage_model.transformer."
    old = {key.replace(f"{stem}text_model.", stem): value for key, value in tensors.items()}
    path = write_checkpoint(old, tmp_path / "old.safetensors")
    config = str(home / "folders" / "sd15")
    add_model(tmp_path, UserModel(id="old", path=str(path), config=config), taken=[])
    add(home, tmp_path, "sd15")

    for one, other in zip(
        outputs(load_base_model("old", tmp_path, CPU)),
        outputs(load_base_model("mine", tmp_path, CPU)),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_a_distilled_checkpoint_asks_for_its_config_files(home: Path, tmp_path: Path) -> None:
    tensors = load_file(home / "comfy" / "sdxl.safetensors")
    block = "middle_block.1.transformer_blocks.9."
    kept = {key: value for key, value in tensors.items() if block not in key}
    path = write_checkpoint(kept, tmp_path / "distilled.safetensors")

    assert not inspect_checkpoint(path).is_standard
    with pytest.raises(UnsafeModel, match="distilled.*--config"):
        files_of_user_model(UserModel(id="distilled", path=str(path)), tmp_path)


def test_a_checkpoint_of_another_build_needs_its_config_files(home: Path, tmp_path: Path) -> None:
    path = str(home / "comfy" / "sd15.safetensors")
    add_model(tmp_path, UserModel(id="narrow", path=path), taken=[])

    with pytest.raises(UnsafeModel, match="not built like other models of sd15.*--config"):
        load_base_model("narrow", tmp_path, CPU)
