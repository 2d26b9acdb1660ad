"""A document of poses becomes an animation in a real Krita. ANIMATION_DOCUMENT names it."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from krita import Krita

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))


def steps(driver):
    krita = Krita.instance()
    opened = krita.openDocument(os.environ["ANIMATION_DOCUMENT"])
    driver.window.addView(opened)
    yield lambda: krita.activeDocument() is not None
    document = krita.activeDocument()
    (group,) = document.topLevelNodes()
    poses = len(group.childNodes())
    document.setActiveNode(group)
    yield ROAD["after"](1.0)
    krita.action("convert_group_to_animated").trigger()
    document.waitForDone()
    yield lambda: any(node.animated() for node in document.topLevelNodes())
    (node,) = [node for node in document.topLevelNodes() if node.animated()]
    width, height = document.width(), document.height()
    driver.report["key_frames"] = [node.hasKeyframeAtTime(t) for t in range(poses + 1)]
    driver.report["alpha"] = [
        bytes(node.pixelDataAtTime(0, 0, width, height, t))[3::4].hex() for t in range(poses)
    ]
    document.setModified(False)
