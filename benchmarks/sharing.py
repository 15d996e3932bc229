"""Grants per second through ledgers that processes share; how much of the limit is used, how evenly; what a kill costs.

Each process is `python -m benchmarks.sharing WHAT WHERE SECONDS CALLERS`: it enters and leaves as fast as it can and
prints how often, how long the middle one of its entries took, and its processor time. pyrate-limiter shares a log only,
no places: it is told nothing at the end of a call.
"""

import asyncio
import itertools
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.redis_server import redis_server
from benchmarks.redis_take import beside_a_script
from ongage_async import Limits
from ongage_async.governor import End
from ongage_async.governor._from_url import from_url

__all__ = ["run"]

WIDE = Limits(calls=150_000, per_s=0.3, parallel=1000)
NEAR, ANSWER_S = Limits(calls=300, per_s=6.0, parallel=10), 0.005
NEAR_WINDOWS = 2
_databases = itertools.cycle(range(16))


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure every shared ledger with 1 and with 4 processes."""
    rows = []
    with redis_server() as redis:
        for what, kind in (("governor", "memory"), ("governor", "file"), ("governor", "redis"),
                           ("pyrate", "sqlite"), ("pyrate", "redis")):  # fmt: skip
            if kind == "redis" and redis is None:
                continue
            places = _places(kind, redis)
            row = {"shared by": f"{what}, {kind}", **_at_full_speed(what, kind, places, tiny=tiny)}
            if what == "governor" and kind != "memory":
                row |= _near_the_limit(next(places), tiny=tiny)
                row["a killed process's place is free after, s"] = _after_a_kill(next(places), tiny=tiny)
            if what == "governor" and kind == "redis":
                row |= asyncio.run(beside_a_script(next(places), tiny=tiny))
            rows.append(row)
            print(row, flush=True)
    return rows


def _places(kind: str, redis: str | None) -> Iterator[str]:
    """Give places for ledgers, each of them new."""
    while True:
        if kind == "redis":
            yield f"{str(redis)[:-1]}{next(_databases)}"
        else:
            folder = tempfile.mkdtemp()
            yield {"memory": "memory:", "file": f"file://{folder}/ledger", "sqlite": f"{folder}/pyrate.sqlite"}[kind]


def _at_full_speed(what: str, kind: str, places: Iterator[str], *, tiny: bool) -> dict[str, int]:
    seconds = 0.3 if tiny else 3.0
    row = {}
    for size in (1,) if kind == "memory" else (1, 2) if tiny else (1, 4):
        for callers in (1, 10):
            told = _together(what, next(places), seconds, size, callers)
            row[f"{size} × {callers} callers, grants/s"] = round(sum(each["grants"] for each in told) / seconds)
            if callers == 1:
                p50_us = statistics.median(each["p50_us"] for each in told)
                row[f"{size} × 1, a grant's p50, µs"] = round(p50_us)
            if callers == size == 1:
                row["1 × 1, CPU a call, µs"] = round(told[0]["cpu_us"])
    return row


def _start(what: str, where: str, seconds: float, callers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.sharing", what, where, str(seconds), str(callers)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _together(what: str, where: str, seconds: float, size: int, callers: int) -> list[dict[str, Any]]:
    """Let so many processes go at the same instant; return what each of them tells."""
    workers = [_start(what, where, seconds, callers) for _ in range(size)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]


def _near_the_limit(where: str, *, tiny: bool) -> dict[str, float | None]:
    """Return how much of the limit four busy processes use, and how evenly.

    The possible is `calls` in every window and one answer: the token of a call is home no sooner.
    """
    seconds = 0.3 if tiny else (NEAR_WINDOWS + 0.5) * NEAR.per_s
    told = _together("near", where, seconds, 4, 10)
    counts = [each["grants"] for each in told]
    ends = sorted(date for each in told for date in each["ended_at"])
    windows = (len(ends) - 1) // NEAR.calls
    possible_s = windows * (NEAR.per_s + ANSWER_S)
    used = possible_s / (ends[windows * NEAR.calls] - ends[0]) if windows else None
    return {
        "4 × 10 near the limit, calls used of the possible": used and round(used, 3),
        "4 × 10 near the limit, least/most of a process": round(min(counts) / max(counts), 2),
    }


# -- one process ------------------------------------------------------------------------------------------------------


async def _count(what: str, where: str, seconds: float, callers: int) -> dict[str, Any]:
    enter = await (_pyrate(where) if what == "pyrate" else _ours(where, near=what == "near"))
    await enter()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    until, cpu_s = time.monotonic() + seconds, -time.process_time()
    took_s: list[float] = []
    ended_at: list[float] = []

    async def caller() -> None:
        while (began := time.monotonic()) < until:
            await enter()
            took_s.append(time.monotonic() - began)
            if what == "near":
                ended_at.append(began + took_s[-1])

    await asyncio.gather(*(caller() for _ in range(callers)))
    cpu_us = (cpu_s + time.process_time()) / len(took_s) * 1e6
    p50_us = statistics.median(took_s) * 1e6
    return {"grants": len(took_s), "p50_us": p50_us, "cpu_us": cpu_us, "ended_at": ended_at}


async def _ours(where: str, *, near: bool) -> Any:
    governor = from_url(where, NEAR if near else WIDE, account_key="benchmark")
    await governor.start()

    async def enter() -> None:
        permit = await governor.acquire()
        if near:
            await asyncio.sleep(ANSWER_S)
        await permit.give_back(End.ANSWERED)

    return enter


async def _pyrate(where: str) -> Any:
    import pyrate_limiter as pyrate

    rates = [pyrate.Rate(WIDE.calls, int(WIDE.per_s * 1000))]
    bucket: Any
    if where.startswith("redis:"):
        from redis.asyncio import Redis

        bucket = await pyrate.RedisBucket.init(rates, Redis.from_url(where), "benchmark")
    else:
        bucket = pyrate.SQLiteBucket.init_from_file(rates, db_path=where, use_file_lock=True)
    limiter = pyrate.Limiter(bucket)
    return lambda: limiter.try_acquire_async("account")


# -- a kill -----------------------------------------------------------------------------------------------------------


def _after_a_kill(where: str, *, tiny: bool) -> float | None:
    """Kill a process that holds the only place; return after how long another gets it."""
    if tiny:
        return None
    holder = _start("hold", where, 0, 1)
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.send_signal(signal.SIGKILL)
    holder.wait(5)
    return round(asyncio.run(_until_free(where)), 1)


NARROW = Limits(calls=100, per_s=6.0, parallel=1)


async def _until_free(where: str) -> float:
    governor = from_url(where, NARROW, account_key="benchmark")
    await governor.start()
    began = time.monotonic()
    permit = await governor.acquire()
    waited_s = time.monotonic() - began
    await permit.give_back(End.ANSWERED)
    await governor.aclose()
    return waited_s


async def _hold(where: str) -> None:
    governor = from_url(where, NARROW, account_key="benchmark")
    await governor.acquire()
    print("ready", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    what, where, seconds, callers = sys.argv[1:]
    if what == "hold":
        asyncio.run(_hold(where))
    else:
        print(json.dumps(asyncio.run(_count(what, where, float(seconds), int(callers)))))
