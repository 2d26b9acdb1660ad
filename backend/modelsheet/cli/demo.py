"""Demo: learn the sample's hero, generate it from six prompts, animate it; write what comes out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from modelsheet.api.animate import AnimateRequest, Drawing
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.learn import LearnRequest
from modelsheet.cli.animate import fetch_clips
from modelsheet.cli.animation_output import Clip, write_animation
from modelsheet.cli.connect import Say
from modelsheet.client import launcher, workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.references import ReferenceImage, read_references
from modelsheet.client.workflows import RunJob
from modelsheet.errors import NotFound
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.imaging.openraster import Group, Layer, write_document
from modelsheet.imaging.rgba import enlarge_pixels, is_empty, read_image
from modelsheet.settings import Settings

NAME = "hero"
CLASS_NOUN = "human woman"
DETAILS = (
    "holding sword",
    "holding war axe",
    "holding trident, with gold tower shield",
    "with blue knight shield",
    "red cloak",
    "holding scythe, on grass floor",
)
FRONT, ACTION = "hero-front.png", "walk"
SEED = 1
_SEEDS_EACH = 2
_ENLARGED = 3  # times, to look at
_GAP = 4  # px between the images in the layered document
_COLUMNS_OF_REFERENCES = 2
_COLUMNS_OF_RESULTS = 4
Results = dict[str, list[tuple[GeneratedImage, Image.Image]]]  # by detail


def run_demo(
    out_dir: Path,
    *,
    environment: Mapping[str, str],
    run_job: RunJob,
    say: Say,
    command: Sequence[str] = launcher.SERVE_COMMAND,
) -> None:
    """Learn, generate and animate through the HTTP API, with a data folder of its own below
    `out_dir`.

    Raises ModelsheetError with the sentence to show.
    """
    out_dir = out_dir.absolute()
    out_dir.mkdir(parents=True, exist_ok=True)
    environment = {**environment, "MODELSHEET_HOME": str(out_dir / "home")}
    settings = Settings.from_environment(environment)
    references = read_references([sample_path()])
    front = read_image(sample_path(FRONT))
    say(f"Starting the service; its subjects and log lie in {out_dir / 'home'}.")
    with launcher.running_service(settings, environment=environment, command=command) as client:
        _learn(client, references, run_job, say)
        results = _generate(client, run_job, say)
        clips = _animate(client, front, run_job, say)
    _write_results(out_dir, references, results)
    _write_motion(out_dir, clips)
    say(
        f"Done. Look at {out_dir / 'hero.png'} and {out_dir / 'hero-walk.gif'}, and open "
        f"{out_dir / 'hero-generated.ora'} and {out_dir / 'hero-walk.ora'} in Krita."
    )


def sample_path(name: str = "hero.ora") -> Path:
    """Return a sample's path in the checkout. Raises NotFound: this is no checkout."""
    path = Path(__file__).parents[3] / "docs" / "sample" / name
    if not path.is_file():
        raise NotFound(
            f"The demo's sample is missing: {path}. Run the demo from a checkout of Modelsheet."
        )
    return path


def _learn(
    client: BackendClient,
    references: Sequence[ReferenceImage],
    run_job: RunJob,
    say: Say,
) -> None:
    say(f"Learning @{NAME} from the {len(references)} layers of {sample_path().name}:")
    for reference in references:
        say(f"  · {reference.name}")
    start = time.monotonic()
    images = workflows.upload_references(client, references)
    request = LearnRequest(name=NAME, class_noun=CLASS_NOUN, images=images)
    subject = workflows.learn(client, request, run_job)
    seconds = time.monotonic() - start
    say(
        f"Learnt in {seconds:.0f} s: “{subject.identifier} {subject.class_noun}” now means the "
        f"hero ({subject.training_steps} steps)."
    )
    for warning in subject.warnings:
        say(f"  Note: {warning}")


def _generate(client: BackendClient, run_job: RunJob, say: Say) -> Results:
    """Generate images of each detail; those on a floor keep their background."""
    say(f"Painting {len(DETAILS)} prompts × {_SEEDS_EACH} seeds.")
    results: Results = {}
    for detail in DETAILS:
        request = GenerateRequest(
            prompt=f"@{NAME}, {detail}",
            count=_SEEDS_EACH,
            seed=SEED,
            transparent="floor" not in detail,
        )
        result = workflows.generate(client, request, run_job)
        images = workflows.fetch_images(client, result)
        results[detail] = list(zip(result.images, images, strict=True))
    return results


def _animate(client: BackendClient, front: Image.Image, run_job: RunJob, say: Say) -> list[Clip]:
    """Draw the hero's other views, and its walk from all of them."""
    say(f"Drawing {NAME}'s other views and {ACTION}ing frames from {FRONT}.")
    drawing = Drawing(image=client.upload(front), view="front")
    request = AnimateRequest(drawings=[drawing], actions=[ACTION])
    return fetch_clips(client, workflows.animate(client, request, run_job))


def _write_motion(out_dir: Path, clips: Sequence[Clip]) -> None:
    write_animation(clips, out_dir / NAME, "sheet")
    write_animation(clips, out_dir / f"{NAME}-{ACTION}", "ora")
    larger = [
        replace(clip, frames=[enlarge_pixels(frame, _ENLARGED) for frame in clip.frames])
        for clip in clips
    ]
    write_animation(larger, out_dir / NAME, "gif")


def _write_results(out_dir: Path, references: Sequence[ReferenceImage], results: Results) -> None:
    nodes, size = lay_out(references, results)
    write_document(out_dir / "hero-generated.ora", nodes, size)
    draw_contact_sheet(sections(references, results)).save(out_dir / "hero.png")


def sections(references: Sequence[ReferenceImage], results: Results) -> list[Section]:
    """Return the contact sheet's sections: references on the left, results on the right."""
    learnt_from = [Cell(reference.image, reference.name) for reference in references]
    painted = [
        Cell(image, detail, f"seed {generated.seed}")
        for detail, row in results.items()
        for generated, image in row
    ]
    return [
        Section("Learnt from these layers", learnt_from, _COLUMNS_OF_REFERENCES),
        Section(f"Painted: @{NAME}, …", painted, _COLUMNS_OF_RESULTS),
    ]


def lay_out(
    references: Sequence[ReferenceImage], results: Results
) -> tuple[list[Layer | Group], tuple[int, int]]:
    """Lay out references and results as a document: a row of layers for each, in a group."""
    rows = [("learnt from", [(reference.name, reference.image) for reference in references])]
    for detail, row in results.items():
        named = [(f"{detail} · seed {generated.seed}", image) for generated, image in row]
        rows.append((f"@{NAME}, {detail}", named))
    side = max(max(image.size) for _, row in rows for _, image in row) + _GAP
    nodes: list[Layer | Group] = []
    for down, (name, images) in enumerate(rows):
        layers = tuple(
            Layer(title, image, across * side, down * side)
            for across, (title, image) in enumerate(images)
            if not is_empty(image)
        )
        nodes.append(Group(name, layers))
    return nodes, (max(len(row) for _, row in rows) * side - _GAP, len(rows) * side - _GAP)
