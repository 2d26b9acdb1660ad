"""Pictures of an animation by action and view, as they arrive and once all are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..backend.api_responses import AnimationFrame, GeneratedImage
from ..image import Image
from ..results.sprite_sheet import Strip
from ..ui.animation.animate_dialog import KEY_VIEWS
from ..ui.animation.frame_player import PlayedFrame
from ..view_names import VIEWS


def arriving(
    previews: Iterable[GeneratedImage], durations_ms: Mapping[str, int]
) -> list[AnimationFrame]:
    """Return the pictures that a running job has so far, as its labels name them.

    A label is a view or, for a frame, its action, view and number.
    """
    found = []
    for image in previews:
        *words, last = image.label.split() or [""]
        action, view, index = (*words, last) if len(words) == 2 else (KEY_VIEWS, last, "0")
        if view in VIEWS and index.isdigit():
            size = image.width, image.height
            duration = durations_ms.get(action, 0)
            found.append(AnimationFrame(image.blob, *size, view, action, int(index), duration))
    return found


class Pictures:
    """Key views and frames with their pixels; each picture is kept under its place."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, int], tuple[AnimationFrame, Image]] = {}

    def add(self, frames: Sequence[AnimationFrame], images: Sequence[Image]) -> None:
        """Add pictures; one that was there at the same place is replaced."""
        for frame, image in zip(frames, images):
            self._found[frame.action, frame.view, frame.index] = frame, image

    def lacking(self, frames: Iterable[AnimationFrame]) -> list[AnimationFrame]:
        """Return those of the frames whose pixels are not here yet."""
        places = {place: frame.blob for place, (frame, _) in self._found.items()}
        return [
            frame
            for frame in frames
            if places.get((frame.action, frame.view, frame.index)) != frame.blob
        ]

    @property
    def actions(self) -> list[str]:
        """Names of the actions that have frames, as they came."""
        return [*dict.fromkeys(action for action, _, _ in self._found if action != KEY_VIEWS)]

    def key_views(self) -> dict[str, Image]:
        """Return the key views, the front first."""
        return {
            view: self._found[KEY_VIEWS, view, 0][1]
            for view in VIEWS
            if (KEY_VIEWS, view, 0) in self._found
        }

    def played(self) -> dict[str, dict[str, list[PlayedFrame]]]:
        """Return all pictures by action and view, for the player."""
        found: dict[str, dict[str, list[PlayedFrame]]] = {}
        actions = [KEY_VIEWS] * bool(self.key_views()) + self.actions
        for action in actions:
            strips = {view: self._frames(action, view) for view in VIEWS}
            found[action] = {
                view: [PlayedFrame(image, frame.frame_ms) for frame, image in frames]
                for view, frames in strips.items()
                if frames
            }
        return found

    def strips(self, looping: Iterable[str]) -> list[Strip]:
        """Return the actions' frames by action and view, or without any the key views."""
        loops = set(looping)
        found = []
        for action in self.actions or [KEY_VIEWS]:
            for view in VIEWS:
                frames = self._frames(action, view)
                if frames:
                    images = [image for _, image in frames]
                    duration = frames[0][0].frame_ms
                    found.append(Strip(action, view, images, duration, action in loops))
        return found

    def _frames(self, action: str, view: str) -> list[tuple[AnimationFrame, Image]]:
        indexes = sorted(i for a, v, i in self._found if (a, v) == (action, view))
        return [self._found[action, view, index] for index in indexes]
