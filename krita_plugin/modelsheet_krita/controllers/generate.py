"""Generate images for the document in front: submit, repeat, vary, apply."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Any, Callable

from ..backend.api_requests import Explore
from ..backend.api_responses import JobView
from ..backend.client import Client
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..errors import BadInput
from ..i18n import tr
from ..qt import QtCore, not_none
from ..tasks import IncrementalTask
from ..ui.panel import Panel
from . import apply_results, generate_request
from .embedded_subjects import EmbeddedSubjects
from .generate_request import InitImage
from .jobs import Jobs
from .notices import Notices
from .results import Result, Results, Target
from .save_results import ResultSaver
from .saved_state import SavedState


class GenerateController:
    """Submits generate jobs and remembers the target document of each."""

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        jobs: Jobs,
        results: Results,
        embedded_subjects: EmbeddedSubjects,
        saved_state: SavedState,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._jobs, self._results, self._embedded_subjects = jobs, results, embedded_subjects
        self._saved_state, self._current_document = saved_state, current_document
        self.saver = ResultSaver(panel)
        self.apply_tasks: list[IncrementalTask[None]] = []
        self._reference: Result | None = None
        panel.box.generate_wanted.connect(self.generate)
        panel.apply_wanted.connect(notices.guard(self._apply))
        panel.result_wanted.connect(notices.guard(self._act))
        panel.prompt.show_history(saved_state.history())

    def generate(self) -> None:
        """Submit the panel's prompt and settings; show the error if that is impossible."""
        self._notices.attempt(self.submit)

    def apply(self) -> None:
        """Apply the selected results as layers; show the error if that is impossible."""
        self._notices.attempt(partial(self._apply, self._panel.results.chosen(), "layers"))

    def submit(
        self,
        explore: Explore | None = None,
        on_submitted: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        """Submit the panel's prompt and settings for the document in front.

        `on_submitted` gets the job's id. Raises BadInput.
        """
        box = self._panel.box
        prompt = " ".join(box.prompt.text().split())
        if not prompt:
            raise BadInput(tr("Write what to paint, for example: @hero holding sword."))
        if box.random.isChecked():
            box.seed.setValue(_random_seed(box.seed.maximum()))
        settings = box.advanced.settings()
        target = self._target()
        init = None
        if settings.source == "canvas":
            init, target = self._read_canvas()
        elif settings.source == "picture" and self._reference is not None:
            init = InitImage(self._reference.image)
        request = generate_request.build_request(
            prompt,
            settings,
            count=box.count.value(),
            seed=box.seed.value(),
            cut_out=box.cut_out.isChecked(),
            size=self._size(settings.size),
            init=init,
            explore=explore,
        )
        self._saved_state.remember_prompt(prompt)
        box.prompt.show_history(self._saved_state.history())
        self._panel.notice.hide()
        self._request(request.submit, target, on_submitted)

    def _request(
        self,
        call: Callable[[Client], JobView],
        target: Target | None,
        on_submitted: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        def submitted(job: JobView) -> None:
            on_submitted(job.id)
            self._jobs.follow(job, partial(self._on_job, target))

        self._connection.request(call, submitted, self._notices.show_request_error)

    def _on_job(self, target: Target | None, job: JobView) -> None:
        """Fetch the images once the job is done."""
        if not job.is_over or job.result is None:
            return
        if job.result.warnings:
            self._panel.notice.say(" ".join(job.result.warnings))
        self._results.fetch(job, target)

    def _target(self) -> Target | None:
        try:
            document = self._current_document()
        except BadInput:
            return None  # generating needs no document; applying will ask for one
        return Target(document, document.default_placement())

    def _size(self, size: str) -> tuple[int, int]:
        if size == "model":
            return 0, 0
        x, y, width, height = self._current_document().area(size)
        return generate_request.supported_size(width, height)

    def _read_canvas(self) -> tuple[InitImage, Target]:
        document = self._current_document()
        resolution = self._connection.state.resolution
        image, mask, placement = document.read_init_image(resolution)
        return InitImage(image, mask), Target(document, placement)

    def _act(self, action: str, keys: list[int]) -> None:
        """Carry out an action of the results' menu on the first or on all selected results."""
        selected = self._results.get(keys)
        if not selected:
            raise BadInput(tr("Select the pictures first."))
        first = selected[0]
        if action == "again":
            self._repeat(generate_request.with_seed(_request_of(first), self._random_seed()))
        elif action == "vary":
            request, seed = _request_of(first), first.generated.seed
            self._repeat(generate_request.with_variation(request, seed, self._random_seed()))
        elif action == "reference":
            self._reference = first
            self._panel.box.advanced.offer_result()
        elif action == "prompt":
            self._show_prompt(first)
        elif action == "save":
            self.saver.open(selected)
        elif action == "discard":
            self._results.discard(keys)

    def _repeat(self, request: dict[str, Any]) -> None:
        self._request(lambda client: client.submit(request), self._target())

    def _random_seed(self) -> int:
        return _random_seed(self._panel.box.seed.maximum())

    def _show_prompt(self, result: Result) -> None:
        box = self._panel.box
        request = result.generated.recipe["request"] if result.generated.recipe else {}
        box.prompt.setText(request.get("prompt", result.prompt))
        box.random.setChecked(False)
        box.seed.setValue(min(result.generated.seed, box.seed.maximum()))
        box.prompt.setFocus()

    def _apply(self, keys: list[int], how: str) -> None:
        """Insert these results into their documents: one undo step for each prompt among them."""
        self._panel.popup.hide()
        self._panel.notice.hide()
        selected = self._results.get(keys)
        if not selected:
            raise BadInput(tr("Select the pictures to apply."))
        batches = []
        for job_id in dict.fromkeys(result.job_id for result in selected):
            results = [result for result in selected if result.job_id == job_id]
            target = results[0].target or self._target()
            if target is None:
                raise BadInput(tr("No document is open. Open the one where you want the picture."))
            batches.append((results, target))
        task = IncrementalTask(self._insert(batches, how), lambda _: None, self._notices.show_error)
        self.apply_tasks = [one for one in self.apply_tasks if one.is_running] + [task]
        task.run_first_slice()

    def _insert(
        self, batches: Sequence[tuple[list[Result], Target]], how: str
    ) -> Generator[None, None, None]:
        for results, target in batches:
            yield from apply_results.apply(how, results, target)
            self._embedded_subjects.note_in_document(target.document, results[0].prompt)


def _request_of(result: Result) -> dict[str, Any]:
    """Return the request that made a result. Raises BadInput when it was not recorded."""
    if result.generated.recipe is None:
        raise BadInput(generate_request.missing_recipe_message())
    request: dict[str, Any] = result.generated.recipe["request"]
    return request


def _random_seed(most: int) -> int:
    return int(not_none(QtCore.QRandomGenerator.global_()).bounded(most))
