"""Read layers of every kind, also unsuitable ones, in a real Krita.

LAYERS_COLOURS names the documents' colours, such as RGBA-U8 GRAYA-U8.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import InfoObject, Krita, Selection
from PyQt5.QtCore import QByteArray

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
ORANGE = bytes((20, 120, 240, 255))  # BGRA
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="100px" height="100px" viewBox="0 0 100 100">'
    '<rect x="10" y="20" width="50" height="40" fill="#f07814"/></svg>'
)


def steps(driver):
    from modelsheet_krita.document import document as document_module
    from modelsheet_krita.image import ReadOptions

    krita = Krita.instance()
    for colours in os.environ["LAYERS_COLOURS"].split():
        model, depth = colours.split("-")
        created = krita.createDocument(256, 256, colours, model, depth, "", 72.0)
        view = driver.window.addView(created)
        yield ROAD["after"](0.5)
        yield lambda colours=colours: krita.activeDocument().name() == colours
        document = krita.activeDocument()
        document.nodeByName("Background").remove()
        nodes = make_layers(document)
        document.refreshProjection()
        document.waitForDone()
        yield ROAD["after"](1.0)
        opened = document_module.OpenDocument(document, view)
        driver.report[colours] = yield from read_each(opened, document, nodes, ReadOptions())
        document.setModified(False)
        document.close()
        yield ROAD["after"](0.5)


def read_each(opened, document, nodes, request):
    """Report what is read of each node or why not, and whether the document is unchanged."""
    from modelsheet_krita.errors import BadInput

    document.setModified(False)
    before = [node.visible() for node in walk(document.rootNode())]
    found = {}
    for name, node in nodes.items():
        opened._view = Chosen([node])
        try:
            result = drained(opened.read_layers(request))
        except BadInput as error:
            found[name] = str(error)
        else:
            found[name] = [summary(picture) for picture in result.images]
    document.waitForDone()
    yield ROAD["after"](0.5)
    found["modified"] = document.modified()
    found["visibility_kept"] = before == [node.visible() for node in walk(document.rootNode())]
    found["documents"] = len(Krita.instance().documents())
    return found


def drained(steps):
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value


class Chosen:
    """A view in which these layers are selected."""

    def __init__(self, nodes):
        self._nodes = nodes

    def selectedNodes(self):
        return self._nodes


def make_layers(document):
    root = document.rootNode()
    nodes = {"paint": paint(document, "paint", root)}
    group = document.createGroupLayer("group")
    root.addChildNode(group, None)
    paint(document, "in group", group)
    nodes["group"] = group
    hidden = document.createGroupLayer("hidden group")
    root.addChildNode(hidden, None)
    paint(document, "in hidden group", hidden)
    hidden.setVisible(False)
    nodes["hidden group"] = hidden
    all_hidden = document.createGroupLayer("all hidden")
    root.addChildNode(all_hidden, None)
    paint(document, "not shown", all_hidden).setVisible(False)
    nodes["all hidden"] = all_hidden
    through = document.createGroupLayer("pass through")
    root.addChildNode(through, None)
    paint(document, "in pass through", through)
    through.setPassThroughMode(True)
    nodes["pass through"] = through
    vector = document.createVectorLayer("vector")
    root.addChildNode(vector, None)
    vector.addShapesFromSvg(SVG)
    nodes["vector"] = vector
    nodes["clone"] = added(root, document.createCloneLayer("clone", nodes["paint"]))
    colour = InfoObject()
    colour.setProperty("color", "#f07814")
    everywhere = Selection()
    everywhere.select(0, 0, 256, 256, 255)
    nodes["fill"] = added(root, document.createFillLayer("fill", "color", colour, everywhere))
    nodes["filter"] = added(
        root, document.createFilterLayer("filter", Krita.instance().filter("invert"), everywhere)
    )
    nodes["mask"] = document.createNode("mask", "transparencymask")
    nodes["paint"].addChildNode(nodes["mask"], None)
    nodes["empty"] = added(root, document.createNode("empty", "paintlayer"))
    nodes["dot"] = paint(document, "dot", root, width=1, height=1)
    nodes["clear"] = paint(document, "clear", root, colour=bytes((9, 9, 9, 0)))
    nodes["half out"] = paint(document, "half out", root, x=246)
    nodes["far out"] = paint(document, "far out", root, x=400)
    return nodes


def paint(document, name, parent, *, x=10, y=20, width=20, height=24, colour=ORANGE):
    node = document.createNode(name, "paintlayer")
    space = (node.colorModel(), node.colorDepth(), node.colorProfile())
    node.setColorSpace(*SRGB)
    node.setPixelData(QByteArray(colour * (width * height)), x, y, width, height)
    node.setColorSpace(*space)
    parent.addChildNode(node, None)
    return node


def added(parent, node):
    parent.addChildNode(node, None)
    return node


def walk(node):
    for child in node.childNodes():
        yield child
        yield from walk(child)


def summary(picture):
    middle = ((picture.height // 2) * picture.width + picture.width // 2) * 4
    return [picture.width, picture.height, list(picture.pixels[middle : middle + 4])]
