"""Run schemathesis against the real service.

`python -m tests.service.scenarios.fuzz --cases 100 --seed 1`.

`--cases` is for each operation. No answer may be a 5xx or of an undocumented status or form, and
nothing that the document forbids may be accepted.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.service.scenarios.live import LiveService

# The document cannot say which blobs, subjects and base models there are, so a request that fits
# it may still be refused.
_LEFT_OUT = "positive_data_acceptance"
_ENDS_THE_SERVICE = "set_queue"


def fuzz(service: LiveService, folder: Path, cases: int, seed: int, phases: str) -> tuple[int, str]:
    """Return schemathesis' exit code and what it said."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{service.url}/openapi.json"),
        *("--header", f"Authorization: {service.session.headers['Authorization']!s}"),
        *("--seed", str(seed), "--max-examples", str(cases), "--phases", phases),
        *("--exclude-checks", _LEFT_OUT, "--exclude-operation-id", _ENDS_THE_SERVICE),
        *("--workers", "1", "--generation-database", "none", "--request-timeout", "180"),
        *("--suppress-health-check", "all"),
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout + run.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, LiveService(Path(home)) as service:
        phases = "coverage,fuzzing,stateful"
        code, said = fuzz(service, Path(home), arguments.cases, arguments.seed, phases)
        service.stop()
    sys.stdout.write(said)
    sys.exit(code)


if __name__ == "__main__":
    main()
