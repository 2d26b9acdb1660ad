"""`modelsheet sprite32 …`, `python -m sprite_training.sprite32`: train the embedded base model."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from modelsheet.errors import ModelsheetError
from sprite_training.sprite32 import build


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the model as asked; return the exit code."""
    parser = argparse.ArgumentParser(prog="modelsheet sprite32", description=build.__doc__)
    parser.add_argument("--tiles", type=Path, required=True, help="the archive: PNGs, captions.csv")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--hours", type=float, required=True, help="training time in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoints")
    parser.add_argument("--toy", action="store_true", help="tiny widths, to try the script")
    parser.add_argument(
        "--whole-vocabulary", action="store_true", help="all tiles instead of the core ones"
    )
    parser.add_argument(
        "--only-hypernetwork",
        action="store_true",
        help="train only what predicts adapters, for the model that is in --out",
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    plan = build.Plan(
        chosen.tiles, chosen.out, chosen.hours, chosen.seed, chosen.toy, chosen.whole_vocabulary
    )
    try:
        if chosen.only_hypernetwork:
            build.build_hypernetwork(plan, resume=chosen.resume)
        else:
            build.build(plan, resume=chosen.resume)
    except ModelsheetError as error:
        parser.exit(2, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
