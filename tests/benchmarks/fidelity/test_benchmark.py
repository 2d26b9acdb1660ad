"""`modelsheet bench likeness` from the command line, on SD 1.5 of its true architecture with a
CLIP beside it: photographs by DreamBooth's protocol, and drawn subjects with truths.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import CLIPTokenizer

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import FOLDER
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings
from modelsheet.errors import InvalidRequest
from modelsheet_benchmarks import __main__
from modelsheet_benchmarks.fidelity import evaluation
from modelsheet_benchmarks.fidelity.distractors import with_equipment
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer
from tests.base_models.true_architecture import write_model
from tests.benchmarks.fidelity.test_result_table import NEEDED
from tests.diffusion.tiny import write_clip, write_dino, write_klein
from tests.diffusion.training.photographs import write_photographs
from tests.sprite_training.archive import write_archive


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an SD 1.5 of the true architecture and CLIP, tiles, and a DINO."""
    folder = tmp_path_factory.mktemp("home")
    tiles = TileSet.load(write_archive(folder / "sprites.zip"))
    tokenizer = folder / "tokenizer"
    build_tokenizer(tiles, 400, tokenizer)
    models = folder / "data" / "models"
    write_model("sd15", models / "sd15", CLIPTokenizer.from_pretrained(tokenizer))
    write_clip(models / FOLDER, tokenizer)
    write_dino(folder / "dino")
    return folder


def run(home: Path, tmp_path: Path, *options: str) -> list[dict[str, Any]]:
    file = tmp_path / "rows.json"
    line = [
        "--base",
        "sd15",
        "--device",
        "cpu",
        "--inference-steps",
        "2",
        "--json",
        str(file),
        *options,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODELSHEET_HOME", str(home))
        assert __main__.main(["likeness", *line]) == 0
    rows: list[dict[str, Any]] = json.loads(file.read_text())
    return rows


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_dreambooths_protocol_is_one_command(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects = tmp_path / "dataset"
    subjects.mkdir()
    write_photographs(subjects)

    (row,) = run(
        home, tmp_path, "--subjects", str(subjects), "--dino", str(home / "dino"), "--steps", "1"
    )

    said = capsys.readouterr().out
    assert "2 subjects from dataset, 2 prompts, 4 pictures a prompt, on sd15" in said
    assert "PRES and DIV are measured by DINO" in said
    assert row.keys() >= NEEDED | {"dino_subject_fidelity", "dino_real_fidelity", "pres", "div"}
    assert row["both_right"] is None
    assert set(row["subjects"]) == {"soda_can", "cat2"}
    assert row["intervals"]["seconds"][0] <= row["seconds"] <= row["intervals"]["seconds"][1]


def write_subjects(folder: Path, archive: Path) -> None:
    tiles = TileSet.load(archive).core()
    things = [tiles.part("hand1")[0], tiles.part("cloak")[1]]
    for name, tile in zip(("00-imp", "01-orc-woman"), tiles.part("base")[1:], strict=True):
        place = folder / name
        place.mkdir(parents=True)
        figure = Image.fromarray(tile.pixels)
        worn = with_equipment(figure, tiles.part("hand2")[0])
        for number, picture in enumerate((figure, worn)):
            picture.save(place / f"{number}.png")
        prompts = []
        for thing in things:
            file = f"{thing.phrase}.png"
            with_equipment(figure, thing).save(place / file)
            prompts.append({"suffix": thing.phrase, "truth": file})
        captions = ["", "with red book"]
        references = [{"file": f"{n}.png", "caption": c} for n, c in enumerate(captions)]
        said = {"class_noun": tile.phrase, "references": references, "prompts": prompts}
        (place / "subject.json").write_text(json.dumps(said))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_references_are_compared_with_learning(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_klein(home / "data" / "models" / "flux2-klein")
    subjects = tmp_path / "subjects"
    write_subjects(subjects, home / "sprites.zip")
    given = list[int]()
    sample = evaluation.sample_images

    def counted(base: BaseModel, settings: SamplingSettings) -> list[Image.Image]:
        given.append(len(settings.references))
        return sample(base, settings)

    monkeypatch.setattr(evaluation, "sample_images", counted)
    options = ["--subjects", str(subjects), "--tiles", str(home / "sprites.zip"), "--only", "0"]
    # One step changes the class by two levels of 8 bits, which rounding decides; eight by 55.
    options += ["--seeds", "1", "--steps", "8", "--compare", "references", "learnt", "both"]
    rows = run(home, tmp_path, "--base", "flux2-klein", *options)

    assert [row["recipe"] for row in rows] == ["references", "learnt", "both"]
    # The base's, then each method's: of the subject, and the class in three batches without any.
    assert given == [*[0, 0, 0], *[2, 0, 0, 0], *[0, 0, 0, 0], *[2, 0, 0, 0]]
    fidelity = [row["subject_fidelity"] for row in rows]
    assert len(set(fidelity)) == 3
    assert rows[0]["prior_drift"] == 0 < rows[1]["prior_drift"]


def test_references_need_a_base_that_takes_them(home: Path, tmp_path: Path) -> None:
    write_subjects(tmp_path / "subjects", home / "sprites.zip")
    options = ["--subjects", str(tmp_path / "subjects"), "--only", "0", "--seeds", "1"]

    with pytest.raises(InvalidRequest, match="sprite32 takes no references. .*FLUX.2 klein"):
        run(home, tmp_path, "--base", "sprite32", *options, "--compare", "references")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_drawn_subjects_are_compared_at_equal_time(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects, page = tmp_path / "subjects", tmp_path / "page"
    write_subjects(subjects, home / "sprites.zip")
    tiles = ["--tiles", str(home / "sprites.zip")]
    options = ["--subjects", str(subjects), *tiles, "--seeds", "1", "--steps", "1"]

    rows = run(home, tmp_path, *options, "--inversion", "--equal-time", "--page", str(page))

    assert [row["recipe"] for row in rows] == ["balanced", "textual inversion"]
    for row in rows:
        assert row.keys() >= NEEDED
        assert 0.0 <= row["both_right"] <= min(row["subject_right"], row["prompt_right"])
        assert row["equal_time"]
        assert row["rivals_composed"] == 1.0
    said = capsys.readouterr().out
    assert "Nobody learnt a subject for longer than balanced did" in said
    assert "balanced is ahead of textual inversion in both right by" in said
    words = (page / "index.html").read_text("utf-8")
    shown = re.findall(r'src="([^"]+)"', words)
    assert shown == ["fidelity.png", "right.png", "curve.png", "00-imp.png", "01-orc-woman.png"]
    for file in shown:
        with Image.open(page / file) as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 10, f"{file} is empty"
    assert "textual inversion" in words
    assert "100 rivals" not in words, "there are fewer tiles than that"


def test_a_subject_that_is_not_there_is_refused(home: Path, tmp_path: Path) -> None:
    subjects = tmp_path / "subjects"
    write_subjects(subjects, home / "sprites.zip")

    with pytest.raises(InvalidRequest, match="there are 2 subjects"):
        run(home, tmp_path, "--subjects", str(subjects), "--only", "2")
