"""Emails, SMS, tags, images and events over sockets: what the server read, and what came back."""

import datetime as dt
from typing import Any

import pytest

from ongage_async import BadRequestError, InvalidInputError, NotFoundError, OngageClient, OngageError
from ongage_async.emulator import Emulator, Fault, Readings
from ongage_async.models import EmailType
from tests.client.conftest import TRUST, Wire
from tests.client.variants import readings_of, variants
from tests.support import client_of

pytestmark = pytest.mark.anyio

UTC = dt.UTC


@pytest.fixture(params=variants(email_mark_path=["favorite"], error_status_200=[True]))
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


# --- emails


async def test_an_email_is_made_got_changed_and_deleted(ongage: OngageClient, wire: Wire, emulator: Emulator):
    made = await ongage.emails.create("hello", subject="Hi", content_html="<p>", tag_ids=(1, 2), extra={"x": 1})
    assert wire.last.line == "POST /api/emails"
    assert wire.last.body == {
        "name": "hello",
        "subject": "Hi",
        "type": "email_message",
        "content_html": "<p>",
        "tag_ids": [1, 2],
        "x": 1,
    }
    got = await ongage.emails.get(made.id)
    assert wire.last.line == f"GET /api/emails/{made.id}"
    assert (got.type, got.subject, got.unsubscribe_default_link, got.deleted, got.extra) == (
        EmailType.EMAIL_MESSAGE,
        "Hi",
        True,
        None,
        {},
    )
    changed = await ongage.emails.update(made.id, subject="Ho", content_text="t")
    assert (wire.last.line, wire.last.body) == (
        f"PUT /api/emails/{made.id}",
        {"subject": "Ho", "content_text": "t"},
    )
    assert (changed.subject, changed.content_html) == ("Ho", "<p>")
    gone = await ongage.emails.delete(made.id)
    assert wire.last.line == f"DELETE /api/emails/{made.id}"
    assert (gone.id, gone.deleted is not None) == (made.id, True)
    with pytest.raises(NotFoundError):
        await ongage.emails.get(made.id)


async def test_an_email_that_a_mailing_uses_stays(ongage: OngageClient, messages: Any):
    await ongage.mailings.create("x", launch="now", email_message=27)
    with pytest.raises(BadRequestError, match="Dependency error"):
        await ongage.emails.delete(27)


async def test_emails_are_paged_by_number_and_each_gives_all(ongage: OngageClient, wire: Wire):
    for number in range(7):
        await ongage.emails.create(f"m{number}", type=EmailType.TEMPLATE)
    since = dt.datetime(2020, 1, 1, tzinfo=UTC)
    page = await ongage.emails.page(type="template", modified_from=since, favorite=False, page=2, page_size=3)
    assert wire.last.line == "GET /api/emails"
    assert wire.last.query == {
        "type": "template",
        "modified_from": str(int(since.timestamp())),
        "favorite": "0",
        "page": "2",
        "page_size": "3",
    }
    assert ([item.name for item in page], page.total, page.offset, page.limit) == (["m3", "m4", "m5"], 7, 3, 3)
    wire.sent.clear()
    names = [item.name async for item in ongage.emails.each(page_size=3, type="template")]
    assert names == [f"m{number}" for number in range(7)]
    assert [sent.query.get("page") for sent in wire.sent] == [None, "2", "3"]


async def test_emails_are_copied_and_moved(ongage: OngageClient, wire: Wire, emulator: Emulator, messages: Any):
    other = emulator.state.add_list("other").id
    await ongage.emails.copy(27, other)
    assert (wire.last.line, wire.last.body) == ("PUT /api/emails/27/copy", {"target_list_id": other})
    await ongage.emails.copy(27, [other, other])
    assert wire.last.body == {"target_list_ids": [other, other]}
    assert [row["list_id"] for row in messages.emails.values()].count(other) == 3
    folder = await ongage.emails.create("news", type="folder")
    moved = await ongage.emails.move(27, folder.id, name="moved")
    assert (wire.last.line, wire.last.body) == ("PUT /api/emails/27/move", {"parent_id": folder.id, "name": "moved"})
    assert (moved.name, messages.emails[27]["parent_id"]) == ("moved", folder.id)
    await ongage.emails.move(27)
    assert (wire.last.body, messages.emails[27]["parent_id"]) == ({"parent_id": 0}, 0)


async def test_a_mark_is_set_under_the_right_spelling_only(
    ongage: OngageClient, wire: Wire, emulator: Emulator, messages: Any
):
    right = emulator.readings.email_mark_path
    wrong: Any = {"favourite": "favorite", "favorite": "favourite"}[right]
    await ongage.emails.toggle_favourite(27, spelling=right)
    assert (wire.last.line, wire.last.body) == (f"PUT /api/emails/27/{right}", None)
    assert messages.emails[27]["favorite"] is True
    with pytest.raises(NotFoundError):
        await ongage.emails.toggle_favourite(27, spelling=wrong)
    assert messages.emails[27]["favorite"] is True


async def test_links_are_given_as_they_come(ongage: OngageClient, wire: Wire, messages: Any):
    messages.emails[27]["content_html"] = '<a href="https://x.io/a">a</a>'
    assert await ongage.emails.links(27) == [{"url": "https://x.io/a"}]
    assert wire.last.line == "GET /api/emails/27/links"


# --- SMS


async def test_an_sms_is_made_and_can_be_sent(ongage: OngageClient, wire: Wire, home: int, messages: Any):
    made = await ongage.sms.create("n", "d", "text", prefix="44", list_id=home)
    assert wire.last.line == f"POST /{home}/api/smses"
    assert wire.last.body == {"name": "n", "description": "d", "content_text": "text", "prefix": "44"}
    assert (made.type, made.list_id, made.deleted, made.extra) == ("sms", home, None, {})
    assert (await ongage.transactional.send(made.id, "447700900123")).success == 1
    assert messages.outbox[0].content == "text"


# --- tags


async def test_a_tag_goes_to_the_list_that_is_named(emulator: Emulator, wire: Wire, messages: Any):
    other = emulator.state.add_list("other").id
    async with client_of(emulator, ssl_context=TRUST, list_id=other) as ongage:
        made = await ongage.email_tags.create("promo")
        assert (wire.last.line, wire.last.body) == ("POST /api/email_tag", {"list_id": other, "title": "promo"})
        assert (made.list_id, made.extra) == (other, {})
        anywhere = await ongage.email_tags.create("all", is_global=True)
        assert wire.last.body == {"title": "all", "list_id": None}
        assert anywhere.list_id is None
        await ongage.email_tags.update(anywhere.id, title="every")
        assert (wire.last.line, wire.last.body) == (f"PUT /api/email_tag/{anywhere.id}", {"title": "every"})
        assert messages.tags[anywhere.id]["list_id"] is None
        await ongage.email_tags.update(made.id, title="promo", is_global=True)
        assert wire.last.body == {"title": "promo", "list_id": None}
        await ongage.email_tags.update(made.id, title="promo", list_id=other)
        assert (wire.last.body, messages.tags[made.id]["list_id"]) == ({"title": "promo", "list_id": other}, other)
        page = await ongage.email_tags.page(title="ever", limit=9)
        assert (wire.last.line, wire.last.query) == (
            "GET /api/email_tag",
            {"title": "ever", "limit": "9", "list_id": str(other)},
        )
        assert [item.id for item in page] == [anywhere.id]
        assert {item.title async for item in ongage.email_tags.each()} == {"promo", "every"}
        await ongage.email_tags.delete(made.id)
        assert wire.last.line == f"DELETE /api/email_tag/{made.id}"
        with pytest.raises(NotFoundError):
            await ongage.email_tags.delete(made.id)


async def test_a_tag_is_not_global_and_of_a_list(ongage: OngageClient, wire: Wire):
    with pytest.raises(InvalidInputError):
        await ongage.email_tags.create("x", is_global=True, list_id=5)
    assert wire.sent == []


# --- images


async def test_an_image_is_fetched_by_the_vendor(emulator: Emulator, wire: Wire, messages: Any):
    messages.folders[3] = {"id": 3, "name": "logos"}
    async with client_of(emulator, ssl_context=TRUST, list_id=1) as ongage:
        made = await ongage.images.create("https://x.io/a.png", folder_id=3)
        assert wire.last.line == "POST /api/image"
        assert wire.last.body == {"image_url": "https://x.io/a.png", "folder_id": 3}
        assert (made.name, made.mime_type, made.size_bytes, made.extra) == ("a.png", "image/png", 1024, {})
        folders = await ongage.images.folders()
        assert wire.last.line == "GET /api/image_folder"
        assert ([folder.name for folder in folders], folders.total) == (["logos"], 1)
        with pytest.raises(NotFoundError):
            await ongage.images.create("https://x.io/a.png", folder_id=4)


@pytest.mark.parametrize("url", ["", "a.png", "ftp://x.io/a.png", "https://", "http://[", "file:///etc/passwd"])
async def test_an_image_that_cannot_be_fetched_is_refused(ongage: OngageClient, wire: Wire, url: str):
    with pytest.raises(InvalidInputError):
        await ongage.images.create(url)
    assert wire.sent == []


# --- events

TRIGGERS = [{"email_messages": [27], "days_diff": 1, "operator": "after", "schedule_hour": 9, "schedule_minute": 59}]
ROUTE = [{"esp_connection_id": 12345, "percent": 100, "domain": "default"}]


async def test_an_event_is_made_got_changed_switched_and_deleted(ongage: OngageClient, wire: Wire, messages: Any):
    made = await ongage.events.create(
        "thanks",
        status=False,
        segments=5,
        triggers=TRIGGERS,
        distribution=ROUTE,
        based_on="date_field",
        date_field_name="birthday",
        ongoing_event=False,
        start_date=dt.datetime(2030, 1, 1, tzinfo=UTC),
        end_date="2031-01-01",
    )
    assert wire.last.line == "POST /api/events"
    assert wire.last.body == {
        "name": "thanks",
        "status": False,
        "segments": [5],
        "triggers": TRIGGERS,
        "distribution": ROUTE,
        "based_on": "date_field",
        "date_field_name": "birthday",
        "ongoing_event": False,
        "start_date": 1893456000,
        "end_date": "2031-01-01",
    }
    got = await ongage.events.get(made.id)
    assert wire.last.line == f"GET /api/events/{made.id}"
    assert (got.status, got.status_desc, got.based_on, got.segments, got.extra) == (
        "0",
        "Inactive",
        "date_field",
        [5],
        {},
    )
    switched = await ongage.events.toggle_status(made.id)
    assert (wire.last.line, wire.last.body) == (f"PUT /api/events/{made.id}/status", {})
    assert switched.status == "1"
    changed = await ongage.events.update(made.id, name="thank you", emails_limit=5)
    assert (wire.last.line, wire.last.body) == (
        f"PUT /api/events/{made.id}",
        {"name": "thank you", "emails_limit": 5},
    )
    assert changed.name == "thank you"
    page = await ongage.events.page(name="thank", order="DESC", limit=3)
    assert wire.last.query == {"name": "thank", "order": "DESC", "limit": "3"}
    assert ([item.id for item in page], page.total) == ([made.id], 1)
    assert [item.id async for item in ongage.events.each()] == [made.id]
    await ongage.events.delete(made.id)
    assert wire.last.line == f"DELETE /api/events/{made.id}"
    with pytest.raises(NotFoundError):
        await ongage.events.get(made.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"distribution": None},
        {"based_on": "mailing"},
        {"based_on": "date_field"},
        {"ongoing_event": False},
        {"triggers": [{"schedule_minute": 60}]},
        {"segments": ["5"]},
        {"start_date": dt.datetime(2030, 1, 1)},  # noqa: DTZ001
    ],
)
async def test_an_event_that_lacks_something_is_refused(ongage: OngageClient, wire: Wire, wrong: dict[str, Any]):
    event = {"status": True, "segments": [5], "triggers": TRIGGERS, "distribution": ROUTE, **wrong}
    with pytest.raises(InvalidInputError):
        await ongage.events.create("x", **event)
    assert wire.sent == []


async def test_an_active_event_and_a_switch_are_never_repeated(ongage: OngageClient, emulator: Emulator, messages: Any):
    emulator.faults.add("events.*", Fault.drop(after_execution=True), times=9)
    with pytest.raises(OngageError):
        await ongage.events.create("x", status=True, segments=5, triggers=TRIGGERS, distribution=ROUTE)
    (event_id,) = messages.events
    with pytest.raises(OngageError):
        await ongage.events.toggle_status(event_id)
    assert messages.events[event_id]["active"] is False
    assert len(emulator.witness) == 2
