"""Check every HTTP request: the Host header, the bearer token, and that no web page sent it. What
is not allowed explicitly is denied.
"""

from __future__ import annotations

import re
import secrets

from flask import Flask, Response, g, request

from modelsheet.api.size_limits import MAX_BODY_BYTES
from modelsheet.service.auth.authentication import Authenticator
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.problems import Refused

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


def caller_of(authorization: str, access: Authenticator) -> Caller | None:
    """Return the caller whose token an Authorization header has, None for any other header."""
    scheme, _, sent = authorization.partition(" ")
    return access.caller(sent.strip()) if scheme.lower() == "bearer" else None


def _request_id() -> str:
    sent = request.headers.get("X-Request-Id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else secrets.token_hex(8)


def _refuse_web_pages() -> None:
    """Refuse requests by a browser: it sends Origin and Sec-Fetch-Site, other programs do not."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if "Origin" in request.headers or site != "none":
        raise Refused(403, "Web pages may not speak to this service.")


def _require_token(access: Authenticator) -> Caller:
    caller = caller_of(request.headers.get("Authorization", ""), access)
    if caller is None:
        raise Refused(
            401,
            "The token is missing or wrong; take the one in the connection file, or the one you "
            "were given.",
            {"WWW-Authenticate": "Bearer"},
        )
    return caller
