"""The plugin's top slot: the one place that catches whatever our code did not foresee."""

from __future__ import annotations

import logging
from typing import Callable, TypeVar

from .errors import PluginError

T = TypeVar("T")
logger = logging.getLogger(__name__)


def guarded(action: Callable[[], T], on_error: Callable[[Exception], None]) -> T | None:
    """Run `action`; hand what it raises to `on_error`: what reaches Krita opens a modal dialog."""
    try:
        return action()
    except Exception as error:
        if not isinstance(error, PluginError):
            logger.exception("Modelsheet stumbled")
        on_error(error)
        return None
