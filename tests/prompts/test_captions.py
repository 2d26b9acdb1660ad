"""Captions from layer names, and training prompts."""

from __future__ import annotations

import pytest

from modelsheet.prompts.captions import PromptTemplate, caption_from_layer_name, class_prompts


@pytest.mark.parametrize(
    "name",
    [
        "Paint Layer 3",
        "Layer 12",
        "Group 1",
        "Copy of Layer 2",
        "Ebene 4",
        "Слой 1",
        "0.png",
        "",
        "IMG_0042.jpg",
        "frame-03",
        "Untitled",
        "plain",
        *("Malebene 1", "Hintergrund", "Calque de peinture 2", "Capa de pintura 1", "Fondo"),
        *(
            "ペイントレイヤー 1",
            "Слой рисования 3",
            "Фон",
            "颜料图层 1",
            "그룹 1",
            "Warstwa malowania 1",
        ),
        *("Kopie von Malebene 1", "Copia di Livello 3", "DSC_0001", "P1010034", "Pasted Layer"),
        *("PXL_20240101_101010123", "Screenshot from 2024-05-01 10-11-12"),
        "WhatsApp Image 2024-05-01 at 10.11.12",
        "Vrstva malby 2",
    ],
)
def test_default_names_say_nothing(name: str) -> None:
    assert caption_from_layer_name(name) == ""


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("side view, holding lamp", "side view, holding lamp"),
        ("Holding_Sword.png", "holding sword"),
        ("front view", "front view"),
        ("Layer of snow", "layer of snow"),
        ("hero (1)", "hero"),
        ("van", "van"),
        ("plan of a van", "plan of a van"),
        ("с мечом", "с мечом"),
        ("हाथ में तलवार", "हाथ में तलवार"),
        ("剣を持つ", "剣を持つ"),
    ],
)
def test_names_that_say_something_become_captions(name: str, caption: str) -> None:
    assert caption_from_layer_name(name) == caption


def test_instance_prompts_carry_identifier_class_noun_caption_and_background() -> None:
    sprite = PromptTemplate("qzw", "elf woman", "sprite32")
    photo = PromptTemplate("olis", "cat", "sd15")

    assert sprite.instance_prompt("holding lamp", "white") == (
        "qzw elf woman, holding lamp, on a white background"
    )
    assert photo.instance_prompt("", None) == "a photo of olis cat"
    assert photo.instance_prompt("", "green") == "a photo of olis cat, on a plain green background"


@pytest.mark.parametrize("family", ["sprite32", "sd15"])
def test_class_prompts_vary_and_never_name_the_subject(family: str) -> None:
    prompts = class_prompts(PromptTemplate("qzw", "elf woman", family))  # type: ignore[arg-type]

    assert len(set(prompts)) == len(prompts) >= 6
    assert not any("qzw" in prompt for prompt in prompts)
    assert all("elf woman" in prompt for prompt in prompts)
