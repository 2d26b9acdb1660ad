"""Reading layers of every kind in a real Krita, in documents of several colours."""

from __future__ import annotations

from typing import Any

import pytest

from tests.krita.conftest import Play

ORANGE = [20, 120, 240, 255]
# The luminance 0.2126 R + 0.7152 G + 0.0722 B of the linear values, back in sRGB: 154.
GREY = pytest.approx([154, 154, 154, 255], abs=4)
REFUSED = {
    "all hidden": "Nothing in the group “all hidden” can be seen",
    "filter": "“filter” is a filter layer without a picture of its own.",
    "mask": "“mask” is a mask. Select the layer that it belongs to instead.",
    "empty": "“empty” is empty.",
    "dot": "“dot” is only 1 × 1 pixels;",
    "far out": "“far out” lies outside the canvas.",
}


COLOURS = {
    "RGBA-U8": ORANGE,
    "RGBA-U16": pytest.approx(ORANGE, abs=1),
    "RGBA-F32": pytest.approx(ORANGE, abs=1),
    "CMYKA-U8": pytest.approx(ORANGE, abs=40),  # its gamut is smaller
    "GRAYA-U8": GREY,
}


def test_every_kind_of_layer_is_read_or_refused_with_a_sentence(play: Play) -> None:
    environment = {"LAYERS_COLOURS": " ".join(COLOURS)}

    reports = play("layers", runner="", environment=environment).report

    for colours, colour in COLOURS.items():
        check(reports[colours], colour)


def check(report: dict[str, Any], colour: object) -> None:
    for name in ("paint", "group", "hidden group", "pass through", "clone"):
        assert report[name] == [[20, 24, colour]], name
    assert report["half out"] == [[10, 24, colour]]
    assert report["fill"] == [[256, 256, colour]]
    assert report["vector"][0][:2] == [50, 40]
    assert report["vector"][0][2] == colour
    for name, sentence in REFUSED.items():
        assert report[name].startswith(sentence)
    assert "“clear” is" in report["clear"]
    assert not report["modified"]
    assert report["visibility_kept"]
    assert report["documents"] == 1
