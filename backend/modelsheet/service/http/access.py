"""Check every HTTP request: the Host header, the bearer token, and that no web page sent it. What
is not allowed explicitly is denied.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from werkzeug.datastructures import Authorization

from modelsheet.api.size_limits import MAX_BODY_BYTES
from modelsheet.service.auth.authentication import Authenticator
from modelsheet.service.auth.caller import Caller
from modelsheet.service.auth.digest import REALM, DigestAnswer
from modelsheet.service.http.problems import Refused

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

TRUSTED_HOSTS = ["127.0.0.1", "localhost"]
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def install_access(app: Flask, access: Authenticator, public_endpoints: frozenset[str]) -> None:
    """Guard every route of the app except the public ones, unknown addresses included."""
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


def caller_of(environ: WSGIEnvironment, access: Authenticator) -> Caller | None:
    """Return the caller who sent a request, None without a known token.

    It may be sent as it is (Bearer), or shown by a digest of it (Digest).
    """
    authorization = Authorization.from_header(environ.get("HTTP_AUTHORIZATION"))
    if authorization is None:
        return None
    if authorization.type == "bearer":
        return access.caller(authorization.token or "")
    if authorization.type != "digest" or authorization.get("uri") != environ["REQUEST_URI"]:
        return None
    names = ("uri", "username", "nonce", "nc", "cnonce", "response")
    fields = {name: authorization.get(name) or "" for name in names}
    return access.caller_of_digest(DigestAnswer(method=environ["REQUEST_METHOD"], **fields))


def _request_id() -> str:
    sent = request.headers.get("X-Request-Id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)


def _refuse_web_pages() -> None:
    """Refuse requests by a browser: it sends Origin and Sec-Fetch-Site, other programs do not."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if "Origin" in request.headers or site != "none":
        raise Refused(403, "Web pages may not speak to this service.")


def _require_token(access: Authenticator) -> Caller:
    caller = caller_of(request.environ, access)
    if caller is None:
        nonce = access.nonces.current()
        digest = f'Digest realm="{REALM}", qop="auth", algorithm=SHA-256, nonce="{nonce}"'
        raise Refused(
            401,
            "The token is missing or wrong; take the one in the connection file, or the one you "
            "were given.",
            {"WWW-Authenticate": f"{digest}, Bearer"},
        )
    return caller
