"""Open a data folder that version 0.1.0 left behind: its jobs, its subjects, and painting with one.

`tests/fixtures/data-folder-0.1.zip` was made by 0.1.0's command line from docs/sample/hero.ora:
two subjects learnt at rank 1 (one by the preset then called "seed") and one image generated.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.client.client import BackendClient
from modelsheet.connection_file import read_connection
from modelsheet.settings import Settings
from tests.paths import ROOT

ARCHIVE = ROOT / "tests" / "fixtures" / "data-folder-0.1.zip"
_PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MODELSHEET_HOME with a copy of the old data folder."""
    home = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home / "data")
    return home


@pytest.fixture(scope="module")
def upgraded(home: Path) -> Iterator[BackendClient]:
    """Serve the old data folder with the real worker."""
    environment = {**os.environ, "MODELSHEET_HOME": str(home), "PYTHONPATH": str(ROOT / "backend")}
    process = subprocess.Popen([sys.executable, "-m", "modelsheet", "serve"], env=environment)
    try:
        with _connect(home) as client:
            yield client
    finally:
        process.terminate()
        process.wait(_PATIENCE_S)


def _connect(home: Path) -> BackendClient:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(home)})
    until = time.monotonic() + _PATIENCE_S
    while (connection := read_connection(settings)) is None:
        assert time.monotonic() < until, "the service did not start"
        time.sleep(0.1)
    return BackendClient(connection.url, connection.token)


def test_its_jobs_are_listed(upgraded: BackendClient) -> None:
    jobs = upgraded.jobs()

    assert [(job.kind, job.state, job.title) for job in jobs] == [
        ("learn", "done", "old hero"),
        ("generate", "done", "@hero holding sword"),
        ("learn", "done", "hero"),
    ]
    assert all(job.result is not None for job in jobs)


def test_what_is_changed_is_kept_as_a_backup(upgraded: BackendClient, home: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        before = {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}
    changed = [name for name in before if (home / "data" / name).read_bytes() != before[name]]

    assert changed == ["ledger.sqlite3"]
    old = home / "ledger-0.1.sqlite3"
    old.write_bytes(before["ledger.sqlite3"])
    assert dump(home / "data/ledger.sqlite3.schema-2") == dump(old) != []


def dump(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def test_its_subjects_are_listed_with_their_references(upgraded: BackendClient) -> None:
    subjects = upgraded.subjects()

    assert [(each.name, each.class_noun) for each in subjects] == [
        ("old hero", "human woman"),
        ("hero", "human woman"),
    ]
    assert [len(each.references) for each in subjects] == [5, 5]
    assert upgraded.fetch_image(subjects[0].references[0]).size == (32, 32)


def test_a_subject_is_painted(upgraded: BackendClient) -> None:
    request = GenerateRequest(prompt="@hero holding sword", inference_steps=4, seed=3)

    done = upgraded.wait(upgraded.submit(request).id, lambda view: None)

    assert isinstance(done, GenerateResult)
    assert np.asarray(upgraded.fetch_image(done.images[0])).std() > 0
    assert done.images[0].recipe is not None
    assert [use.name for use in done.images[0].recipe.subjects] == ["hero"]


def test_its_image_is_still_there(upgraded: BackendClient) -> None:
    job = next(job for job in reversed(upgraded.jobs()) if job.kind == "generate")

    assert isinstance(job.result, GenerateResult)
    assert upgraded.fetch_image(job.result.images[0]).size == (32, 32)
