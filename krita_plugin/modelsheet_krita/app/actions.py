"""Actions of the docker that can be bound to keys in Krita's editor of shortcuts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable

from ..i18n import tr

if TYPE_CHECKING:
    from ..animation.animate import AnimateController
    from ..controllers.controller import Controller

LEARN = "modelsheet_learn_subject"
MODEL_SHEET = "modelsheet_model_sheet"


def all_actions() -> tuple[tuple[str, str, str], ...]:
    """Return each action's name, text, and the menu that Krita shows it in."""
    scripts = "tools/scripts"
    return (
        (LEARN, tr("Learn Subject from Layers…"), "Layer"),
        (MODEL_SHEET, tr("Model Sheet…"), "Layer"),
        ("modelsheet_use_motion", tr("Use as Motion…"), "Layer"),
        ("modelsheet_generate", tr("Modelsheet: Generate"), scripts),
        ("modelsheet_apply", tr("Modelsheet: Apply the Selected Results"), scripts),
        ("modelsheet_next_result", tr("Modelsheet: Next Result"), scripts),
        ("modelsheet_previous_result", tr("Modelsheet: Previous Result"), scripts),
        ("modelsheet_cancel", tr("Modelsheet: Cancel What Runs"), scripts),
    )


def handlers(
    controller: Controller, animate: AnimateController, show_docker: Callable[[], None]
) -> dict[str, Callable[[], None]]:
    """Map each action's name to its handler in one docker.

    Those of the Layer menu show the docker first: it says what is wrong.
    """
    results = controller.panel.results
    return {
        LEARN: partial(_after, show_docker, controller.learn.open),
        MODEL_SHEET: partial(_after, show_docker, animate.open),
        "modelsheet_use_motion": partial(_after, show_docker, animate.use_motion.open),
        "modelsheet_generate": controller.generate.generate,
        "modelsheet_apply": controller.generate.apply,
        "modelsheet_next_result": lambda: results.step(1),
        "modelsheet_previous_result": lambda: results.step(-1),
        "modelsheet_cancel": controller.jobs.stop_first,
    }


def _after(first: Callable[[], None], second: Callable[[], None]) -> None:
    first()
    second()
