"""Takes the README's pictures in a real Krita with the real backend:

python -m tests.krita.take_pictures docs
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.krita import harness
from tests.paths import ROOT

RUNNER = "modelsheet.worker.runner:make_runner"
PATIENCE_S = 900


def main(target: Path) -> None:
    # The service may still write its log while the folder goes.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home, out = Path(folder) / "home", Path(folder) / "out"
        harness.make_home(home, RUNNER)
        environment = {
            "TOUR_SAMPLE": str(ROOT / "docs" / "sample" / "hero.ora"),
            "SHEET_PICTURE": str(ROOT / "docs" / "sample" / "hero-front.png"),
            "MODELSHEET_DRIVER_PATIENCE_S": str(PATIENCE_S),
        }
        try:
            run = harness.run(
                ROOT / "tests/krita/steps/tour.py",
                home,
                out,
                environment=environment,
                timeout_s=2 * PATIENCE_S,
            )
            sys.stdout.write(f"{run.report}\n")
        finally:
            harness.stop_service(home / "modelsheet")
            for picture in out.glob("*.png"):
                shutil.copy(picture, target / picture.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
