"""JSON files of strangers: one object, in an ordinary file of a modest size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelsheet.files.json_file import read_json_object


def test_it_reads_an_object(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"é": [1]}', encoding="utf-8")

    assert read_json_object(tmp_path / "a.json") == {"é": [1]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[1]", "no object"),
        (b"{", "Expecting"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"\xff", "decode"),
        (b" " * (33 << 20), "larger than 32 MiB"),
    ],
)
def test_what_is_wrong_is_a_value_error(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)

    with pytest.raises(ValueError, match=said):
        read_json_object(tmp_path / "a.json")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")

    with pytest.raises(ValueError, match="no ordinary file"):
        read_json_object(tmp_path / "pipe.json")
    with pytest.raises(FileNotFoundError):
        read_json_object(tmp_path / "none.json")
