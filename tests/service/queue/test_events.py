"""The long poll: news at once, nothing lost between two pages, and a bounded log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from modelsheet.api.jobs import EventPage, JobView, Progress
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.queue.events import EventLog
from tests.service.event_pages import read_page


def view(job_id: str = "a", step: int = 0, title: str = "t", owner: str = "") -> JobView:
    return JobView(
        id=job_id,
        kind="learn",
        title=title,
        state="running",
        attempt=1,
        owner=owner,
        progress=Progress(step=step),
        created=0.0,
    )


def wait(
    log: EventLog, after: str, meanwhile: Callable[[], object], caller: Caller = OPERATOR
) -> EventPage:
    """Poll for minutes, do something meanwhile, and return the page."""

    async def poll() -> bytes:
        polling = asyncio.ensure_future(log.wait(after, 250.0, caller=caller))
        await asyncio.sleep(0)
        await asyncio.to_thread(meanwhile)
        return await asyncio.wait_for(polling, 180)

    return EventPage.model_validate_json(asyncio.run(poll()))


def test_without_a_cursor_the_page_is_a_gap_with_a_cursor() -> None:
    log = EventLog("b" * 16)
    log.publish_job(view())
    page = read_page(log)

    assert page.gap
    assert read_page(log, page.cursor).events == []


def test_a_cursor_of_an_earlier_run_is_a_gap() -> None:
    assert read_page(EventLog("b" * 16), f"{'a' * 16}:0").gap
    assert read_page(EventLog("b" * 16), f"{'b' * 16}:5").gap


def test_the_newest_view_of_each_job_comes_in_order() -> None:
    log = EventLog("b" * 16)
    start = read_page(log).cursor
    for job_id, step in [("a", 1), ("b", 1), ("a", 2)]:
        log.publish_job(view(job_id, step))
    log.publish_subjects()

    events = read_page(log, start).events

    assert [e.job and (e.job.id, e.job.progress.step) for e in events] == [("b", 1), ("a", 2), None]
    assert [e.seq for e in events] == [2, 3, 4]


def test_a_page_can_be_of_one_job() -> None:
    log = EventLog("b" * 16)
    start = read_page(log).cursor
    log.publish_job(view("a"))
    log.publish_job(view("b"))

    assert [e.job and e.job.id for e in read_page(log, start, job_id="a").events] == ["a"]


def test_one_who_waits_hears_at_once() -> None:
    log = EventLog("b" * 16)

    page = wait(log, read_page(log).cursor, lambda: log.publish_job(view()))

    assert len(page.events) == 1


def test_one_who_waits_hears_nothing_of_others() -> None:
    log = EventLog("b" * 16)

    def publish() -> None:
        log.publish_job(view("theirs", owner="bob"))
        log.publish_job(view("hers", owner="ann"))

    page = wait(log, read_page(log).cursor, publish, Caller("ann"))

    assert [e.job and e.job.id for e in page.events] == ["hers"]


def test_closing_answers_everybody() -> None:
    log = EventLog("b" * 16)

    page = wait(log, read_page(log).cursor, log.close)

    assert (page.events, page.retry_ms) == ([], 1000)


def test_the_waits_of_an_artist_can_be_ended() -> None:
    log = EventLog("b" * 16)

    page = wait(log, read_page(log).cursor, lambda: log.end_waits("ann"), Caller("ann"))

    assert page.events == []


def test_one_who_was_away_for_too_many_jobs_reads_them_anew() -> None:
    log = EventLog("b" * 16)
    log.publish_job(view("a"))
    long_ago = read_page(log).cursor
    for number in range(400):
        log.publish_job(view(str(number)))
    recent = read_page(log).cursor
    log.publish_job(view("last"))

    assert read_page(log, long_ago).gap
    assert [e.job and e.job.id for e in read_page(log, recent).events] == ["last"]


@pytest.mark.parametrize("length", [100_000, 3 << 20, 20 << 20])
def test_long_events_come_on_several_pages_and_do_not_fill_the_memory(length: int) -> None:
    log = EventLog("b" * 16)
    cursor = read_page(log).cursor
    for number in range(12):
        log.publish_job(view(str(number), title="x" * length))
    found: list[str] = []

    page = read_page(log, cursor)
    is_whole = not page.gap
    while page.events:
        assert len(page.events) == 1 or len(page.model_dump_json()) < 2 << 20
        found += [event.job.id for event in page.events if event.job]
        page = read_page(log, page.cursor)

    assert is_whole == (12 * length < 16 << 20)
    assert found == ([str(number) for number in range(12)] if is_whole else [])
