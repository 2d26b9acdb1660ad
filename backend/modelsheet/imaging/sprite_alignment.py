"""Cut-outs in their frames: free of its edges, or as an animation's frames of one size, feet on one
line, body in the middle. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from modelsheet.imaging.rgba import is_empty


def align_sprites(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Put RGBA cut-outs on frames of one size without scaling them; no visible pixel is lost.

    The lowest visible row of each stands on one line, and its middle column, the median of what is
    visible, on another: a weapon held out to one side does not push the body to the other.
    """
    seen = [picture for picture in pictures if not is_empty(picture)]
    if not seen:
        return list(pictures)
    anchors = [_anchor(picture) for picture in seen]
    left = max(x - _box(p)[0] for p, (x, _) in zip(seen, anchors, strict=True))
    right = max(_box(p)[2] - x for p, (x, _) in zip(seen, anchors, strict=True))
    tall = max(bottom - _box(p)[1] for p, (_, bottom) in zip(seen, anchors, strict=True))
    width = max([left + right, *(picture.width for picture in seen)])
    height = max([tall, *(picture.height for picture in seen)])
    middle = min(max(left, width // 2), width - right)
    foot = height - min(p.height - bottom for p, (_, bottom) in zip(seen, anchors, strict=True))
    baseline = max(tall, min(foot, height))
    return [_placed(picture, (width, height), middle, baseline) for picture in pictures]


def move_off_edges(picture: Image.Image) -> Image.Image:
    """Move what is visible off the edges of its frame, by a pixel for each edge it touches; it
    stays where it is in a direction that has no room. No visible pixel is lost.
    """
    if is_empty(picture):
        return picture
    left, top, right, bottom = _box(picture)
    across = _step_inside(left, right, picture.width)
    down = _step_inside(top, bottom, picture.height)
    if not (across or down):
        return picture
    frame = Image.new("RGBA", picture.size)
    frame.paste(picture.crop((left, top, right, bottom)), (left + across, top + down))
    return frame


def _step_inside(first: int, last: int, room: int) -> int:
    if last - first > room - 2:
        return 0
    return int(first == 0) - int(last == room)


def touches_edge(picture: Image.Image) -> bool:
    """Whether any visible pixel lies at the edge of the frame."""
    alpha = np.asarray(picture.getchannel("A"))
    return bool(alpha[[0, -1]].any() or alpha[:, [0, -1]].any())


def _placed(picture: Image.Image, size: tuple[int, int], middle: int, baseline: int) -> Image.Image:
    frame = Image.new("RGBA", size)
    if not is_empty(picture):
        box = _box(picture)
        x, bottom = _anchor(picture)
        frame.paste(picture.crop(box), (middle - (x - box[0]), baseline - (bottom - box[1])))
    return frame


def _box(picture: Image.Image) -> tuple[int, int, int, int]:
    box = picture.getchannel("A").getbbox()
    assert box is not None, "empty pictures have no anchor"
    return box


def _anchor(picture: Image.Image) -> tuple[int, int]:
    """The middle column of what is visible, and the row below its lowest."""
    columns = np.nonzero(np.asarray(picture.getchannel("A")))[1]
    return int(np.median(columns)), _box(picture)[3]
