"""Stage a subject that is not learnt yet: its record and its reference pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from modelsheet.imaging.framing import crop_pictures, require_content
from modelsheet.imaging.palettes import format_hex_colour
from modelsheet.imaging.pixel_art import pixel_art_palette
from modelsheet.imaging.rgba import limit_sides
from modelsheet.subjects.record import SubjectRecord, write_record

_LONGEST_SIDE = 1024  # px; no base model takes larger references


def stage_unlearnt(staging: Path, record: SubjectRecord, pictures: Sequence[Image.Image]) -> None:
    """Write the record, with the palette of pixel art, and the RGBA pictures, cropped to what they
    show. Raises InvalidImages for an empty one.
    """
    require_content(pictures)
    folder = staging / "references"
    folder.mkdir()
    for number, picture in enumerate(crop_pictures(pictures)):
        limit_sides(picture, _LONGEST_SIDE).save(folder / f"{number:02d}.png")
    palette = [format_hex_colour(colour) for colour in pixel_art_palette(pictures)]
    write_record(staging, record.model_copy(update={"palette": palette}))
