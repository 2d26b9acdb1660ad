"""Subjects of SD 1.5 and SDXL in files for other programs, by what those programs look for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from modelsheet.api.subjects import ImportRequest
from modelsheet.api.types import Family
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.files.safetensors_file import encode_safetensors, parse_header
from modelsheet.lora.key_mapping import KeyLayout, diffusers_name
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.subjects.lora_exchange import export_subject
from modelsheet.subjects.record import SubjectRecord
from modelsheet.subjects.store import SubjectStore
from modelsheet.worker.learn_job import with_export_hash
from tests.subjects.imported import import_lora

PROJECTION = LayerKey("text_encoder_2", "text_projection")


def lora_of(layout: KeyLayout, rank: int = 2) -> bytes:
    rng, tensors = np.random.default_rng(1), {}
    for key, shape in layout.shapes.items():
        if key.component != "unet" or "attn1.to_q" in key.path:
            name = diffusers_name(key)
            down = rng.normal(size=(rank, shape.columns))
            up = rng.normal(size=(shape.rows, rank))
            tensors[f"{name}.lora_A.weight"] = down.astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = up.astype(np.float32)
    return encode_safetensors(tensors, {})


def imported(
    family: Family, layout: KeyLayout, data_dir: Path, store: SubjectStore
) -> SubjectRecord:
    request = ImportRequest(
        name="Fox", class_noun="fox", identifier="gfx", base_model=family, parts=["0" * 64]
    )
    return import_lora(store, lora_of(layout), request, "ana", data_dir)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_record_knows_the_hash_by_which_a1111_finds_the_file(
    family: Family, layout: Callable[[str], KeyLayout], data_dir: Path, tmp_path: Path
) -> None:
    store = SubjectStore(tmp_path)
    fox = imported(family, layout(family), data_dir, store)

    exported = export_subject(store, fox.id, data_dir, "kohya")

    assert fox.export_sha256 == parse_header(exported, "x").metadata["sshs_model_hash"]


def test_a_learnt_subject_gets_that_hash_where_there_can_be_a_file(
    layout: Callable[[str], KeyLayout], data_dir: Path, tmp_path: Path
) -> None:
    store = SubjectStore(tmp_path)
    fox = imported("sd15", layout("sd15"), data_dir, store)
    learnt, folder = fox.model_copy(update={"export_sha256": ""}), store.folder(fox.id)
    gone = learnt.model_copy(update={"base_model": "gone"})

    assert with_export_hash(learnt, folder, data_dir) == fox
    assert with_export_hash(gone, folder, data_dir) == gone


def test_the_second_text_encoders_projection_is_learnt_from_the_file(
    base: Callable[[str], BaseModel],
    layout: Callable[[str], KeyLayout],
    data_dir: Path,
    tmp_path: Path,
) -> None:
    store = SubjectStore(tmp_path)
    fox = imported("sdxl", layout("sdxl"), data_dir, store)
    (tmp_path / "fox.safetensors").write_bytes(export_subject(store, fox.id, data_dir, "diffusers"))
    pipeline = base("sdxl").pipeline
    ids = base("sdxl").tokenize(["imp"])[1]
    encoder = pipeline.text_encoder_2
    before = encoder.text_projection.weight.clone()
    with torch.no_grad():
        plain = encoder(ids).last_hidden_state

    pipeline.load_lora_weights(tmp_path / "fox.safetensors", adapter_name="fox")

    try:
        projection = encoder.text_projection
        down, up = projection.lora_A["fox"].weight, projection.lora_B["fox"].weight
        assert (up @ down).abs().max() > 0
        assert torch.equal(projection.base_layer.weight, before)
        with torch.no_grad():
            assert not torch.equal(encoder(ids).last_hidden_state, plain)
    finally:
        pipeline.unload_lora_weights()
