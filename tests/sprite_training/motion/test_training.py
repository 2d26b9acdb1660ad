"""The training loop: on from a checkpoint, cool-down, time budget, weights, commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from modelsheet.errors import Conflict, NotFound, UnsafeModel
from modelsheet.motion.network.model import MotionConfig, MotionModel
from modelsheet.motion.network.weights_file import read_weights, write_weights
from sprite_training.motion import __main__ as command
from sprite_training.motion.checkpoints import (
    checkpoint_folder,
    newest_state,
    read_model,
    read_state,
)
from sprite_training.motion.ranks import train
from sprite_training.motion.training import MotionTrainer, TrainingOptions

PICTURES = 2  # a step


@pytest.fixture
def options(revised: Path, split: Path, tmp_path: Path, tiny: MotionConfig) -> TrainingOptions:
    return TrainingOptions(
        archives=(revised,),
        split=split,
        out=tmp_path / "run",
        config=tiny,
        items=1,
        targets=PICTURES,
        samples=32,
        warm_up_steps=2,
        workers=0,
        threads=torch.get_num_threads(),
    )


def clock(seconds: float) -> Callable[[], float]:
    """Make a clock on which so much passes between two looks."""
    looks = count()
    return lambda: seconds * next(looks)


def state(out: Path) -> dict[str, Any]:
    newest = newest_state(checkpoint_folder(out))
    assert newest is not None
    return read_state(newest)


def test_a_resumed_run_ends_as_one_without_a_stop(options: TrainingOptions, tmp_path: Path) -> None:
    whole = replace(options, out=tmp_path / "whole", pictures=4 * PICTURES)
    train(whole)

    train(replace(options, pictures=2 * PICTURES))
    assert state(options.out)["pictures"] == 2 * PICTURES
    train(replace(options, pictures=4 * PICTURES, resume=True))

    once, twice = state(whole.out), state(options.out)
    assert once["pictures"] == twice["pictures"] == 4 * PICTURES
    assert once["steps"] == twice["steps"] == 4
    for part in ("model", "average"):
        torch.testing.assert_close(once[part], twice[part], rtol=0, atol=0)
    begun = MotionModel(options.config).state_dict()
    assert any(not torch.equal(x, begun[name]) for name, x in twice["model"].items())


def test_a_cool_down_ends_the_run_at_rate_0(options: TrainingOptions) -> None:
    trainer = MotionTrainer(replace(options, cooldown=3 * PICTURES))

    trainer.run()

    assert trainer.pictures == 3 * PICTURES
    assert trainer.learning_rate == pytest.approx(0, abs=1e-12)
    with pytest.raises(Conflict, match="cool-down .* has ended"):
        MotionTrainer(replace(options, resume=True))


def test_a_run_stops_after_the_seconds_with_a_checkpoint(options: TrainingOptions) -> None:
    trainer = MotionTrainer(replace(options, seconds=5), clock=clock(1))  # two looks a step

    trainer.run()

    assert trainer.steps == 2
    assert state(options.out)["pictures"] == 2 * PICTURES
    assert trainer.cooldown is None


def test_a_cool_down_ends_with_the_seconds(options: TrainingOptions) -> None:
    plan = replace(options, seconds=10, cooldown=2 * PICTURES)
    trainer = MotionTrainer(plan, clock=clock(1))  # a step takes two seconds, the cool-down four

    trainer.run()

    assert trainer.cooldown is not None
    start, length = trainer.cooldown
    assert start > 0
    assert length == 2 * PICTURES
    assert trainer.pictures in (start + length, start + length - PICTURES)


def test_seconds_also_end_a_cool_down(options: TrainingOptions) -> None:
    trainer = MotionTrainer(replace(options, seconds=5, cooldown=1000), clock=clock(1))

    trainer.run()

    assert trainer.steps == 2
    assert trainer.cooldown == (PICTURES, 1000)


def test_a_stop_that_is_wanted_ends_the_run_before_the_next_step(options: TrainingOptions) -> None:
    trainer = MotionTrainer(options)
    trainer.is_stop_wanted = True

    trainer.run()

    assert trainer.steps == 0


def test_earlier_work_is_not_overwritten(options: TrainingOptions) -> None:
    MotionTrainer(options).save()

    with pytest.raises(Conflict, match="--resume"):
        MotionTrainer(options)


def test_there_must_be_something_to_resume(options: TrainingOptions) -> None:
    with pytest.raises(NotFound, match="nothing to resume"):
        MotionTrainer(replace(options, resume=True))


def test_weights_are_saved_in_half_precision(tiny: MotionConfig, tmp_path: Path) -> None:
    path, model = tmp_path / "motion.safetensors", MotionModel(tiny)
    write_weights(path, model.state_dict(), tiny, pictures=7)

    config, weights, pictures = read_weights(path)
    read, _ = read_model(path)

    assert (config, pictures) == (tiny, 7)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(weights[name], value.half().float(), rtol=0, atol=0)
        assert torch.equal(read.state_dict()[name], weights[name])
    assert path.stat().st_size < 2.2 * sum(x.numel() for x in weights.values()) + 40_000


def test_training_begins_from_weights(options: TrainingOptions, tmp_path: Path) -> None:
    path = tmp_path / "begin.safetensors"
    weights = MotionModel(options.config).state_dict()
    write_weights(path, weights, options.config, pictures=7)

    trainer = MotionTrainer(replace(options, start=path, config=MotionConfig()))

    assert trainer.config == options.config
    assert trainer.pictures == 0
    assert torch.equal(trainer.average["paint.weight"], weights["paint.weight"].half().float())


def test_other_files_are_no_weights(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"PK and so on, for some bytes")

    with pytest.raises(UnsafeModel):
        read_weights(path)


def test_the_commands_train_measure_and_draw(
    revised: Path,
    universal: Path,
    split: Path,
    tmp_path: Path,
    tiny: MotionConfig,
    capsys: pytest.CaptureFixture[str],
) -> None:
    weights, out = tmp_path / "begin.safetensors", tmp_path / "run"
    write_weights(weights, MotionModel(tiny).state_dict(), tiny, pictures=0)
    data = ["--archives", str(universal), str(revised), "--split", str(split)]
    small = ["--items", "1", "--targets", "2", "--workers", "0", "--ranks", "1", "--pictures", "2"]
    parts = [
        {"type": "body", "design": "body", "variant": "tan"},
        {"type": "head", "design": "heads_human_male", "variant": "tan"},
        {"type": "clothes", "design": "torso_shirt", "variant": "teal"},
    ]
    characters = tmp_path / "characters.json"
    characters.write_text(json.dumps([{"body": "male", "parts": parts}]))
    test = [str(out), "--archive", str(universal), "--characters", str(characters)]

    assert command.main(["train", *data, "--out", str(out), "--from", str(weights), *small]) == 0
    assert command.main(["evaluate", *test]) == 0
    assert command.main(["sheet", *test, "--out", str(tmp_path / "sheet.png")]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 pictures seen, 1 characters"
    assert len(lines) == 1 + 3 * 4
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 64 * 13, 2 * 64)


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = ["--archive", str(tmp_path / "a.zip"), "--characters", str(tmp_path / "c.json")]

    with pytest.raises(SystemExit) as exit_:
        command.main(["evaluate", str(tmp_path), *missing])

    assert exit_.value.code == 2
    assert "no weights" in capsys.readouterr().err
