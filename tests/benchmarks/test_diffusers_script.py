"""diffusers' script as a baseline: the lines changed in it, its options, its cost."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelsheet.errors import InvalidRequest, ModelsheetError
from modelsheet_benchmarks import diffusers_script
from modelsheet_benchmarks import torchvision_shim as transforms
from modelsheet_benchmarks.diffusers_script import ProcessCost, ScriptSettings

# Stands for the script: uses what it imports and writes what it was told.
SCRIPT = """
import sys
from pathlib import Path
from torchvision import transforms

check_min_version("99.0.0.dev0")
options = dict(each.removeprefix("--").partition("=")[::2] for each in sys.argv[1:])
assert transforms.CenterCrop(2).size == 2
out = Path(options["output_dir"])
pictures = sorted(path.name for path in Path(options["instance_data_dir"]).iterdir())
(out / "pytorch_lora_weights.safetensors").write_text(repr((options, pictures)))
"""


def settings(**changed: object) -> ScriptSettings:
    plain = {
        "base": Path("base"),
        "prompt": "ktn fox",
        "class_prompt": "fox",
        "resolution": 32,
        "steps": 7,
    }
    return ScriptSettings(**(plain | changed))  # type: ignore[arg-type]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "train_dreambooth_lora.py"
    path.write_text(SCRIPT)
    return path


def test_the_script_is_run_with_our_settings_by_its_names(script: Path, tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (4, 4)), Image.new("RGB", (4, 4), "red")]

    weights, cost = diffusers_script.run_script(
        script, pictures, settings(class_images=3), tmp_path
    )

    options, seen = eval(weights.read_text())
    assert seen == ["00.png", "01.png"]
    assert options["max_train_steps"] == "7"
    assert options["num_class_images"] == "3"
    assert options["instance_prompt"] == "ktn fox"
    assert "with_prior_preservation" in options
    assert cost.seconds > 0.0
    assert cost.peak_bytes > 1_000_000


def test_without_class_images_there_is_no_prior(script: Path, tmp_path: Path) -> None:
    weights, _ = diffusers_script.run_script(
        script, [Image.new("RGB", (4, 4))], settings(), tmp_path
    )

    assert "with_prior_preservation" not in weights.read_text()


def test_another_script_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("print('hello')")

    with pytest.raises(InvalidRequest, match=r"is not diffusers' .*train_dreambooth_lora\.py"):
        diffusers_script.run_script(other, [], settings(), tmp_path)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        diffusers_script.run_script(tmp_path / "none.py", [], settings(), tmp_path)


def test_a_failing_command_brings_the_end_of_its_output() -> None:
    with pytest.raises(ModelsheetError, match="the reason"):
        diffusers_script.run_timed([sys.executable, "-c", "raise SystemExit('the reason')"])


def test_the_stand_in_scales_crops_and_normalises() -> None:
    picture = Image.fromarray(np.arange(8 * 4 * 3, dtype=np.uint8).reshape(4, 8, 3))
    chain = transforms.Compose(
        [
            transforms.Resize(4),
            transforms.CenterCrop(2),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.5]),
        ]
    )

    cut = torch.from_numpy(np.asarray(picture)[1:3, 3:5].copy()).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(chain(picture), cut)


def test_a_random_crop_stays_inside() -> None:
    crop = transforms.RandomCrop(3)
    picture = Image.new("RGB", (5, 4))

    assert {crop(picture).size for _ in range(20)} == {(3, 3)}


@pytest.mark.parametrize(
    ("short", "long", "step_s"),
    [((10.0, 9.0), (16.0, 15.0), 0.1), ((30.0, 9.0), (20.0, 15.0), 0.05)],
    ids=["calm", "the short run was disturbed"],
)
def test_a_noisy_machine_makes_no_step_free(
    monkeypatch: pytest.MonkeyPatch,
    short: tuple[float, float],
    long: tuple[float, float],
    step_s: float,
) -> None:
    costs = {5: ProcessCost(short[0], 1, short[1]), 65: ProcessCost(long[0], 1, long[1])}
    monkeypatch.setattr(diffusers_script.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(
        diffusers_script,
        "run_script",
        lambda script, pictures, given, out: (out, costs[given.steps]),
    )

    assert diffusers_script.measure_timing(
        Path("script.py"), [], settings()
    ).step_s == pytest.approx(step_s)
