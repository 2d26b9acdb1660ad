"""Generate images for the document in front: submit, repeat, vary, apply."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any, Callable

from ..backend.api_requests import Explore
from ..backend.api_responses import JobView
from ..backend.client import Client
from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..errors import BadInput
from ..i18n import tr
from ..qt import QtCore, not_none
from ..results import apply_results
from ..results.result import Result, Target, prompt_of
from ..results.save_results import ResultSaver
from ..tasks import IncrementalTask
from ..ui.generation_settings import GenerationSettings
from ..ui.panel import Panel
from . import generate_request
from .embedded_subjects import EmbeddedSubjects
from .generate_request import InitImage
from .jobs import Jobs
from .notices import Notices
from .results import Results
from .saved_state import SavedState
from .subject_places import SubjectPlacesController

MOST_RANDOM_SEED = 10**9  # nine digits, which fit into the docker's field


class GenerateController:
    """Submits generate jobs, remembers the document of each, and applies results."""

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        jobs: Jobs,
        results: Results,
        embedded_subjects: EmbeddedSubjects,
        places: SubjectPlacesController,
        saved_state: SavedState,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._jobs, self._results, self._embedded_subjects = jobs, results, embedded_subjects
        self._places = places
        self._saved_state, self._current_document = saved_state, current_document
        self.saver = ResultSaver(panel)
        self.apply_tasks: list[IncrementalTask[str]] = []
        self._start: Result | None = None  # what "A result" starts from
        panel.box.generate_wanted.connect(self.generate)
        panel.box.advanced.source.activated.connect(
            lambda: self._start_from(results.get(panel.results.chosen()))
        )
        panel.apply_wanted.connect(notices.guard(self._apply))
        panel.result_wanted.connect(notices.guard(self._act))
        panel.prompt.show_history(saved_state.history())

    def generate(self) -> None:
        """Submit the panel's prompt and settings; show the error if that is impossible."""
        self._notices.attempt(self.submit)

    def paint(self, prompt: str) -> None:
        """Submit a prompt with the model's own settings, as many pictures as the panel says."""
        box = self._panel.box
        request = generate_request.build_request(
            prompt,
            GenerationSettings(),
            count=box.count.value(),
            seed=self._random_seed(),
            cut_out=box.cut_out.isChecked(),
            size=(0, 0),
            init=None,
            explore=None,
        )
        self._request(request.submit, self._target())

    def apply(self) -> None:
        """Apply the selected results as layers; show the error if that is impossible."""
        self._panel.apply_wanted.emit(self._panel.results.chosen(), "layers")

    def submit(
        self,
        explore: Explore | None = None,
        on_submitted: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        """Submit the panel's prompt and settings for the document in front.

        `on_submitted` gets the job's id. Raises BadInput.
        """
        box = self._panel.box
        written = box.prompt.text().strip()
        prompt = " ".join(written.split())
        if not prompt:
            raise BadInput(tr("Write what to paint, for example: @hero holding sword."))
        if box.random.isChecked():
            box.seed.setValue(self._random_seed())
        settings = box.advanced.settings()
        target = self._target()
        init = None
        placed = self._places.read(written, settings)
        if placed is not None and target is not None:
            target = Target(target.document, placed.masks.placement)
        elif settings.source in ("canvas", "layer"):
            init, target = self._read_document(active_layer=settings.source == "layer")
        elif settings.source == "picture":
            init = InitImage(self._starting_result().image)
        request = generate_request.build_request(
            prompt,
            settings,
            count=box.count.value(),
            seed=box.seed.value(),
            cut_out=box.cut_out.isChecked(),
            size=(0, 0) if placed else self._size(settings.size),
            init=init,
            explore=explore,
        )
        self._saved_state.remember_prompt(written)
        box.prompt.show_history(self._saved_state.history())
        self._panel.notice.hide()
        self._request(replace(request, placed=placed).submit, target, on_submitted)

    def _request(
        self,
        call: Callable[[Client], JobView],
        target: Target | None,
        on_submitted: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        origin = self._results.origin_of(target)

        def submitted(job: JobView) -> None:
            if origin is not None:
                self._saved_state.remember_origin(job.id, origin)
            on_submitted(job.id)
            self._jobs.follow(job, self._on_job)

        self._connection.request(call, submitted, self._notices.show_request_error)

    def _on_job(self, job: JobView) -> None:
        """Fetch the images once the job is done."""
        if not job.is_over or job.result is None:
            return
        if job.result.warnings:
            self._notices.say(" ".join(job.result.warnings))
        self._results.fetch(job)

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

    def _read_document(self, *, active_layer: bool) -> tuple[InitImage, Target]:
        document = self._current_document()
        image, mask, placement = document.read_init_image(active_layer=active_layer)
        return InitImage(image, mask), Target(document, placement)

    def _starting_result(self) -> Result:
        """Return the result that was chosen to start from, else choose the selected one.

        It stays, although new results are selected as they come.
        """
        if self._start is None:
            self._start_from(self._results.get(self._panel.results.chosen()))
        if self._start is None:
            raise BadInput(
                tr("Select the result to start from in the list below, then Generate again.")
            )
        return self._start

    def _start_from(self, results: Sequence[Result]) -> None:
        """Start from the first of these results, from none that is known without one."""
        self._start = results[0] if results else None
        text = f"“{self._start.prompt}”, {self._start.description}" if self._start else ""
        self._panel.box.advanced.show_start(text)

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
            self._start_from([first])
            self._panel.box.advanced.offer_result()
        elif action == "prompt":
            self._show_prompt(first)
        elif action == "save":
            self.saver.open(selected)
        elif action == "star":
            self._results.toggle_star(keys)
        elif action == "discard":
            self._results.discard(keys)

    def _repeat(self, request: dict[str, Any]) -> None:
        self._request(lambda client: client.submit(request), self._target())

    def _random_seed(self) -> int:
        return int(not_none(QtCore.QRandomGenerator.global_()).bounded(MOST_RANDOM_SEED))

    def _show_prompt(self, result: Result) -> None:
        box = self._panel.box
        box.prompt.setText(prompt_of(result.generated) or result.prompt)
        box.fix_seed(result.generated.seed)
        box.prompt.setFocus()

    def _apply(self, keys: list[int], how: str) -> None:
        """Insert these results into the document in front."""
        self._panel.popup.hide()
        self._panel.notice.hide()
        selected = self._results.get(keys)
        if not selected:
            raise BadInput(tr("Select the pictures to apply."))
        task = IncrementalTask(
            self._insert(selected, how, self._current_document()),
            self._on_applied,
            self._notices.show_error,
        )
        self.apply_tasks = [one for one in self.apply_tasks if one.is_running] + [task]
        task.run_first_slice()

    def _insert(
        self, results: Sequence[Result], how: str, document: OpenDocument
    ) -> Generator[None, None, str]:
        document_id = self._results.document_ids.id_of(document)
        target = yield from apply_results.apply(how, results, document, document_id)
        self._results.document_ids.adopt(target, document_id)  # a sheet's new document, too
        self._results.check_document()
        target.note_id(document_id)
        for prompt in {result.prompt for result in results}:
            self._embedded_subjects.note_in_document(target, prompt)
        target.show_message(apply_results.describe(how, results, target))
        return apply_results.remark(how, results, document, target)

    def _on_applied(self, remark: str) -> None:
        self._panel.results.takes_undo = False  # Ctrl+Z is the document's again
        if remark:
            self._panel.notice.say(remark, icon="dialog-ok")


def _request_of(result: Result) -> dict[str, Any]:
    """Return the request that made a result. Raises BadInput when it was not recorded."""
    if result.generated.recipe is None:
        raise BadInput(generate_request.missing_recipe_message())
    request: dict[str, Any] = result.generated.recipe["request"]
    return request
