"""A process of a fleet: calls as fast as its governor lets it, and writes down when each call was open."""

import os
import random
import sys
import time

import anyio

from ongage_async.config import Limits
from ongage_async.governor import End, Governor
from ongage_async.governor._redis import RedisLedger


async def main(url: str, account: str, calls: str, per_s: str, parallel: str, margin_s: str, log: str) -> None:
    limits = Limits(int(calls), float(per_s), int(parallel))
    governor = Governor(limits, ledger=RedisLedger(url, limits, account, margin_s=float(margin_s)), max_waiting=100)
    chance = random.Random(os.getpid())
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    governor.outlive(0.5)  # scaled down like the rest: no call is open for longer
    await governor.start()

    async def work() -> None:
        while True:
            permit = await governor.acquire()
            arrived = time.monotonic()
            os.write(out, f"{os.getpid()} {permit.lease.id} A {arrived!r}\n".encode())
            await anyio.sleep(chance.uniform(0.005, 0.03))
            os.write(out, f"{os.getpid()} {permit.lease.id} D {time.monotonic()!r}\n".encode())
            await permit.give_back(End.ANSWERED)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(work)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
