"""Transactional messages: who got what, told by the server's own outbox and witness."""

from typing import Any

import anyio
import pytest

from ongage_async import (
    AuthenticationError,
    InvalidInputError,
    Lane,
    NotFoundError,
    OngageClient,
    OngageError,
    Outcome,
    ValidationError,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.events import AttemptEnded
from ongage_async.models import SendKind
from tests.client.conftest import TRUST, Wire
from tests.support import client_of

pytestmark = pytest.mark.anyio


async def test_a_send_reaches_the_outbox_and_is_counted(
    ongage: OngageClient, wire: Wire, home: int, messages: Any, own_list: Any
):
    sent = await ongage.transactional.send(
        27,
        ["john@doe.com", "jane@doe.com"],
        sending_connection_id=12345,
        message_dynamic_fields={"code": 1},
        message_dynamic_fields_per_recipient={"jane@doe.com": {"code": 2}},
        create_contact=True,
        list_id=home,
    )
    assert wire.last.line == f"POST /{home}/api/transactional/send"
    assert wire.last.body == {
        "message_id": 27,
        "recipients": ["john@doe.com", "jane@doe.com"],
        "sending_connection_id": 12345,
        "message_dynamic_fields": {"code": 1},
        "message_dynamic_fields_per_recipient": {"jane@doe.com": {"code": 2}},
        "create_contact": True,
    }
    assert (sent.success, sent.failed, sent.failed_emails, sent.extra) == (2, 0, [], {})
    assert [(each.recipient, each.fields) for each in messages.outbox] == [
        ("john@doe.com", {"code": 1}),
        ("jane@doe.com", {"code": 2}),
    ]
    assert (messages.outbox[0].campaign_id, messages.outbox[0].subject) == (12345, "Hi")
    assert own_list.contact("jane@doe.com") is not None


async def test_by_default_nobody_is_spared_and_checks_are_asked_for(
    ongage: OngageClient, emulator: Emulator, messages: Any, own_list: Any
):
    gone = own_list.add_contact("gone@doe.com")
    own_list.contacts.change_status(gone, "unsubscribe", 1)
    own_list.add_contact("john@doe.com")
    emulator.state.add_list("never", type="suppression", scope="global").add_contact("john@doe.com")
    everybody = ["gone@doe.com", "john@doe.com"]
    assert (await ongage.transactional.send(27, everybody)).success == 2
    checked = await ongage.transactional.send(27, everybody, check_status=True)
    assert (checked.success, checked.failed_emails) == (1, ["gone@doe.com"])
    both = await ongage.transactional.send(27, everybody, check_status=True, check_global_and_list_suppression=True)
    assert (both.success, both.failed) == (0, 2)


async def test_suppression_is_heeded_under_the_older_name_of_its_flag_too(
    ongage: OngageClient, emulator: Emulator, messages: Any
):
    """Where the vendor still reads the older name, `extra` has it; the newer one alone would spare nobody."""
    emulator.readings.suppression_flag = "check_suppression"
    emulator.state.add_list("never", type="suppression", scope="global").add_contact("john@doe.com")
    newer = await ongage.transactional.send(27, ["john@doe.com"], check_global_and_list_suppression=True)
    older = await ongage.transactional.send(27, ["john@doe.com"], extra={"check_suppression": True})
    assert (newer.success, older.success, older.failed) == (1, 0, 1)


@pytest.mark.parametrize("recipients", ["", [], [" "], ["a@x.io", ""], ["a@x.io"] * 501, [7]])
async def test_recipients_that_are_none_are_refused_before_anything_is_sent(
    ongage: OngageClient, wire: Wire, recipients: Any
):
    with pytest.raises(InvalidInputError):
        await ongage.transactional.send(27, recipients)
    assert wire.sent == []


FAULTS = {
    "503": Fault.status(503),
    "504 after": Fault.status(504, after_execution=True),
    "drop": Fault.drop(),
    "drop after": Fault.drop(after_execution=True),
    "half a body": Fault.half_body(),
    "garbage": Fault.garbage(),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("way", ["send", "send_embed_content", "notify"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_an_uncertain_send_is_never_repeated(
    ongage: OngageClient, emulator: Emulator, messages: Any, fault: Fault, way: str
):
    emulator.faults.add("transactional.*", fault, times=9)
    api = ongage.transactional
    sends = {
        "send": lambda: api.send(27, "john@doe.com"),
        "notify": lambda: api.notify("john@doe.com", email_message_id=27),
        "send_embed_content": lambda: api.send_embed_content("john@doe.com", subject="Hi", content_text="x"),
    }
    with pytest.raises(OngageError) as caught:
        await sends[way]()
    assert (caught.value.outcome, caught.value.attempts) == (Outcome.UNKNOWN, 1)
    assert emulator.witness.count(f"transactional.{way}") == 1
    assert len(messages.outbox) == (1 if fault.after_execution else 0)


async def test_an_answer_of_any_shape_is_a_send_that_happened(ongage: OngageClient, emulator: Emulator, messages: Any):
    for payload in ([], None, "queued", [1], 7):
        body = {"metadata": {"error": False}, "payload": payload}
        emulator.faults.add("transactional.send", Fault.status(200, body, after_execution=True), times=1)
        sent = await ongage.transactional.send(27, "john@doe.com")
        assert sent.extra == ({} if payload in ([], None) else {"payload": payload})


async def test_a_text_is_sent_with_the_call(ongage: OngageClient, wire: Wire, messages: Any):
    sender = {"from_name": "Us", "from_address": "us@x.io", "reply_address": "us@x.io"}
    await ongage.transactional.send_embed_content(
        "john@doe.com",
        subject="Hi",
        content_html="<p>",
        addresses=sender,
        message={"unsubscribe": 1},
        campaign_id=12345,
    )
    assert wire.last.line == "POST /api/transactional/send_embed_content"
    assert wire.last.body == {
        "message": {"subject": "Hi", "content_html": "<p>", "addresses": sender, "unsubscribe": 1},
        "recipients": ["john@doe.com"],
        "campaign_id": 12345,
    }
    assert (messages.outbox[0].message_id, messages.outbox[0].content) == (None, "<p>")
    with pytest.raises(ValidationError):
        await ongage.transactional.send_embed_content("john@doe.com", subject="Hi")


async def test_the_deprecated_call_warns_and_works(ongage: OngageClient, wire: Wire, messages: Any):
    with pytest.deprecated_call(match="transactional.send"):
        told = await ongage.transactional.notify(["john@doe.com", "nobody"], email_message_id=27, check_status=False)
    assert wire.last.line == "POST /api/notify_transactions"
    assert wire.last.body == {
        "recipients": ["john@doe.com", "nobody"],
        "email_message_id": 27,
        "check_status": False,
    }
    assert (told.mailing_id, told.not_active) == (12345, ["nobody"])


async def test_campaigns_are_made_paged_changed_and_deleted(ongage: OngageClient, wire: Wire, messages: Any):
    made = await ongage.transactional.create("receipts", "d")
    assert (wire.last.line, wire.last.body) == (
        "POST /api/transactional",
        {"name": "receipts", "description": "d", "message_type": "email"},
    )
    page = await ongage.transactional.page(sort="name", limit=5)
    assert (wire.last.line, wire.last.query) == ("GET /api/transactional", {"sort": "name", "limit": "5"})
    assert ([item.id for item in page], page.total, page.items[0].extra) == ([made.id], 1, {})
    changed = await ongage.transactional.update(made.id, name="bills", description="e")
    assert wire.last.line == f"PUT /api/transactional/{made.id}"
    assert changed.name == "bills"
    assert [item.name async for item in ongage.transactional.each()] == ["bills"]
    await ongage.transactional.send(27, "john@doe.com", campaign_id=made.id)
    assert messages.outbox[0].campaign_id == made.id
    await ongage.transactional.delete(made.id)
    assert wire.last.line == f"DELETE /api/transactional/{made.id}"
    with pytest.raises(NotFoundError):
        await ongage.transactional.send(27, "john@doe.com", campaign_id=made.id)


# --- thousands

PEOPLE = [f"p{number}@x.io" for number in range(25)]


async def _async(items: Any) -> Any:
    for item in items:
        yield item


@pytest.mark.parametrize("kind", [list, iter, _async])
async def test_thousands_are_cut_into_calls_with_one_outcome_each(
    ongage: OngageClient, wire: Wire, messages: Any, kind: Any
):
    own = {"p3@x.io": {"code": 3}, "p24@x.io": {"code": 24}}
    sending = ongage.transactional.send_many(27, kind(PEOPLE), per_call=10, message_dynamic_fields_per_recipient=own)
    chunks = [chunk async for chunk in sending]
    assert [(chunk.index, chunk.first, len(chunk), chunk.kind) for chunk in chunks] == [
        (0, 0, 10, SendKind.SENT),
        (1, 10, 10, SendKind.SENT),
        (2, 20, 5, SendKind.SENT),
    ]
    assert [sent.body["recipients"] for sent in wire.sent] == [PEOPLE[:10], PEOPLE[10:20], PEOPLE[20:]]
    fields = [sent.body.get("message_dynamic_fields_per_recipient") for sent in wire.sent]
    assert fields == [{"p3@x.io": {"code": 3}}, {}, {"p24@x.io": {"code": 24}}]
    assert [outcome.recipient for chunk in chunks for outcome in chunk.outcomes] == PEOPLE
    assert [each.recipient for each in messages.outbox] == PEOPLE


async def test_outcomes_of_calls_are_told_apart_and_none_is_repeated(
    ongage: OngageClient, emulator: Emulator, messages: Any
):
    faults = [Fault.status(412), Fault.drop(after_execution=True), Fault.status(503), Fault.delay(0.0)]
    for fault in faults:
        emulator.faults.add("transactional.send", fault, times=1)
    chunks = [chunk async for chunk in ongage.transactional.send_many(27, PEOPLE, per_call=5)]
    assert [chunk.kind for chunk in chunks] == [
        SendKind.REJECTED,
        SendKind.UNKNOWN,
        SendKind.UNKNOWN,
        SendKind.SENT,
        SendKind.SENT,
    ]
    assert emulator.witness.count("transactional.send") == 5
    assert [each.recipient for each in messages.outbox] == PEOPLE[5:10] + PEOPLE[15:]
    assert chunks[0].outcomes[0].reason == "Fault by script"
    assert {outcome.kind for outcome in chunks[1].outcomes} == {SendKind.UNKNOWN}
    assert "@" not in repr(chunks)


async def test_three_calls_without_an_answer_end_it(ongage: OngageClient, emulator: Emulator, messages: Any):
    emulator.faults.add("transactional.send", Fault.drop(), times=9)
    sending = ongage.transactional.send_many(27, PEOPLE, per_call=5)
    assert [(await anext(sending)).kind for _ in range(3)] == [SendKind.UNKNOWN] * 3
    with pytest.raises(OngageError, match=r"transactional\.send"):
        await anext(sending)
    assert emulator.witness.count("transactional.send") == 3


async def test_what_concerns_all_calls_ends_it_and_going_on_begins_with_the_same_call(
    ongage: OngageClient, emulator: Emulator, messages: Any
):
    sending = ongage.transactional.send_many(27, PEOPLE, per_call=10)
    assert (await anext(sending)).index == 0
    emulator.faults.add("transactional.send", Fault.status(401), times=1)
    with pytest.raises(AuthenticationError) as caught:
        await anext(sending)
    assert "recipient 10" in caught.value.__notes__[-1]
    assert [(chunk.index, chunk.first) async for chunk in sending] == [(1, 10), (2, 20)]
    assert [each.recipient for each in messages.outbox] == PEOPLE
    with pytest.raises(NotFoundError):
        await anext(ongage.transactional.send_many(99, PEOPLE))


async def test_a_cancelled_call_is_not_begun_again(ongage: OngageClient, emulator: Emulator, messages: Any):
    sending = ongage.transactional.send_many(27, PEOPLE, per_call=10)
    emulator.faults.add("transactional.send", Fault.delay(0.2, after_execution=True), times=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anext, sending)
        while not messages.outbox:  # noqa: ASYNC110 - the vendor is in another thread
            await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    assert [(chunk.index, chunk.first) async for chunk in sending] == [(1, 10), (2, 20)]
    assert [each.recipient for each in messages.outbox] == PEOPLE


async def test_a_blank_recipient_stops_it_and_nobody_is_lost(ongage: OngageClient, messages: Any):
    sending = ongage.transactional.send_many(27, [*PEOPLE[:3], " ", *PEOPLE[3:5]], per_call=10)
    with pytest.raises(InvalidInputError, match="number 4"):
        await anext(sending)
    assert [len(chunk) async for chunk in sending] == [3, 2]
    assert [each.recipient for each in messages.outbox] == PEOPLE[:5]


@pytest.mark.parametrize(("recipients", "per_call"), [("a@x.io", 5), (PEOPLE, 0), (PEOPLE, 501)])
async def test_a_sending_that_cannot_begin_is_refused(ongage: OngageClient, recipients: Any, per_call: int):
    with pytest.raises(InvalidInputError):
        ongage.transactional.send_many(27, recipients, per_call=per_call)


async def test_one_message_is_urgent_and_thousands_are_bulk(emulator: Emulator, messages: Any):
    lanes: list[Lane] = []

    def note(event: Any) -> None:
        if isinstance(event, AttemptEnded):
            lanes.append(event.lane)

    async with client_of(emulator, ssl_context=TRUST, on_event=note) as ongage:
        await ongage.transactional.send(27, "john@doe.com")
        await anext(ongage.transactional.send_many(27, PEOPLE))
    assert lanes == [Lane.URGENT, Lane.BULK]
