"""Commands serve, learn, doctor, demo and krita; each prints by `say` and returns the exit code.

Slow imports (service, demo, doctor) stand in the command that needs them, so that --help is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.cli.progress import run_job
from modelsheet.cli.service import Say, connect
from modelsheet.cli.subjects import likeness_summary, notes_of
from modelsheet.client import workflows
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidClassNoun, InvalidRequest
from modelsheet.krita_setup import install
from modelsheet.settings import Settings
from modelsheet.subjects.store import handle_of


def serve(arguments: argparse.Namespace, say: Say) -> int:
    """Run the service until Ctrl-C."""
    from modelsheet.service.executors.ray.executor import Cluster
    from modelsheet.service.http import serve

    settings = Settings.from_environment(os.environ)
    say(f"Serving on this machine until Ctrl-C; data in {settings.data_dir}.")
    cluster = None
    if arguments.executor == "ray":
        cluster = Cluster(arguments.ray_address, arguments.gpus_per_worker)
    serve.serve(settings, port=arguments.port, cluster=cluster, json_log=arguments.json_log)
    return 0


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
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidRequest(f"--set {each} has no value. Say it as NAME=VALUE.")
        try:
            values[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            values[name.strip().replace("-", "_")] = value.strip()
    return TrainingOverrides.model_validate(values)


def _guess(client: BackendClient, images: list[ImageRef], base_model: str, say: Say) -> str:
    """Return the most probable class noun of the images. Raises InvalidClassNoun: none."""
    guesses = workflows.guess_class_nouns(client, images, base_model, run_job)
    if not guesses:
        raise InvalidClassNoun("Say what it is with --class-noun, for example: human woman.")
    offered = ", ".join(f"{guess.noun} ({guess.probability:.0%})" for guess in guesses)
    say(f"It looks like: {offered}. Taking the first; another with --class-noun.")
    return guesses[0].noun


def doctor(arguments: argparse.Namespace, say: Say) -> int:
    """Examine the installation; the exit code is 1 if something needed is missing."""
    from modelsheet.diagnostics.doctor import format_report, run_checks

    report = run_checks(Settings.from_environment(os.environ), environment=os.environ)
    say(report.model_dump_json(indent=2) if arguments.json else format_report(report))
    return 0 if report.healthy else 1


def demo(arguments: argparse.Namespace, say: Say) -> int:
    """Learn the sample's hero and paint it, with a service of its own."""
    from modelsheet.cli.demo import run_demo

    # SIGTERM ends the demo by an exception, so that its service ends too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    run_demo(arguments.out, environment=os.environ, run_job=run_job, say=say)
    return 0


def krita(arguments: argparse.Namespace, say: Say) -> int:
    """Install the plugin into Krita, uninstall it, or build its zip."""
    if arguments.action == "zip":
        install.build_zip(arguments.target)
        sentences = [f"{arguments.target} is ready for Krita's “Import Python Plugin from File”."]
    elif arguments.action == "install":
        home = os.environ.get("MODELSHEET_HOME", "").strip()
        sentences = install.install(
            arguments.krita_dir,
            [sys.executable, "-m", "modelsheet", "serve"],
            environment=os.environ,
            home=Path(home).absolute() if home else None,
        )
    else:
        sentences = install.uninstall(arguments.krita_dir, environment=os.environ)
    for sentence in sentences:
        say(sentence)
    return 0
