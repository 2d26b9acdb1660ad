"""State of one open form: the character, its drawings, and what was drawn of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from ..backend.api_requests import AnimateRequest, FigureFit
from ..backend.api_responses import Action, JobResult
from ..document.document import OpenDocument
from ..document.model_sheets import ModelSheet
from ..i18n import tr
from ..image import Image, thumbnail
from ..ui.animation.animate_dialog import KEY_VIEWS, AnimateDialog
from ..ui.animation.drawing_list import DrawingRow
from ..ui.animation.fit_editor import FittedFigure
from .action_titles import title_of_action
from .drawings import Drawings
from .insertion import Corner
from .own_motions import OwnMotion
from .pictures import Pictures


class AnimateSession:
    """State of the form, and what it was made from.

    `sheet`: the key views in the document, once they are there. `subject`: its handle where the
    subject's own pictures are the drawings. `corner`: of the pictures in the document.
    """

    def __init__(
        self,
        dialog: AnimateDialog,
        document: OpenDocument | None,
        *,
        sheet: ModelSheet | None = None,
        subject: str = "",
    ) -> None:
        self.dialog, self.document = dialog, document
        self.sheet, self.subject = sheet, subject
        self.name = sheet.name if sheet else subject
        self.drawings = Drawings()
        self.actions: Sequence[Action] | None = None  # None before the backend has told them
        self.motions: Sequence[OwnMotion] = ()
        self.pictures = Pictures()
        self.job_id = ""  # of the running job
        self.is_busy = False
        self.is_fetching = False  # pictures of the running job
        self.is_fit_own = False  # moved by the artist, or kept with the sheet
        self.fit: FigureFit | None = None  # in px of the document
        self.corner: Corner = (0, 0)

    @property
    def titles(self) -> dict[str, str]:
        """Titles of all actions by name."""
        known = {one.name: title_of_action(one.name, one.title) for one in self.actions or ()}
        return {**{one.name: one.title for one in self.motions}, **known}

    @property
    def durations_ms(self) -> dict[str, int]:
        """Duration of a frame of each action."""
        known = {one.name: one.frame_ms for one in self.motions}
        return {**known, **{one.name: one.frame_ms for one in self.actions or ()}}

    def looping(self) -> list[str]:
        """Return the names of the actions that loop; the artist's own are taken to."""
        known = self.actions or ()
        return [one.name for one in known if one.loops] + [one.name for one in self.motions]

    def request(self, actions: Sequence[str]) -> AnimateRequest:
        """Return the form's entries as a request for these actions, without any picture."""
        known = {one.name for one in self.actions or ()}
        return AnimateRequest(
            subject=f"@{self.subject}" if self.subject else None,
            views=tuple(self.dialog.chosen_views()),
            actions=tuple(name for name in actions if name in known),
            fit=self._fit_in_drawing(),
            size=self.dialog.frame_size(),
        )

    def chosen_motions(self, actions: Sequence[str]) -> list[OwnMotion]:
        """Return the artist's own motions among the actions, in the views that are ticked.

        One that has none of them is drawn in its own views, as the backend's actions are.
        """
        ticked = self.dialog.chosen_views()
        chosen = [one for one in self.motions if one.name in actions]
        seen = {one.name for one in chosen if one.view in ticked}
        return [one for one in chosen if one.view in ticked or one.name not in seen]

    def set_fit(self, fit: FigureFit) -> None:
        """Remember a fit, given in px of the first drawing."""
        self.fit = moved(fit, *self.drawings.corner)

    def show_drawings(self) -> None:
        """Show the drawings in the form, and where they come from."""
        listed = self.dialog.drawings
        rows = [
            DrawingRow(thumbnail(image, listed.thumbnail_side), image.name, view)
            for image, view in zip(self.drawings.images, self.drawings.views)
        ]
        if self.sheet is not None:
            text = tr("The layers of “{name}”, as they are when you press Animate.", name=self.name)
        elif self.subject:
            text = tr("The pictures that @{word} was learnt from.", word=self.subject)
        else:
            text = tr("Say which side each drawing shows.")
        listed.show_rows(rows, text, is_fixed=self.sheet is not None)

    def show_pictures(self) -> None:
        """Play in the form what was drawn so far."""
        titles = {KEY_VIEWS: tr("Key views"), **self.titles}
        self.dialog.show_pictures(self.pictures.played(), titles)

    def place(self, result: JobResult) -> None:
        """Note where the pictures go: where the drawings are, else into the middle."""
        x, y = self.drawings.corner
        self.corner = x + result.origin_x, y + result.origin_y
        shown = next(iter(self.pictures.key_views().values()), None)
        if self.subject and self.document is not None and shown is not None:
            middle = self.document.default_placement()
            self.corner = middle.x - shown.width // 2, middle.y - shown.height // 2

    def show_fit(self, result: JobResult, mannequin: Image | None) -> None:
        """Show the mannequin on the first drawing; a subject's own pictures are fitted unseen."""
        drawing = next(iter(self.drawings.images), None)
        if drawing is None or result.fit is None:
            return
        self.set_fit(result.fit)
        corner = result.origin_x, result.origin_y
        self.dialog.fit.show_figure(FittedFigure(drawing, mannequin, corner, result.fit))
        self.dialog.fit_section.show()

    def settings(self) -> dict[str, Any]:
        """Return what is kept with the sheet to animate it again."""
        return {
            "views": self.dialog.chosen_views(),
            "actions": self.dialog.chosen_actions(),
            "size": self.dialog.frame_size(),
            "fit": asdict(self.fit) if self.fit and self.is_fit_own else None,
        }

    def restore_settings(self) -> None:
        """Show the sheet's settings in the form; a damaged entry is left out."""
        known = self.sheet.settings if self.sheet else {}
        views = known.get("views")
        if isinstance(views, list) and views:
            for view, box in self.dialog.views.items():
                box.setChecked(view in views)
        row = self.dialog.size_box.findData(known.get("size"))
        self.dialog.size_box.setCurrentIndex(max(0, row))
        try:
            self.fit = FigureFit(**known["fit"])
            self.is_fit_own = True
        except (KeyError, TypeError):
            self.fit = None

    def _fit_in_drawing(self) -> FigureFit | None:
        if self.fit is None or not self.is_fit_own:
            return None
        x, y = self.drawings.corner
        return moved(self.fit, -x, -y)


def moved(fit: FigureFit, x: float, y: float) -> FigureFit:
    """Move a fit to the right and down."""
    return replace(
        fit, top=fit.top + y, neck=fit.neck + y, feet=fit.feet + y, centre=fit.centre + x
    )
