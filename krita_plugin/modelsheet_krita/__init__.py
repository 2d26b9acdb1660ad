"""Krita imports this package at its start: it puts up the docker, or a tiny one that says why not.

Never raises: a plugin that does is greyed out without a reason.
"""

from __future__ import annotations

import os
import sys

import krita

from . import i18n
from .guard import guarded
from .qt import QtCore

OLDEST_PYTHON = (3, 10)


def _start() -> None:
    i18n.use(i18n.language(os.environ, QtCore.QLocale().name()))
    if sys.version_info < OLDEST_PYTHON:
        raise RuntimeError(
            i18n.tr(
                "Krita's Python is {found}; Modelsheet needs 3.10. Install a newer Krita.",
                found="{}.{}".format(*sys.version_info[:2]),
            )
        )
    from .app import docker

    docker.register()


def _explain(error: Exception) -> None:
    from .app import fallback_docker

    fallback_docker.register(krita, fallback_docker.reason(error))


guarded(_start, _explain)
