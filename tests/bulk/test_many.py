"""Streams of rows: each row gets its outcome, whatever the vendor refuses, loses or garbles on the way."""

import asyncio
import contextlib
import gc
import json
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ongage_async import (
    AuthenticationError,
    BudgetError,
    CSVError,
    DecodeError,
    Governor,
    InvalidInputError,
    JournalError,
    Lane,
    Limits,
    NotFoundError,
    OngageClient,
    RateLimitedError,
    RetryPolicy,
    ServerError,
)
from ongage_async.bulk import ManyReport
from ongage_async.bulk.many._row_journal import RowJournal
from ongage_async.bulk.sources._csv import CSVSource
from ongage_async.bulk.sources._sources import open_source
from ongage_async.emulator import Emulator, Fault
from ongage_async.models import Contact, NewContact, RowKind, RowOutcome
from tests.bulk import streams

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time, pytest.mark.usefixtures("threads_take_no_time")]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inside() -> Emulator:
    return streams.emulator()


@pytest.fixture
async def ongage(inside: Emulator) -> AsyncIterator[OngageClient]:
    async with streams.client(inside) as client:
        yield client


def rows(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    return ({"email": f"c{number}@doe.com", "first_name": f"n{number}"} for number in range(first, first + count))


def bad(number: int) -> dict[str, Any]:
    return {"email": f"bad{number}@doe.com", "product_id": "no number"}


def stored(inside: Emulator) -> dict[str, Any]:
    of = inside.state.default_list
    return {contact.email: of.contact(contact.email)["first_name"] for contact in of.contacts}


# --- the whole way


async def test_a_thousand_rows_are_created_by_some_calls_and_the_report_adds_up(ongage: OngageClient, inside: Emulator):
    report = await ongage.contacts.upsert_many(rows(1000))
    assert report.counts[RowKind.CREATED] == report.rows_read == 1000
    assert (report.adds_up, report.is_complete, report.rejected) == (True, True, ())
    assert report.calls == inside.witness.count("contacts.create") == 15  # the first four together, of 50
    assert stored(inside) == {f"c{number}@doe.com": f"n{number}" for number in range(1000)}
    assert report.as_text().startswith("contacts.upsert_many: 1,000 rows read = 1,000 created\nAll counts add up")


async def test_every_kind_of_row_and_source_is_taken(ongage: OngageClient, inside: Emulator):
    async def source() -> AsyncIterator[Any]:
        yield NewContact("A@doe.com", {"first_name": "a"})
        yield {"email": "b@doe.com", "fields": {"first_name": "b"}}
        yield {"email": "c@doe.com", "first_name": "c"}
        yield Contact(email="d@doe.com", fields={"first_name": "d"})

    report = await ongage.contacts.upsert_many(source())
    assert report.counts[RowKind.CREATED] == 4
    assert set(stored(inside)) == {"a@doe.com", "b@doe.com", "c@doe.com", "d@doe.com"}


async def test_a_path_is_read_cell_by_cell_and_what_cannot_be_believed_is_rejected(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    path = tmp_path / "contacts.csv"
    path.write_text(
        "E-Mail;first_name;product_id;shoe\na@doe.com; Ann ;7;44\nb@doe.com;;;\nno address;x;1;1\nc@doe.com;x\n"
    )
    load = ongage.contacts.upsert_many(path, mapping={"E-Mail": "email", "shoe": None})
    outcomes = {outcome.index: outcome async for outcome in load}
    assert [outcomes[place].kind for place in range(4)] == [
        RowKind.CREATED,
        RowKind.CREATED,
        RowKind.REJECTED,
        RowKind.REJECTED,
    ]
    assert stored(inside) == {"a@doe.com": "Ann", "b@doe.com": None}
    assert inside.state.default_list.contact("a@doe.com")["product_id"] == 7
    assert "5" in str(outcomes[3].reason)  # the line that a person finds it at
    with pytest.raises(InvalidInputError, match="mapping="):
        ongage.contacts.upsert_many(rows(3), mapping={"a": "b"})


async def test_a_data_frame_is_read(ongage: OngageClient, inside: Emulator):
    polars = pytest.importorskip("polars")
    report = await ongage.contacts.upsert_many(polars.DataFrame(list(rows(120))))
    assert (report.is_complete, len(stored(inside))) == (True, 120)


async def test_a_reason_that_names_an_address_is_masked_in_the_report(ongage: OngageClient, inside: Emulator):
    told = {"rows": 1, "failed": 1, "success": 0, "failed_emails": {"c0@doe.com": "planted@doe.com is barred"}}
    inside.faults.add("contacts.create", Fault.status(200, {"metadata": {"error": False}, "payload": told}))
    report = await ongage.contacts.upsert_many(rows(1))
    assert report.counts[RowKind.REJECTED] == 1
    assert "is barred" in report.as_text()
    assert "planted" not in report.as_text() + report.as_json()


async def test_what_exists_is_updated_and_what_was_deleted_is_revived(ongage: OngageClient, inside: Emulator):
    await ongage.contacts.upsert_many(rows(3))
    await ongage.contacts.delete(inside.state.default_list.contact("c1@doe.com")["id"])
    report = await ongage.contacts.upsert_many(rows(4))
    assert {kind: count for kind, count in report.counts.items() if count} == {
        RowKind.UPDATED: 2,
        RowKind.REVIVED: 1,
        RowKind.CREATED: 1,
    }


async def test_iterating_gives_one_outcome_per_row_with_its_place(ongage: OngageClient):
    given_rows = [*rows(120), bad(0), {"email": "no address"}, *rows(30, 200)]
    load = ongage.contacts.upsert_many(given_rows)
    outcomes = [outcome async for outcome in load]
    by_place = {outcome.index: outcome for outcome in outcomes}
    assert sorted(by_place) == list(range(152))
    assert len(outcomes) == 152
    assert [by_place[place].kind for place in (0, 119, 120, 121, 122)] == [
        RowKind.CREATED,
        RowKind.CREATED,
        RowKind.REJECTED,
        RowKind.REJECTED,
        RowKind.CREATED,
    ]
    assert by_place[121].reason == "row 122: `email` is not an address"
    assert by_place[5].contact_id is not None
    assert load.report.rows_read == 152
    assert load.report.adds_up


async def test_the_source_is_read_no_faster_than_the_calls_go(ongage: OngageClient, inside: Emulator):
    """Back-pressure: beside what is on its way, at most one row more than the next call needs was taken."""
    ahead: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for number, row in enumerate(rows(2000), 1):
            ahead.append(number - len(inside.state.default_list.contacts))
            yield row

    inside.latency = 0.2
    await ongage.contacts.upsert_many(source(), per_call=20, in_parallel=3)
    assert max(ahead) <= 20 * 3 + 1
    assert inside.witness.worst_open() == 3


async def test_a_slow_consumer_holds_the_source_back(ongage: OngageClient, inside: Emulator):
    taken = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for row in rows(2000):
            taken += 1
            yield row

    load = ongage.contacts.upsert_many(source(), per_call=10, in_parallel=2)
    for _ in range(5):
        await anext(load)
        await anyio.sleep(60)
    assert taken <= 21
    await load.aclose()
    assert [outcome async for outcome in load] == []


async def test_calls_take_the_bulk_lane_unless_the_caller_chose_one(ongage: OngageClient):
    await ongage.contacts.upsert_many(rows(10))
    await ongage.with_options(lane=Lane.URGENT).contacts.upsert_many(rows(10))
    lanes = (await ongage.governor.statistics()).lanes
    assert [lanes[lane].granted for lane in (Lane.URGENT, Lane.NORMAL, Lane.BULK)] == [1, 0, 1]


async def test_nothing_to_send_is_nothing_sent(ongage: OngageClient, inside: Emulator):
    report = await ongage.contacts.upsert_many([])
    assert (report.rows_read, report.calls, report.is_complete, len(inside.witness)) == (0, 0, True, 0)
    report = await ongage.contacts.upsert_many([7, {"email": ""}, {"id": "0" * 24}])
    assert (report.rows_read, report.counts[RowKind.REJECTED], report.calls) == (3, 3, 0)


async def test_wrong_arguments_are_refused_before_anything_is_read(ongage: OngageClient):
    contacts = ongage.contacts
    for wrong in ({"per_call": 0}, {"per_call": 501}, {"in_parallel": 0}, {"spare_calls": -1}, {"bytes_per_call": 0}):
        with pytest.raises(InvalidInputError, match=next(iter(wrong))):
            contacts.upsert_many(rows(1), **wrong)
    for one in ({"email": "a@doe.com"}, NewContact("a@doe.com")):
        with pytest.raises(InvalidInputError, match="list of rows"):
            contacts.upsert_many(one)
    with pytest.raises(InvalidInputError):
        contacts.change_status_many("a@doe.com", "unsubscribe")
    with pytest.raises(InvalidInputError):
        contacts.change_status_many(["a@doe.com"], "unsubscripe")


async def test_a_stream_that_is_never_awaited_warns(ongage: OngageClient):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ongage.contacts.upsert_many(rows(1))
        gc.collect()
    assert ["neither awaited nor iterated" in str(each.message) for each in caught] == [True]


# --- sizes


async def test_bytes_close_a_call_and_a_row_that_is_too_long_goes_alone(ongage: OngageClient, inside: Emulator):
    long = [{"email": f"c{number}@doe.com", "first_name": "x" * 400} for number in range(10)]
    long[4]["first_name"] = "x" * 5000
    report = await ongage.contacts.upsert_many(long, bytes_per_call=1000)
    assert report.is_complete
    assert report.calls == 6  # 2, 2, 1 long, 2, 2, 1


@pytest.mark.parametrize("status", [412, 413])
async def test_a_cap_that_nobody_told_us_is_found_and_kept(status: int):
    inside = streams.emulator(batch_cap=30)
    if status == 413:
        inside.faults.add("contacts.create", Fault.status(413, "<html>too large"), times=3)
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(rows(3000))
    assert report.is_complete
    refused = inside.witness.count("contacts.create", status=412) + inside.witness.count("contacts.create", status=413)
    assert 0 < refused < 12
    assert len(stored(inside)) == 3000
    assert report.calls < 170


# --- rows that are refused


@pytest.mark.parametrize("reading", ["row", "batch"])
@pytest.mark.parametrize("places", [{0}, {99}, {3, 50, 51, 98}, set(range(0, 100, 9))])
async def test_bad_rows_are_found_alone_whether_the_vendor_refuses_rows_or_calls(reading: str, places: set[int]):
    inside = streams.emulator()
    inside.readings.invalid_row = reading  # type: ignore[assignment]
    given_rows = [bad(place) if place in places else row for place, row in enumerate(rows(100))]
    async with streams.client(inside) as ongage:
        outcomes = [outcome async for outcome in ongage.contacts.upsert_many(given_rows)]
    assert {outcome.index for outcome in outcomes if outcome.kind is RowKind.REJECTED} == places
    assert len(stored(inside)) == 100 - len(places)
    assert all("numeric" in str(outcome.reason) for outcome in outcomes if outcome.kind is RowKind.REJECTED)


async def test_a_refusal_that_blames_its_rows_is_cut_there_and_one_that_does_not_in_the_middle():
    """Blamed: the call, the good ones, the bad ones. In the middle: about two calls for each halving."""
    calls = {}
    for told in (True, False):
        inside = streams.emulator()
        inside.readings.invalid_row = "batch"
        if not told:
            secret = {"metadata": {"error": True}, "payload": {"code": 412, "message": "no", "errors": []}}
            inside.faults.add("contacts.create", Fault.status(412, secret), times=1)
        async with streams.client(inside) as ongage:
            report = await ongage.contacts.upsert_many([*rows(49), bad(0)])
        assert report.counts[RowKind.REJECTED] == 1
        calls[told] = report.calls
    assert calls[True] == 3
    assert calls[False] <= 5


async def test_a_server_error_that_says_validation_is_a_refusal_and_is_not_waited_for(inside: Emulator):
    refusal = {"metadata": {"error": True}, "payload": {"code": 500, "message": "Validation error", "errors": []}}
    inside.faults.add("contacts.create", Fault.status(500, refusal), times=1)
    async with streams.client(inside) as ongage:
        began = anyio.current_time()
        report = await ongage.contacts.upsert_many(rows(50))
        assert anyio.current_time() - began < 10
    assert (report.calls, report.is_complete) == (3, True)


async def test_when_the_spare_calls_are_spent_rows_are_rejected_together(inside: Emulator):
    inside.readings.invalid_row = "batch"
    inside.faults.add("contacts.create", Fault.status(412))
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(rows(5000), spare_calls=20)
    assert report.counts[RowKind.REJECTED] == 5000
    assert report.adds_up
    assert any(reason.startswith("refused in one call with 49 others") for reason in report.reasons)
    assert inside.witness.count("contacts.create") <= 5000 / 50 + 21


async def test_scattered_bad_rows_pay_for_their_own_cutting(inside: Emulator):
    """One bad row in fifty among three thousand, in calls that are refused as a whole: every one is found alone."""
    inside.readings.invalid_row = "batch"
    given_rows = [bad(place) if place % 50 == 7 else row for place, row in enumerate(rows(3_000))]
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(given_rows, spare_calls=20)
    assert report.counts[RowKind.REJECTED] == 60
    assert not any("others" in reason for reason in report.reasons)


async def test_a_value_that_json_cannot_hold_rejects_its_row_alone(ongage: OngageClient, inside: Emulator):
    given_rows = [*rows(3), {"email": "x@doe.com", "first_name": {1, 2}}, {"email": "y@doe.com", "n": float("nan")}]
    report = await ongage.contacts.upsert_many(given_rows)
    assert (report.counts[RowKind.CREATED], report.counts[RowKind.REJECTED]) == (3, 2)
    assert "JSON cannot hold" in str(report.rejected[0].reason)
    assert len(stored(inside)) == 3


async def test_reasons_and_rejected_rows_are_bounded_and_hold_no_address(ongage: OngageClient):
    """A report of any number of rejected rows is as small as one of a thousand."""
    report = await ongage.contacts.upsert_many({"email": f"planted{number} at doe.com"} for number in range(10_000))
    assert report.counts[RowKind.REJECTED] == 10_000
    assert len(report.rejected) == 1000
    assert len(report.reasons) <= 101
    assert sum(report.reasons.values()) == 10_000
    assert "planted" not in report.as_json() + report.as_text() + repr(report)
    assert json.loads(report.as_json())["counts"]["rejected"] == 10_000


# --- one address several times


async def test_the_last_row_of_an_address_is_the_last_to_be_written(inside: Emulator):
    """Calls overtake each other as they like: rows of one address never do."""
    latency = iter([0.9, 0.1, 0.5, 0.2] * 1000)
    inside.latency = lambda _: next(latency)
    given_rows = [{"email": f"c{number % 37}@doe.com", "first_name": f"n{number}"} for number in range(1000)]
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(given_rows, per_call=11, in_parallel=4)
    assert stored(inside) == {f"c{number % 37}@doe.com": f"n{number}" for number in range(1000)}
    assert report.adds_up


async def test_rows_of_one_address_in_one_call_are_merged_field_by_field(ongage: OngageClient, inside: Emulator):
    given_rows = [
        {"email": "a@doe.com", "first_name": "x", "country": "Chile"},
        {"email": "b@doe.com"},
        {"email": "A@doe.com", "first_name": "y"},
    ]
    outcomes = [outcome async for outcome in ongage.contacts.upsert_many(given_rows)]
    assert [outcome.kind for outcome in outcomes] == [RowKind.DUPLICATE, RowKind.CREATED, RowKind.CREATED]
    kept = inside.state.default_list.contact("a@doe.com")
    assert (kept["first_name"], kept["country"]) == ("y", "Chile")
    assert inside.witness.count("contacts.create") == 1


async def test_merged_rows_that_are_refused_are_sent_one_after_the_other(ongage: OngageClient, inside: Emulator):
    given_rows = [
        {"email": "a@doe.com", "first_name": "x"},
        {"email": "a@doe.com", "product_id": "no number"},
        {"email": "a@doe.com", "country": "Chile"},
        {"email": "b@doe.com"},
    ]
    outcomes = {row.index: row.kind async for row in ongage.contacts.upsert_many(given_rows)}
    assert [outcomes[place] for place in range(4)] == [
        RowKind.CREATED,
        RowKind.REJECTED,
        RowKind.UPDATED,
        RowKind.CREATED,
    ]
    assert inside.state.default_list.contact("a@doe.com")["country"] == "Chile"


async def test_a_row_that_does_not_overwrite_is_never_merged(ongage: OngageClient, inside: Emulator):
    once = NewContact("a@doe.com", {"first_name": "first"}, overwrite=True)
    never = NewContact("a@doe.com", {"first_name": "second"}, overwrite=False)
    outcomes = [row.kind async for row in ongage.contacts.upsert_many([once, never])]
    assert outcomes == [RowKind.CREATED, RowKind.REJECTED]
    assert stored(inside) == {"a@doe.com": "first"}


# --- calls without an answer


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(),
        Fault.drop(after_execution=True),
        Fault.status(503),
        Fault.status(503, after_execution=True),
        Fault.status(429),
        Fault.half_body(),
        Fault.delay(100, after_execution=True),
    ],
    ids=lambda fault: f"{fault.name}{'-after' if fault.after_execution else ''}",
)
async def test_what_the_engine_can_repeat_is_repeated_and_nothing_is_lost(fault: Fault):
    inside = streams.emulator()
    inside.faults.add("contacts.create", fault, every=3)
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(rows(1000))
    assert report.is_complete
    assert len(stored(inside)) == 1000


async def test_a_call_without_an_answer_leaves_its_rows_unknown_and_the_others_go_on(inside: Emulator):
    inside.faults.add("contacts.create", Fault.garbage(), times=1, skip=1)
    async with streams.client(inside) as ongage:
        report = await ongage.contacts.upsert_many(rows(200), per_call=50, in_parallel=1)
    assert (report.counts[RowKind.UNKNOWN], report.counts[RowKind.CREATED], report.is_complete) == (50, 150, False)
    assert report.adds_up


async def test_three_calls_in_a_row_without_an_answer_end_the_stream(inside: Emulator):
    inside.faults.add("contacts.create", Fault.status(503), skip=2)
    async with streams.client(inside, retry=RetryPolicy.none()) as ongage:
        load = ongage.contacts.upsert_many(rows(10_000), per_call=50, in_parallel=2)
        with pytest.raises(ServerError) as caught:
            await load
    assert load.report.counts[RowKind.CREATED] == 100
    assert 150 <= load.report.counts[RowKind.UNKNOWN] <= 200
    assert load.report.adds_up
    assert inside.witness.count("contacts.create") <= 6
    assert "contacts.upsert_many, before it stopped" in caught.value.__notes__[-1]


async def test_what_the_next_call_would_meet_as_well_ends_the_stream(inside: Emulator):
    async with streams.client(inside) as ongage:
        load = ongage.contacts.upsert_many(rows(1000), list_id=1)
        with pytest.raises(NotFoundError):
            await load
        assert load.report.counts[RowKind.NOT_SENT] == load.report.rows_read <= 201
        inside.faults.add("contacts.create", Fault.status(401), skip=3)
        load = ongage.contacts.upsert_many(rows(1000), in_parallel=1)
        with pytest.raises(AuthenticationError):
            await load
    assert load.report.counts[RowKind.CREATED] == len(stored(inside)) > 0
    assert load.report.adds_up


async def test_a_budget_that_cannot_be_met_leaves_rows_unsent_and_says_when_to_come_again(inside: Emulator):
    governor = Governor(Limits(calls=3, per_s=60.0, parallel=10))
    async with streams.client(inside, governor=governor) as ongage:
        patient = ongage.with_options(max_wait_s=1.0, lane=Lane.NORMAL)
        load = patient.contacts.upsert_many(rows(1000), per_call=50)
        outcomes: list[RowOutcome] = []

        async def take() -> None:
            async for outcome in load:
                outcomes.append(outcome)

        with pytest.raises(BudgetError) as caught:
            await take()
        assert caught.value.retry_after_s > 30
    assert load.report.counts[RowKind.CREATED] == len(stored(inside)) == 150
    assert load.report.counts[RowKind.NOT_SENT] == len(outcomes) - 150 > 0
    assert load.report.adds_up
    assert [outcome async for outcome in load] == []


async def test_every_row_that_was_taken_has_an_outcome_also_the_one_that_waited_for_the_next_call(inside: Emulator):
    taken = 0

    def source() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for row in rows(100):
            taken += 1
            yield row

    inside.faults.add("contacts.create", Fault.status(401), skip=3)
    async with streams.client(inside) as ongage:
        load = ongage.contacts.upsert_many(source(), bytes_per_call=200, in_parallel=1)
        with pytest.raises(AuthenticationError):
            await load
    assert load.report.rows_read == taken < 100
    assert load.report.adds_up


async def test_an_error_of_the_source_is_raised_as_it_is_after_the_rows_before_it(
    ongage: OngageClient, inside: Emulator
):
    def broken() -> Iterator[dict[str, Any]]:
        yield from rows(75)
        raise KeyError("mine")

    load = ongage.contacts.upsert_many(broken())
    with pytest.raises(KeyError, match="mine"):
        await load
    assert load.report.counts[RowKind.CREATED] == len(stored(inside)) == 75


async def test_an_error_of_a_rows_own_class_comes_behind_the_rows_before_it(ongage: OngageClient, inside: Emulator):
    class Broken:
        def to_new_contact(self, *, is_new: bool = False) -> NewContact:
            raise TypeError("mine")

    load = ongage.contacts.upsert_many([*rows(30), Broken(), *rows(5, 30)])
    with pytest.raises(TypeError, match="mine"):
        await load
    assert load.report.rows_read == load.report.counts[RowKind.CREATED] == len(stored(inside)) == 30


async def test_a_file_that_breaks_in_the_middle_is_sent_as_far_as_it_was_read(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    """What was read ahead of the damage is sent, not thrown away with it."""
    lines = [f"c{number}@doe.com,Ann".encode() for number in range(1_500)]
    source = tmp_path / "people.csv"
    source.write_bytes(b"\n".join([b"email,first_name", *lines, b"x@doe.com,\xff", b"y@doe.com,Bob"]))
    load = ongage.contacts.upsert_many(source)
    with pytest.raises(CSVError, match="row 1502"):
        await load
    assert load.report.rows_read == load.report.counts[RowKind.CREATED] == len(stored(inside)) == 1_280


@pytest.mark.parametrize("is_later", [False, True])
async def test_a_source_may_fill_the_same_object_again_and_again(
    ongage: OngageClient, inside: Emulator, is_later: bool
):
    """Each row is looked at before the next one is asked for: else all of them would be the last one."""

    def again() -> Iterator[dict[str, Any]]:
        row: dict[str, Any] = {}
        for number in range(120):
            row["email"], row["first_name"] = f"c{number}@doe.com", f"n{number}"
            yield row

    async def later() -> AsyncIterator[dict[str, Any]]:
        for row in again():
            yield row

    report = await ongage.contacts.upsert_many(later() if is_later else again())
    assert report.counts[RowKind.CREATED] == 120
    assert stored(inside) == {f"c{number}@doe.com": f"n{number}" for number in range(120)}


# --- leaving


async def test_a_stream_may_be_left_and_taken_up_again(ongage: OngageClient, inside: Emulator):
    load = ongage.contacts.upsert_many(rows(300))
    async for _ in load:
        break
    gc.collect()
    inside.latency = 5.0
    with anyio.move_on_after(1.0):
        while True:
            await anext(load)
    inside.latency = 0.0
    seen = [outcome async for outcome in load]
    assert load.report.is_complete
    assert len(stored(inside)) == 300
    assert seen


async def test_cancelling_the_whole_gives_up_what_is_under_way_and_closes_the_source(
    ongage: OngageClient, inside: Emulator
):
    closed = False

    async def source() -> AsyncIterator[dict[str, Any]]:
        nonlocal closed
        try:
            for row in rows(1000):
                yield row
        finally:
            closed = True

    inside.faults.add("contacts.create", Fault.status(503), skip=1)
    with anyio.move_on_after(300):
        await ongage.contacts.upsert_many(source())
    assert closed
    calls = inside.witness.count("contacts.create")
    await anyio.sleep(4000)
    assert inside.witness.count("contacts.create") == calls
    assert (await ongage.governor.statistics()).open == 0


@pytest.mark.parametrize("name", ["open", "next_from", "record"])
def test_a_journal_is_not_closed_while_a_thread_is_at_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    """A cancellation by asyncio itself leaves a thread behind, and SQLite closed under one crashes the process."""
    done, began, open_after = getattr(RowJournal, name), threading.Event(), list[bool]()

    def slow(journal: RowJournal, *args: Any) -> Any:
        told = done(journal, *args)
        began.set()
        time.sleep(0.03)
        open_after.append(journal._base is not None)
        return told

    async def load(ongage: OngageClient) -> ManyReport:
        return await ongage.contacts.upsert_many(rows(100), journal=tmp_path / "j", side_file=tmp_path / "bad")

    async def main() -> None:
        async with streams.client(streams.emulator()) as ongage:
            with monkeypatch.context() as patched:
                patched.setattr(RowJournal, name, slow)
                task = asyncio.ensure_future(load(ongage))
                await anyio.to_thread.run_sync(began.wait)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert (await load(ongage)).adds_up

    asyncio.run(main())
    assert open_after == [True]


def test_a_file_is_not_closed_while_a_thread_reads_it_nor_opened_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source, began, seen = tmp_path / "people.csv", threading.Event(), list[str]()
    source.write_text("email\na@doe.com\n")
    close = CSVSource.close

    def slow(*args: Any, **options: Any) -> Any:
        began.set()
        time.sleep(0.03)
        seen.append("opened")
        return open_source(*args, **options)

    def note(of: CSVSource) -> None:
        seen.append("closed")
        close(of)

    monkeypatch.setattr("ongage_async.bulk.sources._contacts.open_source", slow)
    monkeypatch.setattr(CSVSource, "close", note)

    async def main() -> None:
        async with streams.client(streams.emulator()) as ongage:
            task = asyncio.ensure_future(ongage.contacts.upsert_many(source)._to_the_end())
            await anyio.to_thread.run_sync(began.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert seen == ["opened", "closed"]


async def test_a_source_that_is_cancelled_in_the_middle_of_a_row_is_not_taken_for_exhausted(ongage: OngageClient):
    async def source() -> AsyncIterator[dict[str, Any]]:
        for row in rows(10):
            await anyio.sleep(1.0)
            yield row

    load = ongage.contacts.upsert_many(source(), per_call=2)
    with anyio.move_on_after(3.5):
        async for _ in load:
            pass
    with pytest.raises(Exception, match="cancelled while the source gave a row"):
        async for _ in load:
            pass


# --- the other verbs


async def test_many_are_unsubscribed_and_who_is_not_there_is_rejected(ongage: OngageClient, inside: Emulator):
    await ongage.contacts.upsert_many(rows(250))
    emails = [f"c{number}@doe.com" for number in range(260)] + ["C0@doe.com"]
    report = await ongage.contacts.change_status_many(emails, "unsubscribe")
    assert (report.counts[RowKind.UPDATED], report.counts[RowKind.REJECTED], report.rows_read) == (251, 10, 261)
    assert inside.state.default_list.contact("c7@doe.com")["ocx_status"] == "Unsubscribed"
    assert report.calls <= 5


async def test_removals_without_an_answer_are_unknown_and_never_sent_twice(ongage: OngageClient, inside: Emulator):
    await ongage.contacts.upsert_many(rows(100))
    inside.faults.add("contacts.change_status", Fault.drop(after_execution=True), times=1)
    emails = [f"c{number}@doe.com" for number in range(100)]
    report = await ongage.contacts.change_status_many(emails, "remove", per_call=50, in_parallel=1)
    assert (report.counts[RowKind.UNKNOWN], report.counts[RowKind.UPDATED]) == (50, 50)
    assert inside.witness.count("contacts.change_status") == 2
    assert stored(inside) == {}


async def test_many_are_deleted_by_id(ongage: OngageClient, inside: Emulator):
    ids = [outcome.contact_id async for outcome in ongage.contacts.upsert_many(rows(100))]
    load = ongage.contacts.delete_many([str(each) for each in ids] + ["", "0" * 24])
    kinds = {outcome.index: outcome.kind async for outcome in load}
    assert stored(inside) == {}
    assert [kinds[place] for place in (0, 99, 100, 101)] == [
        RowKind.SUCCEEDED,
        RowKind.SUCCEEDED,
        RowKind.REJECTED,
        RowKind.REJECTED,
    ]
    assert load.report.adds_up


# --- the side file


async def test_rejected_rows_can_be_mended_and_sent_again(ongage: OngageClient, inside: Emulator, tmp_path: Path):
    side = tmp_path / "rejected.jsonl"
    given_rows = [*rows(3), bad(1), {"email": "no address", "first_name": "Ünï"}, 7]
    report = await ongage.contacts.upsert_many(given_rows, side_file=side)
    assert report.side_file == side
    lines = [json.loads(line) for line in side.read_text("utf-8").splitlines()]
    assert {line["row"]: line["contact"] for line in lines} == {
        4: {"email": "bad1@doe.com", "fields": {"product_id": "no number"}},
        5: {"email": "no address", "first_name": "Ünï"},
        6: 7,
    }
    assert side.stat().st_mode & 0o077 == 0
    mended = [line["contact"] for line in lines[:1]]
    mended[0]["fields"]["product_id"] = 7
    assert (await ongage.contacts.upsert_many(mended)).is_complete
    for _ in range(2):  # a journal made by the first try vouches for nothing
        with pytest.raises(InvalidInputError, match="exists"):
            await ongage.contacts.upsert_many(rows(1), side_file=side, journal=tmp_path / "journal")
    assert len(side.read_text("utf-8").splitlines()) == 3


async def test_without_rejected_rows_there_is_no_side_file(ongage: OngageClient, tmp_path: Path):
    report = await ongage.contacts.upsert_many(rows(3), side_file=tmp_path / "rejected.jsonl")
    assert (report.side_file, (tmp_path / "rejected.jsonl").exists()) == (None, False)


# --- the journal


async def test_a_stream_goes_on_behind_what_is_settled(ongage: OngageClient, inside: Emulator, tmp_path: Path):
    journal, side = tmp_path / "load.journal", tmp_path / "rejected.jsonl"
    given_rows = [bad(place) if place % 40 == 0 else row for place, row in enumerate(rows(1000))]
    fault = inside.faults.add("contacts.create", Fault.status(401), skip=6)
    with pytest.raises(AuthenticationError):
        await ongage.contacts.upsert_many(given_rows, journal=journal, side_file=side)
    inside.faults.remove(fault)
    before = inside.witness.count("contacts.create")
    report = await ongage.contacts.upsert_many(iter(given_rows), journal=journal, side_file=side)
    assert 200 <= report.rows_resumed < 1000
    assert (report.rows_read, report.counts[RowKind.CREATED], report.counts[RowKind.REJECTED]) == (1000, 975, 25)
    assert report.calls == inside.witness.count("contacts.create") - before
    assert f"{report.rows_resumed:,} of them were settled by an earlier run" in report.as_text()
    assert sorted(json.loads(line)["row"] for line in side.read_text("utf-8").splitlines()) == list(range(1, 1000, 40))
    again = await ongage.contacts.upsert_many(given_rows, journal=journal, side_file=side)
    assert (again.calls, again.rows_resumed, again.counts) == (0, 1000, report.counts)


async def test_a_journal_of_other_rows_or_another_load_refuses(ongage: OngageClient, inside: Emulator, tmp_path: Path):
    journal = tmp_path / "load.journal"
    await ongage.contacts.upsert_many(rows(200), journal=journal)
    calls = inside.witness.count("contacts.create")
    with pytest.raises(JournalError, match="rows 1 to 50 are not those"):
        await ongage.contacts.upsert_many(rows(200, 1), journal=journal)
    with pytest.raises(JournalError, match="the source ends at row 120"):
        await ongage.contacts.upsert_many(rows(120), journal=journal)
    with pytest.raises(JournalError, match=r"belongs to contacts\.upsert_many, list by default, and this is"):
        await ongage.contacts.upsert_many(rows(200), journal=journal, list_id=7)
    journal.write_bytes(b"no journal at all, but longer than a header of SQLite would be " * 4)
    with pytest.raises(JournalError, match="not a database"):
        await ongage.contacts.upsert_many(rows(200), journal=journal)
    assert inside.witness.count("contacts.create") == calls


async def test_a_second_run_with_one_journal_is_refused(ongage: OngageClient, tmp_path: Path):
    load = ongage.contacts.upsert_many(rows(200), journal=tmp_path / "load.journal")
    await anext(load)
    with pytest.raises(JournalError, match="another run holds it"):
        await ongage.contacts.upsert_many(rows(200), journal=tmp_path / "load.journal")
    await load.aclose()
    assert (await ongage.contacts.upsert_many(rows(200), journal=tmp_path / "load.journal")).is_complete


OTHER_RUN = """
import sys
from pathlib import Path
from ongage_async.bulk.many._row_journal import RowJournal
RowJournal(Path(sys.argv[1]), "a load").open()
"""


def test_a_second_run_that_is_refused_does_not_open_the_journal_to_other_processes(tmp_path: Path):
    """POSIX: who closes any descriptor of a file loses all its locks."""
    first, second = (RowJournal(tmp_path / "journal", "a load") for _ in range(2))
    first.open()
    with pytest.raises(JournalError, match="another run holds it"):
        second.open()
    command = [sys.executable, "-c", OTHER_RUN, str(tmp_path / "journal")]
    other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    first.close()
    assert "another run holds it" in other.stderr


def test_a_journal_is_held_from_its_opening_on_whether_or_not_anything_was_written(tmp_path: Path):
    first, second = (RowJournal(tmp_path / "journal", "a load") for _ in range(2))
    first.open()
    first.close()
    second.open()
    with pytest.raises(JournalError, match="another run holds it"):
        first.open()
    second.close()
    with pytest.raises(JournalError, match="closed"):
        second.next_from(0)


async def test_the_journal_holds_no_address(ongage: OngageClient, tmp_path: Path):
    journal = tmp_path / "load.journal"
    await ongage.contacts.upsert_many([{"email": "planted@doe.com"}, {"email": "planted at doe"}], journal=journal)
    assert b"planted" not in journal.read_bytes()
    assert journal.stat().st_mode & 0o077 == 0


async def test_a_rejected_row_of_a_call_without_an_answer_is_in_the_side_file_once(inside: Emulator, tmp_path: Path):
    """Its call is sent again by the next run, and it is rejected again: the first run's line must not stay."""
    inside.faults.add("contacts.create", Fault.garbage(after_execution=False), times=1)
    everything = [bad(row) if row % 20 == 3 else {"email": f"c{row}@doe.com"} for row in range(300)]
    everything[3] = {"email": "no address"}
    lines: list[int] = []
    for run in range(2):
        async with streams.client(inside) as ongage:
            report = await ongage.contacts.upsert_many(
                everything, journal=tmp_path / "j", side_file=tmp_path / "bad.jsonl", in_parallel=1
            )
        lines = [json.loads(line)["row"] - 1 for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
        assert len(lines) == report.counts[RowKind.REJECTED]
        assert (3 in lines, (report.counts[RowKind.UNKNOWN] == 0)) == (True, run == 1)
    assert sorted(lines) == list(range(3, 300, 20))


async def test_unknown_rows_are_sent_again_by_the_next_run(inside: Emulator, tmp_path: Path):
    inside.faults.add("contacts.create", Fault.garbage(after_execution=False), times=1)
    async with streams.client(inside) as ongage:
        first = await ongage.contacts.upsert_many(rows(200), journal=tmp_path / "j")
        second = await ongage.contacts.upsert_many(rows(200), journal=tmp_path / "j")
    assert (first.counts[RowKind.UNKNOWN], second.rows_resumed, second.is_complete) == (50, 150, True)
    assert len(stored(inside)) == 200


# --- whatever comes: the counts add up, and the contacts are those of the good rows

FAULTS = [
    Fault.drop(),
    Fault.drop(after_execution=True),
    Fault.status(503, after_execution=True),
    Fault.status(429),
    Fault.half_body(),
    Fault.garbage(),
    Fault.garbage(after_execution=False),
]
a_row = st.one_of(
    st.builds(lambda who, name: {"email": f"c{who}@doe.com", "first_name": name}, st.integers(0, 15), st.text("ab")),
    st.builds(lambda who, name: {"email": f"C{who}@doe.com", "country": name}, st.integers(0, 15), st.text("cd")),
    st.builds(lambda who: {"email": f"c{who}@doe.com", "product_id": "no number"}, st.integers(0, 15)),
    st.sampled_from([{"email": "no address"}, {"first_name": "x"}, 7, {"email": "x@doe.com", "first_name": {1}}]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    given_rows=st.lists(a_row, max_size=120),
    faults=st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 8), st.integers(1, 3)), max_size=4),
    invalid_row=st.sampled_from(["row", "batch"]),
    failed_emails=st.sampled_from(["reason", "list", "empty"]),
    result_keys=st.sampled_from(["sent", "stored"]),
    per_call=st.integers(1, 40),
    in_parallel=st.integers(1, 5),
    spare_calls=st.sampled_from([0, 3, 100]),
    backend=st.sampled_from(["asyncio", "trio"]),
)
def test_every_row_has_one_outcome_and_what_is_told_is_true(
    given_rows: list[Any],
    faults: list[tuple[Fault, int, int]],
    invalid_row: Any,
    failed_emails: Any,
    result_keys: Any,
    per_call: int,
    in_parallel: int,
    spare_calls: int,
    backend: str,
):
    inside = streams.emulator()
    inside.readings.invalid_row = invalid_row
    inside.readings.failed_emails = failed_emails
    inside.readings.result_keys = result_keys
    for fault, skip, times in faults:
        inside.faults.add("contacts.create", fault, skip=skip, times=times)
    outcomes: list[RowOutcome] = []

    async def main() -> ManyReport:
        async with streams.client(inside) as ongage:
            load = ongage.contacts.upsert_many(
                given_rows, per_call=per_call, in_parallel=in_parallel, spare_calls=spare_calls
            )
            with contextlib.suppress(DecodeError, RateLimitedError):  # three unreadable answers, or six 429s, end it
                async for outcome in load:
                    outcomes.append(outcome)
            return load.report

    report = streams.run(backend, main)
    assert report.adds_up
    assert sorted(outcome.index for outcome in outcomes) == list(range(report.rows_read))
    assert {kind: count for kind, count in report.counts.items() if count} == {
        kind: sum(outcome.kind is kind for outcome in outcomes) for kind in {outcome.kind for outcome in outcomes}
    }
    kinds = {outcome.index: outcome.kind for outcome in outcomes}
    expected: dict[str, dict[str, Any]] = {}
    unsettled: set[str] = set()
    for place, row in enumerate(given_rows[: report.rows_read]):
        if kinds[place] in (RowKind.UNKNOWN, RowKind.NOT_SENT):
            unsettled.add(row["email"].lower())
        elif kinds[place] is not RowKind.REJECTED:
            values = {name: value for name, value in row.items() if name != "email"}
            expected.setdefault(row["email"].lower(), {}).update(values)
    book = inside.state.default_list
    for email in {*expected, *(contact.email for contact in book.contacts)} - unsettled:
        contact = book.contact(email)
        assert contact is not None
        assert {name: contact[name] or "" for name in expected[email]} == {
            name: value or "" for name, value in expected[email].items()
        }
