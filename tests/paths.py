"""Paths of the checkout that tests read: its root, the plugin, the sample, and optional data."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BACKEND = ROOT / "backend"
PLUGIN = ROOT / "krita_plugin" / "modelsheet_krita"
HERO = ROOT / "docs" / "sample" / "hero.ora"
SHARED_DATA = ROOT.parent / "shared" / "data"  # not part of the project; tests skip without it
KRITA_STEPS = ROOT / "tests" / "krita" / "steps"
