"""bf16 is taken where it is measured to be faster."""

from __future__ import annotations

import pytest
import torch

from sprite_training import device
from sprite_training.device import Accelerator


@pytest.mark.parametrize(("speedup", "dtype"), [(0.2, torch.float32), (1.8, torch.bfloat16)])
def test_a_processor_computes_in_the_faster_precision(
    speedup: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "bf16_speedup", lambda: speedup)
    with Accelerator(torch.device("cpu"), scale=1).autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype is dtype
