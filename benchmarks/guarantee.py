"""What a strict server sees of each contender: worst window, worst open, share of the limit, calls it would refuse.

Scaled by ten: 300 calls per 6 s instead of 60 s, answers of 2 to 20 ms instead of 20 to 200. All contenders run side by
side in one process, each against a witness of its own; the load is saturating after a silence, as a nightly upload is.
"""

import asyncio
import math
import random
from array import array
from collections import deque
from typing import Any

from benchmarks.contenders import CONTENDERS, KILLED, Contender
from ongage_async import Limits
from ongage_async.emulator import worst_overlap, worst_window

__all__ = ["run"]


class StrictServer:
    """Count arrivals in a sliding window; note what would be too much."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.arrived, self.departed = array("d"), array("d")
        self._counted: deque[float] = deque()
        self.refused = 0

    async def call(self, chance: random.Random, longest_s: float) -> None:
        """One call: on its way, arrived, served, on its way back."""
        loop = asyncio.get_running_loop()
        part_s = chance.uniform(0.1, 1.0) * longest_s / 3
        await asyncio.sleep(part_s * chance.uniform(0.0, 2.0))
        now = loop.time()
        self.arrived.append(now)
        while self._counted and self._counted[0] <= now - self._limits.per_s:
            self._counted.popleft()
        if len(self._counted) < self._limits.calls:
            self._counted.append(now)
        else:
            self.refused += 1
        await asyncio.sleep(part_s)
        self.departed.append(loop.time())
        await asyncio.sleep(part_s)


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Load every contender for some windows."""
    limits = Limits(20, 1.0, 5) if tiny else Limits(300, 6.0, 10)
    return asyncio.run(_all(limits, windows=3, longest_s=0.02))


async def _all(limits: Limits, windows: int, longest_s: float) -> list[dict[str, Any]]:
    names = [name for name in CONTENDERS if "Semaphore" not in name]
    return list(await asyncio.gather(*(_load(name, limits, windows * limits.per_s, longest_s) for name in names)))


async def _load(name: str, limits: Limits, for_s: float, longest_s: float) -> dict[str, Any]:
    contender, server, chance = CONTENDERS[name](limits), StrictServer(limits), random.Random(name)
    await contender.leave(await contender.enter())
    await asyncio.sleep(limits.per_s)  # a silence: whoever fills a bucket by the clock has a full one
    began = asyncio.get_running_loop().time()
    callers = [asyncio.create_task(_for_ever(contender, server, chance, longest_s)) for _ in range(3 * limits.parallel)]
    await asyncio.sleep(for_s)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    arrived = [at for at in server.arrived if at < began + for_s]
    departed = [*server.departed, *[math.inf] * (len(server.arrived) - len(server.departed))]
    possible = limits.calls * for_s / limits.per_s
    return {
        "limiter": name,
        "limit": limits.calls,
        "worst window": worst_window(arrived, limits.per_s),
        "refused by a strict server": server.refused,
        "worst open": worst_overlap(server.arrived, departed),
        "share of the limit": round(len(arrived) / possible, 3),
        "kill -9 of one process": KILLED[name],
    }


async def _for_ever(contender: Contender, server: StrictServer, chance: random.Random, longest_s: float) -> None:
    while True:
        held = await contender.enter()
        await server.call(chance, longest_s)
        await contender.leave(held)
