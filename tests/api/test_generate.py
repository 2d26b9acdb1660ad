"""Generate requests refuse what their document forbids."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from modelsheet.api.generate import GenerateRequest


@pytest.mark.parametrize("given", [0, 0.0, "", True])
def test_no_pixel_art_is_false_and_nothing_equal_to_it(given: object) -> None:
    assert GenerateRequest.model_validate({"prompt": "a", "pixel_art": False}).pixel_art is False
    with pytest.raises(ValidationError):
        GenerateRequest.model_validate({"prompt": "a", "pixel_art": given})
