"""Guess and check class nouns: zero-shot classification by the family's CLIP over a list of
nouns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from PIL import Image

from modelsheet.api.describe_images import ClassNounGuess
from modelsheet.api.types import Family
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import Clip
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.errors import InvalidClassNoun
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.captions import background_words
from modelsheet.prompts.class_nouns import known_class_nouns

TOP = 5
_BACKGROUNDS = {"white": (255, 255, 255), "grey": (128, 128, 128)}


def guess(
    pictures: Sequence[Image.Image], family: Family, clip: Clip, own_nouns: Sequence[str] = ()
) -> list[ClassNounGuess]:
    """Return the five likeliest nouns for all prepared pictures together, with probabilities.

    The logits of pictures and backgrounds are averaged before the softmax: they show one thing.
    """
    nouns = known_class_nouns(family, own_nouns)
    logits = torch.stack(
        [_logits(pictures, nouns, name, family, clip) for name in _BACKGROUNDS],
    )
    probabilities = logits.mean(0).softmax(-1)
    values, order = probabilities.topk(min(TOP, len(nouns)))
    return [
        ClassNounGuess(noun=nouns[i], probability=min(1.0, float(value)))
        for value, i in zip(values, order.tolist(), strict=True)
    ]


def check(
    typed: str,
    pictures: Sequence[Image.Image],
    base: BaseModel,
    clip: Clip | None,
    own_nouns: Sequence[str] = (),
) -> str:
    """Accept a class noun that the family knows, or one that ends in such a noun ("old elf woman").

    Raises InvalidClassNoun, with what the pictures look like, for an empty or unknown one.
    """
    noun = " ".join(typed.split()).lower()
    known = known_class_nouns(base.family, own_nouns)
    if any(noun == each or noun.endswith(f" {each}") for each in known):
        return noun
    like = ""
    if clip is not None:
        guessed = guess(pictures, base.family, clip, own_nouns)[0].noun
        like = f"The layers look like {guessed!r}. "
    if not noun:
        raise InvalidClassNoun(f"{like}Say in a word or two what the layers show.")
    raise InvalidClassNoun(
        f"{typed.strip()!r} is no class noun that {base.id} knows. {like}Take a noun of the list, "
        "or add yours to class_nouns.txt in the data folder."
    )


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
    opening = "" if family == "sprite32" else "a photo of a "
    texts = clip.embed_texts(
        [f"{opening}{noun}{ending}" for noun in nouns for ending in ("", f", {words}")]
    )
    means = texts.view(len(nouns), 2, -1).mean(1)
    cosines = clip.embed_images(images) @ torch.nn.functional.normalize(means, dim=-1).T
    return cosines.mean(0) * math.exp(clip.logit_scale)
