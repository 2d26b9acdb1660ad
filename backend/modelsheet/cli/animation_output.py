"""Write an animated character: single frames, a document, films, or a sheet with an atlas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modelsheet.imaging.animation_files import save_apng, save_gif
from modelsheet.imaging.contact_sheet import draw_sprite_sheet
from modelsheet.imaging.godot_frames import make_sprite_frames
from modelsheet.imaging.openraster import Group, Layer, write_document
from modelsheet.imaging.sprite_atlas import AtlasFormat, make_atlas

_KEY_VIEW_MS = 1000


@dataclass(frozen=True)
class Clip:
    """An action seen from one side: its frames, and how long each is shown. A key view has no
    action.
    """

    view: str
    action: str
    frames: Sequence[Image.Image]
    frame_ms: int
    loops: bool = True

    @property
    def name(self) -> str:
        return f"{self.action} {self.view}".strip()


Writer = Callable[[Sequence[Clip], Path], list[Path]]


def write_animation(clips: Sequence[Clip], target: Path, form: str) -> list[Path]:
    """Write clips in a format of `FORMATS`; `target` is the files' common path without suffix.

    Returns the paths. Files that are there already are replaced: an animation is drawn again.
    """
    return FORMATS[form](clips, target)


def _write_frames(clips: Sequence[Clip], target: Path) -> list[Path]:
    paths = []
    for clip in clips:
        for number, frame in enumerate(clip.frames):
            stem = f"{target.name}-{clip.name.replace(' ', '-')}"
            paths.append(target.with_name(f"{stem}-{number}.png" if clip.action else f"{stem}.png"))
            frame.save(paths[-1])
    return paths


def _write_document(clips: Sequence[Clip], target: Path) -> list[Path]:
    """Write a group for each view; Krita makes an animated layer of a group of frames."""
    groups: dict[str, list[Layer | Group]] = {}
    for clip in clips:
        layers = [Layer(f"{clip.name} {k}".strip(), f) for k, f in enumerate(clip.frames)]
        node = Group(clip.name, tuple(layers)) if clip.action else Layer(clip.view, clip.frames[0])
        groups.setdefault(clip.view, []).append(node)
    nodes = [Group(view, tuple(nodes)) for view, nodes in groups.items()]
    path = target.with_suffix(".ora")
    write_document(path, nodes, clips[0].frames[0].size)
    return [path]


def _write_films(
    save: Callable[[Sequence[Image.Image], Sequence[int], Path], None],
    suffix: str,
    clips: Sequence[Clip],
    target: Path,
) -> list[Path]:
    """Write a film for each action, its views side by side."""
    actions: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.action:
            actions.setdefault(clip.action, []).append(clip)
    paths = []
    for action, views in actions.items():
        frames = [
            draw_sprite_sheet(list(each), len(views))
            for each in zip(*(clip.frames for clip in views), strict=True)
        ]
        paths.append(target.with_name(f"{target.name}-{action}{suffix}"))
        save(frames, [views[0].frame_ms] * len(frames), paths[-1])
    return paths or _write_frames(clips, target)


def _write_gif(clips: Sequence[Clip], target: Path) -> list[Path]:
    return _write_films(save_gif, ".gif", clips, target)


def _write_apng(clips: Sequence[Clip], target: Path) -> list[Path]:
    return _write_films(save_apng, ".png", clips, target)


@dataclass(frozen=True)
class _Sheet:
    """A sheet with a row for each clip, the key views in one; cells without a frame are unnamed."""

    image: Image.Image
    names: Sequence[str]
    times: Sequence[int]
    columns: int


def _draw_sheet(clips: Sequence[Clip]) -> _Sheet:
    keys = [clip for clip in clips if not clip.action]
    rows = [[(f"{key.name} 0", key.frames[0], _KEY_VIEW_MS) for key in keys]] if keys else []
    for clip in clips:
        if clip.action:
            numbered = enumerate(clip.frames)
            rows.append([(f"{clip.name} {k}", frame, clip.frame_ms) for k, frame in numbered])
    columns = max(map(len, rows))
    empty = ("", Image.new("RGBA", clips[0].frames[0].size), 0)
    cells = [cell for row in rows for cell in [*row, *[empty] * (columns - len(row))]]
    sheet = draw_sprite_sheet([frame for _, frame, _ in cells], columns)
    return _Sheet(sheet, [name for name, _, _ in cells], [ms for _, _, ms in cells], columns)


def _write_sheet(clips: Sequence[Clip], target: Path) -> list[Path]:
    path = target.with_name(f"{target.name}-sheet.png")
    _draw_sheet(clips).image.save(path)
    return [path]


def _write_atlas(style: AtlasFormat, clips: Sequence[Clip], target: Path) -> list[Path]:
    sheet, (image,) = _draw_sheet(clips), _write_sheet(clips, target)
    atlas = make_atlas(
        sheet.names,
        clips[0].frames[0].size,
        sheet.columns,
        image=image.name,
        style=style,
        frame_ms=sheet.times,
        once=_once(clips),
    )
    # Aseprite gives an atlas its sheet's name; each other style has its own beside it.
    path = image.with_suffix(".json" if style == "aseprite" else f".{style}.json")
    path.write_text(json.dumps(atlas, indent=1), "utf-8")
    return [image, path]


def _write_aseprite(clips: Sequence[Clip], target: Path) -> list[Path]:
    return _write_atlas("aseprite", clips, target)


def _write_aseprite_hash(clips: Sequence[Clip], target: Path) -> list[Path]:
    return _write_atlas("aseprite-hash", clips, target)


def _write_texturepacker(clips: Sequence[Clip], target: Path) -> list[Path]:
    return _write_atlas("texturepacker", clips, target)


def _write_godot(clips: Sequence[Clip], target: Path) -> list[Path]:
    sheet, (image,) = _draw_sheet(clips), _write_sheet(clips, target)
    text = make_sprite_frames(
        sheet.names,
        clips[0].frames[0].size,
        sheet.columns,
        image=image.name,
        frame_ms=sheet.times,
        once=_once(clips),
    )
    path = image.with_suffix(".tres")
    path.write_text(text, "utf-8")
    return [image, path]


def _once(clips: Sequence[Clip]) -> set[str]:
    return {clip.name for clip in clips if not clip.loops}


FORMATS: Mapping[str, Writer] = {
    "frames": _write_frames,
    "ora": _write_document,
    "gif": _write_gif,
    "apng": _write_apng,
    "sheet": _write_sheet,
    "aseprite": _write_aseprite,
    "aseprite-hash": _write_aseprite_hash,
    "texturepacker": _write_texturepacker,
    "godot": _write_godot,
    "phaser": _write_aseprite,  # createFromAseprite reads the same
}
