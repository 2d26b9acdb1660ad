"""Fill the learn dialog's section on size: what the base model loses, sees, and what holds more."""

from __future__ import annotations

from functools import partial

from ..backend import workflows
from ..backend.api_responses import (
    MOST_PICTURES,
    BaseModelView,
    JobResult,
    JobView,
    ModelView,
    PreparedImage,
)
from ..backend.connection_thread import BackendConnection
from ..errors import BackendError
from ..i18n import tr
from ..image import Image, sharp_thumbnail
from ..qt import QtCore
from ..ui.learn_dialog import LearnDialog
from ..ui.model_list import PUBLISHED, model_name, paints_sprites
from ..ui.size_choice import MOST_PREVIEWS, LargerModel
from .jobs import Jobs
from .learn_images import LearnImages

DELAY_MS = 400  # until ticks and layers have settled
MOST_MODELS = 3  # offered beside the previews; the form's list of models has all
MUCH_LARGER = 2  # than a model that paints no sprites learns them: detail is missed


class LearnSizes:
    """Watches base model and images of one dialog; asks the backend what it would learn."""

    def __init__(
        self,
        dialog: LearnDialog,
        images: LearnImages,
        connection: BackendConnection,
        jobs: Jobs,
    ) -> None:
        self._dialog, self._images = dialog, images
        self._connection, self._jobs = connection, jobs
        self._models: tuple[ModelView, ...] = ()
        self._prepared_for: object = None  # what the previews show, or will
        self._exact: object = None  # for which nothing turned out to be lost
        self._job_id = ""
        self._is_closed, self._is_first = False, True
        self._timer = QtCore.QTimer(dialog)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._prepare)
        dialog.base_model.currentIndexChanged.connect(self.check)
        dialog.images.changed.connect(self.check)
        dialog.size_choice.download_wanted.connect(self._download)
        dialog.size_choice.model_wanted.connect(dialog.choose_base_model)
        connection.subscribe(dialog, state=lambda state: self._on_state(), job=self._on_any_job)
        connection.request(lambda client: client.models(), self._on_models, lambda error: None)

    def close(self) -> None:
        """Cancel what is being prepared, and ignore what still comes."""
        self._is_closed = True
        self._timer.stop()
        self._cancel()

    def check(self) -> None:
        """Show the section if a ticked picture is larger than the base model learns it."""
        if self._is_closed:
            return
        base, drawn = self._base(), self._largest()
        key = self._key()
        if base is None or drawn is None or key == self._exact or not _is_lossy(base, drawn):
            self._timer.stop()
            self._dialog.show_size("")
            return
        self._dialog.show_size(_sentence(base, drawn), as_sprite=paints_sprites(base))
        self._dialog.size_choice.show_models(self._larger_models(base))
        if key == self._prepared_for:
            return
        self._dialog.size_choice.show_previews(None)
        if self._is_first:  # ahead of the suggestions, which take longer
            self._is_first = False
            self._prepare()
        else:
            self._prepared_for = None
            self._timer.start()

    def _base(self) -> BaseModelView | None:
        chosen = self._dialog.request().base_model
        return next((one for one in self._base_models() if one.id == chosen), None)

    def _base_models(self) -> tuple[BaseModelView, ...]:
        capabilities = self._connection.state.capabilities
        return capabilities.base_models if capabilities else ()

    def _chosen(self) -> list[Image]:
        images = self._images.all
        rows = [row for row, _ in self._dialog.images.chosen()]
        return [images[row] for row in rows if row < len(images)][:MOST_PICTURES]

    def _largest(self) -> Image | None:
        return max(self._chosen(), key=_longest_side, default=None)

    def _key(self) -> object:
        rows = tuple(row for row, _ in self._dialog.images.chosen())
        return self._dialog.request().base_model, self._images.revision, rows

    def _larger_models(self, base: BaseModelView) -> list[LargerModel]:
        """List some models of a higher resolution, those that are here first."""
        listed = {model.id: model for model in self._models}
        coming = self._jobs.downloading()
        found = []
        for model in self._base_models():
            view = listed.get(model.id)
            if model.resolution <= base.resolution or (view is None and not model.available):
                continue
            if not model.available and view is not None and view.state != "missing":
                continue  # a button would not mend it
            if not model.available and model.id not in PUBLISHED:
                continue  # nobody has measured what it would be good for
            state = "ready" if model.available else "coming" if model.id in coming else "missing"
            size = view.size_bytes if view is not None else 0
            licence = view.licence if view is not None else ""
            found.append(LargerModel(model.id, model_name(model), state, size, licence))
        return sorted(found, key=lambda one: one.state != "ready")[:MOST_MODELS]

    def _on_models(self, models: tuple[ModelView, ...]) -> None:
        self._models = models
        self.check()

    def _on_state(self) -> None:
        """Offer a model that has been downloaded meanwhile."""
        here = [(one.id, model_name(one)) for one in self._base_models() if one.available]
        if here and not self._is_closed:
            self._dialog.show_base_models(here)
            self.check()

    def _on_any_job(self, job: JobView) -> None:
        if job.kind == "download":
            self.check()

    def _download(self, model_id: str) -> None:
        self._jobs.download(model_id, self._on_refused)

    def _on_refused(self, error: BackendError) -> None:
        if not self._is_closed:
            self._dialog.remarks.say(str(error))

    def _prepare(self) -> None:
        self._cancel()
        self._prepared_for = key = self._key()
        self._connection.request(
            partial(
                workflows.prepare,
                images=self._chosen(),
                base_model=self._dialog.request().base_model,
            ),
            partial(self._on_submitted, key),
            partial(self._on_no_previews, key),
        )

    def _on_submitted(self, key: object, job: JobView) -> None:
        self._job_id = job.id
        if self._is_closed or key != self._prepared_for:
            self._cancel()
            return
        self._jobs.follow(job, partial(self._on_job, key))

    def _cancel(self) -> None:
        job_id, self._job_id = self._job_id, ""
        if job_id:
            self._jobs.cancel(job_id)

    def _on_job(self, key: object, job: JobView) -> None:
        if job.is_over and job.id == self._job_id:
            self._job_id = ""
        if self._is_closed or key != self._prepared_for or not job.is_over:
            return
        if job.result is None:
            self._on_no_previews(key)
            return
        if not _loses_detail(job.result):
            self._exact = key
            self.check()
            return
        self._connection.request(
            partial(workflows.fetch_prepared, prepared=job.result.prepared[:MOST_PREVIEWS]),
            partial(self._on_previews, key, len(job.result.prepared)),
            partial(self._on_no_previews, key),
        )

    def _on_no_previews(self, key: object, _: BackendError | None = None) -> None:
        """Wait no longer: it can be learnt without; the docker shows what is wrong."""
        if not self._is_closed and key == self._prepared_for:
            self._dialog.size_choice.show_previews(())

    def _on_previews(self, key: object, count: int, images: list[Image]) -> None:
        if self._is_closed or key != self._prepared_for:
            return
        most = self._dialog.size_choice.preview_side
        ratio = self._dialog.devicePixelRatioF()
        sides = [most // side * side or most for side in map(_longest_side, images)]
        shown = [sharp_thumbnail(image, side / ratio, ratio) for image, side in zip(images, sides)]
        self._dialog.size_choice.show_previews(shown, more=count - len(shown))


def _longest_side(image: Image) -> int:
    return max(image.width, image.height)


def _is_lossy(base: BaseModelView, drawn: Image) -> bool:
    return _longest_side(drawn) > base.resolution * (1 if paints_sprites(base) else MUCH_LARGER)


def _loses_detail(result: JobResult) -> bool:
    """Return False where enlarged pixel art is learnt pixel by pixel; older backends do not say."""
    return not result.prepared or any(_is_reduced(one) for one in result.prepared)


def _is_reduced(one: PreparedImage) -> bool:
    return max(one.drawn_width, one.drawn_height) > max(one.width, one.height)


def _sentence(base: BaseModelView, drawn: Image) -> str:
    if paints_sprites(base):
        return tr(
            "These pictures are up to {width} × {height} pixels. The chosen model paints sprites "
            "of {side} × {side} pixels: fine detail will be lost, in what it learns and in what "
            "it paints.",
            width=drawn.width,
            height=drawn.height,
            side=base.resolution,
        )
    return tr(
        "These pictures are up to {width} × {height} pixels. The chosen model learns them at about "
        "{side} × {side}: fine detail will be lost.",
        width=drawn.width,
        height=drawn.height,
        side=base.resolution,
    )
