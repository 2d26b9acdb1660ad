"""Make random characters of an archive's parts, and find which actions they were drawn for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from sprite_training.motion import part_tables
from sprite_training.motion.character_parts import Character, Part, PartArchive

ONE_VIEW: Mapping[str, str] = {"hurt": "front", "climb": "back"}  # actions drawn in one view
_DRAWN_SHARE = 0.45  # of its frames, for an action to count as drawn
_Value = TypeVar("_Value")


def random_character(archive: PartArchive, rng: np.random.Generator) -> Character:
    """Dress a random character."""
    if archive.is_universal:
        return _UniversalDresser(archive, rng).dress()
    return _revised_character(archive, rng)


class ActionFinder:
    """The actions that a character can do: those all its parts were drawn for.

    Children only walk, for instance, and some hair does not fall. What is held does not count.
    """

    def __init__(self, archive: PartArchive) -> None:
        self._archive = archive
        self._known: dict[tuple[str, str, str], bool] = {}

    def actions(self, character: Character) -> list[str]:
        parts = [p for p in character.parts if p.type not in part_tables.OPTIONAL_TYPES]
        body = character.body
        return [
            action
            for action in self._archive.actions
            if all(self._is_drawn(body, part, action) for part in parts)
        ]

    def _is_drawn(self, body: str, part: Part, action: str) -> bool:
        key = (body, part.design, action)
        if key not in self._known:
            layers = self._archive.layers(Character(body, (part,)))
            where = self._archive.actions[action]
            views = [ONE_VIEW[action]] if action in ONE_VIEW else ["front", "left", "back"]
            frames = [(where.row(v), k) for v in views for k in range(where.frames)]
            drawn = sum(any(layer.sheet.has(*frame) for layer in layers) for frame in frames)
            self._known[key] = drawn >= _DRAWN_SHARE * len(frames)
        return self._known[key]


class _UniversalDresser:
    """One random character of the universal set: body and head of one skin, then clothes."""

    def __init__(self, archive: PartArchive, rng: np.random.Generator) -> None:
        self.rng = rng
        bodies = [body for body in part_tables.BODY_CHANCES if body in archive.parts]
        chances = np.array([part_tables.BODY_CHANCES[body] for body in bodies])
        self.body = str(rng.choice(bodies, p=chances / chances.sum()))
        self.parts = archive.parts[self.body]
        self.kind = self._kind()
        self.is_human = self.kind.startswith("human")
        self.is_furry = not self.kind.startswith(part_tables.SMOOTH_HEADS)

    def dress(self) -> Character:
        trunk, head = self._trunk_and_head()
        worn: dict[str, Part] = {}
        for kind, odds in self._odds().items():
            if kind in self.parts and self.rng.random() < odds:
                fitting = [p for p in self.parts[kind] if self._fits(p, trunk.variant)]
                if fitting:
                    worn[kind] = _any_design(fitting, self.rng)
        self._undress(worn)
        return Character(self.body, (trunk, head, *worn.values()))

    def _kind(self) -> str:
        """Choose a head by its design's name without "heads_"."""
        kinds = list(dict.fromkeys(_head_kind(part) for part in self.parts["head"]))
        is_male = self.body in part_tables.MALE_BODIES
        human = [kind for kind in kinds if kind.startswith("human")]
        if is_male:
            human = [kind for kind in human if "female" not in kind]
        elif self.body != "child":
            human = [kind for kind in human if "female" in kind]
        opposite = "_female" if is_male else "_male"
        others = [
            kind
            for kind in kinds
            if not kind.startswith("human")
            and (self.body == "child" or not kind.endswith(opposite))
        ]
        if not human or (others and self.rng.random() >= part_tables.HUMAN_SHARE):
            return _any(others, self.rng)
        if self.rng.random() < part_tables.PLAIN_HUMAN_SHARE:
            return min(human, key=len)
        return _any(human, self.rng)

    def _trunk_and_head(self) -> tuple[Part, Part]:
        """Choose a body and a head of one skin, where there is one that both have."""
        heads = {p.variant: p for p in self.parts["head"] if _head_kind(p) == self.kind}
        trunks = {p.variant: p for p in self.parts["body"] if p.design == "body"}
        any_head, any_trunk = next(iter(heads.values())), next(iter(trunks.values()))
        if self.kind in part_tables.BODIES_OF_THEIR_OWN:
            special = [p for p in self.parts["body"] if p.design == f"body_{self.kind}"]
            return (special or [any_trunk])[0], any_head
        shared = [skin for skin in heads if skin in trunks]
        if not shared:
            return _any(list(trunks.values()), self.rng), any_head
        natural = [skin for skin in shared if skin in part_tables.NATURAL_SKINS]
        if self.is_human and natural and self.rng.random() < part_tables.NATURAL_SHARE:
            shared = natural
        skin = _any(shared, self.rng)
        return trunks[skin], heads[skin]

    def _odds(self) -> dict[str, float]:
        odds = dict(part_tables.ODDS)
        if self.is_furry:
            odds |= part_tables.FURRY_ODDS
        if self.kind.startswith("lizard"):
            odds |= part_tables.LIZARD_ODDS
        return odds

    def _fits(self, part: Part, skin: str) -> bool:
        """Tell if a part goes with the head and the skin."""
        if part.type == "ears" and not self.is_human:
            return False
        if part.type in part_tables.SKIN_COLOURED:
            return part.variant == skin
        if part.type == "eyes":
            return part.variant in part_tables.EYE_COLOURS
        if part.design == "feet_hoofs":
            return self.is_furry and part.variant == skin
        return part.design != "weapon_thrust_oversize_attack_only"

    def _undress(self, worn: dict[str, Part]) -> None:
        """Take off what does not go with something else."""
        _exclude(worn, part_tables.EXCLUSIONS)
        if "clothes" in worn and worn["clothes"].design == "torso_clothes_robe":
            worn.pop("legs", None)
        has_helmet = "hat" in worn and worn["hat"].design.startswith("hat_helmet")
        if has_helmet and self.rng.random() < part_tables.BARE_UNDER_HELMET_SHARE:
            worn.pop("hair", None)


def _revised_character(archive: PartArchive, rng: np.random.Generator) -> Character:
    """Dress a random character of the revised set: two bodies, three heads."""
    body = _any([b for b in part_tables.REVISED_HEADS if b in archive.parts], rng)
    parts = archive.parts[body]
    trunks = {p.variant: p for p in parts["body"]}
    designs = {p.design for p in parts["head"]}
    is_old = (
        part_tables.REVISED_OLD_HEAD in designs and rng.random() < part_tables.REVISED_OLD_SHARE
    )
    design = part_tables.REVISED_OLD_HEAD if is_old else part_tables.REVISED_HEADS[body]
    heads = {p.variant: p for p in parts["head"] if p.design == design}
    shared = [skin for skin in heads if skin in trunks]
    natural = [skin for skin in shared if skin in part_tables.REVISED_SKINS]
    if natural and rng.random() < part_tables.REVISED_NATURAL_SHARE:
        shared = natural
    skin = _any(shared, rng)
    worn = {
        kind: _any_design(parts[kind], rng)
        for kind, odds in part_tables.REVISED_ODDS.items()
        if kind in parts and rng.random() < odds
    }
    _exclude(worn, part_tables.REVISED_EXCLUSIONS)
    if body == "female":
        worn.pop("beard", None)
    return Character(body, (trunks[skin], heads[skin], *worn.values()))


def _exclude(worn: dict[str, Part], exclusions: Sequence[tuple[str, str]]) -> None:
    for kept, removed in exclusions:
        if kept in worn:
            worn.pop(removed, None)


def _head_kind(part: Part) -> str:
    return part.design.removeprefix("heads_")


def _any_design(parts: Sequence[Part], rng: np.random.Generator) -> Part:
    """Choose a design, then a variant, so that designs of many colours are no more frequent."""
    designs: dict[str, list[Part]] = {}
    for part in parts:
        designs.setdefault(part.design, []).append(part)
    return _any(designs[_any(list(designs), rng)], rng)


def _any(values: Sequence[_Value], rng: np.random.Generator) -> _Value:
    return values[int(rng.integers(len(values)))]
