"""The long poll: news at once, nothing lost between two pages, and bounded waiting."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from modelsheet.api.jobs import JobView, Progress
from modelsheet.service.queue.events import EventLog


def view(job_id: str = "a", step: int = 0) -> JobView:
    return JobView(
        id=job_id,
        kind="learn",
        title="t",
        state="running",
        attempt=1,
        progress=Progress(step=step),
        created=0.0,
    )


def test_without_a_cursor_the_page_is_a_gap_with_a_cursor() -> None:
    log = EventLog("b" * 16, 1)
    log.publish_job(view())
    page = log.read("", 0)

    assert page.gap
    assert log.read(page.cursor, 0).events == []


def test_a_cursor_of_an_earlier_run_is_a_gap() -> None:
    assert EventLog("b" * 16, 1).read(f"{'a' * 16}:0", 0).gap
    assert EventLog("b" * 16, 1).read(f"{'b' * 16}:5", 0).gap


def test_the_newest_view_of_each_job_comes_in_order() -> None:
    log = EventLog("b" * 16, 1)
    start = log.read("", 0).cursor
    for job_id, step in [("a", 1), ("b", 1), ("a", 2)]:
        log.publish_job(view(job_id, step))
    log.publish_subjects()

    events = log.read(start, 0).events

    assert [e.job and (e.job.id, e.job.progress.step) for e in events] == [("b", 1), ("a", 2), None]
    assert [e.seq for e in events] == [2, 3, 4]


def test_a_page_can_be_of_one_job() -> None:
    log = EventLog("b" * 16, 1)
    start = log.read("", 0).cursor
    log.publish_job(view("a"))
    log.publish_job(view("b"))

    assert [e.job and e.job.id for e in log.read(start, 0, "a").events] == ["a"]


def test_one_who_waits_hears_at_once() -> None:
    log = EventLog("b" * 16, 1)
    start = log.read("", 0).cursor

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.read, start, 250.0)
        log.publish_job(view())
        page = waiting.result(timeout=180)

    assert len(page.events) == 1


def test_one_too_many_is_sent_away_to_come_again() -> None:
    log = EventLog("b" * 16, 1)
    start = log.read("", 0).cursor

    with ThreadPoolExecutor(2) as pool:
        pages = [pool.submit(log.read, start, 250.0) for _ in range(2)]
        (sent_away,) = wait(pages, timeout=180, return_when=FIRST_COMPLETED).done
        log.publish_job(view())

    assert sent_away.result().retry_ms == 1000
    assert sorted(len(page.result().events) for page in pages) == [0, 1]


def test_closing_answers_everybody() -> None:
    log = EventLog("b" * 16, 2)
    start = log.read("", 0).cursor
    answered = threading.Thread(target=log.read, args=(start, 250.0))
    answered.start()

    log.close()
    answered.join(timeout=180)

    assert not answered.is_alive()


def test_one_who_was_away_for_too_many_jobs_reads_them_anew() -> None:
    log = EventLog("b" * 16, 1)
    log.publish_job(view("a"))
    long_ago = log.read("", 0).cursor
    for number in range(400):
        log.publish_job(view(str(number)))
    recent = log.read("", 0).cursor
    log.publish_job(view("last"))

    assert log.read(long_ago, 0).gap
    assert [e.job and e.job.id for e in log.read(recent, 0).events] == ["last"]
