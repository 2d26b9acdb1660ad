"""The command line over the real service: output, exit codes, and errors of one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import modelsheet
from modelsheet.api.generate import GenerateRequest, PixelArt
from modelsheet.api.jobs import JobState, JobView
from modelsheet.cli import main
from modelsheet.client.client import BackendClient
from modelsheet.errors import Cancelled
from modelsheet.imaging.openraster import read_layers
from modelsheet.imaging.png_metadata import read_parameters
from modelsheet.imaging.rgba import read_image
from tests.paths import HERO as SAMPLE
from tests.paths import ROOT

HERO_PNG = str(ROOT / "docs" / "hero.png")
HERO = str(SAMPLE)


Captured = pytest.CaptureFixture[str]


def test_learn_then_generate_then_look_then_delete(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    learn = ["learn", HERO, "--name", "Star Hero", "--class-noun", "human woman", *server]
    learn += ["--set", "training_steps=20", "--set", "prior=none"]
    generate = ["generate", "@star_hero, red cloak", "--count", "2", "--seed", "7"]

    assert main.main(learn) == 0
    assert "Learnt @star_hero, “toy human woman”, from 5." in capsys.readouterr().out
    assert main.main([*generate, "--out", str(tmp_path / "new"), *server]) == 0
    painted = [Path(line) for line in capsys.readouterr().out.split("\n") if line]
    assert [path.name for path in painted] == [
        "star_hero-red-cloak-7.png",
        "star_hero-red-cloak-8.png",
    ]
    assert read_image(painted[0]).size == (1, 1)
    assert main.main(["subjects", "show", "@star_hero", *server]) == 0
    assert "holding sword, with round shield" in capsys.readouterr().out
    assert main.main(["subjects", "delete", "Star Hero", *server]) == 0
    assert main.main(["subjects", "show", "star_hero", *server]) == 1
    assert "There is no subject 'star_hero'" in capsys.readouterr().err


def test_a_subject_is_painted_before_it_is_learnt(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    keep = ["learn", HERO, "--name", "Star Hero", "--class-noun", "woman", "--not-yet", *server]

    assert main.main([*keep, "--base", "by-references"]) == 0
    assert "Learn it with: modelsheet learn @star_hero" in capsys.readouterr().out
    assert main.main(["subjects", "list", *server]) == 0
    assert "woman, not learnt yet" in capsys.readouterr().out
    paint = ["generate", "@star_hero", "--subjects-by", "both", "--out", str(tmp_path), *server]
    assert main.main(paint) == 0
    assert main.main(["subjects", "export", "@star_hero", *server]) == 1
    assert "@star_hero is not learnt yet, so there is no file" in capsys.readouterr().err
    assert main.main(["learn", "@star_hero", *server]) == 0
    assert "Learnt @star_hero, “toy woman”, from 5." in capsys.readouterr().out
    assert main.main(["learn", HERO, "--class-noun", "woman", *server]) == 1
    assert "--name hero" in capsys.readouterr().err


def test_what_is_lost_is_said_before_it_is_learnt(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    large = Image.new("RGBA", (64, 60), (90, 140, 60, 255))
    large.putpixel((31, 29), (0, 0, 0, 255))
    large.save(tmp_path / "frog.png")
    learn = ["--class-noun", "frog", "--set", "training_steps=2", *server]

    assert main.main(["learn", str(tmp_path / "frog.png"), "--name", "frog", *learn]) == 0
    said = capsys.readouterr().out
    assert main.main(["learn", HERO, "--name", "hero", *learn]) == 0
    said_of_sprites = capsys.readouterr().out

    assert said.startswith("Note: these pictures show up to 64 × 60 pixels.")
    assert "sprite32 learns them at 32 × 32: fine detail will be lost." in said
    assert "fine detail" not in said_of_sprites


def test_a_file_is_named_as_the_prompt_in_every_script(server: list[str], tmp_path: Path) -> None:
    prompt = "राम, cafe\u0301/../x: สวัสดี"

    assert main.main(["generate", prompt, "--out", str(tmp_path), *server]) == 0

    assert [path.name for path in tmp_path.iterdir()] == ["राम-cafe\u0301-..-x-สวัสดี-0.png"]


def test_a_picture_that_is_there_already_is_kept(server: list[str], tmp_path: Path) -> None:
    generate = ["generate", "a fox", "--out", str(tmp_path), *server]

    assert main.main(generate) == main.main(generate) == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-fox-0-2.png", "a-fox-0.png"]


def test_a_grid_is_written_as_one_picture_and_as_cells(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    explore = ["explore", "scales", "a fox", "--across", "0", "1", "--down", "0.5"]

    assert main.main([*explore, "--out", str(tmp_path), *server]) == 0

    written = [Path(line).name for line in capsys.readouterr().out.split()]
    assert written[0] == "a-fox-scales.png"
    assert len(written) == 3
    cell = read_parameters(tmp_path / written[2]).request
    assert (cell.unet_scale, cell.text_encoder_scale) == (0.5, 1.0)


def test_poses_are_written_with_an_atlas_that_names_each_frame(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    sheet = ["sheet", "a fox", "asleep", "running", "--count", "2", "--padding", "2"]

    assert main.main([*sheet, "--out", str(tmp_path), *server]) == 0

    atlas = json.loads((tmp_path / "a-fox-sheet.json").read_text("utf-8"))
    names = [frame["filename"] for frame in atlas["frames"]]
    assert names == ["0", "1", "2", "3"]
    assert atlas["meta"]["image"] == "a-fox-sheet.png"
    with Image.open(tmp_path / "a-fox-sheet.png") as image:
        assert {"w": image.width, "h": image.height} == atlas["meta"]["size"]
    layers = [layer.name for layer in read_layers(tmp_path / "a-fox-sheet.ora")]
    assert layers == ["asleep 0", "asleep 1", "running 0", "running 1"]
    assert len(list(tmp_path.glob("a-fox-sheet-00*.png"))) == 4


def test_a_picture_is_painted_again_varied_and_gone_on_from(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    at, out = ["--out", str(tmp_path)], tmp_path / "a-fox-6.png"
    assert (
        main.main(["generate", "a fox", "--seed", "6", "--sampler", "euler A", *at, *server]) == 0
    )

    assert main.main(["again", str(out), *at, *server]) == 0
    assert main.main(["again", str(out), "--vary", "0.25", *at, *server]) == 0
    assert main.main(["again", str(out), "--strength", "0.5", *at, *server]) == 0

    again, varied, further = (
        read_parameters(tmp_path / f"a-fox-6-{n}.png").request for n in (2, 3, 4)
    )
    assert again == read_parameters(out).request
    assert again.sampler == "Euler a"
    assert (varied.seed, varied.variation_strength) == (6, 0.25)
    assert further.init_image is not None
    assert further.strength == 0.5


def test_pictures_selections_and_palettes_are_sent_along(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    for name in ("canvas", "mask"):
        Image.new("RGB", (4, 3), (255, 255, 255)).save(tmp_path / f"{name}.png")
    (tmp_path / "two.hex").write_text("000000 ffffff")
    canvas, mask = str(tmp_path / "canvas.png"), str(tmp_path / "mask.png")
    palette = ["--palette", str(tmp_path / "two.hex")]

    line = ["generate", "a fox", "--from", canvas, "--mask", mask, "--patch", *palette]
    assert main.main([*line, "--out", str(tmp_path), *server]) == 0
    place = ["generate", "a fox", "--region", "a bat", mask, "--seed", "1"]
    assert main.main([*place, "--out", str(tmp_path), *server]) == 0

    sent = read_parameters(tmp_path / "a-fox-0.png").request
    assert sent.mask is not None
    assert isinstance(sent.pixel_art, PixelArt)
    assert sent.pixel_art.palette == ["#000000", "#ffffff"]
    assert read_parameters(tmp_path / "a-fox-1.png").request.regions[0].prompt == "a bat"


@pytest.mark.parametrize(
    ("option", "sent"),
    [([], None), (["--pixel-art"], PixelArt()), (["--no-pixel-art"], False)],
)
def test_pixel_art_is_as_the_subject_s_layers_unless_one_says_so(
    server: list[str], tmp_path: Path, option: list[str], sent: PixelArt | None
) -> None:
    assert main.main(["generate", "a fox", *option, "--out", str(tmp_path), *server]) == 0

    assert read_parameters(tmp_path / "a-fox-0.png").request.pixel_art == sent


def test_jobs_are_listed_and_cancelled(
    client: BackendClient, server: list[str], capsys: Captured
) -> None:
    job = client.submit(GenerateRequest(prompt="wait"))

    assert main.main(["jobs", "cancel", job.id, *server]) == 0
    assert main.main(["jobs", *server]) == 0

    assert job.id in capsys.readouterr().out
    with pytest.raises(Cancelled):
        client.wait(job.id, lambda view: None)


def test_ctrl_c_cancels_the_job_in_the_service(client: BackendClient, server: list[str]) -> None:
    cursor = client.events().cursor
    # A shell that runs the tests in the background has them ignore Ctrl-C, which children inherit.
    start = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('modelsheet', run_name='__main__')"
    )
    line = [sys.executable, "-c", start, "generate", "wait", *server]
    with subprocess.Popen(line, env=backend_path(), stderr=subprocess.PIPE, text=True) as terminal:
        try:
            job = next_job(client, cursor, "running")
            terminal.send_signal(signal.SIGINT)
            _, said = terminal.communicate(timeout=180)
        finally:
            terminal.kill()

    assert terminal.returncode == 130
    assert "cancelled, here and in the service" in said
    with pytest.raises(Cancelled):
        client.wait(job.id, lambda view: None)


def test_a_reader_who_has_enough_ends_a_command_quietly(server: list[str]) -> None:
    for line in (["--help"], ["bench", "--help"], ["subjects", *server]):
        reader, writer = os.pipe()
        os.close(reader)
        done = run_into(writer, line)
        os.close(writer)

        assert (line, done.returncode, done.stderr) == (line, 0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_an_output_that_is_full_is_said(server: list[str]) -> None:
    for line in (["--help"], ["subjects", *server]):
        with open("/dev/full", "w") as full:
            done = run_into(full.fileno(), line)

        assert done.returncode == 1
        assert done.stderr.startswith("modelsheet: The system refuses: No space left on device.")
        assert done.stderr.count("\n") == 1


def test_a_console_that_lacks_letters_shows_the_others(server: list[str]) -> None:
    said = run(["nouns", "лиса", *server], PYTHONIOENCODING="ascii")

    assert "“" not in said
    assert said.startswith("?????? is learnt as ?")


def run_into(output: int, line: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelsheet", *line],
        env=backend_path(),
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def test_a_job_paused_by_a_full_disk_says_so_where_one_waits_and_in_the_list(
    client: BackendClient, server: list[str], capsys: Captured
) -> None:
    cursor = client.events().cursor
    line = [sys.executable, "-m", "modelsheet", "generate", "disk-full", *server]
    with subprocess.Popen(line, env=backend_path(), stderr=subprocess.PIPE, text=True) as terminal:
        job = next_job(client, cursor, "paused")
        assert main.main(["jobs", *server]) == 0
        client.cancel(job.id)
        _, said = terminal.communicate(timeout=180)

    sentence = "The disk is full; free some space and resume."
    assert f"{sentence} Go on with: modelsheet jobs resume {job.id}\n" in said
    assert sentence in capsys.readouterr().out


def next_job(client: BackendClient, cursor: str, state: JobState) -> JobView:
    while True:
        page = client.events(cursor, wait_s=15.0)
        for event in page.events:
            if event.job is not None and event.job.state == state:
                return event.job
        cursor = page.cursor


WRONG = {
    "count": (["generate", "fox", "--count", "0"], 2, "Count must be 1 or more."),
    "scale": (["generate", "fox", "--unet-scale", "3"], 2, "Unet scale must be 2 or less."),
    "blank": (["generate", "  "], 2, "Prompt must not be empty."),
    "long": (["generate", "x" * 3000], 2, "Prompt is too long: write at most 2000"),
    "longer": (["generate", "x" * 10_000], 2, "Prompt is too long: write at most 2000"),
    "strength": (["generate", "fox", "--from", HERO_PNG, "--strength", "2"], 2, "Strength must be"),
    "strength of nothing": (["generate", "fox", "--strength", "1"], 2, "Strength needs --from."),
    "sampler": (["generate", "fox", "--sampler", "foo"], 1, "Choose one of: DPM++ 2M Karras"),
    "steps": (["generate", "fox", "--steps", "0"], 2, "--steps must be 1 or more."),
    "guidance": (["generate", "fox", "--guidance", "99"], 2, "--guidance must be 30 or less."),
    "width": (["generate", "fox", "--width", "9999"], 2, "Width must be 2048 or less."),
    "colours": (["generate", "fox", "--colours", "1"], 2, "Colours must be 2 or more."),
    "palette": (["generate", "fox", "--palette", "x.doc"], 1, "give a file ending in .gpl"),
    "weights": (["generate", "(fox"], 1, "has no partner"),
    "wildcards": (["generate", "{fox|bat"], 1, "has no partner"),
    "mask": (["generate", "fox", "--mask", HERO_PNG], 2, "A mask needs --from."),
    "grid": (["explore", "scales", "fox", "--down", "3"], 2, "Unet scale 3: it must be 2 or less."),
    "many": (["sheet", "fox", *"abcde", "--count", "20"], 2, "Poses times count must be at most"),
    "recipe": (["again", HERO_PNG], 1, "carries no recipe"),
    "out": (["generate", "fox", "--out", "/proc/none"], 1, "Name another folder with --out"),
    "file": (["learn", "none.ora", "--name", "x"], 1, "There is no file none.ora"),
    "krita file": (["learn", HERO + "/x.png", "--name", "x"], 1, "cannot be read"),
    "job": (["jobs", "cancel", "nonsense"], 1, "list them with: modelsheet jobs"),
    "name": (["learn", HERO, "--name", " ", "--class-noun", "x"], 2, "Name must not be empty."),
    "override": (
        ["learn", HERO, "--name", "x", "--class-noun", "imp", "--set", "speed=2"],
        1,
        "--set knows no 'speed'. Did you mean",
    ),
    "override's value": (
        ["learn", HERO, "--name", "x", "--class-noun", "imp", "--set", "training_steps=0"],
        2,
        "Training steps must be 1 or more.",
    ),
    "fraction": (
        ["learn", HERO, "--name", "x", "--class-noun", "imp", "--set", "training_steps=1,5"],
        2,
        "Training steps must be a whole number.",
    ),
    "steps meant": (
        ["learn", HERO, "--name", "x", "--class-noun", "imp", "--set", "steps=10"],
        1,
        "Did you mean training_steps?",
    ),
    "seed": (["generate", "fox", "--seed", "4294967296"], 2, "Seed must be 4294967295 or less."),
    "folder": (["learn", str(ROOT / "docs"), "--name", "x"], 1, "Give the pictures in it"),
    "bytes": (["learn", "caf\udce9.png", "--name", "x"], 1, "There is no file caf"),
    "override without one": (
        ["learn", HERO, "--name", "x", "--class-noun", "imp", "--set", "pivotal"],
        1,
        "Say it as NAME=VALUE",
    ),
}


@pytest.mark.parametrize(("line", "code", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_line_gets_one_sentence(
    server: list[str], capsys: Captured, line: list[str], code: int, sentence: str
) -> None:
    assert main.main([*line, *server]) == code

    said = capsys.readouterr().err
    assert said.startswith("modelsheet: ")
    assert sentence in said
    assert "Traceback" not in said


def test_a_token_may_stand_in_the_environment(
    server: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELSHEET_TOKEN", server[1].partition("=")[2])

    assert main.main(["jobs", server[0]]) == 0, capsys.readouterr().err


def test_a_server_without_its_token_is_refused(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODELSHEET_TOKEN", raising=False)
    assert main.main(["subjects", "--server", "http://127.0.0.1:9"]) == 1

    assert "--token" in capsys.readouterr().err


def test_nouns_are_listed_and_said_what_they_are_learnt_as(
    server: list[str], capsys: Captured
) -> None:
    assert main.main(["nouns", *server]) == 0
    assert "human woman\n" in capsys.readouterr().out
    assert main.main(["nouns", "little", "fox", "girl", *server]) == 0
    assert "is learnt as “human woman”" in capsys.readouterr().out
    assert main.main(["nouns", "gril", *server]) == 0
    assert "“gril” (“girl”) is learnt as “human woman”" in capsys.readouterr().out
    assert main.main(["nouns", "cat", *server]) == 0
    assert "sprite32 knows “cat”." in capsys.readouterr().out
    assert main.main(["nouns", "zorbflax", *server]) == 1
    assert "take a general one: human woman" in capsys.readouterr().err


def test_a_class_noun_is_asked_for_when_none_can_be_guessed(
    server: list[str], capsys: Captured
) -> None:
    assert main.main(["learn", HERO, "--name", "x", *server]) == 1

    assert "--class-noun" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "learn",
        "generate",
        "explore",
        "sheet",
        "again",
        "subjects",
        "models",
        "jobs",
        "token",
        "doctor",
        "bundle",
        "demo",
        "krita",
        "bench",
        "sprite32",
    ],
)
def test_every_command_explains_itself(command: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([command, "--help"])

    assert ended.value.code == 0
    assert f"usage: modelsheet {command}" in capsys.readouterr().out


def test_the_plugin_is_put_into_krita_and_taken_out(tmp_path: Path, capsys: Captured) -> None:
    folder = ["--krita-dir", str(tmp_path / "krita")]
    zip_file = tmp_path / "plugin.zip"

    own = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "cfg")}
    for action in (["install", *folder], ["uninstall", *folder], ["zip", str(zip_file)]):
        run(["krita", *action], **own)

    assert zip_file.stat().st_size > 10_000
    assert not (tmp_path / "krita/pykrita/modelsheet_krita").exists()


def test_python_m_modelsheet_is_the_command_line() -> None:
    assert run(["--version"]).strip() == modelsheet.__version__


def backend_path(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "backend"), **more}


def run(line: list[str], **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "modelsheet", *line],
        env=backend_path(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
