"""Processes that use a ledger file, for `test_file.py`: ``python file_worker.py COMMAND ...``; prints JSON."""

import asyncio
import json
import math
import os
import random
import signal
import sys
import time
from pathlib import Path

import anyio

from ongage_async.config import Lane, Limits
from ongage_async.governor import End, Governor
from ongage_async.governor._file import FileLedger
from ongage_async.governor._file_place import boot_number
from ongage_async.governor._file_state import new_state
from ongage_async.governor._file_store import Store
from ongage_async.governor._rules import Account, Lease

KEY = "workers"


async def call_for_ever(url: str, limits: Limits, log: int, begin: float, until: float, mean_s: float) -> int:
    """Call as fast as the governor lets us, with 12 at a time; tell the witness of each arrival and departure."""
    governor = Governor(limits, ledger=FileLedger(url, limits, KEY, margin_s=1.0))
    chance, done = random.Random(os.getpid()), 0

    async def work() -> None:
        nonlocal done
        while True:
            permit = await governor.acquire()
            os.write(log, f"+{time.monotonic():.6f}\n".encode())
            await anyio.sleep(chance.uniform(0.5, 1.5) * mean_s)
            os.write(log, f"-{time.monotonic():.6f}\n".encode())
            await permit.give_back(End.ANSWERED)
            done += 1

    await governor.start()
    await anyio.sleep(max(0.0, begin - time.monotonic()))
    with anyio.move_on_after(max(0.0, until - time.monotonic())):
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(work)
    await governor.aclose()
    return done


def fleet(url: str, log: str, size: str, for_s: str, calls: str, per_s: str, parallel: str, mean_s: str) -> None:
    """Run so many processes at once and print how much each of them got."""
    limits = Limits(int(calls), float(per_s), int(parallel))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begin, pipes = time.monotonic() + 2.0, []
    until = begin + float(for_s)
    for number in range(int(size)):
        reading, writing = os.pipe()
        if not os.fork():
            backend = ("asyncio", "trio")[number % 2]
            done = anyio.run(call_for_ever, url, limits, descriptor, begin, until, float(mean_s), backend=backend)
            os.write(writing, str(done).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    print(json.dumps([int(os.read(reading, 100)) for reading in pipes]))


async def hammer(url: str, limits: Limits, log: int) -> None:
    """Take and give back without a rest; tell of each after it was done."""
    ledger = FileLedger(url, limits, KEY)
    await ledger.start(lambda: None)
    leases: list[Lease] = []
    chance = random.Random()
    while True:
        if leases and (len(leases) > 3 or chance.random() < 0.5):
            lease = leases.pop()
            await ledger.give_back(lease, End.ANSWERED)
            os.write(log, f"b{lease.id}\n".encode())
            continue
        decision = await ledger.take({Lane.NORMAL: 1}, math.inf)
        if isinstance(decision, Lease):
            leases.append(decision)
            os.write(log, f"g{decision.id}\n".encode())


def kills(path: str, log: str, times: str) -> None:
    """Kill hammering processes at random instants, two at a time; print what the file says after each."""
    limits = Limits(100_000, 1e6, 100_000)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    found = []
    Store.create(Path(path), KEY, new_state(Account(limits), 1 << 40, boot_number(), time.monotonic()), b"")
    for _ in range(int(times)):
        children = []
        for _ in range(2):
            child = os.fork()
            if not child:
                anyio.run(hammer, Path(path).as_uri(), limits, descriptor)
            children.append(child)
        began_at = os.fstat(descriptor).st_size
        while os.fstat(descriptor).st_size < began_at + 1000:  # some dozens of answers
            time.sleep(0.001)
        time.sleep(random.uniform(0.0, 0.03))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        store = Store.open(Path(path), KEY)
        state = store.load() if store is not None else None
        if store is not None and state is not None:
            found.append([*map(str, state.account.open)])
            totals = [len(state.account.open), len(state.dates) + len(state.account._late_tokens)]
            store.close()
    print(json.dumps({"open": found, "totals": totals}))


def forked(url: str) -> None:
    """Fork with a lease open, as a server that loads its application first; print what came of it."""
    ledger = FileLedger(url, Limits(10, 60, 5), KEY)
    runner = asyncio.Runner()
    runner.run(ledger.start(lambda: None))
    lease = runner.run(ledger.take({Lane.NORMAL: 1}, 70.0))
    parent_port = ledger._bell.port
    if not (child := os.fork()):
        status = 1
        try:
            with asyncio.Runner() as own:
                own.run(ledger.give_back(lease, End.UNSENT))
                mine = own.run(ledger.take({Lane.NORMAL: 1}, 70.0))
                status = 2 * (mine.member == lease.member) + 4 * (ledger._bell.port in (0, parent_port))
                own.run(ledger.give_back(mine, End.ANSWERED))
                own.run(ledger.aclose())
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    still_open = [one.id for one in runner.run(ledger.look()).open.values()] == [lease.id]
    runner.run(ledger.give_back(lease, End.ANSWERED))
    free = runner.run(ledger.look()).tokens_free
    runner.run(ledger.aclose())
    runner.close()
    print(json.dumps([status, still_open, free]))


def wait(url: str) -> None:
    """Join, take the only place, wait for a second one, and say so; then wait to be killed."""

    async def main() -> None:
        ledger = FileLedger(url, Limits(100, 60, 1), KEY, margin_s=1.0)
        await ledger.start(lambda: None)
        await ledger.take({Lane.NORMAL: 1}, 70.0)
        await ledger.take({Lane.NORMAL: 5}, 70.0)
        print("waits", flush=True)
        signal.pause()

    anyio.run(main)


if __name__ == "__main__":
    {"fleet": fleet, "kills": kills, "forked": forked, "wait": wait}[sys.argv[1]](*sys.argv[2:])
