"""The whole docker in a real Krita, with the real service and a runner that needs no torch."""

from __future__ import annotations

from tests.krita.conftest import Play


def test_the_docker_does_all_it_offers(play: Play) -> None:
    report = play("whole").report

    assert report["group as one"] == ["outfit"]
    assert report["each in the group"] == ["hat", "coat"]
    assert report["frames"] == ["walk, frame 0", "walk, frame 4", "walk, frame 8"]
    assert report["frame sizes"] == [[130, 60]]
    assert report["inside the selection"] == [64, 32]
    assert report["paused"].startswith("paused · step ")
    assert report["learning goes on"] == "Learning Wide"
    assert report["finished early"].startswith("Wide\n@wide · ")
    assert report["next chooses"]
    assert len(set(report["compared"])) == 2
    assert not report["compare touched the document"]
    assert report["sheet"] == [[58, 58]]  # two by two pictures of 32, clear at the margins
    assert report["group"] == 3
    assert report["two undos undo both"]
    assert report["saved"]
    assert report["remembered"] == ["Outfit"]
    assert report["continued"] == "@outfit again"
    assert report["came back as another"]
    assert report["wrong token"].startswith("The backend does not accept the token.")
    assert report["report"].startswith("The report is in the clipboard.")
    assert not report["token in document"]
