"""Runs the real service for these tests, with the runner named on the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if __name__ == "__main__":
    root = Path(__file__).resolve().parents[2]  # started by Krita, which gives no path to it
    sys.path[:0] = [str(root), str(root / "backend")]

    from modelsheet.service.http.serve import serve
    from modelsheet.settings import Settings
    from tests.krita.toy_runner import TOY_MODEL

    runner = sys.argv[1]
    toy = {"base_models": lambda data_dir: [TOY_MODEL]} if "toy" in runner else {}
    serve(Settings.from_environment(os.environ), runner=runner, **toy)
