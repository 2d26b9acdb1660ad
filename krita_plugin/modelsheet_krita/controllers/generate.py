"""From a prompt to results: submits for the document in front, repeats, varies, applies."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any, Callable

from ..backend.api_requests import Explore
from ..backend.api_responses import JobView
from ..errors import BadInput
from ..i18n import tr
from ..pace import Pace
from ..qt import QtCore
from . import apply_results, generate_request
from .context import Desk
from .generate_request import Asked, Ground
from .results import Result, Results, Target
from .save_results import Saving


class Generating:
    """Knows which jobs are for which document."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._targets: dict[str, Target | None] = {}
        self.results = Results(desk)
        self.saving = Saving(desk)
        self._reference: Result | None = None
        self._applying: list[Pace] = []

    def start(
        self,
        explore: Explore | None = None,
        on_sent: Callable[[str], None] = lambda job_id: None,
    ) -> None:
        """Submit what the panel says, for the document in front; `on_sent` hears the job's id."""
        box = self._desk.panel.box
        prompt = " ".join(box.prompt.text().split())
        if not prompt:
            raise BadInput(tr("Write what to paint, for example: @hero holding sword."))
        if box.random.isChecked():
            box.seed.setValue(_random_seed(box.seed.maximum()))
        knobs = box.fold.knobs()
        target = self._target()
        ground = None
        if knobs.source == "canvas":
            ground, target = self._over_the_canvas()
        elif knobs.source == "picture" and self._reference is not None:
            ground = Ground(self._reference.picture)
        asked = generate_request.compose(
            prompt,
            knobs,
            count=box.count.value(),
            seed=box.seed.value(),
            cut_out=box.cut_out.isChecked(),
            size=self._size(knobs.size),
            ground=ground,
            explore=explore,
        )
        self._desk.preferences.remember_prompt(prompt)
        box.prompt.show_history(self._desk.preferences.history())
        self._submit(asked, target, on_sent)

    def on_job(self, job: JobView) -> None:
        """Fetch the pictures of a job of ours that is done."""
        if job.id not in self._targets or not job.is_over:
            return
        target = self._targets.pop(job.id)
        if job.result is None:
            return
        if job.result.warnings:
            self._desk.panel.notice.say(" ".join(job.result.warnings))
        self.results.fetch(job, target)

    def on_jobs(self, jobs: tuple[JobView, ...]) -> None:
        """After a connection: what ended meanwhile, and what earlier Kritas had painted."""
        for job in sorted(jobs, key=lambda one: one.created):
            self.on_job(job)
        self.results.restore(tuple(job for job in jobs if job.kind == "generate"))

    def act(self, what: str, keys: list[int]) -> None:
        """Do what the results' menu offers."""
        chosen = self.results.of(keys)
        if not chosen:
            raise BadInput(tr("Select the pictures first."))
        {
            "again": lambda: self._again(chosen[0]),
            "vary": lambda: self._vary(chosen[0]),
            "reference": lambda: self._refer(chosen[0]),
            "prompt": lambda: self._show_prompt(chosen[0]),
            "save": lambda: self.saving.ask(chosen),
            "discard": lambda: self.results.discard(keys),
        }[what]()

    def apply(self, keys: list[int], how: str) -> None:
        """Put these results in: one undo step for each prompt among them."""
        chosen = self.results.of(keys)
        if not chosen:
            raise BadInput(tr("Select the pictures to apply."))
        batches = []
        for job_id in dict.fromkeys(result.job_id for result in chosen):
            results = [result for result in chosen if result.job_id == job_id]
            target = results[0].target or self._target()
            if target is None:
                raise BadInput(tr("No document is open. Open the one that shall have the picture."))
            batches.append((results, target))
        pace = Pace(self._applied(batches, how), lambda done: None, self._on_not_applied)
        self._applying = [one for one in self._applying if one.is_running] + [pace]
        pace.begin()

    @property
    def is_applying(self) -> bool:
        return any(pace.is_running for pace in self._applying)

    def _applied(
        self, batches: list[tuple[list[Result], Target]], how: str
    ) -> Generator[None, None, None]:
        for results, target in batches:
            yield from apply_results.apply(how, results, target)
            self._desk.note_subjects(target.document, results[0].prompt)

    def _on_not_applied(self, error: Exception) -> None:
        self._desk.attempt(partial(_raise, error))

    def _submit(self, asked: Asked, target: Target | None, on_sent: Callable[[str], None]) -> None:
        def sent(job: JobView) -> None:
            on_sent(job.id)
            self._on_sent(job, target)

        self._desk.panel.notice.hide()
        self._desk.link.ask(asked.submit, sent, self._desk.on_trouble)

    def _send_again(self, request: dict[str, Any]) -> None:
        target = self._target()
        self._desk.link.ask(
            lambda client: client.submit(request),
            partial(self._on_sent, target=target),
            self._desk.on_trouble,
        )

    def _on_sent(self, job: JobView, target: Target | None) -> None:
        self._targets[job.id] = target
        self._desk.on_job(job)

    def _target(self) -> Target | None:
        try:
            document = self._desk.current_document()
        except BadInput:
            return None  # painting needs no document; applying will ask for one
        return Target(document, document.place())

    def _size(self, size: str) -> tuple[int, int]:
        if size == "model":
            return 0, 0
        x, y, width, height = self._desk.current_document().area(size)
        return generate_request.paintable(width, height)

    def _over_the_canvas(self) -> tuple[Ground, Target]:
        document = self._desk.current_document()
        picture, mask, place = document.read_ground(self._desk.resolution())
        return Ground(picture, mask), Target(document, place)

    def _again(self, result: Result) -> None:
        seed = _random_seed(self._desk.panel.box.seed.maximum())
        self._send_again(generate_request.again(_request(result), seed))

    def _vary(self, result: Result) -> None:
        seed = _random_seed(self._desk.panel.box.seed.maximum())
        self._send_again(generate_request.varied(_request(result), result.image.seed, seed))

    def _refer(self, result: Result) -> None:
        self._reference = result
        self._desk.panel.box.fold.offer_picture()

    def _show_prompt(self, result: Result) -> None:
        box = self._desk.panel.box
        request = result.image.recipe["request"] if result.image.recipe else {}
        box.prompt.setText(request.get("prompt", result.prompt))
        box.random.setChecked(False)
        box.seed.setValue(min(result.image.seed, box.seed.maximum()))
        box.prompt.setFocus()


def _request(result: Result) -> dict[str, Any]:
    if result.image.recipe is None:
        raise BadInput(generate_request.no_recipe())
    return result.image.recipe["request"]


def _random_seed(most: int) -> int:
    return QtCore.QRandomGenerator.global_().bounded(most)


def _raise(error: Exception) -> None:
    raise error
