"""The service itself: ping, capabilities, and the empty response."""

from __future__ import annotations

from typing import Literal

from modelsheet.api.models import BaseModelView
from modelsheet.api.types import ApiModel


class Ping(ApiModel):
    """Sign of life of a service; `proof` shows that it knows the caller's token."""

    ok: Literal[True] = True
    proof: str = ""


class Empty(ApiModel):
    """A response without content."""


class Capabilities(ApiModel):
    """Versions, models, presets and limits of a service, and what its machine lacks as sentences.

    The plugin refuses another major `api`. After `idle_minutes` without a request or a job the
    service ends; 0 is never.
    """

    api: str
    version: str
    boot_id: str
    base_models: list[BaseModelView]
    presets: list[str]
    samplers: list[str] = []
    limits: dict[str, int]
    shortcomings: list[str] = []
    idle_minutes: float = 0.0
