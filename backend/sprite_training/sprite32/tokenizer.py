"""Build the tokenizer: byte-pair merges learnt from captions and common English, then rare tokens
that are part of no word.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer
from wordfreq import top_n_list

from sprite_training.sprite32.architecture import PROMPT_TOKENS
from sprite_training.sprite32.compositing import BACKGROUNDS
from sprite_training.sprite32.tiles import TileSet

RARE_TOKENS = 192
_ENGLISH_WORDS = 4000
_CORE_WEIGHT = 2000  # words of the core captions become single tokens before any other
_CAPTION_WEIGHT = 50  # the other captions' words weigh as much as very common English ones
_START, _END = "<|startoftext|>", "<|endoftext|>"


def caption_words(tiles: TileSet) -> set[str]:
    """Return all words that a caption can have."""
    phrases = itertools.chain((tile.phrase for tile in tiles.tiles), BACKGROUNDS)
    return {word for phrase in phrases for word in phrase.split()} | {"on", "a", "background"}


def build_tokenizer(tiles: TileSet, merges: int, folder: Path) -> CLIPTokenizer:
    """Learn the vocabulary and write it to `folder` in CLIP's own file format."""
    captions, core = caption_words(tiles), caption_words(tiles.core())
    english = [word for word in top_n_list("en", _ENGLISH_WORDS) if word.isascii()]
    learnt = _learn_merges(core, captions, english, merges)
    rare = list(itertools.islice(_rare_words({*captions, *english}, learnt), RARE_TOKENS))
    all_merges = list(dict.fromkeys(learnt + [p for word in rare for p in _merges_of(word)]))
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary(all_merges)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), "utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in all_merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", "utf-8")
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=all_merges, model_max_length=PROMPT_TOKENS)
    tokenizer.save_pretrained(folder)
    return tokenizer


def _learn_merges(
    core: Iterable[str], captions: Iterable[str], english: list[str], count: int
) -> list[tuple[str, str]]:
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=2 * 26 + count, end_of_word_suffix="</w>", show_progress=False
    )
    corpus = [word for word in sorted(core) for _ in range(_CORE_WEIGHT)]
    corpus += [word for word in sorted(captions) for _ in range(_CAPTION_WEIGHT)]
    corpus += [w for rank, w in enumerate(english) for _ in range(1 + len(english) // (rank + 20))]
    learner.train_from_iterator(corpus, trainer)
    merges: list[tuple[str, str]] = [
        tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]
    ]
    return [(a, b) for a, b in merges if (a + b).isascii()]


def _rare_words(taken: set[str], merges: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield three-letter words without a vowel whose first two letters are part of no word."""
    text = " ".join(taken)
    joined = {a + b for a, b in merges}
    letters = "bcdfghjklmnpqrstvwxz"
    order = np.random.default_rng(0).permutation(len(letters) ** 3)
    for index in order:
        first, rest = divmod(int(index), len(letters) ** 2)
        word = letters[first] + letters[rest // len(letters)] + letters[rest % len(letters)]
        is_new = word[:2] not in text and not {word[:2], f"{word[1:]}</w>"} & joined
        if len(set(word)) == 3 and is_new:
            yield word


def _merges_of(word: str) -> list[tuple[str, str]]:
    return [(word[0], word[1]), (word[:2], f"{word[2]}</w>")]


def _vocabulary(merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Number the tokens in CLIP's order: bytes, bytes that end a word, merges by rank, the two
    special tokens.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [a + b for a, b in merges]
    return {token: index for index, token in enumerate(dict.fromkeys([*tokens, _START, _END]))}
