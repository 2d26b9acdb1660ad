"""Read and write OpenRaster documents. Format: https://www.openraster.org/baseline/

The libraries on PyPI are unmaintained: pyora since 2021, and layeredimage since 2024, which
depends on pyora and needs an older Pillow.
"""

from __future__ import annotations

import io
import logging
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.files.xml_tree import parse_xml
from modelsheet.files.zip_archive import ZipError, ZipReader, open_zip
from modelsheet.imaging.blending import NORMAL, blend, is_known
from modelsheet.imaging.rgba import LARGEST_FILE, LARGEST_SIDE, Size, check_size, decode_image

_log = logging.getLogger(__name__)

_MIMETYPE = b"image/openraster"
_LARGEST_STACK = 4 * 1024**2
_LARGEST_TOTAL = 2 * 1024**3
_MOST_ENTRIES = 4096
_MOST_PIXELS = 1 << 30  # of all layers together: 4 GiB of RGBA, 60 layers of A3 at 300 dpi
_DEEPEST_GROUP = 32
_MOST_LISTED, _LONGEST_LISTED = 5, 40  # names in a note, and characters of each
_THUMBNAIL = (256, 256)  # the baseline's largest
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # fixed, so that equal layers make equal files


@dataclass(frozen=True)
class Layer:
    """An RGBA image with its upper left corner at (x, y) of the canvas."""

    name: str
    image: Image.Image
    x: int = 0
    y: int = 0
    visible: bool = True
    opacity: float = 1.0
    mode: str = NORMAL


@dataclass(frozen=True)
class Group:
    """Layers and groups under one name, bottom first. One that is not isolated ("pass through" in
    Krita) blends its nodes with what is below it, whatever its own mode.
    """

    name: str
    nodes: tuple[Layer | Group, ...]
    visible: bool = True
    opacity: float = 1.0
    mode: str = NORMAL
    isolated: bool = True


@dataclass(frozen=True)
class Document:
    """A canvas with its layers and groups, bottom first."""

    size: Size
    nodes: tuple[Layer | Group, ...]


def read_layers(path: Path) -> list[Layer]:
    """Read the layers on a document's top level. Raises InvalidImages as `read_document` does."""
    return top_layers(read_document(path))


def top_layers(document: Document) -> list[Layer]:
    """Return the document's top level, bottom first; a group becomes one flattened layer.

    Of a document whose only node is a group, it is that group's content.
    """
    nodes = document.nodes
    while len(nodes) == 1 and isinstance(nodes[0], Group):
        nodes = nodes[0].nodes
    return [node if isinstance(node, Layer) else _flattened(node, document.size) for node in nodes]


def read_document(path: Path) -> Document:
    """Read an OpenRaster file with its groups.

    Raises InvalidImages with a sentence when it is not a valid OpenRaster document.
    """
    try:
        with open_zip(path, max_members=_MOST_ENTRIES, max_bytes=_LARGEST_TOTAL) as archive:
            _check_kind(archive, path)
            return _DocumentReader(archive, path).read()
    except FileNotFoundError:
        raise InvalidImages(f"There is no file {path}. Check the name.") from None
    except ZipError as error:
        raise _invalid(f"{path} is no whole OpenRaster file: {error}.") from None
    except OSError as error:
        raise InvalidImages(f"{path} cannot be read: {error.strerror or error}.") from None


def _check_kind(archive: ZipReader, path: Path) -> None:
    """Refuse other kinds of zip files. Raises InvalidImages, ZipError."""
    kind = archive.read("mimetype", 256).strip()
    if kind == b"application/x-krita":
        raise InvalidImages(f"{path} is a Krita document. Export it from Krita as .ora first.")
    if kind != _MIMETYPE:
        raise _invalid(f"{path} is a zip file, but not an OpenRaster document.")


def _invalid(fault: str) -> InvalidImages:
    return InvalidImages(f"{fault} Save it again from Krita with File > Export, as .ora.")


class _DocumentReader:
    """Reads the layers of one document. An image that several layers show is decoded once."""

    def __init__(self, archive: ZipReader, path: Path) -> None:
        self._archive = archive
        self._path = path
        self._images: dict[str, Image.Image] = {}
        self._pixels = 0
        self._unknown_modes: list[str] = []

    def read(self) -> Document:
        """Read the document. Raises InvalidImages, ZipError."""
        content = self._archive.read("stack.xml", _LARGEST_STACK)
        try:
            root = parse_xml(content)
            size = (int(root.get("w", "")), int(root.get("h", "")))
            stack = root.find("stack")
            if root.tag != "image" or stack is None:
                raise ValueError("no <image> with a <stack>")
            check_size(size, str(self._path))
            document = Document(size, tuple(self._nodes(stack, depth=0)))
        except ValueError as error:
            raise _invalid(f"{self._path}: stack.xml cannot be understood ({error}).") from None
        if self._unknown_modes:
            _log.warning(
                "%s: these layers' blending modes are taken as normal: %s. Merge them with what is "
                "below in Krita to keep their look",
                *(self._path, list_names(self._unknown_modes)),
            )
        return document

    def _nodes(self, stack: ElementTree.Element, *, depth: int) -> Iterator[Layer | Group]:
        """Yield a stack's layers and groups, bottom first; the file has them top first."""
        if depth > _DEEPEST_GROUP:
            raise InvalidImages(
                f"{self._path}: groups are nested deeper than {_DEEPEST_GROUP} levels. "
                "Merge some first."
            )
        for element in reversed(stack):
            name = element.get("name", "")
            visible = element.get("visibility", "visible") != "hidden"
            opacity = min(1.0, max(0.0, _number(element.get("opacity", ""), 1.0)))
            mode = self._mode(element, name)
            if element.tag == "stack":
                nodes = tuple(self._nodes(element, depth=depth + 1))
                isolated = element.get("isolation") == "isolate"
                yield Group(name, nodes, visible, opacity, mode, isolated)
            elif element.tag == "layer":
                image = self._image(element.get("src", ""), name)
                x, y = (_offset(element.get(axis, "0")) for axis in "xy")
                yield Layer(name, image, x, y, visible, opacity, mode)

    def _mode(self, element: ElementTree.Element, name: str) -> str:
        mode = element.get("composite-op", NORMAL)
        if is_known(mode):
            return mode
        self._unknown_modes.append(f"{name}: {mode.removeprefix('krita:')}")
        return NORMAL

    def _image(self, source: str, layer: str) -> Image.Image:
        """Decode a layer's image. Raises InvalidImages, ZipError."""
        if source in self._images:
            return self._images[source]
        if source.startswith("/") or "\\" in source or ".." in source.split("/"):
            raise _invalid(f"{self._path}: a layer points outside, to {source!r}; that is refused.")
        content = self._archive.read(source, LARGEST_FILE)
        if b"<svg" in content[:1024]:
            raise InvalidImages(
                f"{self._path}: the layer {layer!r} is a vector layer. Convert it to a paint layer "
                "(in Krita: Layer > Convert), or leave it out."
            )
        image = decode_image(content, f"{self._path}: the layer {layer!r}")
        self._pixels += image.width * image.height
        if self._pixels > _MOST_PIXELS:
            raise InvalidImages(
                f"{self._path}: its layers have more than {_MOST_PIXELS >> 20} megapixels. "
                "Scale it down or merge layers first."
            )
        self._images[source] = image
        return image


def _offset(text: str) -> int:
    """Parse a layer's place in px; beyond any canvas, how far is of no matter."""
    return round(max(-2.0 * LARGEST_SIDE, min(2.0 * LARGEST_SIDE, _number(text, 0.0))))


def _number(text: str, otherwise: float) -> float:
    """Parse a number as other programs write it, also with a decimal comma. Raises ValueError."""
    number = float(text.replace(",", ".") or otherwise)
    return otherwise if math.isnan(number) else number


def list_names(names: Sequence[str]) -> str:
    """Return names for a note: the first few, and how many there are besides."""
    few = ", ".join(repr(name[:_LONGEST_LISTED]) for name in names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{few} and {more} more" if more > 0 else few


def render_layer(layer: Layer, size: Size) -> Image.Image:
    """Render a layer alone on its canvas, with its opacity, even if it is hidden."""
    return flatten([replace(layer, visible=True, mode=NORMAL)], size)


def flatten(nodes: Sequence[Layer | Group], size: Size) -> Image.Image:
    """Compose the visible nodes, bottom first, as Krita shows them."""
    return _composed(Image.new("RGBA", size), nodes, 1.0)


def _composed(canvas: Image.Image, nodes: Sequence[Layer | Group], opacity: float) -> Image.Image:
    """Compose the visible nodes onto the canvas, each with its part of an opacity."""
    for node in nodes:
        if not node.visible:
            continue
        faded = opacity * node.opacity
        if isinstance(node, Layer):
            canvas = blend(canvas, _faded(_placed(node, canvas.size), faded), node.mode)
        elif node.isolated:
            above = flatten(node.nodes, canvas.size)
            canvas = blend(canvas, _faded(above, faded), node.mode)
        else:
            canvas = _composed(canvas, node.nodes, faded)
    return canvas


def _placed(layer: Layer, size: Size) -> Image.Image:
    box = (-layer.x, -layer.y, size[0] - layer.x, size[1] - layer.y)
    return layer.image.crop(box)


def _faded(image: Image.Image, opacity: float) -> Image.Image:
    if opacity >= 1.0:
        return image
    faded = image.copy()
    faded.putalpha(image.getchannel("A").point(lambda alpha: round(alpha * opacity)))
    return faded


def _flattened(group: Group, size: Size) -> Layer:
    image = flatten(group.nodes, size)
    return Layer(group.name, image, 0, 0, group.visible, group.opacity, group.mode)


def write_document(path: Path, nodes: Sequence[Layer | Group], size: Size) -> None:
    """Write nodes, bottom first, as an OpenRaster file, atomically."""
    images: dict[str, Image.Image] = {}
    root = ElementTree.Element("image", version="0.0.3", w=str(size[0]), h=str(size[1]))
    stack = ElementTree.SubElement(root, "stack")
    _add_to_stack(nodes, stack, images)
    merged = flatten(nodes, size)
    thumbnail = merged.copy()
    thumbnail.thumbnail(_THUMBNAIL)
    images |= {"mergedimage.png": merged, "Thumbnails/thumbnail.png": thumbnail}
    entries = {"mimetype": _MIMETYPE}
    entries["stack.xml"] = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    entries |= {name: _png(image) for name, image in images.items()}
    _write_archive(path, entries)


def _add_to_stack(
    nodes: Sequence[Layer | Group], stack: ElementTree.Element, images: dict[str, Image.Image]
) -> None:
    """Add the nodes to the XML stack, topmost first, and their images to `images`."""
    for node in reversed(nodes):
        attributes = {
            "name": _printable(node.name),
            "visibility": "visible" if node.visible else "hidden",
            "opacity": f"{node.opacity:g}",
            "composite-op": node.mode,
        }
        if isinstance(node, Group):
            attributes["isolation"] = "isolate" if node.isolated else "auto"
            _add_to_stack(node.nodes, ElementTree.SubElement(stack, "stack", attributes), images)
        else:
            source = f"data/layer{len(images):03d}.png"
            images[source] = node.image
            position = {"src": source, "x": str(node.x), "y": str(node.y)}
            ElementTree.SubElement(stack, "layer", attributes | position)


def _printable(text: str) -> str:
    """Remove control characters, which XML cannot represent."""
    return "".join(character for character in text if character.isprintable())


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _write_archive(path: Path, entries: dict[str, bytes]) -> None:
    """Write the entries uncompressed and in order, so that the MIME type is at byte 38."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), content)
    part.replace(path)
