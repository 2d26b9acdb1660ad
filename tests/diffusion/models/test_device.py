"""The device of MODELSHEET_DEVICE, and what is said where there is none of that name."""

from __future__ import annotations

import pytest
import torch

from modelsheet.diffusion.models import device
from modelsheet.errors import InvalidRequest


@pytest.mark.parametrize(
    ("wanted", "cards", "chosen"),
    [("", 0, "cpu"), ("", 2, "cuda"), (" CPU ", 2, "cpu"), ("cuda:1", 2, "cuda:1")],
)
def test_the_device_is_as_named_else_a_gpu(
    wanted: str, cards: int, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cards > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)

    assert device.choose_device(wanted) == torch.device(chosen)


@pytest.mark.parametrize("wanted", ["cuda", "cuda:7", "gpu", "mps:3", "cpu:x"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "available_devices", lambda: ["cpu"])

    with pytest.raises(InvalidRequest, match=f"MODELSHEET_DEVICE is '{wanted}'.* only: cpu"):
        device.choose_device(wanted)
