"""What a whole call costs: `lists.page()` of the client beside bare httpx, ten at a time, against the emulator."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from benchmarks.report import median_and_spread
from ongage_async import Credentials, Limits, OngageClient
from ongage_async.events import AttemptEnded, Event

__all__ = ["run"]

PARALLEL = 10


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure both, in turns."""
    calls, rounds = (100, 1) if tiny else (2000, 5)
    measured: dict[str, list[dict[str, float]]] = {"bare httpx": [], "OngageClient": []}
    with _emulator() as facts:
        for _ in range(rounds):
            measured["bare httpx"].append(asyncio.run(_bare(facts, calls)))
            measured["OngageClient"].append(asyncio.run(_ours(facts, calls)))
    rows = []
    for name, figures in measured.items():
        row: dict[str, Any] = {"a page of lists, 10 in parallel": name}
        for what in figures[0]:
            row[what] = median_and_spread([figure[what] for figure in figures])
        rows.append(row)
    return rows


@contextmanager
def _emulator() -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "ongage_async.emulator", "--json", "--calls", "0", "--parallel", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait(5)


async def _bare(facts: dict[str, Any], calls: int) -> dict[str, float]:
    headers = {
        "X_USERNAME": facts["username"],
        "X_PASSWORD": facts["password"],
        "X_ACCOUNT_CODE": facts["account_code"],
    }
    limits = httpx.Limits(max_connections=PARALLEL, max_keepalive_connections=PARALLEL)
    async with httpx.AsyncClient(base_url=facts["url"], headers=headers, limits=limits, trust_env=False) as client:

        async def call() -> None:
            answer = await client.get("/api/lists")
            answer.json()

        return await _timed(call, calls)


async def _ours(facts: dict[str, Any], calls: int) -> dict[str, float]:
    again = 0

    def listen(event: Event) -> None:
        nonlocal again
        again += isinstance(event, AttemptEnded) and event.attempt > 1

    credentials = Credentials(facts["username"], facts["password"], facts["account_code"])
    limits = Limits(calls=10_000_000, per_s=60.0, parallel=PARALLEL)
    async with OngageClient(credentials, base_url=facts["url"], limits=limits, on_event=listen) as ongage:
        figures = await _timed(ongage.lists.page, calls)
    return {**figures, "sent again": float(again)}


async def _timed(call: Callable[[], Awaitable[object]], calls: int) -> dict[str, float]:
    took: list[float] = []

    async def caller() -> None:
        for _ in range(calls // PARALLEL):
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)

    began = time.perf_counter()
    await call()
    first_ms = (time.perf_counter() - began) * 1e3
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(PARALLEL)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    took.sort()
    return {
        "first call, ms": first_ms,
        "CPU, µs a call": cpu / len(took) * 1e6,
        "calls a second": len(took) / wall,
        "p50, ms": took[len(took) // 2] * 1e3,
        "p99, ms": took[int(len(took) * 0.99)] * 1e3,
    }
