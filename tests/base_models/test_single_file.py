"""Single-file checkpoints generate the same images as the same model's folder, offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelsheet.base_models.user_models import Installation, UserModel, add_installation, add_model
from modelsheet.diffusion.models.base_model import BaseModel, load_base_model
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


def test_a_checkpoint_that_lacks_weights_is_refused(home: Path, tmp_path: Path) -> None:
    tensors = load_file(home / "comfy" / "sd15.safetensors")
    del tensors["model.diffusion_model.middle_block.0.in_layers.2.weight"]
    path = write_checkpoint(tensors, tmp_path / "half.safetensors")
    model = UserModel(id="half", path=str(path), config=str(home / "folders" / "sd15"))
    add_model(tmp_path, model, taken=[])

    with pytest.raises(UnsafeModel, match=r"lacks the layer mid_block.resnets.0.conv1"):
        load_base_model("half", tmp_path, CPU)


def test_a_checkpoint_of_another_build_needs_its_config_files(home: Path, tmp_path: Path) -> None:
    path = str(home / "comfy" / "sd15.safetensors")
    add_model(tmp_path, UserModel(id="narrow", path=path), taken=[])

    with pytest.raises(UnsafeModel, match="not built like other models of sd15.*--config"):
        load_base_model("narrow", tmp_path, CPU)
