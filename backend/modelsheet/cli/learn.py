"""Command learn: learn a subject from pictures or layers, and print how well."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence
from typing import Any

from PIL import Image

from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.api.subjects import SubjectView
from modelsheet.base_models.families import is_pixel_art
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.nouns import match_sentence
from modelsheet.cli.progress import run_job
from modelsheet.cli.subjects import find_subject, likeness_summary, notes_of
from modelsheet.client import workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.references import ReferenceImage, read_references
from modelsheet.errors import InvalidClassNoun, InvalidRequest
from modelsheet.imaging.framing import crop_pictures, losing_detail
from modelsheet.subjects.handles import handle_of


def learn(arguments: argparse.Namespace, say: Say) -> int:
    """Learn a subject from the files, or one that is not learnt yet, and print what was measured;
    or only keep the pictures.
    """
    mention = str(arguments.files[0])
    is_subject = mention.startswith("@")
    references = [] if is_subject else read_references(arguments.files, arguments.layers)
    with connect(arguments) as client:
        subject = find_subject(client.subjects(), mention) if is_subject else None
        request = _request(client, arguments, references, subject)
        if subject is None:
            pictures = [each.image for each in references]
            _note_reduction(pictures, client, request.base_model, say)
        noun = _class_noun(client, request, say)
        named = request.model_copy(update={"class_noun": noun})
        if arguments.not_yet:
            subject = client.call("POST", "/v1/subjects/unlearnt", SubjectView, named)
        else:
            subject = workflows.learn(client, named, run_job)
    handle = handle_of(subject.name)
    if not subject.is_learnt:
        say(f"@{handle} is painted by its pictures. Learn it with: modelsheet learn @{handle}")
        return 0
    count = len(request.images)
    say(f"Learnt @{handle}, “{subject.identifier} {subject.class_noun}”, from {count}.")
    say(f"In {subject.training_steps} steps: {likeness_summary(subject)}.")
    for note in notes_of(subject):
        say(f"Note: {note}")
    say(f'Paint it with: modelsheet generate "@{handle} …"')
    return 0


def _request(
    client: BackendClient,
    arguments: argparse.Namespace,
    references: Sequence[ReferenceImage],
    subject: SubjectView | None,
) -> LearnRequest:
    """Upload the references, or take those of a subject, and return the request to learn them.

    Raises InvalidRequest: it has no name.
    """
    fields: dict[str, Any] = {
        "name": arguments.name,
        "class_noun": arguments.class_noun,
        "base_model": arguments.base,
    }
    if subject is not None:
        given = {"name": arguments.name, "class_noun": arguments.class_noun}
        fields = {name: given.get(name) or getattr(subject, name) for name in fields}
        fields |= {"images": subject.references, "captions": subject.captions}
    elif not arguments.name:
        raise InvalidRequest("Say what you will call it with --name, for example: --name hero.")
    else:
        fields["images"] = workflows.upload_references(client, references)
    return LearnRequest(
        **fields,
        identifier=arguments.identifier,
        preset=arguments.preset,
        seed=arguments.seed,
        overrides=_overrides(arguments.overrides),
    )


def _note_reduction(
    pictures: Sequence[Image.Image], client: BackendClient, base_model: str, say: Say
) -> None:
    """Say before learning that pictures are larger than the base model learns them."""
    models = client.capabilities().base_models
    base = next((model for model in models if model.id == base_model), None)
    if base is None or base.family is None:
        return  # the job says which there are, or why it cannot be read
    is_sprite = is_pixel_art(base.family)
    cropped = crop_pictures(pictures, base.resolution if is_sprite else 0)
    drawn = losing_detail(cropped, base.resolution, as_sprite=is_sprite)
    if drawn is None:
        return
    larger = [model for model in models if model.resolution > base.resolution]
    say(
        f"Note: these pictures show up to {drawn.width} × {drawn.height} pixels. {base.id} learns "
        f"them at {base.resolution} × {base.resolution}: fine detail will be lost."
    )
    for model in larger:
        how = f"--base {model.id}" if model.available else f"modelsheet models download {model.id}"
        say(f"      {model.id} learns at {model.resolution} × {model.resolution}: {how}")


def _overrides(given: Sequence[str]) -> TrainingOverrides:
    """Parse NAME=VALUE options. Raises InvalidRequest, ValidationError."""
    values: dict[str, object] = {}
    known = TrainingOverrides.model_fields
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {each} has no value. Say it as NAME=VALUE.")
        name = name.strip().replace("-", "_")
        if name not in known:
            containing = [one for one in known if name in one]
            near = (containing or difflib.get_close_matches(name, known, n=1, cutoff=0.0))[0]
            raise InvalidRequest(
                f"--set knows no {name!r}. Did you mean {near}? Known: {', '.join(known)}."
            )
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value.strip()
    return TrainingOverrides.model_validate(values)


def _class_noun(client: BackendClient, request: LearnRequest, say: Say) -> str:
    """Return the class noun that is learnt for the request's, or a guessed one.

    Raises InvalidClassNoun: nothing is near to it, or there is no good guess.
    """
    typed = request.class_noun.strip()
    if typed:
        match = workflows.match_class_noun(client, typed, request.base_model)
        say(match_sentence(typed, match, request.base_model))
        return match.class_noun
    guesses = workflows.guess_class_nouns(client, request.images, request.base_model, run_job)
    if not guesses:
        raise InvalidClassNoun("Say what it is with --class-noun, for example: girl, fox, robot.")
    say(f"It looks like “{guesses[0].noun}”; say another with --class-noun.")
    return guesses[0].noun
