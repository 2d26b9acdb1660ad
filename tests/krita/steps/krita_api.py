"""Ask the real Krita for the facts about its API in tests/plugin/krita_facts."""

from __future__ import annotations

import os
import runpy
import time

from krita import Krita

FACTS = runpy.run_path(os.environ["KRITA_FACTS"])


def steps(driver):
    end = time.monotonic() + 1.0
    yield lambda: time.monotonic() > end
    krita = Krita.instance()
    created = krita.createDocument(64, 48, "facts", "RGBA", "U8", "", 72.0)
    driver.window.addView(created)
    yield lambda: krita.activeDocument() is not None
    document = krita.activeDocument()
    for node in document.rootNode().childNodes():
        node.remove()
    document.waitForDone()
    driver.report["facts"] = FACTS["facts"](krita, document)
