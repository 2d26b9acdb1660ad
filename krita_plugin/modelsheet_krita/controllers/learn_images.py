"""Read the images for the learn dialog and show them in its table."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Callable

from ..backend.connection_thread import BackendConnection
from ..document.document import OpenDocument
from ..document.image_checks import ImageSample, check_images, sample
from ..errors import PluginError
from ..i18n import tr
from ..image import Image, ReadOptions, ReadResult, thumbnail
from ..layer_names import is_default_name
from ..qt import QtGui
from ..tasks import IncrementalTask
from ..ui.image_table import ImageRow
from ..ui.learn_dialog import LearnDialog


class LearnImages:
    """Images of the selected layers, after the references of a subject that is learnt again; of a
    subject that is not learnt yet, without a document, its references alone.
    """

    def __init__(
        self,
        dialog: LearnDialog,
        document: OpenDocument | None,
        connection: BackendConnection,
        references: Sequence[Image],
    ) -> None:
        self._dialog, self._document, self._connection = dialog, document, connection
        self._references = references
        self._result = ReadResult((), ())
        self._samples: list[ImageSample] = []
        self._thumbnails: list[QtGui.QPixmap] = []
        self._task: IncrementalTask[ReadResult] | None = None
        self.revision = 0  # of `all`; another one after each reading

    @property
    def all(self) -> tuple[Image, ...]:
        """The images in the order of the table's rows."""
        return (*self._references, *self._result.images)

    @property
    def is_reading(self) -> bool:
        """True while layers are being read."""
        return self._task is not None and self._task.is_running

    def read(self, on_read: Callable[[], None], on_error: Callable[[Exception], None]) -> None:
        """Read the layers in slices; call one of the handlers at the end."""
        self._start(ReadOptions(), on_read, on_error)

    def read_again(self, on_unexpected: Callable[[Exception], None]) -> None:
        """Read with the options in the dialog and show the images, or the reason for none."""
        on_error = partial(self._on_error, on_unexpected)
        self._start(self._dialog.read_options(), self.show, on_error)

    def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.stop()

    def show(self) -> None:
        """Show the images in the dialog, with a remark on each that may be unsuitable."""
        dialog, result = self._dialog, self._result
        dialog.show_read_options(
            groups=result.has_groups, frames=result.has_frames, selection=result.has_selection
        )
        remarks = check_images(self.all, self._samples, self._connection.state.resolution)
        dialog.images.show_rows(
            [
                ImageRow(shown, image.name, _caption(image), _size(image), found)
                for image, shown, found in zip(self.all, self._thumbnails, remarks)
            ]
        )
        dialog.remarks.hide()
        if result.remarks:
            dialog.remarks.say(tr("Left out:") + " " + " ".join(result.remarks))

    def _start(
        self,
        options: ReadOptions,
        on_read: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        def done(result: ReadResult) -> None:
            self._result = result
            self.revision += 1
            on_read()

        self.stop()
        self._task = IncrementalTask(self._steps(options), done, on_error)

    def _steps(self, options: ReadOptions) -> Generator[None, None, ReadResult]:
        """Read the layers and sample each image; yields often."""
        result = ReadResult((), ())
        if self._document is not None:
            result = yield from self._document.read_layers(options)
        self._samples = []
        self._thumbnails = []
        side = round(self._dialog.images.iconSize().width() * self._dialog.devicePixelRatioF())
        for image in (*self._references, *result.images):
            self._samples.append(sample(image))
            yield
            self._thumbnails.append(thumbnail(self._samples[-1].small, side))
        return result

    def _on_error(self, on_unexpected: Callable[[Exception], None], error: Exception) -> None:
        kept = len(self._references)
        self._samples, self._thumbnails = self._samples[:kept], self._thumbnails[:kept]
        self._result = ReadResult((), (), True, True, True)
        self.revision += 1
        self.show()
        if not isinstance(error, PluginError):
            on_unexpected(error)
        self._dialog.remarks.say(str(error))


def _caption(image: Image) -> str:
    """Return the layer's name as what the picture shows, unless it says nothing."""
    return "" if is_default_name(image.name) else image.name


def _size(image: Image) -> str:
    return tr("{width} × {height} pixels", width=image.width, height=image.height)
