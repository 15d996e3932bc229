"""Work that outlives its caller, and the signal by which it is waited for; on both loops."""

from typing import Any

import anyio
import pytest

from ongage_async._tasks import Signal, Yard
from ongage_async.config import Limits
from ongage_async.governor import End, Governor
from ongage_async.governor._ledger import MemoryLedger

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_everybody_who_waits_for_a_signal_goes_on_and_whoever_comes_later_need_not_wait():
    signal, told = Signal(), []

    async def wait(timeout_s: float | None) -> None:
        told.append(await signal.wait(timeout_s))

    async with anyio.create_task_group() as tasks:
        for timeout_s in (None, 10.0, None):
            tasks.start_soon(wait, timeout_s)
        await anyio.sleep(1.0)
        assert told == []
        signal.set()
        signal.set()
    assert told == [True] * 3
    assert await signal.wait(0.0)


async def test_a_signal_that_is_late_is_told_so_and_may_still_come():
    signal, began = Signal(), anyio.current_time()
    assert not await signal.wait(5.0)
    assert anyio.current_time() - began == pytest.approx(5.0)
    signal.set()
    assert await signal.wait(5.0)


async def test_a_waiter_that_leaves_takes_nobody_along():
    signal, told = Signal(), []

    async def wait() -> None:
        told.append(await signal.wait(60.0))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        with anyio.move_on_after(1.0) as scope:
            await signal.wait(60.0)
        assert scope.cancelled_caught
        signal.set()
    assert told == [True]


async def test_owned_work_goes_on_when_its_caller_is_out_of_patience():
    yard, done = Yard(), []

    async def work() -> str:
        await anyio.sleep(3.0)
        done.append(anyio.current_time())
        return "done"

    owned = yard.start(work)
    assert not await owned.ends_within(1.0)
    assert await owned.ends_within(60.0)
    assert (owned.result(), len(done), yard.running) == ("done", 1, 0)


class Slow(MemoryLedger):
    """A ledger that is far away."""

    async def give_back(self, *args: Any, **named: Any) -> Any:
        await anyio.sleep(1.0)
        return await MemoryLedger.give_back(self, *args, **named)


async def test_a_permit_comes_home_though_its_holder_is_cancelled_meanwhile():
    limits = Limits(calls=10, parallel=1)
    governor = Governor(limits, ledger=Slow(limits))
    permit = await governor.acquire()
    with anyio.move_on_after(0.5):
        await permit.give_back(End.UNSENT)
    statistics = await governor.statistics()
    assert (statistics.open, statistics.tokens_free) == (0, 10)
