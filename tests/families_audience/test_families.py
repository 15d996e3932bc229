"""Counts, searches, reports, segments, suppression: what the server read, and what came back."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from ongage_async import (
    DecodeError,
    JobError,
    JobTimeoutError,
    Lane,
    NotFoundError,
    OngageClient,
    Repeat,
    ServerError,
    ValidationError,
)
from ongage_async.emulator import Emulator, Fault, Readings
from ongage_async.errors import InvalidInputError
from ongage_async.models import ContactStatus, ReportStatus, SegmentType
from ongage_async.resources import contact_activity, contact_counts, exports, segments
from ongage_async.resources.criteria import field
from tests.client.conftest import Wire
from tests.client.variants import readings_of, variants

pytestmark = pytest.mark.anyio

CHILE = field("country").equals("Chile")
CHILE_ON_WIRE = {
    "field_name": "country",
    "type": "string",
    "operator": "=",
    "operand": ["Chile"],
    "case_sensitive": 0,
}
FAMILIES = ["contact_search", "contact_activity", "aggregate_activity"]


@pytest.fixture(params=variants(error_status_200=[True]))
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


# --- counts


async def test_a_count_by_criteria_is_made_watched_and_has_all_numbers(
    ongage: OngageClient, wire: Wire, emulator: Emulator, people: dict[str, Any]
):
    emulator.state.audience.ready_s = 60.0
    made = await ongage.contact_counts.create(CHILE, list_id=emulator.default_list_id)
    assert wire.last.line == f"POST /{emulator.default_list_id}/api/contact_counts"
    assert wire.last.body == {"criteria": [CHILE_ON_WIRE]}
    assert (made.id, made.is_final) == (1112223334, False)
    seen = []
    async for snapshot in ongage.contact_counts.watch(made.id, interval_s=0.01):
        seen.append(snapshot)
        emulator.state.audience.counts[made.id].due_at = 0.0
    assert wire.last.line == f"GET /api/contact_counts/{made.id}"
    assert [snapshot.is_final for snapshot in seen] == [False, True]
    done = seen[-1]
    assert (done.total, done.active, done.bounced, done.complaint, done.unsubscribed) == (2, 1, 1, 0, 0)
    assert await ongage.contact_counts.wait(made.id) == await ongage.contact_counts.get(made.id) == done
    assert (done.id, done.extra) == (made.id, {})


async def test_a_count_of_a_segment_and_of_several_criteria(ongage: OngageClient, wire: Wire, people: dict[str, Any]):
    segment = await ongage.segments.create("Chile", CHILE)
    made = await ongage.contact_counts.create(segment_id=segment.id)
    assert wire.last.body == {"segment_id": segment.id}
    assert (await ongage.contact_counts.wait(made.id)).total == 2
    made = await ongage.contact_counts.create(CHILE & field("product_id").less_than(2))
    assert [rule["condition"] for rule in wire.last.body["criteria"]] == ["and", "and"]
    assert (await ongage.contact_counts.wait(made.id)).total == 1


async def test_a_count_that_cannot_be_made_says_so(ongage: OngageClient, wire: Wire):
    with pytest.raises(InvalidInputError, match="one of the two"):
        await ongage.contact_counts.create()
    with pytest.raises(InvalidInputError, match="one of the two"):
        await ongage.contact_counts.create(CHILE, segment_id=1)
    assert wire.sent == []
    with pytest.raises(NotFoundError):
        await ongage.contact_counts.get(1)
    with pytest.raises(ServerError) as caught:
        await ongage.with_options(max_wait_s=0.0).contact_counts.create(field("colour").equals("red"))
    assert "criteria" in caught.value.errors


async def test_a_wait_for_a_count_ends_when_the_caller_says(ongage: OngageClient, emulator: Emulator):
    emulator.state.audience.ready_s = 60.0
    made = await ongage.contact_counts.create(CHILE)
    with pytest.raises(JobTimeoutError) as caught:
        await ongage.contact_counts.wait(made.id, timeout_s=0.5, interval_s=0.05)
    assert (caught.value.job.id, caught.value.job.total) == (made.id, None)


# --- searches and reports


async def test_a_search_sends_the_names_that_other_clients_send(
    ongage: OngageClient, wire: Wire, people: dict[str, Any]
):
    made = await ongage.contact_search.create(
        "Chile",
        field("email").is_not_empty() & CHILE,
        user_type="all",
        selected_fields=["email", "ocx_contact_id", "ocx_status"],
        include_behavior=True,
        type="Active",
        extra={"new": 1},
    )
    assert wire.last.line == "POST /api/contact_search"
    email = {"field_name": "email", "type": "email", "operator": "notempty", "operand": [""], "case_sensitive": 0}
    assert wire.last.body == {
        "title": "Chile",
        "filters": {
            "criteria": [{**email, "condition": "and"}, {**CHILE_ON_WIRE, "condition": "and"}],
            "type": "Active",
            "user_type": "all",
        },
        "selected_fields": ["email", "ocx_contact_id", "ocx_status"],
        "include_behavior": True,
        "combined_as_and": True,
        "new": 1,
    }
    assert (made.status, made.is_final) == (ReportStatus.PENDING, False)
    assert (await ongage.contact_search.wait(made.id)).is_completed
    rows = [row async for row in ongage.contact_search.rows(made.id, sort="email", order="DESC")]
    assert (wire.last.line, wire.last.query) == (
        f"GET /api/contact_search/{made.id}/result",
        {"sort": "email", "order": "DESC", "limit": "1000"},
    )
    assert [(row.email, row.contact_id, row.status, row.sent) for row in rows] == [
        ("cid@roe.org", people["cid@roe.org"].id, ContactStatus("Bounced"), 0),
        ("ann@doe.com", people["ann@doe.com"].id, ContactStatus.ACTIVE, 0),
    ]


async def test_rows_come_in_pages_typed_and_each_once(ongage: OngageClient, wire: Wire, people: dict[str, Any]):
    made = await ongage.contact_search.create("all", field("email").is_not_empty())
    rows = [row async for row in ongage.contact_search.rows(made.id, page_size=2)]
    assert [row.email for row in rows] == list(people)
    assert [sent.query.get("offset") for sent in wire.sent[1:]] == [None, "2", "4"]
    assert rows[0].fields["country"] == "Chile"
    assert rows[0].created == dt.datetime.fromtimestamp(1_700_000_000, dt.UTC)
    assert "doe.com" not in repr(rows)
    assert "Chile" not in repr(rows)


async def test_rows_without_identity_are_not_taken_for_one_another(ongage: OngageClient, people: dict[str, Any]):
    made = await ongage.contact_search.create("all", field("email").is_not_empty(), selected_fields=["country"])
    rows = [row async for row in ongage.contact_search.rows(made.id, page_size=2)]
    assert [row.fields["country"] for row in rows] == ["Chile", "Peru", "Chile", "Chad", ""]


@pytest.mark.parametrize("name", ["contact_search", "contact_activity"])
async def test_rows_that_the_vendor_took_away_are_not_found_and_the_file_is_still_there(
    ongage: OngageClient, emulator: Emulator, people: dict[str, Any], name: str, tmp_path: Path
):
    """`/result` is gone from the newest pages (§6.1 #13): then `rows` says so, and `download` has the same."""
    emulator.readings.job_rows = "gone"
    family = getattr(ongage, name)
    made = await family.create("all", field("email").is_not_empty(), selected_fields=["email"])
    await family.wait(made.id)
    with pytest.raises(NotFoundError):
        await anext(family.rows(made.id))
    (file,) = await family.download(made.id, tmp_path / "rows.csv")
    assert file.read_text().split() == ["email", *people]


async def test_an_activity_report_sends_its_time_and_gives_rows(
    ongage: OngageClient, wire: Wire, people: dict[str, Any]
):
    since = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = await ongage.contact_activity.create(
        "January", CHILE, selected_fields=["email", "sent"], from_date=since, to_date=1_800_000_000, user_type="active"
    )
    assert wire.last.line == "POST /api/contact_activity"
    assert wire.last.body == {
        "title": "January",
        "filters": {
            "criteria": [{**CHILE_ON_WIRE, "condition": "and"}],
            "user_type": "active",
            "from_date": int(since.timestamp()),
            "to_date": 1_800_000_000,
        },
        "selected_fields": ["email", "sent"],
    }
    await ongage.contact_activity.wait(made.id)
    assert [(row.email, row.sent) async for row in ongage.contact_activity.rows(made.id)] == [("ann@doe.com", 0)]
    assert wire.last.path == f"/api/contact_activity/{made.id}/result"


async def test_an_aggregate_report_is_asked_like_an_activity_report(
    ongage: OngageClient, wire: Wire, people: dict[str, Any], tmp_path: Any
):
    made = await ongage.aggregate_activity.create("All", CHILE, selected_fields=["sent"], combined_as_and=False)
    assert wire.last.line == "POST /api/aggregate_activity"
    assert (wire.last.body["title"], wire.last.body["combined_as_and"]) == ("All", False)
    (path,) = await ongage.aggregate_activity.download(made.id, tmp_path / "all.csv")
    assert wire.last.line == f"GET /api/aggregate_activity/{made.id}/export"
    assert path.read_text() == "sent\n0\n0\n"


@pytest.mark.parametrize("name", FAMILIES)
async def test_every_report_is_listed_got_and_deleted_alike(
    ongage: OngageClient, wire: Wire, emulator: Emulator, name: str
):
    family = getattr(ongage, name)
    ids = [(await family.create(f"number {number}", CHILE)).id for number in range(3)]
    page = await family.page(sort="id", order="DESC", offset=1, limit=1, list_id=emulator.default_list_id)
    assert wire.last.line == f"GET /{emulator.default_list_id}/api/{name}"
    assert wire.last.query == {"sort": "id", "order": "DESC", "offset": "1", "limit": "1"}
    assert ([item.id for item in page], page.total) == ([ids[1]], 3)
    assert [item.id async for item in family.each(page_size=2)] == ids
    got = await family.get(ids[0])
    assert (wire.last.line, got.id, got.title) == (f"GET /api/{name}/{ids[0]}", ids[0], "number 0")
    await family.delete(ids[0])
    assert wire.last.line == f"DELETE /api/{name}/{ids[0]}"
    with pytest.raises(NotFoundError):
        await family.get(ids[0])


@pytest.mark.parametrize("name", FAMILIES)
async def test_every_report_is_followed_alike(ongage: OngageClient, emulator: Emulator, name: str):
    family, audience = getattr(ongage, name), emulator.state.audience
    audience.ready_s = 60.0
    made = await family.create("slow", CHILE)
    seen = []
    async for snapshot in family.watch(made.id, interval_s=0.01):
        seen.append(snapshot.status)
        audience.family(name)[made.id].due_at = 0.0
    assert seen == [ReportStatus.PENDING, ReportStatus.COMPLETED]
    audience.end, audience.ready_s = 3, 0.02
    failing = await family.create("failing", CHILE)
    with pytest.raises(JobError, match="status 3") as caught:
        await family.wait(failing.id, interval_s=0.01)
    assert (caught.value.operation, caught.value.job.id) == (f"{name}.wait", failing.id)
    audience.ready_s = 60.0
    slow = await family.create("slower", CHILE)
    with pytest.raises(JobTimeoutError, match="status 1: Pending"):
        await family.wait(slow.id, timeout_s=0.5, interval_s=0.05)


async def test_a_poll_takes_the_bulk_lane_and_an_error_holds_no_address(
    ongage: OngageClient, emulator: Emulator, people: dict[str, Any]
):
    emulator.state.audience.end = 3
    made = await ongage.contact_search.create("about ann@doe.com", CHILE)
    with pytest.raises(JobError) as caught:
        await ongage.contact_search.wait(made.id)
    assert "doe.com" not in repr(caught.value.job) + str(caught.value.job.title) + str(caught.value)
    lanes = (await ongage.governor.statistics()).lanes
    assert (lanes[Lane.NORMAL].granted, lanes[Lane.BULK].granted) == (1, 1)


# --- segments


async def test_a_segment_is_made_got_updated_and_deleted(
    ongage: OngageClient, wire: Wire, emulator: Emulator, own_list: Any, people: dict[str, Any]
):
    made = await ongage.segments.create("Chile", CHILE, description="d", favorite=True, extra={"new": 1})
    assert wire.last.line == "POST /api/segments"
    rule = {**CHILE_ON_WIRE, "condition": "and", "group": "", "left_parenthesis": 0, "right_parenthesis": 0}
    assert wire.last.body == {
        "name": "Chile",
        "type": "Active",
        "criteria": [{**rule, "is_external_operand": False, "position": 0}],
        "description": "d",
        "favorite": True,
        "new": 1,
    }
    got = await ongage.segments.get(made.id)
    assert wire.last.line == f"GET /api/segments/{made.id}"
    assert (got.id, got.list_id, got.type, got.favorite, got.deleted, got.extra) == (
        made.id, own_list.id, SegmentType.ACTIVE, True, None, {},
    )  # fmt: skip
    (rule_got,) = got.rules
    assert (rule_got.field_name, rule_got.operand, rule_got.case_sensitive) == ("country", '["Chile"]', False)
    assert rule_got.field_id == own_list.field("country").id
    assert "Chile" not in repr(rule_got)

    updated = await ongage.segments.update(made.id, name="Peru", criteria=field("country").equals("Peru"))
    assert (wire.last.line, set(wire.last.body)) == (f"PUT /api/segments/{made.id}", {"name", "criteria"})
    assert (updated.name, updated.rules[0].operand) == ("Peru", '["Peru"]')

    await ongage.segments.delete(made.id)
    assert (wire.last.line, wire.last.body) == (f"DELETE /api/segments/{made.id}", None)
    with pytest.raises(NotFoundError):
        await ongage.segments.get(made.id)


async def test_segments_are_paged_with_a_total_in_text(ongage: OngageClient, wire: Wire):
    ids = [(await ongage.segments.create(f"s{number}", CHILE)).id for number in range(3)]
    page = await ongage.segments.page(sort="name", order="DESC", offset=1, limit=1)
    assert wire.last.line == "GET /api/segments"
    assert wire.last.query == {"sort": "name", "order": "DESC", "offset": "1", "limit": "1"}
    (only,) = page
    assert (only.id, page.total, only.rules, only.list_name) == (ids[1], 3, (), "my sending list")
    assert [item.id async for item in ongage.segments.each(page_size=2)] == ids


async def test_an_external_segment_is_given_its_contacts(ongage: OngageClient, wire: Wire, people: dict[str, Any]):
    made = await ongage.segments.create("mine", is_external=True)
    result = await ongage.segments.populate_external(made.id, [{"email": "ann@doe.com", "name": "A"}])
    assert wire.last.line == f"PUT /api/segments/{made.id}/populate_external"
    assert wire.last.body == {"recipients": [{"email": "ann@doe.com", "name": "A"}]}
    assert (result.rows, result.success) == (1, 1)
    count = await ongage.contact_counts.create(segment_id=made.id)
    assert (await ongage.contact_counts.wait(count.id)).total == 1
    inner = await ongage.segments.create("not", CHILE)
    with pytest.raises(ValidationError):
        await ongage.segments.populate_external(inner.id, [{"email": "ann@doe.com"}])
    for wrong in ([], [{"name": "x"}]):
        with pytest.raises(InvalidInputError):
            await ongage.segments.populate_external(made.id, wrong)


async def test_the_deprecated_ways_to_export_work_and_say_so(
    ongage: OngageClient, wire: Wire, people: dict[str, Any], tmp_path: Any
):
    segment = await ongage.segments.create("Chile", CHILE)
    body = {"segment_id": [segment.id], "date_format": "mm/dd/yyyy", "file_format": "csv", "status": ["active"]}
    with pytest.warns(DeprecationWarning, match=r"use exports\.create"):
        made = await ongage.segments.export("old", extra=body)
    assert (wire.last.line, wire.last.body) == ("POST /api/segments/export", {**body, "name": "old"})
    with pytest.warns(DeprecationWarning, match=r"use exports\.download"):
        (path,) = await ongage.segments.export_retrieve(made.id, tmp_path, unzip=True)
    assert wire.last.line == f"GET /api/segments/{made.id}/export_retrieve"
    assert path.read_text().splitlines()[1].startswith("ann@doe.com,")


# --- suppression


async def test_suppression_is_changed_as_in_the_vendors_example(ongage: OngageClient, wire: Wire, emulator: Emulator):
    own = emulator.state.add_list("never", type="suppression", fields=[{"name": "email", "type": "email"}])
    emails = ["example1@example.com", "example2@example.com", "*@some-domain.com"]
    result = await ongage.with_options(list_id=7).suppression.add(own.id, emails)
    assert wire.last.line == "PUT /api/suppression"
    assert wire.last.body == {"list_id": own.id, "action": "add", "emails": emails}
    assert (result.rows, result.success, result.extra) == (3, 3, {})
    assert own.contact("*@some-domain.com") is not None
    result = await ongage.suppression.remove(own.id, ["example1@example.com", "gone@example.com"])
    assert (wire.last.body["action"], result.rows, result.success) == ("remove", 2, 1)
    assert own.contact("example1@example.com") is None
    with pytest.raises(ValidationError):
        await ongage.suppression.update(emulator.default_list_id, emails)
    with pytest.raises(InvalidInputError, match="action must be one of"):
        await ongage.suppression.update(own.id, emails, "forget")
    with pytest.raises(InvalidInputError, match="500 are allowed"):
        await ongage.suppression.add(own.id, ["a@b.c"] * 501)


# --- all of them


def test_what_makes_something_is_not_sent_twice_and_what_reads_or_sets_is() -> None:
    unsent = {contact_activity.CREATE, segments.CREATE, segments.EXPORT, exports.CREATE}
    assert {operation.repeat for operation in unsent} == {Repeat.IF_UNSENT}
    safe = {contact_counts.CREATE, segments.UPDATE, segments.DELETE, segments.POPULATE_EXTERNAL, exports.RETRIEVE}
    assert {operation.repeat for operation in safe} == {Repeat.SAFE}


async def test_an_answer_without_an_id_is_told_as_such(ongage: OngageClient, emulator: Emulator):
    emulator.faults.add("*.create", Fault.status(200, {"metadata": {"error": False}, "payload": []}))
    with pytest.raises(DecodeError) as caught:
        await ongage.contact_search.create("x", CHILE)
    assert caught.value.operation == "contact_search.create"


async def test_a_bare_id_is_enough_of_an_answer(ongage: OngageClient, emulator: Emulator):
    emulator.faults.add("*.create", Fault.status(200, {"id": "77"}))
    assert (await ongage.contact_counts.create(CHILE)).id == 77
    assert (await ongage.segments.create("x", CHILE)).id == 77
    assert (await ongage.exports.create("x", date_format="mm/dd/yyyy", status=["active"], segment_id=1)).id == 77
