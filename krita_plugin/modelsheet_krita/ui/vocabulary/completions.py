"""Complete what is typed in a prompt to words and phrases of the base model's captions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...mentions import without_mentions

MOST_WORDS, MOST_COMPLETIONS = 3, 24
LEAST_TYPED = 2  # letters; one letter begins too many words
LONGEST_PHRASE = 4  # words of a phrase that can be typed already
SEGMENT = re.compile(r"[^,.;:(){}\[\]|\n]*\Z")  # what belongs together before the cursor


@dataclass(frozen=True)
class Completion:
    """Text to stand from `start`, a position in the prompt, up to the cursor."""

    text: str
    start: int


class PhraseCompletions:
    """The phrases of one base model, indexed for completion."""

    def __init__(self, phrases: Sequence[str] = ()) -> None:
        self._phrases = sorted(phrases, key=lambda phrase: (phrase.count(" "), phrase))
        self._counts = Counter(word for phrase in phrases for word in phrase.split())

    def complete(self, before: str) -> list[Completion]:
        """List the completions of the text before the cursor, the likeliest first.

        A word that is complete gets none until a space follows: Enter then sends the prompt.
        """
        found = SEGMENT.search(without_mentions(before, ","))
        segment = found[0] if found is not None else ""
        tokens = [(m[0].lower(), m.start()) for m in re.finditer(r"\S+", segment)]
        is_word_over = segment[-1:].isspace()
        if not tokens:
            return []
        last, _ = tokens[-1]
        if not is_word_over and last in self._counts:
            return []
        offset = len(before) - len(segment)
        offered = list(self._continuations(tokens, is_word_over))
        if not is_word_over and len(last) >= LEAST_TYPED:
            offered += [*self._words(tokens), *self._phrases_with(tokens)]
        offered.sort(key=lambda each: each.start == tokens[-1][1] and " " in each.text)
        texts = dict.fromkeys((each.text, each.start + offset) for each in offered)
        return [Completion(*each) for each in texts][:MOST_COMPLETIONS]

    def _words(self, tokens: Sequence[tuple[str, int]]) -> Iterator[Completion]:
        """Yield the most frequent words that begin as the last one does."""
        last, start = tokens[-1]
        words = [word for word in self._counts if word.startswith(last)]
        words.sort(key=lambda word: (-self._counts[word], word))
        for word in words[:MOST_WORDS]:
            yield Completion(word, start)

    def _continuations(
        self, tokens: Sequence[tuple[str, int]], is_word_over: bool
    ) -> Iterator[Completion]:
        """Yield the phrases that begin with the last words, as many of them as possible."""
        is_short = len(tokens[-1][0]) < LEAST_TYPED and not is_word_over
        for count in range(min(LONGEST_PHRASE, len(tokens)), int(is_short), -1):
            typed = " ".join(word for word, _ in tokens[-count:]) + " " * is_word_over
            found = [phrase for phrase in self._phrases if phrase.startswith(typed)]
            if found:
                yield from (Completion(phrase, tokens[-count][1]) for phrase in found)
                return

    def _phrases_with(self, tokens: Sequence[tuple[str, int]]) -> Iterator[Completion]:
        """Yield the phrases that contain a word like the last one: "cloa", "red cloak"."""
        last, start = tokens[-1]
        lead, lead_start = tokens[-2] if len(tokens) > 1 else ("", start)
        for phrase in self._phrases:
            first, *others = phrase.split()
            if any(word.startswith(last) for word in others):
                yield Completion(phrase, lead_start if first == lead else start)
