"""Command serve: run the service until Ctrl-C."""

from __future__ import annotations

import argparse
import os

from modelsheet.cli.connect import Say
from modelsheet.settings import Settings


def serve(arguments: argparse.Namespace, say: Say) -> int:
    """Run the service until Ctrl-C."""
    from modelsheet.service.executors.ray.executor import Cluster
    from modelsheet.service.http import serve

    settings = Settings.from_environment(os.environ)
    say(f"Serving on this machine until Ctrl-C; data in {settings.data_dir}.")
    cluster = None
    if arguments.executor == "ray":
        cluster = Cluster(arguments.ray_address, arguments.gpus_per_worker)
    serve.serve(settings, port=arguments.port, cluster=cluster, json_log=arguments.json_log)
    return 0
