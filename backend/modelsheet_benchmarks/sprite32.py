"""`modelsheet bench base`: measure the embedded base model and compare with its goals."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from PIL import Image

from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.imaging.contact_sheet import Cell, Section, draw_contact_sheet
from modelsheet.settings import Settings
from modelsheet_benchmarks.sprite32_metrics import Sprite32Metrics, evaluate
from sprite_training.sprite32.tiles import SIZE, TileSet

# Not part of the repository; without it an archive is named by --tiles.
TILES = Path("../shared/data/sprites.zip")
# At least; for seconds, at most.
GOALS = Sprite32Metrics(
    psnr_db=28.0,
    right_picture=0.25,
    naming_top1=0.5,
    naming_top5=0.8,
    flat_background=0.9,
    seconds_per_picture=3.0,
)
_SHOWN = (
    "human woman, wearing red robe, holding dagger",
    "elf man, wearing plate armour, holding bow",
    "orc man, wearing leather armour, holding war axe, with round buckler",
    "dwarf man, wearing black plate armour, holding hammer",
    "green naga woman, wearing blue robe, holding staff",
    "minotaur man, holding spear, with gold tower shield",
    "human man, black cloak, wearing green gold robe, white hood",
    "troll woman, wearing red vest, holding giant club",
    "vampire man, red cloak, wearing black coat, holding rapier",
    "human man, wearing blue robe, purple wizard hat, holding skull staff",
    "kobold man, wearing yellow robe, with red book",
    "elf woman, green cloak, holding great sword, on a magenta background",
    "elf woman, wearing white robe, on grass floor",
    "orc woman, wearing purple robe, holding scythe, on lava floor",
    "fire dragon",
    "black bear",
)
_LABELS = {
    "psnr_db": "autoencoder, PSNR in dB",
    "right_picture": "right picture of 100",
    "naming_top1": "class noun, top 1",
    "naming_top5": "class noun, top 5",
    "flat_background": "flat backgrounds",
    "seconds_per_picture": "seconds a picture",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tiles",
        type=Path,
        default=TILES,
        help="the zip of PNG tiles with captions.csv that the model was trained on "
        "(default: %(default)s, where that exists)",
    )
    parser.add_argument("--prompts", type=int, default=60, help="pictures painted per figure")
    parser.add_argument("--grid", type=Path, metavar="FILE", help="draw a grid of pictures there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the metrics; return the exit code. Raises ModelsheetError."""
    settings = Settings.from_environment(os.environ)
    tiles = TileSet.load(arguments.tiles)
    base = load_base_model(DEFAULT_BASE_MODEL, settings.data_dir, torch.device("cpu"))
    metrics = evaluate(base, tiles, prompts=arguments.prompts)
    print(table(metrics))  # noqa: T201 -- a program, asked for its figures
    if arguments.grid:
        draw_grid(base).save(arguments.grid)
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(metrics), indent=2) + "\n", "utf-8")
    return 0


def draw_grid(base: BaseModel) -> Image.Image:
    """Draw the model card's grid: each prompt twice, on white where it names no background."""
    cells = []
    for number, prompt in enumerate(_SHOWN):
        words = prompt if " on " in prompt else f"{prompt}, on a white background"
        seeds = [2 * number, 2 * number + 1]
        settings = SamplingSettings(
            [words] * 2, seeds, width=SIZE, height=SIZE, guidance_scale=base.guidance_scale
        )
        cells += [Cell(picture, prompt) for picture in sample_images(base, settings)]
    return draw_contact_sheet([Section("sprite32: two seeds of each prompt", cells, 8)])


def table(metrics: Sprite32Metrics) -> str:
    goals = asdict(GOALS)
    rows = [f"{'figure':<26}{'measured':>10}{'goal':>10}"]
    for name, value in asdict(metrics).items():
        sign = "≤" if name == "seconds_per_picture" else "≥"
        rows.append(f"{_LABELS[name]:<26}{value:>10.2f}{sign + f' {goals[name]:g}':>10}")
    return "\n".join(rows)
