"""Build the Flask application: access checks, views and error handlers."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, jsonify

from modelsheet.service.http.access import install_access
from modelsheet.service.http.flask_views import install_views
from modelsheet.service.http.openapi import document
from modelsheet.service.http.problems import install_problems, problem
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.queue.database import is_damage
from modelsheet.service.service import Service

_log = logging.getLogger(__name__)


def create_app(service: Service) -> Flask:
    """Build the WSGI application of a service."""
    app = Flask("modelsheet", static_folder=None)
    public = frozenset(operation.name for operation in OPERATIONS if operation.is_public)
    install_access(app, service.access, public)
    app.before_request(service.idle_watch.note_request)
    install_problems(app)
    app.register_error_handler(sqlite3.DatabaseError, _database_error(service))
    app.register_error_handler(OSError, _disk_error(service.data_dir))
    install_views(app, service, OPERATIONS)
    app.add_url_rule(
        "/openapi.json",
        endpoint="openapi",
        view_func=lambda: jsonify(document()),
        methods=["GET"],
        provide_automatic_options=False,
    )
    return app


def _database_error(service: Service) -> Callable[[sqlite3.DatabaseError], Response]:
    """Return a handler: a full disk is a problem 507, a damaged database ends the service, whose
    next start restores it.
    """

    def answer(error: sqlite3.DatabaseError) -> Response:
        if not is_damage(error):
            return _disk_error(service.data_dir)(error)
        _log.critical("The job database is damaged (%s); the service ends", error)
        service.fail()
        sentence = "The list of jobs is damaged; start the service again, which mends it."
        return problem(503, "shutting-down", sentence, retryable=True)

    return answer


def _disk_error(
    data_dir: Path,
) -> Callable[[OSError | sqlite3.DatabaseError], Response]:
    """Return a handler, which says whether the data folder is gone, or its disk is full."""

    def answer(error: OSError | sqlite3.DatabaseError) -> Response:
        if not (data_dir / "VERSION").exists():
            _log.error("The data folder %s is gone (%s)", data_dir, error)
            sentence = (
                f"The data folder {data_dir} is gone. Put it back, or stop the service and start "
                "it again with the new place in MODELSHEET_HOME."
            )
            return problem(503, "data-folder-gone", sentence, retryable=True)
        sentence = "The data folder's disk refuses to write; it is probably full. Free some space."
        return problem(507, "disk-full", sentence, retryable=True)

    return answer
