"""The rest of the threat model in SECURITY.md, a test for each line that no other file has."""

from __future__ import annotations

import http.server
import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests
from flask.testing import FlaskClient

from modelsheet.cli import main
from modelsheet.client.client import BackendClient
from modelsheet.connection_file import Connection, write_connection
from modelsheet.errors import BackendUnreachable, DiskFull
from modelsheet.service.cleanup import check_layout_version
from modelsheet.service.http.app import create_app
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.service import Service
from modelsheet.settings import Settings
from tests.service.scenarios.live import SHA, LiveService, generate_request, learn_request
from tests.service.scenarios.test_live import steps

IMAGE = {"blob": SHA, "width": 4, "height": 4}


def test_the_service_listens_on_loopback_alone(shared: LiveService) -> None:
    connections = psutil.Process(shared.process.pid).net_connections("inet")
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}

    assert listening == {"127.0.0.1"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells another process' limits")
def test_no_core_dump_holds_the_token(shared: LiveService) -> None:
    assert psutil.Process(shared.process.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_no_option_makes_it_listen_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["serve", "--listen", "0.0.0.0"])

    assert "unrecognized arguments: --listen" in capsys.readouterr().err


def test_each_start_has_a_new_token_of_256_bits(live: Callable[..., LiveService]) -> None:
    service = live()
    first = str(service.session.headers["Authorization"])
    service.stop()
    service.start()

    assert service.session.headers["Authorization"] != first
    assert len(first.removeprefix("Bearer ")) >= 43


def test_one_who_took_over_a_stale_port_is_not_shown_the_token(tmp_path: Path) -> None:
    heard: list[str] = []

    class Squatter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(str(self.headers))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"ok": True, "proof": "0" * 64}).encode())

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Squatter)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    client = BackendClient(f"http://127.0.0.1:{server.server_port}", "the-token")

    with client, pytest.raises(BackendUnreachable, match="does not know the token"):
        client.verify_service()

    thread.join()
    server.server_close()
    assert len(heard) == 1
    assert "the-token" not in heard[0]


def test_a_connection_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    victim = tmp_path / "victim"
    victim.write_text("precious")
    settings.runtime_dir.mkdir(parents=True)
    (settings.runtime_dir / "server.json").symlink_to(victim)

    write_connection(
        settings, Connection(url="u", token="t", pid=1, boot_id="b", api="1", version="")
    )

    assert victim.read_text() == "precious"


def test_a_get_changes_nothing(client: FlaskClient, tmp_path: Path) -> None:
    client.get("/v1/jobs")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}

    for operation in OPERATIONS:
        if operation.method in ("GET", "HEAD") and not operation.path_parameters:
            client.open(operation.path, method=operation.method)

    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "request_body",
    [
        generate_request("x" * 2001),
        generate_request(count=65),
        generate_request(width=4096),
        learn_request(images=[IMAGE] * 65),
        learn_request(images=[]),
        learn_request(images=[{**IMAGE, "width": 8193}]),
        learn_request(name="x" * 81),
        learn_request(name="a\nb"),
        learn_request(**steps(20_001)),
    ],
    ids=range(9),
)
def test_what_is_too_large_is_refused(client: FlaskClient, request_body: object) -> None:
    assert client.post("/v1/jobs", json=request_body).status_code == 422


def test_the_queue_has_an_end_for_each_artist(service: Service, client: FlaskClient) -> None:
    service.jobs.set_queue("held")
    for _ in range(200):
        assert client.post("/v1/jobs", json=generate_request()).status_code == 202

    refused = client.post("/v1/jobs", json=generate_request())

    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "10"
    other = create_app(service).test_client()
    header = {
        "Authorization": f"Bearer {service.tokens.add('ann').token}",
        "Host": "127.0.0.1",
    }
    assert other.post("/v1/jobs", json=generate_request(), headers=header).status_code == 202


@pytest.mark.parametrize(
    "path",
    [
        "/v1/blobs/..%2f..%2f..%2fetc%2fpasswd",
        "/v1/blobs/../../tokens.json",
        "/v1/subjects/../jobs",
        "/v1/subjects/..%2f..%2ftokens.json",
        "/v1/jobs/%00",
        "/v1/tokens/..%2f",
        "//etc/passwd",
    ],
)
def test_no_address_leads_out_of_the_folder(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code in (400, 404, 405)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "wanted", ["../../etc", "/etc", "http://evil.test/x", "a/b@c", "pickle.bin"]
)
def test_a_base_model_is_one_of_the_list(client: FlaskClient, wanted: str) -> None:
    answer = client.post("/v1/jobs", json=generate_request(base_model=wanted))

    assert answer.status_code == 404
    assert answer.json is not None
    assert wanted not in answer.text


def test_what_artists_type_and_paint_is_in_no_log(live: Callable[..., LiveService]) -> None:
    service = live()
    words = "xanadu", "kublai", "zeppelin"
    service.wait_for_state(service.submit(generate_request(words[0])), "done")
    failing = service.submit(generate_request(f"{words[1]} explode"))
    service.wait_for_state(failing, "failed")
    service.wait_for_state(service.submit(learn_request(words[2], name=words[2])), "done")
    token = str(service.session.headers["Authorization"]).removeprefix("Bearer ")
    service.stop()

    logs = "".join(path.read_text() for path in service.settings.log_dir.iterdir())
    assert "Job " in logs
    for secret in (*words, token):
        assert secret not in logs


def test_who_asked_for_what_is_written_down(live: Callable[..., LiveService]) -> None:
    service = live()
    made = service.post("/v1/tokens", {"name": "ann"}).json()["token"]
    header = {"Authorization": f"Bearer {made}"}
    job = requests.post(
        f"{service.url}/v1/jobs", json=generate_request(), headers=header, timeout=180
    ).json()["id"]

    audit = (service.settings.log_dir / "audit.log").read_text()

    assert f"ann: submit job {job} (generate)" in audit


def test_an_upload_never_takes_the_last_room(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 17 << 20, "total": 100 << 30})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)

    service.put_blob(SHA, io.BytesIO(bytes(range(64))), 64)
    with pytest.raises(DiskFull):
        service.put_blob(SHA, io.BytesIO(bytes(2 << 20)), 2 << 20)


def test_a_data_folder_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("2\n")

    with pytest.raises(Exception, match="newer Modelsheet"):
        check_layout_version(tmp_path)
    assert os.listdir(tmp_path) == ["VERSION"]
