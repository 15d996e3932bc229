"""The loop of a call: retries by repeat class, waits within limits, errors that tell. Virtual time, both loops."""

import json
import pickle
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest

from ongage_async import errors
from ongage_async._engine import Bound, Engine, Options
from ongage_async._operation import Operation, Repeat
from ongage_async._retry import RetryPolicy
from ongage_async._transport import Transport
from ongage_async.config import Lane, Limits
from ongage_async.events import AccountPaused, AttemptBegan, AttemptEnded, CallBegan, CallEnded, Event
from ongage_async.governor import Governor

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

READ = Operation("lists.get", "GET", "/api/lists/{id}", Repeat.SAFE)
WRITE = Operation("contacts.create", "POST", "/api/v2/contacts", Repeat.IF_UNSENT)
SEND = Operation("transactional.send", "POST", "/api/transactional/send", Repeat.NEVER)
STEADY = RetryPolicy(jitter=0.0)

FINE = httpx.Response(200, json={"metadata": {"error": False}, "payload": {"id": 1}})
DENIED = {"code": 429, "errors": [], "message": "Calls per minute exceeded"}
BUSY = httpx.Response(429, json={"metadata": {"error": True}, "payload": DENIED})
BROKEN = httpx.Response(503, text="<html>down</html>")


class Vendor:
    """A vendor of few words: answers from a script, the last line for ever, and remembers when it was asked."""

    def __init__(self, *script: httpx.Response | Exception, answer_s: float = 0.0) -> None:
        self.script = list(script)
        self.answer_s = answer_s
        self.asked_at: list[float] = []
        self.answered = 0
        self.events: list[Event] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self.answer))
        self.governor = Governor(Limits(calls=1000, parallel=2))
        transport = Transport("https://vendor.test", {"x-api-key": "planted-key"}, self.client)
        self.engine = Engine(transport, self.governor, self.events.append, chance=lambda: 0.0)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked_at.append(anyio.current_time())
        await anyio.sleep(self.answer_s)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.answered += 1
        if isinstance(line, Exception):
            raise line
        return httpx.Response(line.status_code, headers=line.headers, content=line.content)

    async def call(self, operation: Operation = READ, **options: object) -> object:
        caller = Bound(self.engine, Options(**{"retry": STEADY, **options}))
        path = {"id": 7} if "{id}" in operation.route else None
        return (await caller.call(operation, path=path)).payload

    def waits(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.asked_at, self.asked_at[1:], strict=False)]


async def test_a_call_that_goes_well_is_sent_once_and_told():
    vendor = Vendor(FINE, answer_s=0.5)
    assert await vendor.call() == {"id": 1}
    began, sent, attempt, call = vendor.events
    assert [type(event) for event in (began, sent)] == [CallBegan, AttemptBegan]
    assert isinstance(attempt, AttemptEnded)
    assert (attempt.operation, attempt.status, attempt.lane) == ("lists.get", 200, Lane.NORMAL)
    assert attempt.wire_s == pytest.approx(0.5)
    assert isinstance(call, CallEnded)
    assert (call.attempts, call.error) == (1, None)


async def test_half_an_hour_of_the_vendors_ladder_is_climbed_for_a_safe_call():
    vendor = Vendor(BROKEN)
    with pytest.raises(errors.ServerError) as caught:
        await vendor.call()
    assert vendor.waits() == pytest.approx([60, 120, 240, 480, 960])
    assert caught.value.attempts == 6
    assert caught.value.outcome is errors.Outcome.UNKNOWN
    assert caught.value.elapsed_s == pytest.approx(1860)
    assert len(caught.value.__notes__) == 6


async def test_a_503_that_names_a_later_date_is_believed():
    later = httpx.Response(503, headers={"retry-after": "90"}, text="")
    vendor = Vendor(later, FINE)
    await vendor.call()
    assert vendor.waits() == pytest.approx([90])


@pytest.mark.parametrize("operation", [WRITE, SEND])
@pytest.mark.parametrize("fault", [BROKEN, httpx.ReadTimeout(""), httpx.RemoteProtocolError(""), httpx.ReadError("")])
async def test_an_uncertain_outcome_is_raised_and_not_repeated(operation: Operation, fault: httpx.Response | Exception):
    vendor = Vendor(fault, FINE)
    with pytest.raises(errors.OngageError) as caught:
        await vendor.call(operation)
    assert caught.value.outcome is errors.Outcome.UNKNOWN
    assert len(vendor.asked_at) == 1


@pytest.mark.parametrize("operation", [READ, WRITE, SEND])
async def test_a_refused_connection_is_tried_again_whatever_the_call(operation: Operation):
    vendor = Vendor(httpx.ConnectError("refused"), httpx.ConnectTimeout(""), FINE)
    assert await vendor.call(operation) == {"id": 1}
    assert vendor.waits() == pytest.approx([0.5, 2.0])


async def test_a_lost_answer_to_a_safe_call_is_fetched_again_soon():
    vendor = Vendor(httpx.RemoteProtocolError(""), FINE)
    await vendor.call()
    assert vendor.waits() == pytest.approx([0.5])


@pytest.mark.parametrize("operation", [READ, WRITE, SEND])
async def test_a_429_pauses_the_account_and_the_call_goes_again_when_it_ends(operation: Operation):
    vendor = Vendor(BUSY, FINE)
    assert await vendor.call(operation) == {"id": 1}
    assert 60.0 <= vendor.waits()[0] <= 66.0
    assert [event.strike for event in vendor.events if isinstance(event, AccountPaused)] == [1]


async def test_a_burst_of_429s_pauses_once_and_everybody_is_served_after_it():
    vendor = Vendor(BUSY, BUSY, FINE)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(vendor.call)
    assert [event.strike for event in vendor.events if isinstance(event, AccountPaused)] == [1]
    assert len(vendor.asked_at) == 12


async def test_the_vendors_retry_after_is_the_pause():
    vendor = Vendor(httpx.Response(429, headers={"retry-after": "17"}, content=BUSY.content), FINE)
    await vendor.call()
    assert vendor.waits() == pytest.approx([17.0])


async def test_a_429_that_never_ends_is_raised_as_itself_after_the_ladder():
    vendor = Vendor(BUSY)
    with pytest.raises(errors.RateLimitedError) as caught:
        await vendor.call()
    assert caught.value.attempts == 6
    assert sum(vendor.waits()) >= 1860


async def test_a_pause_that_does_not_fit_is_raised_at_once_with_retry_after():
    vendor = Vendor(BUSY)
    with pytest.raises(errors.RateLimitedError) as caught:
        await vendor.call(max_wait_s=5.0)
    assert caught.value.elapsed_s == pytest.approx(0.0)
    assert 59.0 <= caught.value.retry_after_s <= 66.0
    with pytest.raises(errors.BudgetError) as refused:
        await vendor.call(max_wait_s=5.0)
    assert refused.value.operation == "lists.get"
    assert len(vendor.asked_at) == 1


async def test_a_back_off_that_does_not_fit_is_raised_at_once_with_retry_after():
    vendor = Vendor(BROKEN)
    with pytest.raises(errors.ServerError) as caught:
        await vendor.call(max_wait_s=100.0)
    assert vendor.waits() == pytest.approx([60])
    assert caught.value.retry_after_s == pytest.approx(120)


async def test_a_slow_answer_is_given_up_in_time_and_keeps_its_place_until_it_ends():
    vendor = Vendor(FINE, answer_s=100.0)
    with pytest.raises(errors.ResponseTimeoutError) as caught:
        await vendor.call(WRITE, timeout_s=5.0)
    assert caught.value.elapsed_s == pytest.approx(5.0)
    assert (await vendor.governor.statistics()).open == 1
    await anyio.sleep(95.1)
    assert (await vendor.governor.statistics()).open == 0


async def test_a_cancelled_caller_is_free_at_once_and_its_exchange_ends_in_order():
    vendor = Vendor(FINE, answer_s=10.0)
    began = anyio.current_time()
    with anyio.move_on_after(1.0):
        await vendor.call()
    assert anyio.current_time() - began == pytest.approx(1.0)
    assert (await vendor.governor.statistics()).open == 1
    await anyio.sleep(9.5)
    assert vendor.answered == 1
    assert (await vendor.governor.statistics()).open == 0


async def test_closing_waits_for_open_exchanges_and_refuses_new_calls():
    vendor = Vendor(FINE, answer_s=10.0)
    with anyio.move_on_after(1.0):
        await vendor.call()
    await vendor.engine.aclose()
    assert vendor.answered == 1
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await vendor.call()


async def test_nothing_is_held_while_waiting_to_try_again():
    vendor = Vendor(BROKEN, FINE)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(30)
        seen = await vendor.governor.statistics()
        assert (seen.open, seen.places_free) == (0, 2)


async def test_a_failing_listener_does_not_fail_the_call():
    vendor = Vendor(FINE)

    def fail(event: Event) -> None:
        raise RuntimeError

    vendor.engine.listener = fail
    assert await vendor.call() == {"id": 1}


async def test_errors_pickle_with_their_notes():
    vendor = Vendor(BROKEN)
    with pytest.raises(errors.ServerError) as caught:
        await vendor.call(retry=RetryPolicy.none())
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.status, again.__notes__) == (str(caught.value), 503, caught.value.__notes__)


async def test_a_redirect_is_not_followed_with_the_credentials():
    vendor = Vendor(httpx.Response(302, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(errors.APIError):
        await vendor.call()
    assert len(vendor.asked_at) == 1


class Suspended:
    """Drive a coroutine and cancel it at its n-th suspension."""

    def __init__(self, work: Awaitable[object], nth: int, cancel: Callable[[], object]) -> None:
        self.work, self.nth, self.cancel = work.__await__(), nth, cancel
        self.suspensions = 0

    def __await__(self):
        value, error = None, None
        while True:
            try:
                suspended_on = self.work.send(value) if error is None else self.work.throw(error)
            except StopIteration as stop:
                return stop.value
            self.suspensions += 1
            if self.suspensions == self.nth:
                self.cancel()
            value, error = None, None
            try:
                value = yield suspended_on
            except BaseException as caught:  # noqa: BLE001 - handed on
                error = caught


@pytest.mark.parametrize("script", [(FINE,), (BROKEN, FINE), (BUSY, FINE), (httpx.ConnectError(""), FINE)])
async def test_a_call_cancelled_at_any_suspension_leaves_nothing_behind(script: tuple[httpx.Response | Exception, ...]):
    nth, completed = 0, False
    while not completed:
        nth += 1
        assert nth < 100
        vendor = Vendor(*script, answer_s=0.1)
        vendor.governor = vendor.engine.governor = Governor(Limits(calls=4, per_s=1.0, parallel=1), margin_s=0.5)
        with anyio.CancelScope() as scope:
            await Suspended(vendor.call(), nth, scope.cancel)
            completed = True
        await anyio.sleep(100)
        seen = await vendor.governor.statistics()
        assert (seen.open, seen.places_free, seen.tokens_free) == (0, 1, 4)
        assert seen.lanes[Lane.NORMAL].waiting == 0
        vendor.script = [FINE]
        assert await vendor.call(max_wait_s=0.0) == {"id": 1}
    assert nth > 1


def test_the_policy_is_a_value_and_refuses_nonsense():
    assert RetryPolicy() == RetryPolicy()
    with pytest.raises(ValueError, match="zero or more"):
        RetryPolicy(ladder_s=(-1.0,))
    assert json.dumps(RetryPolicy().ladder_s) == "[60.0, 120.0, 240.0, 480.0, 960.0]"
