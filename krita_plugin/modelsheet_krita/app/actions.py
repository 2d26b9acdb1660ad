"""What of the docker can be bound to keys in Krita's own editor of shortcuts."""

from __future__ import annotations

from typing import Any, Callable

from ..i18n import tr

LEARN = "modelsheet_learn_subject"


def listed() -> tuple[tuple[str, str, str], ...]:
    """Each action's name, text, and the menu that Krita shows it in."""
    scripts = "tools/scripts"
    return (
        (LEARN, tr("Learn Subject from Layers…"), "Layer"),
        ("modelsheet_generate", tr("Modelsheet: Generate"), scripts),
        ("modelsheet_apply", tr("Modelsheet: Apply the Selected Results"), scripts),
        ("modelsheet_next_result", tr("Modelsheet: Next Result"), scripts),
        ("modelsheet_previous_result", tr("Modelsheet: Previous Result"), scripts),
        ("modelsheet_cancel", tr("Modelsheet: Cancel What Runs"), scripts),
    )


def meanings(docker: Any) -> dict[str, Callable[[], None]]:
    """What each action does in a docker."""
    controller = docker.controller
    results = controller.panel.results
    return {
        LEARN: docker.learn,
        "modelsheet_generate": controller.generate,
        "modelsheet_apply": controller.apply,
        "modelsheet_next_result": lambda: results.step(1),
        "modelsheet_previous_result": lambda: results.step(-1),
        "modelsheet_cancel": controller.jobs.cancel_first,
    }
