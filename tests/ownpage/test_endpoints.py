"""Every endpoint over sockets: what went over the wire, and what came back."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ongage_async import InvalidInputError, NotFoundError, OwnpageClient, RetryPolicy
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.errors import DecodeError, PermissionDeniedError
from ongage_async.ownpage import EventKind, UnsubscribedCause
from tests.client.conftest import Wire

pytestmark = pytest.mark.anyio


# --- lists and counts -------------------------------------------------------------------------------------------------


async def test_lists_come_in_one_page(ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator):
    emulator.state.add_list("Other list")
    page = await ownpage.lists.page()
    assert (wire.last.line, wire.last.query, wire.last.body) == ("GET /v1/newsletters/lists", {}, None)
    assert [(each.id, each.name) for each in page] == [(123, "First list"), (124, "Other list")]
    assert page.items[0].created_at is not None
    before = len(wire.sent)
    assert [each.id async for each in ownpage.lists.each()] == [123, 124]
    assert len(wire.sent) == before + 1


async def test_counts_tell_the_causes(ownpage: OwnpageClient, wire: Wire):
    await ownpage.subscribers.create(
        [{"email": "a@doe.fr"}, {"email": "b@doe.fr", "subscribed": False, "unsubscribed_cause": "PUBLISHER"}]
    )
    counts = await ownpage.counts.get()
    assert wire.last.line == "GET /v1/newsletters/lists/123/subscribers/count"
    assert (counts.subscribed, counts.unsubscribed, counts.total, counts.extra) == (1, 1, 2, {})
    assert counts.causes == {"HARD_BOUNCE": 0, "MULTIPLE_BOUNCES": 0, "PUBLISHER": 1, "READER": 0}


async def test_a_call_without_a_list_is_refused_before_it_is_sent(ownpage: OwnpageClient, wire: Wire):
    for call in (
        ownpage.with_options(list_id=None).counts.get(),
        ownpage.with_options(list_id=None).files.create(url="x"),
    ):
        with pytest.raises(InvalidInputError, match="which list"):
            await call
    assert wire.sent == []


# --- subscribers ------------------------------------------------------------------------------------------------------


async def test_each_goes_through_all_pages(ownpage: OwnpageClient, wire: Wire):
    await ownpage.subscribers.create([{"email": f"s{n}@doe.fr"} for n in range(25)])
    wire.sent.clear()
    found = [each.email async for each in ownpage.subscribers.each(page_size=10)]
    assert found == [f"s{n}@doe.fr" for n in range(25)]
    assert [sent.query.get("offset") for sent in wire.sent] == [None, "10", "20", "25"]


async def test_rows_that_the_vendor_would_misread_are_refused_here(ownpage: OwnpageClient, wire: Wire):
    """An unreadable `subscribed` subscribes a new address: a "no" must never become a yes."""
    for row in (
        {"email": "a@doe.fr", "subscribed": "no"},
        {"email": "a@doe.fr", "unsubscribed_cause": "HARD_BOUNCE"},
        {"email": "a@doe.fr", "firstname": "x"},
        {"email": " "},
        {"email": "a@doe.fr", "guid": 7},
        7,
    ):
        with pytest.raises(InvalidInputError, match="row 1"):
            await ownpage.subscribers.create([row])  # type: ignore[list-item]
    for rows in ([], {"email": "a@doe.fr"}, "a@doe.fr"):
        with pytest.raises(InvalidInputError):
            await ownpage.subscribers.create(rows)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="20,001 rows"):
        await ownpage.subscribers.create([{"email": "a@doe.fr"}] * 20_001)
    with pytest.raises(InvalidInputError, match="10,000"):
        await ownpage.subscribers.page(limit=10_001)
    assert wire.sent == []


# --- files: the seed's example, in both directions --------------------------------------------------------------------

SEED_REQUEST = {"email_list_id": 123, "url": "https://my.domain.com/files/export.csv"}
SEED_RESPONSE = {
    "id": 12,
    "name": "export.csv",
    "url": "https://my.domain.com/files/export.csv",
    "mediatype": "text",
    "subtype": "csv",
    "created_at": "2025-04-02T12:25:01.000Z",
    "size": 142,
    "status": "uploaded",
    "email_list_id": 123,
}


async def test_the_seeds_file_example_in_both_directions(ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator):
    emulator.faults.add("files.create", Fault.status(200, SEED_RESPONSE))
    file = await ownpage.files.create(email_list_id=123, url="https://my.domain.com/files/export.csv")
    assert wire.last.line == "POST /v1/files"
    assert wire.last.body == SEED_REQUEST
    assert "x-ownpage-client-token" in wire.last.headers
    assert wire.last.headers["content-type"] == "application/json"
    assert (file.id, file.name, file.mediatype, file.subtype) == (12, "export.csv", "text", "csv")
    assert file.created_at == datetime(2025, 4, 2, 12, 25, 1, tzinfo=UTC)
    assert (file.size, file.status, file.email_list_id, file.extra) == (142, "uploaded", 123, {})
    assert file.status is not None
    assert file.status.is_known


async def test_a_url_that_is_none_is_refused_without_showing_it(ownpage: OwnpageClient):
    with pytest.raises(InvalidInputError) as caught:
        await ownpage.files.create(url="ftp://secret.example/x")
    assert "secret" not in str(caught.value)


# --- events and exports -----------------------------------------------------------------------------------------------

DAY = date(2018, 2, 15)
COLUMNS = {
    "nl_click": "campaign_id newsletter_id email_list_id target_id target_url target_position",
    "nl_display": "campaign_id newsletter_id email_list_id",
    "nl_send": "campaign_id newsletter_id email_list_id active",
    "nl_subscribe": "email_list_id",
    "nl_unsubscribe": "cause email_list_id",
    "nl_bounce": "campaign_id newsletter_id email_list_id type message",
    "nl_complaint": "campaign_id newsletter_id email_list_id type",
}
VALUES = {
    "cause": "READER",
    "type": "hard",
    "active": "true",
    "target_url": "https://e.fr/?a=1",
    "message": "no such user",
}


@pytest.mark.parametrize("kind", EventKind)
async def test_events_of_every_kind_are_typed(
    ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator, kind: EventKind
):
    columns = ["date", "email", *COLUMNS[kind.value].split()]
    row = ["2018-02-15 23:51:07", "ann@doe.fr", *(VALUES.get(name, "7") for name in columns[2:])]
    emulator.state.add_events(kind.value, "2018-02-15", columns, [row] * 1201)
    events = [event async for event in ownpage.events.each(kind, DAY)]
    assert wire.last.line == f"GET /v1/newsletters/events/{kind.value}/2018-02-15"
    assert len(events) == 1201
    event = events[-1]
    assert (event.date, event.email, event.extra) == (datetime(2018, 2, 15, 23, 51, 7, tzinfo=UTC), "ann@doe.fr", {})
    assert event.email_list_id == 7
    if "campaign_id" in columns:
        assert (event.campaign_id, event.newsletter_id) == (7, 7)
    if kind is EventKind.CLICK:
        assert (event.target_id, event.target_url, event.target_position) == ("7", "https://e.fr/?a=1", 7)
    if kind is EventKind.UNSUBSCRIBE:
        assert event.cause is UnsubscribedCause.READER
    assert (event.active, event.message) == (
        True if kind is EventKind.SEND else None,
        "no such user" if kind is EventKind.BOUNCE else None,
    )


async def test_an_iteration_over_events_may_be_left(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    emulator.state.add_events("nl_send", "2018-02-15", ["date", "email"], [["2018-02-15", "a@doe.fr"]] * 3)
    async for event in ownpage.events.each("nl_send", DAY):
        assert event.email == "a@doe.fr"
        break


async def test_events_that_are_none_are_told(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    with pytest.raises(NotFoundError):
        await anext(aiter(ownpage.events.each("nl_send", DAY)))
    emulator.state.events["nl_send", "2018-02-15"] = "a,b\n1,2\n"
    with pytest.raises(DecodeError, match="no columns `date` and `email`"):
        await anext(aiter(ownpage.events.each("nl_send", DAY)))
    emulator.faults.add("events.download", Fault.status(403, {"status": 403, "cause": "premium"}))
    with pytest.raises(PermissionDeniedError, match="premium") as caught:
        await anext(aiter(ownpage.events.each("nl_send", DAY)))
    assert "premium" in caught.value.__notes__[0]
    with pytest.raises(InvalidInputError, match="nl_click"):
        ownpage.events.each("clicks", DAY)


async def test_event_files_and_exports_are_downloaded_whole_or_not_at_all(
    ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator, tmp_path: Path
):
    emulator.state.add_events("nl_click", "2018-02-15", ["date", "email"], [["2018-02-15", "a@doe.fr"]] * 5000)
    made = await ownpage.events.download("nl_click", DAY, tmp_path / "clicks.csv")
    assert made.read_text() == emulator.state.events["nl_click", "2018-02-15"]
    export = await ownpage.exports.create(date(2023, 1, 1), date(2023, 1, 31))
    assert wire.last.line == "GET /v1/newsletters/stats/export"
    assert wire.last.query == {"startDate": "2023-01-01", "endDate": "2023-01-31"}
    assert export.token not in repr(export)
    made = await ownpage.exports.download(export, tmp_path / "export.csv")
    assert wire.last.line == f"GET /v1/export/{export.token}/{export.filename}"
    assert "From 2023-01-01 to 2023-01-31" in made.read_text()
    emulator.faults.add("exports.download", Fault.half_body(), times=1)
    with pytest.raises(Exception, match="ended before the whole answer"):
        await ownpage.with_options(retry=RetryPolicy.none()).exports.download(export, tmp_path / "half.csv")
    assert names_in(tmp_path) == ["clicks.csv", "export.csv"]
    with pytest.raises(InvalidInputError, match="ends before"):
        await ownpage.exports.create(date(2023, 1, 2), date(2023, 1, 1))


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- transactional ----------------------------------------------------------------------------------------------------


async def test_templates_come_in_one_page(ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator):
    emulator.state.add_template("My First Template")
    (template,) = await ownpage.templates.page()
    assert wire.last.line == "GET /v1/transactional/templates"
    assert (template.id, template.name, template.extra) == (1, "My First Template", {})
    assert [each.id async for each in ownpage.templates.each()] == [1]


async def test_an_email_goes_with_the_vendors_names(ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator):
    emulator.state.add_template("T")
    sent = await ownpage.transactional.send(
        subject="Hello",
        sender={"email": "us@doe.fr", "name": "Us"},
        to=["ann@doe.fr", {"email": "eve@doe.fr", "name": "Eve"}],
        cc=["c@doe.fr"],
        bcc=["b@doe.fr"],
        reply_to="r@doe.fr",
        headers={"X-A": "1"},
        attachments=[{"name": "a.txt", "content": "YQ=="}],
        html="<p>",
        text="p",
        template_id=1,
        params={"name": "Ann"},
        tags=["t"],
        extra={"other": 1},
    )
    assert wire.last.body == {
        "subject": "Hello",
        "sender": {"email": "us@doe.fr", "name": "Us"},
        "to": [{"email": "ann@doe.fr"}, {"email": "eve@doe.fr", "name": "Eve"}],
        "cc": [{"email": "c@doe.fr"}],
        "bcc": [{"email": "b@doe.fr"}],
        "replyTo": {"email": "r@doe.fr"},
        "headers": {"X-A": "1"},
        "attachment": [{"name": "a.txt", "content": "YQ=="}],
        "htmlContent": "<p>",
        "textContent": "p",
        "templateId": 1,
        "params": {"name": "Ann"},
        "tags": ["t"],
        "other": 1,
    }
    assert (sent.message_id, sent.extra) == ("message-1", {})


async def test_an_email_may_go_by_another_path(ownpage: OwnpageClient, wire: Wire):
    with pytest.raises(NotFoundError):
        await ownpage.transactional.send(
            subject="s", sender="a@doe.fr", to="b@doe.fr", text="t", route="/transactional"
        )
    assert wire.last.line == "POST /v1/transactional"


async def test_an_email_is_never_sent_twice(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    emulator.faults.add("transactional.send", Fault.drop(after_execution=True))
    with pytest.raises(Exception) as caught:
        await ownpage.transactional.send(subject="s", sender="a@doe.fr", to="b@doe.fr", text="t")
    assert (caught.value.outcome, len(emulator.state.outbox)) == ("unknown", 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [{"to": []}, {"text": None}, {"sender": ""}, {"attachments": [{"name": "a"}]}, {"attachments": [{"url": "u"}]}],
    ids=str,
)
async def test_an_email_that_cannot_be_is_refused_here(ownpage: OwnpageClient, wire: Wire, wrong: Any):
    given = {"subject": "s", "sender": "a@doe.fr", "to": "b@doe.fr", "text": "t", **wrong}
    with pytest.raises(InvalidInputError):
        await ownpage.transactional.send(**given)
    assert wire.sent == []


# --- deprecated -------------------------------------------------------------------------------------------------------


async def test_the_deprecated_calls_name_no_list(ownpage: OwnpageClient, wire: Wire):
    made = await ownpage.legacy.create([{"email": "jean-l@ownpage.fr", "guid": "123456", "subscribed": True}])
    assert wire.last.line == "POST /v1/newsletters/subscribers"
    assert wire.last.body == {"email": "jean-l@ownpage.fr", "guid": "123456", "subscribed": True}
    assert made.nb_created == 1
    (page,) = await ownpage.legacy.page(limit=5)
    assert (wire.last.line, wire.last.query["count"], page.guid) == ("GET /v1/newsletters/subscribers", "5", "123456")
    assert (await ownpage.legacy.counts()).subscribed == 1
    assert wire.last.line == "GET /v1/newsletters/subscribers/count"


def test_models_keep_what_they_do_not_know():
    from ongage_async.models._converter import structure
    from ongage_async.models.ownpage import OwnpageFile, SubscribersResult

    drifts: list[Any] = []
    file = structure(
        OwnpageFile, {**SEED_RESPONSE, "status": "processed", "rows": 3}, operation="x", on_drift=drifts.append
    )
    assert (file.status, file.extra) == ("processed", {"rows": 3})
    assert {(drift.field, drift.kind) for drift in drifts} == {("rows", "field"), ("status", "value")}
    result = structure(SubscribersResult, {"errors": {"a": 1}, "nb_guid": 2}, operation="x")
    assert (result.has_errors, result.extra) == (True, {"nb_guid": 2})
    assert json.dumps(result.errors) == '{"a": 1}'
