"""From the selected layers to a learn job: reading, form, suggestions, judgement, sending."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

from ..backend import calls
from ..backend.api_responses import MOST_PICTURES, Capabilities, Estimate, JobView, SubjectView
from ..document.layer_sources import Wish
from ..errors import BackendError, BadInput, PluginError
from ..i18n import tr, trn
from ..image import Picture, Reading, thumbnail
from ..pace import Pace
from ..qt import QtGui
from ..ui.learn_dialog import DEFAULT_PRESET, LearnForm
from . import subject_names
from .context import Desk
from .estimate_text import cost
from .image_checks import Look, inspect, look

FALLBACK_BASE_MODEL = "sprite32"
SUGGESTIONS = 5
SURE = 0.25  # how likely the first guess must be to be entered; a wrong noun spoils the likeness


class Learning:
    """One form, from the reading of the layers to the job that it starts.

    `replaced`: the subject that is learnt again; its references come first.
    """

    def __init__(
        self,
        desk: Desk,
        document: Any,
        *,
        replaced: SubjectView | None = None,
        references: list[Picture] | None = None,
    ) -> None:
        self._desk, self._document = desk, document
        self._replaced, self._references = replaced, references or []
        self._pictures: tuple[Picture, ...] = ()
        self._looks: list[Look] = []
        self._thumbnails: list[QtGui.QPixmap] = []
        self._described_by = ""
        self._is_looking = False
        self._guesses: list[str] = []
        self._nouns: tuple[str, ...] = ()  # that the base model knows
        self.form = LearnForm(desk.icon, desk.panel.window())
        self.form.reading_wanted.connect(self._read_again)
        self.form.changed.connect(self.judge)
        self.form.sent.connect(lambda: desk.attempt(self._send))
        self.form.finished.connect(lambda: self._pace.stop())
        self._fill_choices()
        self.form.cost_wanted.connect(self._ask_for_cost)
        self._ask_for_cost()
        self.form.base_model.currentIndexChanged.connect(self._ask_for_nouns)
        self._ask_for_nouns()
        self._pace = Pace(self._steps(Wish()), self._on_first_reading, self._on_no_reading)

    @property
    def is_at_work(self) -> bool:
        return self._pace.is_running or self.form.isVisible()

    def show(self) -> None:
        self.form.raise_()
        self.form.activateWindow()

    def close(self) -> None:
        self._pace.stop()
        self.form.close()
        self.form.deleteLater()

    def _fill_choices(self) -> None:
        capabilities = self._desk.link.state.capabilities
        presets = capabilities.presets if capabilities else (DEFAULT_PRESET,)
        self.form.show_presets([preset for preset in presets if preset != "write-up"])
        models = capabilities.base_models if capabilities else ()
        usable = [model.id for model in models if model.available]
        self.form.show_base_models(usable or [FALLBACK_BASE_MODEL])
        if self._replaced is not None:
            self.form.name.setText(self._replaced.name)
            self.form.class_noun.setEditText(self._replaced.class_noun)

    def _on_first_reading(self, reading: Reading) -> None:
        try:
            check(self._desk.link.state.capabilities)
        except BadInput as error:
            self._on_no_reading(error)
            return
        self._show(reading)
        self.form.show()
        self._ask_for_suggestions()

    def _on_no_reading(self, error: Exception) -> None:
        self._desk.attempt(partial(_raise, error))

    def _read_again(self) -> None:
        self._pace.stop()
        steps = self._steps(self.form.reading())
        self._pace = Pace(steps, self._show, self._on_none_this_way)

    def _steps(self, wish: Wish) -> Generator[None, None, Reading]:
        """Read, and look at each picture; yields often."""
        reading: Reading = yield from self._document.read(wish)
        self._looks = []
        self._thumbnails = []
        side = round(self.form.pictures.iconSize().width() * self.form.devicePixelRatioF())
        for picture in (*self._references, *reading.pictures):
            self._looks.append(look(picture))
            yield
            self._thumbnails.append(thumbnail(self._looks[-1].small, side))
        return reading

    def _on_none_this_way(self, error: Exception) -> None:
        kept = len(self._references)
        self._looks, self._thumbnails = self._looks[:kept], self._thumbnails[:kept]
        self._show(Reading((), (), True, True, True))
        if not isinstance(error, PluginError):
            self._on_no_reading(error)
        self.form.remarks.say(str(error))

    def _show(self, reading: Reading) -> None:
        form = self.form
        self._pictures = (*self._references, *reading.pictures)
        form.show_ways(
            groups=reading.has_groups,
            frames=reading.has_frames,
            selection=reading.has_selection,
        )
        remarks = inspect(self._pictures, self._looks, self._desk.resolution())
        form.pictures.show_pictures(
            [
                (shown, picture.name, _size(picture), said)
                for picture, shown, said in zip(self._pictures, self._thumbnails, remarks)
            ]
        )
        form.remarks.hide()
        if reading.remarks:
            form.remarks.say(tr("Left out:") + " " + " ".join(reading.remarks))

    def judge(self) -> None:
        """Say what the name means, how many pictures there are, and whether it can be sent."""
        wish = self.form.wish()
        count = len(self.form.pictures.chosen())
        self.form.count.setText(
            trn("This picture will be learnt:", "These {count} pictures will be learnt:", count)
        )
        objection = self._objection()
        if wish.name and objection:
            hint = objection
        elif wish.name:
            hint = subject_names.hint(wish.name)
        else:
            hint = tr("Prompts will call it by this name.")
        unknown = subject_names.noun_objection(wish.class_noun, self._nouns, wish.base_model)
        lacking = objection or unknown
        if not wish.class_noun:
            lacking = lacking or tr("Say what the layers show.")
        if not count:
            lacking = lacking or tr("Tick a picture to learn from.")
        self.form.show_judgement(hint, unknown or self._noun_hint(), lacking=lacking)

    def _noun_hint(self) -> str:
        """What is said while nothing was entered."""
        if self.form.wish().class_noun:
            return ""
        if self._is_looking:
            return tr("Looking at the layers…")
        if self._guesses:
            return tr("Hard to say what it is; perhaps: {words}.", words=", ".join(self._guesses))
        return ""

    def _objection(self) -> str:
        taken = {subject_names.handle(subject.name) for subject in self._desk.subjects()}
        if self._replaced is not None:
            taken.discard(subject_names.handle(self._replaced.name))
        return subject_names.objection(self.form.wish().name, taken)

    def on_job(self, job: JobView) -> bool:
        """Take the suggestions if the job is the one that makes them; say whether it is."""
        if job.id != self._described_by:
            return False
        if job.result is not None:
            guesses = job.result.class_nouns[:SUGGESTIONS]
            self._guesses = [guess.noun for guess in guesses]
            is_sure = bool(guesses) and guesses[0].probability >= SURE
            self.form.suggest(self._guesses, job.result.identifiers, is_sure=is_sure)
        if job.is_over:
            self._is_looking = False
            self.judge()
        return True

    def _ask_for_cost(self) -> None:
        asked = self.form.wish()
        self._desk.link.ask(
            lambda client: client.estimate(asked.base_model, asked.preset),
            partial(self._on_cost, asked.base_model, asked.preset),
            lambda trouble: None,  # nothing depends on it, and the docker says what is wrong
        )

    def _on_cost(self, base_model: str, preset: str, estimate: Estimate) -> None:
        wish = self.form.wish()
        if (wish.base_model, wish.preset) == (base_model, preset):  # not that of an older choice
            self.form.cost.setText(cost(estimate))

    def _ask_for_nouns(self) -> None:
        self._nouns = ()  # nothing is judged by another model's
        base_model = self.form.wish().base_model
        self._desk.link.ask(
            lambda client: client.class_nouns(base_model),
            partial(self._on_nouns, base_model),
            lambda trouble: None,  # then the backend judges alone
        )

    def _on_nouns(self, base_model: str, nouns: tuple[str, ...]) -> None:
        if self.form.wish().base_model == base_model:
            self._nouns = nouns
            self.form.show_known_nouns(nouns)
            self.judge()

    def _ask_for_suggestions(self) -> None:
        self._is_looking = True
        self.judge()
        base_model = self.form.wish().base_model
        pictures = self._pictures[:MOST_PICTURES]
        self._desk.link.ask(
            partial(calls.describe, pictures=pictures, base_model=base_model),
            self._on_described,
            # The artist can name it without help, and the docker says what is wrong.
            lambda trouble: self._on_no_description(),
        )

    def _on_no_description(self) -> None:
        self._is_looking = False
        self.judge()

    def _on_described(self, job: JobView) -> None:
        self._described_by = job.id
        self.on_job(job)

    def _send(self) -> None:
        wish, chosen = self.form.wish(), self.form.pictures.chosen()
        objection = self._objection()
        if objection:
            raise BadInput(objection)
        if not wish.class_noun:
            raise BadInput(tr("Say what the layers show, for example: human woman."))
        if len(chosen) > MOST_PICTURES:
            self.form.remarks.say(_too_many(len(chosen)))
            return
        self.form.learn.setEnabled(False)
        pictures = [self._pictures[row] for row, _ in chosen]
        captions = tuple(caption for _, caption in chosen)
        self._desk.link.ask(
            partial(calls.learn, pictures=pictures, captions=captions, wish=wish),
            self._on_sent,
            self._on_trouble,
        )

    def _on_sent(self, job: JobView) -> None:
        self.form.accept()
        if self._replaced is not None:
            self._desk.replace_when_done(job.id, self._replaced.id)
        self._desk.on_job(job)

    def _on_trouble(self, error: BackendError) -> None:
        self.form.remarks.say(str(error))
        self.judge()


def check(capabilities: Capabilities | None) -> None:
    """Raise BadInput when no base model can learn."""
    models = capabilities.base_models if capabilities else ()
    if models and not any(model.available for model in models):
        raise BadInput(tr("There is nothing to learn with yet. {why}", why=models[0].note))


def _too_many(count: int) -> str:
    return tr(
        "{count} pictures are ticked; one subject is learnt from at most {most}. Keep the best of "
        "them.",
        count=count,
        most=MOST_PICTURES,
    )


def _size(picture: Picture) -> str:
    return tr("{width} × {height} pixels", width=picture.width, height=picture.height)


def _raise(error: Exception) -> None:
    raise error
