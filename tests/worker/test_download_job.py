"""Downloads are complete or absent, resume where they stopped, and fail in a sentence."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelsheet.api.jobs import Progress
from modelsheet.api.models import DownloadRequest, DownloadResult
from modelsheet.base_models.download_sources import DOWNLOAD_SOURCES
from modelsheet.base_models.locate import locate_base_model
from modelsheet.base_models.manage import list_models
from modelsheet.errors import Cancelled, DownloadFailed, ModelMissing, UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors
from modelsheet.jobs.protocol import Directive, JobSuspended
from modelsheet.worker import download_job
from modelsheet.worker.download_job import download
from tests.base_models.fake_hub import COMMIT, Hub, running
from tests.diffusion.tiny import write_klein

CLIP = DownloadRequest(model="clip")
WEIGHTS = encode_safetensors({"x": np.zeros(2_000_000, np.float32)}, {})
FILES = {
    "config.json": b"{}",
    "merges.txt": b"#version: 0.2\n",
    "vocab.json": b"{}",
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"never",
    "flax_model.msgpack": b"never",
}
WANTED = ["config.json", "merges.txt", "model.safetensors", "vocab.json"]


class Context:
    """The job's surroundings; `obey` gives the directive for the progress so far."""

    job_id = "job"

    def __init__(self, folder: Path, obey: Callable[[list[Progress]], Directive]) -> None:
        self.checkpoint_dir = folder / "checkpoint"
        self.checkpoint_dir.mkdir(exist_ok=True)
        self.staging_dir = folder
        self.said: list[Progress] = []
        self._obey = obey

    def progress(self, progress: Progress) -> None:
        self.said.append(progress)

    def directive(self) -> Directive:
        return self._obey(self.said)

    def read_blob(self, sha256: str) -> bytes:
        raise NotImplementedError

    def write_blob(self, content: bytes) -> str:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def known_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small files of these tests are those that our source knows."""
    known = {
        "clip": {"model.safetensors": hashlib.sha256(WEIGHTS).hexdigest()},
        "matting": {"onnx/model.onnx": hashlib.sha256(b"graph").hexdigest()},
    }
    changed = {
        name: replace(source, weights=known.get(name, source.weights))
        for name, source in DOWNLOAD_SOURCES.items()
    }
    monkeypatch.setattr(download_job, "DOWNLOAD_SOURCES", changed)


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running(Hub(FILES)) as one:
        yield one


def run(
    hub: Hub,
    data_dir: Path,
    obey: Callable[[list[Progress]], Directive] = lambda said: Directive.RUN,
    said: list[Progress] | None = None,
    request: DownloadRequest = CLIP,
) -> DownloadResult:
    context = Context(data_dir, obey)
    # As in the worker, which is told to stay offline.
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1", "NO_PROXY": "*"}
    try:
        return download(request, context, data_dir, environment=environment)
    finally:
        if said is not None:
            said.extend(context.said)


def target(data_dir: Path) -> Path:
    return data_dir / "models" / "clip-vit-large-patch14"


def test_the_files_that_are_needed_arrive_and_no_others(hub: Hub, tmp_path: Path) -> None:
    said: list[Progress] = []

    result = run(hub, tmp_path, said=said)

    assert sorted(path.name for path in target(tmp_path).iterdir()) == WANTED
    assert (target(tmp_path) / "model.safetensors").read_bytes() == WEIGHTS
    assert result.size_bytes == sum(len(FILES[name]) for name in WANTED)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["clip-vit-large-patch14"]
    assert said[0].phase == "asking the hub"
    assert [path for _, path, _ in hub.asked if DOWNLOAD_SOURCES["clip"].revision not in path] == []


def test_of_the_matting_model_one_graph_arrives(tmp_path: Path) -> None:
    files = {"README.md": b"MIT", "onnx/model.onnx": b"graph", "onnx/model_fp16.onnx": b"half"}
    with running(Hub(files)) as hub:
        run(hub, tmp_path, request=DownloadRequest(model="matting"))

    folder = tmp_path / "models" / "birefnet-lite"
    assert sorted(p.name for p in folder.rglob("*") if p.is_file()) == ["README.md", "model.onnx"]
    (view,) = [model for model in list_models(tmp_path).models if model.id == "matting"]
    assert (view.kind, view.state, view.licence) == (
        "matting",
        "ready",
        "MIT (ZhengPeng7/BiRefNet)",
    )


def test_a_hub_without_the_graph_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        running(Hub({"README.md": b"MIT"})) as hub,
        pytest.raises(ModelMissing, match=r"onnx/model\.onnx"),
    ):
        run(hub, tmp_path, request=DownloadRequest(model="matting"))

    assert not (tmp_path / "models" / "birefnet-lite").exists()


def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    run(hub, tmp_path)
    hub.asked.clear()

    run(hub, tmp_path)

    assert hub.asked == []


@pytest.fixture(scope="module")
def klein_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("klein")
    write_klein(folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


KLEIN = DownloadRequest(model="flux2-klein-distilled")


def test_what_is_not_pinned_is_recorded(klein_files: dict[str, bytes], tmp_path: Path) -> None:
    with running(Hub({**klein_files, "flux-2-klein-4b.safetensors": WEIGHTS})) as hub:
        run(hub, tmp_path, request=KLEIN)

    folder = tmp_path / "models" / "flux2-klein-distilled"
    record = json.loads((folder / "hub.json").read_text())
    for name in klein_files.keys() - {"text_encoder/generation_config.json"}:
        assert (folder / name).read_bytes() == klein_files[name]
    assert not (folder / "flux-2-klein-4b.safetensors").exists(), "the same weights once more"
    assert (record["repo"], record["revision"]) == ("black-forest-labs/FLUX.2-klein-4B", COMMIT)
    assert {key: value for key, value in record["sha256"].items() if "vae" in key} == {
        name: hashlib.sha256(klein_files[name]).hexdigest() for name in klein_files if "vae" in name
    }
    assert [path for _, path, _ in hub.asked if "/resolve/" in path and COMMIT not in path] == []
    assert locate_base_model("flux2-klein-distilled", tmp_path).family == "flux2-klein"


def test_what_is_not_pinned_goes_on_with_the_revision_it_began(
    klein_files: dict[str, bytes], tmp_path: Path
) -> None:
    partial = tmp_path / "models" / ".partial-flux2-klein-distilled"
    partial.mkdir(parents=True)
    (partial / "hub.json").write_text(json.dumps({"revision": "1" * 40}))
    with running(Hub(klein_files)) as hub:
        run(hub, tmp_path, request=KLEIN)

    assert [path for _, path, _ in hub.asked if "1" * 40 not in path] == []


def test_weights_without_the_hubs_checksum_are_refused(
    klein_files: dict[str, bytes], tmp_path: Path
) -> None:
    with running(Hub(klein_files)) as hub:
        hub.plain = "vae/diffusion_pytorch_model.safetensors"
        with pytest.raises(DownloadFailed, match="no checksum of vae/"):
            run(hub, tmp_path, request=KLEIN)


def test_a_fetch_ends_with_the_worker_that_began_it() -> None:
    command = [sys.executable, "-m", "modelsheet.base_models.hub_download", "a/b", "main", ".", "*"]
    hub = socket.create_server(("127.0.0.1", 0))  # it takes the call and never answers
    address = f"http://127.0.0.1:{hub.getsockname()[1]}"
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}

    with hub, subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        asked, _ = hub.accept()
        with asked:
            assert process.poll() is None
            assert process.stdin is not None
            process.stdin.close()  # as the system does for a worker that is killed

            assert process.wait(60) == 1


def at_a_quarter(directive: Directive) -> Callable[[list[Progress]], Directive]:
    """Say it once more than a quarter of all bytes is on the disk."""
    return lambda said: directive if said and said[-1].fraction > 0.25 else Directive.RUN


@pytest.mark.parametrize(
    ("directive", "ending"),
    [
        (Directive.CANCEL, Cancelled),
        (Directive.PAUSE, JobSuspended),
        (Directive.YIELD, JobSuspended),
    ],
)
def test_a_download_cut_off_goes_on_where_it_stopped(
    hub: Hub, tmp_path: Path, directive: Directive, ending: type[Exception]
) -> None:
    hub.stuck = "model.safetensors"
    said: list[Progress] = []
    with pytest.raises(ending):
        run(hub, tmp_path, at_a_quarter(directive), said)
    assert not target(tmp_path).exists()
    assert said[-1].total == 8
    hub.go.set()
    hub.asked.clear()

    run(hub, tmp_path)

    assert (target(tmp_path) / "model.safetensors").read_bytes() == WEIGHTS
    ranges = [span for _, path, span in hub.asked if path.endswith(".safetensors") and span]
    assert [
        method for method, path, _ in hub.asked if "vocab.json" in path and method == "GET"
    ] == []
    (span,) = ranges
    assert int(span.removeprefix("bytes=").removesuffix("-")) > len(WEIGHTS) // 4


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "accept its licence there first"), (404, "update Modelsheet"), (410, "error \\(410\\)")],
)
def test_what_the_hub_refuses_is_a_sentence(
    hub: Hub, tmp_path: Path, status: int, sentence: str
) -> None:
    hub.status = status

    with pytest.raises(DownloadFailed, match=sentence):
        run(hub, tmp_path)

    assert not target(tmp_path).exists()


def test_without_a_network_it_is_one_sentence(tmp_path: Path) -> None:
    with running(Hub(FILES)) as hub:
        gone = hub
    with pytest.raises(DownloadFailed, match="The hub cannot be reached. Check the network"):
        run(gone, tmp_path)


def test_a_file_that_arrives_damaged_is_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.sums["model.safetensors"] = "0" * 64

    with pytest.raises(DownloadFailed, match="model.safetensors arrived damaged"):
        run(hub, tmp_path)

    assert not list((tmp_path / "models").rglob("model.safetensors"))


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    with (
        running(Hub({**FILES, "model.safetensors": WEIGHTS[:-9]})) as hub,
        pytest.raises(UnsafeModel, match="is cut off: 9 of"),
    ):
        run(hub, tmp_path)

    assert not target(tmp_path).exists()


def test_weights_that_our_source_does_not_know_are_refused(tmp_path: Path) -> None:
    other = encode_safetensors({"x": np.ones(2_000_000, np.float32)}, {})
    with running(Hub({**FILES, "model.safetensors": other})) as hub:  # it is sure of its file
        for _ in range(2):
            with pytest.raises(DownloadFailed, match="is not the file that Modelsheet knows"):
                run(hub, tmp_path)

    assert not target(tmp_path).exists()
    assert not list((tmp_path / "models").rglob("model.safetensors"))


def test_a_graph_that_our_source_does_not_know_is_refused(tmp_path: Path) -> None:
    files = {"README.md": b"MIT", "onnx/model.onnx": b"another graph"}
    with (
        running(Hub(files)) as hub,
        pytest.raises(DownloadFailed, match=r"onnx/model\.onnx .* is not the file"),
    ):
        run(hub, tmp_path, request=DownloadRequest(model="matting"))


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "a/../../outside.json",
        "/tmp/outside.json",
        "a//outside.json",
        "a\\..\\outside.json",
        "C:outside.json",
        ".hidden.json",
        "./outside.json",
        "a\n.json",
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.parent.rglob("outside*"))
    with (
        running(Hub({**FILES, name: b"{}"})) as hub,
        pytest.raises(DownloadFailed, match="names a file that cannot be"),
    ):
        run(hub, tmp_path)

    assert not target(tmp_path).exists()
    assert set(tmp_path.parent.rglob("outside*")) == before


def test_no_module_is_imported_from_the_folder_of_a_download(hub: Hub, tmp_path: Path) -> None:
    trap = "import pathlib; pathlib.Path(__file__).with_suffix('.ran').touch()\n"
    folders = [tmp_path / "checkpoint", tmp_path / "models" / ".partial-clip-vit-large-patch14"]
    for folder in folders:
        folder.mkdir(parents=True)
        for module in ("requests", "json", "runpy", "sitecustomize", "modelsheet"):
            (folder / f"{module}.py").write_text(trap)

    run(hub, tmp_path)

    assert not list(tmp_path.rglob("*.ran"))


def test_more_bytes_than_announced_are_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.sizes["vocab.json"] = 1

    with pytest.raises(DownloadFailed, match=r"vocab\.json arrived damaged"):
        run(hub, tmp_path)

    assert not list((tmp_path / "models").rglob("vocab.json*"))
