"""A tiny FLUX.2 klein through HTTP: learning that is killed, and each feature of painting, which
works or is refused in a sentence.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image, ImageDraw

from modelsheet.api.animate import AnimateRequest
from modelsheet.api.explore import Axis, Explore
from modelsheet.api.generate import MaskRef, Region
from modelsheet.api.jobs import JobView
from modelsheet.api.learn import LearnRequest, LearnResult, TrainingOverrides
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest, ModelsheetError
from tests.diffusion.conftest import view
from tests.service.test_klein import learn_request, make_home, paint, run, serving

STEPS = 200
_WAIT_S = 300.0


def worker() -> psutil.Process:
    """Return the service's worker process, a child of a child of ours."""
    for child in psutil.Process().children(recursive=True):
        if any("worker_main" in part for part in child.cmdline()):
            return child
    raise AssertionError("no worker runs")


def wait_for_step(client: BackendClient, job_id: str, step: int) -> JobView:
    end = time.monotonic() + _WAIT_S
    while (seen := client.job(job_id)).progress.step < step:
        assert time.monotonic() < end
        assert seen.state in ("queued", "running"), seen
    return seen


def longer(request: LearnRequest) -> LearnRequest:
    overrides = TrainingOverrides(training_steps=STEPS, unet_learning_rate=1e-2)
    return request.model_copy(update={"overrides": overrides})


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_worker_killed_while_it_learns_loses_nothing(tmp_path: Path) -> None:
    folder = make_home(tmp_path) / "subjects"
    with serving(tmp_path) as client:
        whole = run(client, longer(learn_request(client, "Imp")))
        assert isinstance(whole, LearnResult)
        first = (folder / whole.subject_id / "adapter.safetensors").read_bytes()
        client.delete_subject(whole.subject_id)  # which frees its identifier

        broken = client.submit(longer(learn_request(client, "Imp"))).id
        wait_for_step(client, broken, 10)
        client.pause(broken)  # which writes a checkpoint
        while client.job(broken).state != "paused":
            time.sleep(0.1)
        at = client.job(broken).progress.step
        client.resume(broken)
        wait_for_step(client, broken, at + 2)
        killed = worker()
        os.kill(killed.pid, signal.SIGKILL)
        done = client.wait(broken, lambda view: None)

        assert isinstance(done, LearnResult)
        assert worker().pid != killed.pid
        assert (folder / broken / "adapter.safetensors").read_bytes() == first


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendClient]:
    """A service with a tiny klein and two subjects that it learnt."""
    home = tmp_path_factory.mktemp("home")
    make_home(home)
    with serving(home) as client:
        for name in ("Imp", "Bat"):
            run(client, learn_request(client, name))
        yield client


def mask_of(client: BackendClient, box: tuple[int, int, int, int]) -> MaskRef:
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return client.upload_mask(mask)


def canvas() -> Image.Image:
    picture = Image.new("RGBA", (64, 64), (90, 150, 220, 255))
    picture.alpha_composite(view(0), (8, 8))
    return picture


LEFT, RIGHT = (0, 0, 31, 63), (32, 0, 63, 63)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_painting_offers_works_on_it(learnt: BackendClient) -> None:
    """One request each; that the result differs is what shows that a feature did something."""
    client = learnt
    plain = client.fetch_image(paint(client, "@Imp").images[0])

    def differs(prompt: str = "@Imp", **fields: Any) -> Image.Image:
        found = client.fetch_image(paint(client, prompt, **fields).images[0])
        assert found.tobytes() != plain.tobytes()
        return found

    differs("{@Imp|@Imp in snow|@Imp in garden}", seed=3)
    differs("@Imp " + "in snow in garden " * 105)  # beyond the window of 512 tokens
    differs("@Imp @Bat")
    differs(negative_prompt="red", guidance_scale=7.0)
    differs(guidance_scale=1.5)
    differs(unet_scale=0.3)
    unread = paint(client, "@Imp", text_encoder_scale=0.3)  # no text encoder is learnt
    assert client.fetch_image(unread.images[0]).tobytes() == plain.tobytes()
    differs(variation_seed=5, variation_strength=0.3)
    differs(sampler="Euler", inference_steps=3)
    differs(references=[client.upload(view(0)), client.upload(view(8))])
    assert differs(width=128, height=64).size == (128, 64)
    assert differs(transparent=True).getchannel("A").getextrema()[0] < 255
    differs(transparent=True, pixel_art=None)

    image = client.upload(canvas())
    own = {"width": 0, "height": 0}  # the size of the picture
    inside = differs(init_image=image, mask=mask_of(client, LEFT), **own)
    assert inside.crop(RIGHT).tobytes() == canvas().crop(RIGHT).tobytes()
    differs(init_image=image, strength=0.4)
    differs(init_image=client.upload(view(0)), transparent=True, strength=0.5)
    patch = paint(client, "@Imp", init_image=image, mask=mask_of(client, LEFT), patch=True, **own)
    assert client.fetch_image(patch.images[0]).getchannel("A").getpixel((60, 60)) == 0
    differs(
        "in garden",
        regions=[
            Region(prompt="@Imp", mask=mask_of(client, LEFT)),
            Region(prompt="@Bat", mask=mask_of(client, RIGHT)),
        ],
        **own,
    )
    poses = paint(client, "@Imp", poses=["in snow", "in garden"], transparent=True)
    assert poses.sheet is not None
    assert len(poses.images) == 2
    grid = Explore(
        across=Axis(name="guidance_scale", values=[1.0, 4.0]),
        down=Axis(name="inference_steps", values=[2, 3]),
    )
    assert len(paint(client, "@Imp", explore=grid, inference_steps=None).images) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": "(@Imp:1.3)"}, "knows no weights.*one of these: .*SDXL"),
        ({"tiling": True}, "seamless"),
        ({"sampler": "DDIM"}, "does not paint with DDIM. Take one of: Euler"),
    ],
)
def test_the_rest_is_refused_in_a_sentence(
    learnt: BackendClient, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        paint(learnt, **{"prompt": "@Imp", **fields})


@pytest.mark.slow
def test_what_it_paints_cannot_be_moved(learnt: BackendClient) -> None:
    with pytest.raises(ModelsheetError, match="motion is for pixel art"):
        run(learnt, AnimateRequest(subject="Imp", actions=["walk"]))
