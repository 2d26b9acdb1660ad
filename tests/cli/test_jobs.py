"""The administration commands, over the real service."""

from __future__ import annotations

import contextlib
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image

from modelsheet.api.admin import NewToken, TokenRequest
from modelsheet.api.generate import GenerateRequest, Region
from modelsheet.api.jobs import QueueRequest, QueueView
from modelsheet.api.models import AddModelRequest, ModelList
from modelsheet.base_models.locate import SPRITE32_WEIGHTS
from modelsheet.cli import main
from modelsheet.client.client import BackendClient
from modelsheet.connection_file import read_connection
from modelsheet.errors import ModelsheetError
from modelsheet.settings import Settings
from tests import toy

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def token(client: BackendClient, home: Path) -> str:
    connection = read_connection(Settings.from_environment({"MODELSHEET_HOME": str(home)}))
    assert connection is not None
    return connection.token


@pytest.fixture
def run(client: BackendClient, token: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command against the service; return its exit code and its output."""

    def run(*words: str, using: str = token) -> tuple[int, str]:
        code = main.main([*words, "--server", client.url, "--token", using])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_a_token_lets_an_artist_in_until_it_is_revoked(client: BackendClient, run: Run) -> None:
    assert "Only you can get in" in run("token")[1]
    code, said = run("token", "add", "ann")
    made = said.splitlines()[-1]

    with BackendClient(client.url, made) as artist:
        artist.verify_service()
        assert artist.jobs() == []
    assert "ann" in run("token", "list")[1]
    assert run("token", "add", "ben", using=made) == (
        1,
        "modelsheet: Only who runs the service may do this.\n",
    )
    assert run("token", "revoke", "ann")[0] == code == 0
    with BackendClient(client.url, made) as artist, pytest.raises(ModelsheetError, match="token"):
        artist.verify_service()


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["token", "add"], 1, "Say whose: modelsheet token add NAME"),
        (["token", "add", "Ann Lee"], 2, "Name must be small letters and digits"),
        (["token", "revoke", "nobody"], 1, "nobody has no token"),
        (["jobs", "finish", "x"], 1, "Say which job by its id"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    run: Run, words: list[str], status: int, said: str
) -> None:
    code, line = run(*words)

    assert code == status
    assert line.startswith("modelsheet: ")
    assert said in line
    assert line.count("\n") == 1


def test_a_held_queue_starts_nothing_and_is_reordered(client: BackendClient, run: Run) -> None:
    assert "until: modelsheet jobs open" in run("jobs", "hold")[1]
    first, second = (client.submit(GenerateRequest(prompt=p)).id for p in ("a hill", "a lake"))

    assert run("jobs", "move", second, "--before", first) == (0, f"{second}  queued\n")
    assert client.call("GET", "/v1/queue", QueueView).waiting == [second, first]
    listed = run("jobs")[1]
    assert "1. in line    0%  a lake" in listed
    assert "2. in line    0%  a hill" in listed
    assert run("jobs", "move", second)[0] == 0
    assert client.call("GET", "/v1/queue", QueueView).waiting == [first, second]
    run("jobs", "open")
    client.wait(first, lambda view: None)
    client.wait(second, lambda view: None)


def test_the_overview_names_workers_artists_and_what_they_wait_for(
    run: Run, client: BackendClient
) -> None:
    run("token", "add", "eva")
    assert run("token", "limit", "eva", "--gpus", "2", "--queued", "9") == (
        0,
        "2 at once, 9 waiting\n",
    )
    run("jobs", "hold")
    client.submit(GenerateRequest(prompt="a hill"))

    code, said = run("jobs", "--all")

    assert code == 0
    assert "worker                       free" in said
    assert "for the queue is held" in said
    assert "2 at once, 9 waiting" in run("token")[1]
    run("jobs", "open")


def test_counts_and_durations_are_shown(client: BackendClient, run: Run) -> None:
    assert "free on the disk" in run("jobs", "stats")[1]
    client.wait(client.submit(GenerateRequest(prompt="a hill")).id, lambda view: None)

    code, said = run("jobs", "stats")

    assert code == 0
    assert re.search(r"generate +[1-9]\d* done", said)
    assert "half waited under " in said
    assert "hill" not in said


def test_the_service_ends_after_the_running_job(tmp_path: Path) -> None:
    with toy.service(tmp_path) as client:
        job = client.submit(GenerateRequest(prompt="wait"))
        while client.job(job.id).state != "running":
            client.events(wait_s=1.0)
        waiting = client.submit(GenerateRequest(prompt="a hill"))
        client.call("PUT", "/v1/queue", QueueView, QueueRequest(state="ending"))
        (tmp_path / "data" / "go").touch()
        settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
        while (connection := read_connection(settings)) is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.wait_procs([psutil.Process(connection.pid)], timeout=1)
    with toy.service(tmp_path) as client:
        client.wait(waiting.id, lambda view: None)
        assert client.job(job.id).state == "done"


def test_a_bundle_holds_no_secret(
    client: BackendClient,
    home: Path,
    token: str,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MODELSHEET_HOME", str(home))
    prompt, poison, pose = "a very secret castle", "hush-hush", "kneeling in secret"
    request = GenerateRequest(prompt=prompt, poses=[pose])
    client.wait(client.submit(request).id, lambda view: None)
    place = Region(prompt="a hidden dragon", mask=client.upload_mask(Image.new("L", (8, 8), 255)))
    client.wait(client.submit(GenerateRequest(prompt="x", regions=[place])).id, lambda view: None)
    client.call("POST", "/v1/tokens", NewToken, TokenRequest(name="jo"))
    client.call("POST", "/v1/tokens", NewToken, TokenRequest(name="gone"))
    run("token", "revoke", "gone")
    artist = client.call("POST", "/v1/tokens", NewToken, TokenRequest(name="someartist")).token
    with (home / "log" / "worker.log").open("a") as log:  # as a careless library might
        log.write(
            f"{prompt} {pose} {place.prompt} {token} {artist} "
            f"Authorization: Bearer {poison} {home}/data/x\n"
        )
    (home / "log" / "started-by-krita.log").write_text("Krita began it for jo.\n")
    film = tmp_path / "SecretFilm2028"
    shutil.copytree(SPRITE32_WEIGHTS, film)
    client.call("POST", "/v1/models", ModelList, AddModelRequest(path=str(film)))
    shutil.rmtree(film / "unet")  # the doctor names what is missing
    target = tmp_path / "bundle.zip"

    assert main.main(["bundle", str(target)]) == 0

    with zipfile.ZipFile(target) as archive:
        contents = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(contents.values())
    for secret in (prompt, pose, place.prompt, token, artist, poison, str(home), "SecretFilm"):
        assert secret not in everything
    assert not re.search(r"\b(jo|gone|someartist)\b", everything)
    assert contents["started-by-krita.log"] == "Krita began it for <artist>.\n"
    assert "operator: make a token for <artist>" in contents["audit.log"]
    assert {"about.json", "doctor.txt", "jobs.json", "ledger.txt", "service.log"} <= set(contents)
    assert '"kind": "generate"' in contents["jobs.json"]
    assert "<model>" in contents["doctor.txt"]
    assert "ok" in contents["ledger.txt"].splitlines()
    said = capsys.readouterr().out
    assert all(name in said for name in contents)
    assert main.main(["bundle", str(target)]) == 1
