"""What is printed cannot steer the terminal, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from modelsheet.cli import main
from modelsheet.cli.output import printable, say, say_error
from modelsheet.imaging.rgba import read_image


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe, 日本, राम, 👩‍🎨 → “ok”\n\tnext", "Größe, 日本, राम, 👩‍🎨 → “ok”\n\tnext"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("over\rwritten\x08\x7f", r"over\rwritten\x08\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("two\u2028lines", r"two\u2028lines"),
    ],
)
def test_control_characters_are_shown_and_do_nothing(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(text)
    say_error(text)

    said = capsys.readouterr()
    assert printable(text) == shown
    assert said.out == f"{shown}\n"
    assert said.err == f"modelsheet: {shown}\n"


def test_what_a_command_notes_of_a_picture_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "w\x1bk.gif"
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    monkeypatch.setattr(
        main.installation, "doctor", lambda arguments, say: bool(read_image(path)) - 1
    )

    assert main.main(["doctor"]) == 0
    assert r"w\x1bk.gif is animated: only its first frame is taken" in capsys.readouterr().err


def test_errors_of_the_disk_and_of_memory_are_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error, said in (
        (OSError(28, "No space left on device", "/data"), "/data: No space left on device."),
        (MemoryError(), "There is not enough free memory for this."),
    ):

        def fail(*_: object, error: BaseException = error) -> int:
            raise error

        monkeypatch.setattr(main.installation, "doctor", fail)
        assert main.main(["doctor"]) == 1
        assert said in capsys.readouterr().err
