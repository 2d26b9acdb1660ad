"""Import and export of LoRA files, and added models, on the command line with a real service."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import requests

from modelsheet.base_models.locate import SPRITE32_WEIGHTS as WEIGHTS
from modelsheet.cli import main
from modelsheet.client.client import BackendClient
from modelsheet.files.safetensors_file import encode_safetensors, parse_header

WIDTH = json.loads((WEIGHTS / "unet" / "config.json").read_text())["block_out_channels"][-1]
LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
UP = np.linspace(-1, 1, WIDTH * 2, dtype=np.float32).reshape(WIDTH, 2)
DOWN = np.linspace(1, -0.5, WIDTH * 2, dtype=np.float32).reshape(2, WIDTH)
Captured = pytest.CaptureFixture[str]


def lora(folder: Path, **metadata: str) -> str:
    """Write a kohya file of rank 2 and alpha 1, so that its scale is one half."""
    tensors = {f"{LAYER}.lora_up.weight": UP, f"{LAYER}.lora_down.weight": DOWN}
    tensors[f"{LAYER}.alpha"] = np.array(1, np.float32)
    path = folder / "Grey Fox.safetensors"
    path.write_bytes(encode_safetensors(tensors, metadata))
    return str(path)


def test_a_file_comes_in_as_a_subject_and_goes_out_as_it_came(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    trigger = {"modelspec.trigger_phrase": "gfx fox"}
    out = tmp_path / "out.safetensors"

    taken = main.main(
        ["subjects", "import", lora(tmp_path, **trigger), "--class-noun", "fox", *server]
    )
    assert (taken, "Imported @grey_fox, “gfx fox”." in capsys.readouterr().out) == (0, True)
    assert main.main(["subjects", "export", "@grey_fox", "--out", str(out), *server]) == 0
    assert "Write “gfx fox” in the prompt" in capsys.readouterr().out

    content = out.read_bytes()
    header = parse_header(content, "out")
    up = header.tensor(content, f"{LAYER}.lora_up.weight")
    down = header.tensor(content, f"{LAYER}.lora_down.weight")
    scale = header.tensor(content, f"{LAYER}.alpha") / down.shape[0]
    np.testing.assert_allclose(up @ down * scale, UP @ DOWN / 2, atol=2e-3)
    assert header.metadata["ss_output_name"] == "grey-fox-gfx"


def test_as_diffusers_has_it_and_not_over_a_file_that_is_there(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    words = ["--class-noun", "fox", "--identifier", "fxo", "--name", "Blue Fox"]
    export = ["subjects", "export", "blue fox", "--format", "diffusers", "--out", str(tmp_path)]
    assert main.main(["subjects", "import", lora(tmp_path), *words, *server]) == 0

    assert main.main([*export, *server]) == 0
    assert main.main([*export, *server]) == 1

    assert "is there already. Name another file with --out." in capsys.readouterr().err
    keys = parse_header((tmp_path / "blue_fox.safetensors").read_bytes(), "out").entries
    path = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    assert set(keys) == {f"{path}.lora_A.weight", f"{path}.lora_B.weight"}
    assert main.main(["subjects", "export", "blue fox", "--format", "embedding", *server]) == 1
    assert "there is no embedding to export" in capsys.readouterr().err


WRONG = {
    "no noun": ([], "with --class-noun"),
    "no identifier": (["--class-noun", "fox"], "the word that it was trained with"),
    "no such base": (["--class-noun", "fox", "--base", "else"], "There is no base model 'else'"),
    "bad name": (["--class-noun", "fox", "--name", "🙂", "--identifier", "x"], "letter or digit"),
}


@pytest.mark.parametrize(("words", "sentence"), WRONG.values(), ids=WRONG)
def test_wrong_words_get_a_sentence_and_make_no_subject(
    server: list[str],
    client: BackendClient,
    tmp_path: Path,
    capsys: Captured,
    words: list[str],
    sentence: str,
) -> None:
    before = client.subjects()

    assert main.main(["subjects", "import", lora(tmp_path), *words, *server]) == 1

    assert sentence in capsys.readouterr().err
    assert client.subjects() == before


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\x80\x02}q\x00." + b"\0" * 60, "is a pickle"), (b"", "is empty or cut off")],
)
def test_a_bad_file_gets_a_sentence_and_makes_no_subject(
    server: list[str],
    client: BackendClient,
    tmp_path: Path,
    capsys: Captured,
    content: bytes,
    sentence: str,
) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    before = client.subjects()
    words = ["--class-noun", "fox", "--identifier", "x"]

    assert main.main(["subjects", "import", str(path), *words, *server]) == 1

    assert f"bad.safetensors {sentence}" in capsys.readouterr().err
    assert client.subjects() == before


def test_the_api_gives_the_file_a_name_with_the_trigger(
    client: BackendClient, server: list[str], tmp_path: Path
) -> None:
    words = ["--class-noun", "fox", "--identifier", "qzx", "--name", "Red Fox"]
    assert main.main(["subjects", "import", lora(tmp_path), *words, *server]) == 0
    (subject,) = [each for each in client.subjects() if each.name == "Red Fox"]

    answer = requests.get(
        f"{client.url}/v1/subjects/{subject.id}/adapter",
        headers={"Authorization": f"Bearer {server[1].partition('=')[2]}"},
        timeout=180,
    )

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "filename=red-fox-qzx.safetensors" in answer.headers["Content-Disposition"]


def test_models_are_listed_added_and_taken_off(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    assert main.main(["models", *server]) == 0
    said = capsys.readouterr().out
    assert "sd15" in said
    assert "CreativeML Open RAIL-M" in said
    assert "missing" in said

    assert main.main(["models", "add", str(WEIGHTS), "--name", "sprites", *server]) == 0
    assert "sprites" in capsys.readouterr().out
    assert main.main(["models", "add", str(tmp_path), *server]) == 1
    assert "There is no checkpoint (.safetensors)" in capsys.readouterr().err
    assert main.main(["models", "remove", "sprites", *server]) == 0
    assert main.main(["models", "download", "flux", *server]) == 1
    assert (
        "Say what to download: sd15, sdxl, flux2-klein, flux2-klein-distilled, clip, matting."
        in capsys.readouterr().err
    )


def test_a_subject_gets_another_name(server: list[str], tmp_path: Path, capsys: Captured) -> None:
    file = lora(tmp_path, **{"modelspec.trigger_phrase": "gfx fox"})
    called = ["subjects", "import", file, "--class-noun", "fox", "--name", "Old"]
    assert main.main([*called, *server]) == 0

    renamed = main.main(["subjects", "rename", "@old", "--name", "New Name", *server])

    assert (renamed, "@old is now @new_name." in capsys.readouterr().out) == (0, True)
    assert main.main(["subjects", "rename", "@old", "--name", "x", *server]) == 1
    assert "There is no subject '@old'" in capsys.readouterr().err


def test_a_whole_subject_goes_out_and_comes_back(
    server: list[str], client: BackendClient, tmp_path: Path, capsys: Captured
) -> None:
    file = lora(tmp_path, **{"modelspec.trigger_phrase": "gfx fox"})
    assert main.main(["subjects", "import", file, "--class-noun=fox", "--name=Whole", *server]) == 0
    known = next(one for one in client.subjects() if one.name == "Whole")

    out = ["--format", "subject", "--out", str(tmp_path)]
    assert main.main(["subjects", "export", "@whole", *out, *server]) == 0
    assert main.main(["subjects", "delete", "@whole", *server]) == 0
    assert main.main(["subjects", "import", str(tmp_path / "whole.modelsheet"), *server]) == 0

    assert "@whole, “gfx fox”, is here." in capsys.readouterr().out
    assert client.subject(known.id) == known


def test_an_embedding_goes_in_beside_its_lora(
    server: list[str], tmp_path: Path, capsys: Captured
) -> None:
    embedding, out = tmp_path / "word.safetensors", tmp_path / "out.safetensors"
    row = np.arange(192, dtype=np.float32)[None]
    embedding.write_bytes(encode_safetensors({"emb_params": row}, {}))
    words = ["--class-noun", "fox", "--identifier", "cat", "--name", "Word Fox"]
    beside = ["--embedding", str(embedding)]

    assert main.main(["subjects", "import", str(embedding), *words, *server]) == 1
    assert "--embedding FILE" in capsys.readouterr().err
    assert main.main(["subjects", "import", lora(tmp_path), *words, *beside, *server]) == 0
    export = ["subjects", "export", "word fox", "--format", "embedding", "--out", str(out)]
    assert main.main([*export, *server]) == 0

    content = out.read_bytes()
    np.testing.assert_array_equal(parse_header(content, "out").tensor(content, "emb_params"), row)
