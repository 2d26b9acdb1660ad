"""Align cut-out sprites: off the edges of a frame, or on one baseline as animation frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from modelsheet.imaging.rgba import is_empty


def align_sprites(images: Sequence[Image.Image]) -> list[Image.Image]:
    """Align RGBA cut-outs on frames of one size, unscaled; no visible pixel is lost.

    The lowest visible rows share a baseline, and the median columns of the visible pixels share a
    vertical line: a weapon held out to one side does not push the body to the other.
    """
    visible = [image for image in images if not is_empty(image)]
    if not visible:
        return list(images)
    anchors = [_anchor(image) for image in visible]
    left = max(x - _visible_box(p)[0] for p, (x, _) in zip(visible, anchors, strict=True))
    right = max(_visible_box(p)[2] - x for p, (x, _) in zip(visible, anchors, strict=True))
    tall = max(bottom - _visible_box(p)[1] for p, (_, bottom) in zip(visible, anchors, strict=True))
    width = max([left + right, *(image.width for image in visible)])
    height = max([tall, *(image.height for image in visible)])
    middle = min(max(left, width // 2), width - right)
    foot = height - min(p.height - bottom for p, (_, bottom) in zip(visible, anchors, strict=True))
    baseline = max(tall, min(foot, height))
    return [_on_frame(image, (width, height), middle, baseline) for image in images]


def move_off_edges(image: Image.Image) -> Image.Image:
    """Move the visible part by a pixel off each edge that it touches, where there is room.

    No visible pixel is lost.
    """
    if is_empty(image):
        return image
    left, top, right, bottom = _visible_box(image)
    across = _step_inside(left, right, image.width)
    down = _step_inside(top, bottom, image.height)
    if not (across or down):
        return image
    frame = Image.new("RGBA", image.size)
    frame.paste(image.crop((left, top, right, bottom)), (left + across, top + down))
    return frame


def _step_inside(first: int, last: int, room: int) -> int:
    if last - first > room - 2:
        return 0
    return int(first == 0) - int(last == room)


def touches_edge(image: Image.Image) -> bool:
    """Tell whether any visible pixel lies at the edge of the frame."""
    alpha = np.asarray(image.getchannel("A"))
    return bool(alpha[[0, -1]].any() or alpha[:, [0, -1]].any())


def _on_frame(image: Image.Image, size: tuple[int, int], middle: int, baseline: int) -> Image.Image:
    frame = Image.new("RGBA", size)
    if not is_empty(image):
        box = _visible_box(image)
        x, bottom = _anchor(image)
        frame.paste(image.crop(box), (middle - (x - box[0]), baseline - (bottom - box[1])))
    return frame


def _visible_box(image: Image.Image) -> tuple[int, int, int, int]:
    box = image.getchannel("A").getbbox()
    assert box is not None, "empty pictures have no anchor"
    return box


def _anchor(image: Image.Image) -> tuple[int, int]:
    """Return the median column of the visible pixels, and the row below their lowest."""
    columns = np.nonzero(np.asarray(image.getchannel("A")))[1]
    return int(np.median(columns)), _visible_box(image)[3]
