"""Tell which addresses may be sent an artist's pictures and prompts."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ..i18n import tr


def is_protected(url: str) -> bool:
    """Return True for https, and for this computer's loopback, where a tunnel may begin."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname or ""
        if parts.scheme == "https" or host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unprotected() -> str:
    """Return the sentence about an address that is not protected."""
    return tr(
        "Over http to another computer, everybody on the way can read your pictures. Use https, or "
        "a tunnel that begins on this computer (http://127.0.0.1:…)."
    )
