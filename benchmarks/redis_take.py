"""A take at Redis beside the shortest script there is, which redis-py's own client sends: in one process, in turns.

Every round has an account of its own and is short, so that what the machine does meanwhile befalls both. Where an idle
core is slow to wake, as on virtual machines, whoever waits for longer waits for that, too: so the second half of the
rounds has client and server on one core, which never idles.
"""

import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ongage_async import Lane, Limits
from ongage_async.governor import End

__all__ = ["beside_a_script"]

LIMITS = Limits(calls=300, per_s=60.0, parallel=10)
LEASE_S = 70.0
WARM = 10

Round = tuple[float, float, float]


async def beside_a_script(url: str, *, tiny: bool) -> dict[str, float]:
    """Measure both, and the processor time of a call's two commands.

    Args:
        url: A server that nobody else uses.
        tiny: Whether a few rounds are enough.

    Returns:
        Columns of the table; those of one core only where a process can be kept on it.
    """
    from redis.asyncio import Redis

    async with Redis.from_url(url) as client:
        sha, server = await client.script_load("return 1"), await client.info("server")

        async def rounds(kind: str) -> list[Round]:
            times, count = (10, 4) if tiny else (150, 30)
            return [await _round(url, f"{kind}{n}", lambda: client.evalsha(sha, 0), times) for n in range(count)]

        columns = _columns(await rounds("free"), "")
        if hasattr(os, "sched_setaffinity"):
            with _on_one_core(os.getpid(), server["process_id"]):
                columns |= _columns(await rounds("near"), ", on one core")
    return columns


def _columns(rounds: Sequence[Round], where: str) -> dict[str, float]:
    _, take_us, cpu_us = (statistics.median(each) for each in zip(*rounds, strict=True))
    lower, middle, _ = statistics.quantiles([take / script for script, take, _ in rounds])
    return {
        f"a take{where}, µs": round(take_us),
        f"times redis-py's one-line script{where}, lower quartile": round(lower, 2),
        f"times redis-py's one-line script{where}, median": round(middle, 2),
        f"CPU of a take and its end{where}, µs": round(cpu_us),
    }


@contextmanager
def _on_one_core(*processes: int) -> Iterator[None]:
    before = {process: os.sched_getaffinity(process) for process in processes}
    core = min(before[os.getpid()])
    for process in processes:
        os.sched_setaffinity(process, {core})
    try:
        yield
    finally:
        for process, cores in before.items():
            os.sched_setaffinity(process, cores)


async def _round(
    url: str, account: str, script: Callable[[], Awaitable[Any]], times: int
) -> tuple[float, float, float]:
    """Return the medians of a script and of a take, and the mean processor time of a take and its end, µs."""
    from ongage_async.governor._redis import RedisLedger

    ledger = RedisLedger(url, LIMITS, account)
    await ledger.start(lambda: None)
    scripts = [await _timed(script) for _ in range(WARM + times)]
    takes = []
    cpu_s = -time.process_time()
    for _ in range(WARM + times):
        began = time.perf_counter()
        lease: Any = await ledger.take({Lane.NORMAL: 1}, LEASE_S)
        takes.append(time.perf_counter() - began)
        await ledger.give_back(lease, End.ANSWERED)
    cpu_s += time.process_time()
    await ledger.aclose()
    medians = [statistics.median(each[WARM:]) * 1e6 for each in (scripts, takes)]
    return medians[0], medians[1], cpu_s / len(takes) * 1e6


async def _timed(command: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await command()
    return time.perf_counter() - began
