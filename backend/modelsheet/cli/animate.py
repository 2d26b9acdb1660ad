"""Command animate: draw a character's key views and actions, from drawings or a subject."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from modelsheet.api.animate import AnimateRequest, AnimateResult, AnimationFrame, Drawing, ViewName
from modelsheet.cli.animation_output import FORMATS, Clip, write_animation
from modelsheet.cli.connect import Say, connect
from modelsheet.cli.generate import writable_folder
from modelsheet.cli.own_actions import read_own_figures, upload_own_actions
from modelsheet.cli.progress import run_job
from modelsheet.client import workflows
from modelsheet.client.client import BackendClient
from modelsheet.client.references import read_references
from modelsheet.errors import InvalidRequest

VIEWS: tuple[ViewName, ...] = get_args(ViewName)
_MOST_DRAWINGS = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "character",
        nargs="+",
        metavar="FILE",
        help='drawings of one character (PNG, OpenRaster, .kra), or a subject: "@hero"',
    )
    parser.add_argument(
        "--view",
        dest="drawn",
        nargs="+",
        choices=VIEWS,
        default=[],
        help="which view each drawing shows, in their order; else their names say it",
    )
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS), help="to draw")
    parser.add_argument(
        "--action", nargs="+", default=[], metavar="NAME", help="stand, walk, run, slash, cast, …"
    )
    parser.add_argument(
        "--own-action",
        nargs="+",
        default=[],
        metavar="NAME=PATH",
        help="an action of your own: grey figures, as a folder of PNGs (a frame each, the view in "
        "their names) or a PNG with a row of square frames",
    )
    parser.add_argument("--size", type=int, help="height and width of a frame in px")
    parser.add_argument("--format", nargs="+", choices=tuple(FORMATS), default=["frames"])
    parser.add_argument("--name", help="what the files' names begin with")
    parser.add_argument("--out", type=Path, default=Path(), help="folder for the files")
    parser.set_defaults(run=animate)


def animate(arguments: argparse.Namespace, say: Say) -> int:
    """Animate a character and write its files."""
    subject, paths = _character(arguments.character)
    folder = writable_folder(arguments.out)
    fields = {"views": arguments.views, "actions": arguments.action, "size": arguments.size}
    AnimateRequest(subject=subject or "@", **fields)  # validates before a service is started
    figures = read_own_figures(arguments.own_action)
    with connect(arguments) as client:
        drawings = upload_drawings(client, paths, arguments.drawn)
        own_actions = upload_own_actions(client, figures)
        request = AnimateRequest(
            subject=subject, drawings=drawings, own_actions=own_actions, **fields
        )
        result = workflows.animate(client, request, run_job)
        clips = fetch_clips(client, result)
    name = arguments.name or (subject.removeprefix("@") if subject else paths[0].stem)
    for form in arguments.format:
        for path in write_animation(clips, folder / name, form):
            say(str(path))
    for warning in result.warnings:
        say(f"Note: {warning}")
    return 0


def fetch_clips(client: BackendClient, result: AnimateResult) -> list[Clip]:
    """Download the pictures of a result: key views first, then each action and view."""
    loops = {action.name: action.loops for action in client.actions().actions}
    grouped: dict[tuple[str, str], list[AnimationFrame]] = {}
    for frame in [*result.key_views, *result.frames]:
        grouped.setdefault((frame.action, frame.view), []).append(frame)
    return [
        Clip(
            view,
            action,
            [client.fetch_image(frame) for frame in frames],
            frames[0].frame_ms,
            loops.get(action, True),
        )
        for (action, view), frames in grouped.items()
    ]


def _character(given: Sequence[str]) -> tuple[str | None, list[Path]]:
    """Tell a subject from files. Raises InvalidRequest: both are given."""
    subjects = [one for one in given if one.startswith("@")]
    paths = [Path(one) for one in given if not one.startswith("@")]
    if len(subjects) > 1 or (subjects and paths):
        raise InvalidRequest("Give either one subject, as @hero, or drawings of one character.")
    return (subjects[0] if subjects else None), paths


def upload_drawings(
    client: BackendClient, paths: Sequence[Path], views: Sequence[ViewName]
) -> list[Drawing]:
    """Upload the drawings. Raises InvalidRequest: too many, or another number of views."""
    if not paths:
        return []
    references = read_references(paths, may_shrink=False)
    if len(references) > _MOST_DRAWINGS:
        raise InvalidRequest(
            f"There are {len(references)} layers or pictures, and at most {_MOST_DRAWINGS} can be "
            "given, one for each view. Save the layers that you mean as files of their own."
        )
    if views and len(views) != len(references):
        raise InvalidRequest(
            f"There are {len(references)} drawings and {len(views)} views; name one for each."
        )
    named = [*views, *[None] * (len(references) - len(views))]
    return [
        Drawing(image=client.upload(one.image, one.name), view=view)
        for one, view in zip(references, named, strict=True)
    ]
