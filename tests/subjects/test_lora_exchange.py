"""Subjects imported from LoRA files: record, owner, and file name of an export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelsheet.api.subjects import ImportRequest
from modelsheet.base_models.locate import SPRITE32_WEIGHTS
from modelsheet.errors import InvalidIdentifier, NotFound, UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors, parse_header
from modelsheet.files.safetensors_merge import merge_safetensors
from modelsheet.subjects.lora_exchange import export_subject, file_name_of
from modelsheet.subjects.record import SubjectRecord
from modelsheet.subjects.store import SubjectStore
from tests.cli.test_subjects import DOWN, LAYER, UP
from tests.subjects.imported import import_lora

REQUEST = ImportRequest(
    name="Grey Fox",
    class_noun="  grey  fox ",
    identifier="",
    base_model="sprite32",
    parts=["0" * 64],
    file_name="fox.safetensors",
)


def content(**more: object) -> bytes:
    metadata = {"modelspec.trigger_phrase": "gfx", "ss_steps": "400", "ss_seed": "7"}
    tensors = {f"{LAYER}.lora_up.weight": UP, f"{LAYER}.lora_down.weight": DOWN}
    return encode_safetensors({**tensors, **more}, metadata)  # type: ignore[dict-item]


@pytest.fixture
def store(tmp_path: Path) -> SubjectStore:
    return SubjectStore(tmp_path)


@pytest.fixture
def fox(store: SubjectStore, tmp_path: Path) -> SubjectRecord:
    return import_lora(store, content(), REQUEST, "ana", tmp_path)


def test_it_is_its_artists_and_says_what_the_file_said(
    fox: SubjectRecord, store: SubjectStore
) -> None:
    assert store.list("ana") == [fox]
    assert store.list("ben") == []
    assert (fox.identifier, fox.class_noun) == ("gfx", "grey fox")
    assert (fox.training_steps, fox.seed, fox.preset) == (400, 7, "imported")
    assert "alpha" in fox.warnings[0]
    assert file_name_of(fox) == "grey-fox-gfx.safetensors"


def test_a_learnt_identifier_goes_through_and_out_as_an_embedding(
    store: SubjectStore, tmp_path: Path
) -> None:
    row = np.arange(3, dtype=np.float32)
    fox = import_lora(store, content(**{"lora_identifier.0.9": row}), REQUEST, "ana", tmp_path)

    exported = export_subject(store, fox.id, tmp_path, "embedding")
    kohya = export_subject(store, fox.id, tmp_path, "kohya")

    header = parse_header(exported, "embedding")
    np.testing.assert_array_equal(header.tensor(exported, "emb_params"), row[None])
    assert "export it as an embedding" in parse_header(kohya, "k").metadata["modelspec.usage_hint"]


def test_a_subjects_own_decoder_stays_with_it_and_is_missed_elsewhere(
    store: SubjectStore, tmp_path: Path
) -> None:
    bias = np.arange(3, dtype=np.float32)
    fox = import_lora(
        store, content(**{"lora_decoder.conv_out.bias": bias}), REQUEST, "ana", tmp_path
    )

    kept = store.adapter_path(fox.id).read_bytes()
    kohya = export_subject(store, fox.id, tmp_path, "kohya")

    np.testing.assert_array_equal(
        parse_header(kept, "a").tensor(kept, "lora_decoder.conv_out.bias"), bias
    )
    header = parse_header(kohya, "k")
    assert not [key for key in header.entries if "decoder" in key]
    assert "decoder stays behind" in header.metadata["modelspec.usage_hint"]


def test_a_sprite32_file_says_that_other_programs_have_no_sprite32(
    fox: SubjectRecord, store: SubjectStore, tmp_path: Path
) -> None:
    metadata = parse_header(export_subject(store, fox.id, tmp_path, "kohya"), "k").metadata

    assert "ComfyUI, A1111 and Forge have no sprite32" in metadata["modelspec.usage_hint"]
    # Of a trigger that is counted 0 times A1111's random prompt is empty.
    assert json.loads(metadata["ss_tag_frequency"]) == {"subject": {"gfx grey fox": 1}}


def test_a_learnt_adapter_goes_to_diffusers_with_names_that_all_its_versions_read(
    fox: SubjectRecord, store: SubjectStore, tmp_path: Path
) -> None:
    layer = "text_encoder.encoder.layers.0.mlp.fc1"  # as transformers 5 names it
    up, down = np.ones((6, 2), np.float32), np.ones((2, 3), np.float32)
    settings = json.dumps({"text_encoder.lora_alpha": 4, "text_encoder.r": 2, "velora_config": 1})
    adapter = encode_safetensors(
        {f"{layer}.lora_A.weight": down, f"{layer}.lora_B.weight": up},
        {"lora_adapter_metadata": settings},
    )
    learnt = fox.model_copy(
        update={"id": "b" * 32, "base_model": "gone", "name": "Learnt", "owner": ""}
    )
    staging = store.stage(learnt.id)
    (staging / "adapter.safetensors").write_bytes(adapter)
    (staging / "subject.json").write_text(learnt.model_dump_json())
    store.publish(staging, learnt.id)

    exported = export_subject(store, learnt.id, tmp_path, "diffusers")

    header = parse_header(exported, "exported")
    old = "text_encoder.text_model.encoder.layers.0.mlp.fc1"
    assert set(header.entries) == {f"{old}.lora_A.weight", f"{old}.lora_B.weight"}
    assert "lora_adapter_metadata" not in header.metadata
    assert header.metadata["modelspec.trigger_phrase"] == "gfx grey fox"
    np.testing.assert_allclose(
        header.tensor(exported, f"{old}.lora_B.weight")
        @ header.tensor(exported, f"{old}.lora_A.weight"),
        2 * up @ down,
    )


def bundled(embedding: dict[str, np.ndarray]) -> bytes:
    more = encode_safetensors(embedding, {})
    return merge_safetensors(
        parse_header(content(), "lora"), content(), parse_header(more, "e"), more, "bundle_emb.x."
    )


def test_an_exported_embedding_is_taken_in_beside_its_lora(
    store: SubjectStore, tmp_path: Path
) -> None:
    row = np.arange(192, dtype=np.float32)
    request = REQUEST.model_copy(update={"identifier": "cat"})
    fox = import_lora(store, bundled({"emb_params": row[None]}), request, "ana", tmp_path)

    exported = export_subject(store, fox.id, tmp_path, "embedding")
    kept = parse_header(store.adapter_path(fox.id).read_bytes(), "a")

    tensor = parse_header(exported, "e").tensor(exported, "emb_params")
    np.testing.assert_array_equal(tensor, row[None])
    vocabulary = json.loads((SPRITE32_WEIGHTS / "tokenizer" / "tokenizer.json").read_text())
    assert f"lora_identifier.0.{vocabulary['model']['vocab']['cat</w>']}" in kept.entries


@pytest.mark.parametrize(
    ("embedding", "identifier", "error", "sentence"),
    [
        ({"emb_params": np.ones((2, 192), np.float32)}, "cat", UnsafeModel, "several tokens"),
        ({"emb_params": np.ones((1, 768), np.float32)}, "cat", UnsafeModel, "the widths .768"),
        (
            {"emb_params": np.ones((1, 192), np.float32)},
            "qzxvqzxv",
            InvalidIdentifier,
            "several tokens",
        ),
    ],
)
def test_an_embedding_that_does_not_fit_is_refused(
    embedding: dict[str, np.ndarray],
    identifier: str,
    error: type[Exception],
    sentence: str,
    store: SubjectStore,
    tmp_path: Path,
) -> None:
    request = REQUEST.model_copy(update={"identifier": identifier})

    with pytest.raises(error, match=sentence):
        import_lora(store, bundled(embedding), request, "ana", tmp_path)


def test_a_subject_of_sprite32_has_no_file_for_a1111(fox: SubjectRecord) -> None:
    assert fox.export_sha256 == ""


def test_what_fails_leaves_nothing(store: SubjectStore, tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel):
        import_lora(store, content()[:-1], REQUEST, "ana", tmp_path)
    unnamed = REQUEST.model_copy(update={"class_noun": "gfx", "identifier": " "})
    with pytest.raises(InvalidIdentifier):
        import_lora(store, content(), unnamed, "ana", tmp_path)

    assert store.list() == []
    assert list(tmp_path.rglob("*.safetensors")) == []


def test_a_subject_whose_base_is_gone_still_goes_out_as_it_is(
    fox: SubjectRecord, store: SubjectStore, tmp_path: Path
) -> None:
    gone = fox.model_copy(update={"id": "a" * 32, "base_model": "mine"})
    staging = store.stage(gone.id)
    (staging / "adapter.safetensors").write_bytes(store.adapter_path(fox.id).read_bytes())
    (staging / "subject.json").write_text(gone.model_dump_json())
    store.publish(staging, gone.id)

    assert export_subject(store, gone.id, tmp_path, "diffusers")
    with pytest.raises(NotFound, match="no base model 'mine'"):
        export_subject(store, gone.id, tmp_path, "kohya")
