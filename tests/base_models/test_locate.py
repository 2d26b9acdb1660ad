"""The catalogue of base models agrees with the files on disk."""

from __future__ import annotations

from pathlib import Path

from modelsheet.base_models.locate import DEFAULT_BASE_MODEL, SPRITE32_WEIGHTS, list_base_models


def test_the_embedded_model_is_available_exactly_if_its_weights_are_there(tmp_path: Path) -> None:
    index = SPRITE32_WEIGHTS / "model_index.json"
    models = {model.id: model for model in list_base_models(tmp_path)}

    assert models[DEFAULT_BASE_MODEL].available == index.is_file()
    assert models[DEFAULT_BASE_MODEL].resolution == 32


def test_a_model_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    for model in list_base_models(tmp_path):
        assert model.available or model.note
