"""Places of the subjects in a prompt: shows which layers say where each is painted, reads them."""

from __future__ import annotations

from typing import Callable

from ..document.document import OpenDocument
from ..errors import BadInput, PluginError
from ..i18n import tr
from ..prompt_regions import RegionPrompts, split_prompt
from ..qt import QtCore
from ..ui.generation_settings import GenerationSettings
from ..ui.panel import Panel
from .generate_request import PlacedSubjects
from .notices import Notices

CHECK_MS = 1000  # Krita does not tell when a layer is added or renamed


class SubjectPlacesController:
    """Watches the prompt for several subjects, and then the layers of the document in front."""

    def __init__(
        self, panel: Panel, notices: Notices, current_document: Callable[[], OpenDocument]
    ) -> None:
        self._panel, self._current_document = panel, current_document
        self._timer = QtCore.QTimer(panel)
        self._timer.setInterval(CHECK_MS)
        self._timer.timeout.connect(self._show)
        panel.prompt.textChanged.connect(self._show)
        panel.box.places.place_wanted.connect(notices.guard(self._add))

    def read(self, prompt: str, settings: GenerationSettings) -> PlacedSubjects | None:
        """Read the masks of the prompt's subjects, if it names several and all have a place.

        Raises BadInput when a layer covers nothing.
        """
        prompts = split_prompt(prompt)
        if not self._all_placed(prompts):
            return None
        if settings.source != "nothing":
            raise BadInput(
                tr(
                    "Subjects with places of their own are painted on an empty picture. Set "
                    "“Start from” to that, or rename the layers."
                )
            )
        masks = self._current_document().read_places(
            prompts.subjects, whole_canvas=settings.size == "canvas"
        )
        return PlacedSubjects(prompts, masks)

    def _all_placed(self, prompts: RegionPrompts) -> bool:
        places = self._find(prompts)
        return len(prompts.subjects) > 1 and len(places) == len(prompts.subjects)

    def _find(self, prompts: RegionPrompts) -> dict[str, str]:
        if len(prompts.subjects) < 2:
            return {}
        try:
            return self._current_document().places(prompts.subjects)
        except PluginError:  # no document: they blend
            return {}

    def _show(self) -> None:
        prompts = split_prompt(self._panel.prompt.text())
        several = prompts.subjects if len(prompts.subjects) > 1 else {}
        places = self._find(prompts)
        self._panel.box.places.show_places({one: places.get(one, "") for one in several})
        if several and not self._timer.isActive():
            self._timer.start()
        elif not several:
            self._timer.stop()

    def _add(self, subject: str) -> None:
        """Make the selection the subject's place."""
        subjects = list(split_prompt(self._panel.prompt.text()).subjects)
        self._current_document().add_place(subject, subjects.index(subject))
        self._show()
