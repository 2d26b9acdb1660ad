"""One operation of the HTTP API as data: Flask views and the OpenAPI document are made of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, TypeAdapter

JSON = "application/json"
BYTES = "application/octet-stream"
_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True)
class Operation:
    """One HTTP method of one address.

    `handle` gets the path's parts, `query`, `body` or `content` (a stream), `key` and `caller` by
    name, as far as the operation has them, and returns an `output` or a Response, which has bytes
    when `output` is None. A coroutine function may wait: it holds no thread meanwhile.
    """

    method: str
    rule: str
    handle: Callable[..., Any]  # each handler has its own parameters
    summary: str
    output: type[BaseModel] | None
    status: int = 200
    query: type[BaseModel] | None = None
    body: TypeAdapter[Any] | None = None  # Any: one operation's body is a union, no class
    takes_bytes: bool = False
    takes_key: bool = False
    is_public: bool = False
    operator_only: bool = False  # artists with a token of their own get 403
    errors: tuple[int, ...] = field(default=())

    @property
    def name(self) -> str:
        """Return the operation's id: the handler's name."""
        return self.handle.__name__

    @property
    def waits(self) -> bool:
        """Return True if the handler is a coroutine function."""
        return inspect.iscoroutinefunction(self.handle)

    @property
    def path(self) -> str:
        """Return the address as OpenAPI writes it."""
        return _CONVERTER.sub(r"{\1}", self.rule)

    @property
    def path_parameters(self) -> list[str]:
        """Return the names of the address's variable parts."""
        return _CONVERTER.findall(self.rule)
