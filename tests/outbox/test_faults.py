"""What goes wrong at the vendor and on the way there: at most once, or exactly once."""

import time
from contextlib import suppress
from typing import Any

import anyio
import pytest

from ongage_async import ConfigurationError, EntryError, Limits, OngageClient, OutboxError, Outcome, RetryPolicy
from ongage_async.emulator import Emulator, Fault
from ongage_async.outbox import Status
from ongage_async.outbox._store import Store
from tests.outbox.exam import until
from tests.outbox.test_outbox import recipients
from tests.outbox.worker import MESSAGE
from tests.support import client_of, credentials_of

pytestmark = pytest.mark.anyio

QUICK = RetryPolicy(ladder_s=(0.01,), connection_ladder_s=(0.01,))
AFTER = {"after_execution": True}

UNCERTAIN = {
    "lost before": (Fault.drop(), 0),
    "lost after": (Fault.drop(**AFTER), 1),
    "503 before": (Fault.status(503), 0),
    "500 after": (Fault.status(500, **AFTER), 1),
    "half an answer": (Fault.half_body(), 1),
    "garbage": (Fault.garbage(), 1),
}


async def ended(handle: Any) -> tuple[Status, int]:
    with suppress(EntryError):
        await handle.wait(10)
    entry = await handle.entry()
    return entry.status, entry.attempts


@pytest.mark.parametrize("fault", UNCERTAIN)
async def test_a_message_of_uncertain_outcome_is_never_sent_twice(emulator: Emulator, url: str, fault: str):
    """And it says so, whether the vendor had sent it or not: nobody can tell from here."""
    struck, executed = UNCERTAIN[fault]
    emulator.faults.add("transactional.send", struck, times=1)
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")
        assert await ended(handle) == (Status.UNCERTAIN, 1)
    assert len(recipients(emulator)) == executed
    assert emulator.witness.count("transactional.send") == 1


@pytest.mark.parametrize("fault", sorted(set(UNCERTAIN) - {"garbage"}))
async def test_a_change_that_may_be_repeated_is_repeated(emulator: Emulator, url: str, fault: str):
    """More often than the ladder is long: it is not given up while it can do no harm."""
    emulator.faults.add("contacts.create", UNCERTAIN[fault][0], times=4)
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.contacts.create([{"email": "a@doe.com"}], overwrite=True)
        assert await ended(handle) == (Status.SENT, 5)


@pytest.mark.parametrize("status", [403, 412])
async def test_what_the_vendor_refuses_is_rejected(emulator: Emulator, url: str, status: int):
    emulator.faults.add("transactional.send", Fault.status(status), times=1)
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")
        assert await ended(handle) == (Status.REJECTED, 1)
        assert f"HTTP {status}" in (await handle.entry()).reason
        assert (await (await outbox.retry(handle.id)).wait(10)).success == 1
    assert recipients(emulator) == ["john@doe.com"]


async def test_a_changed_password_costs_no_message(emulator: Emulator, url: str):
    """401 says that nothing was done: it waits, and goes out when the credentials hold again."""
    emulator.faults.add("transactional.send", Fault.status(401), times=3)
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 4)
    assert recipients(emulator) == ["john@doe.com"]


async def test_calls_that_fail_again_and_again_do_not_stop_the_others(emulator: Emulator, url: str):
    """Thirty changes that meet a 503 each time rest between their attempts, and one that does not goes ahead."""
    patient = RetryPolicy(ladder_s=(60.0,), connection_ladder_s=(60.0,))
    emulator.faults.add("contacts.create", Fault.status(503))
    async with client_of(emulator, retry=patient) as ongage, ongage.outbox(url) as outbox:
        for number in range(30):
            await outbox.contacts.create([{"email": f"c{number}@doe.com"}], overwrite=True)
        report = await (await outbox.contacts.change_status(["old@doe.com"], "unsubscribe")).wait(10)
        assert len(report.outcomes) == 1
        assert (await outbox.statistics()).queued == 30


async def test_a_429_is_waited_for_as_queued(emulator: Emulator, url: str):
    """A pause of the account lasts minutes: a crash meanwhile must not make anything uncertain."""
    emulator.faults.add("transactional.send", Fault.status(429), times=1)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")

        async def is_paused() -> bool:
            return bool((await ongage.governor.statistics()).strikes) and await handle.status() is not Status.SENDING

        await until(is_paused)
        assert (await ongage.governor.statistics()).hold_s > 50
        entry = await handle.entry()
        assert (entry.status, entry.attempts) == (Status.QUEUED, 1)
        with anyio.fail_after(5):
            await outbox.aclose()
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        assert await ended(await outbox.get(handle.id)) == (Status.SENT, 2)
    assert recipients(emulator) == ["john@doe.com"]


async def test_after_a_short_pause_it_goes_out_by_itself(emulator: Emulator, url: str):
    emulator.faults.add("transactional.send", Fault.status(429, headers={"Retry-After": "0"}), times=2)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 3)
    assert recipients(emulator) == ["john@doe.com"]


async def test_a_vendor_that_cannot_be_reached_costs_nothing(emulator: Emulator, url: str, free_tcp_port: int):
    """Refused connections are no attempts of uncertain outcome: it stays queued until the vendor is back."""
    nowhere = OngageClient(credentials_of(emulator), base_url=f"http://127.0.0.1:{free_tcp_port}", retry=QUICK)
    async with nowhere, nowhere.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")

        async def was_tried() -> bool:
            return (await handle.entry()).attempts >= 3

        await until(was_tried)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        status, attempts = await ended(await outbox.get(handle.id))
        assert (status, attempts >= 4) == (Status.SENT, True)
    assert recipients(emulator) == ["john@doe.com"]


async def test_a_send_that_cannot_be_written_down_is_not_made(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
):
    """The permit goes home unused, the vendor sees nothing, and it is tried again when the store is back."""
    async with client_of(emulator, limits=Limits(calls=5, per_s=60)) as ongage, ongage.outbox(url) as outbox:
        store = outbox._desk._store
        begin, seen = store.begin, []

        def fail(entry_id: str) -> bool:
            seen.append(entry_id)
            if len(seen) < 2:
                raise OutboxError("the disk is full")
            assert emulator.witness.count("transactional.send") == 0
            return begin(entry_id)

        monkeypatch.setattr(store, "begin", fail)
        monkeypatch.setattr("ongage_async.outbox._verdict.SOON_S", 0.01)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 1)
        assert (await ongage.governor.statistics()).tokens_free == 4
    assert (len(seen), recipients(emulator)) == (2, ["john@doe.com"])


async def test_an_end_that_cannot_be_written_down_is_written_later(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
):
    """It was sent: that the store is away for a moment must not make it uncertain, or send it again."""
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        store = outbox._desk._store
        settle, seen = store.settle, []

        def fail(*values: Any) -> None:
            seen.append(values)
            if len(seen) < 3:
                raise OutboxError("the server is away")
            settle(*values)

        monkeypatch.setattr(store, "settle", fail)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 1)
    assert (len(seen), recipients(emulator)) == (3, ["john@doe.com"])


async def test_a_store_that_is_slower_than_a_send_may_be_makes_nothing_uncertain(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
):
    """The time of a send runs while its mark is written: when it is over before the first byte, nothing goes out."""
    monkeypatch.setattr("ongage_async.outbox._verdict.SOON_S", 0.01)
    quick = client_of(emulator, timeout_s=0.02)
    async with client_of(emulator) as ongage, quick, quick.outbox(url) as outbox:
        store, slept = outbox._desk._store, []
        begin = store.begin

        def sleep_once(entry_id: str) -> bool:
            if not slept:
                outbox._sender.options = ongage._options  # the next attempt may take its time
                slept.append(time.sleep(0.05))
            return begin(entry_id)

        monkeypatch.setattr(store, "begin", sleep_once)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 2)
    assert recipients(emulator) == ["john@doe.com"]
    assert emulator.witness.count("transactional.send") == 1


async def test_a_put_whose_answer_was_lost_does_not_say_that_nothing_was_done(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
):
    """It may be kept, and sent: whoever takes it for not done orders a second one."""
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        store = outbox._desk._store
        puts = store.put

        def lose_the_answer(*values: Any) -> None:
            puts(*values)
            raise OutboxError("did not answer")

        monkeypatch.setattr(store, "put", lose_the_answer)
        with pytest.raises(OutboxError) as caught:
            await outbox.transactional.send(MESSAGE, "john@doe.com", key="k")
        assert caught.value.outcome is Outcome.UNKNOWN
        monkeypatch.undo()
        await (await outbox.transactional.send(MESSAGE, "john@doe.com", key="k")).wait(10)
    assert recipients(emulator) == ["john@doe.com"]


@pytest.mark.parametrize(("step", "attempts"), [("begin", 1), ("settle", 1), ("claim", 1)])
async def test_a_failure_that_nobody_foresaw_costs_no_message(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch, step: str, attempts: int
):
    """No thread can be had for one step, say: the entry must not lie with a sender that has forgotten it."""
    monkeypatch.setattr("ongage_async.outbox._verdict.SOON_S", 0.01)
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        store, failures = outbox._desk._store, [RuntimeError("can't start new thread")]
        does = getattr(store, step)

        def fail_once(*values: Any) -> Any:
            if failures:
                raise failures.pop()
            return does(*values)

        monkeypatch.setattr(store, step, fail_once)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, attempts)
    assert recipients(emulator) == ["john@doe.com"]


async def test_a_send_that_ends_as_nobody_foresaw_is_uncertain(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:

        async def fail(*_: Any) -> None:
            raise LookupError

        monkeypatch.setattr(type(ongage._engine.transport), "send", fail)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.UNCERTAIN, 1)
    assert "nobody foresaw" in caplog.text


async def test_what_is_decided_while_it_stands_in_line_is_not_forgotten(emulator: Emulator, url: str):
    """Discarded and sent again during a pause: the sender that has it is given it once more, without a time limit."""
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        await ongage.governor.pause(30.0)
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com", expires_in_s=0.3)

        async def is_at_it() -> bool:
            return handle.id in outbox._sender._under_way

        await until(is_at_it)
        first = outbox._sender._under_way[handle.id]
        await outbox.discard(handle.id)
        await outbox.retry(handle.id)

        async def is_given_up() -> bool:
            return outbox._sender._under_way.get(handle.id) is not first

        await until(is_given_up)
        await ongage.governor.resume()
        assert await ended(handle) == (Status.SENT, 1)
    assert recipients(emulator) == ["john@doe.com"]


async def test_a_reason_that_ends_in_half_a_character_is_kept(emulator: Emulator, url: str):
    """A store takes whole characters only; what the vendor says is the vendor's."""
    told = b'{"metadata": {"error": true}, "payload": {"code": 412, "message": "no \\ud83d"}}'
    emulator.faults.add("transactional.send", Fault.status(412, body=told), times=1)
    async with client_of(emulator, retry=QUICK) as ongage, ongage.outbox(url) as outbox:
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")
        assert await ended(handle) == (Status.REJECTED, 1)
        assert "no ?" in (await handle.entry()).reason


async def test_a_store_that_is_away_for_a_while_stops_nothing_for_good(
    emulator: Emulator, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    async with client_of(emulator) as ongage, ongage.outbox(url) as outbox:
        store: Store = outbox._desk._store
        claim, seen = store.claim, []

        def fail(room: Any) -> Any:
            seen.append(room)
            if len(seen) < 3:
                raise OutboxError("the server is away")
            return claim(room)

        monkeypatch.setattr(store, "claim", fail)
        assert await ended(await outbox.transactional.send(MESSAGE, "john@doe.com")) == (Status.SENT, 1)
    assert caplog.text.count("nothing is sent: the server is away") == 1
    assert "john" not in caplog.text


async def test_a_client_that_was_closed_first_loses_nothing(emulator: Emulator, url: str):
    ongage = client_of(emulator)
    async with ongage.outbox(url) as outbox:
        await ongage.aclose()
        handle = await outbox.transactional.send(MESSAGE, "john@doe.com")
        await anyio.sleep(0.05)
        assert (await handle.entry()).attempts == 0
        assert await handle.status() is Status.QUEUED
    async with client_of(emulator) as again, again.outbox(url) as outbox:
        assert await ended(await outbox.get(handle.id)) == (Status.SENT, 1)


async def test_another_accounts_outbox_is_refused_or_another_place(emulator: Emulator, url: str):
    """A call goes out in the name of the account for which it was put, or not at all."""
    async with client_of(emulator) as ongage, ongage.outbox(url, is_sender=False) as outbox:
        await outbox.transactional.send(MESSAGE, "john@doe.com")
    ongage = client_of(emulator)
    ongage._engine.account = "somebody else's"
    async with ongage:
        try:
            async with ongage.outbox(url) as outbox:
                assert (await outbox.statistics()).queued == 0
        except ConfigurationError as error:
            assert "another account" in str(error)  # noqa: PT017 - one of two right answers
    assert recipients(emulator) == []
