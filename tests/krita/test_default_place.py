"""At the docker's default place a running job and new results are always in view."""

from __future__ import annotations

from tests.krita.conftest import Play


def test_what_happens_is_in_view_where_krita_puts_the_docker(play: Play) -> None:
    report = play("default_place").report

    width, height = report["docker"]
    assert width < 350
    assert height < 500
    assert report["beside"] > 0, "a tab beside others"
    assert report["completing"]
    assert not report["popup covers the field"]
    assert not report["form moved"]
    assert report["job in view"], "as soon as Learn is pressed"
    assert report["trial pictures in view"]
    assert report["status line"].startswith("Modelsheet: Learning Hero")
    assert report["asked"]
    assert report["notice in view"]
    assert report["results in view"]
    assert report["apply in view"]
    for state in ("width", "width with results", "width with a notice"):
        content, viewport = report[state]
        assert content == viewport
