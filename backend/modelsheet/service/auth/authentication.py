"""Find the caller a token belongs to, and prove to a client that this service knows its token."""

from __future__ import annotations

import hmac

from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.auth.tokens import TokenStore, proof_of


class Authenticator:
    """The operator's token and the artists'."""

    def __init__(self, token: str, artists: TokenStore) -> None:
        self._token = token
        self._artists = artists

    def caller(self, sent: str) -> Caller | None:
        """Return the caller that a token belongs to, None for an unknown token."""
        if hmac.compare_digest(sent.encode(), self._token.encode()):
            return OPERATOR
        artist = self._artists.artist_of(sent)
        return Caller(artist) if artist else None

    def prove(self, nonce: str, key_start: str) -> str:
        """Return the proof of knowing a token: the artist's whose sha256 begins with `key_start`,
        else the operator's, keyed by the token itself.
        """
        proof = self._artists.prove(key_start, nonce) if key_start else ""
        return proof or proof_of(self._token, nonce)
