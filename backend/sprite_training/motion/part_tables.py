"""List what random characters wear: how often, and what excludes what. Tables alone."""

from __future__ import annotations

from collections.abc import Mapping

BODY_CHANCES: Mapping[str, float] = {
    "male": 0.38,
    "female": 0.36,
    "muscular": 0.08,
    "teen": 0.08,
    "child": 0.07,
    "pregnant": 0.03,
}
MALE_BODIES = frozenset({"male", "muscular"})
NATURAL_SKINS = frozenset({"light", "amber", "olive", "taupe", "bronze", "brown", "black"})
EYE_COLOURS = frozenset({"blue", "brown", "gray", "green", "orange", "purple", "red", "yellow"})
HUMAN_SHARE = 0.62
PLAIN_HUMAN_SHARE = 0.8  # of humans, the head with the shortest name: neither old nor odd
NATURAL_SHARE = 0.95
BARE_UNDER_HELMET_SHARE = 0.6  # helmets that are worn without hair
BODIES_OF_THEIR_OWN = frozenset({"skeleton", "zombie"})
SMOOTH_HEADS = ("human", "vampire", "frankenstein", "orc", "goblin", "troll", "alien", "zombie")
SKIN_COLOURED = frozenset({"ears", "nose", "tail", "wings", "fins"})

# How often a character of a body that has such parts wears one.
ODDS: Mapping[str, float] = {
    "clothes": 0.85,
    "legs": 0.92,
    "shoes": 0.8,
    "dress": 0.18,
    "armour": 0.2,
    "chainmail": 0.05,
    "jacket": 0.15,
    "vest": 0.12,
    "apron": 0.06,
    "overalls": 0.04,
    "bandages": 0.02,
    "cape": 0.22,
    "belt": 0.14,
    "sash": 0.06,
    "gloves": 0.14,
    "shoulders": 0.12,
    "bracers": 0.08,
    "arms": 0.06,
    "bauldron": 0.05,
    "beard": 0.25,
    "hat": 0.28,
    "bandana": 0.06,
    "headcover": 0.06,
    "neck": 0.1,
    "necklace": 0.05,
    "facial": 0.05,
    "eyepatch": 0.03,
    "earring": 0.03,
    "shield": 0.18,
    "weapon": 0.45,
    "quiver": 0.05,
    "wings": 0.05,
    "tail": 0.0,
    "horns": 0.04,
    "fins": 0.03,
    "ears": 0.12,
    "nose": 0.0,
    "eyes": 0.5,
    "wrists": 0.05,
    "hair": 0.88,
}
FURRY_ODDS: Mapping[str, float] = {
    "hair": 0.12,
    "beard": 0.0,
    "ears": 0.0,
    "eyes": 0.0,
    "facial": 0.02,
    "earring": 0.0,
}
LIZARD_ODDS: Mapping[str, float] = {"tail": 0.8}
# What is not worn under or beside something; in this order, because one may go before its turn.
EXCLUSIONS: tuple[tuple[str, str], ...] = (
    ("dress", "legs"),
    ("dress", "clothes"),
    ("overalls", "legs"),
    ("overalls", "apron"),
    ("hat", "bandana"),
    ("hat", "headcover"),
    ("hat", "horns"),
    ("bandana", "headcover"),
    ("armour", "vest"),
    ("armour", "jacket"),
    ("jacket", "vest"),
    ("armour", "apron"),
    ("hat", "fins"),
    ("armour", "overalls"),
    ("clothes", "bandages"),
    ("armour", "chainmail"),
)

REVISED_SKINS = frozenset(
    {"porcelain", "peach", "ivory", "tan", "tawny", "honey", "bronze", "brown", "coffee"}
)
REVISED_NATURAL_SHARE = 0.85
REVISED_OLD_SHARE = 0.2
REVISED_OLD_HEAD = "rev_head_03_elderly"
REVISED_HEADS: Mapping[str, str] = {
    "male": "rev_head_02_masculine",
    "female": "rev_head_01_feminine",
}
REVISED_ODDS: Mapping[str, float] = {
    "clothes": 0.9,
    "legs": 0.93,
    "overalls": 0.06,
    "socks": 0.1,
    "shoes": 0.85,
    "vest": 0.15,
    "suspenders": 0.08,
    "neck": 0.1,
    "beard": 0.25,
    "hair": 0.92,
    "facial": 0.12,
    "hat": 0.15,
    "shield": 0.15,
}
REVISED_EXCLUSIONS: tuple[tuple[str, str], ...] = (
    ("overalls", "legs"),
    ("overalls", "suspenders"),
    ("hat", "hair"),
)

# Held or small things that need not be drawn for an action: where they are not, they do not show.
OPTIONAL_TYPES = frozenset(
    {
        "weapon",
        "shield",
        "quiver",
        "beard",
        "eyes",
        "facial",
        "eyepatch",
        "earring",
        "nose",
        "neck",
        "necklace",
        "cape",
        "wrists",
    }
)
