"""In a Russian Krita everything that the docker says is Russian."""

from __future__ import annotations

import re
from pathlib import Path

from tests.krita.conftest import Play

# Names, numbers, prompts and what the backend's data say stay as they are.
NOT_WORDS = re.compile(
    r"Modelsheet( [\d.]+)?|sprite32.*|@?hero.*|Hero.*|view \d|human (wo)?man|wizard|https?:.*|"
    r"★|(Close|Float|Lock) Docker|Close|Float|"  # Krita's own, above the docker
    r"DPM\+\+ 2M Karras|UniPC|Euler a?|Euler|DDIM|LCM|[\d ×%.,:·()-]*|@hero holding sword"
)


def test_a_russian_krita_has_a_russian_docker(play: Play, tmp_path: Path) -> None:
    settings = tmp_path / "home/.config/klanguageoverridesrc"
    settings.parent.mkdir(parents=True)
    settings.write_text("[Language]\nkrita=ru\n", encoding="utf-8")

    report = play("looks").report

    untranslated = [
        text
        for text in report["texts"]
        if not re.search("[а-яё]", text, re.IGNORECASE) and not NOT_WORDS.fullmatch(text)
    ]
    assert untranslated == []
    assert len(report["texts"]) > 80
    assert not report["cut at 260"]
    assert not report["cut at 500"]
