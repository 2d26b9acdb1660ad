"""Register the docker with Krita, which imports this package at its start.

If the plugin cannot start, a fallback docker says why. Nothing is raised: Krita greys out a plugin
that raises, without giving the reason.
"""

from __future__ import annotations

import os
import sys

import krita

from . import i18n
from .qt import QtCore
from .tasks import guarded

OLDEST_PYTHON = (3, 10)


def _start() -> None:
    i18n.set_language(i18n.detect_language(os.environ, QtCore.QLocale().name()))
    if sys.version_info < OLDEST_PYTHON:
        raise RuntimeError(
            i18n.tr(
                "Krita's Python is {found}; Modelsheet needs 3.10. Install a newer Krita.",
                found="{}.{}".format(*sys.version_info[:2]),
            )
        )
    from .app import docker

    docker.register()


def _register_fallback(error: Exception) -> None:
    from .app import fallback_docker

    fallback_docker.register(krita, fallback_docker.reason(error))


guarded(_start, _register_fallback)
