"""The committed document is the code's, and it is valid OpenAPI."""

from __future__ import annotations

import json

from openapi_spec_validator import OpenAPIV31SpecValidator

from modelsheet.service.http.openapi import document
from tests.paths import ROOT

COMMITTED = ROOT / "docs" / "openapi.json"


def test_the_committed_document_is_that_of_the_code() -> None:
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))

    assert committed == document(), (
        "run: python -m modelsheet.service.http.openapi docs/openapi.json"
    )


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(document()).validate()
