"""Grants from hand to hand: what changes, and what does not, when the ledger lives in this process. On both loops."""

import asyncio
import random
from collections.abc import Iterable

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from ongage_async import ConfigurationError
from ongage_async._tasks import is_over, running_loop
from ongage_async.config import Lane, Limits
from ongage_async.governor import End, Governor, MemoryLedger, Permit

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Callers:
    """Callers of one governor that note which grant they got, and keep their permits."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.grants: dict[int, int] = {}
        self.permits: list[Permit] = []

    @property
    def served(self) -> list[int]:
        """The callers' numbers in the order of their grants; trio wakes those of one instant in any order."""
        return [self.grants[grant] for grant in sorted(self.grants)]

    async def call(self, number: int, scope: anyio.CancelScope | None = None) -> None:
        with scope or anyio.CancelScope():
            permit = await self.governor.acquire()
            self.permits.append(permit)
            self.grants[permit.lease.id] = number

    async def line_up(self, tasks: TaskGroup, numbers: Iterable[int]) -> list[anyio.CancelScope]:
        """Start callers one after the other; return what cancels each."""
        scopes = []
        for number in numbers:
            scopes.append(anyio.CancelScope())
            tasks.start_soon(self.call, number, scopes[-1])
            await checkpoint()
        return scopes

    async def end_one(self) -> None:
        await self.permits.pop(0).give_back(End.ANSWERED)


async def rest() -> None:
    for _ in range(5):
        await checkpoint()


async def test_a_place_goes_from_hand_to_hand_and_no_task_is_started_for_it():
    """Nobody but the two callers is needed: no servant has to be woken between them."""
    callers = Callers(Governor(Limits(parallel=1)))
    async with anyio.create_task_group() as tasks:
        await callers.call(0)
        await callers.line_up(tasks, range(1, 4))
        for ended in range(1, 4):
            await callers.end_one()
            await rest()
            assert callers.served == list(range(ended + 1))
            assert callers.governor._line._yard.running == 0


async def test_a_date_is_waited_for_also_by_those_who_joined_when_only_an_answer_could_help():
    """Three calls a minute, one at a time: the fourth caller waits for the first token, whoever told it so."""
    governor = Governor(Limits(calls=3, per_s=60, parallel=1))
    began, dates = anyio.current_time(), []

    async def call() -> None:
        async with governor.permit():
            dates.append(anyio.current_time() - began)
            await anyio.sleep(1)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(call)
    assert dates == pytest.approx([0, 1, 2, 61, 62])


async def test_a_pause_that_grows_while_somebody_waits_is_waited_for_to_its_end():
    governor = Governor(Limits(parallel=1))
    callers = Callers(governor)
    await callers.call(0)
    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        await callers.line_up(tasks, [1])
        await governor.pause(30.0)
        await callers.end_one()
        await anyio.sleep(10)
        await governor.pause(40.0)
    assert anyio.current_time() - began == pytest.approx(50)


async def test_of_thousands_that_are_cancelled_while_places_change_hands_no_place_is_lost_and_no_order():
    governor, chance = Governor(Limits(calls=100_000, parallel=3)), random.Random(1)
    callers = Callers(governor)
    async with anyio.create_task_group() as tasks:
        scopes = await callers.line_up(tasks, range(2_000))
        while callers.permits:
            for scope in chance.sample(scopes, 10):
                scope.cancel()
            for _ in range(min(len(callers.permits), chance.randrange(1, 4))):
                await callers.end_one()
            for _ in range(chance.randrange(4)):
                await checkpoint()
            if not callers.permits:
                await rest()
    assert callers.served == sorted(callers.served)
    assert len(callers.served) > 200
    seen = await governor.statistics()
    assert (seen.open, seen.places_free, seen.lanes[Lane.NORMAL].waiting) == (0, 3, 0)


async def test_a_second_governor_on_the_account_is_served_in_its_turn_though_the_first_was_alone_when_it_asked():
    ledger = MemoryLedger(Limits(parallel=1), name="first")
    first, second = Callers(Governor(ledger=ledger)), Callers(Governor(ledger=ledger.member("second")))
    async with anyio.create_task_group() as tasks:
        await first.call(0)
        await first.line_up(tasks, range(1, 4))
        await second.line_up(tasks, range(3))
        for _ in range(7):
            await anyio.sleep(1)
            for callers in (first, second):
                if callers.permits:
                    await callers.end_one()
    assert (first.served, second.served) == ([0, 1, 2, 3], [0, 1, 2])
    assert (await first.governor.statistics()).open == 0


async def test_the_last_who_leaves_the_line_is_not_waited_for_by_another_governor():
    """A lane that was given up is told to the ledger, so that others do not stand behind nobody."""
    ledger = MemoryLedger(Limits(parallel=1), name="first")
    first, second = Callers(Governor(ledger=ledger)), Governor(ledger=ledger.member("second"))
    async with anyio.create_task_group() as tasks:
        await first.call(0)
        for scope in await first.line_up(tasks, [1]):
            scope.cancel()
        await rest()
        assert not (await ledger.look()).members["first"].asks
        await first.end_one()
        began = anyio.current_time()
        await (await second.acquire()).give_back(End.ANSWERED)
        assert anyio.current_time() == began


async def test_a_place_that_comes_back_after_its_governor_has_closed_goes_to_another_governor_at_once():
    ledger = MemoryLedger(Limits(parallel=1), name="first")
    first, second = Callers(Governor(ledger=ledger)), Callers(Governor(ledger=ledger.member("second")))
    async with anyio.create_task_group() as tasks:
        await first.call(0)
        await second.line_up(tasks, [0])
        await rest()  # its own servant has asked, and sleeps
        await first.governor.aclose()
        await first.end_one()
        await rest()
        assert second.served == [0]


async def test_two_governors_by_one_name_do_not_keep_each_others_word():
    """Only the later one is told of a change, so the other looks by itself, as in a fleet."""
    ledger = MemoryLedger(Limits(parallel=1))
    first, second = Callers(Governor(ledger=ledger)), Governor(ledger=ledger)
    async with anyio.create_task_group() as tasks:
        await first.call(0)
        await first.line_up(tasks, [1])
        await second.start()
        await first.end_one()
        await anyio.sleep(10)
        assert first.served == [0, 1]


async def test_bulk_goes_again_when_a_limit_that_was_lowered_has_crept_above_the_reserve():
    """No call is open and no token out, so no answer and no date tells; somebody must look."""
    governor = Governor(Limits(calls=10, parallel=5), reserve=6)
    for _ in range(3):
        await (await governor.acquire()).give_back(End.REFUSED, retry_after_s=1.0)
        await anyio.sleep(2)
    await anyio.sleep(60)
    assert (await governor.statistics()).calls_in_force < 7
    with anyio.fail_after(600):
        await governor.acquire(Lane.BULK)


async def test_new_limits_that_leave_bulk_nothing_are_refused_like_the_first_ones():
    governor = Governor(Limits(calls=10), reserve=6)
    with pytest.raises(ConfigurationError, match="reserve=6"):
        await governor.set_limits(Limits(calls=6))
    assert governor.limits.calls == 10


@pytest.mark.parametrize(
    "pause_s", [0.0, 0.02], ids=["before the first step of its servant", "while its servant rests"]
)
def test_a_line_that_ended_with_its_event_loop_serves_in_the_next_one(pause_s: float):
    governor = Governor(Limits(calls=1, per_s=0.1, parallel=1))
    left = []

    async def leave_somebody_in_line() -> None:
        await (await governor.acquire()).give_back(End.ANSWERED)
        left.append(asyncio.get_running_loop().create_task(governor.acquire()))
        if pause_s:
            await asyncio.sleep(pause_s)

    asyncio.run(leave_somebody_in_line())
    assert left[0].cancelled()
    asyncio.run(asyncio.wait_for(governor.acquire(), 5.0))


def test_calls_and_callers_of_a_loop_that_was_shut_in_their_midst_hold_nothing_up_in_the_next_one():
    """Its call may have been counted: token and place come home when the margin has passed."""
    governor = Governor(Limits(calls=10, per_s=60.0, parallel=1), margin_s=0.05)
    shut = asyncio.new_event_loop()
    shut.set_exception_handler(lambda *_: None)  # tasks that are never ended complain

    async def leave_somebody_in_line() -> None:
        await governor.start()
        await governor.acquire()
        left.extend(shut.create_task(governor.acquire()) for _ in range(3))
        await asyncio.sleep(0)

    async def look_and_call() -> None:
        await governor.start()
        found = await governor.statistics()
        assert (found.open, found.places_free, found.tokens_free, found.waiting[Lane.NORMAL]) == (0, 0, 9, 0)
        await asyncio.wait_for(governor.acquire(), 5.0)

    left: list[object] = []
    shut.run_until_complete(leave_somebody_in_line())
    shut.close()
    asyncio.run(look_and_call())


async def test_calls_that_are_open_in_a_loop_that_goes_on_are_nobody_elses():
    governor = Governor()
    await governor.acquire()

    def elsewhere() -> None:
        asyncio.run(governor.start())

    with pytest.raises(ConfigurationError, match="open in another event loop"):
        await anyio.to_thread.run_sync(elsewhere)


def test_a_governor_that_follows_another_into_a_new_loop_ends_none_of_its_calls():
    """Both use one account; what the first has open in the new loop is alive, though the second knows the old one."""
    ledger = MemoryLedger(Limits(parallel=2), 0.05)
    first, second = Governor(ledger=ledger.member("first")), Governor(ledger=ledger.member("second"))

    async def start_both() -> None:
        await first.start()
        await second.start()

    async def call_and_follow() -> None:
        await first.start()
        await first.acquire()
        with pytest.raises(ConfigurationError, match="open in another event loop"):
            await second.start()
        assert (await first.statistics()).open == 1

    asyncio.run(start_both())
    asyncio.run(call_and_follow())


def test_a_loop_of_trio_that_has_ended_is_over():
    async def main() -> object:
        assert not is_over(running_loop())
        return running_loop()

    assert is_over(anyio.run(main, backend="trio"))


def test_without_a_margin_a_grant_is_not_stale_the_moment_it_is_made():
    governor = Governor(Limits(parallel=1), margin_s=0.0)

    async def main() -> None:
        first = await governor.acquire()
        second = asyncio.get_running_loop().create_task(governor.acquire())
        await asyncio.sleep(0.01)
        await first.give_back(End.ANSWERED)
        await asyncio.wait_for(second, 5.0)
        assert (await governor.statistics()).lanes[Lane.NORMAL].granted == 2

    asyncio.run(main())
