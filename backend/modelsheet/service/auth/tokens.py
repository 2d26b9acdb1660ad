"""Make, store as sha256, limit and revoke the tokens of artists who share this machine."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from modelsheet.api.admin import NewToken, TokenView
from modelsheet.api.types import ApiModel
from modelsheet.errors import Conflict, ModelsheetError, NotFound

_audit = logging.getLogger("modelsheet.audit")


class _Entry(ApiModel):
    name: str
    sha256: str
    created: float
    gpus: int = 0
    queued: int = 0


_ENTRIES: TypeAdapter[list[_Entry]] = TypeAdapter(list[_Entry])


class TokenStore:
    """The file of artists and their tokens' hashes. Raises ModelsheetError if it cannot be read, so
    that the service does not start without it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._entries = {entry.name: entry for entry in _read(path)}

    def add(self, name: str) -> NewToken:
        """Make a token for an artist. Raises Conflict: the artist has one."""
        token = secrets.token_hex(32)
        entry = _Entry(name=name, sha256=key_of(token), created=time.time())
        with self._lock:
            if name in self._entries:
                raise Conflict(f"{name} has a token already; revoke that one first.")
            self._replace({**self._entries, name: entry})
        _audit.info("operator: make a token for %s", name)
        return NewToken(name=name, token=token)

    def revoke(self, name: str) -> None:
        """Revoke an artist's token. Raises NotFound: no artist of that name has one."""
        with self._lock:
            self._entry(name)
            self._replace({n: entry for n, entry in self._entries.items() if n != name})
        _audit.info("operator: revoke the token of %s", name)

    def limit(self, name: str, gpus: int, queued: int) -> TokenView:
        """Limit an artist's running and queued jobs. Raises NotFound: the artist has no token."""
        with self._lock:
            entry = self._entry(name).model_copy(update={"gpus": gpus, "queued": queued})
            self._replace({**self._entries, name: entry})
        _audit.info("operator: limit %s to %d at once and %d waiting", name, gpus, queued)
        return _view(entry)

    def gpus_of(self, name: str) -> int:
        """Return how many jobs of an artist may run at once, 0 for any number."""
        return self._entries[name].gpus if name in self._entries else 0

    def queued_of(self, name: str) -> int:
        """Return how many jobs of an artist may be queued, 0 for the default number."""
        return self._entries[name].queued if name in self._entries else 0

    def list(self) -> list[TokenView]:
        """Return the artists with a token, without the token."""
        return [_view(entry) for entry in self._entries.values()]

    def keys(self) -> Sequence[str]:
        """Return the sha256 of every token."""
        return [entry.sha256 for entry in self._entries.values()]

    def artist_with(self, key: str) -> str | None:
        """Return the name of the artist whose token has this sha256, None if nobody's has."""
        found = [e.name for e in self._entries.values() if hmac.compare_digest(e.sha256, key)]
        return found[0] if found else None

    def prove(self, key_start: str, nonce: str) -> str:
        """Return the proof of knowing the token whose sha256 begins with `key_start`, else an empty
        string.
        """
        for entry in self._entries.values():
            if entry.sha256.startswith(key_start):
                return proof_of(entry.sha256, nonce)
        return ""

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            known = ", ".join(self._entries) or "nobody"
            raise NotFound(f"{name} has no token. These have one: {known}.")
        return self._entries[name]

    def _replace(self, entries: dict[str, _Entry]) -> None:
        temporary = self._path.with_name(f".{self._path.name}-{uuid4().hex}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        content = json.dumps([entry.model_dump() for entry in entries.values()], indent=1)
        try:
            with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self._path)
        finally:
            temporary.unlink(missing_ok=True)
        self._entries = entries


def _view(entry: _Entry) -> TokenView:
    return TokenView(name=entry.name, created=entry.created, gpus=entry.gpus, queued=entry.queued)


def key_of(token: str) -> str:
    """Return the sha256 under which a token is stored, which also keys its proof."""
    return hashlib.sha256(token.encode()).hexdigest()


def proof_of(key: str, nonce: str) -> str:
    """Return hex HMAC-SHA256 of the nonce's characters, keyed by those of `key`."""
    return hmac.new(key.encode(), nonce.encode(), hashlib.sha256).hexdigest()


def _read(path: Path) -> list[_Entry]:
    try:
        return _ENTRIES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValidationError:
        raise ModelsheetError(
            f"The artists' tokens in {path} cannot be read. Remove the file and make new tokens."
        ) from None
