"""HTTP digest authentication (RFC 7616): a client shows that it has a token without sending it.

Who stands between a client and the service, in place of a tunnel, learns nothing that opens a
request of their own. User name: the first digits of the token's sha256; password: the whole of it,
which is all that is stored of an artist's token.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass

REALM = "modelsheet"
USER_DIGITS = 16
_PERIOD_S = 600.0


@dataclass(frozen=True)
class DigestAnswer:
    """The fields of an Authorization header of the scheme Digest, and the request's method."""

    method: str
    uri: str
    username: str
    nonce: str
    nc: str
    cnonce: str
    response: str

    def is_by(self, key: str) -> bool:
        """Return True if this was computed by a client that knows `key`."""
        secret = _sha256(f"{self.username}:{REALM}:{key}")
        request = _sha256(f"{self.method}:{self.uri}")
        expected = _sha256(f"{secret}:{self.nonce}:{self.nc}:{self.cnonce}:auth:{request}")
        return hmac.compare_digest(self.response.encode(), expected.encode())


class DigestNonces:
    """Nonces of this run of the service; each is good for 10 to 20 minutes.

    One is good for 10 minutes more where a body is sent: a client whose nonce is refused has to
    send its body again.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def current(self) -> str:
        """Return the nonce of this moment."""
        return self._of(int(time.monotonic() // _PERIOD_S))

    def accepts(self, answer: DigestAnswer) -> bool:
        """Return True if the answer's nonce is good for a request of its method."""
        period = int(time.monotonic() // _PERIOD_S)
        oldest = period - (1 if answer.method in ("GET", "HEAD") else 2)
        known = [self._of(each) for each in range(oldest, period + 1)]
        return any(hmac.compare_digest(answer.nonce.encode(), each.encode()) for each in known)

    def _of(self, period: int) -> str:
        return hmac.new(self._secret, str(period).encode(), hashlib.sha256).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
