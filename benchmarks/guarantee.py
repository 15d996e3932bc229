"""What a strict server sees of each contender: worst window, worst open, calls it would refuse, share of the possible.

Scaled by ten: 300 calls per 6 s instead of 60 s, and networks ten times as fast. All contenders of one process run side
by side, each against a witness of its own; the load is saturating after a silence, as a nightly upload is. Then four
processes share what each contender can share, on one machine, whose clock is the same for all; where something is
shared, also while one of them is killed every second and another comes in its place.
"""

import asyncio
import itertools
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

from benchmarks.contenders import CONTENDERS, AioLimiter, Contender, Pyrate, WithSemaphore
from benchmarks.redis_server import redis_server
from ongage_async import Governor, Limits
from ongage_async.emulator import worst_overlap, worst_window
from ongage_async.governor import End
from ongage_async.governor._file import FileLedger
from ongage_async.governor._redis import RedisLedger

__all__ = ["run"]

PROCESSES = 4


@frozen
class Network:
    """How long the way there, the service and the way back take.

    Attributes:
        mean_s: The mean of all three together.
        legs: Makes the three, in seconds.
    """

    mean_s: float
    legs: Callable[[random.Random], Sequence[float]]


def _tail(chance: random.Random) -> tuple[float, float, float]:
    return tuple(chance.lognormvariate(math.log(0.003), 0.9) for _ in range(3))  # type: ignore[return-value] # three


EVEN = "2 to 20 ms"
NETWORKS = {
    "no jitter": Network(0.006, lambda _: (0.002, 0.002, 0.002)),
    EVEN: Network(0.011, lambda chance: [chance.uniform(0.002, 0.02) / 3 for _ in range(3)]),
    "log-normal tail": Network(3 * 0.003 * math.exp(0.9**2 / 2), _tail),
}
"""Twenty to two hundred milliseconds, and so on, scaled by ten."""


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Load every contender for some windows."""
    limits = Limits(20, 1.0, 5) if tiny else Limits(300, 6.0, 10)
    windows = 2 if tiny else 3
    rows = []
    networks = [EVEN] if tiny else list(NETWORKS)
    for network in networks:
        rows += asyncio.run(_all(limits, windows, network))
    with redis_server() as redis:
        for what in _shared(redis):
            for network, kills in [(network, False) for network in networks] + [(EVEN, True)]:
                if kills and not what.startswith(("governor", "pyrate")):
                    continue  # who shares nothing leaves nothing behind
                rows.append(_together(what, _place(what, redis), limits, windows, network, kills=kills))
                print(rows[-1], flush=True)
    return rows


async def _for_ever(contender: Contender, call: Callable[[], Awaitable[None]]) -> None:
    while True:
        held = await contender.enter()
        await call()
        await contender.leave(held)


def _row(name: str, network: str, processes: str, limits: Limits, seen: "Seen") -> dict[str, Any]:
    possible = limits.calls * seen.for_s / (limits.per_s + NETWORKS[network].mean_s)
    arrived = [at for at in seen.arrived if at < seen.until]
    return {
        "limiter": name,
        "network": network,
        "processes": processes,
        "limit": limits.calls,
        "worst window": worst_window(arrived, limits.per_s),
        "refused by a strict server": _refused(arrived, limits),
        "worst open": worst_overlap(seen.arrived, seen.departed),
        "share of the possible": round(sum(at >= seen.began for at in arrived) / possible, 3),
    }


@frozen
class Seen:
    """What the witness of one contender has seen.

    Attributes:
        began: When the load began, after the silence.
        for_s: How long it lasted.
        arrived: When calls arrived, in order.
        departed: When each left, infinite for one that did not.
    """

    began: float
    for_s: float
    arrived: Sequence[float]
    departed: Sequence[float]

    @property
    def until(self) -> float:
        """When the load ended."""
        return self.began + self.for_s


def _refused(arrived: Iterable[float], limits: Limits) -> int:
    """Count the calls that a server with a sliding window would have refused, which then do not count themselves."""
    counted: deque[float] = deque()
    refused = 0
    for at in arrived:
        while counted and counted[0] <= at - limits.per_s:
            counted.popleft()
        if len(counted) < limits.calls:
            counted.append(at)
        else:
            refused += 1
    return refused


# -- in one process ---------------------------------------------------------------------------------------------------


async def _all(limits: Limits, windows: int, network: str) -> list[dict[str, Any]]:
    names = [name for name in CONTENDERS if not name.endswith("alone")]
    return list(await asyncio.gather(*(_load(name, limits, windows * limits.per_s, network) for name in names)))


async def _load(name: str, limits: Limits, for_s: float, network: str) -> dict[str, Any]:
    contender, chance, loop = CONTENDERS[name](limits), random.Random(name), asyncio.get_running_loop()
    arrived, departed = array("d"), array("d")

    async def call() -> None:
        there, service, back = NETWORKS[network].legs(chance)
        await asyncio.sleep(there)
        arrived.append(loop.time())
        await asyncio.sleep(service)
        departed.append(loop.time())
        await asyncio.sleep(back)

    await contender.leave(await contender.enter())
    await asyncio.sleep(limits.per_s)  # a silence: whoever fills a bucket by the clock has a full one
    began = loop.time()
    callers = [asyncio.create_task(_for_ever(contender, call)) for _ in range(3 * limits.parallel)]
    await asyncio.sleep(for_s)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    left = [*departed, *[math.inf] * (len(arrived) - len(departed))]
    return _row(name, network, "1", limits, Seen(began, for_s, arrived, left))


# -- in several processes ---------------------------------------------------------------------------------------------


def _shared(redis: str | None) -> list[str]:
    """Name what processes can share; last, what people do who share nothing."""
    on_redis = ["governor, Redis", "pyrate-limiter, Redis"] if redis is not None else []
    return [
        "governor, file",
        *on_redis,
        "pyrate-limiter, SQLite",
        "aiolimiter, not shared",
        "aiolimiter, a quarter for each",
    ]


_scratch = itertools.count(1)


def _place(what: str, redis: str | None) -> str:
    """Return where one that nobody has used yet is shared."""
    match what.rpartition(", ")[2]:
        case "file":
            return f"file://{tempfile.mkdtemp()}/ledger"
        case "SQLite":
            return f"{tempfile.mkdtemp()}/pyrate.sqlite"
        case "Redis":
            return f"{str(redis)[:-1]}{next(_scratch)}"
        case _:
            return ""


def _together(what: str, where: str, limits: Limits, windows: int, network: str, *, kills: bool) -> dict[str, Any]:
    """Let four processes load it, each telling when its calls arrive and leave; kill one every second on demand."""
    for_s = windows * limits.per_s
    workers = [_worker(what, where, limits, network) for _ in range(PROCESSES)]
    began = time.monotonic() + limits.per_s
    lines = []
    while kills and time.monotonic() < began + for_s:
        time.sleep(min(1.0, for_s / 4))
        victim = workers.pop(0)
        victim.kill()
        lines += victim.communicate()[0].splitlines()
        workers.append(_worker(what, where, limits, network))
    time.sleep(max(0.0, began + for_s - time.monotonic()))
    for worker in workers:
        worker.kill()
        lines += worker.communicate()[0].splitlines()
    calls = [line.split() for line in lines if line.endswith(".")]
    departed = {name: float(at) for kind, name, at, _ in calls if kind == "d"}
    came = sorted((float(at), name) for kind, name, at, _ in calls if kind == "a")
    left = [departed.get(name, math.inf if at > began + for_s - 1 else at) for at, name in came]
    processes = f"{PROCESSES}, one killed every second" if kills else str(PROCESSES)
    return _row(what, network, processes, limits, Seen(began, for_s, [at for at, _ in came], left))


def _worker(what: str, where: str, limits: Limits, network: str) -> "subprocess.Popen[str]":
    given = [what, where, *map(str, (limits.calls, limits.per_s, limits.parallel)), network]
    command = [sys.executable, "-m", "benchmarks.guarantee", *given]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def _work(what: str, where: str, limits: Limits, network: str) -> None:
    """Load a contender until the end of this process; tell of each arrival and departure."""
    contender, chance = await _contender(what, where, limits), random.Random(os.getpid())
    number = 0

    async def call() -> None:
        nonlocal number
        number += 1
        name = f"{os.getpid()}-{number}"
        there, service, back = NETWORKS[network].legs(chance)
        await asyncio.sleep(there)
        print("a", name, time.monotonic(), ".", flush=True)
        await asyncio.sleep(service)
        print("d", name, time.monotonic(), ".", flush=True)
        await asyncio.sleep(back)

    await asyncio.gather(*(_for_ever(contender, call) for _ in range(2 * limits.parallel)))


async def _contender(what: str, where: str, limits: Limits) -> Contender:
    if what.startswith("governor"):
        return await Shared.at(where, limits)
    if what.startswith("pyrate"):
        return await SharedPyrate.at(where, limits)
    if what.endswith("each"):
        limits = Limits(limits.calls // PROCESSES, limits.per_s, max(1, limits.parallel // PROCESSES))
    return AioLimiter(limits)


class Shared:
    """The governor on a shared ledger; its margin is scaled by ten too, and nobody waits longer than a second."""

    def __init__(self, governor: Governor) -> None:
        self._governor = governor

    @classmethod
    async def at(cls, where: str, limits: Limits) -> "Shared":
        kind = FileLedger if where.startswith("file:") else RedisLedger
        governor = Governor(limits, ledger=kind(where, limits, "benchmark", margin_s=1.0), margin_s=1.0)
        governor.outlive(1.0)
        await governor.start()
        return cls(governor)

    async def enter(self) -> Any:
        return await self._governor.acquire()

    async def leave(self, held: Any) -> None:
        await held.give_back(End.ANSWERED)


class SharedPyrate(WithSemaphore):
    """pyrate-limiter on a shared log; its places are its own, since it shares none."""

    def __init__(self, limits: Limits, limiter: Any) -> None:
        super().__init__(limits)
        self._limiter = limiter

    @classmethod
    async def at(cls, where: str, limits: Limits) -> "SharedPyrate":
        known = Pyrate(limits)
        bucket: Any
        if where.startswith("redis:"):
            from redis.asyncio import Redis

            bucket = await known.pyrate.RedisBucket.init([known.rate], Redis.from_url(where), "benchmark")
        else:
            bucket = known.pyrate.SQLiteBucket.init_from_file([known.rate], db_path=where, use_file_lock=True)
        return cls(limits, known.pyrate.Limiter(bucket))

    async def wait(self) -> None:
        await self._limiter.try_acquire_async("account")


if __name__ == "__main__":
    what, where, calls, per_s, parallel, network = sys.argv[1:]
    with suppress(KeyboardInterrupt):
        asyncio.run(_work(what, where, Limits(int(calls), float(per_s), int(parallel)), network))
