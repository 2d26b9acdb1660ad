"""A tiny FLUX.2 klein through HTTP: learn, end the service half-way, go on, paint and export."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from diffusers import Flux2KleinPipeline, UNet2DConditionModel
from peft.tuners.tuners_utils import BaseTunerLayer

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobRequest, JobResult, JobView
from modelsheet.api.learn import LearnRequest, LearnResult, TrainingOverrides
from modelsheet.api.models import AddModelRequest
from modelsheet.api.subjects import SubjectView
from modelsheet.base_models.manage import add_models
from modelsheet.client import launcher
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest
from modelsheet.settings import Settings
from sprite_training.sprite32.tiles import TileSet
from tests.diffusion.conftest import view
from tests.diffusion.tiny import write_image_encoder, write_ip_adapter, write_klein, write_sd15
from tests.sprite_training.archive import write_archive

STEPS = 12
WAYS = ("adapter", "references", "both")


@contextmanager
def serving(home: Path) -> Iterator[BackendClient]:
    variables = {"MODELSHEET_HOME": str(home), "MODELSHEET_DEVICE": "cpu"}
    settings = Settings.from_environment(variables)
    with launcher.running_service(settings, environment={**os.environ, **variables}) as client:
        yield client


def make_home(home: Path) -> Path:
    write_klein(home / "klein")
    write_klein(home / "twin", is_distilled=True)
    settings = Settings.from_environment({"MODELSHEET_HOME": str(home)})
    for name in ("klein", "twin"):
        add_models(AddModelRequest(path=str(home / name)), settings.data_dir)
    return settings.data_dir


def add_sd15(models: Path) -> None:
    """Add an SD 1.5, an IP-Adapter for it, and its image encoder."""
    write_sd15(models / "sd15", TileSet.load(write_archive(models.parent / "tiles.zip")))
    unet = UNet2DConditionModel.from_pretrained(models / "sd15" / "unet")
    encoder = write_image_encoder(models / "clip_vision")
    write_ip_adapter(models / "ipadapter", unet, encoder, plus=True)


def learn_request(client: BackendClient, name: str) -> LearnRequest:
    return LearnRequest(
        name=name,
        class_noun="cat",
        base_model="klein",
        images=[client.upload(view(shift)) for shift in (0, 6)],
        overrides=TrainingOverrides(training_steps=STEPS, unet_learning_rate=1e-2),
    )


def run(client: BackendClient, request: JobRequest) -> JobResult:
    return client.wait(client.submit(request).id, lambda view: None)


def paint(client: BackendClient, prompt: str, **fields: Any) -> GenerateResult:
    """Paint in two steps at 64 px, or as `fields` say."""
    defaults = {"base_model": "klein", "inference_steps": 2, "width": 64, "height": 64, "seed": 1}
    result = run(client, GenerateRequest(prompt=prompt, **{**defaults, **fields}))
    assert isinstance(result, GenerateResult)
    return result


@pytest.mark.slow
def test_a_klein_learns_is_killed_goes_on_and_paints(tmp_path: Path) -> None:
    data_dir = make_home(tmp_path)
    with serving(tmp_path) as client:
        whole = run(client, learn_request(client, "Imp"))
        assert isinstance(whole, LearnResult)
        folder = data_dir / "subjects"
        first = (folder / whole.subject_id / "adapter.safetensors").read_bytes()
        client.delete_subject(whole.subject_id)  # which frees its identifier
        broken = client.submit(learn_request(client, "Imp")).id
        started = _wait_for_step(client, broken, 3)
        client.pause(broken)
    assert started.progress.total == STEPS

    with serving(tmp_path) as client:
        client.resume(broken)
        client.wait(broken, lambda view: None)
        assert (folder / broken / "adapter.safetensors").read_bytes() == first

        before = client.fetch_image(paint(client, "a photo of cat").images[0])
        references = [client.upload(view(0))]
        painted = paint(client, "a photo of cat", references=references)
        at_once = client.fetch_image(painted.images[0])
        assert at_once.tobytes() != before.tobytes()
        learnt = client.fetch_image(paint(client, "@Imp").images[0])
        assert learnt.tobytes() != before.tobytes()
        changed = paint(client, "@Imp", init_image=client.upload(before), strength=0.5)
        assert client.fetch_image(changed.images[0]).size == (64, 64)

        file = tmp_path / "lora.safetensors"
        file.write_bytes(client.export_lora(broken, "diffusers"))
        pipeline = Flux2KleinPipeline.from_pretrained(tmp_path / "klein")
        for_comfyui = tmp_path / "kohya.safetensors"
        for_comfyui.write_bytes(client.export_lora(broken, "kohya"))
        assert _loaded_layers(pipeline, for_comfyui) == _loaded_layers(pipeline, file)
        with pytest.raises(InvalidRequest, match="seamless"):
            paint(client, "@Imp", tiling=True)
        twin = paint(client, "@Imp", base_model="twin", inference_steps=None)
        assert twin.images[0].recipe is not None
        assert twin.images[0].recipe.inference_steps == 4


@pytest.mark.slow
def test_a_subject_is_painted_by_its_pictures_before_it_is_learnt(tmp_path: Path) -> None:
    add_sd15(make_home(tmp_path) / "models")
    with serving(tmp_path) as client:
        request = learn_request(client, "Imp")
        tried = client.call("POST", "/v1/subjects/unlearnt", SubjectView, request)
        assert (tried.is_learnt, tried.identifier) == (False, "")
        assert [each.id for each in client.subjects()] == [tried.id]
        again = client.call("POST", "/v1/subjects/unlearnt", SubjectView, request)
        assert again.id == tried.id, "nothing has changed"

        painted = paint(client, "@Imp in snow", base_model=None, inference_steps=None)
        recipe = painted.images[0].recipe
        assert recipe is not None
        assert (recipe.base_model, recipe.inference_steps) == ("twin", 4)
        assert recipe.text == "cat from images 1 to 2 in snow"
        assert recipe.request.subjects_by == "references"
        plain = pixels(client, paint(client, "cat from images 1 to 2 in snow"))
        by_references = pixels(client, paint(client, "@Imp in snow"))
        assert by_references != plain

        sd15 = paint(client, "@Imp in snow", base_model="sd15")
        assert sd15.images[0].recipe is not None
        assert sd15.images[0].recipe.text == "cat in snow", "an IP-Adapter knows no numbers"
        plain = paint(client, "cat in snow", base_model="sd15")
        assert pixels(client, sd15) != pixels(client, plain)

        with pytest.raises(InvalidRequest, match="@imp is not learnt yet, so there is no file"):
            client.export_lora(tried.id, "diffusers")
        with pytest.raises(InvalidRequest, match="@imp is not learnt yet, so there is no file"):
            client.export_archive(tried.id)
        with pytest.raises(InvalidRequest, match="@imp is not learnt yet. sprite32 takes no ref"):
            paint(client, "@Imp", base_model="sprite32")

        broken = client.submit(learn_request(client, "Imp")).id
        _wait_for_step(client, broken, 1)
        client.cancel(broken)
        _wait_for_end(client, broken)
        assert [each.id for each in client.subjects()] == [tried.id], "cancelling loses nothing"
        assert pixels(client, paint(client, "@Imp in snow")) == by_references

        learnt = run(client, learn_request(client, "Imp"))
        assert isinstance(learnt, LearnResult)
        (subject,) = client.subjects()
        assert (subject.id, subject.is_learnt) == (learnt.subject_id, True)
        ways = {way: pixels(client, paint(client, "@Imp in snow", subjects_by=way)) for way in WAYS}
        assert len(set(ways.values())) == len(WAYS)


def pixels(client: BackendClient, result: GenerateResult) -> bytes:
    return client.fetch_image(result.images[0]).tobytes()


def _loaded_layers(pipeline: Flux2KleinPipeline, file: Path) -> set[str]:
    """List the layers that get a LoRA from a file; the pipeline is as before afterwards."""
    pipeline.load_lora_weights(file.parent, weight_name=file.name)
    modules = pipeline.transformer.named_modules()
    layers = {name for name, layer in modules if isinstance(layer, BaseTunerLayer)}
    pipeline.unload_lora_weights()
    assert layers
    return layers


def _wait_for_end(client: BackendClient, job_id: str) -> None:
    while client.job(job_id).state in ("queued", "running"):
        pass


def _wait_for_step(client: BackendClient, job_id: str, step: int) -> JobView:
    while (view := client.job(job_id)).progress.step < step:
        assert view.state in ("queued", "running"), view
    return view
