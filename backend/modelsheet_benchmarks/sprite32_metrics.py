"""Measure the embedded base model by five metrics, on images and seeds not used in training."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet_benchmarks.image_distance import Pixels, shifted_distances
from sprite_training.sprite32.compositing import (
    BACKGROUNDS,
    BARE_SPECIES,
    Composer,
    figure,
    flat,
    over,
)
from sprite_training.sprite32.image_pool import image_tensors
from sprite_training.sprite32.tiles import SIZE, Tile, TileSet

SEED = 20_000_000  # training draws from seeds below 1000
DISTRACTORS = 99
ASKED = ("base", "body", "hand1", "cloak")  # species, body, weapon, cloak
TOLERANCE = 8  # of 255
_BATCH = 8


@dataclass(frozen=True)
class Sprite32Metrics:
    """The metrics of `modelsheet bench base`; shares are in [0, 1]."""

    psnr_db: float
    right_picture: float
    naming_top1: float
    naming_top5: float
    flat_background: float
    seconds_per_picture: float


def evaluate(
    base: BaseModel, tiles: TileSet, *, prompts: int = 60, pictures: int = 500
) -> Sprite32Metrics:
    """Measure everything; some minutes on two CPU cores."""
    core = tiles.core()
    top1, top5 = naming(base, core, pictures)
    return Sprite32Metrics(
        psnr_db=autoencoder_psnr(base, core, pictures),
        right_picture=right_picture(base, core, prompts),
        naming_top1=top1,
        naming_top5=top5,
        flat_background=flat_background(base, core, prompts),
        seconds_per_picture=seconds_per_picture(base),
    )


def autoencoder_psnr(base: BaseModel, tiles: TileSet, count: int) -> float:
    """Return the mean PSNR in dB of decoded against encoded images, composed figures on white."""
    composer = Composer(tiles, np.random.default_rng(SEED))
    white = flat(BACKGROUNDS["white"])
    shown = image_tensors(
        np.stack([over(composer.random_figure().pixels, white) for _ in range(count)])
    )
    errors = []
    for batch in shown.split(100):
        decoded = base.decode_latents(base.encode_images(batch)).cpu()
        errors.append(((decoded - batch) / 2).square().flatten(1).mean(1))
    return float((-10 * torch.cat(errors).log10()).mean())


def right_picture(base: BaseModel, tiles: TileSet, count: int) -> float:
    """Return the share of right images: of prompts naming species, body, weapon and cloak, those
    whose image is nearest to the true one of 100 composites that differ in one or more of them.
    """
    rng = np.random.default_rng(SEED + 1)
    asked = [_random_asked(tiles, rng) for _ in range(count)]
    generated = _generate(base, [_prompt(parts, "white") for parts in asked], SEED)
    right = 0
    for parts, picture in zip(asked, generated, strict=True):
        truth, distractors = (
            figure(parts),
            [figure(_distractor(parts, tiles, rng)) for _ in range(DISTRACTORS)],
        )
        white = flat(BACKGROUNDS["white"])
        candidates = np.stack([over(pixels, white) for pixels in (truth, *distractors)])
        right += int(np.argmin(shifted_distances(picture, candidates)) == 0)
    return right / count


def naming(base: BaseModel, tiles: TileSet, count: int) -> tuple[float, float]:
    """Return the top-1 and top-5 accuracy of the class noun of composed figures and creatures (half
    each), among all names.
    """
    rng = np.random.default_rng(SEED + 2)
    names = [*tiles.phrases("player/base"), *tiles.phrases("monster")]
    composer = Composer(tiles, rng)
    shown = [composer.random_figure() for _ in range(count // 2)]
    creatures = tiles.by_kind.get("monster", [])
    picks = rng.integers(max(1, len(creatures)), size=count // 2 if creatures else 0)
    shown += [
        composer.on_background(creatures[int(i)].pixels, creatures[int(i)].phrase, ())
        for i in picks
    ]
    clip = load_clip(base)
    vectors = clip.embed_images(image_tensors(np.stack([picture.rgb for picture in shown])))
    spec = (vectors @ clip.embed_texts(names).T).topk(min(5, len(names))).indices.tolist()
    ranked = [[names[index] for index in row] for row in spec]
    first = sum(p.subject == row[0] for p, row in zip(shown, ranked, strict=True))
    among = sum(p.subject in row for p, row in zip(shown, ranked, strict=True))
    return first / len(shown), among / len(shown)


def flat_background(base: BaseModel, tiles: TileSet, count: int) -> float:
    """Return the share of images on a named flat background whose border is within 8/255 of it.

    The border is the outermost ring of pixels, less those within a pixel of where the asked figure
    stands in the true composite: its feet and weapons may touch the edge.
    """
    rng = np.random.default_rng(SEED + 3)
    asked = [_random_asked(tiles, rng) for _ in range(count)]
    names = [list(BACKGROUNDS)[i] for i in rng.integers(len(BACKGROUNDS), size=count)]
    prompts = [_prompt(parts, name) for parts, name in zip(asked, names, strict=True)]
    generated = _generate(base, prompts, SEED + 1000)
    flat_count = sum(
        _is_flat(picture, BACKGROUNDS[name], figure(parts)[..., 3] > 0)
        for picture, name, parts in zip(generated, names, asked, strict=True)
    )
    return flat_count / count


def seconds_per_picture(base: BaseModel) -> float:
    """Time one image of 25 steps with guidance; the median of five after a warm-up."""
    times = []
    for index in range(6):
        began = time.perf_counter()
        _generate(base, ["human man, wearing red robe, on a white background"], SEED + index)
        times.append(time.perf_counter() - began)
    return float(np.median(times[1:]))


def _random_asked(tiles: TileSet, rng: np.random.Generator) -> dict[str, Tile]:
    dressed = [tile for tile in tiles.part("base") if tile.phrase not in BARE_SPECIES]
    choices: Mapping[str, Sequence[Tile]] = {p: tiles.part(p) for p in ASKED} | {"base": dressed}
    return {part: tiles_of[int(rng.integers(len(tiles_of)))] for part, tiles_of in choices.items()}


def _distractor(
    parts: Mapping[str, Tile], tiles: TileSet, rng: np.random.Generator
) -> dict[str, Tile]:
    """Change one to four of the asked parts."""
    count = int(rng.integers(1, len(ASKED) + 1))
    changed = rng.permutation(len(ASKED))[:count]
    distractor = dict(parts)
    for index in changed:
        other = _random_asked(tiles, rng)
        while other[ASKED[index]].phrase == parts[ASKED[index]].phrase:
            other = _random_asked(tiles, rng)
        distractor[ASKED[index]] = other[ASKED[index]]
    return distractor


def _prompt(parts: Mapping[str, Tile], background: str) -> str:
    return ", ".join([*(parts[p].phrase for p in ASKED), f"on a {background} background"])


def _generate(base: BaseModel, prompts: Sequence[str], first_seed: int) -> list[Pixels]:
    generated: list[Pixels] = []
    for start in range(0, len(prompts), _BATCH):
        batch = list(prompts[start : start + _BATCH])
        seeds = [first_seed + start + index for index in range(len(batch))]
        settings = SamplingSettings(
            batch, seeds, width=SIZE, height=SIZE, guidance_scale=base.guidance_scale
        )
        generated += [np.asarray(picture) for picture in sample_images(base, settings)]
    return generated


def _is_flat(picture: Pixels, colour: tuple[int, int, int], stands: npt.NDArray[np.bool_]) -> bool:
    ring = np.ones((SIZE, SIZE), bool)
    ring[1:-1, 1:-1] = False
    padded = np.pad(stands, 1)
    near = np.zeros_like(stands)
    for down in range(3):
        for right in range(3):
            near |= padded[down : down + SIZE, right : right + SIZE]
    off = np.abs(picture.astype(int) - np.array(colour)).max(-1)
    return bool((off[ring & ~near] <= TOLERANCE).all())
