"""Facts about Krita's API that the plugin relies on, asked of the fake and of the real Krita:
the fake may not answer otherwise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from PyQt5.QtCore import QByteArray

RED = bytes((0, 0, 255, 255))
SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")


def facts(krita: Any, document: Any) -> dict[str, Any]:
    """`document`: of 64 x 48 px, in front, without layers."""
    found: dict[str, Any] = {}
    _nodes(document, found)
    _pixels(document, found)
    _groups(document, found)
    _beside_a_layer(document, found)
    _animation(document, found)
    _frames(krita, document, found)
    _settings(krita, found)
    _annotations(document, found)
    _others(krita, document, found)
    return found


def _nodes(document: Any, found: dict[str, Any]) -> None:
    node = document.createNode("a layer", "paintlayer")
    found["kind and name"] = [node.type(), node.name()]
    found["a new one is visible"] = node.visible()
    found["a new one has the document's colours"] = [node.colorModel(), node.colorDepth()]
    found["an empty one's bounds"] = list(node.bounds().getRect())[2:]
    found["how it is shown"] = [node.opacity(), node.blendingMode(), node.inheritAlpha()]
    found["without a style"] = node.layerStyleToAsl()
    found["masks are none"] = node.childNodes()
    found["two have different ids"] = (
        node.uniqueId() != document.createNode("b", "paintlayer").uniqueId()
    )
    node.setVisible(False)
    found["it can be hidden"] = node.visible()


def _pixels(document: Any, found: dict[str, Any]) -> None:
    node = document.createNode("pixels", "paintlayer")
    node.setPixelData(QByteArray(RED * 12), 10, 20, 4, 3)
    document.rootNode().addChildNode(node, None)
    document.waitForDone()
    found["bounds"] = list(node.bounds().getRect())
    found["inside"] = list(bytes(node.pixelData(10, 20, 1, 1)))
    found["outside is clear"] = list(bytes(node.pixelData(0, 0, 1, 1)))
    found["across the edge"] = list(bytes(node.pixelData(9, 20, 2, 1)))
    found["the projection is the same"] = list(bytes(node.projectionPixelData(10, 20, 1, 1)))
    found["beyond the canvas"] = len(bytes(node.pixelData(60, 40, 10, 10)))
    deep = document.createNode("deep", "paintlayer")
    deep.setPixelData(QByteArray(RED), 0, 0, 1, 1)
    found["it converts"] = bool(deep.setColorSpace("RGBA", "U16", SRGB[2]))
    found["to 16 bits"] = list(bytes(deep.pixelData(0, 0, 1, 1)))
    found["nonsense is refused"] = bool(deep.setColorSpace("NONE", "U8", ""))


def _groups(document: Any, found: dict[str, Any]) -> None:
    group = document.createGroupLayer("group")
    low, high = (document.createNode(name, "paintlayer") for name in ("low", "high"))
    for node in (low, high):
        node.setPixelData(QByteArray(RED * 64), 0, 0, 8, 8)
    group.setChildNodes([low, high])
    document.rootNode().addChildNode(group, None)
    document.refreshProjection()  # without it a group of several has no bounds yet
    document.waitForDone()
    found["children from bottom to top"] = [node.name() for node in group.childNodes()]
    found["a group is added on top"] = document.rootNode().childNodes()[-1].name()
    found["a group's kind"] = [group.type(), group.passThroughMode()]
    found["a group's bounds"] = list(group.bounds().getRect())
    high.setVisible(False)
    low.setVisible(False)


def _beside_a_layer(document: Any, found: dict[str, Any]) -> None:
    root = document.rootNode()
    lower, upper, top = (document.createNode(name, "paintlayer") for name in ("one", "two", "top"))
    lower.setPixelData(QByteArray(RED * 4), 0, 0, 2, 2)
    upper.setPixelData(QByteArray(bytes((255, 0, 0, 255))), 1, 1, 1, 1)
    root.addChildNode(lower, None)
    root.addChildNode(top, None)
    document.waitForDone()
    root.addChildNode(upper, lower)
    document.waitForDone()
    names = [node.name() for node in root.childNodes()]
    found["above a layer"] = names[names.index("one") :]
    found["its parent is the root"] = upper.parentNode().uniqueId() == root.uniqueId()
    found["it is not locked"] = upper.locked()
    upper.mergeDown()
    document.waitForDone()
    names = [node.name() for node in root.childNodes()]
    found["merged down"] = names[names.index("one") :]
    merged = root.childNodes()[names.index("one")]
    found["both can be seen"] = list(bytes(merged.projectionPixelData(0, 0, 2, 2)))


def _animation(document: Any, found: dict[str, Any]) -> None:
    node = document.createNode("still", "paintlayer")
    found["a new one is not animated"] = node.animated()
    found["it has no key frame"] = node.hasKeyframeAtTime(0)
    found["a range has an end"] = isinstance(document.fullClipRangeEndTime(), int)


def _frames(krita: Any, document: Any, found: dict[str, Any]) -> None:
    from modelsheet_krita.document import kra_animation_writer
    from modelsheet_krita.image import Image, Placement

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frames.kra"
        images = [Image("", 8, 8, RED * 64)] * 2
        written = kra_animation_writer.AnimatedLayer("frames", images, (0, 1), Placement(20, 20))
        for _ in kra_animation_writer.write(path, [written]):
            pass
        krita.setBatchmode(True)
        opened = krita.openDocument(str(path))
        krita.setBatchmode(False)
    (layer,) = opened.rootNode().childNodes()
    found["frames of a file"] = [layer.hasKeyframeAtTime(time) for time in range(3)]
    found["a pixel of a frame"] = list(bytes(layer.pixelDataAtTime(16, 16, 1, 1, 1)))
    found["outside of it"] = list(bytes(layer.pixelDataAtTime(15, 16, 1, 1, 1)))
    layer.remove()
    document.rootNode().addChildNode(layer, None)
    opened.setModified(False)
    opened.close()
    taken = document.rootNode().childNodes()[-1]
    found["frames go along to another document"] = [taken.hasKeyframeAtTime(t) for t in range(3)]


def _settings(krita: Any, found: dict[str, Any]) -> None:
    found["an unknown setting"] = krita.readSetting("modelsheet_facts", "none", "default")
    krita.writeSetting("modelsheet_facts", "text", '["ы", "a b"]')
    found["a setting comes back"] = krita.readSetting("modelsheet_facts", "text", "")


def _annotations(document: Any, found: dict[str, Any]) -> None:
    found["no annotation"] = "modelsheet/facts" in list(document.annotationTypes())
    document.setAnnotation("modelsheet/facts", "what it is", QByteArray(b'{"a": 1}'))
    found["an annotation is listed"] = "modelsheet/facts" in list(document.annotationTypes())
    found["an annotation comes back"] = bytes(document.annotation("modelsheet/facts")).decode()
    found["it modifies the document"] = document.modified()
    document.setModified(False)
    document.removeAnnotation("modelsheet/facts")
    found["a removed one is gone"] = "modelsheet/facts" in list(document.annotationTypes())
    found["that, too, modifies it"] = document.modified()


def _others(krita: Any, document: Any, found: dict[str, Any]) -> None:
    found["size"] = [document.width(), document.height()]
    found["no file yet"] = document.fileName()
    found["no selection"] = document.selection() is None
    found["it is among the open ones"] = any(document == one for one in krita.documents())
    scratch = krita.createDocument(1, 1, "scratch", *SRGB, 72.0)
    found["a scratch document has colours"] = [scratch.colorModel(), scratch.colorDepth()]
    scratch.setModified(False)
    scratch.close()
    found["an icon"] = krita.icon("addlayer").isNull()
    found["a version"] = krita.version()[0] in "56"
    copy = document.clone()
    found["a clone has the same layers"] = len(copy.rootNode().childNodes()) == len(
        document.rootNode().childNodes()
    )
    copy.setModified(False)
    copy.close()
