"""The fake Krita of the fast tests answers as the real one does."""

from __future__ import annotations

import json
from pathlib import Path

from tests.krita.conftest import Play
from tests.plugin import conftest as _application  # noqa: F401  icons need one
from tests.plugin import fake_krita, krita_facts


def test_the_fake_krita_answers_like_the_real_one(play: Play) -> None:
    krita = fake_krita.Krita()
    document = fake_krita.Document(64, 48)
    krita.open_documents.append(document)
    faked = json.loads(json.dumps(krita_facts.facts(krita, document)))

    script = str(Path(krita_facts.__file__))
    real = play("krita_api", runner="", environment={"KRITA_FACTS": script}).report["facts"]

    assert faked == real
