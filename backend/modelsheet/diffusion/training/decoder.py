"""Learning the subject's decoder.

A small autoencoder dulls colours that it never saw and blurs what is a pixel wide, however well the
UNet paints. Its last layers are taught the references; that they stay as they are for everything
else is learnt beside it, from the references in other colours.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.decoder_correction import Correction
from modelsheet.diffusion.training.augmentation import View, views_of
from modelsheet.diffusion.training.dataset import image_tensor
from modelsheet.diffusion.training.decoder_loss import (
    FIGURE_WEIGHT,
    RECOLOURING_GAINS,
    add_latent_noise,
    decoding_error,
)
from modelsheet.prompts.captions import FLAT_BACKGROUNDS

# At 30 steps a third of the gain is missing, at 200 things in the subject's hands take its colours.
_STEPS, _BATCH, _REST_BATCH = 100, 6, 3
_RATE, _FINAL_SHARE, _WARM_UP = 4e-3, 0.05, 5
_NOISE = 0.5  # of the latents' spread, at most: painted latents are off by more than encoded ones
_LATENTS_A_VIEW, _MOST_LATENTS = 4, 128
_MOST_RECOLOURED = 24
_AT_ONCE = 8
_PATCHES = 8  # along each side of what recoloured references stand on


@dataclass(frozen=True)
class _Lesson:
    """Features (N, C, h, w) before the last layers, the pictures (N, 3, H, W) that shall come of
    them, and how much each pixel counts (N, 1, H, W).
    """

    features: torch.Tensor
    wanted: torch.Tensor
    weights: torch.Tensor

    def draw(self, count: int) -> _Lesson:
        rows = torch.randint(len(self.features), (count,))
        return _Lesson(self.features[rows], self.wanted[rows], self.weights[rows])


@dataclass(frozen=True)
class _Lessons:
    """Of pictures of one size: the subject's own, and what shall stay as it is."""

    own: _Lesson
    rest: _Lesson


class _Ending(torch.nn.Module):
    """The last layers of a decoder, at the pictures' own size."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.names: list[str] = []
        last = f"up_blocks.{len(decoder.up_blocks) - 1}."
        for name, _ in decoder.named_parameters():
            if name.startswith((last, "conv_norm_out.", "conv_out.")):
                self.names.append(name)
        self.decoder = copy.deepcopy(decoder).requires_grad_(False)
        self.parts = dict(self.decoder.named_parameters())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        decoder = self.decoder
        hidden = decoder.conv_norm_out(decoder.up_blocks[-1](features))
        pictures: torch.Tensor = decoder.conv_out(decoder.conv_act(hidden))
        return pictures

    def learning(self) -> list[torch.nn.Parameter]:
        return [self.parts[name].requires_grad_(True) for name in self.names]


def learn_correction(base: BaseModel, pictures: Sequence[Image.Image], seed: int) -> Correction:
    """Teach the last layers the prepared pictures; the same seed gives the same correction.

    Empty where that brings the autoencoder no nearer to them.
    """
    devices = [base.device] if base.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        ending = _Ending(base.vae.decoder)
        lessons = _lessons(base, pictures, ending, seed)
        before = _error(ending, lessons)
        _learn(ending, lessons, random.Random(seed))
        if not _error(ending, lessons) < before:  # a number that is none is not less either
            return {}
    plain = dict(base.vae.decoder.named_parameters())
    return {name: (ending.parts[name] - plain[name]).detach().half().cpu() for name in ending.names}


def _learn(ending: _Ending, lessons: Sequence[_Lessons], chance: random.Random) -> None:
    parameters = ending.learning()
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    counts = [len(each.own.features) for each in lessons]
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * _share_of_rate(step)
        chosen = chance.choices(lessons, counts)[0]
        own, rest = chosen.own.draw(_BATCH), chosen.rest.draw(_REST_BATCH)
        with torch.enable_grad():
            made = ending(torch.cat([own.features, rest.features]))
            loss = _own_loss(made[:_BATCH], own) + _rest_loss(made[_BATCH:], rest)
            gradients = torch.autograd.grad(loss, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        optimizer.step()


def _share_of_rate(step: int) -> float:
    falling = (1 + math.cos(math.pi * step / _STEPS)) / 2
    return min(1.0, (step + 1) / _WARM_UP) * (_FINAL_SHARE + (1 - _FINAL_SHARE) * falling)


def _own_loss(made: torch.Tensor, lesson: _Lesson) -> torch.Tensor:
    error = decoding_error(made, lesson.wanted)
    return ((error + error.square()) * lesson.weights).mean() / lesson.weights.mean()


def _rest_loss(made: torch.Tensor, lesson: _Lesson) -> torch.Tensor:
    error = (made - lesson.wanted).abs()
    return (error + error.square()).mean()


@torch.no_grad()
def _error(ending: _Ending, lessons: Sequence[_Lessons]) -> float:
    """How far the first of each size come back from what they are."""
    return sum(
        float(_own_loss(ending(each.own.features[:_BATCH]), _first(each.own))) for each in lessons
    )


def _first(lesson: _Lesson) -> _Lesson:
    return _Lesson(lesson.features[:_BATCH], lesson.wanted[:_BATCH], lesson.weights[:_BATCH])


@torch.no_grad()
def _lessons(
    base: BaseModel, pictures: Sequence[Image.Image], ending: _Ending, seed: int
) -> list[_Lessons]:
    by_size: dict[tuple[int, int], list[View]] = {}
    most = max(1, min(len(FLAT_BACKGROUNDS), _MOST_LATENTS // len(pictures)))
    for number, picture in enumerate(pictures):
        chance = random.Random(f"{seed} {number}")
        views = views_of(picture, number, most, chance, moves=False)
        by_size.setdefault(picture.size, []).extend(views)
    return [_lessons_of(base, views, ending) for views in by_size.values()]


def _lessons_of(base: BaseModel, views: Sequence[View], ending: _Ending) -> _Lessons:
    shown = torch.stack([image_tensor(view.shown) for view in views]).to(base.device)
    alphas = torch.stack([_alpha(view) for view in views]).to(base.device)
    count = max(1, min(_LATENTS_A_VIEW, _MOST_LATENTS // len(views)))
    latents = _by_and_by(base.encode_images, shown)
    near = torch.cat([add_latent_noise(latents, _NOISE) for _ in range(count)])
    wanted, weights = shown.repeat(count, 1, 1, 1), 1 + FIGURE_WEIGHT * alphas
    read = partial(_features, base)
    own = _Lesson(_by_and_by(read, near), wanted, weights.repeat(count, 1, 1, 1))
    others = _recoloured(shown[:_MOST_RECOLOURED], alphas[:_MOST_RECOLOURED])
    features = _by_and_by(read, _by_and_by(base.encode_images, others))
    kept = _by_and_by(ending, features)
    return _Lessons(own, _Lesson(features, kept, torch.ones_like(kept[:, :1])))


def _by_and_by(act: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> torch.Tensor:
    """What `act` makes of the rows, a few at a time for the memory's sake."""
    return torch.cat([act(few) for few in rows.split(_AT_ONCE)])


def _alpha(view: View) -> torch.Tensor:
    return (image_tensor(view.alpha.convert("RGB"))[:1] + 1) / 2


def _features(base: BaseModel, latents: torch.Tensor) -> torch.Tensor:
    """What the last layers read of scaled latents."""
    vae: Any = base.vae
    hidden = latents / vae.config.scaling_factor
    if vae.config.use_post_quant_conv:
        hidden = vae.post_quant_conv(hidden)
    hidden = vae.decoder.mid_block(vae.decoder.conv_in(hidden))
    for block in vae.decoder.up_blocks[:-1]:
        hidden = block(hidden)
    features: torch.Tensor = hidden
    return features


def _recoloured(shown: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """The same figures in other colours, on one colour or on patches of several."""
    low, high = RECOLOURING_GAINS
    made = []
    for index, (picture, alpha) in enumerate(zip(shown, alphas, strict=True)):
        gains = low + (high - low) * torch.rand(3, 1, 1)
        levels = (picture[torch.randperm(3)] + 1) / 2 * gains.to(picture)
        side = _PATCHES if index % 2 else 1
        patches = torch.rand(1, 3, side, side)
        ground = torch.nn.functional.interpolate(patches, picture.shape[-2:])[0].to(picture)
        made.append(torch.lerp(ground, levels.clamp(0, 1), alpha) * 2 - 1)
    return torch.stack(made)
