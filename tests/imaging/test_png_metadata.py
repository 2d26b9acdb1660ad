"""PNG metadata: other tools read prompt and settings, Modelsheet reads its own parameters."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerationParameters, SubjectUse
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.png_metadata import parameters_text, read_parameters, save_png

# The pattern by which Automatic1111's web UI takes the last line apart.
_SETTING = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def recipe(prompt: str = "@hero, holding: “sword”") -> GenerationParameters:
    hero = SubjectUse(
        id="1", name="hero", identifier="qzx", class_noun="elf", adapter_sha256="ab" * 32
    )
    return GenerationParameters(
        version="1.2",
        base_model="sprite32",
        text="qzx elf, holding: “sword”",
        subjects=[hero],
        sampler="DPM++ 2M Karras",
        inference_steps=20,
        guidance_scale=4.5,
        width=32,
        height=32,
        request=GenerateRequest(prompt=prompt, negative_prompt="floor, rock", seed=77),
    )


def test_other_tools_read_prompt_negative_prompt_and_settings(tmp_path: Path) -> None:
    save_png(Image.new("RGBA", (64, 48)), tmp_path / "a.png", recipe())

    with Image.open(tmp_path / "a.png") as image:
        prompt, negative, settings = image.info["parameters"].split("\n")
    read = {key: json.loads(v) if v[:1] == '"' else v for key, v in _SETTING.findall(settings)}
    assert prompt == "@hero, holding: “sword”"
    assert negative == "Negative prompt: floor, rock"
    assert (read["Seed"], read["Steps"], read["Size"]) == ("77", "20", "32x32")
    assert (read["Sampler"], read["CFG scale"]) == ("DPM++ 2M Karras", "4.5")
    assert read["Read as"] == "qzx elf, holding: “sword”"
    assert read["Lora hashes"] == "hero: abababababab"


@pytest.mark.parametrize(("scales", "tag"), [((1.0, 1.0), "1"), ((0.8, 0.5), "0.5:0.8")])
def test_a1111_can_paint_it_again_with_the_exported_file(
    scales: tuple[float, float], tag: str
) -> None:
    painted = recipe("@hero, holding: “sword”")
    hero = painted.subjects[0].model_copy(update={"lora": "hero-qzx", "lora_sha256": "cd" * 32})
    request = painted.request.model_copy(
        update={"unet_scale": scales[0], "text_encoder_scale": scales[1]}
    )

    text = parameters_text(painted.model_copy(update={"subjects": [hero], "request": request}))

    prompt, _, settings = text.split("\n")
    assert prompt == f"qzx elf, holding: “sword” <lora:hero-qzx:{tag}>"
    assert 'Lora hashes: "hero-qzx: cdcdcdcdcdcd"' in settings
    assert "Read as" not in settings


def test_the_true_seed_stands_last(tmp_path: Path) -> None:
    text = parameters_text(recipe().model_copy(update={"text": "qzx elf, Seed: 5"}))

    assert re.findall(r"Seed: (\d+)", text)[-1] == "77"


def test_a_recipe_is_read_back_as_it_was(tmp_path: Path) -> None:
    save_png(Image.new("RGBA", (8, 8)), tmp_path / "a.png", recipe())

    assert read_parameters(tmp_path / "a.png") == recipe()


def test_pictures_without_a_recipe_say_so(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")

    for name, sentence in (
        ("plain.png", "carries no recipe"),
        ("text.png", "is no PNG"),
        ("none.png", "There is no file"),
    ):
        with pytest.raises(InvalidRequest, match=sentence):
            read_parameters(tmp_path / name)


def test_a_damaged_recipe_is_refused(tmp_path: Path) -> None:
    chunks = PngInfo()
    chunks.add_itxt("modelsheet", recipe().model_dump_json()[:-9])
    Image.new("RGBA", (8, 8)).save(tmp_path / "a.png", pnginfo=chunks)

    with pytest.raises(InvalidRequest, match="is damaged"):
        read_parameters(tmp_path / "a.png")
