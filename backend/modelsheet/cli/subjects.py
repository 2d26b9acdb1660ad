"""Command subjects: list, show, rename, delete, export and import learnt subjects."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from modelsheet.api.subjects import ImportRequest, RenameRequest, SubjectArchiveRequest, SubjectView
from modelsheet.cli.connect import Say, connect
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidClassNoun, InvalidRequest, ModelsheetError, NotFound
from modelsheet.files.safetensors_file import parse_header
from modelsheet.files.safetensors_merge import merge_safetensors
from modelsheet.subjects.archive import SUFFIX
from modelsheet.subjects.handles import handle_of

ARCHIVE_FORMAT = "subject"  # a subject archive, beside the LoRA formats
ACTIONS = ("list", "show", "rename", "delete", "export", "import")
_PART_BYTES = 32 << 20  # below the largest blob of the API


def subjects(arguments: argparse.Namespace, say: Say) -> int:
    """Run one action of the command."""
    if arguments.action == "export":
        return _export(arguments, say)
    if arguments.action == "import":
        return _import(arguments, say)
    if arguments.action == "rename":
        return _rename(arguments, say)
    return _inspect_or_delete(arguments, say)


def _inspect_or_delete(arguments: argparse.Namespace, say: Say) -> int:
    with connect(arguments) as client:
        known = client.subjects()
        if arguments.action == "list":
            _list_subjects(known, say)
        elif arguments.action == "show":
            _show_subject(find_subject(known, arguments.name), say)
        else:
            subject = find_subject(known, arguments.name)
            client.delete_subject(subject.id)
            say(f"{subject.name} is in the trash of the service's data folder.")
    return 0


def _list_subjects(known: Sequence[SubjectView], say: Say) -> None:
    for subject in known:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(subject.created))
        phrase = _phrase(subject)
        say(f"@{handle_of(subject.name):20} {phrase:28} {subject.base_model:10} {day}")
    if not known:
        say("Nothing has been learnt yet. Begin with: modelsheet learn --help")


def _show_subject(subject: SubjectView, say: Say) -> None:
    references = ", ".join(reference.name or "without a name" for reference in subject.references)
    say(f"@{handle_of(subject.name)}  {subject.name}")
    say(f"id          {subject.id}")
    say(f"prompt      {_phrase(subject)}")
    say(f"base model  {subject.base_model}")
    learnt = f"{subject.training_steps} steps, {likeness_summary(subject)}"
    say(f"learnt      {learnt if subject.is_learnt else 'not yet'}")
    say(f"from        {references}")
    for note in notes_of(subject):
        say(f"note        {note}")


def _phrase(subject: SubjectView) -> str:
    """Return what stands for a subject in prompts."""
    if not subject.is_learnt:
        return f"{subject.class_noun}, not learnt yet"
    return f"{subject.identifier} {subject.class_noun}"


def likeness_summary(subject: SubjectView) -> str:
    """Return the likeness before training and of the kept step, in words."""
    report = subject.report
    evaluations = (report.best, report.final) if report else ()
    kept = [one for one in evaluations if report and one and one.step == report.kept_step]
    if report is None or report.before is None or not kept:
        known = subject.likeness
        return "likeness not measured" if known is None else f"likeness {known:.2f}"
    before, after = report.before, kept[0]
    was, now = (point.likeness for point in (before, after))
    likeness = "" if was is None or now is None else f"likeness {was:.2f} → {now:.2f}, "
    return (
        f"{likeness}obedience to the prompt {before.prompt_fidelity:.2f} → "
        f"{after.prompt_fidelity:.2f}, the class drifted by {after.prior_drift:.3f}"
    )


def find_subject(known: Sequence[SubjectView], name: str) -> SubjectView:
    """Return the newest subject of this name, identifier or id; one's own before another artist's,
    which @artist/name names too.

    Raises InvalidRequest: no name. NotFound.
    """
    wanted = name.removeprefix("@")
    if not wanted:
        raise InvalidRequest(f"Say which subject, by its name. Known: {_mentions(known)}.")
    own_first = sorted(known, key=lambda subject: subject.owner != "")
    artist, _, rest = wanted.partition("/")
    for matches in (
        lambda subject: wanted == subject.id,
        lambda subject: handle_of(wanted) == handle_of(subject.name),
        lambda subject: (artist, handle_of(rest)) == (subject.owner, handle_of(subject.name)),
        lambda subject: wanted == subject.identifier,
    ):
        found = next(filter(matches, own_first), None)
        if found is not None:
            return found
    raise NotFound(f"There is no subject {name!r}. Known: {_mentions(known)}.")


def _mentions(known: Sequence[SubjectView]) -> str:
    return ", ".join(f"@{handle_of(subject.name)}" for subject in known) or "none"


def notes_of(subject: SubjectView) -> list[str]:
    """Return a subject's warnings and the findings of its training report."""
    return [*subject.warnings, *(subject.report.findings if subject.report else ())]


def _export(arguments: argparse.Namespace, say: Say) -> int:
    with connect(arguments) as client:
        subject = find_subject(client.subjects(), arguments.name)
        is_archive = arguments.format == ARCHIVE_FORMAT
        content = (
            client.export_archive(subject.id)
            if is_archive
            else client.export_lora(subject.id, arguments.format)
        )
    name = f"{handle_of(subject.name)}{SUFFIX if is_archive else '.safetensors'}"
    path = arguments.out or Path(name)
    if path.is_dir():
        path = path / name
    _write(path, content)
    say(f"{path} holds @{handle_of(subject.name)} for {subject.base_model}.")
    if is_archive:
        say("Bring it into another Modelsheet with: modelsheet subjects import FILE")
        return 0
    hint = parse_header(content, path.name).metadata.get("modelspec.usage_hint", "")
    say(hint or f"Its prompt: {subject.identifier} {subject.class_noun}")
    return 0


def _rename(arguments: argparse.Namespace, say: Say) -> int:
    if not arguments.called:
        raise InvalidRequest("Say its new name: modelsheet subjects rename SUBJECT --name NAME")
    with connect(arguments) as client:
        subject = find_subject(client.subjects(), arguments.name)
        request = RenameRequest(name=arguments.called)
        renamed = client.call("PATCH", f"/v1/subjects/{subject.id}", SubjectView, request)
    say(f"@{handle_of(subject.name)} is now @{handle_of(renamed.name)}.")
    return 0


def _write(path: Path, content: bytes) -> None:
    """Write a new file. Raises InvalidRequest: it exists already, or cannot be written."""
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
        return _import_archive(file, arguments, say)
    if not arguments.class_noun:
        raise InvalidClassNoun("Say what it shows with --class-noun, for example: human woman.")
    content = _read(file)
    if arguments.embedding:
        content = _with_embedding(content, file, arguments.embedding)
    with connect(arguments) as client:
        subject = _import_lora(client, content, file, arguments)
    say(f"Imported @{handle_of(subject.name)}, “{subject.identifier} {subject.class_noun}”.")
    for warning in subject.warnings:
        say(f"Note: {warning}")
    say(f'Paint it with: modelsheet generate "@{handle_of(subject.name)} …"')
    return 0


def _with_embedding(content: bytes, file: Path, embedding: Path) -> bytes:
    """Bundle the trigger word's embedding with its LoRA in one file, as LyCORIS does."""
    more = _read(embedding)
    lora, second = parse_header(content, file.name), parse_header(more, embedding.name)
    return merge_safetensors(lora, content, second, more, f"bundle_emb.{embedding.stem}.")


def _import_archive(file: Path, arguments: argparse.Namespace, say: Say) -> int:
    content = _read(file)
    with connect(arguments) as client:
        request = SubjectArchiveRequest(parts=_upload(client, content))
        subject = client.call("POST", "/v1/parcels", SubjectView, request)
    say(f"@{handle_of(subject.name)}, “{subject.identifier} {subject.class_noun}”, is here.")
    return 0


def _upload(client: BackendClient, content: bytes) -> list[str]:
    starts = range(0, max(1, len(content)), _PART_BYTES)
    return [client.upload_bytes(content[start : start + _PART_BYTES]) for start in starts]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelsheetError(
            f"{file} cannot be read ({error.strerror}). Name a LoRA file (.safetensors)."
        ) from None


def _import_lora(
    client: BackendClient, content: bytes, file: Path, arguments: argparse.Namespace
) -> SubjectView:
    request = ImportRequest(
        name=arguments.called or file.stem,
        class_noun=arguments.class_noun,
        identifier=arguments.identifier,
        base_model=arguments.base,
        parts=_upload(client, content),
        file_name=file.name,
    )
    return client.call("POST", "/v1/subjects", SubjectView, request)
