"""Measure how long Krita's event loop is blocked while thirty large layers are learnt from.

The document has WATCHDOG_SIDE px a side. A heartbeat that comes late tells how long a turn of the
event loop took, Krita's own painting included, which is slow without a graphics card. `ours` is
the longest that a call of the plugin's own held the loop up, without `krita composes`: the call
that adds a layer, in which Krita itself composes the whole canvas. All are in milliseconds: by the
clock, and in processor time of Krita's main thread, which another program's load leaves alone.
"""

from __future__ import annotations

import os
import runpy
import time
from pathlib import Path

from krita import Krita
from PyQt5.QtCore import QByteArray, QTimer

ROAD = runpy.run_path(str(Path(__file__).with_name("road.py")))
after, is_shown = ROAD["after"], ROAD["is_shown"]
SIDE = int(os.environ.get("WATCHDOG_SIDE", "4096"))
LAYERS = 30
PICTURES = 3
BEAT_MS = 2


class Watchdog:
    """Its heart beats in the event loop; what holds the loop up makes a beat late."""

    def __init__(self):
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self.calls, self.composing = [], []
        self.start()
        self._timer.start(BEAT_MS)

    def start(self):
        self.turns = []
        self.calls[:], self.composing[:] = [(0.0, 0.0)], [(0.0, 0.0)]
        self._clock, self._cpu = time.monotonic(), time.thread_time()

    def watch_calls(self):
        """All that the plugin does of itself goes through its guard."""
        from modelsheet_krita import tasks
        from modelsheet_krita.backend import connection_thread
        from modelsheet_krita.controllers import notices
        from modelsheet_krita.document import layer_writer

        for module in (notices, connection_thread, tasks):
            module.guarded = self._timed(module.guarded, self.calls)
        writer = layer_writer.LayerWriter
        writer._join = self._timed(writer._join, self.composing)

    def _timed(self, function, into):
        def timed(*arguments):
            inner = len(self.composing)
            clock, cpu = time.monotonic(), time.thread_time()
            try:
                return function(*arguments)
            finally:
                took = time.thread_time() - cpu, time.monotonic() - clock
                theirs = [sum(one[which] for one in self.composing[inner:]) for which in (0, 1)]
                into.append(tuple(round(_ms(took[n]) - theirs[n], 1) for n in (0, 1)))

        return timed

    def _beat(self):
        now, cpu = time.monotonic(), time.thread_time()
        self.turns.append((_ms(cpu - self._cpu), _ms(now - self._clock)))
        self._clock, self._cpu = now, cpu

    def longest(self):
        """In milliseconds."""
        return {
            "krita composes": max(cpu for cpu, _ in self.composing),
            "krita composes by the clock": max(clock for _, clock in self.composing),
            "ours": max(cpu for cpu, _ in self.calls),
            "ours by the clock": max(clock for _, clock in self.calls),
            "loop": max((cpu for cpu, _ in self.turns), default=0.0),
            "loop by the clock": max((clock for _, clock in self.turns), default=0.0),
        }


def _ms(seconds):
    return round(seconds * 1000, 1)


def steps(driver):
    yield from ROAD["arrange_window"](driver)
    created = Krita.instance().createDocument(SIDE, SIDE, "large", "RGBA", "U8", "", 72.0)
    driver.window.addView(created)
    yield lambda: Krita.instance().activeDocument() is not None
    document = Krita.instance().activeDocument()
    document.nodeByName("Background").remove()
    yield from fill(document)
    document.setActiveNode(document.rootNode().childNodes()[-1])
    yield after(1.0)
    Krita.instance().action("select_all_layers").trigger()
    yield lambda: len(driver.window.activeView().selectedNodes()) == LAYERS
    yield after(2.0)
    watchdog = Watchdog()
    watchdog.watch_calls()
    yield after(2.0)
    driver.report["idle"] = watchdog.longest()
    watchdog.start()
    Krita.instance().action("modelsheet_learn_subject").trigger()
    yield lambda: is_shown(driver, "modelsheet_learn_form")
    form = driver.docker().controller.learn.dialog
    driver.report["pictures"] = form.images.count()
    driver.report["reading"] = watchdog.longest()
    watchdog.start()
    form.name.setText("Large")
    yield lambda: form.class_noun.currentText() != ""
    form.preset.setCurrentIndex(form.preset.findData("quick"))
    form.learn.click()
    yield lambda: driver.child("modelsheet_subjects").count() == 1
    driver.report["sending"] = watchdog.longest()
    yield from paint(driver, watchdog)


def fill(document):
    """Put all layers in at once, so that Krita composes the picture only once."""
    side, nodes = min(SIDE, 2048), []
    for number in range(LAYERS):
        node = document.createNode(f"view {number}", "paintlayer")
        colour = bytes((8 * number, 255 - 8 * number, 99, 255))
        for x in range(0, SIDE, side):
            node.setPixelData(QByteArray(colour * (side * side)), x, 0, side, side)
        nodes.append(node)
        yield
    document.rootNode().setChildNodes(nodes)
    document.refreshProjection()


def paint(driver, watchdog):
    driver.child("modelsheet_prompt").setText("@large")
    driver.child("modelsheet_count").setValue(PICTURES)
    advanced = driver.docker().controller.panel.box.advanced
    advanced.image_size.setCurrentIndex(advanced.image_size.findData("canvas"))
    watchdog.start()
    driver.child("modelsheet_generate").click()
    yield lambda: len(driver.child("modelsheet_results").images()) == PICTURES
    driver.report["generating"] = watchdog.longest()
    for how in ("layers", "frames"):
        watchdog.start()
        keys = driver.child("modelsheet_results").chosen()
        driver.docker().controller.panel.apply_wanted.emit(keys, how)
        yield lambda: not ROAD["is_applying"](driver)
        yield after(0.5)
        driver.report[f"applying {PICTURES} as {how}"] = watchdog.longest()
