"""Class nouns that base models know: a curated list for each family, and the user's own. No
torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from modelsheet.api.types import Family
from modelsheet.errors import InvalidClassNoun

_LISTS = Path(__file__).parent / "class_nouns.json"


def known_class_nouns(family: Family, own: Sequence[str] = ()) -> list[str]:
    """Return the curated list of a family, and the nouns that the user added."""
    listed: list[str] = json.loads(_LISTS.read_text("utf-8"))[family]
    return list(dict.fromkeys([*listed, *own]))


def own_class_nouns(data_dir: Path) -> list[str]:
    """Read the user's nouns: one a line in class_nouns.txt of the data folder.

    Raises InvalidClassNoun when the file is no UTF-8.
    """
    file = data_dir / "class_nouns.txt"
    try:
        content = file.read_text("utf-8-sig")  # Notepad begins a file with a byte-order mark
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise InvalidClassNoun(
            f"{file} cannot be read as text. Save it as UTF-8, one noun a line."
        ) from None
    lines = (" ".join(line.split()).lower() for line in content.splitlines())
    return [line for line in lines if line]
