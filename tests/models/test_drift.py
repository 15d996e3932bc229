"""What the models do not know is counted: once per answer, bounded, from any thread, and without an address."""

import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from ongage_async import _drift, drift_report, webhook
from ongage_async._drift import LONGEST_NAME, DriftCounter
from ongage_async.events import DriftReport, DriftRow, DriftSeen
from ongage_async.models import Contact, Import, MailingList
from ongage_async.models._converter import structure, structure_many
from ongage_async.models.ownpage import OwnpageList

START = datetime(2026, 7, 1, 10, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _counted_anew() -> Iterator[None]:
    drift_report(reset=True)
    yield
    drift_report(reset=True)


@pytest.fixture
def clock() -> Iterator[datetime]:
    return (START + timedelta(minutes=minute) for minute in range(1000))


def seen(name: str = "colour") -> DriftSeen:
    return DriftSeen("MailingList", name, "field")


def told() -> list[tuple[str, str, str, int]]:
    return [(row.model, row.field, row.kind, row.count) for row in drift_report()]


def test_an_answer_counts_once_however_many_of_its_objects_have_the_field():
    """The count says in how many answers, so that a page of a thousand does not drown a daily call."""
    structure_many(MailingList, [{"id": 1, "colour": 1}, {"id": 2, "colour": 2}], operation="lists.page")
    structure(MailingList, {"id": 1, "colour": 1, "type": "mixed"}, operation="lists.get")
    assert told() == [("MailingList", "colour", "field", 2), ("MailingList", "type", "value", 1)]


def test_nobody_needs_to_listen():
    """It is counted with and without `on_event`, and told once more to who listens."""
    heard: list[DriftSeen] = []
    for listener in (None, heard.append):
        structure(Import, {"id": 1, "status": 40099}, operation="imports.get", on_drift=listener)
    assert heard == [DriftSeen("Import", "status", "value")]
    assert told() == [("Import", "status", "value", 2)]


def test_known_answers_are_no_drift():
    structure(MailingList, {"id": 1, "type": "sending"}, operation="lists.get")
    assert (len(drift_report()), str(drift_report())) == (0, "no drift was seen")


def test_the_second_vendor_and_the_webhook_are_counted_too():
    structure(OwnpageList, {"id": 1, "flavour": 1}, operation="lists.page")
    webhook.parse(b'[{"email": "a@b.c", "status": "teleported"}]')
    assert told() == [("OwnpageList", "flavour", "field", 1), ("WebhookEvent", "status", "value", 1)]


def test_a_field_that_is_named_like_an_address_is_masked_and_a_long_name_cut():
    structure(Contact, {"id": "5aae", "ocx_john@doe.com": 1, "ocx_" + "x" * 10_000: 1}, operation="contacts.get_by_id")
    fields = [row.field for row in drift_report()]
    assert "john" not in str(drift_report())
    assert "doe" not in repr(drift_report())
    assert sorted(map(len, fields)) == [len("‹address›"), LONGEST_NAME]


def test_a_reset_gives_what_was_counted_and_starts_anew():
    structure(MailingList, {"id": 1, "colour": 1}, operation="lists.get")
    assert len(drift_report(reset=True)) == 1
    assert drift_report() == DriftReport((), 0)


def test_times_are_those_of_the_first_and_the_last_sighting(clock: Iterator[datetime]):
    counter = DriftCounter(now=lambda: next(clock))
    for _ in range(3):
        counter.count([seen()])
    assert counter.report().rows == (
        DriftRow("MailingList", "colour", "field", 3, START, START + timedelta(minutes=2)),
    )


def test_real_times_are_aware_and_in_utc():
    before = datetime.now(UTC)
    structure(MailingList, {"id": 1, "colour": 1}, operation="lists.get")
    (row,) = drift_report()
    assert before <= row.first_seen == row.last_seen <= datetime.now(UTC)
    assert row.first_seen.utcoffset() == timedelta(0)


def test_the_most_frequent_come_first_and_further_ones_are_counted_together(clock: Iterator[datetime]):
    """Memory is bounded: an answer with a million keys of its own invention makes one number grow."""
    counter = DriftCounter(most=2, now=lambda: next(clock))
    for name in ("b", "a", "a", *(f"new{number}" for number in range(500))):
        counter.count([seen(name)])
    counter.count([seen("b"), seen("a")])
    report = counter.report()
    assert [(row.field, row.count) for row in report] == [("a", 3), ("b", 2)]
    assert report.others == 500
    assert str(report).splitlines()[-1] == "and 500 sightings of others"


def test_the_table_lines_up(clock: Iterator[datetime]):
    counter = DriftCounter(now=lambda: next(clock))
    counter.count([seen("a_long_name"), DriftSeen("Import", "status", "value")])
    assert str(counter.report()).splitlines() == [
        "model        field        kind   answers  first seen (UTC)     last seen (UTC)",
        "Import       status       value  1        2026-07-01 10:00:00  2026-07-01 10:00:00",
        "MailingList  a_long_name  field  1        2026-07-01 10:00:00  2026-07-01 10:00:00",
    ]


def test_threads_lose_no_count():
    """Loops in several threads share the counter; a report with a reset in between neither loses nor doubles."""
    counter, found = DriftCounter(), list[DriftReport]()

    def work() -> None:
        for number in range(300):
            counter.count([seen(f"f{number % 7}")])
            if number % 50 == 0:
                found.append(counter.report(reset=True))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(row.count for report in [*found, counter.report()] for row in report) == 8 * 300


def test_a_forked_child_counts_on():
    """A lock that a thread holds at the fork would never be free in the child."""
    structure(MailingList, {"id": 1, "colour": 1}, operation="lists.get")
    with _drift._COUNTER._lock:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)  # ends a child that hangs
            try:
                structure(MailingList, {"id": 1, "colour": 1}, operation="lists.get")
                os._exit(drift_report().rows[0].count)
            finally:
                os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert drift_report().rows[0].count == 1
