"""The README tells the truth: its pictures, its map and its commands exist."""

from __future__ import annotations

import re
import subprocess

from tests.paths import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_each_picture_and_link_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    local = [target for target in targets if not target.startswith("http")]

    assert local
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_each_place_on_the_map_is_there() -> None:
    block = README.split("## The map")[1].split("```")[1]
    names = re.findall(r"^  (\S.*?)  ", block, re.MULTILINE)
    places = [place for name in names for place in name.split()]

    assert len(places) > 8
    assert [p for p in places if not (ROOT / "backend/modelsheet" / p).exists()] == []


def test_each_command_is_one_that_install_sh_knows() -> None:
    said = subprocess.run(
        [str(ROOT / "install.sh"), "--help"], capture_output=True, text=True, check=True
    )
    commands = set(re.findall(r"\./install\.sh ([a-z]+)", README))

    assert commands == {"demo", "test", "uninstall"}
    assert all(f"\n  {command} " in said.stdout for command in commands)
