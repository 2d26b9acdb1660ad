"""Find the caller who has a token, and prove to a client that this service knows its token."""

from __future__ import annotations

import hmac

from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.auth.digest import USER_DIGITS, DigestAnswer, DigestNonces
from modelsheet.service.auth.tokens import TokenStore, key_of, proof_of


class Authenticator:
    """The operator's token and the artists'; `nonces` are those of digest authentication."""

    def __init__(self, token: str, artists: TokenStore) -> None:
        self.nonces = DigestNonces()
        self._token = token
        self._artists = artists

    def caller(self, sent: str) -> Caller | None:
        """Return the caller that a token belongs to, None for an unknown token."""
        return self._caller_with(key_of(sent))

    def caller_of_digest(self, answer: DigestAnswer) -> Caller | None:
        """Return the caller who computed a digest, None where nobody known did just now."""
        keys = [key_of(self._token), *self._artists.keys()]
        key = next((one for one in keys if one[:USER_DIGITS] == answer.username), None)
        if key is None or not answer.is_by(key) or not self.nonces.accepts(answer):
            return None
        return self._caller_with(key)

    def prove(self, nonce: str, key_start: str) -> str:
        """Return the proof of knowing a token: the artist's whose sha256 begins with `key_start`,
        else the operator's, keyed by the token itself.
        """
        proof = self._artists.prove(key_start, nonce) if key_start else ""
        return proof or proof_of(self._token, nonce)

    def _caller_with(self, key: str) -> Caller | None:
        if hmac.compare_digest(key, key_of(self._token)):
            return OPERATOR
        artist = self._artists.artist_with(key)
        return Caller(artist) if artist else None
