"""Who may speak to the service: whoever has the token and is no web page. Everything else is denied
by default.
"""

from __future__ import annotations

import hmac
import re
import secrets

from flask import Flask, Response, g, request

from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.auth.tokens import TokenStore, proof_of
from modelsheet.service.http.problems import Refused

TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
MAX_BODY_BYTES = 64 << 20  # a layer of 4096 x 4096
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Access:
    """Knows the token of the one who runs the service, and those of the artists."""

    def __init__(self, token: str, artists: TokenStore) -> None:
        self.token = token
        self.artists = artists

    def caller(self, sent: str) -> Caller | None:
        """Return whose token this is, None for nobody's."""
        if hmac.compare_digest(sent.encode(), self.token.encode()):
            return OPERATOR
        artist = self.artists.artist_of(sent)
        return Caller(artist) if artist else None

    def prove(self, nonce: str, key_start: str) -> str:
        """Return the proof that we know a token: that of the artist whose token's sha256 begins
        so, else our own, keyed by the token itself.
        """
        proof = self.artists.prove(key_start, nonce) if key_start else ""
        return proof or proof_of(self.token, nonce)


def install_access(app: Flask, access: Access, public_endpoints: frozenset[str]) -> None:
    """Guard every route of the app, those that do not exist included, save the public ones."""
    app.config["TRUSTED_HOSTS"] = TRUSTED_HOSTS
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    @app.before_request
    def check() -> None:
        g.request_id = _request_id()
        _refuse_web_pages()
        if request.endpoint not in public_endpoints:
            g.caller = _require_token(access)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(HEADERS)
        response.headers["X-Request-Id"] = g.get("request_id", "")
        return response


def _request_id() -> str:
    sent = request.headers.get("X-Request-Id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)


def _refuse_web_pages() -> None:
    """A browser names the page that speaks; programs of the artist's own have no page."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if "Origin" in request.headers or site != "none":
        raise Refused(403, "Web pages may not speak to this service.")


def _require_token(access: Access) -> Caller:
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    caller = access.caller(sent.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise Refused(
            401,
            "The token is missing or wrong; take the one in the connection file, or the one you "
            "were given.",
            {"WWW-Authenticate": "Bearer"},
        )
    return caller
