"""Hold what API 1.0 called otherwise: old clients and old records are still understood."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelsheet.api.learn import LearnRequest

IMAGE = {"blob": "0" * 64, "width": 4, "height": 4}


def learn_request(preset: str) -> LearnRequest:
    return LearnRequest.model_validate(
        {"name": "Hero", "class_noun": "elf", "images": [IMAGE], "preset": preset}
    )


def test_the_old_name_of_the_write_up_preset_is_accepted() -> None:
    assert learn_request("seed").preset == "write-up"


def test_other_names_are_not() -> None:
    with pytest.raises(ValidationError):
        learn_request("seeds")
