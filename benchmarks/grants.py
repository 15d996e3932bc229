"""What a grant costs with 1 to 100,000 waiters, when only the ten places are scarce; and what a waiter costs."""

import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.report import median_and_spread
from ongage_async import Limits

__all__ = ["memory_per_waiter", "run"]

WIDE = Limits(calls=100_000_000, per_s=60.0, parallel=10)
PATIENCE_S = 10.0
"""A contender that would need longer for a row is not asked."""

Make = Callable[[Limits], Contender]


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure every contender at every number of waiters."""
    waiters = (1, 10, 200) if tiny else (1, 10, 1_000, 100_000)
    rows = []
    for name, make in CONTENDERS.items():
        row: dict[str, Any] = {"µs per grant": name}
        last_us = 1000.0
        for count in waiters:
            if last_us * count / 1e6 < PATIENCE_S:
                row[f"{count:,} waiters"] = measured = measure(make, count, last_us, tiny=tiny)
                last_us = measured["median"]
        row["bytes a waiter"] = round(memory_per_waiter(500 if tiny else 10_000, name))
        row["µs to leave the line"] = round(_apart(_cancel(make, 500 if tiny else 20_000)), 1)
        row["inversions"] = _apart(_inversions(make, 500 if tiny else 10_000))
        rows.append(row)
        print(row, flush=True)
    return rows


def _apart(work: Any) -> Any:
    """Run in an event loop of its own, with nothing left of the one before."""
    gc.collect()
    return asyncio.run(work)


def measure(make: Make, count: int, expected_us: float, *, tiny: bool) -> dict[str, float]:
    """Return processor µs per grant: median and spread of some rounds."""
    rounds = 2 if tiny else 3
    grants = min(500 if tiny else 5_000, 1e6 / max(1.0, expected_us))  # about a second a round
    each = max(1, int(grants) // count)
    return median_and_spread([_apart(_round(make, count, each)) for _ in range(rounds)])


async def _round(make: Make, count: int, each: int) -> float:
    contender = make(WIDE)
    await contender.leave(await contender.enter())
    gate = asyncio.Event()

    async def caller() -> None:
        await gate.wait()
        for _ in range(each):
            held = await contender.enter()
            await contender.leave(held)

    tasks = [asyncio.create_task(caller()) for _ in range(count)]
    await asyncio.sleep(0)
    places = [await contender.enter() for _ in range(WIDE.parallel)] if count > WIDE.parallel else []
    began = time.process_time()
    gate.set()
    for _ in range(3 if places else 0):
        await asyncio.sleep(0)  # all of them join the line
    for held in places:
        await contender.leave(held)
    await asyncio.gather(*tasks)
    return (time.process_time() - began) / (count * each) * 1e6


# -- one who waits ----------------------------------------------------------------------------------------------------


async def _line_up(work: Callable[[], Awaitable[Any]], count: int) -> "list[asyncio.Task[None]]":
    async def wait() -> None:
        await work()

    tasks = [asyncio.create_task(wait()) for _ in range(count)]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def _leave(tasks: "list[asyncio.Task[None]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def memory_per_waiter(count: int = 10_000, name: str = "governor") -> float:
    """Return the bytes that one caller in a contender's line costs beside its own task."""

    async def waiting(make: Make | None) -> int:
        contender = make(Limits(parallel=1)) if make is not None else None
        if contender is not None:
            await contender.enter()
        work = asyncio.get_running_loop().create_future if contender is None else contender.enter
        await _leave(await _line_up(work, 10))
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tasks = await _line_up(work, count)
        after = tracemalloc.get_traced_memory()[0]
        await _leave(tasks)
        return after - before

    tracemalloc.start()
    try:
        return (_apart(waiting(CONTENDERS[name])) - _apart(waiting(None))) / count
    finally:
        tracemalloc.stop()


async def _cancel(make: Make, count: int) -> float:
    """Return processor µs for each of so many that leave the line in any order."""
    contender = make(Limits(parallel=1))
    await contender.enter()
    tasks = await _line_up(contender.enter, count)
    random.Random(1).shuffle(tasks)
    began = time.process_time()
    await _leave(tasks)
    return (time.process_time() - began) / count * 1e6


async def _inversions(make: Make, grants: int) -> int:
    """Let callers come, stay and leave at random; count the grants that overtook somebody who still waits."""
    contender, chance = make(WIDE), random.Random(1)
    waiting: dict[int, None] = {}  # tickets, in the order of their coming
    tickets = inversions = 0

    async def caller() -> None:
        nonlocal tickets, inversions
        while tickets < grants:
            tickets += 1
            ticket = tickets
            waiting[ticket] = None
            scope = asyncio.timeout(0 if chance.random() < 0.1 else None)
            with suppress(TimeoutError):
                try:
                    async with scope:
                        held = await contender.enter()
                finally:
                    overtook = next(iter(waiting)) < ticket
                    del waiting[ticket]
                inversions += overtook
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                await contender.leave(held)

    await asyncio.gather(*(caller() for _ in range(50)))
    return inversions
