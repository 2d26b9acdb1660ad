"""Sample training items: drawings of one character, their mannequins, wanted poses and truths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from modelsheet.motion.figures.mannequin import Warp
from modelsheet.motion.figures.pictures import (
    MAX_DRAWINGS,
    UNKNOWN_VIEW,
    VIEWS,
    Picture,
    blank,
    channels_first,
    nearest_index,
)
from sprite_training.motion.augmentation import RandomRecolour, darken, jitter, random_proportions
from sprite_training.motion.character_parts import Character, PartLayer, Split
from sprite_training.motion.characters import ONE_VIEW, random_character
from sprite_training.motion.posed_archive import Pose, PosedArchive

Item = dict[str, np.ndarray]

_UNIVERSAL_WEIGHT = 3.0  # how often the universal set is taken, against 1 for another archive
_MODES = {"front": 0.35, "key": 0.3, "several": 0.25, "random": 0.1}
_STANDING_SHARE = 0.45  # of wanted poses: the turnaround, which is what an artist asks for first
_SMALLEST = 50  # pixels of a drawing


@dataclass(frozen=True)
class Look:
    """Choices by which one item's character and its mannequin are drawn."""

    archive: PosedArchive
    layers: Sequence[PartLayer]
    warp: Warp
    mannequin_body: str
    mannequin_warp: Warp
    shade: float

    def character(self, pose: Pose) -> Picture:
        return self.warp(self.archive.draw(self.layers, pose))

    def mannequin(self, pose: Pose) -> Picture:
        picture = self.mannequin_warp(self.archive.mannequin(self.mannequin_body, pose))
        return darken(picture, self.shade)


class ItemMaker:
    """A source of random items of `targets` wanted poses each."""

    def __init__(self, archives: Sequence[Path], split: Path, targets: int) -> None:
        withheld = Split(split)
        self.archives = [PosedArchive(path, withheld) for path in archives]
        weights = [_UNIVERSAL_WEIGHT if a.parts.is_universal else 1.0 for a in self.archives]
        self._chances = np.array(weights) / sum(weights)
        self.targets = targets

    def make(self, rng: np.random.Generator) -> Item:
        """Make one item; arrays as of `assemble`."""
        while True:
            archive = self.archives[int(rng.choice(len(self.archives), p=self._chances))]
            character = random_character(archive.parts, rng)
            poses = PoseSampler(archive, archive.actions(character), rng)
            look = random_look(archive, character, rng)
            given, wanted = poses.sample(self.targets)
            drawings = [look.character(pose) for pose in given]
            if min(int((drawing[..., 3] > 0).sum()) for drawing in drawings) >= _SMALLEST:
                break
        is_bare = rng.random() < 0.1
        views, mannequins = [], []
        for pose in given:
            is_unknown = rng.random() < 0.05
            views.append(UNKNOWN_VIEW if is_unknown else VIEWS.index(pose.view))
            mannequins.append(blank() if is_bare or is_unknown else look.mannequin(pose))
        return assemble(
            drawings,
            mannequins,
            views,
            [look.mannequin(pose) for pose in wanted],
            [VIEWS.index(pose.view) for pose in wanted],
            [look.character(pose) for pose in wanted],
        )


def random_look(archive: PosedArchive, character: Character, rng: np.random.Generator) -> Look:
    """Draw other colours, proportions, place and shade; sometimes a mannequin that fits badly."""
    recolour = RandomRecolour(rng, character) if rng.random() < 0.5 else None
    body = character.body
    old = archive.proportions(body)
    new = random_proportions(rng, old) if rng.random() < 0.5 else old
    if rng.random() < 0.6:
        new = new.moved(int(rng.integers(-4, 5)), int(rng.integers(-3, 2)))
    others = [b for b in archive.bodies if b not in (body, "child")]
    figure, fitted = body, new
    if rng.random() < 0.15 and others and body != "child":
        figure, fitted = others[int(rng.integers(len(others)))], jitter(rng, new)
    elif rng.random() < 0.25:
        fitted = jitter(rng, new)
    return Look(
        archive,
        archive.parts.layers(character, recolour),
        Warp(old, new),
        figure,
        Warp(archive.proportions(figure), fitted),
        rng.uniform(0.6, 1.0) if rng.random() < 0.5 else 1.0,
    )


class PoseSampler:
    """A source of random poses of one character: those of its drawings and those wanted."""

    def __init__(
        self, archive: PosedArchive, actions: Sequence[str], rng: np.random.Generator
    ) -> None:
        self.archive, self.actions, self.rng = archive, actions, rng

    def sample(self, targets: int) -> tuple[list[Pose], list[Pose]]:
        """Sample poses of one to three drawings, and `targets` wanted ones."""
        mode = str(self.rng.choice(list(_MODES), p=list(_MODES.values())))
        if mode == "key":
            view = VIEWS[int(self.rng.integers(len(VIEWS)))]
            return [self.archive.standing(view)], [self._any(view) for _ in range(targets)]
        given = self._given(mode)
        unseen = [v for v in VIEWS if self.archive.standing(v) not in given]
        wanted = []
        for _ in range(targets):
            if unseen and self.rng.random() < _STANDING_SHARE:
                view = unseen.pop(int(self.rng.integers(len(unseen))))
                wanted.append(self.archive.standing(view))
            else:
                wanted.append(self._any())
        return given, wanted

    def _given(self, mode: str) -> list[Pose]:
        standing = self.archive.standing
        if mode == "front":
            return [standing("front")]
        views = [str(view) for view in self.rng.permutation(VIEWS)]
        if mode == "several":
            views.remove("front")
            more = views[: int(self.rng.integers(1, MAX_DRAWINGS))]
            return [standing(view) for view in ("front", *more)]
        views = views[: int(self.rng.integers(1, MAX_DRAWINGS + 1))]
        return [standing(v) if self.rng.random() < 0.5 else self._any(v) for v in views]

    def _any(self, view: str | None = None) -> Pose:
        """Sample a pose in motion, of a view where one is given; walking is the most frequent."""
        actions = [a for a in self.actions if view in (None, ONE_VIEW.get(a, view))]
        actions = actions or [self.archive.standing_action]
        weights = np.array([_action_weight(action) for action in actions])
        action = str(self.rng.choice(actions, p=weights / weights.sum()))
        any_view = VIEWS[int(self.rng.integers(len(VIEWS)))]
        frames = self.archive.parts.actions[action].frames
        first = 1 if action == self.archive.standing_action and frames > 1 else 0
        frame = int(self.rng.integers(first, frames))
        return Pose(action, ONE_VIEW.get(action) or view or any_view, frame)


def _action_weight(action: str) -> float:
    if action == "walk":
        return 3.0
    return 0.3 if action in ONE_VIEW else 1.0


def assemble(
    drawings: list[Picture],
    mannequins: list[Picture],
    views: list[int],
    target_mannequins: list[Picture],
    target_views: list[int],
    targets: list[Picture],
) -> Item:
    """Make an item of N drawings and T targets, the drawings padded to `MAX_DRAWINGS`.

    Pictures become (number, 4, 64, 64) uint8; beside them `present` says which drawings are there,
    and `nearest` (T,) the index of the drawing to start from.
    """
    padding = MAX_DRAWINGS - len(drawings)
    return {
        "drawings": channels_first(drawings + [blank()] * padding),
        "mannequins": channels_first(mannequins + [blank()] * padding),
        "views": np.array(views + [UNKNOWN_VIEW] * padding),
        "present": np.array([True] * len(drawings) + [False] * padding),
        "target_mannequins": channels_first(target_mannequins),
        "target_views": np.array(target_views),
        "nearest": np.array([nearest_index(views, view) for view in target_views]),
        "targets": channels_first(targets),
    }


class MotionItems(Dataset[Item]):
    """Endlessly many items; each is made of its own number, whichever process makes it."""

    def __init__(self, archives: Sequence[Path], split: Path, targets: int, seed: int) -> None:
        self._archives, self._split = archives, split
        self._targets, self._seed = targets, seed
        self._maker: ItemMaker | None = None  # made in the process that needs it: it is large

    def __getitem__(self, number: int) -> Item:
        if self._maker is None:
            self._maker = ItemMaker(self._archives, self._split, self._targets)
        return self._maker.make(np.random.default_rng([self._seed, number]))


class RankBatches(Sampler[list[int]]):
    """The numbers of one rank's items, batch after batch, so that no rank has another's."""

    def __init__(self, first: int, size: int, rank: int, ranks: int) -> None:
        self._first, self._size, self._step = first + rank * size, size, ranks * size

    def __iter__(self) -> Iterator[list[int]]:
        begin = self._first
        while True:
            yield list(range(begin, begin + self._size))
            begin += self._step


def batches(
    items: MotionItems, numbers: RankBatches, workers: int
) -> DataLoader[dict[str, Tensor]]:
    """Load batches of items as tensors; 0 workers make them in this process."""
    loader: DataLoader[dict[str, Tensor]] = DataLoader(
        items,  # type: ignore[arg-type]  # collation turns arrays into tensors
        batch_sampler=numbers,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else it draws from the one that samples pixels
    )
    return loader
