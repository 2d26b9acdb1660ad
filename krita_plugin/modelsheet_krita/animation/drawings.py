"""Read the drawings of a character: selected layers, or the key views of a model sheet."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ..document.document import OpenDocument
from ..document.model_sheets import ModelSheet
from ..errors import BadInput
from ..i18n import tr
from ..image import LONGEST_SIDE, Image, ReadOptions
from ..layer_names import is_default_name
from ..view_names import VIEWS, guess_views, without_view

AS_SHOWN = ReadOptions(frames=False, inside_selection=False)


@dataclass(frozen=True)
class Drawings:
    """Drawings with the views they show, the first one's corner being the results' origin."""

    images: tuple[Image, ...] = ()
    views: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def corner(self) -> tuple[int, int]:
        """Top left corner of the first drawing in the document."""
        return self.images[0].corner if self.images else (0, 0)


def read_drawings(
    document: OpenDocument, sheet: ModelSheet | None
) -> Generator[None, None, Drawings]:
    """Read the sheet's key views, or without one the selected layers; yields between tiles.

    Raises BadInput: the layers cannot be animated.
    """
    if sheet is not None:
        key_views = yield from document.read_key_views(sheet)
        return Drawings(
            tuple(image for _, image in key_views), tuple(view for view, _ in key_views)
        )
    result = yield from document.read_layers(AS_SHOWN)
    _check(result.images)
    views = guess_views([image.name for image in result.images])
    return Drawings(result.images, tuple(views), result.remarks)


def name_of(drawings: Drawings, document: OpenDocument) -> str:
    """Return the character's name: that of a layer if it says one, else the document's."""
    names = (without_view(image.name) for image in drawings.images)
    named = (name for name in names if name and not is_default_name(name))
    return next(named, document.name.rpartition(".")[0] or document.name)


def _check(images: tuple[Image, ...]) -> None:
    if len(images) > len(VIEWS):
        raise BadInput(
            tr(
                "{count} layers are selected. Select at most four: one for each side of the "
                "character.",
                count=len(images),
            )
        )
    for image in images:
        if "reduced" in image.notes:
            raise BadInput(
                tr(
                    "“{name}” is larger than {most} pixels, too large to animate. Scale a copy of "
                    "it down to a sprite's size, or crop it.",
                    name=image.name,
                    most=LONGEST_SIDE,
                )
            )
        if image.is_opaque:
            raise BadInput(
                tr(
                    "“{name}” has no transparency around the figure. Remove its background, or "
                    "select the figure's own layer.",
                    name=image.name,
                )
            )
