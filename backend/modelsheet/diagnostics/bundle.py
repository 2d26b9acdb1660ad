"""Support bundle: logs, job list and checks for a bug report, without secrets or prompts."""

from __future__ import annotations

import getpass
import json
import platform
import re
import sqlite3
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path

import modelsheet
from modelsheet.base_models.families import STANDARD_MODELS
from modelsheet.base_models.locate import base_model_ids
from modelsheet.base_models.user_models import read_registry
from modelsheet.connection_file import read_connection
from modelsheet.diagnostics import doctor
from modelsheet.errors import InvalidRequest, ModelsheetError
from modelsheet.service.auth.tokens import TokenStore
from modelsheet.service.queue.backup import JobBackup
from modelsheet.service.queue.job import Value
from modelsheet.settings import Settings
from modelsheet.subjects.store import SubjectStore

_LOGS = ("service.log", "worker.log", "audit.log", "start.log", "started-by-krita.log")
_LOG_TAIL = 200_000  # bytes of each
_SHORTEST_SECRET = 4  # characters; shorter ones would redact ordinary words
_TYPED = ("name", "prompt", "negative_prompt", "class_noun", "identifier")
_TYPED_LISTS = ("captions", "poses", "regions")
_OUTLINE = ("id", "kind", "state", "attempt", "fence", "created", "started", "finished")
# Artists in the audit log, even if their token was revoked and their jobs deleted.
_AUDITED = re.compile(
    r"modelsheet\.audit: (?:(?!operator:)([a-z0-9._-]+):|operator: .* token (?:for|of) (\S+))"
)
# Tokens, URLs with a token, and machine ids.
_TOKEN = re.compile(r"(?<![0-9A-Za-z_-])[0-9A-Za-z_-]{40,}(?![0-9A-Za-z_-])|(?<=Bearer )\S+")


def collect_bundle(settings: Settings, *, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the files of the bundle by name, already redacted."""
    jobs = _jobs(settings)
    report = doctor.run_checks(settings, environment=environment)
    contents = {
        "about.json": json.dumps(_about(settings), indent=1),
        "doctor.txt": doctor.format_report(report),
        "jobs.json": json.dumps([_outline(job) for job in jobs], indent=1),
        "ledger.txt": _ledger(settings.data_dir),
    }
    contents |= {name: text for name in _LOGS if (text := _tail(settings.log_dir / name))}
    secrets = [
        *_identifying_texts(settings, environment),
        *_typed_texts(jobs),
        *_names_of_models(settings.data_dir),
        *_names_of_subjects(settings.data_dir),
    ]
    artists = _artists(settings.data_dir, jobs, contents)
    return {name: _redact(text, secrets, artists) for name, text in contents.items()}


def write_bundle(target: Path, contents: Mapping[str, str]) -> None:
    """Write the bundle as a new zip. Raises InvalidRequest: the file cannot be written."""
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for name, text in contents.items():
                archive.writestr(name, text)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written ({error.strerror}).") from None


def _about(settings: Settings) -> dict[str, object]:
    packages = sorted((d.name, d.version) for d in metadata.distributions())
    return {
        "modelsheet": modelsheet.__version__,
        "python": sys.version,
        "platform": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "threads": settings.threads,
        "device": settings.device or "chosen by the worker",
        "packages": dict(packages),
        "made": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _jobs(settings: Settings) -> list[dict[str, Value]]:
    """Read the jobs' backup records, which needs no running service."""
    folder = settings.data_dir / "job-records"
    return JobBackup(folder).read_all() if folder.is_dir() else []


def _outline(job: Mapping[str, Value]) -> dict[str, object]:
    """Return a job's state and times, without its title, request and result."""
    outline: dict[str, object] = {name: job[name] for name in _OUTLINE}
    return outline | {"error": json.loads(str(job["error"]))["code"] if job["error"] else None}


def _ledger(data_dir: Path) -> str:
    """Check a copy of the ledger, since only the service may open the ledger itself."""
    path = data_dir / "ledger.sqlite3"
    lines = [f"{file.name}  {file.stat().st_size} bytes" for file in data_dir.glob("ledger*")]
    try:
        with (
            closing(sqlite3.connect(":memory:")) as copy,
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as ledger,
        ):
            ledger.backup(copy)
            lines += [str(row[0]) for row in copy.execute("PRAGMA quick_check(5)")]
            version = copy.execute("PRAGMA user_version").fetchone()[0]
            lines += [f"schema {version}"]
    except sqlite3.Error as error:
        lines.append(f"cannot be read: {type(error).__name__}")
    return "\n".join(lines)


def _tail(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _LOG_TAIL))
        return stream.read().decode("utf-8", errors="replace")


def _identifying_texts(
    settings: Settings, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield texts that identify this machine or its user, each with its placeholder."""
    connection = read_connection(settings)
    if connection is not None:
        yield connection.token, "<token>"
    for folder in (settings.data_dir, settings.log_dir, settings.runtime_dir):
        yield str(folder), f"<{folder.name}>"
    yield environment.get("HOME") or str(Path.home()), "<home>"
    yield platform.node(), "<host>"
    try:
        yield getpass.getuser(), "<user>"
    except (OSError, KeyError, ImportError):  # a user without a name
        return


def _typed_texts(jobs: Iterable[Mapping[str, Value]]) -> Iterator[tuple[str, str]]:
    """Yield texts that users typed into requests, each with its placeholder."""
    for job in jobs:
        for key, value in json.loads(str(job["request"])).items():
            if key in (*_TYPED, *_TYPED_LISTS):
                for text in value if isinstance(value, list) else [value]:
                    typed = text["prompt"] if isinstance(text, dict) else text  # of a region
                    yield str(typed or ""), f"<{key}>"


def _names_of_models(data_dir: Path) -> Iterator[tuple[str, str]]:
    """Yield ids, paths and file names of the models that the user added."""
    try:
        registry = read_registry(data_dir)
        ids = base_model_ids(data_dir)
    except (ModelsheetError, OSError):  # the file is damaged
        return
    for model in registry.models:
        yield from ((text, "<model>") for text in (model.id, model.config) if text)
        yield from _parts(Path(model.path))
    for installation in registry.installations:
        yield installation.name, "<models>"
        yield from _parts(Path(installation.path))
    for model_id in ids:
        if model_id not in STANDARD_MODELS:
            yield from ((text, "<model>") for text in (model_id, Path(model_id).name))


def _parts(path: Path) -> Iterator[tuple[str, str]]:
    """Yield a path, and the names in it that no computer has by itself."""
    yield str(path), "<model>"
    yield path.name, "<model>"
    yield path.stem, "<model>"


def _names_of_subjects(data_dir: Path) -> Iterator[tuple[str, str]]:
    for subject in SubjectStore(data_dir).list():
        yield subject.name, "<name>"
        yield subject.handle, "<name>"
        yield subject.identifier, "<identifier>"
        yield from ((reference.name, "<layer>") for reference in subject.references)


def _artists(
    data_dir: Path, jobs: Iterable[Mapping[str, Value]], contents: Mapping[str, str]
) -> set[str]:
    """Return the names of artists with a token or jobs, or in the audit log."""
    names = {str(job["owner"]) for job in jobs}
    with suppress(ModelsheetError, OSError):  # the file is damaged; the audit names them too
        names |= {view.name for view in TokenStore(data_dir / "tokens.json").list()}
    for text in contents.values():
        names |= {name for found in _AUDITED.findall(text) for name in found}
    return names - {""}


def _redact(text: str, secrets: Iterable[tuple[str, str]], artists: Iterable[str]) -> str:
    # The longest first: the home folder's path contains the user's name.
    for secret, name in sorted(set(secrets), key=lambda pair: len(pair[0]), reverse=True):
        if len(secret) >= _SHORTEST_SECRET and secret != "root":  # nosec B105
            text = text.replace(secret, name)
    # Names may be short, so only whole words are replaced.
    either = "|".join(re.escape(name) for name in sorted(artists, key=len, reverse=True))
    if either:
        text = re.sub(rf"(?<!\w)(?:{either})(?!\w)", "<artist>", text)
    return _TOKEN.sub("<token>", text)
