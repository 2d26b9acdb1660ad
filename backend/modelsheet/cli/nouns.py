"""Command nouns: list the class nouns of a base model, or say what a noun is learnt as."""

from __future__ import annotations

import argparse
from urllib.parse import urlencode

from modelsheet.api.describe_images import ClassNounList, ClassNounMatch
from modelsheet.cli.connect import Say, connect
from modelsheet.client import workflows
from modelsheet.errors import InvalidClassNoun


def nouns(arguments: argparse.Namespace, say: Say) -> int:
    """List the nouns one a line, or say what a given one is learnt as."""
    typed = " ".join(arguments.noun)
    with connect(arguments) as client:
        if typed:
            match = workflows.match_class_noun(client, typed, arguments.base)
            say(match_sentence(typed, match, arguments.base))
            return 0
        query = urlencode({"base_model": arguments.base})
        for noun in client.call("GET", f"/v1/class-nouns?{query}", ClassNounList).class_nouns:
            say(noun)
    return 0


def match_sentence(typed: str, match: ClassNounMatch, base_model: str) -> str:
    """Say what a noun is learnt as. Raises InvalidClassNoun with general nouns."""
    offered = ", ".join(match.alternatives)
    if not match.class_noun:
        raise InvalidClassNoun(
            f"{base_model} has nothing near to “{typed}”. Say it in a more common word, or take a "
            f"general one: {offered}."
        )
    if match.class_noun == typed.lower():
        return f"{base_model} knows “{typed}”."
    meant = f" (“{match.meant}”)" if match.meant else ""
    others = f" Or take: {offered}." if offered else ""
    return f"“{typed}”{meant} is learnt as “{match.class_noun}”, as {base_model} knows it.{others}"
