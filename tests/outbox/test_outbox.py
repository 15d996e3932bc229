"""An outbox as users hold it, on both event loops and both stores: keep, send, wait, look up, decide."""

import pickle
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from ongage_async import (
    ConfigurationError,
    EntryError,
    InvalidInputError,
    JobTimeoutError,
    Lane,
    Limits,
    NewContact,
    OutboxError,
    Outcome,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.models import SendResult
from ongage_async.outbox import KINDS, OutboxStatistics, Status
from tests.outbox.exam import until
from tests.outbox.worker import MESSAGE
from tests.support import client_of

pytestmark = pytest.mark.anyio


def recipients(emulator: Emulator) -> list[str]:
    return [message.recipient for message in emulator.state.messages.outbox]


async def test_a_message_that_was_put_is_sent_and_its_handle_tells_the_answer(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com", campaign_id=None)
        result = await handle.wait(timeout_s=10)
        assert (type(result), result.success, result.failed) == (SendResult, 1, 0)
        assert await handle.status() is Status.SENT
        entry = await handle.entry()
        assert (entry.kind, entry.attempts, entry.lane) == ("transactional.send", 1, Lane.URGENT)
    assert recipients(emulator) == ["john@doe.com"]


async def test_each_kind_goes_all_the_way(emulator: Emulator, url: str):
    """Every method is sent as the client's own would, and its answer is of the same type."""
    book = emulator.state.default_list
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        suppressed = await ongage.lists.create("not to these", type="suppression")
        known = await ongage.contacts.create([{"email": "old@doe.com"}, {"email": "gone@doe.com"}])
        gone = known.outcomes[1].contact_id or ""
        handles: dict[str, Any] = {
            "contacts.create": await outbox.contacts.create([NewContact("a@doe.com", {"first_name": "Ada"})]),
            "contacts.update": await outbox.contacts.update([{"email": "old@doe.com", "first_name": "Old"}]),
            "contacts.change_status": await outbox.contacts.change_status(["old@doe.com"], "unsubscribe"),
            "contacts.delete": await outbox.contacts.delete(gone),
            "suppression.add": await outbox.suppression.add(suppressed.id, ("a@doe.com", "b@doe.com")),
            "suppression.remove": await outbox.suppression.remove(suppressed.id, ["b@doe.com"]),
            "transactional.send": await outbox.transactional.send(MESSAGE, ["john@doe.com"]),
            "transactional.send_embed_content": await outbox.transactional.send_embed_content(
                "jane@doe.com", subject="Hi", content_text="Hello", schedule_date=datetime(2030, 1, 1, tzinfo=UTC)
            ),
        }
        results = {kind: type(await handle.wait(10)).__name__ for kind, handle in handles.items()}
        handle = await outbox.contacts.change_email("a@doe.com", "ada@doe.com")
        handles["contacts.change_email"], results["contacts.change_email"] = (
            handle,
            type(await handle.wait(10)).__name__,
        )
    assert set(handles) == KINDS
    assert results == {
        **dict.fromkeys((kind for kind in KINDS if kind.startswith("contacts.")), "ContactsReport"),
        **dict.fromkeys(("transactional.send", "transactional.send_embed_content"), "SendResult"),
        **dict.fromkeys(("suppression.add", "suppression.remove"), "SuppressionResult"),
        "contacts.delete": "MutationResult",
    }
    assert sorted(contact.email for contact in book.contacts) == ["ada@doe.com", "old@doe.com"]
    assert book.contact("old@doe.com")["first_name"] == "Old"
    assert sorted(recipients(emulator)) == ["jane@doe.com", "john@doe.com"]


async def test_what_cannot_be_sent_is_refused_when_it_is_put(emulator: Emulator, url: str):
    """Not hours later, by a log line: the arguments are checked by the method that will send them."""
    async with client_of(emulator) as ongage, ongage.outbox(url, is_sender=False) as outbox:
        wrong = [
            lambda: outbox.transactional.send(MESSAGE, []),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", message_dynamic_fields={"x": object()}),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", message_dynamic_fields={"x": float("nan")}),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", message_dynamic_fields={"x": "\ud800"}),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", key=""),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", key="k" * 201),
            lambda: outbox.transactional.send(MESSAGE, "john@doe.com", expires_in_s=0),
            lambda: outbox.transactional.send_embed_content("john@doe.com", subject=" "),
            lambda: outbox.contacts.create([{"first_name": "nobody"}]),
            lambda: outbox.contacts.create({"email": "john@doe.com"}),  # type: ignore[arg-type]  # no list
            lambda: outbox.contacts.change_status(["john@doe.com"], "forget"),
            lambda: outbox.put("contacts.create", {"rows": []}),
            lambda: outbox.put("imports.create", {}),
            lambda: outbox.put("contacts.__init__", {}),
        ]
        for attempt in wrong:
            with pytest.raises(InvalidInputError) as caught:
                await attempt()
            assert "john" not in str(caught.value)
        assert (await outbox.statistics()).queued == 0


async def test_a_handle_is_found_again_from_another_process(emulator: Emulator, url: str):
    """What one process put, another sends, and a third reads with its types: the id is all they share."""
    async with client_of(emulator) as ongage, ongage.outbox(url, is_sender=False) as web:
        entry_id = (await web.contacts.create([{"email": "a@doe.com"}], overwrite=True)).id
        assert (await web.statistics()).queued == 1
        async with client_of(emulator) as other, other.outbox(url) as worker:
            report = await (await worker.get(entry_id)).wait(10)
            assert [row.email for row in report.outcomes] == ["a@doe.com"]
        assert (await (await web.get(entry_id)).wait(10)).outcomes == report.outcomes
        with pytest.raises(EntryError, match="no such entry"):
            await web.get("somebody else's")


async def test_a_key_makes_it_one_message(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        handles = [await outbox.transactional.send(MESSAGE, "john@doe.com", key="order 7") for _ in range(3)]
        assert len({handle.id for handle in handles}) == 1
        await handles[0].wait(10)
        again = await outbox.transactional.send(MESSAGE, "john@doe.com", key="order 7")
        assert (await again.wait(10)).success == 1
        with pytest.raises(InvalidInputError, match="key"):
            await outbox.transactional.send(MESSAGE, "jane@doe.com", key="order 7")
    assert recipients(emulator) == ["john@doe.com"]


async def test_what_waits_when_we_close_is_kept_for_the_next(emulator: Emulator, url: str):
    """Entries that stand in the governor's line go back, and no permit is lost with them."""
    limits = Limits(calls=2, per_s=60, parallel=2)
    async with client_of(emulator, limits=limits) as ongage:
        async with ongage.outbox(url) as outbox:
            handles = [await outbox.transactional.send(MESSAGE, f"c{n}@doe.com") for n in range(6)]
            for handle in handles[:2]:
                await handle.wait(10)
        with pytest.raises(OutboxError, match="not open"):
            await outbox.statistics()
        await anyio.wait_all_tasks_blocked()
        assert sum(lane.waiting for lane in (await ongage.governor.statistics()).lanes.values()) == 0
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        for handle in handles:
            assert (await (await outbox.get(handle.id)).wait(10)).success == 1
            assert (await outbox.entry(handle.id)).attempts == 1
    assert sorted(recipients(emulator)) == [f"c{n}@doe.com" for n in range(6)]


async def test_waiting_for_a_permit_is_not_sending(emulator: Emulator, url: str):
    """While the account has no room for it, the store says queued: a crash then would cost nothing."""
    async with client_of(emulator, limits=Limits(calls=1, per_s=60)) as ongage, ongage.outbox(url) as outbox:
        await (await outbox.transactional.send(MESSAGE, "first@doe.com")).wait(10)
        second = await outbox.transactional.send(MESSAGE, "second@doe.com")

        async def waits() -> bool:
            return sum(lane.waiting for lane in (await ongage.governor.statistics()).lanes.values()) == 1

        await until(waits)
        with pytest.raises(JobTimeoutError) as caught:
            await second.wait(timeout_s=0.15)
        assert await waits()
        counts = await outbox.statistics()
        assert (counts.queued, counts.sending, counts.sent) == (1, 0, 1)
        assert (caught.value.job.status, caught.value.job.attempts) == (Status.QUEUED, 0)


async def test_first_come_first_served_at_the_vendor(emulator: Emulator, url: str):
    """Also where the event loop starts tasks in any order it likes, as trio's does."""
    async with client_of(emulator, limits=Limits(calls=1000, parallel=1)) as ongage:
        async with ongage.outbox(url, is_sender=False) as outbox:
            handles = [await outbox.transactional.send(MESSAGE, f"c{n}@doe.com") for n in range(30)]
        async with ongage.outbox(url) as outbox:
            await (await outbox.get(handles[-1].id)).wait(10)
    assert recipients(emulator) == [f"c{n}@doe.com" for n in range(30)]


async def test_an_urgent_entry_overtakes_a_long_bulk_queue(emulator: Emulator, url: str):
    async with (
        client_of(emulator, limits=Limits(calls=8, per_s=60, parallel=1)) as ongage,
        ongage.outbox(url) as outbox,
    ):
        for number in range(60):
            await outbox.put(
                "contacts.create", {"contacts": [{"email": f"c{number}@doe.com"}], "overwrite": True}, lane=Lane.BULK
            )
        assert (await (await outbox.transactional.send(MESSAGE, "john@doe.com")).wait(10)).success == 1
        assert (await outbox.statistics()).queued > 50


async def test_what_is_late_is_not_sent(emulator: Emulator, url: str):
    """A receipt is not sent a day late, nor does it hold a place in the governor's line for it."""
    async with client_of(emulator, limits=Limits(calls=1, per_s=60)) as ongage, ongage.outbox(url) as outbox:
        await (await outbox.transactional.send(MESSAGE, "first@doe.com")).wait(10)
        late = await outbox.transactional.send(MESSAGE, "late@doe.com", expires_in_s=0.1)
        with pytest.raises(EntryError) as caught:
            await late.wait(10)
        assert (caught.value.entry.status, caught.value.outcome) == (Status.EXPIRED, Outcome.NOT_SENT)
        assert sum(lane.waiting for lane in (await ongage.governor.statistics()).lanes.values()) == 0
    assert recipients(emulator) == ["first@doe.com"]


async def test_the_lane_tenant_and_list_are_the_views(emulator: Emulator, url: str):
    """They are kept when it is put: the process that sends may have others."""
    async with client_of(emulator) as ongage:
        other = (await ongage.lists.create("second", type="sending")).id
        view = ongage.with_options(lane=Lane.BULK, tenant="shop 7", list_id=other)
        async with view.outbox(url, is_sender=False) as outbox:
            kept = await outbox.contacts.create([{"email": "a@doe.com"}], overwrite=True)
            own = await outbox.contacts.create([{"email": "b@doe.com"}], lane=Lane.URGENT, tenant="me", list_id=101)
            entry, chosen = await kept.entry(), await own.entry()
            assert (entry.lane, entry.tenant, entry.arguments["list_id"]) == (Lane.BULK, "shop 7", other)
            assert (chosen.lane, chosen.tenant, chosen.arguments["list_id"]) == (Lane.URGENT, "me", 101)
        async with ongage.outbox(url) as outbox:
            await (await outbox.get(kept.id)).wait(10)
    assert [contact.email for contact in emulator.state.lists[other].contacts] == ["a@doe.com"]


async def test_a_person_decides_about_uncertain_entries(emulator: Emulator, url: str):
    emulator.faults.add("transactional.send", Fault.drop(), times=2)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        handles = [await outbox.transactional.send(MESSAGE, f"c{n}@doe.com") for n in range(2)]
        for handle in handles:
            with pytest.raises(EntryError) as caught:
                await handle.wait(10)
            assert (caught.value.outcome, caught.value.entry.status) == (Outcome.UNKNOWN, Status.UNCERTAIN)
            assert "doe.com" not in repr(caught.value) + repr(caught.value.entry.arguments)
        assert {entry.id async for entry in outbox.each("uncertain")} == {handle.id for handle in handles}
        await outbox.discard(handles[0].id)
        assert (await (await outbox.retry(handles[1].id)).wait(10)).success == 1
        assert (await outbox.entry(handles[1].id)).attempts == 2
        with pytest.raises(EntryError, match="is discarded"):
            await handles[0].wait(10)
        for decision in (outbox.retry, outbox.discard):
            with pytest.raises(EntryError, match="is sent"):
                await decision(handles[1].id)
            with pytest.raises(EntryError, match="no such entry"):
                await decision("nobody")
    assert recipients(emulator) == ["c1@doe.com"]


async def test_an_entry_can_be_discarded_while_it_waits(emulator: Emulator, url: str):
    async with client_of(emulator, limits=Limits(calls=1, per_s=60)) as ongage, ongage.outbox(url) as outbox:
        await (await outbox.transactional.send(MESSAGE, "first@doe.com")).wait(10)
        second = await outbox.transactional.send(MESSAGE, "second@doe.com")
        await outbox.discard(second.id)
        with pytest.raises(EntryError, match="is discarded"):
            await second.wait(10)


async def test_settled_entries_are_forgotten_after_a_while(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage, ongage.outbox(url, keep_s=0.01) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")

        async def is_empty() -> bool:
            return await outbox.statistics() == OutboxStatistics()

        await until(is_empty)
        with pytest.raises(EntryError, match="no such entry"):
            await handle.entry()


async def test_entries_are_iterated_in_pages_and_the_iteration_may_be_left(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage, ongage.outbox(url, is_sender=False) as outbox:
        handles = [await outbox.transactional.send(MESSAGE, f"c{n}@doe.com") for n in range(105)]
        assert [entry.id async for entry in outbox.each()] == [handle.id for handle in handles]
        async for entry in outbox.each("queued"):
            assert entry.id == handles[0].id
            break
        assert [entry async for entry in outbox.each("sent")] == []
        with pytest.raises(ValueError, match="nowhere"):
            outbox.each("nowhere")


async def test_a_wrong_setting_is_named(emulator: Emulator, url: str):
    async with client_of(emulator) as ongage:
        for options in ({"keep_s": 0}, {"lease_s": float("inf")}, {"keep_s": -1.0}):
            with pytest.raises(ConfigurationError, match=next(iter(options))):
                ongage.outbox(url, **options)
        with pytest.raises(ConfigurationError, match="sqlite:///"):
            async with ongage.outbox("/var/lib/app/outbox.db"):
                pass


async def test_many_waiters_of_one_entry_are_told_together(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
):
    """At once, where their own process has sent it: they need not look again."""
    monkeypatch.setattr("ongage_async.outbox._outbox.LOOKS_S", (60.0,))
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        emulator.latency = 0.1
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")
        results = []

        async def wait() -> None:
            results.append(await handle.wait(10))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(wait)
        assert [result.success for result in results] == [1] * 5


async def test_nothing_private_is_logged(emulator: Emulator, url: str, caplog: pytest.LogCaptureFixture):
    """Bodies hold personal data: whatever happens to an entry, a log line has its id and no more."""
    caplog.set_level("DEBUG", logger="ongage_async")
    for fault in (Fault.status(412, {"payload": {"message": "john@doe.com is no address"}}), Fault.drop()):
        emulator.faults.add("transactional.send", fault, times=1)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        for number in range(2):
            handle = await outbox.transactional.send(MESSAGE, "john@doe.com", key=f"john@doe.com {number}")
            with pytest.raises(EntryError) as caught:
                await handle.wait(10)
            assert "john" not in repr(pickle.dumps(caught.value)) + repr(await handle.entry()) + str(caught.value)
            assert f"entry {handle.id}" in caplog.text
    assert "john" not in caplog.text
