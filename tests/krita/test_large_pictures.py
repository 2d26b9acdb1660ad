"""A character of 64 x 64 pixels in a real Krita, with the real worker: what is said and shown."""

from __future__ import annotations

from tests.krita.conftest import Play

WORKER = "modelsheet.worker.runner:make_runner"


def test_what_is_lost_is_said_and_shown_before_learning(play: Play) -> None:
    report = play("large_pictures", runner=WORKER).report

    assert report["docker"] == "Ready: Sprites, 32 × 32"
    assert report["model"] == "Sprites, 32 × 32"
    assert report["said"].startswith("These pictures are up to 64 × 64 pixels.")
    assert report["button"] == "Learn as a Sprite"
    assert report["captions"] == ["", "gold crown", "red scarf"]
    assert report["previews"] == [6, 6, 5]  # the drawing's own colours, none mixed
    assert report["offered"] == ["sd15", "sdxl"]
