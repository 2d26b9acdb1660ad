"""IP-Adapters of both kinds on tiny UNets: found by their shapes, equal to diffusers' pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from modelsheet.base_models.ip_adapter import IpAdapterFiles, find_ip_adapter
from modelsheet.base_models.locate import list_base_models, locate_base_model
from modelsheet.base_models.user_models import REGISTRY_NAME, Installation, UserModelRegistry
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.denoise import DenoisingBatch, Window, denoise
from modelsheet.diffusion.sampling.plain_generation import seeded_noise
from modelsheet.diffusion.sampling.samplers import make_sampler
from modelsheet.errors import InvalidRequest, UnsafeModel
from tests.diffusion.tiny import write_image_encoder, write_ip_adapter

CPU = torch.device("cpu")
PROMPTS = ["human man", "elf woman"]
SIDE = 64
KINDS = [("sd15", False), ("sd15", True), ("sdxl", False), ("sdxl", True)]


def load(home: Path, family: str) -> BaseModel:
    return load_base_model(family, home, CPU)


@pytest.fixture
def home(data_dir: Path, tmp_path: Path) -> Path:
    """A data folder with the tiny models, to which adapters can be added."""
    (tmp_path / "models").mkdir()
    for family in ("sd15", "sdxl"):
        (tmp_path / "models" / family).symlink_to(data_dir / "models" / family)
    return tmp_path


def pictures() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)) for _ in range(2)]


def painted(base: BaseModel, references: tuple[torch.Tensor, ...]) -> torch.Tensor:
    cond, uncond = base.encode_prompts(PROMPTS), base.encode_prompts([""] * 2)
    window = Window(
        base.with_references(cond, references, is_negative=False),
        base.with_references(uncond, references, is_negative=True),
    )
    noise = seeded_noise(base, [3, 4], SIDE, SIDE)
    batch = DenoisingBatch([window], noise, [5.0] * 2, [])
    return denoise(base, batch, make_sampler(base, "DDIM", 2, noise.shape[-2:]))


@pytest.mark.parametrize(("family", "plus"), KINDS)
def test_references_are_those_of_the_pipeline(home: Path, family: str, plus: bool) -> None:
    base = load(home, family)
    before = painted(base, ())
    encoder = write_image_encoder(home / "models" / "clip_vision")
    adapter = write_ip_adapter(home / "models" / "ipadapter", base.denoiser, encoder, plus=plus)

    references = base.encode_references(pictures())
    ours = painted(base, references)
    after = painted(base, ())

    assert torch.equal(after, before), "the adapter is active only where pictures are given"
    assert not torch.allclose(ours, before, atol=1e-2)
    theirs = load(home, family).pipeline
    theirs.image_encoder = CLIPVisionModelWithProjection.from_pretrained(encoder.parent)
    theirs.feature_extractor = CLIPImageProcessor(size=SIDE, crop_size=SIDE)
    theirs.load_ip_adapter(adapter.parent, "", adapter.name, image_encoder_folder=None)
    theirs.scheduler = make_sampler(base, "DDIM", 2, (8, 8)).scheduler
    expected = theirs(
        prompt=PROMPTS,
        negative_prompt=[""] * 2,
        ip_adapter_image=[pictures()],
        latents=seeded_noise(base, [3, 4], SIDE, SIDE),
        num_inference_steps=2,
        guidance_scale=5.0,
        width=SIDE,
        height=SIDE,
        output_type="latent",
    ).images
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-3)


def test_an_adapter_is_found_by_what_it_fits(home: Path, data_dir: Path) -> None:
    folder, sd15, sdxl = home / "models" / "ipadapter", load(home, "sd15"), load(home, "sdxl")

    def found(family: str) -> str:
        files = find_ip_adapter(family, locate_base_model(family, home).configs, home)
        return files.adapter.name if files else ""

    encoder = write_image_encoder(home / "ComfyUI" / "models" / "clip_vision")
    write_ip_adapter(folder, sd15.denoiser, encoder, plus=False, name="plain")
    assert found("sd15") == "", "its image encoder is nowhere"
    encoder = write_image_encoder(home / "models" / "clip_vision")
    assert found("sd15") == "plain.safetensors"
    write_ip_adapter(folder, sd15.denoiser, encoder, plus=True, name="zz-plus")
    write_ip_adapter(folder, sd15.denoiser, encoder, plus=True, name="plus-face")
    (folder / "aa-broken.safetensors").write_bytes(b"nothing")
    assert found("sd15") == "zz-plus.safetensors"
    assert found("sdxl") == "", "its prompts are wider"
    write_ip_adapter(folder, sdxl.denoiser, encoder, plus=False, name="xl")
    assert found("sdxl") == "xl.safetensors"
    views = {view.id: view for view in list_base_models(home)}
    assert [views[id_].takes_references for id_ in ("sprite32", "sd15")] == [False, True]


def test_an_adapter_lies_where_comfyui_s_extra_paths_say(home: Path) -> None:
    program, elsewhere = home / "ComfyUI", home / "elsewhere"
    (program / "models" / "checkpoints").mkdir(parents=True)
    (program / "extra_model_paths.yaml").write_text(
        f"mine:\n  base_path: {elsewhere}\n  ipadapter: adapters\n  clip_vision: |\n    vision/\n"
    )
    encoder = write_image_encoder(elsewhere / "vision")
    adapter = write_ip_adapter(
        elsewhere / "adapters", load(home, "sd15").denoiser, encoder, plus=False
    )
    configs = locate_base_model("sd15", home).configs
    assert find_ip_adapter("sd15", configs, home) is None, "ComfyUI was not added"

    installed = [Installation(name="ComfyUI", path=str(program))]
    added = UserModelRegistry(installations=installed).model_dump_json()
    (home / REGISTRY_NAME).write_text(added)

    assert find_ip_adapter("sd15", configs, home) == IpAdapterFiles(adapter, encoder)


def test_what_to_put_where_is_said(home: Path) -> None:
    views = {view.id: view for view in list_base_models(home)}

    assert "one of these: SD 1.5, SDXL, FLUX.2 klein" in views["sprite32"].references_note
    note = views["sd15"].references_note
    assert "Put ip-adapter-plus_sd15.safetensors into models/ipadapter" in note
    with pytest.raises(InvalidRequest, match="there is none. Put ip-adapter"):
        load(home, "sd15").encode_references(pictures())


def test_a_damaged_adapter_leaves_the_base_as_it_was(home: Path) -> None:
    base = load(home, "sd15")
    encoder = write_image_encoder(home / "models" / "clip_vision")
    file = write_ip_adapter(home / "models" / "ipadapter", base.denoiser, encoder, plus=False)
    before = painted(base, ())
    rewrite(file, lambda key: "9.to_k_ip" in key)

    with pytest.raises(UnsafeModel, match="cannot be read as an IP-Adapter"):
        base.encode_references(pictures())

    assert torch.equal(painted(base, ()), before)


def rewrite(file: Path, is_left_out: Callable[[str], bool]) -> None:
    from safetensors.torch import load_file

    save_file({k: v for k, v in load_file(file).items() if not is_left_out(k)}, file)
