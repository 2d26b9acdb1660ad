"""Digests are good for one request of one caller, and for some minutes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace

import pytest

from modelsheet.service.auth.authentication import Authenticator
from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.auth.digest import REALM, DigestAnswer
from modelsheet.service.auth.tokens import TokenStore, key_of


@pytest.fixture
def access(tmp_path_factory: pytest.TempPathFactory) -> Authenticator:
    return Authenticator("secret", TokenStore(tmp_path_factory.mktemp("x") / "tokens.json"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def answer_to(access: Authenticator, token: str, method: str = "GET") -> DigestAnswer:
    """Return the answer of a client, computed as RFC 7616, 3.4.1 says."""
    key, nonce = key_of(token), access.nonces.current()
    first, second = sha256(f"{key[:16]}:{REALM}:{key}"), sha256(f"{method}:/v1/jobs")
    response = sha256(f"{first}:{nonce}:00000001:cc:auth:{second}")
    return DigestAnswer(method, "/v1/jobs", key[:16], nonce, "00000001", "cc", response)


def test_the_operator_is_known_by_a_digest(access: Authenticator) -> None:
    assert access.caller_of_digest(answer_to(access, "secret")) == OPERATOR
    assert access.caller_of_digest(answer_to(access, "wrong")) is None


@pytest.mark.parametrize(
    "change",
    [
        {"uri": "/v1/subjects"},
        {"method": "DELETE"},
        {"username": ""},
        {"username": "é"},
        {"nonce": "0" * 64},
        {"nc": "00000002"},
        {"response": ""},
        {"response": "é"},
    ],
)
def test_a_digest_of_anything_else_is_refused(
    access: Authenticator, change: dict[str, str]
) -> None:
    assert access.caller_of_digest(replace(answer_to(access, "secret"), **change)) is None


def test_a_nonce_lasts_longer_where_a_body_is_sent(
    access: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 6_000.0)
    asked, sent = answer_to(access, "secret"), answer_to(access, "secret", "PUT")

    known = []
    for later in (0.0, 1199.0, 1200.0, 1799.0, 1800.0):
        monkeypatch.setattr(time, "monotonic", lambda later=later: 6_000.0 + later)
        known.append([access.caller_of_digest(one) == OPERATOR for one in (asked, sent)])

    assert known == [[True, True], [True, True], [False, True], [False, True], [False, False]]


def test_a_nonce_of_another_run_is_refused(
    access: Authenticator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = Authenticator("secret", TokenStore(tmp_path_factory.mktemp("x") / "tokens.json"))

    assert again.caller_of_digest(answer_to(access, "secret")) is None
