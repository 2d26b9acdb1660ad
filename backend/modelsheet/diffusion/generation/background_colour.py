"""The flat background a cut-out is painted on: named in the prompt, far from the subject's own
colours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.api.types import Family
from modelsheet.imaging.rgba import Colour
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, background_words

_SCENE = re.compile(r"\b(?:floor|background|backdrop)\b", re.IGNORECASE)
_FLAT = re.compile(r"\bon an? (?:plain )?(\w+) background\b", re.IGNORECASE)
# Black and grey are left out: outlines and shadows have them.
_BY_FLATNESS = ("white", "magenta", "blue", "green")
_ENOUGH = 30.0  # levels between the background and all but a few pixels of the figure
_NEAR_SHARE = 2.0  # percent of a figure's pixels that may lie near the background's colour


@dataclass(frozen=True)
class Backdrop:
    """`words` after the prompt name the flat background whose colour is `colour`."""

    words: str
    colour: Colour


def backdrop_for(prompt: str, references: Sequence[Image.Image], family: Family) -> Backdrop | None:
    """The flat background that the prompt names, or one far from the subject's colours; None when
    the prompt asks for a scene ("on grass floor"), which cannot be cut away.
    """
    named = _FLAT.search(prompt)
    if named is not None and named[1].lower() in FLAT_BACKGROUNDS:
        return Backdrop("", FLAT_BACKGROUNDS[named[1].lower()])
    if _SCENE.search(prompt):
        return None
    name = farthest(references)
    return Backdrop(f", {background_words(name, family)}", FLAT_BACKGROUNDS[name])


def farthest(references: Sequence[Image.Image]) -> str:
    """A flat background whose colour the figures do not have; white when there are none.

    The first that is far enough, flattest as sprite32 paints them; else the farthest.
    """
    opaque = [pixels[pixels[:, 3] > 127][:, :3] for pixels in map(_pixels, references)]
    if not sum(map(len, opaque)):
        return "white"
    colours = np.concatenate(opaque).astype(np.float32)
    clear = {name: _clearance(colours, FLAT_BACKGROUNDS[name]) for name in _BY_FLATNESS}
    enough = [name for name in _BY_FLATNESS if clear[name] >= _ENOUGH]
    return enough[0] if enough else max(clear, key=lambda name: clear[name])


def _clearance(colours: npt.NDArray[np.float32], colour: Colour) -> float:
    """How far all but the nearest few pixels are from a colour, in levels."""
    distances = np.abs(colours - np.array(colour, np.float32)).max(axis=1)
    return float(np.percentile(distances, _NEAR_SHARE))


def _pixels(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(picture.convert("RGBA")).reshape(-1, 4)
