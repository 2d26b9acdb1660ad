"""The plugin's version, and what to say where the backend's is another one."""

from __future__ import annotations

import re

from .i18n import tr

VERSION = "0.2.0"


def is_older(version: str, than: str) -> bool:
    """Compare two versions by their numbers."""
    return _numbers(version) < _numbers(than)


def update_sentence(backend: str) -> str:
    """Say which of plugin and backend is to be updated; empty where both are of one version."""
    if is_older(backend, VERSION):
        return tr(
            "The backend is version {backend}, older than this plugin, {plugin}. Update it.",
            backend=backend,
            plugin=VERSION,
        )
    if is_older(VERSION, backend):
        return tr(
            "This plugin is version {plugin}, older than the backend, {backend}. Update it: import "
            "the newer modelsheet_krita.zip or run ./install.sh, then start Krita again.",
            backend=backend,
            plugin=VERSION,
        )
    return ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]
