"""The benchmark of other programs: it recognises them, and sees what they lose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelsheet.errors import InvalidRequest
from modelsheet.lora.kohya_writer import LoraMetadata, write_kohya
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.lora.reader import read_lora
from modelsheet_benchmarks.interop.base_modules import key_layout
from modelsheet_benchmarks.interop.benchmark import program_of, random_factors
from modelsheet_benchmarks.interop.comparison import compare, largest_difference
from modelsheet_benchmarks.interop.loaded import Loaded

METADATA = LoraMetadata("hero", "hero", "rjv", "human", "sd15", 512, 400, 5, 0, 0.0)
QUERY = LayerKey("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_q")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layout = key_layout("sd15")
    factors = {
        key: each
        for key, each in random_factors(layout, more=True)
        if key.path.startswith(("mid_block", "encoder.layers.3."))
    }
    path = tmp_path_factory.mktemp("interop") / "exported.safetensors"
    path.write_bytes(write_kohya(factors, layout, METADATA))
    return path


@pytest.mark.parametrize(
    ("mark", "program"), [("comfy/lora.py", "ComfyUI"), ("networks/lora.py", "sd-scripts")]
)
def test_a_program_is_known_by_a_file_of_its_own(mark: str, program: str, tmp_path: Path) -> None:
    (tmp_path / mark).parent.mkdir()
    (tmp_path / mark).touch()

    assert program_of(tmp_path) == program
    with pytest.raises(InvalidRequest, match="none of these: sd-scripts, ComfyUI"):
        program_of(tmp_path / "comfy")


def test_diffusers_loads_every_key_with_the_same_change(file: Path) -> None:
    found = compare("diffusers", Path(), file, "sd15")

    assert found.unmatched == []
    assert found.keys == 3 * (6 + 12 + 4)
    assert found.difference < 1e-5


def test_a_layer_that_is_lost_or_changed_is_seen(file: Path) -> None:
    expected = read_lora(file.read_bytes(), key_layout("sd15"), "file")
    deltas = {key: torch.from_numpy(f.up @ f.down) for key, f in expected.factors.items()}

    def difference(**changed: torch.Tensor | None) -> float:
        kept = deltas | {QUERY: changed["query"]}
        given = ((key, delta) for key, delta in kept.items() if delta is not None)
        return largest_difference(expected, Loaded(0, [], given))

    assert difference(query=deltas[QUERY]) == 0
    assert difference(query=deltas[QUERY] * 1.5) == pytest.approx(0.5)
    assert difference(query=None) == 1
