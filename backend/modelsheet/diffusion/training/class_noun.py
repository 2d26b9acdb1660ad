"""Guess class nouns: zero-shot classification by the family's CLIP over a list of nouns."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image

from modelsheet.api.describe_images import ClassNounGuess
from modelsheet.api.types import Family
from modelsheet.base_models.families import is_pixel_art
from modelsheet.diffusion.models.base_model import image_tensor
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.captions import background_words
from modelsheet.prompts.class_nouns import known_class_nouns

# A probability is the share of such guesses that are right, as far as a CLIP is calibrated.
_LEAST_PROBABILITY = 0.5
_BACKGROUNDS = {"white": (255, 255, 255), "grey": (128, 128, 128)}


def guess(
    pictures: Sequence[Image.Image], family: Family, clip: Clip, own_nouns: Sequence[str] = ()
) -> list[ClassNounGuess]:
    """Return the noun of all prepared pictures together if it is more likely right than wrong.

    Never one of a sprite model's: sprite32's CLIP was right about none of 29 characters that it had
    not been trained on (tests/diffusion/training/test_class_noun.py).
    """
    if is_pixel_art(family):
        return []
    nouns = known_class_nouns(family, own_nouns)
    value, index = probabilities(pictures, nouns, family, clip).max(-1)
    if float(value) < _LEAST_PROBABILITY:
        return []
    return [ClassNounGuess(noun=nouns[int(index)], probability=min(1.0, float(value)))]


def probabilities(
    pictures: Sequence[Image.Image], nouns: Sequence[str], family: Family, clip: Clip
) -> torch.Tensor:
    """Return the probability of each noun, (nouns,).

    The logits of pictures and backgrounds are averaged before the softmax: they show one thing.
    """
    logits = [_logits(pictures, nouns, name, family, clip) for name in _BACKGROUNDS]
    return torch.stack(logits).mean(0).softmax(-1)


def _logits(
    pictures: Sequence[Image.Image],
    nouns: Sequence[str],
    background: str,
    family: Family,
    clip: Clip,
) -> torch.Tensor:
    """Return the mean over pictures of scaled cosines to each noun, (nouns,)."""
    images = [image_tensor(composite(picture, _BACKGROUNDS[background])) for picture in pictures]
    words = background_words(background, family)
    opening = "" if is_pixel_art(family) else "a photo of a "
    texts = clip.embed_texts(
        [f"{opening}{noun}{ending}" for noun in nouns for ending in ("", f", {words}")]
    )
    means = texts.view(len(nouns), 2, -1).mean(1)
    cosines = clip.embed_images(images) @ torch.nn.functional.normalize(means, dim=-1).T
    return cosines.mean(0) * math.exp(clip.logit_scale)
