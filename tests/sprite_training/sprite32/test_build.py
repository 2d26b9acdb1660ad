"""The script that makes the base model: a toy one in seconds, and on from where it was stopped."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models import adapter_hypernetwork
from modelsheet_benchmarks.sprite32_metrics import evaluate
from sprite_training import training_stage
from sprite_training.sprite32 import build as build_module
from sprite_training.sprite32.__main__ import main
from sprite_training.sprite32.build import SHARES, Builder, Plan
from sprite_training.sprite32.tiles import TileSet

HOURS = 0.002


@pytest.fixture(scope="module")
def toy(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("toy") / "models" / "sd15"
    out.parent.mkdir()
    arguments = ["--tiles", str(archive), "--out", str(out), "--hours", str(HOURS), "--toy"]
    assert main(arguments) == 0
    return out


def test_plain_diffusers_loads_what_the_script_wrote(toy: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(toy, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    picture = pipeline(
        "human man, wearing red robe", num_inference_steps=2, width=32, height=32
    ).images[0]

    assert picture.size == (32, 32)


def test_the_record_says_how_it_was_made(toy: Path) -> None:
    record = json.loads((toy / "training.json").read_text())

    assert record["hours"] == HOURS
    assert set(record["pictures_seen"]) == set(SHARES)
    assert all(count > 0 for count in record["pictures_seen"].values())


def test_weights_are_half_precision_on_disk(toy: Path) -> None:
    from safetensors import safe_open

    for file in toy.rglob("*.safetensors"):
        with safe_open(file, "pt") as content:
            kinds = {content.get_slice(name).get_dtype() for name in content.keys()}  # noqa: SIM118
        assert kinds <= {"F16", "I64"}, file


def test_learning_begins_from_what_the_hypernetwork_predicts(toy: Path) -> None:
    base = load_base_model("sd15", toy.parent.parent, torch.device("cpu"))
    picture = Image.new("RGBA", (32, 32), (200, 30, 40, 255))

    predicted = base.initial_adapter([picture])

    assert any(bool(up.any()) for _, up in predicted.values())


def test_the_hypernetwork_is_trained_alone_for_a_model_that_is_there(
    toy: Path, archive: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(toy, tmp_path / "sprite")
    before = {file: file.read_bytes() for file in out.rglob("*.safetensors")}
    arguments = ["--tiles", str(archive), "--out", str(out), "--hours", str(HOURS / 4), "--toy"]

    assert main([*arguments, "--only-hypernetwork"]) == 0

    changed = [file for file, content in before.items() if file.read_bytes() != content]
    assert changed == [out / adapter_hypernetwork.FILE]


def test_earlier_work_is_not_thrown_away_unasked(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out.work").mkdir()
    arguments = ["--tiles", str(archive), "--out", str(tmp_path / "out"), "--hours", "1", "--toy"]

    with pytest.raises(SystemExit) as ending:
        main(arguments)

    assert ending.value.code == 2
    assert "--resume" in capsys.readouterr().err


def test_a_stage_goes_on_from_its_checkpoint(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "LEARNING_RATES", dict.fromkeys(SHARES, 1e-3))
    clock = (tenths / 10 for tenths in itertools.count())  # each step takes a tenth of a second
    monkeypatch.setattr(training_stage, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    short = Plan(archive, tmp_path / "out", hours=0.001, toy=True)
    longer = Plan(archive, tmp_path / "out", hours=0.003, toy=True)

    first = Builder(short).autoencoder()
    second = Builder(longer).autoencoder()

    assert (first.step, second.step) == (3, 9)
    assert second.elapsed_s > first.elapsed_s >= 0.001 * 3600 * SHARES["autoencoder"]


def test_the_figures_can_be_measured(toy: Path, tiles: TileSet) -> None:
    base = load_base_model("sd15", toy.parent.parent, torch.device("cpu"))

    figures = evaluate(base, tiles, prompts=4, pictures=20)

    assert figures.psnr_db > 0
    assert 0 <= figures.right_picture <= 1
    assert 0 <= figures.naming_top1 <= figures.naming_top5 <= 1
    assert figures.seconds_per_picture > 0
