"""Model sheets: open the form, submit what it asks, show what arrives, insert or save results."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Callable

from ..backend import workflows
from ..backend.api_requests import OwnAction
from ..backend.api_responses import ActionList, JobView
from ..backend.connection_thread import BackendConnection, ConnectionState
from ..controllers.jobs import Jobs
from ..controllers.notices import Notices, sentence_of
from ..controllers.subjects import Subjects
from ..document.document import OpenDocument
from ..errors import BackendError, BadInput, RequestRefused
from ..i18n import tr, trn
from ..tasks import IncrementalTask, guarded
from ..ui.animation.animate_dialog import ActionRow, AnimateDialog
from ..ui.panel import Panel
from ..view_names import title_of
from . import form_checks, insertion
from .drawings import Drawings, name_of, read_drawings
from .frame_times import exact_rate
from .own_motions import OwnMotion, OwnMotions
from .picture_fetcher import PictureFetcher
from .pictures import Pictures
from .session import AnimateSession
from .sheet_files import SheetSaver
from .use_motion import UseMotion

USUAL_ACTION = "walk"
MOST_EXACT = 30  # frames a second; more would need many clicks from frame to frame


class AnimateController:
    """Owns the newest form and its session."""

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        jobs: Jobs,
        subjects: Subjects,
        motions: OwnMotions,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._jobs, self._subjects, self._motions = jobs, subjects, motions
        self._current_document = current_document
        self._session: AnimateSession | None = None
        self._task: IncrementalTask[Any] | None = None
        self._fetcher = PictureFetcher(connection)
        self.saver = SheetSaver()
        self.use_motion = UseMotion(panel, motions, current_document, self._show_error)
        self.use_motion.on_saved = self._on_motion
        panel.subjects.sheet_wanted.connect(self.open)
        panel.subjects.subject_sheet_wanted.connect(notices.guard(self._open_for_subject))
        connection.subscribe(panel, state=self._on_state, closing=self._end_session)

    @property
    def session(self) -> AnimateSession:
        """The newest form's state."""
        assert self._session is not None
        return self._session

    @property
    def dialog(self) -> AnimateDialog:
        """The newest form."""
        return self.session.dialog

    @property
    def is_inserting(self) -> bool:
        """True while layers are read or pictures are being inserted."""
        return self._task is not None and self._task.is_running

    def open(self) -> None:
        """Read the selected layers and open the form; show why that is impossible."""
        self._notices.attempt(self._open)

    def _open(self) -> None:
        if self._is_open():
            return
        document = self._current_document()
        sheet = document.selected_sheet()
        session = self._start_session(AnimateSession(self._make_dialog(), document, sheet=sheet))
        self._run(read_drawings(document, sheet), partial(self._on_read, session))

    def _open_for_subject(self, subject_id: str) -> None:
        if self._is_open():
            return
        word = self._subjects.mention(self._subjects.get(subject_id))
        try:
            document: OpenDocument | None = self._current_document()
        except BadInput:
            document = None  # needed only to insert the pictures
        session = AnimateSession(self._make_dialog(), document, subject=word)
        self._show(self._start_session(session))

    def _is_open(self) -> bool:
        """Bring an open form to the front, unless nothing was drawn in it yet."""
        if self._session is None or not self._session.dialog.isVisible():
            return False
        if not self._session.is_busy and not self._session.pictures.played():
            return False
        self._session.dialog.raise_()
        self._session.dialog.activateWindow()
        return True

    def _make_dialog(self) -> AnimateDialog:
        self._panel.notice.hide()
        dialog = AnimateDialog(self._panel.icon, self._panel.window())
        guard = self._guard
        dialog.changed.connect(guard(self._check))
        dialog.fit.changed.connect(guard(self._on_fit_moved))
        dialog.key_views_wanted.connect(guard(partial(self._submit, False)))
        dialog.animate_wanted.connect(guard(partial(self._submit, True)))
        dialog.motion_wanted.connect(self.use_motion.open)
        dialog.insert_wanted.connect(guard(self._insert))
        dialog.finished.connect(guard(lambda *_: self._cancel()))
        return dialog

    def _guard(self, action: Callable[..., object]) -> Callable[..., None]:
        """Return a slot that shows errors in the form, where the artist looks."""

        def run(*arguments: object) -> None:
            guarded(partial(action, *arguments), self._show_error)

        return run

    def _start_session(self, session: AnimateSession) -> AnimateSession:
        self._end_session()
        self._session = session
        return session

    def _end_session(self) -> None:
        if self._session is not None:
            self._cancel()
            self._session.dialog.close()
            self._session.dialog.deleteLater()
            self._session = None

    def _cancel(self) -> None:
        """Stop what runs for the form."""
        if self._session is not None and self._session.job_id:
            self._jobs.cancel(self._session.job_id)

    def _on_read(self, session: AnimateSession, drawings: Drawings) -> None:
        assert session.document is not None
        session.drawings = drawings
        session.name = session.name or name_of(drawings, session.document)
        session.restore_settings()
        if drawings.remarks:
            session.dialog.remarks.say(tr("Left out:") + " " + " ".join(drawings.remarks))
        self._show(session)

    def _show(self, session: AnimateSession) -> None:
        dialog = session.dialog
        dialog.setWindowTitle(tr("Model Sheet: {name}", name=session.name))
        dialog.player.explain(tr("The key views appear here."))
        session.show_drawings()
        session.motions = self._motions.all()
        self._request_actions(session)
        self._check()
        dialog.show()

    def _request_actions(self, session: AnimateSession) -> None:
        self._connection.request(
            lambda client: client.actions(),
            partial(self._on_actions, session),
            partial(self._on_no_actions, session),
        )

    def _on_actions(self, session: AnimateSession, found: ActionList) -> None:
        session.actions = found.actions
        self._show_actions(session)

    def _on_no_actions(self, session: AnimateSession, error: BackendError) -> None:
        sentence = str(error)
        if isinstance(error, RequestRefused) and error.code == "not-found":
            sentence = tr("This backend cannot animate. Update it, then start Krita again.")
        retry = partial(self._request_actions, session)
        session.dialog.remarks.say(sentence, action=tr("Try Again"), on_action=retry)

    def _show_actions(self, session: AnimateSession, also: Sequence[str] = ()) -> None:
        """Offer the backend's actions and the artist's own; tick the sheet's, or to walk."""
        rows = [
            ActionRow(one.name, session.titles[one.name], _described(one.frames, one.frame_ms))
            for one in session.actions or ()
        ]
        own: dict[str, list[OwnMotion]] = {}
        for motion in session.motions:
            own.setdefault(motion.name, []).append(motion)
        for name, motions in own.items():
            views = ", ".join(title_of(one.view) for one in motions)
            tip = f"{_described(len(motions[0].figures), motions[0].frame_ms)} · {views}"
            rows.append(ActionRow(name, motions[0].title, tip))
        kept = session.sheet.settings.get("actions") if session.sheet else None
        ticked = kept if isinstance(kept, list) and kept else [USUAL_ACTION]
        session.dialog.show_actions(rows, [*ticked, *also])
        for name in also:
            session.dialog.action_boxes[name].setChecked(True)
        self._check()

    def _on_motion(self, motion: OwnMotion) -> None:
        if self._session is not None and self._session.dialog.isVisible():
            self._session.motions = self._motions.all()
            self._show_actions(self._session, [motion.name])

    def _on_state(self, state: ConnectionState) -> None:
        if self._session is not None and self._session.dialog.isVisible():
            if state.phase == "connected" and self._session.actions is None:
                self._request_actions(self._session)
            self._check()

    def _check(self) -> None:
        """Show what is missing, and the frame rates that fit the actions."""
        session = self.session
        is_connected = self._connection.state.phase == "connected"
        missing, hint = form_checks.check(session, is_connected=is_connected)
        session.dialog.show_missing(missing, hint)
        session.dialog.show_rates(self._rates(session))

    def _rates(self, session: AnimateSession) -> list[tuple[int, str]]:
        """Return the document's frame rate and the one that keeps each frame's time exactly."""
        chosen = session.dialog.chosen_actions()
        known = session.durations_ms
        exact = exact_rate([known[name] for name in chosen if name in known])
        found = [(exact, tr("{count} per second (exact times)", count=exact))]
        document = session.document
        if document is not None and document.is_open:
            kept = document.sheets.frames_per_second
            text = tr("{count} per second (the document’s)", count=kept)
            if exact > MOST_EXACT or document.sheets.has_animation:
                found.insert(0, (kept, text))
            else:
                found.append((kept, text))
        return [*{rate: (rate, text) for rate, text in reversed(found)}.values()][::-1]

    def _on_fit_moved(self) -> None:
        session = self.session
        fit = session.dialog.fit.fit()
        if fit is not None:
            session.is_fit_own = True
            session.set_fit(fit)

    def _submit(self, is_animation: bool) -> None:
        """Read the key views of a sheet as they are now, then submit."""
        session = self.session
        session.dialog.remarks.hide()
        session.is_busy = True
        self._check()
        actions = session.dialog.chosen_actions() if is_animation else []
        if session.sheet is None or session.document is None:
            self._send(session, actions)
            return

        def read(drawings: Drawings) -> None:
            session.drawings = drawings
            session.show_drawings()
            self._send(session, actions)

        self._run(read_drawings(session.document, session.sheet), read)

    def _send(self, session: AnimateSession, actions: Sequence[str]) -> None:
        motions = [
            (OwnAction(one.name, one.view, (), one.frame_ms), one.figures)
            for one in session.chosen_motions(actions)
        ]
        views = session.dialog.drawings.views()
        drawings = list(zip(views, session.drawings.images))
        session.dialog.show_progress(tr("Sending the drawings…"))
        self._connection.request(
            partial(
                workflows.animate,
                request=session.request(actions),
                drawings=drawings,
                motions=motions,
            ),
            partial(self._on_submitted, session),
            partial(self._on_refused, session),
        )

    def _on_submitted(self, session: AnimateSession, job: JobView) -> None:
        session.job_id, session.pictures = job.id, Pictures()
        if session is not self._session or not session.dialog.isVisible():
            self._jobs.cancel(job.id)
            return
        self._jobs.follow(job, partial(self._on_job, session))

    def _on_refused(self, session: AnimateSession, error: BackendError) -> None:
        self._stop_waiting(session)
        session.dialog.remarks.say(str(error))

    def _stop_waiting(self, session: AnimateSession) -> None:
        session.job_id, session.is_busy = "", False
        session.dialog.show_progress("")
        if session is self._session:
            self._check()

    def _on_job(self, session: AnimateSession, job: JobView) -> None:
        if session is not self._session:
            return
        if not job.is_over:
            session.dialog.show_progress(form_checks.progress_text(job), job.progress.fraction)
            self._fetcher.fetch_arrived(session, job)
            return
        self._stop_waiting(session)
        if job.error is not None:
            session.dialog.remarks.say(job.error.sentence)
        elif job.result is not None:
            refused = partial(self._on_refused, session)
            self._fetcher.fetch(session, job.result, self._check, refused)

    def _insert(self, how: str) -> None:
        """Insert the pictures (layers or sheet), or save them for an engine."""
        session = self.session
        session.dialog.remarks.hide()
        strips = session.pictures.strips(session.looping())
        if not strips:
            raise BadInput(form_checks.nothing_drawn())
        if how not in ("layers", "sheet"):
            self.saver.open(session.dialog, session.name, strips, how)
            return
        if session.document is None or not session.document.is_open:
            session.document = self._current_document()
        self._run(self._inserted(session, session.document, how), self._say_inserted)

    def _inserted(
        self, session: AnimateSession, document: OpenDocument, how: str
    ) -> Generator[None, None, str]:
        """Insert the pictures; return a remark."""
        strips = session.pictures.strips(session.looping())
        name = tr("Model sheet: {name}", name=session.name)
        if how == "sheet":
            target = yield from insertion.insert_sheet(document, name, strips, session.corner)
            target.show_message(tr("The sheet is in “{document}”", document=target.name))
            return ""
        views = session.pictures.key_views() or {one.view: one.images[0] for one in strips}
        drawn = next(iter(session.drawings.views), "")
        layout = insertion.lay_out(views, session.corner, document, session.sheet, drawn)
        settings = session.settings()
        if not session.pictures.actions:
            sheet = yield from insertion.insert_key_views(document, name, views, layout, settings)
            session.sheet = replace(sheet, name=session.name)
            document.sheets.note(session.sheet)
            session.drawings = yield from read_drawings(document, session.sheet)
            session.show_drawings()
            return form_checks.key_views_inserted(session.drawings.views)
        former = session.sheet
        group = yield from insertion.insert_animation(
            document,
            insertion.animation_name(name),
            strips,
            session.titles,
            layout,
            frames_per_second=int(session.dialog.rate.currentData()),
            hides=[former.group, former.animation] if former else [],
        )
        if former is not None:
            session.sheet = replace(former, animation=group, settings=settings)
            document.sheets.note(session.sheet)
        document.show_message(tr("The animation is in “{document}”", document=document.name))
        return form_checks.animation_inserted(is_sheet=former is not None)

    def _say_inserted(self, remark: str) -> None:
        if remark:
            self.session.dialog.remarks.say(remark, icon="dialog-ok")
        self._check()

    def _run(self, work: Generator[None, None, Any], on_done: Callable[[Any], None]) -> None:
        if self._task is not None:
            self._task.stop()
        self._task = IncrementalTask(work, on_done, self._show_error)

    def _show_error(self, error: Exception) -> None:
        """Show an error in the form, or in the docker while the form is not open."""
        session = self._session
        if session is None or not session.dialog.isVisible():
            self._notices.show_error(error)
            return
        session.dialog.remarks.say(sentence_of(error))
        session.is_busy = bool(session.job_id)
        self._check()


def _described(count: int, frame_ms: int) -> str:
    return trn(
        "{count} frame of {duration} ms",
        "{count} frames of {duration} ms",
        count,
        duration=frame_ms,
    )
