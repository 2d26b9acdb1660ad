"""Connect a command to the service that its options name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from modelsheet.client import launcher
from modelsheet.client.client import BackendClient
from modelsheet.errors import InvalidRequest
from modelsheet.settings import Settings

Say = Callable[[str], None]  # prints one line


def connect(arguments: argparse.Namespace) -> BackendClient:
    """Return a client of the service named by --server, or of this machine's, started if needed."""
    if not arguments.server:
        environment = os.environ
        return launcher.connect(Settings.from_environment(environment), environment=environment)
    token = arguments.token or os.environ.get("MODELSHEET_TOKEN", "").strip()
    if not token:
        raise InvalidRequest("Give that service's token in MODELSHEET_TOKEN or with --token.")
    client = BackendClient(arguments.server, token)
    client.verify_service()
    client.capabilities()
    return client
