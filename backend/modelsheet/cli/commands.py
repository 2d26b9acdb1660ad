"""What each command of the command line does; `say` takes its lines, the return is the exit code.

The service, the demo and such are imported by the command that needs them, so that --help is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from modelsheet.api.learn import TrainingOverrides
from modelsheet.api.subjects import SubjectView
from modelsheet.cli.progress import run_job
from modelsheet.client import launcher, workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.workflows import LearnWish, ReferenceImage
from modelsheet.errors import InvalidClassNoun, InvalidRequest, NotFound
from modelsheet.krita_setup import install
from modelsheet.settings import Settings
from modelsheet.subjects.store import handle_of

Say = Callable[[str], None]


def serve(arguments: argparse.Namespace, say: Say) -> int:
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
    pictures = workflows.read_references(arguments.files)
    with connect(arguments) as client:
        noun = arguments.class_noun or _guess(client, pictures, arguments.base, say)
        wish = LearnWish(
            name=arguments.name,
            class_noun=noun,
            identifier=arguments.identifier,
            preset=arguments.preset,
            base_model=arguments.base,
            seed=arguments.seed,
            overrides=_overrides(arguments.overrides),
        )
        subject = workflows.learn(client, pictures, wish, run_job)
    handle = handle_of(subject.name)
    say(f"Learnt @{handle}, “{subject.identifier} {subject.class_noun}”, from {len(pictures)}.")
    say(f"In {subject.training_steps} steps: {likeness_summary(subject)}.")
    for warning in [*subject.warnings, *_findings(subject)]:
        say(f"Note: {warning}")
    say(f'Paint it with: modelsheet generate "@{handle} …"')
    return 0


def _overrides(given: Sequence[str]) -> TrainingOverrides:
    """Read NAME=VALUE of each. Raises InvalidRequest, ValidationError."""
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


def _findings(subject: SubjectView) -> Sequence[str]:
    return subject.report.findings if subject.report else ()


def _guess(
    client: BackendClient, pictures: Sequence[ReferenceImage], base_model: str, say: Say
) -> str:
    guesses = workflows.guess_class_nouns(client, pictures, base_model, run_job)
    if not guesses:
        raise InvalidClassNoun("Say what it is with --class-noun, for example: human woman.")
    offered = ", ".join(f"{guess.noun} ({guess.probability:.0%})" for guess in guesses)
    say(f"It looks like: {offered}. Taking the first; another with --class-noun.")
    return guesses[0].noun


def subjects(arguments: argparse.Namespace, say: Say) -> int:
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
        phrase = f"{subject.identifier} {subject.class_noun}"
        say(f"@{handle_of(subject.name):20} {phrase:28} {subject.base_model:10} {day}")
    if not known:
        say("Nothing has been learnt yet. Begin with: modelsheet learn --help")


def _show_subject(subject: SubjectView, say: Say) -> None:
    references = ", ".join(reference.name or "without a name" for reference in subject.references)
    say(f"@{handle_of(subject.name)}  {subject.name}")
    say(f"id          {subject.id}")
    say(f"prompt      {subject.identifier} {subject.class_noun}")
    say(f"base model  {subject.base_model}")
    say(f"learnt      {subject.training_steps} steps, {likeness_summary(subject)}")
    say(f"from        {references}")
    for warning in [*subject.warnings, *_findings(subject)]:
        say(f"note        {warning}")


def likeness_summary(subject: SubjectView) -> str:
    """What was measured, before learning and of the step that was kept."""
    report = subject.report
    probes = (report.best, report.final) if report else ()
    kept = [probe for probe in probes if report and probe and probe.step == report.kept_step]
    if report is None or report.before is None or not kept:
        known = subject.likeness
        return "likeness not measured" if known is None else f"likeness {known:.2f}"
    before, after = report.before, kept[0]
    return (
        f"likeness {before.subject_fidelity:.2f} → {after.subject_fidelity:.2f}, obedience to the "
        f"prompt {before.prompt_fidelity:.2f} → {after.prompt_fidelity:.2f}, the class drifted by "
        f"{after.prior_drift:.3f}"
    )


def find_subject(known: Sequence[SubjectView], name: str) -> SubjectView:
    """Find the newest subject of this name, identifier or id. Raises InvalidRequest, NotFound."""
    wanted = name.removeprefix("@")
    names = ", ".join(f"@{handle_of(subject.name)}" for subject in known) or "none"
    if not wanted:
        raise InvalidRequest(f"Say which subject, by its name. Known: {names}.")
    for subject in known:
        if wanted in (subject.id, subject.identifier):
            return subject
        if handle_of(wanted) == handle_of(subject.name):
            return subject
    raise NotFound(f"There is no subject {name!r}. Known: {names}.")


def doctor(arguments: argparse.Namespace, say: Say) -> int:
    from modelsheet.diagnostics import doctor as checkup

    report = checkup.run_checks(Settings.from_environment(os.environ), environment=os.environ)
    say(report.model_dump_json(indent=2) if arguments.json else checkup.format_report(report))
    return 0 if report.healthy else 1


def demo(arguments: argparse.Namespace, say: Say) -> int:
    from modelsheet.cli.demo import run_demo

    # The demo's service shall not outlive it, however it ends.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    run_demo(arguments.out, environment=os.environ, carry_out=run_job, say=say)
    return 0


def krita(arguments: argparse.Namespace, say: Say) -> int:
    if arguments.action == "zip":
        install.build_zip(arguments.target)
        said = [f"{arguments.target} is ready for Krita's “Import Python Plugin from File”."]
    elif arguments.action == "install":
        home = os.environ.get("MODELSHEET_HOME", "").strip()
        said = install.install(
            arguments.krita_dir,
            [sys.executable, "-m", "modelsheet", "serve"],
            environment=os.environ,
            home=Path(home).absolute() if home else None,
        )
    else:
        said = install.uninstall(arguments.krita_dir, environment=os.environ)
    for line in said:
        say(line)
    return 0


def connect(arguments: argparse.Namespace) -> BackendClient:
    """Use the service that was named, or this machine's, which is started if need be."""
    if not arguments.server:
        environment = os.environ
        return launcher.connect(Settings.from_environment(environment), environment=environment)
    token = arguments.token or os.environ.get("MODELSHEET_TOKEN", "").strip()
    if not token:
        raise InvalidRequest("Give that service's token in MODELSHEET_TOKEN or with --token.")
    client = BackendClient(arguments.server, token)
    client.prove()
    client.capabilities()
    return client
