"""No token or key of any common kind lies in what is given away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

FOLDERS = ("backend", "krita_plugin", "tests", "docs", ".ci")
LARGEST = 2 << 20  # bytes; what is larger is a picture or weights
SHAPES = {
    "private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY",
    "Hugging Face token": rb"\bhf_[A-Za-z0-9]{30,}",
    "GitHub token": rb"\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{50,}",
    "AWS key": rb"\bAKIA[0-9A-Z]{16}\b",
    "Slack token": rb"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "our own token": rb"Bearer [0-9a-f]{64}\b",
}


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def found_in(content: bytes) -> list[str]:
    return [kind for kind, shape in SHAPES.items() if re.search(shape, content)]


def test_no_file_holds_a_secret() -> None:
    small = [path for path in files() if path.stat().st_size <= LARGEST]
    held = {path: kinds for path in small if (kinds := found_in(path.read_bytes()))}

    assert len(small) > 200
    assert held == {}


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN RSA " + b"PRIVATE KEY-----",
        b"token = hf_" + b"a1" * 17,
        b"ghp_" + b"Zz09" * 9,
        b"AKIA" + b"A1B2" * 4,
        b"Authorization: Bearer " + b"0f" * 32,
    ],
)
def test_a_secret_would_be_found(content: bytes) -> None:
    assert len(found_in(content)) == 1
