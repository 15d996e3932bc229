"""Mailings over sockets: what the server read, what came back, and what must be said by name."""

import datetime as dt
from typing import Any

import pytest

from ongage_async import (
    DecodeError,
    InvalidInputError,
    JobError,
    JobTimeoutError,
    NotFoundError,
    OngageClient,
    ServerError,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.models import MailingStatus
from tests.client.conftest import Wire

pytestmark = pytest.mark.anyio

UTC = dt.UTC
SOON = dt.datetime(2035, 1, 1, tzinfo=UTC)


async def test_the_vendors_example_launches_now_because_it_is_said(ongage: OngageClient, wire: Wire, messages: Any):
    distribution = [{"esp_connection_id": 12345, "percent": 100}]
    made = await ongage.mailings.create(
        "My new campaign", launch="now", description="…", email_message=27, segments=[1429], distribution=distribution
    )
    assert wire.last.line == "POST /api/mailings"
    assert wire.last.body == {
        "name": "My new campaign",
        "description": "…",
        "email_message": [27],
        "segments": [1429],
        "distribution": distribution,
    }
    got = await ongage.mailings.get(made.id)
    assert wire.last.line == f"GET /api/mailings/{made.id}"
    assert (got.status, got.name, got.is_test) == (MailingStatus.COMPLETED, "My new campaign", False)
    assert (got.segments[0].segment_id, got.distribution[0].percent, got.extra) == (1429, 100.0, {})


async def test_a_time_is_sent_as_unix_seconds_and_schedules(ongage: OngageClient, wire: Wire, home: int, messages: Any):
    made = await ongage.mailings.create("later", launch=SOON, email_message=[27], list_id=home, extra={"x": 1})
    assert wire.last.line == f"POST /{home}/api/mailings"
    assert wire.last.body == {
        "name": "later",
        "schedule_date": int(SOON.timestamp()),
        "email_message": [27],
        "x": 1,
    }
    assert (made.status, made.schedule_date) == (MailingStatus.SCHEDULED, SOON)
    moved = await ongage.mailings.update(made.id, name="later still", launch=SOON + dt.timedelta(days=1))
    assert wire.last.line == f"PUT /api/mailings/{made.id}"
    assert wire.last.body == {"name": "later still", "schedule_date": int(SOON.timestamp()) + 86400}
    assert (moved.name, moved.status) == ("later still", MailingStatus.SCHEDULED)


@pytest.mark.parametrize("launch", [None, "", "later", 0, 1_700_000_000, dt.datetime(2035, 1, 1), dt.date(2035, 1, 1)])  # noqa: DTZ001
async def test_a_launch_that_is_not_said_is_refused_before_anything_is_sent(
    ongage: OngageClient, wire: Wire, launch: Any
):
    with pytest.raises(InvalidInputError):
        await ongage.mailings.create("x", launch=launch, email_message=27)
    with pytest.raises(InvalidInputError):
        await ongage.mailings.update(1, name="x", launch=launch)
    assert wire.sent == []


async def test_what_cannot_be_right_is_refused_before_anything_is_sent(ongage: OngageClient, wire: Wire):
    make = ongage.mailings.create
    with pytest.raises(InvalidInputError, match="default"):
        await make("x", launch="now", email_message=27, distribution=[{"domain": "gmail.com", "percent": 100}])
    with pytest.raises(InvalidInputError, match="numbers"):
        await make("x", launch="now", email_message=["27"])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match="launch"):
        await make("x", launch="now", email_message=27, extra={"schedule_date": 1})
    with pytest.raises(InvalidInputError, match="twice"):
        await make("x", launch="now", email_message=27, extra={"name": "y"})
    assert wire.sent == []


async def test_pages_filter_and_each_walks_them(ongage: OngageClient, wire: Wire, messages: Any):
    for number in range(5):
        await ongage.mailings.create(f"news {number}", launch=SOON, email_message=27)
    await ongage.mailings.create("trial", launch="now", email_message=27, is_test=True, recipients=["a@x.io"])
    page = await ongage.mailings.page(
        date_from=SOON, mailing_name="news", is_test=False, sort="name", order="DESC", offset=1, limit=2
    )
    assert wire.last.line == "GET /api/mailings"
    assert wire.last.query == {
        "date_from": str(int(SOON.timestamp())),
        "mailing_name": "news",
        "is_test": "false",
        "sort": "name",
        "order": "DESC",
        "offset": "1",
        "limit": "2",
    }
    assert ([item.name for item in page], page.total) == (["news 3", "news 2"], 5)
    assert page.items[0].extra == {}
    assert len({item.id async for item in ongage.mailings.each(page_size=4)}) == 6
    (trial,) = [item async for item in ongage.mailings.each(is_test=True)]
    assert (trial.is_test, trial.targeted, trial.status) == (True, 1, MailingStatus.COMPLETED)


async def test_a_mailing_is_held_resumed_held_and_stopped(ongage: OngageClient, wire: Wire, messages: Any):
    messages.sending_s = 3600.0
    made = await ongage.mailings.create("x", launch="now", email_message=27)
    steps = [
        (ongage.mailings.hold, "hold", MailingStatus.ON_HOLD),
        (ongage.mailings.resume, "resume", MailingStatus.IN_PROGRESS),
        (ongage.mailings.hold, "hold", MailingStatus.ON_HOLD),
        (ongage.mailings.abort, "abort", MailingStatus.STOPPED),
    ]
    for act, action, status in steps:
        assert (await act(made.id)).status == status
        assert (wire.last.line, wire.last.body) == (f"PUT /api/mailings/{made.id}/abort", {"action": action})


async def test_a_mailing_is_unscheduled_cancelled_revived_copied_and_deleted(
    ongage: OngageClient, wire: Wire, messages: Any
):
    made = await ongage.mailings.create("x", launch=SOON, email_message=27)
    for act, word, status in [
        (ongage.mailings.unschedule, "unschedule", MailingStatus.NEW),
        (ongage.mailings.cancel, "cancel", MailingStatus.CANCELLED),
        (ongage.mailings.revive, "revive", MailingStatus.NEW),
    ]:
        assert (await act(made.id)).status == status
        assert (wire.last.line, wire.last.body) == (f"PUT /api/mailings/{made.id}/{word}", None)
    copy = await ongage.mailings.copy(made.id, email_message_id=27, segments=5, add_copy_to_title=True)
    assert wire.last.line == f"POST /api/mailings/{made.id}/duplicate"
    assert wire.last.body == {"email_message_id": 27, "segments": [5], "add_copy_to_title": True}
    assert (copy.id != made.id, copy.name, copy.status) == (True, "x copy", MailingStatus.NEW)
    await ongage.mailings.delete(copy.id)
    assert wire.last.line == f"DELETE /api/mailings/{copy.id}"
    with pytest.raises(NotFoundError):
        await ongage.mailings.get(copy.id)


@pytest.mark.parametrize("fault", [Fault.status(503, after_execution=True), Fault.drop(after_execution=True)])
async def test_an_uncertain_launch_is_executed_once(
    ongage: OngageClient, emulator: Emulator, messages: Any, fault: Any
):
    emulator.faults.add("mailings.create", fault, times=5)
    with pytest.raises(Exception, match=r"mailings\.create") as caught:
        await ongage.mailings.create("x", launch="now", email_message=27)
    assert caught.value.outcome == "unknown"
    assert (emulator.witness.count("mailings.create"), len(messages.mailings)) == (1, 1)


async def test_an_answer_without_an_id_does_not_look_like_a_failure_to_launch(
    ongage: OngageClient, emulator: Emulator, messages: Any
):
    body = {"metadata": {"error": False}, "payload": []}
    emulator.faults.add("mailings.create", Fault.status(200, body, after_execution=True), times=1)
    with pytest.raises(DecodeError) as caught:
        await ongage.mailings.create("x", launch="now", email_message=27)
    assert (caught.value.outcome, len(messages.mailings)) == ("unknown", 1)


@pytest.mark.virtual_time
async def test_a_mailing_is_watched_from_its_date_to_its_end(ongage_inside: OngageClient, inside: Emulator):
    inside.state.messages.add_email(27, name="hello")
    inside.state.messages.sending_s = 600.0
    inside.faults.add("mailings.get", Fault.status(503), times=2)
    at = dt.datetime.fromtimestamp(inside.app.world.clock.unix() + 1800, UTC)
    made = await ongage_inside.mailings.create("x", launch=at, email_message=27)
    seen = [snapshot.status async for snapshot in ongage_inside.mailings.watch(made.id)]
    assert seen == [MailingStatus.SCHEDULED, MailingStatus.IN_PROGRESS, MailingStatus.COMPLETED]
    assert (await ongage_inside.mailings.wait(made.id)).is_final


@pytest.mark.virtual_time
async def test_a_wait_ends_with_the_mailing_with_patience_or_with_its_error(
    ongage_inside: OngageClient, inside: Emulator
):
    inside.state.messages.add_email(27, name="hello")
    inside.state.messages.sending_s = 600.0
    made = await ongage_inside.mailings.create("mail to john@doe.com", launch="now", email_message=27)
    with pytest.raises(JobTimeoutError, match="60003") as late:
        await ongage_inside.mailings.wait(made.id, timeout_s=60)
    assert "john" not in repr(late.value.job)
    inside.state.messages.mailings[made.id].status = 60005
    with pytest.raises(JobError, match="60005"):
        await ongage_inside.mailings.wait(made.id)
    inside.state.messages.mailings[made.id].status = 60006
    assert (await ongage_inside.mailings.wait(made.id)).status == MailingStatus.CANCELLED


@pytest.mark.virtual_time
async def test_what_stops_a_mailing_gets_through_a_bad_hour(ongage_inside: OngageClient, inside: Emulator):
    inside.state.messages.add_email(27, name="hello")
    made = await ongage_inside.mailings.create("x", launch=SOON, email_message=27)
    inside.faults.add("mailings.cancel", Fault.status(503), times=3)
    assert (await ongage_inside.mailings.cancel(made.id)).status == MailingStatus.CANCELLED
    inside.faults.add("mailings.abort", Fault.status(503), times=3)
    with pytest.raises(ServerError):  # the call toggles: a repeat might undo it
        await ongage_inside.mailings.hold(made.id)
