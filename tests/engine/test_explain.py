"""Where the time of a call went: each kind of waiting is told as what it was, on both loops, in virtual time."""

import logging
import os
import random
from functools import partial
from typing import Any

import anyio
import httpx
import pytest

from ongage_async import ApiKey, OngageClient, _call, errors
from ongage_async._explain import Explanation, Explanations
from ongage_async._retry import RetryPolicy
from ongage_async.config import Lane, Limits
from ongage_async.events import CallBegan, CallEnded, LedgerBack, LedgerLost
from ongage_async.governor import Governor
from tests.engine.test_engine import BROKEN, BUSY, FINE, WRITE, Vendor

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

IN_17_S = httpx.Response(429, headers={"retry-after": "17"}, content=BUSY.content)


class Explained(Vendor):
    """A vendor of few words, and a client that remembers."""

    def __init__(self, *script: httpx.Response | Exception, answer_s: float = 0.0, most: int = 100) -> None:
        super().__init__(*script, answer_s=answer_s)
        self.explanations = Explanations(most)
        self.engine.explanations = self.explanations
        self.engine.listener.add(self.explanations)

    @property
    def latest(self) -> Explanation:
        return self.explanations.all()[-1]


def adds_up(call: Explanation) -> bool:
    return sum(step.took_s for step in call.steps) == pytest.approx(call.elapsed_s, abs=0.001)


async def test_a_pause_is_told_apart_from_the_wire():
    """The wait after a 429 passes in the governor's queue, and is told as what it is: back-off."""
    vendor = Explained(IN_17_S, FINE, answer_s=0.15)
    await vendor.call(WRITE)
    assert str(vendor.latest) == (
        "contacts.create took 17.3 s: 17.0 s in back-off after a 429 (pause 1), 0.3 s on the wire in 2 attempts"
    )
    assert [step.kind for step in vendor.latest.steps] == ["permit", "wire", "pause", "permit", "wire"]
    assert adds_up(vendor.latest)


async def test_the_ladder_of_a_failing_vendor_is_told_with_its_reason():
    vendor = Explained(BROKEN, httpx.ConnectError("refused"), BROKEN, FINE, answer_s=0.2)
    await vendor.call()
    assert str(vendor.latest) == (
        "lists.get took 181.3 s: 180.5 s in back-off after 2 × HTTP 503, ConnectError, 0.8 s on the wire in 4 attempts"
    )
    assert vendor.latest.spent_s("back-off") == pytest.approx(180.5)
    assert adds_up(vendor.latest)


async def test_waiting_for_a_place_says_so_and_names_the_lane():
    """Two places: the third call waits for the first answer, the fifth for two."""
    vendor = Explained(FINE, answer_s=1.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(vendor.call)
    assert [call.spent_s("permit") for call in vendor.explanations.all()] == pytest.approx([0, 0, 1, 1, 2])
    assert str(vendor.latest) == (
        "lists.get took 3.0 s: 2.0 s for a place on lane NORMAL, 1.0 s on the wire in 1 attempt"
    )


@pytest.mark.parametrize(
    ("limits", "reserve", "lane", "waited_s", "what"),
    [
        (Limits(calls=2, per_s=60.0, parallel=2), 0, Lane.URGENT, 61.0, "a token on lane URGENT"),
        (Limits(calls=90, per_s=60.0, parallel=2), 88, Lane.BULK, 61.0, "a token on lane BULK"),
        (Limits(calls=90, per_s=60.0, parallel=2), 0, Lane.NORMAL, 1.0, "a place on lane NORMAL"),
    ],
)
async def test_what_was_scarce_is_told_apart(limits: Limits, reserve: int, lane: Lane, waited_s: float, what: str):
    """Two calls take what there is; a third waits for what they took, and where both are gone the token is later."""
    vendor = Explained(FINE, answer_s=1.0)
    vendor.governor = vendor.engine.governor = Governor(limits, reserve=reserve)
    async with anyio.create_task_group() as tasks:
        for each in (Lane.URGENT, Lane.URGENT, lane):
            tasks.start_soon(partial(vendor.call, lane=each))
            await anyio.sleep(0.001)
    assert f"{waited_s:.1f} s for {what}" in str(vendor.latest)


async def test_the_pace_of_bulk_is_a_turn_and_a_pause_that_somebody_made_is_no_place():
    vendor = Explained(FINE)
    vendor.governor = vendor.engine.governor = Governor(Limits(calls=10, per_s=60.0, parallel=2))
    for _ in range(7):
        await vendor.call(lane=Lane.BULK)
    assert "s for its turn on lane BULK" in str(vendor.latest)
    await vendor.governor.pause(30.0)
    assert vendor.governor.scarce() == "pause"
    await vendor.governor.resume()
    assert vendor.governor.scarce() == "turn"


async def test_a_call_that_queued_before_the_pause_began_waits_for_both():
    """Only what lies within the pause is the pause's."""
    vendor = Explained(IN_17_S, FINE, answer_s=2.0)
    vendor.governor = vendor.engine.governor = Governor(Limits(calls=1000, parallel=1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(0.5)
        tasks.start_soon(vendor.call, WRITE)
    second = next(call for call in vendor.explanations.all() if call.operation == "contacts.create")
    assert second.spent_s("pause") == pytest.approx(17.0)
    assert second.spent_s("permit") >= 1.5
    assert adds_up(second)


async def test_a_call_under_way_can_be_asked_for():
    """The person on call asks while it hangs, not afterwards."""
    vendor = Explained(BROKEN, FINE, answer_s=2.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        seen = []
        for wait_s in (1.0, 11.0, 50.5):
            await anyio.sleep(wait_s)
            seen.append(str(vendor.latest))
    reason = "back-off after HTTP 503"
    assert seen == [
        "lists.get is under way for 1.0 s, now on the wire: 1.0 s on the wire in 1 attempt",
        f"lists.get is under way for 12.0 s, now in back-off: 10.0 s in {reason}, 2.0 s on the wire in 1 attempt",
        f"lists.get is under way for 62.5 s, now on the wire: 60.0 s in {reason}, 2.5 s on the wire in 2 attempts",
    ]
    assert vendor.latest.now is None


async def test_a_call_that_waits_behind_a_full_account_says_so_while_it_waits():
    vendor = Explained(FINE, answer_s=5.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(vendor.call)
        await anyio.sleep(3.0)
        waiting = next(call for call in vendor.explanations.all() if call.now == "permit")
    assert str(waiting) == (
        "lists.get is under way for 3.0 s, now waiting for a permit: 3.0 s for a permit on lane NORMAL, never sent"
    )


async def test_after_a_back_off_it_waits_for_a_permit_like_everybody_else():
    """One place, which somebody else has when the back-off ends."""
    vendor = Explained(BROKEN, FINE, answer_s=5.0)
    vendor.governor = vendor.engine.governor = Governor(Limits(calls=1000, parallel=1))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(63.0)
        tasks.start_soon(vendor.call, WRITE)
        await anyio.sleep(4.0)
        waiting = next(call for call in vendor.explanations.all() if call.operation == "lists.get")
    assert (waiting.now, waiting.spent_s("back-off"), waiting.spent_s("permit")) == ("permit", 60.0, 2.0)
    assert (vendor.latest.spent_s("back-off"), vendor.latest.spent_s("permit")) == pytest.approx((60.0, 3.0))
    assert adds_up(vendor.latest)


@pytest.mark.parametrize(("after_s", "doing"), [(0.5, "wire"), (30.0, "back-off"), (61.5, "wire")])
async def test_a_caller_that_leaves_is_told_with_what_it_did_until_then(after_s: float, doing: str):
    vendor = Explained(BROKEN, answer_s=1.0)
    with anyio.move_on_after(after_s):
        await vendor.call()
    assert str(vendor.latest).startswith(f"lists.get was cancelled after {after_s:.1f} s: ")
    assert (vendor.latest.steps[-1].kind, vendor.latest.error, vendor.latest.outcome) == (doing, "Cancelled", None)
    assert adds_up(vendor.latest)
    await vendor.engine.aclose()


async def test_a_call_that_was_refused_was_never_sent():
    vendor = Explained(FINE, answer_s=5.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(vendor.call)
        await anyio.sleep(1.0)
        with pytest.raises(errors.BudgetError) as caught:
            await vendor.call(WRITE, max_wait_s=0.0)
        tasks.cancel_scope.cancel()
    refused = vendor.explanations.find(caught.value.call_id or "")
    assert str(refused) == "contacts.create failed with BudgetError after 0 ms: never sent"
    await vendor.engine.aclose()


async def test_an_error_names_its_call_and_says_where_the_time_went():
    vendor = Explained(BROKEN, answer_s=1.0)
    with pytest.raises(errors.ServerError) as caught:
        await vendor.call(retry=RetryPolicy(ladder_s=(60,), jitter=0.0))
    call_id = caught.value.call_id
    assert call_id == vendor.latest.call_id
    assert caught.value.__notes__[-1] == (
        f"call {call_id}: lists.get failed with ServerError after 62.0 s: 60.0 s in back-off after HTTP 503, "
        "2.0 s on the wire in 2 attempts"
    )
    assert vendor.latest.outcome is errors.Outcome.UNKNOWN


async def test_random_scripts_add_up():
    """Whatever the vendor answers: the steps are the whole of the call's time, and each attempt is on the wire once."""
    chance = random.Random(7)
    lines = [FINE, BROKEN, IN_17_S, httpx.ConnectError(""), httpx.RemoteProtocolError("")]
    for _ in range(40):
        vendor = Explained(*chance.choices(lines, k=5), FINE, answer_s=chance.choice([0.0, 0.3, 4.0]))
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(vendor.call)
        calls = vendor.explanations.all()
        assert [adds_up(call) for call in calls] == [True] * 4, [str(call) for call in calls]
        assert all(call.attempts == sum(step.kind == "wire" for step in call.steps) for call in calls)
        assert all(step.took_s >= 0 for call in calls for step in call.steps)


async def test_only_so_many_are_remembered_and_none_that_is_over_is_kept_open():
    vendor = Explained(FINE, most=3)
    for _ in range(10):
        await vendor.call()
    ids = [event.call_id for event in vendor.events if isinstance(event, CallBegan)]
    assert [call.call_id for call in vendor.explanations.all()] == ids[-3:]
    assert vendor.engine.explain(ids[-3]).call_id == ids[-3]
    with pytest.raises(errors.InvalidInputError, match="among the last 3 and those under way"):
        vendor.engine.explain(ids[-4])


async def test_asking_a_client_that_does_not_remember_says_how_to_make_one_that_does():
    vendor = Vendor(FINE)
    await vendor.call()
    with pytest.raises(errors.ConfigurationError, match="explain=1000"):
        vendor.engine.explain("any")
    with pytest.raises(errors.ConfigurationError, match="explain=-1"):
        Explanations.of(-1)
    assert Explanations.of(0) is None


# -- who is told, and what it costs when nobody is ---------------------------------------------------------------------


async def test_nobody_listens_so_nothing_is_made(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """No event and no id: a call whose story nobody wants has none."""
    caplog.set_level(logging.INFO, "ongage_async")
    made = []
    for name in ("CallBegan", "AttemptBegan", "AttemptEnded", "BackOffBegan", "CallEnded"):
        monkeypatch.setattr(_call, name, lambda *_, name=name: made.append(name))
    monkeypatch.setattr(_call._Ids, "next", lambda _: made.append("id") or "id")
    silent = Vendor(BROKEN, IN_17_S, FINE)
    silent.engine.listener.close()
    await silent.call()
    assert made == []
    heard = Vendor(BROKEN, IN_17_S, FINE)
    await heard.call()
    ends = ["AttemptBegan", "AttemptEnded"]
    assert made == ["id", "CallBegan", *ends, "BackOffBegan", *ends, *ends, "CallEnded"]


async def test_all_that_is_told_of_a_call_has_its_id():
    vendor = Vendor(IN_17_S, BROKEN, FINE)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(vendor.call)
    ids = {event.call_id for event in vendor.events if isinstance(event, CallEnded)}
    assert len(ids) == 3
    assert {event.call_id for event in vendor.events if hasattr(event, "call_id")} == ids


async def test_a_listener_that_comes_in_the_middle_hears_the_rest_and_one_that_fails_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
):
    vendor = Explained(BROKEN, FINE, answer_s=1.0)
    late: list[object] = []
    vendor.engine.listener.add(lambda _: 1 / 0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(30)
        unlisten = vendor.engine.listener.add(late.append)
    assert [type(event).__name__ for event in late] == ["AttemptBegan", "AttemptEnded", "CallEnded"]
    unlisten()
    unlisten()
    await vendor.call()
    assert (len(late), vendor.latest.error) == (3, None)
    assert "a listener failed at CallBegan" in caplog.messages


def test_a_forked_process_names_its_calls_anew():
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:  # pragma: no cover - the child is another process
        os.write(writing, _call._ids.next().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as told:
        theirs = told.read()
    assert theirs.partition("-")[0] != _call._ids.next().partition("-")[0]


# -- the client's doors -----------------------------------------------------------------------------------------------


def client(governor: Governor | None = None, **given: Any) -> OngageClient:
    """Make a client whose vendor always answers well, with one field that nobody knows."""
    body = {"metadata": {"error": False, "total": 1}, "payload": [{"id": 1, "shoe_size": 44}]}
    vendor = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    return OngageClient(ApiKey("key"), http_client=vendor, governor=governor, **given)


async def test_a_client_explains_its_calls_and_those_of_its_views():
    async with client(explain=10) as ongage:
        await ongage.lists.page()
        await ongage.with_options(lane=Lane.URGENT).lists.page()
        first, second = ongage.explanations()
        assert (first.lane, second.lane) == (Lane.NORMAL, Lane.URGENT)
        assert ongage.explain(second.call_id) == second
    async with client() as silent:
        assert silent.explanations() == []


async def test_listening_begins_at_any_time_and_ends_with_the_client_or_before():
    """Families that were used before hear of it too: they tell drift to whoever listens by then."""
    early: list[Any] = []
    late: list[Any] = []
    governor = Governor()
    async with client(governor, on_event=early.append) as ongage:
        await ongage.lists.page()
        unlisten = ongage.listen(late.append)
        await ongage.lists.page()
        unlisten()
        unlisten()
        await ongage.lists.page()
    told = [type(event).__name__ for event in late]
    assert told == ["CallBegan", "AttemptBegan", "AttemptEnded", "CallEnded", "DriftSeen"]
    assert [type(event).__name__ for event in early] == [*(told * 3), "ClientClosed"]
    assert len(governor._tell.each) == 1  # its own, which writes the log


# -- logs --------------------------------------------------------------------------------------------------------------


async def test_log_lines_carry_their_call_as_fields(caplog: pytest.LogCaptureFixture):
    """What a JSON formatter writes: the same names on every line, and the id that an error has."""
    caplog.set_level(logging.DEBUG, "ongage_async")
    vendor = Vendor(BROKEN, IN_17_S, BROKEN, answer_s=0.5)
    vendor.engine.listener.close()  # logs alone are reason enough for an id
    with pytest.raises(errors.ServerError) as caught:
        await vendor.call(lane=Lane.URGENT, retry=RetryPolicy(ladder_s=(60,), jitter=0.0))
    lines = [record for record in caplog.records if record.name.startswith("ongage_async.")]
    assert {(line.operation, line.lane, line.call_id) for line in lines} == {
        ("lists.get", "URGENT", caught.value.call_id)
    }
    assert [(line.name.partition(".")[2], line.levelname, line.attempt) for line in lines] == [
        ("calls", "DEBUG", 1),
        ("calls", "DEBUG", 1),
        ("account", "WARNING", 2),
        ("calls", "DEBUG", 2),
        ("calls", "DEBUG", 3),
    ]
    assert [getattr(line, "status", None) for line in lines] == [503, None, 429, 429, 503]
    assert [round(line.wait_s) for line in lines if hasattr(line, "wait_s")] == [60, 17]
    assert lines[0].getMessage() == "lists.get attempt 1: ServerError in 0.500 s"


async def test_a_shared_ledger_that_is_lost_and_found_again_is_a_warning(caplog: pytest.LogCaptureFixture):
    """Whoever reads the log learns of it, though nobody listens."""
    governor = Governor()
    governor._tell(LedgerLost("no route", None, 12.0))
    governor._tell(LedgerBack(3.25, 60.0))
    lines = [(line.name, line.levelname, line.getMessage(), line.wait_s) for line in caplog.records]
    assert lines == [
        ("ongage_async.account", "WARNING", "the shared ledger is lost: no route", 12.0),
        ("ongage_async.account", "WARNING", "the shared ledger is back after 3.2 s", 60.0),
    ]


async def test_a_call_that_goes_well_writes_nothing_above_debug(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "ongage_async")
    vendor = Vendor(BROKEN, FINE)
    await vendor.call()
    assert caplog.records == []
