"""Microseconds per grant with 1 to 100,000 waiters, when only the ten places are scarce."""

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.report import median_and_spread
from ongage_async import Limits

__all__ = ["memory_per_waiter", "run"]

WIDE = Limits(calls=100_000_000, per_s=60.0, parallel=10)
PATIENCE_S = 10.0
"""A contender that would need longer for a row is not asked."""


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
        rows.append(row)
        print(row, flush=True)
    return rows


def measure(make: Callable[[Limits], Contender], count: int, expected_us: float, *, tiny: bool) -> dict[str, float]:
    """Return µs per grant: median and spread of some rounds."""
    rounds = 2 if tiny else 3
    grants = min(500 if tiny else 5_000, 1e6 / max(1.0, expected_us))  # about a second a round
    each = max(1, int(grants) // count)
    return median_and_spread([asyncio.run(_round(make, count, each)) for _ in range(rounds)])


async def _round(make: Callable[[Limits], Contender], count: int, each: int) -> float:
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
    began = time.perf_counter()
    gate.set()
    for _ in range(3 if places else 0):
        await asyncio.sleep(0)  # all of them join the line
    for held in places:
        await contender.leave(held)
    await asyncio.gather(*tasks)
    return (time.perf_counter() - began) / (count * each) * 1e6


def memory_per_waiter(count: int = 10_000) -> float:
    """Return the bytes that one caller in the governor's line costs beside its own task."""

    async def waiting(work: Callable[[], Any]) -> int:
        before = tracemalloc.get_traced_memory()[0]
        tasks = [asyncio.create_task(work()) for _ in range(count)]
        for _ in range(3):
            await asyncio.sleep(0)
        after = tracemalloc.get_traced_memory()[0]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return after - before

    async def main() -> float:
        contender = CONTENDERS["governor"](Limits(parallel=1))
        await contender.enter()
        return (await waiting(contender.enter) - await waiting(asyncio.Event().wait)) / count

    tracemalloc.start()
    try:
        return asyncio.run(main())
    finally:
        tracemalloc.stop()
