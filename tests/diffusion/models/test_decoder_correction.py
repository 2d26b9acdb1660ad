"""A subject's decoder correction: its colours come back, everything else stays as it was."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.generation.adapters import ActiveAdapters, AdapterCache, AdapterFile
from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.models.decoder_correction import (
    Correction,
    apply_correction,
    correction_tensors,
    decode_regions,
    mean_correction,
    read_correction,
    scale_correction,
)
from modelsheet.diffusion.training import decoder
from modelsheet.diffusion.training.decoder import learn_correction
from modelsheet.errors import UnsafeModel
from modelsheet.imaging.rgba import composite
from modelsheet.jobs.protocol import JobSuspended
from modelsheet.worker.runner import Worker
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session
from tests.diffusion.training.test_learning_session import Context

_BLUE, _RED, _SKIN = (12, 0, 168, 255), (230, 24, 40, 255), (240, 190, 160, 255)
_WHITE = (255, 255, 255)


def hero(staff: int | None = None, robe: tuple[int, ...] = _BLUE) -> Image.Image:
    """A figure in a robe that no tile wears, with a staff at that column."""
    picture = Image.new("RGBA", (32, 32))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((11, 12, 20, 30), fill=robe)
    draw.line((15, 13, 15, 30), fill=(robe[0] // 2, robe[1] // 2, robe[2] // 2, 255))
    draw.ellipse((11, 3, 20, 11), fill=_RED)
    draw.rectangle((14, 6, 17, 10), fill=_SKIN)
    if staff is not None:
        draw.line((staff, 4, staff, 29), fill=(120, 80, 40, 255))
    return picture


REFERENCES = [hero(), hero(8), hero(23)]


def tensor(picture: Image.Image) -> torch.Tensor:
    return image_tensor(composite(picture, _WHITE))[None]


def comes_back(base: BaseModel, picture: Image.Image) -> torch.Tensor:
    return base.decode_latents(base.encode_images(tensor(picture)))


def error(base: BaseModel, picture: Image.Image) -> float:
    return float((comes_back(base, picture) - tensor(picture)).square().mean())


def weights(base: BaseModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in base.vae.decoder.state_dict().items()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return load_base_model("sprite32", tmp_path_factory.mktemp("none"), torch.device("cpu"))


@pytest.fixture(scope="module")
def correction(base: BaseModel) -> Correction:
    return learn_correction(base, REFERENCES, seed=0)


def test_an_unseen_image_of_the_subject_comes_back_nearer(
    base: BaseModel, correction: Correction
) -> None:
    unseen = hero(26)
    before = error(base, unseen)

    with apply_correction(base, correction):
        assert error(base, unseen) < 0.5 * before


def test_others_come_back_much_as_before(base: BaseModel, correction: Correction) -> None:
    other = hero(26, robe=(60, 140, 60, 255))
    before, own = comes_back(base, other), comes_back(base, hero(26))

    with apply_correction(base, correction):
        moved = (comes_back(base, other) - before).abs().mean()
        own_moved = (comes_back(base, hero(26)) - own).abs().mean()

    assert moved < own_moved


def test_learning_and_applying_it_leave_the_base_and_the_random_numbers_as_they_were(
    base: BaseModel, correction: Correction
) -> None:
    before, state = weights(base), torch.get_rng_state()
    again = learn_correction(base, REFERENCES, seed=0)
    with pytest.raises(KeyboardInterrupt), apply_correction(base, correction):
        raise KeyboardInterrupt

    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in weights(base).items())
    assert all(torch.equal(again[name], correction[name]) for name in correction)


def test_halves_of_its_batches_by_two_threads_give_the_same(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_STEPS", 3)
    threads: list[set[int]] = []
    forward = decoder._DecoderTail.forward

    def note(tail: decoder._DecoderTail, features: torch.Tensor) -> torch.Tensor:
        threads[-1].add(threading.get_ident())
        return forward(tail, features)

    monkeypatch.setattr(decoder._DecoderTail, "forward", note)
    corrections = []
    for cores in (1, 2, 2):
        monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
        threads.append(set())
        corrections.append(learn_correction(base, REFERENCES, seed=0))

    whole, halved, again = corrections
    assert len(threads[0]) == 1
    assert len(threads[1]) > 1
    assert whole
    for name, change in whole.items():
        assert torch.equal(again[name], halved[name])
        torch.testing.assert_close(halved[name], change, rtol=1e-2, atol=1e-4)


def test_what_does_not_help_is_not_kept(base: BaseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "_RATE", 1e6)

    assert learn_correction(base, REFERENCES, seed=0) == {}


def test_it_is_small_and_comes_back_from_the_file(
    base: BaseModel, correction: Correction, tmp_path: Path
) -> None:
    file = tmp_path / "adapter.safetensors"
    save_file(correction_tensors(correction), file)

    read = read_correction(file, base)

    assert file.stat().st_size < 200_000
    assert read.keys() == correction.keys()
    assert all(torch.equal(read[name], correction[name]) for name in read)


@pytest.mark.parametrize(
    "damaged",
    [
        {"conv_out.bias": torch.zeros(4)},
        {"conv_out.bias": torch.full((3,), torch.nan)},
        {"no.such.layer": torch.zeros(3)},
    ],
    ids=["size", "nan", "layer"],
)
def test_one_that_does_not_fit_is_refused(
    base: BaseModel, damaged: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    file = tmp_path / "adapter.safetensors"
    save_file(correction_tensors(damaged), file)

    with pytest.raises(UnsafeModel, match="decoder does not fit sprite32"):
        read_correction(file, base)


def test_each_region_is_decoded_with_its_own(base: BaseModel, correction: Correction) -> None:
    latents = base.encode_images(tensor(hero()))
    left, right = torch.zeros(16, 16), torch.zeros(16, 16)
    left[:, :8], right[:, 8:] = 1, 1
    plain = base.decode_latents(latents)
    with apply_correction(base, correction):
        own = base.decode_latents(latents)

    both = decode_regions(base, latents, [(correction, left), ({}, right)])

    torch.testing.assert_close(both[..., :14], own[..., :14])
    torch.testing.assert_close(both[..., 18:], plain[..., 18:])
    assert torch.equal(decode_regions(base, latents, [({}, left), ({}, right)]), plain)
    assert torch.equal(decode_regions(base, latents, [(correction, left)]), own)


def test_active_adapters_correct_by_their_scale(
    base: BaseModel, correction: Correction, tmp_path: Path
) -> None:
    file = tmp_path / "adapter.safetensors"
    save_file(correction_tensors(correction), file)
    cache, alone = AdapterCache(base), ActiveAdapters((AdapterFile("a", file),))
    bias = correction["conv_out.bias"].float()

    def correction_of(adapters: ActiveAdapters) -> torch.Tensor:
        return cache.decoder_correction(adapters)["conv_out.bias"].float()

    assert cache.decoder_correction(ActiveAdapters()) == {}
    torch.testing.assert_close(correction_of(alone), bias)
    torch.testing.assert_close(correction_of(replace(alone, unet_scale=0.5)), bias / 2)
    torch.testing.assert_close(correction_of(replace(alone, unet_scale=1.5)), bias)
    torch.testing.assert_close(mean_correction([correction, {}])["conv_out.bias"], bias / 2)
    torch.testing.assert_close(scale_correction(correction, 0.25)["conv_out.bias"], bias / 4)


def test_it_is_learnt_with_the_subject_through_a_pause_and_applied_to_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder, "_STEPS", 12)
    worker = Worker(tmp_path, torch.device("cpu"))
    whole, paused = Context(tmp_path, "aa"), Context(tmp_path, "bb", stop_at=1, directive="pause")
    request = LearnRequest(
        name="hero",
        class_noun="elf woman",
        images=[whole.send(each) for each in REFERENCES],
        overrides=TrainingOverrides(training_steps=2),
    )

    with pytest.raises(JobSuspended):
        worker.run(request, paused)
    worker.run(request, resumed := Context(tmp_path, "bb"))
    worker.run(request, whole)

    files = [each.staging_dir / "adapter.safetensors" for each in (whole, resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()
    base = load_base_model("sprite32", tmp_path, torch.device("cpu"))
    assert read_correction(files[0], base)
    whole.store.publish(whole.staging_dir, "aa")
    own = generated(worker, Context(tmp_path, "cc"))
    monkeypatch.setattr(AdapterCache, "decoder_correction", lambda *_: {})
    assert generated(worker, Context(tmp_path, "cc")) != own


def generated(worker: Worker, context: Context) -> bytes:
    request = GenerateRequest(prompt="@hero, on a white background", inference_steps=2)
    result = worker.run(request, context)
    assert isinstance(result, GenerateResult)
    return context.read_blob(result.images[0].blob)


def test_plain_decoders_are_had_by_asking(base: BaseModel, tmp_path: Path) -> None:
    overrides = TrainingOverrides(training_steps=1, own_decoder=False)
    request = benchmark_request("elf woman", REFERENCES, overrides=overrides)

    with standalone_session(base, request, REFERENCES, tmp_path) as session:
        session.finish(tmp_path)

    assert session.correction == {}
    assert read_correction(tmp_path / "adapter.safetensors", base) == {}
