"""Run an animate job: from drawings to key views and frames of actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from modelsheet.api.animate import (
    Action,
    AnimateRequest,
    AnimateResult,
    AnimationFrame,
    OwnAction,
    ViewName,
)
from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.jobs import Progress
from modelsheet.errors import InvalidImages
from modelsheet.imaging.rgba import to_bgra
from modelsheet.jobs.blob_images import read_image
from modelsheet.jobs.protocol import JobContext, obey_directive
from modelsheet.motion.animation import Animator, KeyView
from modelsheet.motion.character import NamedDrawing, read_character, view_in, with_views
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.motion.figures.own_mannequins import read_own_mannequins
from modelsheet.motion.network.model import MotionModel

_KEY = ""  # the action of a key view


@dataclass(frozen=True)
class _Clip:
    """An action seen from one side, to be drawn."""

    view: ViewName
    name: str
    frames: int
    frame_ms: int
    own: OwnAction | None = None


def animate(
    request: AnimateRequest,
    drawings: Sequence[NamedDrawing],
    model: MotionModel,
    context: JobContext,
) -> AnimateResult:
    """Draw what the request asks for; `drawings` are its own, or the subject's.

    Raises InvalidImages, NotFound, Cancelled, JobSuspended.
    """
    context.progress(Progress(phase="measuring the drawing"))
    clips = _clips(request)
    character = read_character(drawings, request.fit)
    obey_directive(context)
    animator = Animator(model, embedded_mannequins(), character)
    animator.character = character = with_views(character, animator.guess_views())
    output = _Output(context, sum(clip.frames for clip in clips), request.size)
    output.tell("drawing key views")
    needed = list(dict.fromkeys([*request.views, *(clip.view for clip in clips)]))
    key_views = {key.view: key for key in animator.key_views(needed)}
    keys = [output.key_view(key) for key in key_views.values()]
    mannequins = [output.write(animator.image(animator.mannequin(view)), view) for view in needed]
    frames = []
    for clip in clips:
        output.tell(f"drawing {clip.name}, {clip.view}")
        obey_directive(context)
        images = _draw(animator, clip, key_views[clip.view], context)
        frames += [output.frame(image, clip, index) for index, image in enumerate(images)]
    return AnimateResult(
        key_views=keys,
        frames=frames,
        mannequins=mannequins,
        fit=character.fit(),
        scale=character.scale.drawing_px,
        origin_x=character.placement.left + output.offset(character.scale.frame)[0],
        origin_y=character.placement.top + output.offset(character.scale.frame)[1],
        warnings=[*character.warnings, *output.warnings],
    )


def subject_drawings(
    handle: str, pictures: Sequence[Image.Image], names: Sequence[str]
) -> list[NamedDrawing]:
    """Choose a subject's drawings: one for each view that a layer's name says, else the plainest.

    `pictures` are its references, `names` those of their layers. Raises InvalidImages: it has none.
    """
    drawings = [
        NamedDrawing(picture, view_in(name), name)
        for picture, name in zip(pictures, names, strict=True)
    ]
    if not drawings:
        raise InvalidImages(
            f"@{handle} was imported without pictures. Give a drawing of the character."
        )
    by_view = {drawing.view: drawing for drawing in reversed(drawings) if drawing.view}
    return list(by_view.values()) or [min(drawings, key=lambda drawing: len(drawing.name))]


def _clips(request: AnimateRequest) -> list[_Clip]:
    """List what is to be drawn, action by action, view by view. Raises NotFound."""
    clips = []
    for name in dict.fromkeys(request.actions):
        action = embedded_mannequins().action(name)
        clips += [
            _Clip(view, name, action.frames, action.frame_ms) for view in _views(action, request)
        ]
    for own in request.own_actions:
        clips.append(_Clip(own.view, own.name, len(own.mannequins), own.frame_ms, own))
    return clips


def _views(action: Action, request: AnimateRequest) -> Sequence[ViewName]:
    """Return the wanted views that an action has, all it has if that is none of them."""
    wanted = list(dict.fromkeys(request.views))
    return [view for view in wanted if view in action.views] or action.views


def _draw(
    animator: Animator, clip: _Clip, key_view: KeyView, context: JobContext
) -> Iterator[Image.Image]:
    if clip.own is None:
        return animator.frames(clip.name, key_view)
    images = [read_image(each, context) for each in clip.own.mannequins]
    character = animator.character
    mannequins = read_own_mannequins(
        images,
        clip.view,
        clip.name,
        character.placement,
        character.proportions,
        character.canvas,
    )
    return animator.follow(mannequins, key_view)


class _Output:
    """The result's images as blobs, and the progress; frames are cut or padded to `size` px."""

    def __init__(self, context: JobContext, total: int, size: int | None) -> None:
        self._context, self._total, self._size = context, total, size
        self._done = self._cut = 0
        self._phase = ""
        self._previews: list[GeneratedImage] = []

    @property
    def warnings(self) -> list[str]:
        if not self._cut:
            return []
        return [
            f"{self._cut} pictures reach beyond a frame of {self._size} px and were cut off. Ask "
            "for larger frames."
        ]

    def offset(self, side: int) -> tuple[int, int]:
        """Return where a frame's corner lies in a picture of `side` px: feet and middle stay."""
        size = self._size or side
        return (side - size) // 2, side - size

    def tell(self, phase: str) -> None:
        """Report progress, with the pictures drawn so far."""
        self._phase = phase
        self._report()

    def key_view(self, key: KeyView) -> AnimationFrame:
        frame = self.write(key.image, key.view, is_own=key.is_own)
        self._preview(frame, f"{key.view}")
        self._report()
        return frame

    def frame(self, image: Image.Image, clip: _Clip, index: int) -> AnimationFrame:
        frame = self.write(
            image,
            clip.view,
            action=clip.name,
            index=index,
            frame_ms=clip.frame_ms,
        )
        self._done += 1
        self._preview(frame, f"{clip.name} {clip.view} {index}")
        if index == clip.frames - 1:
            self._report()
        return frame

    def write(self, image: Image.Image, view: ViewName, **fields: Any) -> AnimationFrame:
        """Store a picture on the frame asked for."""
        framed = self._framed(image)
        return AnimationFrame(
            blob=self._context.write_blob(to_bgra(framed)),
            width=framed.width,
            height=framed.height,
            view=view,
            action=fields.pop("action", _KEY),
            **fields,
        )

    def _framed(self, image: Image.Image) -> Image.Image:
        if self._size is None:
            return image
        x, y = self.offset(image.width)
        framed = image.crop((x, y, x + self._size, y + self._size))
        if _visible(framed) < _visible(image):
            self._cut += 1
        return framed

    def _preview(self, frame: AnimationFrame, label: str) -> None:
        self._previews.append(
            GeneratedImage(
                blob=frame.blob,
                width=frame.width,
                height=frame.height,
                seed=0,
                prompt="",
                label=label,
            )
        )

    def _report(self) -> None:
        self._context.progress(
            Progress(
                phase=self._phase,
                step=self._done,
                total=self._total,
                fraction=self._done / self._total if self._total else 0.0,
                previews=self._previews,
            )
        )


def _visible(image: Image.Image) -> int:
    return int(np.count_nonzero(np.asarray(image.getchannel("A"))))
