"""The whole road in one command: learn the sample's hero, paint it six ways, show what came out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modelsheet.api.generate import GenerateRequest
from modelsheet.client import launcher, workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.workflows import LearnWish, Painting, ReferenceImage, RunJob
from modelsheet.errors import NotFound
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.imaging.openraster import Group, Layer, write_document
from modelsheet.imaging.rgba import is_empty
from modelsheet.settings import Settings

HERO = LearnWish("hero", "human woman")
DETAILS = (
    "holding sword",
    "holding war axe",
    "holding trident, with gold tower shield",
    "with blue knight shield",
    "red cloak",
    "holding scythe, on grass floor",
)
SEED = 1
_SEEDS_EACH = 2
_GAP = 4  # px between the pictures of the layered result
_COLUMNS_OF_REFERENCES = 2
_COLUMNS_OF_RESULTS = 4


def run_demo(
    out_dir: Path,
    *,
    environment: Mapping[str, str],
    carry_out: RunJob,
    say: Callable[[str], None],
    command: Sequence[str] = launcher.SERVE_COMMAND,
) -> None:
    """Learn and paint through the HTTP API, with a data folder of its own below `out_dir`.

    Raises ModelsheetError with the sentence to show.
    """
    out_dir = out_dir.absolute()
    out_dir.mkdir(parents=True, exist_ok=True)
    environment = {**environment, "MODELSHEET_HOME": str(out_dir / "home")}
    settings = Settings.from_environment(environment)
    pictures = workflows.read_references([sample_path()])
    say(f"Starting the service; its subjects and log lie in {out_dir / 'home'}.")
    with launcher.running_service(settings, environment=environment, command=command) as client:
        _learn(client, pictures, carry_out, say)
        paintings = _paint(client, carry_out, say)
    _write_results(out_dir, pictures, paintings)
    say(
        f"Done. Look at {out_dir / 'hero.png'}, and open {out_dir / 'hero-generated.ora'} in Krita."
    )


def sample_path() -> Path:
    """Find the sample in the checkout we run from. Raises NotFound: there is none."""
    path = Path(__file__).parents[3] / "docs" / "sample" / "hero.ora"
    if not path.is_file():
        raise NotFound(
            f"The demo's sample is missing: {path}. Run the demo from a checkout of Modelsheet."
        )
    return path


def _learn(
    client: BackendClient,
    pictures: Sequence[ReferenceImage],
    carry_out: RunJob,
    say: Callable[[str], None],
) -> None:
    say(f"Learning @{HERO.name} from the {len(pictures)} layers of {sample_path().name}:")
    for picture in pictures:
        say(f"  · {picture.name}")
    start = time.monotonic()
    subject = workflows.learn(client, pictures, HERO, carry_out)
    seconds = time.monotonic() - start
    say(
        f"Learnt in {seconds:.0f} s: “{subject.identifier} {subject.class_noun}” now means the "
        f"hero ({subject.training_steps} steps)."
    )
    for warning in subject.warnings:
        say(f"  Note: {warning}")


def _paint(
    client: BackendClient, carry_out: RunJob, say: Callable[[str], None]
) -> dict[str, list[Painting]]:
    """Paint each detail; a picture on a floor keeps it, the others are cut out."""
    say(f"Painting {len(DETAILS)} prompts × {_SEEDS_EACH} seeds.")
    paintings: dict[str, list[Painting]] = {}
    for detail in DETAILS:
        request = GenerateRequest(
            prompt=f"@{HERO.name}, {detail}",
            count=_SEEDS_EACH,
            seed=SEED,
            transparent="floor" not in detail,
        )
        paintings[detail] = workflows.generate(client, request, carry_out)
    return paintings


def _write_results(
    out_dir: Path, pictures: Sequence[ReferenceImage], paintings: Mapping[str, Sequence[Painting]]
) -> None:
    nodes, size = lay_out(pictures, paintings)
    write_document(out_dir / "hero-generated.ora", nodes, size)
    draw_contact_sheet(sections(pictures, paintings)).save(out_dir / "hero.png")


def sections(
    pictures: Sequence[ReferenceImage], paintings: Mapping[str, Sequence[Painting]]
) -> list[Section]:
    """Put the references on the left and the results on the right."""
    learnt_from = [Cell(picture.image, picture.name) for picture in pictures]
    painted = [
        Cell(painting.image, detail, f"seed {painting.made_by.seed}")
        for detail, row in paintings.items()
        for painting in row
    ]
    return [
        Section("Learnt from these layers", learnt_from, _COLUMNS_OF_REFERENCES),
        Section(f"Painted: @{HERO.name}, …", painted, _COLUMNS_OF_RESULTS),
    ]


def lay_out(
    pictures: Sequence[ReferenceImage], paintings: Mapping[str, Sequence[Painting]]
) -> tuple[list[Layer | Group], tuple[int, int]]:
    """Make a document of it all, a row of layers for the references and one for each prompt."""
    references = [(picture.name, picture.image) for picture in pictures]
    rows = [("learnt from", references)]
    for detail, row in paintings.items():
        named = [(f"{detail} · seed {p.made_by.seed}", p.image) for p in row]
        rows.append((f"@{HERO.name}, {detail}", named))
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
