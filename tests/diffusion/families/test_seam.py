"""The steps to another family, in docs/architecture.md, name all that it has to write."""

from __future__ import annotations

import re

from modelsheet.diffusion.models.base_model import BaseModel
from tests.paths import ROOT


def test_the_table_of_a_family_names_every_function_to_write() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    chapter = page.partition("## A family of base models")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", chapter))

    wanted = {*BaseModel.__abstractmethods__, "denoiser_name"}

    assert wanted - named == set()
    asked = re.findall(r"^\| [a-z ,]+ \| (.+?) \|", chapter, re.MULTILINE)
    functions = {name for cell in asked for name in re.findall(r"`(\w+)`", cell)}
    elsewhere = {"NoiseSchedule", "load", "part_files", "pipeline"}
    assert {name for name in functions - elsewhere if not hasattr(BaseModel, name)} == {
        "denoiser_name"
    }, "what the table names is there"
