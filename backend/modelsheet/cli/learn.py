"""Command learn: learn a subject from pictures or layers, and print how well."""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Sequence

from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.progress import run_job
from modelsheet.cli.subjects import likeness_summary, notes_of
from modelsheet.client import workflows
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidClassNoun, InvalidRequest
from modelsheet.subjects.handles import handle_of


def learn(arguments: argparse.Namespace, say: Say) -> int:
    """Learn a subject from the files, and print what was measured."""
    references = workflows.read_references(arguments.files)
    with connect(arguments) as client:
        images = workflows.upload_references(client, references)
        noun = arguments.class_noun or _guess(client, images, arguments.base, say)
        request = LearnRequest(
            name=arguments.name,
            class_noun=noun,
            identifier=arguments.identifier,
            preset=arguments.preset,
            base_model=arguments.base,
            seed=arguments.seed,
            overrides=_overrides(arguments.overrides),
            images=images,
        )
        subject = workflows.learn(client, request, run_job)
    handle = handle_of(subject.name)
    say(f"Learnt @{handle}, “{subject.identifier} {subject.class_noun}”, from {len(references)}.")
    say(f"In {subject.training_steps} steps: {likeness_summary(subject)}.")
    for note in notes_of(subject):
        say(f"Note: {note}")
    say(f'Paint it with: modelsheet generate "@{handle} …"')
    return 0


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
            [near] = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise InvalidRequest(
                f"--set knows no {name!r}. Did you mean {near}? Known: {', '.join(known)}."
            )
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value.strip()
    return TrainingOverrides.model_validate(values)


def _guess(client: BackendClient, images: list[ImageRef], base_model: str, say: Say) -> str:
    """Return the most probable class noun of the images. Raises InvalidClassNoun: none."""
    guesses = workflows.guess_class_nouns(client, images, base_model, run_job)
    if not guesses:
        raise InvalidClassNoun("Say what it is with --class-noun, for example: human woman.")
    offered = ", ".join(f"{guess.noun} ({guess.probability:.0%})" for guess in guesses)
    say(f"It looks like: {offered}. Taking the first; another with --class-noun.")
    return guesses[0].noun
