"""One process of a fleet: calls as fast as its client lets it until it is killed; writes a byte for each answer.

`python -m tests.proofs.fleet.worker --ledger URL --base-url URL ...`. Clocks are put off before anything is imported.
"""

import argparse
import os
import time
from pathlib import Path
from typing import Any


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--credentials", nargs=3, required=True)
    parser.add_argument("--limits", nargs=3, type=float, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--margin-s", type=float, default=1.0, help="scaled by ten, like the window of the proofs")
    parser.add_argument("--timeout-s", type=float, default=5.0)
    parser.add_argument("--callers", type=int, default=10)
    parser.add_argument("--forks", type=int, default=0)
    parser.add_argument("--lane", default="NORMAL")
    parser.add_argument("--pause-s", type=float, default=0.0, help="between calls, on average: for a visitor")
    parser.add_argument("--wall-off-s", type=float, default=0.0)
    parser.add_argument("--monotonic-off-s", type=float, default=0.0)
    return parser.parse_args()


def put_clocks_off(wall_s: float, monotonic_s: float) -> None:
    """Make this process's clocks wrong, for everybody who asks them later."""
    wall, monotonic, wall_ns, monotonic_ns = time.time, time.monotonic, time.time_ns, time.monotonic_ns
    if wall_s:
        time.time = lambda: wall() + wall_s
        time.time_ns = lambda: wall_ns() + int(wall_s * 1e9)
    if monotonic_s:
        time.monotonic = lambda: monotonic() + monotonic_s
        time.monotonic_ns = lambda: monotonic_ns() + int(monotonic_s * 1e9)


async def work(client: Any, given: argparse.Namespace) -> None:
    """Call for ever."""
    import random

    import anyio

    from ongage_async import Lane, OngageError

    log = os.open(given.log / str(os.getpid()), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    lane = Lane[given.lane]

    async def caller(ongage: Any) -> None:
        while True:
            if given.pause_s:
                await anyio.sleep(random.expovariate(1 / given.pause_s))
            asked_at = time.perf_counter()
            try:
                await ongage.request("GET", "/api/list_fields" if lane is Lane.URGENT else "/api/lists")
            except OngageError as error:
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
                await anyio.sleep(0.2)
            else:
                os.write(log, f"{time.perf_counter() - asked_at:.4f}\n".encode())

    async def leave_when_orphaned(parent: int) -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells of a death
            await anyio.sleep(1.0)
        os._exit(0)

    async with client as ongage, anyio.create_task_group() as tasks:
        tasks.start_soon(leave_when_orphaned, os.getppid())
        for _ in range(given.callers):
            tasks.start_soon(caller, ongage.with_options(lane=lane))


def governor(url: str, limits: Any, margin_s: float) -> Any:
    """Make what the URL alone would make, with another margin."""
    from ongage_async.governor import Governor
    from ongage_async.governor._file import FileLedger
    from ongage_async.governor._redis import RedisLedger

    kind = FileLedger if url.startswith("file:") else RedisLedger
    return Governor(limits, ledger=kind(url, limits, "fleet", margin_s=margin_s), margin_s=margin_s)


def main() -> None:
    given = options()
    put_clocks_off(given.wall_off_s, given.monotonic_off_s)
    import anyio

    from ongage_async import Credentials, Limits, OngageClient

    calls, per_s, parallel = given.limits
    client = OngageClient(
        Credentials(*given.credentials),
        base_url=given.base_url,
        governor=governor(given.ledger, Limits(int(calls), per_s, int(parallel)), given.margin_s),
        timeout_s=given.timeout_s,
    )
    for _ in range(given.forks - 1):  # after the import, with the client made: as preloading servers do
        if os.fork() == 0:
            break
    anyio.run(work, client, given)


if __name__ == "__main__":
    main()
