"""The commands that take subjects out as LoRA files and in from them."""

from __future__ import annotations

import argparse
from pathlib import Path

from modelsheet.api.subjects import ImportRequest, RenameRequest, SubjectArchiveRequest, SubjectView
from modelsheet.cli import commands
from modelsheet.cli.commands import Say, connect
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidClassNoun, InvalidRequest, ModelsheetError
from modelsheet.files.safetensors_file import parse_header
from modelsheet.subjects.archive import SUFFIX
from modelsheet.subjects.store import handle_of

WHOLE = "subject"  # the format that takes all of it to another Modelsheet
ACTIONS = ("list", "show", "rename", "delete", "export", "import")
_PART_BYTES = 32 << 20  # below what a service takes at once


def subjects(arguments: argparse.Namespace, say: Say) -> int:
    if arguments.action == "export":
        return _export(arguments, say)
    if arguments.action == "import":
        return _import(arguments, say)
    if arguments.action == "rename":
        return _rename(arguments, say)
    return commands.subjects(arguments, say)


def _export(arguments: argparse.Namespace, say: Say) -> int:
    with connect(arguments) as client:
        subject = commands.find_subject(client.subjects(), arguments.name)
        is_whole = arguments.format == WHOLE
        content = (
            client.parcel(subject.id) if is_whole else client.adapter(subject.id, arguments.format)
        )
    name = f"{handle_of(subject.name)}{SUFFIX if is_whole else '.safetensors'}"
    path = arguments.out or Path(name)
    if path.is_dir():
        path = path / name
    _write(path, content)
    say(f"{path} holds @{handle_of(subject.name)} for {subject.base_model}.")
    if is_whole:
        say("Bring it into another Modelsheet with: modelsheet subjects import FILE")
        return 0
    hint = parse_header(content, path.name).metadata.get("modelspec.usage_hint", "")
    say(hint or f"Its prompt: {subject.identifier} {subject.class_noun}")
    return 0


def _rename(arguments: argparse.Namespace, say: Say) -> int:
    if not arguments.called:
        raise InvalidRequest("Say its new name: modelsheet subjects rename SUBJECT --name NAME")
    with connect(arguments) as client:
        subject = commands.find_subject(client.subjects(), arguments.name)
        request = RenameRequest(name=arguments.called)
        renamed = client.call("PATCH", f"/v1/subjects/{subject.id}", SubjectView, request)
    say(f"@{handle_of(subject.name)} is now @{handle_of(renamed.name)}.")
    return 0


def _write(path: Path, content: bytes) -> None:
    """A file that is there already is kept: another LoRA may have that name."""
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        raise InvalidRequest(f"{path} is there already. Name another file with --out.") from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise InvalidRequest(
            f"{path} cannot be written ({error.strerror}). Name another file with --out."
        ) from None


def _import(arguments: argparse.Namespace, say: Say) -> int:
    file = Path(arguments.name)
    if not arguments.name:
        raise InvalidRequest("Say which file: modelsheet subjects import FILE --class-noun NOUN")
    if file.suffix == SUFFIX:
        return _bring_in(file, arguments, say)
    if not arguments.class_noun:
        raise InvalidClassNoun("Say what it shows with --class-noun, for example: human woman.")
    content = _read(file)
    with connect(arguments) as client:
        subject = _sent(client, content, file, arguments)
    say(f"Imported @{handle_of(subject.name)}, “{subject.identifier} {subject.class_noun}”.")
    for warning in subject.warnings:
        say(f"Note: {warning}")
    say(f'Paint it with: modelsheet generate "@{handle_of(subject.name)} …"')
    return 0


def _bring_in(file: Path, arguments: argparse.Namespace, say: Say) -> int:
    content = _read(file)
    with connect(arguments) as client:
        request = SubjectArchiveRequest(parts=_send(client, content))
        subject = client.call("POST", "/v1/parcels", SubjectView, request)
    say(f"@{handle_of(subject.name)}, “{subject.identifier} {subject.class_noun}”, is here.")
    return 0


def _send(client: BackendClient, content: bytes) -> list[str]:
    starts = range(0, max(1, len(content)), _PART_BYTES)
    return [client.upload_bytes(content[start : start + _PART_BYTES]) for start in starts]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelsheetError(
            f"{file} cannot be read ({error.strerror}). Name a LoRA file (.safetensors)."
        ) from None


def _sent(
    client: BackendClient, content: bytes, file: Path, arguments: argparse.Namespace
) -> SubjectView:
    request = ImportRequest(
        name=arguments.called or file.stem,
        class_noun=arguments.class_noun,
        identifier=arguments.identifier,
        base_model=arguments.base,
        parts=_send(client, content),
        file_name=file.name,
    )
    return client.call("POST", "/v1/subjects", SubjectView, request)
