"""Choose the flat background colour of a cut-out: named in the prompt, far from the subject's own
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

_SCENERY = re.compile(r"\b(?:floor|background|backdrop)\b", re.IGNORECASE)
_FLAT = re.compile(r"\bon an? (?:plain )?(\w+) background\b", re.IGNORECASE)
# Black and grey are left out: outlines and shadows have them.
_BY_FLATNESS = ("white", "magenta", "blue", "green")
# Levels between the background and all but a few pixels of the figure. Cream is 40 from white, and
# a light muzzle that touches the outline would be cut out with a white background.
_FAR_ENOUGH = 48.0
_NEAR_SHARE = 1.0  # percent of a figure's pixels that may lie near the background's colour


@dataclass(frozen=True)
class FlatBackground:
    """A flat background of that colour, which `prompt_suffix` names after the prompt."""

    prompt_suffix: str
    colour: Colour


def choose_background(
    prompt: str, references: Sequence[Image.Image], family: Family
) -> FlatBackground | None:
    """Return the flat background that the prompt names, or one far from the subject's colours; None
    when the prompt asks for scenery ("on grass floor"), which cannot be keyed.
    """
    named = _named_background(prompt)
    if named is not None:
        return FlatBackground("", named)
    if asks_for_scenery(prompt):
        return None
    name = most_distinct_background(references)
    return FlatBackground(f", {background_words(name, family)}", FLAT_BACKGROUNDS[name])


def asks_for_scenery(prompt: str) -> bool:
    """Return True if the prompt asks for a background that cannot be keyed ("on grass floor")."""
    return _named_background(prompt) is None and _SCENERY.search(prompt) is not None


def _named_background(prompt: str) -> Colour | None:
    """Return the colour of the flat background that the prompt names ("on a white background")."""
    named = _FLAT.search(prompt)
    return FLAT_BACKGROUNDS.get(named[1].lower()) if named is not None else None


def most_distinct_background(references: Sequence[Image.Image]) -> str:
    """Return the name of a background colour that the figures do not have; white without figures.

    The first that is far enough, in the order of how flat sprite32 generates them; else the
    farthest.
    """
    opaque = [pixels[pixels[:, 3] > 127][:, :3] for pixels in map(_pixels, references)]
    if not sum(map(len, opaque)):
        return "white"
    colours = np.concatenate(opaque).astype(np.float32)
    distances = {name: _distance(colours, FLAT_BACKGROUNDS[name]) for name in _BY_FLATNESS}
    far_enough = [name for name in _BY_FLATNESS if distances[name] >= _FAR_ENOUGH]
    return far_enough[0] if far_enough else max(distances, key=lambda name: distances[name])


def _distance(colours: npt.NDArray[np.float32], colour: Colour) -> float:
    """Return the distance of all but the nearest few pixels to a colour, in levels."""
    distances = np.abs(colours - np.array(colour, np.float32)).max(axis=1)
    return float(np.percentile(distances, _NEAR_SHARE))


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(image.convert("RGBA")).reshape(-1, 4)
