"""Commands doctor, bundle, demo and krita: examine, try and set up this installation.

Slow imports stand in the command that needs them, so that --help is quick.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from modelsheet.cli.connect import Say
from modelsheet.cli.progress import run_job
from modelsheet.errors import InvalidRequest
from modelsheet.krita_setup import install
from modelsheet.settings import Settings


def doctor(arguments: argparse.Namespace, say: Say) -> int:
    """Examine the installation; the exit code is 1 if something needed is missing."""
    from modelsheet.diagnostics.doctor import format_report, run_checks

    report = run_checks(Settings.from_environment(os.environ), environment=os.environ)
    say(report.model_dump_json(indent=2) if arguments.json else format_report(report))
    return 0 if report.healthy else 1


def bundle(arguments: argparse.Namespace, say: Say) -> int:
    """Write a support bundle and list its files."""
    from modelsheet.diagnostics.bundle import collect_bundle, write_bundle

    target: Path = arguments.file
    if target.exists():
        raise InvalidRequest(f"{target} is there already; name another file.")
    contents = collect_bundle(Settings.from_environment(os.environ), environment=os.environ)
    say(f"{target} will hold, and nobody is sent it:")
    for name, text in contents.items():
        say(f"  {name:22} {len(text.encode()):>8} bytes")
    write_bundle(target, contents)
    say("Without tokens, prompts, names or pictures. Look into it before you give it to somebody.")
    return 0


def demo(arguments: argparse.Namespace, say: Say) -> int:
    """Learn the sample's hero and paint it, with a service of its own."""
    from modelsheet.cli.demo import run_demo

    # SIGTERM ends the demo by an exception, so that its service ends too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    run_demo(arguments.out, environment=os.environ, run_job=run_job, say=say)
    return 0


def krita(arguments: argparse.Namespace, say: Say) -> int:
    """Install the plugin into Krita, uninstall it, or build its zip."""
    if arguments.action == "zip":
        install.build_zip(arguments.target)
        sentences = [f"{arguments.target} is ready for Krita's “Import Python Plugin from File”."]
    elif arguments.action == "install":
        home = os.environ.get("MODELSHEET_HOME", "").strip()
        sentences = install.install(
            arguments.krita_dir,
            [sys.executable, "-I", "-m", "modelsheet", "serve"],
            environment=os.environ,
            home=Path(home).absolute() if home else None,
        )
    else:
        sentences = install.uninstall(arguments.krita_dir, environment=os.environ)
    for sentence in sentences:
        say(sentence)
    return 0
