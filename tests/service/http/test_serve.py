"""The service's process: its port and its folder."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from modelsheet.client.client import BackendClient
from modelsheet.errors import Conflict, InvalidRequest
from modelsheet.service.http.uvicorn_server import HOST, _listening_socket
from modelsheet.settings import Settings
from tests import toy
from tests.service.scenarios.live import generate_request


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(Conflict, match=f"Port {port} is taken by another program; give anothe"):
            _listening_socket(port)


def test_a_port_that_may_not_be_opened_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)

    with pytest.raises(InvalidRequest, match="Port 80 cannot be opened"):
        _listening_socket(80)


def test_a_data_folder_that_went_away_is_called_so(client: FlaskClient, tmp_path: Path) -> None:
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    answer = client.post("/v1/jobs", json=generate_request())
    blob = client.put(f"/v1/blobs/{'0' * 64}", data=b"x", content_type="application/octet-stream")
    moved.rename(tmp_path)

    for refused in (answer, blob):
        assert refused.status_code == 503
        assert refused.get_json()["code"] == "data-folder-gone"
        assert f"The data folder {tmp_path} is gone. Put it back" in refused.get_json()["detail"]
    assert client.post("/v1/jobs", json=generate_request()).status_code == 202


def test_a_second_service_does_not_start_where_the_lock_file_was_removed(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    with toy.service(tmp_path) as first:
        (settings.data_dir / "service.lock").unlink()
        (settings.data_dir / "service.owner").unlink()
        completed = subprocess.run(
            toy.command(tmp_path),
            env=dict(toy.environment(tmp_path)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert completed.returncode != 0
        assert "Another Modelsheet service" in completed.stderr
        assert isinstance(first, BackendClient)
        assert requests.get(f"{first.url}/v1/ping", timeout=30).ok
