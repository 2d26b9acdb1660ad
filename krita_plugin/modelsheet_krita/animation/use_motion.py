"""Use the selected layers, grey figures as frames, as a motion that characters can do."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..document.document import OpenDocument
from ..errors import BadInput
from ..i18n import tr, trn
from ..image import Image, ReadOptions, ReadResult
from ..tasks import IncrementalTask, guarded
from ..ui.name_dialog import NameDialog
from ..ui.panel import Panel
from ..view_names import title_of, view_in, without_view
from .own_motions import OwnMotion, OwnMotions, check_figures

FRAMES = ReadOptions(each_child=True, frames=True, inside_selection=False)


class UseMotion:
    """Owns the newest dialog; `on_saved` is called with each motion that was saved."""

    def __init__(
        self,
        panel: Panel,
        motions: OwnMotions,
        current_document: Callable[[], OpenDocument],
        show_error: Callable[[Exception], None],
    ) -> None:
        self._panel, self._motions = panel, motions
        self._current_document, self._show_error = current_document, show_error
        self.dialog: NameDialog | None = None
        self.on_saved: Callable[[OwnMotion], None] = lambda motion: None
        self._task: IncrementalTask[ReadResult] | None = None

    def open(self) -> None:
        """Read the selected layers and ask for the motion's name; show why that is impossible."""
        guarded(self._open, self._show_error)

    def _open(self) -> None:
        document = self._current_document()
        frame_ms = document.frame_ms()
        self._task = IncrementalTask(
            document.read_layers(FRAMES), partial(self._ask, frame_ms), self._show_error
        )

    def _ask(self, frame_ms: int, result: ReadResult) -> None:
        figures = _in_time(result.images)
        error = check_figures(figures)
        if error:
            raise BadInput(error)
        if self.dialog is not None:
            self.dialog.deleteLater()
        first = figures[0].name.split(",")[0]
        view = title_of(view_in(first) or "front")
        self.dialog = dialog = NameDialog(
            self._panel.icon,
            self._panel.window(),
            tr("Use as Motion"),
            name=f"{without_view(first)} {view}".strip(),
            tip=tr("What you call the motion, and the side that the figures show"),
            validate=_name_error,
            explain=partial(_explain, len(figures), frame_ms),
        )
        save = partial(self._save, dialog, frame_ms, figures)
        dialog.sent.connect(lambda name: guarded(partial(save, name), self._show_error))
        dialog.show()

    def _save(self, dialog: NameDialog, frame_ms: int, figures: Sequence[Image], name: str) -> None:
        dialog.accept()
        motion = self._motions.save(without_view(name), view_in(name) or "front", frame_ms, figures)
        text = tr("“{title}” is an action now: tick it in Model Sheet.", title=motion.title)
        self._panel.notice.say(text, icon="dialog-ok")
        self.on_saved(motion)


def _in_time(images: Sequence[Image]) -> Sequence[Image]:
    """Return frames in order; of layers the lowest is the first, as in Krita's own conversion."""
    is_animated = any("frame" in image.notes for image in images)
    return images if is_animated else images[::-1]


def _name_error(name: str) -> str:
    return "" if without_view(name) else tr("Give the motion a name.")


def _explain(count: int, frame_ms: int, name: str) -> str:
    return trn(
        "{count} frame of {duration} ms, seen from: {view}. Write front, left, back or right for "
        "another side.",
        "{count} frames of {duration} ms each, seen from: {view}. Write front, left, back or "
        "right for another side.",
        count,
        duration=frame_ms,
        view=title_of(view_in(name) or "front"),
    )
