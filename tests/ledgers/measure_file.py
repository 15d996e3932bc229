"""Measure what an answer of the one-machine ledger costs: ``python -m tests.ledgers.measure_file [ROUNDS]``.

Three ways to keep 200 numbers between processes (read, change one, write back, alone), and then the ledger itself, with
the rules, and with room for so many calls that hardly anybody waits for a token. 1 and 4 processes that do
nothing else. Figures are microseconds of wall time per round, waiting for the lock included.
"""

import fcntl
import math
import mmap
import multiprocessing
import os
import sqlite3
import struct
import sys
import tempfile
import time
import zlib
from array import array
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import anyio

from ongage_async.config import Lane, Limits
from ongage_async.governor import End
from ongage_async.governor._file import FileLedger
from ongage_async.governor._rules import Lease

WORDS = struct.Struct("<200d")
SLOT = 4096


def change(data: bytes) -> bytes:
    words = list(WORDS.unpack(data))
    words[0] += 1
    data = WORDS.pack(*words)
    words[0] = zlib.crc32(data)
    return data


def locked(fd: int) -> None:
    while True:
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.sched_yield()


def by_sqlite(path: Path, rounds: int) -> Iterator[float]:
    """SQLite, write-ahead log, BEGIN IMMEDIATE, synchronous=NORMAL."""
    base = sqlite3.connect(path, timeout=30, isolation_level=None)
    base.execute("pragma journal_mode=wal")
    base.execute("pragma synchronous=normal")
    for _ in range(rounds):
        began = time.perf_counter()
        base.execute("begin immediate")
        data = base.execute("select data from state where id = 0").fetchone()[0]
        base.execute("update state set data = ? where id = 0", (change(data),))
        base.execute("commit")
        yield time.perf_counter() - began
    base.close()


def by_map(path: Path, rounds: int) -> Iterator[float]:
    """File lock and a memory map."""
    fd = os.open(path, os.O_RDWR)
    view = mmap.mmap(fd, 3 * SLOT)
    for _ in range(rounds):
        began = time.perf_counter()
        locked(fd)
        os.stat(path)  # noqa: PTH116 - as in the ledger
        view[SLOT : SLOT + WORDS.size] = change(view[: WORDS.size])
        view[: WORDS.size] = view[SLOT : SLOT + WORDS.size]
        fcntl.flock(fd, fcntl.LOCK_UN)
        yield time.perf_counter() - began


def by_pread(path: Path, rounds: int) -> Iterator[float]:
    """File lock and pread/pwrite."""
    fd = os.open(path, os.O_RDWR)
    for _ in range(rounds):
        began = time.perf_counter()
        locked(fd)
        os.stat(path)  # noqa: PTH116 - as in the ledger
        os.pread(fd, WORDS.size, SLOT)
        os.pwrite(fd, change(os.pread(fd, WORDS.size, 0)), 0)
        fcntl.flock(fd, fcntl.LOCK_UN)
        yield time.perf_counter() - began
    os.close(fd)


def by_ledger(path: Path, rounds: int) -> Iterator[float]:
    """FileLedger: take and give_back, of 100,000 calls per 0.2 s."""

    async def run() -> list[float]:
        ledger, spent = FileLedger(path.as_uri(), Limits(100_000, 0.2, 1000), "measured"), []
        await ledger.start(lambda: None)
        while len(spent) < rounds:
            began = time.perf_counter()
            decision = await ledger.take({Lane.NORMAL: 1}, math.inf)
            if isinstance(decision, Lease):
                await ledger.give_back(decision, End.ANSWERED)
                spent.append(time.perf_counter() - began)
            else:
                await anyio.sleep(0.001)
        await ledger.aclose()
        return spent

    yield from anyio.run(run)


def prepare(kind: Callable[..., Iterator[float]], path: Path) -> None:
    if kind is by_sqlite:
        base = sqlite3.connect(path)
        base.execute("create table state (id integer primary key, data blob)")
        base.execute("insert into state values (0, ?)", (bytes(WORDS.size),))
        base.commit()
        base.close()
    elif kind is not by_ledger:
        path.write_bytes(array("d", bytes(3 * SLOT)).tobytes())


def one(kind: Callable[..., Iterator[float]], path: Path, rounds: int, together: Barrier, out: object) -> None:
    together.wait()
    out.put([*kind(path, rounds)])  # type: ignore[attr-defined]


def main(rounds: int) -> None:
    forks = multiprocessing.get_context("fork")
    print(f"{'µs per round':46}{'processes':>10}{'p50':>8}{'p99':>8}{'max':>9}{'rounds/s':>10}")
    for kind in (by_sqlite, by_map, by_pread, by_ledger):
        for size in (1, 4):
            with tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "state"
                prepare(kind, path)
                out, together = forks.Queue(), forks.Barrier(size + 1)
                workers = [forks.Process(target=one, args=(kind, path, rounds, together, out)) for _ in range(size)]
                for worker in workers:
                    worker.start()
                together.wait()
                began = time.perf_counter()
                spent = sorted(1e6 * s for _ in workers for s in out.get())
                took_s = time.perf_counter() - began
                for worker in workers:
                    worker.join()
            p50, p99 = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
            name = (kind.__doc__ or "").split(",")[0].rstrip(".")
            print(f"{name:46}{size:>10}{p50:>8.1f}{p99:>8.0f}{spent[-1]:>9.0f}{len(spent) / took_s:>10,.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
