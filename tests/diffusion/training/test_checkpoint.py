"""A checkpoint is whole or is not there, and an optimizer goes on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelsheet.diffusion.training.checkpoint import newest_checkpoint, write_checkpoint
from modelsheet.diffusion.training.optimizer import optimizer_tensors, restore_optimizer
from modelsheet.errors import DiskFull


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 7, {"a": torch.arange(3)}, {"queue": [2, 1]})

    saved = newest_checkpoint(tmp_path)

    assert saved is not None
    assert (saved.step, saved.position) == (7, {"queue": [2, 1]})
    assert saved.tensors["a"].tolist() == [0, 1, 2]


def test_the_two_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write_checkpoint(tmp_path, step, {"a": torch.tensor([step])}, {})

    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["00000002", "00000003"]


@pytest.mark.parametrize("file", ["tensors.safetensors", "position.json", "MANIFEST.json"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, file: str) -> None:
    write_checkpoint(tmp_path, 1, {"a": torch.zeros(4)}, {})
    broken = write_checkpoint(tmp_path, 2, {"a": torch.ones(4)}, {}) / file
    broken.write_bytes(broken.read_bytes()[:-3])

    saved = newest_checkpoint(tmp_path)

    assert saved is not None
    assert saved.step == 1


def test_no_folder_has_no_checkpoint(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "nothing") is None


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / ".tmp-00000001").write_text("in the way")

    with pytest.raises(DiskFull, match="step 1"):
        write_checkpoint(tmp_path, 1, {"a": torch.zeros(1)}, {})


def _step(weight: torch.nn.Parameter, optimizer: torch.optim.Optimizer) -> None:
    (weight * torch.arange(weight.numel()).view(weight.shape)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def test_a_restored_optimizer_goes_on_alike_for_channels_last_weights() -> None:
    def fresh() -> tuple[torch.nn.Parameter, torch.optim.Optimizer]:
        values = torch.ones(4, 3, 2, 2).to(memory_format=torch.channels_last)
        weight = torch.nn.Parameter(values)
        return weight, torch.optim.AdamW([weight], lr=0.1, fused=True)

    weight, optimizer = fresh()
    _step(weight, optimizer)
    again, other = fresh()
    with torch.no_grad():
        again.copy_(weight)
    restore_optimizer(other, optimizer_tensors(optimizer, "o."), "o.")

    _step(weight, optimizer)
    _step(again, other)

    assert torch.equal(weight, again)
