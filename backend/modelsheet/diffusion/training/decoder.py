"""Train the correction of a subject's VAE decoder.

A small autoencoder dulls colours that it was not trained on and blurs lines of one pixel, however
good the UNet. Its last layers are fine-tuned on the references, and regularized on the references
in other colours, which must be decoded as before.
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

from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.models.cpu_threads import AdaptiveRunner, halves_batches
from modelsheet.diffusion.models.decoder_correction import Correction
from modelsheet.diffusion.training.augmentation import AugmentedImage, augmented_images
from modelsheet.diffusion.training.loss import (
    FIGURE_WEIGHT,
    RECOLOURING_GAINS,
    add_latent_noise,
    decoding_error,
)
from modelsheet.prompts.captions import FLAT_BACKGROUNDS

# At 30 steps a third of the gain is missing, at 200 things in the subject's hands take its colours.
_STEPS, _BATCH, _REGULARIZATION_BATCH = 100, 6, 3
_RATE, _FINAL_SHARE, _WARM_UP = 4e-3, 0.05, 5
_NOISE = 0.5  # of the latents' spread, at most: generated latents have larger errors than encoded
_LATENTS_PER_IMAGE, _MOST_LATENTS = 4, 128
_MOST_RECOLOURED = 24
_CHUNK = 8
_PATCHES = 8  # along each side of a recoloured reference's background


@dataclass(frozen=True)
class _Examples:
    """Features (N, C, h, w) before the last layers, the images (N, 3, H, W) to decode them to, and
    a weight for each pixel (N, 1, H, W).
    """

    features: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor

    def draw(self, count: int) -> _Examples:
        rows = torch.randint(len(self.features), (count,))
        return _Examples(self.features[rows], self.targets[rows], self.weights[rows])

    def first(self, count: int) -> _Examples:
        return _Examples(self.features[:count], self.targets[:count], self.weights[:count])


@dataclass(frozen=True)
class _TrainingSet:
    """Examples of one image size: the subject's own, and recoloured ones for regularization."""

    subject: _Examples
    regularization: _Examples


class _DecoderTail(torch.nn.Module):
    """The last layers of a decoder, at the images' own size."""

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
        images: torch.Tensor = decoder.conv_out(decoder.conv_act(hidden))
        return images

    def trainable_parameters(self) -> list[torch.nn.Parameter]:
        return [self.parts[name].requires_grad_(True) for name in self.names]


def learn_correction(base: BaseModel, pictures: Sequence[Image.Image], seed: int) -> Correction:
    """Fine-tune the decoder's last layers on the prepared pictures; return the change to them.

    The same seed gives the same correction. Empty where the autoencoder's error does not fall.
    """
    devices = [base.device] if base.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        tail = _DecoderTail(base.vae.decoder)
        training_sets = _training_sets(base, pictures, tail, seed)
        before = _error(tail, training_sets)
        _train(tail, training_sets, random.Random(seed), parts=2 if halves_batches(base) else 1)
        if not _error(tail, training_sets) < before:  # not >=, which NaN would pass
            return {}
    plain = dict(base.vae.decoder.named_parameters())
    return {name: (tail.parts[name] - plain[name]).detach().half().cpu() for name in tail.names}


def _train(
    tail: _DecoderTail, training_sets: Sequence[_TrainingSet], rng: random.Random, parts: int
) -> None:
    """Take all steps, with batches in so many parts."""
    parameters = tail.trainable_parameters()
    optimizer = torch.optim.Adam(parameters, lr=_RATE)
    counts = [len(each.subject.features) for each in training_sets]
    forward, backward = AdaptiveRunner(), AdaptiveRunner()
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * _share_of_rate(step)
        chosen = rng.choices(training_sets, counts)[0]
        subject = chosen.subject.draw(_BATCH)
        regularization = chosen.regularization.draw(_REGULARIZATION_BATCH)
        features = torch.cat([subject.features, regularization.features]).chunk(parts)
        with torch.enable_grad():
            decoded = forward.run([partial(tail, each) for each in features])
            gradient = _gradient_by_images(torch.cat(decoded), subject, regularization)
            shares = gradient.split([len(each) for each in decoded])
            gradients = backward.run(
                [
                    partial(torch.autograd.grad, each, parameters, share)
                    for each, share in zip(decoded, shares, strict=True)
                ]
            )
        for parameter, *of_parts in zip(parameters, *gradients, strict=True):
            parameter.grad = sum(of_parts)
        optimizer.step()


def _gradient_by_images(
    decoded: torch.Tensor, subject: _Examples, regularization: _Examples
) -> torch.Tensor:
    """Return the gradient of both losses by the decoded images."""
    images = decoded.detach().requires_grad_()
    loss = _subject_loss(images[:_BATCH], subject)
    loss = loss + _regularization_loss(images[_BATCH:], regularization)
    (gradient,) = torch.autograd.grad(loss, images)
    return gradient


def _share_of_rate(step: int) -> float:
    falling = (1 + math.cos(math.pi * step / _STEPS)) / 2
    return min(1.0, (step + 1) / _WARM_UP) * (_FINAL_SHARE + (1 - _FINAL_SHARE) * falling)


def _subject_loss(decoded: torch.Tensor, examples: _Examples) -> torch.Tensor:
    error = decoding_error(decoded, examples.targets)
    return ((error + error.square()) * examples.weights).mean() / examples.weights.mean()


def _regularization_loss(decoded: torch.Tensor, examples: _Examples) -> torch.Tensor:
    error = (decoded - examples.targets).abs()
    return (error + error.square()).mean()


@torch.no_grad()
def _error(tail: _DecoderTail, training_sets: Sequence[_TrainingSet]) -> float:
    """Sum the subject loss of the first examples of each size."""
    firsts = [each.subject.first(_BATCH) for each in training_sets]
    return sum(float(_subject_loss(tail(first.features), first)) for first in firsts)


@torch.no_grad()
def _training_sets(
    base: BaseModel, pictures: Sequence[Image.Image], tail: _DecoderTail, seed: int
) -> list[_TrainingSet]:
    by_size: dict[tuple[int, int], list[AugmentedImage]] = {}
    most = max(1, min(len(FLAT_BACKGROUNDS), _MOST_LATENTS // len(pictures)))
    for number, picture in enumerate(pictures):
        rng = random.Random(f"{seed} {number}")
        augmented = augmented_images(picture, number, most, rng, geometric=False)
        by_size.setdefault(picture.size, []).extend(augmented)
    return [_training_set_of(base, augmented, tail) for augmented in by_size.values()]


def _training_set_of(
    base: BaseModel, augmented: Sequence[AugmentedImage], tail: _DecoderTail
) -> _TrainingSet:
    images = torch.stack([image_tensor(each.image) for each in augmented]).to(base.device)
    alphas = torch.stack([_alpha(each.alpha) for each in augmented]).to(base.device)
    count = max(1, min(_LATENTS_PER_IMAGE, _MOST_LATENTS // len(augmented)))
    latents = _in_chunks(base.encode_images, images)
    noisy = torch.cat([add_latent_noise(latents, _NOISE) for _ in range(count)])
    targets, weights = images.repeat(count, 1, 1, 1), 1 + FIGURE_WEIGHT * alphas
    read = partial(_features, base)
    subject = _Examples(_in_chunks(read, noisy), targets, weights.repeat(count, 1, 1, 1))
    recoloured = _recoloured(images[:_MOST_RECOLOURED], alphas[:_MOST_RECOLOURED])
    features = _in_chunks(read, _in_chunks(base.encode_images, recoloured))
    decoded = _in_chunks(tail, features)
    return _TrainingSet(subject, _Examples(features, decoded, torch.ones_like(decoded[:, :1])))


def _in_chunks(
    function: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor
) -> torch.Tensor:
    """Apply `function` to eight rows at a time, to limit memory."""
    return torch.cat([function(chunk) for chunk in rows.split(_CHUNK)])


def _alpha(alpha: Image.Image) -> torch.Tensor:
    """Convert an alpha channel to (1, H, W) in [0, 1]."""
    return (image_tensor(alpha.convert("RGB"))[:1] + 1) / 2


def _features(base: BaseModel, latents: torch.Tensor) -> torch.Tensor:
    """Decode scaled latents up to the input of the last layers."""
    vae: Any = base.vae
    hidden = latents / vae.config.scaling_factor
    if vae.config.use_post_quant_conv:
        hidden = vae.post_quant_conv(hidden)
    hidden = vae.decoder.mid_block(vae.decoder.conv_in(hidden))
    for block in vae.decoder.up_blocks[:-1]:
        hidden = block(hidden)
    features: torch.Tensor = hidden
    return features


def _recoloured(images: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """Recolour the figures, and put them on one colour or on patches of several."""
    low, high = RECOLOURING_GAINS
    recoloured = []
    for index, (image, alpha) in enumerate(zip(images, alphas, strict=True)):
        gains = low + (high - low) * torch.rand(3, 1, 1)
        levels = (image[torch.randperm(3)] + 1) / 2 * gains.to(image)
        side = _PATCHES if index % 2 else 1
        patches = torch.rand(1, 3, side, side)
        background = torch.nn.functional.interpolate(patches, image.shape[-2:])[0].to(image)
        recoloured.append(torch.lerp(background, levels.clamp(0, 1), alpha) * 2 - 1)
    return torch.stack(recoloured)
