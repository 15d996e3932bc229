"""What a whole call costs: the library beside what users write today and beside the clients there are.

Processor time is the client's alone: the vendor says the same thing to everybody, in another process. Rounds take
turns, so that a busy machine is busy for all; ratios are made within a round.

A crowd calls long enough for its p99 to say something. Whatever stops the process stops all who call then: 50 calls,
which were the slowest hundredth of half a second. The full collection of Python's garbage is such a stop (50 to 70 ms
with all that is imported here, every 3 s on trio, whose timers wait by the thousand to be thrown away): the slowest
call tells of it, as it should.
"""

import asyncio
import importlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import anyio
import httpcore

from benchmarks.canned import Vendor, canned_vendor
from benchmarks.clients import PARALLEL, WAYS, Way
from benchmarks.report import median_and_spread

__all__ = ["run"]

CALLERS = 50
CALLS = {"contacts.get_by_email": "get_by_email", "contacts.create, 100 rows": "create"}
COST, RATIO = "CPU, µs a call", "of what users write today"
P99, SLOWEST = "p99/p50", "slowest/p50"
SPREAD = {P99, SLOWEST}


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure all ways, in turns."""
    calls, rounds, crowd_s = (40, 1, 0.05) if tiny else (1000, 5, 2.0)
    rows = []
    with canned_vendor() as vendor:
        for title, kind in CALLS.items():
            costs: dict[str, list[float]] = defaultdict(list)
            crowds: dict[str, list[dict[str, float]]] = defaultdict(list)
            for number in range(rounds):
                for way in WAYS:
                    costs[way.name].append(_on_its_loop(way, vendor, kind, _cost, calls))
                    if kind == "get_by_email" and number % 2 == 0:
                        crowds[way.name].append(_on_its_loop(way, vendor, kind, _crowd, crowd_s))
            rows += [_row(title, way, costs, crowds[way.name]) for way in WAYS]
    return rows


def _row(title: str, way: Way, costs: dict[str, list[float]], crowds: list[dict[str, float]]) -> dict[str, Any]:
    ours, theirs = costs[way.name], costs[way.twin]
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    row: dict[str, Any] = {"10 in parallel": title, "by": way.name, COST: median_and_spread(ours)}
    row[RATIO] = round(median(ratios), 2)
    for what in crowds[0] if crowds else ():
        seen = [crowd[what] for crowd in crowds]
        row[what] = median_and_spread(seen) if what in SPREAD else round(median(seen), 2)
    return row


def _on_its_loop(way: Way, vendor: Vendor, kind: str, measure: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    async def opened() -> Any:
        async with way.open(vendor.tls_url if way.is_tls else vendor.url, vendor) as calls:
            call = getattr(calls, kind)
            await _together(PARALLEL, call)  # connections are made, code is warm
            return await measure(call, *args)

    if way.loop == "trio":
        return anyio.run(opened, backend="trio")
    factory = importlib.import_module("uvloop").new_event_loop if way.loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(opened())


async def _together(callers: int, work: Callable[..., Awaitable[object]]) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(callers):
            tasks.start_soon(work)


async def _cost(call: Callable[[], Awaitable[object]], calls: int) -> float:
    """Return microseconds of processor a call."""

    async def caller() -> None:
        for _ in range(calls // PARALLEL):
            await call()

    began = time.process_time()
    await _together(PARALLEL, caller)
    return (time.process_time() - began) / calls * 1e6


async def _crowd(call: Callable[[], Awaitable[object]], for_s: float) -> dict[str, float]:
    """Let five times as many callers as there are places call for a while."""
    took: list[float] = []
    made: list[int] = []

    async def caller() -> None:
        count = 0
        while time.perf_counter() < until:
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)
            count += 1
        made.append(count)

    until = time.perf_counter() + for_s
    with _collisions() as collisions:
        await _together(CALLERS, caller)
    took.sort()
    p50 = took[len(took) // 2]
    return {
        f"p50 of {CALLERS} callers, ms": p50 * 1e3,
        P99: took[int(len(took) * 0.99)] / p50,
        SLOWEST: took[-1] / p50,
        "slowest/fastest caller": min(made) / max(made),
        "collisions a call": len(collisions) / len(took),
    }


@contextmanager
def _collisions() -> Iterator[list[None]]:
    """Count how often httpcore's pool gives a request a connection that another one has taken, and tries again."""
    found: list[None] = []
    handle = httpcore.AsyncHTTP11Connection.handle_async_request

    async def counted(self: Any, request: Any) -> Any:
        try:
            return await handle(self, request)
        except httpcore.ConnectionNotAvailable:
            found.append(None)
            raise

    httpcore.AsyncHTTP11Connection.handle_async_request = counted  # type: ignore[method-assign]
    try:
        yield found
    finally:
        httpcore.AsyncHTTP11Connection.handle_async_request = handle  # type: ignore[method-assign]
