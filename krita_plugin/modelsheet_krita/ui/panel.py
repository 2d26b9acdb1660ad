"""The docker's panel: all its widgets in one column, with signals for the controllers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..i18n import tr, trn
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain
from .image_popup import ImagePopup
from .job_card import JobCard, JobRow
from .job_list import JobListWidget
from .parts.click_guard import ClickGuard
from .parts.elided import ElidedLabel
from .parts.scrolling import ContentScroller, ScrolledContent
from .prompt_box import PromptBox
from .result_gallery import KEY, ResultGallery, ResultsHeader
from .subject_list import SubjectListWidget
from .widgets import (
    FullHeightList,
    IconLoader,
    Notice,
    Policy,
    WheelFilter,
    add_action,
    push_button,
    refresh_icons,
    tool_button,
)

LOW_LINES = 36  # a docker with fewer shows what is not needed at once folded or small
THEME_EVENTS = frozenset({QtCore.QEvent.Type.PaletteChange, QtCore.QEvent.Type.StyleChange})


class Panel(QtWidgets.QWidget):
    """Shows subjects, prompt, jobs and results; contains no logic.

    One scroll area has all but what stays in view below it: the running jobs and Apply.
    """

    apply_wanted = Signal(object, str)  # keys of results; layers, above, into, sheet or frames
    result_wanted = Signal(str, object)  # again, vary, ...; keys of results
    job_wanted = Signal(str, str)  # job id; action of a JobCard's button
    job_moved = Signal(str, object)  # job id; id of the job to move it before, or None for the end
    backend_wanted = Signal(str)  # settings, setup, restart, stop, report
    activity_changed = Signal(str)  # line about the running job, empty without one
    news = Signal(str)  # a sentence or the title of new results

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self.icon = icon
        self._em = self.fontMetrics().height()
        self._is_ready = False
        self.subjects = SubjectListWidget(icon)
        self.box = PromptBox(icon)
        self.popup = ImagePopup(self)
        self.prompt, self.generate = self.box.prompt, self.box.generate
        self._make_jobs_and_notices()
        self._make_results()
        self._make_status()
        self.content = ScrolledContent()
        column = QtWidgets.QVBoxLayout(self.content)
        for widget in (
            self.connection_notice,
            self.subjects,
            self.box,
            self.notice,
            self.jobs.waiting,
            self.results_header,
        ):
            column.addWidget(widget)
        column.addWidget(self.results, 1)
        self.scroll_area = QtWidgets.QScrollArea()
        self.scroll_area.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setWidget(self.content)
        self._lay_out(column)
        self._wheel_filter = WheelFilter(self)
        self._wheel_filter.watch(self)
        self._click_guard = ClickGuard(self, self.content)
        self._click_guard.watch()
        self._scroller = ContentScroller(self.scroll_area, self.prompt, self._click_guard)

    def _lay_out(self, column: QtWidgets.QVBoxLayout) -> None:
        margin = self._em // 3
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(margin)
        below = QtWidgets.QVBoxLayout()
        below.setContentsMargins(margin, 0, margin, margin)
        below.setSpacing(margin // 2)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.preview)
        buttons.addWidget(self.apply, 1)
        buttons.addWidget(self.apply_as)
        buttons.addWidget(self.backend)
        below.addWidget(self.status)
        below.addWidget(self.jobs)
        below.addLayout(buttons)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(margin)
        layout.addWidget(self.scroll_area, 1)
        layout.addLayout(below)

    def minimumSizeHint(self) -> QtCore.QSize:
        # What a job shows must not push other dockers away.
        return QtCore.QSize(8 * self._em, 10 * self._em)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_height()

    def _fit_height(self) -> None:
        """Fold and shrink in a low docker what is not needed at once."""
        is_low = self.height() < LOW_LINES * self._em
        self.status.setVisible(not (is_low and self._is_ready))
        self.jobs.set_compact(is_low)
        self.subjects.prefer_folded(is_low)
        self.jobs.prefer_open(not is_low)

    def _make_jobs_and_notices(self) -> None:
        self.connection_notice = Notice(self.icon, "modelsheet_trouble")
        self.notice = Notice(self.icon, "modelsheet_notice")
        for notice in (self.connection_notice, self.notice):
            notice.shown.connect(partial(self._on_notice, notice))
        self.jobs = JobListWidget(self.icon)
        self.jobs.wanted.connect(self.job_wanted)
        self.jobs.moved.connect(self.job_moved)
        self.jobs.hide()

    def _make_results(self) -> None:
        self.results = ResultGallery(
            tr("What you generate appears here. The document changes only when you press Apply.")
        )
        self.results_header = ResultsHeader(self.icon)
        self.results.setObjectName("modelsheet_results")
        self.results.setAccessibleName(tr("Results"))
        self.results.group_chosen.connect(
            lambda title: self.news.emit(tr("New pictures: {title}", title=title))
        )
        for view in (self.results, self.subjects.items):
            view.reveal_wanted.connect(partial(self._on_reveal_wanted, view))
        self.results.itemSelectionChanged.connect(self._on_results_selected)
        self.results.itemDoubleClicked.connect(
            lambda item: self.apply_wanted.emit([item.data(KEY)], "layers")
        )
        self.results.key_pressed.connect(self._on_result_key)
        self.results.customContextMenuRequested.connect(self._on_result_menu)
        self.apply = push_button(self.icon, "dialog-ok", tr("Apply"), "modelsheet_apply")
        self.apply.setToolTip(
            tr("Put the selected pictures into the document in front, as layers on top")
        )
        self.apply.setSizePolicy(Policy.Ignored, Policy.Fixed)  # its longest text must not widen
        self.apply.setEnabled(False)
        self.apply.clicked.connect(partial(self._apply, "layers"))
        self.apply_as = tool_button(self.icon, "arrow-down", tr("Apply in another way"))
        self.apply_as.setObjectName("modelsheet_apply_as")
        self.apply_as.setEnabled(False)
        self.apply_as.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self.apply_as)
        for how, text in (
            ("layers", tr("On Top of All Layers")),
            ("above", tr("Above the Active Layer")),
            ("into", tr("Into the Active Layer")),
            ("sheet", tr("As a Sheet on One Layer")),
            ("frames", tr("As Frames of an Animation")),
        ):
            add_action(menu, text, partial(self._apply, how))
        self.apply_as.setMenu(menu)
        self.preview = tool_button(
            self.icon, "visible", tr("Show the selected picture on the canvas before it is applied")
        )
        self.preview.setObjectName("modelsheet_show_on_canvas")
        self.preview.setCheckable(True)

    def _make_status(self) -> None:
        self.status = ElidedLabel()
        self.status.setObjectName("modelsheet_status")
        self.status.setEnabled(False)
        self.backend = tool_button(self.icon, "configure", tr("The backend"))
        self.backend.setObjectName("modelsheet_backend")
        self.backend.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self.backend)
        for action, text in (
            ("settings", tr("Backend Settings…")),
            ("setup", tr("Set Up, Repair or Remove…")),
            ("restart", tr("Restart")),
            ("stop", tr("Stop")),
            ("report", tr("Copy a Report of What Is Wrong")),
        ):
            add_action(menu, text, partial(self.backend_wanted.emit, action))
        self.backend.setMenu(menu)

    def show_status(self, text: str, hint: str = "", *, is_ready: bool) -> None:
        """Show the backend's state, with a hint in the tooltip."""
        self._is_ready = is_ready
        self.status.setText(text)
        self.status.explain(hint)
        self.backend.setToolTip(plain(f"{text}\n{hint}".strip()))
        self._fit_height()

    def show_jobs(self, rows: Sequence[JobRow]) -> None:
        """Show the cards of these jobs."""
        self.jobs.setVisible(bool(rows))
        self.jobs.show_rows(rows)
        self._click_guard.watch()
        first = rows[0] if rows else None
        self.activity_changed.emit(f"{first.title} · {first.detail}" if first else "")

    def card(self, job_id: str) -> JobCard | None:
        """Return a job's card, if it is shown."""
        return self.jobs.cards.get(job_id)

    def thumbnail_side(self, view: QtWidgets.QListWidget) -> int:
        """Return the side of a view's thumbnails in device pixels, so that they are sharp."""
        return round(view.iconSize().width() * self.devicePixelRatioF())

    def changeEvent(self, event: QtCore.QEvent) -> None:
        super().changeEvent(event)
        if event.type() in THEME_EVENTS:
            refresh_icons(self, self.icon)

    def result_menu(self) -> QtWidgets.QMenu:
        """Make the menu of the selected results."""
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        for action, text in (
            ("again", tr("Again, with a New Seed")),
            ("vary", tr("Vary")),
            ("reference", tr("Start the Next Pictures from This One")),
            ("prompt", tr("Use Its Prompt and Seed")),
            ("star", tr("Star, or No Star") + "\tS"),
            ("save", tr("Save As…")),
            ("discard", tr("Remove from This List") + "\tDel"),
        ):
            add_action(menu, text, partial(self._on_result_action, action))
        return menu

    def _on_notice(self, notice: Notice) -> None:
        self._scroller.show(notice, notice.rect)
        self.news.emit(notice.text.text())

    def _on_reveal_wanted(self, view: FullHeightList, part: QtCore.QRect) -> None:
        self._scroller.show(view, lambda: part)

    def _on_result_menu(self, position: QtCore.QPoint) -> None:
        if self.results.chosen():
            self.result_menu().popup(not_none(self.results.viewport()).mapToGlobal(position))

    def _on_result_key(self, key: int) -> None:
        if key == QtCore.Qt.Key.Key_Delete:
            self._on_result_action("discard")
        elif key == QtCore.Qt.Key.Key_S:
            self._on_result_action("star")
        elif self.results.chosen():
            self._apply("layers")

    def _on_result_action(self, action: str) -> None:
        self.result_wanted.emit(action, self.results.chosen())

    def _apply(self, how: str, _: bool = False) -> None:
        self.apply_wanted.emit(self.results.chosen(), how)

    def _on_results_selected(self) -> None:
        chosen = len(self.results.chosen())
        self.apply.setEnabled(chosen > 0)
        self.apply_as.setEnabled(chosen > 0)
        several = trn("Apply {count} Picture", "Apply {count} Pictures", chosen)
        self.apply.setText(several if chosen > 1 else tr("Apply"))
