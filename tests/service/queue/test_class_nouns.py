"""What a subject can be is said without loading a model: the curated nouns and the artist's own."""

from __future__ import annotations

from flask.testing import FlaskClient

from modelsheet.api.describe_images import ClassNounList
from modelsheet.service.service import Service


def test_the_list_is_the_familys_with_the_artists_own(
    client: FlaskClient, service: Service
) -> None:
    (service.data_dir / "class_nouns.txt").write_text("Florb\n", encoding="utf-8")

    answer = client.get("/v1/class-nouns?base_model=sprite32")

    assert answer.status_code == 200, answer.text
    listed = ClassNounList.model_validate_json(answer.data).class_nouns
    assert {"human woman", "cat", "florb"} <= set(listed)
    assert len(set(listed)) == len(listed)


def test_unknown_base_and_unreadable_additions_are_refused(
    client: FlaskClient, service: Service
) -> None:
    assert client.get("/v1/class-nouns?base_model=mine").status_code == 404

    (service.data_dir / "class_nouns.txt").write_bytes(b"\xff\xfe\x00")

    refused = client.get("/v1/class-nouns")
    assert refused.status_code == 422
    assert "Save it as UTF-8" in refused.json["detail"]


def test_a_noun_is_matched_and_the_vocabulary_listed_by_base_model(client: FlaskClient) -> None:
    match = client.get("/v1/class-nouns/match?noun=little%20fox%20girl").json
    vocabulary = client.get("/v1/vocabulary?base_model=sprite32").json

    assert match == {"class_noun": "human woman", "meant": "", "alternatives": ["elf woman"]}
    assert {"holding spear", "on grass floor", "human woman"} <= set(vocabulary["phrases"])
    assert {"sword", "with"} <= set(vocabulary["words"])
    assert "beach" not in vocabulary["words"]
    assert client.get("/v1/vocabulary?base_model=mine").status_code == 404
    assert client.get("/v1/class-nouns/match?base_model=mine&noun=fox").status_code == 404
