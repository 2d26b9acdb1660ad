"""Starts the real server with the toy runner: `toy_service HOME [TIMINGS as JSON] [RAY ADDRESS]`.
Killed by the tests in many ways.
"""

from __future__ import annotations

import json
import os
import sys

from modelsheet.service.executors.ray.executor import Cluster
from modelsheet.service.http.serve import serve
from modelsheet.service.scheduling.timeouts import Timings
from modelsheet.settings import Settings
from tests.service.toy_runner import OTHER_MODEL, REFERENCE_MODEL, TOY_MODEL

if __name__ == "__main__":
    serve(
        Settings.from_environment({**os.environ, "MODELSHEET_HOME": sys.argv[1]}),
        runner="tests.service.toy_runner:make_runner",
        timings=Timings(**json.loads(sys.argv[2])) if len(sys.argv) > 2 else None,
        base_models=lambda data_dir: [TOY_MODEL, OTHER_MODEL, REFERENCE_MODEL],
        cluster=Cluster(sys.argv[3]) if len(sys.argv) > 3 else None,
    )
