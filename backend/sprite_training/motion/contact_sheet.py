"""Draw a contact sheet: for each test character its drawing, then answer and truth of each pose."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.motion.figures.pictures import Picture
from modelsheet.motion.network.model import MotionModel
from sprite_training.motion.evaluation import TestSet

_ANSWER_GROUND, _TRUTH_GROUND = (235, 235, 235), (200, 220, 200)


def contact_sheet(test: TestSet, model: MotionModel, ability: str) -> Image.Image:
    """Draw a row for each character, twice the size; the truth stands on green."""
    rows = []
    for number, (character, cases) in enumerate(zip(test.characters, test.cases, strict=True)):
        row = [_on(test.standing(character, "front"), _ANSWER_GROUND)]
        for case, picture in zip(cases, test.answers(model, number, ability), strict=True):
            row += [_on(picture, _ANSWER_GROUND), _on(case.truth, _TRUTH_GROUND)]
        rows.append(np.concatenate(row, axis=1))
    image = Image.fromarray(np.concatenate(rows))
    return image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST)


def _on(picture: Picture, ground: tuple[int, int, int]) -> np.ndarray:
    """Flatten a picture onto a colour: (64, 64, 3) bytes."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    flat = picture[..., :3] * alpha + np.array(ground) * (1 - alpha)
    return np.asarray(flat.round(), np.uint8)
