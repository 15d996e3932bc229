"""Grants per second through ledgers that processes share, with 1 and 4 processes, how evenly, and what a kill costs.

Each process is `python -m benchmarks.sharing WHAT WHERE SECONDS`: it enters and leaves as fast as it can and prints how
often, and how long the middle one of its entries took. pyrate-limiter shares a log only, no places: it is told nothing
at the end of a call.
"""

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.redis_server import redis_server
from ongage_async import Limits
from ongage_async.governor import End
from ongage_async.governor._from_url import from_url

__all__ = ["run"]

WIDE = Limits(calls=150_000, per_s=0.3, parallel=1000)
NEAR, ANSWER_S = Limits(calls=300, per_s=1.0, parallel=10), 0.005


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure every shared ledger with 1 and with 4 processes."""
    seconds = 0.3 if tiny else 3.0
    rows = []
    with redis_server() as redis:
        for what, kind in (("governor", "memory"), ("governor", "file"), ("governor", "redis"),
                           ("pyrate", "sqlite"), ("pyrate", "redis")):  # fmt: skip
            if kind == "redis" and redis is None:
                continue
            row: dict[str, Any] = {"shared by": f"{what}, {kind}"}
            for size in (1,) if kind == "memory" else (1, 2) if tiny else (1, 4):
                for callers in (1, 10):
                    where = _place(kind, redis)
                    counts, p50_us = _together(what, where, seconds, size, callers)
                    row[f"{size} × {callers} callers, grants/s"] = round(sum(counts) / seconds)
                    if callers == 1:
                        row[f"{size} × 1, a grant's p50, µs"] = round(p50_us)
            if what == "governor" and kind != "memory":
                counts, _ = _together("near", _place(kind, redis), seconds, 4, 10)
                row["4 × 10 near the limit, least/most of a process"] = round(min(counts) / max(counts), 2)
                row["a killed process's place is free after, s"] = _after_a_kill(_place(kind, redis), tiny=tiny)
            rows.append(row)
            print(row, flush=True)
    return rows


def _place(kind: str, redis: str | None) -> str:
    folder = tempfile.mkdtemp()
    if kind == "redis":
        return f"{str(redis)[:-1]}{os.urandom(1)[0] % 16}"
    return {"memory": "memory:", "file": f"file://{folder}/ledger", "sqlite": f"{folder}/pyrate.sqlite"}[kind]


def _start(what: str, where: str, seconds: float, callers: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.sharing", what, where, str(seconds), str(callers)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _together(what: str, where: str, seconds: float, size: int, callers: int) -> tuple[list[int], float]:
    """Let so many processes go at the same instant; return the grants of each, and the median of their medians, µs."""
    workers = [_start(what, where, seconds, callers) for _ in range(size)]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    told = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]
    return [count for count, _ in told], statistics.median(p50_us for _, p50_us in told)


# -- one process ------------------------------------------------------------------------------------------------------


async def _count(what: str, where: str, seconds: float, callers: int) -> tuple[int, float]:
    enter = await (_pyrate(where) if what == "pyrate" else _ours(where, near=what == "near"))
    await enter()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    until = time.monotonic() + seconds
    took_s: list[float] = []

    async def caller() -> None:
        while (began := time.monotonic()) < until:
            await enter()
            took_s.append(time.monotonic() - began)

    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(took_s), statistics.median(took_s) * 1e6


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
