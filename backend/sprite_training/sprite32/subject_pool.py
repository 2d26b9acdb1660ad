"""Keep a pool of composed subjects, each in several pictures, and draw batches from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from modelsheet.diffusion.models.adapter_hypernetwork import picture_tensor
from modelsheet.diffusion.training.dataset import loss_mask
from modelsheet.prompts.captions import PromptTemplate, class_prompts
from sprite_training.sprite32.compositing import (
    BARE_SPECIES,
    PART_ODDS,
    ComposedImage,
    Composer,
    figure,
)
from sprite_training.sprite32.image_pool import Encode, image_tensors
from sprite_training.sprite32.tiles import SIZE, Tile, TileSet

PICTURES = 8  # of a subject
_MOST_SHOWN = 5  # from which its adapter is predicted
_EQUIPMENT = ("hand1", "hand2", "cloak")  # what a subject changes from picture to picture
_PLAIN_SHARE = 0.2  # of pictures without any
_CREATURE_SHARE = 0.12
_OWN_PART_SHARE = 0.9  # of a random figure's other parts
_RECOLOURED_SHARE, _MOVED_SHARE = 0.6, 0.3
_CAPTION_DROPOUT, _BACKGROUND_SHARE = 0.05, 0.92


@dataclass(frozen=True)
class SubjectBatch:
    """Pictures that show S subjects and B others to paint, the last `class_pictures` of them as
    the class alone.

    `pictures` (S, N, 4, 32, 32) with `present` (S, N); `latents` (B, C, h, w), `masks`
    (B, 1, h, w), `owners` (B,), the index of each one's subject.
    """

    pictures: torch.Tensor
    present: torch.Tensor
    latents: torch.Tensor
    masks: torch.Tensor
    owners: torch.Tensor
    prompts: list[str]
    class_pictures: int


@dataclass(frozen=True)
class ComposedSubject:
    """A subject's class noun and its pictures."""

    noun: str
    images: Sequence[ComposedImage]


class SubjectComposer:
    """Compose random subjects: their own parts stay, their equipment changes.

    Own parts are of all tiles, many recoloured and some moved by a pixel, for an artist's are like
    no tile; equipment is of the core vocabulary, for prompts name it.
    """

    def __init__(self, tiles: TileSet, rng: np.random.Generator) -> None:
        self.rng = rng
        self._all = Composer(tiles, rng, recoloured_share=_RECOLOURED_SHARE)
        self._core = Composer(tiles.core(), rng)
        self._creatures = [t for t in self._all.whole if t.kind.startswith("monster")]

    def compose(self) -> ComposedSubject:
        """Compose a subject in `PICTURES` pictures."""
        is_creature = bool(self._creatures) and self.rng.random() < _CREATURE_SHARE
        parts = {"base": self._chosen_creature()} if is_creature else self._all.random_parts()
        noun = parts["base"].phrase
        own = {slot: self._varied(tile) for slot, tile in parts.items() if self._is_own(slot)}
        is_bare = is_creature or noun in BARE_SPECIES
        images = [
            self._image(noun, own, {} if is_bare else self._equipment()) for _ in range(PICTURES)
        ]
        return ComposedSubject(noun, images)

    def _chosen_creature(self) -> Tile:
        return self._creatures[int(self.rng.integers(len(self._creatures)))]

    def _is_own(self, slot: str) -> bool:
        is_kept = slot not in _EQUIPMENT and self.rng.random() < _OWN_PART_SHARE
        return slot == "base" or is_kept

    def _equipment(self) -> dict[str, Tile]:
        if self.rng.random() < _PLAIN_SHARE:
            return {}
        return {
            slot: tiles[int(self.rng.integers(len(tiles)))]
            for slot in _EQUIPMENT
            if (tiles := self._core.tiles.part(slot)) and self.rng.random() < PART_ODDS[slot]
        }

    def _image(
        self, noun: str, own: Mapping[str, Tile], equipment: Mapping[str, Tile]
    ) -> ComposedImage:
        details = tuple(tile.phrase for tile in equipment.values())
        return self._core.on_background(figure({**own, **equipment}), noun, details)

    def _varied(self, tile: Tile) -> Tile:
        tile = self._all.recoloured(tile)
        if self.rng.random() >= _MOVED_SHARE:
            return tile
        down, right = self.rng.integers(-1, 2, size=2)
        padded = np.pad(tile.pixels, ((1, 1), (1, 1), (0, 0)))
        moved = padded[1 - down : 1 - down + SIZE, 1 - right : 1 - right + SIZE]
        return replace(tile, pixels=moved)


class SubjectPool:
    """`size` composed subjects with their pictures, latents, masks and prompts."""

    def __init__(
        self,
        composer: SubjectComposer,
        size: int,
        encode: Encode,
        identifiers: Sequence[str],
    ) -> None:
        """Compose all subjects. `encode`: images (B, 3, 32, 32) in [-1, 1] to latents."""
        self._composer, self.rng, self.size = composer, composer.rng, size
        self._encode, self._identifiers = encode, identifiers
        self._pictures = torch.zeros(size, PICTURES, 4, SIZE, SIZE)
        self._latents = self._masks = torch.zeros(0)
        self._subjects: dict[int, ComposedSubject] = {}
        self._next = 0
        self.refresh(size)

    def refresh(self, count: int) -> None:
        """Replace the `count` oldest subjects by new ones."""
        for _ in range(count):
            self._set(self._next, self._composer.compose())
            self._next = (self._next + 1) % self.size

    def draw(self, subjects: int, pictures: int, class_pictures: int) -> SubjectBatch:
        """Draw subjects, some of each one's pictures to show it, and `pictures` others to paint;
        some of those are painted once more as the class.
        """
        rng, chosen = self.rng, self.rng.choice(self.size, size=subjects, replace=False)
        orders = np.stack([rng.permutation(PICTURES) for _ in chosen])
        counts = rng.integers(1, _MOST_SHOWN + 1, size=subjects)
        shown = orders[:, : counts.max()]
        owners = np.repeat(np.arange(subjects), pictures)
        # Never one that shows the subject: the network would learn to copy.
        wanted = np.array([rng.choice(orders[owner, counts[owner] :]) for owner in owners])
        again = rng.integers(len(owners), size=class_pictures)
        prompts = [self._prompt(*at) for at in zip(chosen[owners], wanted, strict=True)]
        prompts += [self._class_prompt(chosen[owner]) for owner in owners[again]]
        owners, wanted = np.append(owners, owners[again]), np.append(wanted, wanted[again])
        rows = chosen[owners]
        return SubjectBatch(
            pictures=self._pictures[chosen[:, None], shown],
            present=torch.from_numpy(np.arange(shown.shape[1]) < counts[:, None]).float(),
            latents=self._latents[rows, wanted],
            masks=self._masks[rows, wanted],
            owners=torch.from_numpy(owners),
            prompts=prompts,
            class_pictures=class_pictures,
        )

    def _set(self, index: int, subject: ComposedSubject) -> None:
        self._subjects[index] = subject
        figures = [Image.fromarray(image.pixels) for image in subject.images]
        latents = self._encode(image_tensors(np.stack([image.rgb for image in subject.images])))
        factor = SIZE // latents.shape[-1]
        masks = torch.stack([loss_mask(each.getchannel("A"), factor) for each in figures])
        if not len(self._latents):
            self._latents = torch.zeros(self.size, *latents.shape)
            self._masks = torch.zeros(self.size, *masks.shape)
        self._pictures[index] = torch.stack([picture_tensor(each) for each in figures])
        self._latents[index], self._masks[index] = latents.cpu(), masks

    def _prompt(self, index: int, picture: int) -> str:
        if self.rng.random() < _CAPTION_DROPOUT:
            return ""
        subject = self._subjects[index]
        image = subject.images[picture]
        word = self._identifiers[int(self.rng.integers(len(self._identifiers)))]
        details = [image.details[i] for i in self.rng.permutation(len(image.details))]
        background = [image.background] if self.rng.random() < _BACKGROUND_SHARE else []
        return ", ".join([f"{word} {subject.noun}", *details, *background])

    def _class_prompt(self, index: int) -> str:
        prompts = class_prompts(PromptTemplate("", self._subjects[index].noun, "sprite32"))
        return prompts[int(self.rng.integers(len(prompts)))]
