"""The client against the real service over HTTP: round trips, errors, cancelling, and impostors."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobRequest, JobResult, JobView
from modelsheet.api.learn import LearnRequest
from modelsheet.client import launcher, workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.references import ReferenceImage, read_references
from modelsheet.connection_file import read_connection
from modelsheet.errors import (
    BackendUnreachable,
    Cancelled,
    InvalidImages,
    InvalidRequest,
    ModelsheetError,
    NotFound,
)
from modelsheet.settings import Settings
from tests import toy

NOISE = Image.fromarray(np.random.default_rng(4).integers(0, 256, (9, 7, 4), dtype=np.uint8))


def quietly(client: BackendClient, request: JobRequest, title: str) -> JobResult:
    return client.wait(client.submit(request).id, lambda view: None)


def test_a_picture_comes_back_as_it_was_sent(client: BackendClient) -> None:
    reference = client.upload(NOISE, "noise")

    assert (reference.width, reference.height, reference.name) == (7, 9, "noise")
    assert client.fetch_image(reference).tobytes() == NOISE.tobytes()
    assert client.upload(NOISE, "again").blob == reference.blob


def test_learning_ends_with_a_subject_made_of_the_pictures_sent(client: BackendClient) -> None:
    references = [
        ReferenceImage("holding staff", NOISE),
        ReferenceImage("plain", NOISE.rotate(180)),
    ]
    images = workflows.upload_references(client, references)
    request = LearnRequest(name="Red Fox", class_noun="fox", images=images)

    subject = workflows.learn(client, request, quietly)

    assert subject in client.subjects()
    assert [reference.name for reference in subject.references] == ["holding staff", "plain"]
    assert client.fetch_image(subject.references[1]).tobytes() == NOISE.rotate(180).tobytes()


def test_progress_is_told_until_the_end(client: BackendClient) -> None:
    seen: list[JobView] = []
    job = client.submit(GenerateRequest(prompt="slow", count=3, seed=5))

    result = client.wait(job.id, seen.append)

    assert isinstance(result, GenerateResult)
    assert [image.seed for image in result.images] == [5, 6, 7]
    assert seen[-1].state == "done"
    steps = [view.progress.step for view in seen]
    assert steps == sorted(steps)


def test_waiting_for_a_job_that_is_over_gives_its_result(client: BackendClient) -> None:
    job = client.submit(GenerateRequest(prompt="a fox"))
    first = client.wait(job.id, lambda view: None)

    assert client.wait(job.id, lambda view: None) == first


def test_a_cancelled_job_raises_cancelled(client: BackendClient) -> None:
    job = client.submit(GenerateRequest(prompt="wait"))

    def cancel_when_it_runs(view: JobView) -> None:
        if view.state == "running":
            client.cancel(job.id)

    with pytest.raises(Cancelled):
        client.wait(job.id, cancel_when_it_runs)


def test_the_services_sentence_and_code_come_through(client: BackendClient) -> None:
    with pytest.raises(NotFound) as caught:
        client.job("00000000-0000-4000-8000-000000000000")

    assert str(caught.value).endswith(".")


def test_a_reference_that_was_not_sent_is_refused(client: BackendClient) -> None:
    missing = client.upload(NOISE).model_copy(update={"blob": "0" * 64})

    with pytest.raises(ModelsheetError, match=r"\.$"):
        client.submit(LearnRequest(name="x", class_noun="y", images=[missing]))


def test_a_deleted_subject_is_gone(client: BackendClient) -> None:
    request = LearnRequest(name="gone", class_noun="fox", images=[client.upload(NOISE, "a")])
    subject = workflows.learn(client, request, quietly)

    client.delete_subject(subject.id)

    with pytest.raises(NotFound):
        client.subject(subject.id)


def test_the_services_token_has_256_random_bits(client: BackendClient, home: Path) -> None:
    connection = read_connection(Settings.from_environment({"MODELSHEET_HOME": str(home)}))

    assert connection is not None
    assert connection.url == client.url
    assert re.fullmatch(r"[0-9a-f]{64}", connection.token)


def test_a_wrong_token_is_noticed_before_it_is_sent(client: BackendClient) -> None:
    with (
        BackendClient(client.url, "wrong") as stranger,
        pytest.raises(BackendUnreachable, match="does not know the token"),
    ):
        stranger.verify_service()


def test_a_wrong_token_is_refused_with_what_to_do(client: BackendClient) -> None:
    with (
        BackendClient(client.url, "wrong") as stranger,
        pytest.raises(ModelsheetError, match="token"),
    ):
        stranger.subjects()


def test_a_running_service_is_found_and_not_started_again(
    client: BackendClient, home: Path
) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(home)})

    with launcher.connect(settings, environment={}, command=["does-not-exist"]) as found:
        assert found.url == client.url


def test_a_started_service_goes_on_and_is_found_by_the_next(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    environment, command = toy.environment(tmp_path), toy.command(tmp_path)
    with launcher.connect(settings, environment=environment, command=command):
        started = read_connection(settings)

    with launcher.connect(settings, environment={}, command=["does-not-exist"]) as again:
        boot_id = again.capabilities().boot_id

    assert started is not None
    assert boot_id == started.boot_id
    os.kill(started.pid, signal.SIGTERM)
    os.waitpid(started.pid, 0)
    assert launcher.find_service(settings) is None


class Impostor(BaseHTTPRequestHandler):
    """Another server at the service's address; it records the headers sent to it."""

    shown: list[str | None] = []

    def do_GET(self) -> None:
        self.shown.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>hello</html>")

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def impostor_url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Impostor) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_something_else_at_that_address_never_sees_the_token(impostor_url: str) -> None:
    with (
        BackendClient(impostor_url, "secret") as client,
        pytest.raises(BackendUnreachable, match="is no Modelsheet service"),
    ):
        client.verify_service()

    assert Impostor.shown[-1:] == [None]


def test_nobody_at_that_address_is_said_with_what_to_do() -> None:
    with (
        BackendClient("http://127.0.0.1:9", "token") as client,
        pytest.raises(BackendUnreachable, match="modelsheet serve"),
    ):
        client.verify_service()


@pytest.mark.parametrize(
    "url", ["gpu.example.org", "localhost:7860", "ftp://gpu", "http://", "http://gpu:x", ""]
)
def test_an_address_that_is_none_is_said_with_an_example(url: str) -> None:
    with pytest.raises(InvalidRequest, match="Write it like http://127.0.0.1:7860"):
        BackendClient(url, "token")


@pytest.mark.parametrize("host", ["gpu.example.org", "192.168.1.5:7860", "127.0.0.1.evil.org"])
def test_http_to_another_computer_is_refused(host: str) -> None:
    with pytest.raises(InvalidRequest, match="Use https, or an ssh tunnel"):
        BackendClient(f"http://{host}", "token")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.exceptions.SSLError(), "does not trust the certificate"),
        (requests.exceptions.ProxyError(), "NO_PROXY"),
        (requests.exceptions.InvalidSchema("socks5"), "NO_PROXY"),
        (requests.exceptions.ConnectTimeout(), "in time"),
    ],
)
def test_each_way_of_not_reaching_a_service_has_its_sentence(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(requests.Session, "request", refuse)
    with (
        BackendClient("https://gpu.example.org", "token") as client,
        pytest.raises(BackendUnreachable, match=said),
    ):
        client.verify_service()


def test_without_a_service_and_without_leave_to_start_one(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})

    with pytest.raises(BackendUnreachable, match="modelsheet serve"):
        launcher.connect(settings, environment={}, start=False)


def test_a_service_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    failing = ["/bin/sh", "-c", "echo the disk is on fire >&2; exit 3"]

    with pytest.raises(BackendUnreachable, match="the disk is on fire"):
        launcher.connect(settings, environment={}, command=failing)


def test_files_become_pictures_named_by_what_they_show(tmp_path: Path) -> None:
    NOISE.save(tmp_path / "holding_sword.png")
    Image.new("RGBA", (4, 4)).save(tmp_path / "empty.png")

    (reference,) = read_references([tmp_path / "holding_sword.png"])

    assert reference.name == "holding sword"
    with pytest.raises(InvalidImages, match="empty.png is empty"):
        read_references([tmp_path / "empty.png"])
