"""Read the images to learn from: layers of documents, and picture files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.blending import NORMAL
from modelsheet.imaging.openraster import (
    Document,
    Layer,
    list_names,
    read_document,
    render_layer,
    top_layers,
)
from modelsheet.imaging.rgba import Size, is_empty, is_one_colour, limit_sides, read_image

_log = logging.getLogger(__name__)

_DOCUMENTS = (".ora", ".kra")
_LONGEST_NAME = 300  # as the API has it
_LONGEST_SIDE = 2048  # px, as the plugin sends them: no base model looks at more
_MOST_IMAGES = 64  # of a learn request


@dataclass(frozen=True)
class ReferenceImage:
    """An image to learn from; its name says what it shows beyond the subject itself."""

    name: str
    image: Image.Image


def read_references(
    paths: Sequence[Path], layers: Collection[str] = (), *, may_shrink: bool = True
) -> list[ReferenceImage]:
    """Read documents layer by layer, each on its canvas, and other files as one image each, named
    like a layer: holding_sword.png.

    `layers` names those to take; none takes all. Images larger than the API's clients send are
    shrunk, or refused where they may not be. Layers on which nothing is drawn are left out with
    a note, and hidden ones are named in one. Raises InvalidImages, also for an empty picture file.
    """
    references: list[ReferenceImage] = []
    names: list[str] = []
    for path in paths:  # one by one, for a document may be large
        document = _read(path, may_shrink=may_shrink)
        candidates = top_layers(document)
        names += [layer.name for layer in candidates]
        for reference in _references(path, candidates, document.size, layers):
            references.append(reference)
            if len(references) > _MOST_IMAGES:
                raise InvalidImages(
                    f"There are more than {_MOST_IMAGES} pictures, the most that can be learnt "
                    "from. Choose some with --layer, or merge layers."
                )
    _check_chosen(layers, names)
    if not references:
        raise InvalidImages("There is no layer to learn from. Draw the subject on a layer first.")
    return references


def _read(path: Path, *, may_shrink: bool) -> Document:
    """Read a document, or a picture file as a document of one layer. Raises InvalidImages."""
    if path.is_dir():
        raise InvalidImages(f"{path} is a folder. Give the pictures in it: {path}/*.png")
    if path.suffix.lower() in _DOCUMENTS:
        document = read_document(path)
        _check_size(document.size, path, may_shrink=may_shrink)
        return document
    image = read_image(path)
    _check_size(image.size, path, may_shrink=may_shrink)
    image = limit_sides(image, _LONGEST_SIDE)
    if is_one_colour(image):
        kind = "is empty: nothing can be seen" if is_empty(image) else "is one colour all over"
        raise InvalidImages(f"{path} {kind}. Leave it out.")
    return Document(image.size, (Layer(path.stem.replace("_", " "), image),))


def _check_size(size: Size, path: Path, *, may_shrink: bool) -> None:
    if max(size) > _LONGEST_SIDE and not may_shrink:
        raise InvalidImages(
            f"{path} is {size[0]} × {size[1]} px, and at most {_LONGEST_SIDE} a side can be used. "
            "Crop it to the figure."
        )


def _check_chosen(layers: Collection[str], names: Sequence[str]) -> None:
    """Check that each chosen layer exists. Raises InvalidImages."""
    known = {name.casefold() for name in names}
    for chosen in layers:
        if chosen.casefold() not in known:
            there = ", ".join(repr(name) for name in names)
            raise InvalidImages(f"There is no layer {chosen!r}. There are: {there}.")


def _references(
    path: Path, candidates: Sequence[Layer], size: Size, layers: Collection[str]
) -> Iterator[ReferenceImage]:
    """Yield the chosen layers of a document that show something. Raises InvalidImages."""
    chosen = {name.casefold() for name in layers}
    empty: list[str] = []
    filled: list[str] = []
    hidden: list[str] = []
    blended: list[str] = []
    for layer in candidates:
        if chosen and layer.name.casefold() not in chosen:
            continue
        image = limit_sides(render_layer(layer, size), _LONGEST_SIDE)
        if is_one_colour(image):
            (empty if is_empty(image) else filled).append(layer.name)
            continue
        blended += [] if layer.mode == NORMAL else [layer.name]
        hidden += [] if layer.visible or chosen else [layer.name]
        _check_name(layer.name)
        yield ReferenceImage(layer.name, image)
    for note, names in (
        ("left out, for nothing is on them: %s", empty),
        ("left out, for they are one colour all over: %s", filled),
        ("learnt although hidden: %s. Choose layers with --layer", hidden),
        ("learnt as pictures, though they blend with what is below: %s. Merge them", blended),
    ):
        if names:
            _log.warning(f"%s: {note}", path, list_names(names))


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise InvalidImages(
            f"The name of the layer {name[:20]!r}… has {len(name)} characters. Shorten it to "
            f"{_LONGEST_NAME}."
        )
    if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
        raise InvalidImages(f"The name of the picture {name!r} is not in UTF-8. Rename the file.")
