"""As much of Krita's Python API as the plugin uses, behaving as Krita 5.1.5 was seen to behave."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

from tests.plugin import binding, fake_kra
from tests.plugin.binding import (
    QByteArray,
    QDockWidget,
    QIcon,
    QMainWindow,
    QObject,
    QPixmap,
    QRect,
    QUuid,
    pyqtSignal,
)

if binding.MAJOR == 6:  # Krita 5.1.5 has no such function

    def qt_major_version() -> int:
        return 6


SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5}
BYTES = {"U8": 1, "U16": 2, "F32": 4}


def _to_levels(raw: bytes, space: tuple[str, str, str]) -> list[int]:
    """All channel values as 0..255."""
    if space[1] == "U8":
        return list(raw)
    code, scale = {"U16": ("H", 257), "F32": ("f", 1 / 255)}[space[1]]
    return [round(value / scale) for (value,) in struct.iter_unpack(f"<{code}", raw)]


def _from_levels(levels: list[int], space: tuple[str, str, str]) -> bytes:
    if space[1] == "U8":
        return bytes(levels)
    if space[1] == "U16":
        return struct.pack(f"<{len(levels)}H", *(level * 257 for level in levels))
    return struct.pack(f"<{len(levels)}f", *(level / 255 for level in levels))


def convert(raw: bytes, source: tuple[str, str, str], target: tuple[str, str, str]) -> bytes:
    """Between colour spaces, exact for RGBA; grey and CMYK by the plainest formulas."""
    levels = _to_levels(raw, source)
    step = CHANNELS[source[0]]
    pixels = [levels[i : i + step] for i in range(0, len(levels), step)]
    bgra = [_to_bgra(pixel, source) for pixel in pixels]
    return _from_levels([v for pixel in bgra for v in _from_bgra(pixel, target)], target)


def _to_bgra(pixel: list[int], space: tuple[str, str, str]) -> list[int]:
    if space[0] == "GRAYA":
        return [pixel[0]] * 3 + [pixel[1]]
    if space[0] == "CMYKA":
        c, m, y, k, alpha = pixel
        return [(255 - x) * (255 - k) // 255 for x in (y, m, c)] + [alpha]
    return pixel if space[1] != "F32" else [pixel[2], pixel[1], pixel[0], pixel[3]]


def _from_bgra(pixel: list[int], space: tuple[str, str, str]) -> list[int]:
    blue, green, red, alpha = pixel
    if space[0] == "GRAYA":
        return [(red + green + blue) // 3, alpha]
    if space[0] == "CMYKA":
        return [255 - red, 255 - green, 255 - blue, 0, alpha]
    return pixel if space[1] != "F32" else [red, green, blue, alpha]


class Node:
    """A layer or mask with at most one rectangle of pixels; a group shows its first visible one."""

    def __init__(self, document: Document, name: str, kind: str) -> None:
        self.document, self._name, self._kind = document, name, kind
        self._id = QUuid.createUuid()
        self._space = document.space
        self._area, self._raw = QRect(), b""
        self._children: list[Node] = []
        self._visible = True
        self.is_locked = False
        self.is_collapsed = False
        self.has_onion_skins = False
        self.shown_opacity, self.mode, self.inherits_alpha, self.style = 255, "normal", False, ""
        self.attached = False
        self.frames: dict[int, tuple[QRect, bytes]] = {}

    def name(self) -> str:
        return self._name

    def setName(self, name: str) -> None:
        self._name = name

    def type(self) -> str:
        return self._kind

    def uniqueId(self) -> QUuid:
        return self._id

    def animated(self) -> bool:
        return bool(self.frames)

    def hasKeyframeAtTime(self, time: int) -> bool:
        return time in self.frames

    def pixelDataAtTime(self, x: int, y: int, width: int, height: int, time: int) -> QByteArray:
        """Only at a key frame, as in Krita."""
        if time not in self.frames:
            return QByteArray()
        frame = Node(self.document, self._name, self._kind)
        frame._area, frame._raw = self.frames[time]
        return frame.pixelData(x, y, width, height)

    def visible(self) -> bool:
        return self._visible

    def setVisible(self, visible: bool) -> None:
        self._visible = visible

    def opacity(self) -> int:
        return self.shown_opacity

    def blendingMode(self) -> str:
        return self.mode

    def inheritAlpha(self) -> bool:
        return self.inherits_alpha

    def layerStyleToAsl(self) -> str:
        return self.style

    def passThroughMode(self) -> bool:
        return False

    def setPassThroughMode(self, value: bool) -> None:
        self._pass_through = value

    def colorModel(self) -> str:
        return self._space[0]

    def colorDepth(self) -> str:
        return self._space[1]

    def colorProfile(self) -> str:
        return self._space[2]

    def setColorSpace(self, model: str, depth: str, profile: str) -> bool:
        if model not in CHANNELS or depth not in BYTES:
            return False
        target = (model, depth, profile)
        self._raw = convert(self._raw, self._space, target)
        self._space = target
        if self.attached:
            self.document.touch()
        return True

    def childNodes(self) -> list[Node]:
        return list(self._children)

    def setChildNodes(self, nodes: list[Node]) -> None:
        self._children = list(nodes)

    def parentNode(self) -> Node:
        return next(one for one in _all_nodes(self.document.rootNode()) if self in one._children)

    def locked(self) -> bool:
        return self.is_locked

    def setOpacity(self, value: int) -> None:
        self.shown_opacity = value

    def setCollapsed(self, collapsed: bool) -> None:
        self.is_collapsed = collapsed

    def mergeDown(self) -> Node:
        """Put this node's pixels over those of the one below, as another undo step."""
        siblings = self.parentNode()._children
        below = siblings[siblings.index(self) - 1]
        merged = Node(self.document, below._name, below._kind)
        area = self._area.united(below._area)
        merged.setPixelData(_over(below, self, area), *area.getRect())
        siblings[siblings.index(below)] = merged
        siblings.remove(self)
        self.document.active = merged
        self.document.undo_steps.append((self, merged))
        return merged

    def addChildNode(self, node: Node, above: Node | None) -> bool:
        place = len(self._children) if above is None else self._children.index(above) + 1
        self._children.insert(place, node)
        node.document = self.document
        if self.attached:
            node.attach()
            self.document.touch()
            self.document.undo_steps.append((self, node))
            self.document.active = node
        return True

    def remove(self) -> bool:
        parents = [self.document.rootNode(), *self.document.rootNode().childNodes()]
        for parent in parents:
            if self in parent._children:
                parent._children.remove(self)
        self.attached = False
        return True

    def attach(self) -> None:
        self.attached = True
        for child in self._children:
            child.attach()

    def bounds(self) -> QRect:
        shown = self._shown()
        return QRect(shown._area) if shown else QRect(0, 0, 0, 0)

    def _shown(self) -> Node | None:
        if self._kind != "grouplayer":
            return self
        return next((child._shown() for child in self._children[::-1] if child.visible()), None)

    def setPixelData(self, raw: QByteArray, x: int, y: int, width: int, height: int) -> None:
        self._area, self._raw = QRect(x, y, width, height), bytes(raw)

    def pixelData(self, x: int, y: int, width: int, height: int) -> QByteArray:
        """Any rectangle; outside what was written all is zero, as in Krita."""
        size = CHANNELS[self._space[0]] * BYTES[self._space[1]]
        wanted = QRect(x, y, width, height)
        known = wanted.intersected(self._area)
        pixels = bytearray(width * height * size)
        for row in range(known.y(), known.y() + known.height()):
            inset = known.x() - self._area.x()
            start = ((row - self._area.y()) * self._area.width() + inset) * size
            line = self._raw[start : start + known.width() * size]
            to = ((row - y) * width + known.x() - x) * size
            pixels[to : to + len(line)] = line
        return QByteArray(bytes(pixels))

    def projectionPixelData(self, x: int, y: int, width: int, height: int) -> QByteArray:
        if self._kind.endswith("mask"):
            return QByteArray()
        shown = self._shown()
        return shown.pixelData(x, y, width, height) if shown else QByteArray()


class Selection:
    def __init__(self, rectangle: QRect) -> None:
        self._rectangle = rectangle

    def x(self) -> int:
        return self._rectangle.x()

    def y(self) -> int:
        return self._rectangle.y()

    def width(self) -> int:
        return self._rectangle.width()

    def height(self) -> int:
        return self._rectangle.height()

    def pixelData(self, x: int, y: int, width: int, height: int) -> QByteArray:
        """255 inside the rectangle."""
        inside = self._rectangle
        rows = range(y, y + height)
        return QByteArray(
            b"".join(
                bytes(255 * inside.contains(column, row) for column in range(x, x + width))
                for row in rows
            )
        )


class Document:
    def __init__(self, width: int, height: int, space: tuple[str, str, str] = SRGB) -> None:
        self._width, self._height, self.space = width, height, space
        self._root = Node(self, "root", "grouplayer")
        self._root.attached = True
        self._selection: Selection | None = None
        self._modified = False
        self.annotations: dict[str, bytes] = {}
        self.file = ""
        self.last_time = 0
        self.frame_rate = 24
        self.dpi = 72
        self.active: Node | None = None
        self.undo_steps: list[tuple[Node, Node]] = []

    def add(
        self,
        name: str,
        kind: str = "paintlayer",
        *,
        area: QRect | None = None,
        bgra: bytes = b"\x10\x20\x30\xff",
        parent: Node | None = None,
    ) -> Node:
        """Arrange a layer for a test."""
        node = Node(self, name, kind)
        if area is not None:
            raw = convert(bgra * (area.width() * area.height()), SRGB, self.space)
            node.setPixelData(QByteArray(raw), *area.getRect())
        (parent or self._root)._children.append(node)
        node.attach()
        self.active = node
        return node

    def touch(self) -> None:
        self._modified = True

    def undo(self) -> None:
        parent, node = self.undo_steps.pop()
        parent._children.remove(node)

    def name(self) -> str:
        return "fake"

    def fileName(self) -> str:
        return self.file

    def width(self) -> int:
        return self._width

    def height(self) -> int:
        return self._height

    def resolution(self) -> int:
        return self.dpi

    def rootNode(self) -> Node:
        return self._root

    def colorModel(self) -> str:
        return self.space[0]

    def colorDepth(self) -> str:
        return self.space[1]

    def colorProfile(self) -> str:
        return self.space[2]

    def pixelData(self, x: int, y: int, width: int, height: int) -> QByteArray:
        """The lowest layer alone stands for what is seen."""
        return self._root.childNodes()[0].pixelData(x, y, width, height)

    def fullClipRangeEndTime(self) -> int:
        return self.last_time

    def setFullClipRangeEndTime(self, time: int) -> None:
        self.last_time = time

    def framesPerSecond(self) -> int:
        return self.frame_rate

    def setFramesPerSecond(self, frame_rate: int) -> None:
        self.frame_rate = frame_rate

    def annotationTypes(self) -> list[str]:
        return list(self.annotations)

    def annotation(self, kind: str) -> QByteArray:
        return QByteArray(self.annotations[kind])

    def setAnnotation(self, kind: str, description: str, content: QByteArray) -> None:
        self.annotations[kind] = bytes(content)
        self._modified = True

    def removeAnnotation(self, kind: str) -> None:
        del self.annotations[kind]
        self._modified = True

    def activeNode(self) -> Node | None:
        return self.active

    def setActiveNode(self, node: Node) -> None:
        self.active = node

    def selection(self) -> Selection | None:
        return self._selection

    def setSelection(self, selection: Selection | None) -> None:
        self._selection = selection

    def createNode(self, name: str, kind: str) -> Node:
        return Node(self, name, kind)

    def createGroupLayer(self, name: str) -> Node:
        return Node(self, name, "grouplayer")

    def clone(self) -> Document:
        copy = Document(self._width, self._height, self.space)
        copy._root._children = [_cloned(child, copy) for child in self._root._children]
        return copy

    def refreshProjection(self) -> None:
        """The fake has no projection that could be old."""

    def waitForDone(self) -> None:
        """The fake has no strokes that run elsewhere."""

    def modified(self) -> bool:
        return self._modified

    def setModified(self, modified: bool) -> None:
        self._modified = modified

    def close(self) -> bool:
        if self in Krita.instance().open_documents:
            Krita.instance().open_documents.remove(self)
        return True


def _all_nodes(root: Node) -> list[Node]:
    return [root, *(one for child in root._children for one in _all_nodes(child))]


def _over(lower: Node, upper: Node, area: QRect) -> QByteArray:
    """Opaque or clear pixels of the upper node over those of the lower one."""
    under, over = (bytes(one.pixelData(*area.getRect())) for one in (lower, upper))
    pixels = [slice(start, start + 4) for start in range(0, len(over), 4)]
    return QByteArray(b"".join((over if over[one][3] else under)[one] for one in pixels))


def _cloned(node: Node, document: Document) -> Node:
    copy = Node(document, node._name, node._kind)
    copy._id, copy._space, copy._area, copy._raw = node._id, node._space, node._area, node._raw
    copy._visible = node._visible
    copy._children = [_cloned(child, document) for child in node._children]
    return copy


class Canvas:
    """A canvas that is not turned, mirrored or wrapped."""

    def __init__(self) -> None:
        self.zoom = 1.0

    def zoomLevel(self) -> float:
        return self.zoom

    def rotation(self) -> float:
        return 0.0

    def mirror(self) -> bool:
        return False

    def wrapAroundMode(self) -> bool:
        return False


class View:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.selected: list[Node] = []
        self.messages: list[str] = []
        self._canvas = Canvas()

    def window(self) -> Window:
        window = Krita.instance().window
        assert window is not None
        return window

    def canvas(self) -> Canvas:
        return self._canvas

    def showFloatingMessage(self, text: str, icon: QIcon, timeout: int, priority: int) -> None:
        self.messages.append(text)

    def document(self) -> Document:
        return self._document

    def selectedNodes(self) -> list[Node]:
        return self.selected


class Window:
    def __init__(self) -> None:
        self.view: View | None = None
        self.main_window = QMainWindow()
        self.actions: dict[str, Any] = {}

    def addView(self, document: Document) -> View:
        self.view = View(document)
        return self.view

    def activeView(self) -> View | None:
        return self.view

    def qwindow(self) -> QMainWindow:
        return self.main_window


class Notifier(QObject):
    applicationClosing = pyqtSignal()
    imageSaved = pyqtSignal(str)

    def setActive(self, active: bool) -> None:
        self.active = active


class DockWidget(QDockWidget):
    pass


class DockWidgetFactoryBase:
    DockRight = 2


class DockWidgetFactory:
    def __init__(self, identifier: str, side: int, kind: type) -> None:
        self.identifier, self.side, self.kind = identifier, side, kind


class Extension(QObject):
    pass


class Krita(QObject):
    _instance: Krita | None = None

    def __init__(self) -> None:
        super().__init__()
        self.open_documents: list[Document] = []
        self.window: Window | None = None
        self.settings: dict[tuple[str, str], str] = {}
        self.factories: list[DockWidgetFactory] = []
        self.extensions: list[Extension] = []
        self._is_silent = False
        self.data_folder = ""
        self._notifier = Notifier()
        self._numbers = itertools.count()

    @classmethod
    def instance(cls) -> Krita:
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    def version(self) -> str:
        return "5.1.5"

    def documents(self) -> list[Document]:
        return list(self.open_documents)

    def activeWindow(self) -> Window | None:
        return self.window

    def createDocument(
        self, width: int, height: int, name: str, model: str, depth: str, profile: str, dpi: float
    ) -> Document:
        document = Document(width, height, (model, depth, profile))
        self.open_documents.append(document)
        return document

    def openDocument(self, path: str) -> Document | None:
        """Of Krita's own files those with animated layers. It is not among the open ones."""
        assert self._is_silent, "else Krita would ask the artist"
        document = Document(64, 64)
        for layer in fake_kra.read(Path(path))[::-1]:
            node = document.add(layer.name)
            node.setVisible(layer.is_visible)
            node.has_onion_skins = layer.has_onion_skins
            node.frames = {time: (QRect(*box), raw) for time, (box, raw) in layer.frames.items()}
        return document

    def getAppDataLocation(self) -> str:
        return self.data_folder

    def batchmode(self) -> bool:
        return self._is_silent

    def setBatchmode(self, is_silent: bool) -> None:
        self._is_silent = is_silent

    def icon(self, name: str) -> QIcon:
        pixmap = QPixmap(16, 16)
        pixmap.fill()
        return QIcon(pixmap)

    def notifier(self) -> Notifier:
        return self._notifier

    def addExtension(self, extension: Extension) -> None:
        self.extensions.append(extension)

    def addDockWidgetFactory(self, factory: DockWidgetFactory) -> None:
        self.factories.append(factory)

    def readSetting(self, group: str, name: str, default: str) -> str:
        return self.settings.get((group, name), default)

    def writeSetting(self, group: str, name: str, value: str) -> None:
        self.settings[group, name] = value
