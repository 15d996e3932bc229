"""The governor and the limiters it is measured against, behind one small door: enter before a call, leave after it.

Every limiter of calls per window gets an `asyncio.Semaphore` for the calls in parallel, which it lacks.
"""

import asyncio
import importlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import anyio

from ongage_async import Governor, Lane, Limits
from ongage_async.governor import End

__all__ = ["CONTENDERS", "Contender", "versions"]

VERY_LONG_S = 86_400.0


class Contender(Protocol):
    """Something that lets calls go."""

    async def enter(self) -> Any:
        """Wait for the right to send; what it returns goes to `leave`."""
        ...

    async def leave(self, held: Any) -> None:
        """Say that the call has ended."""
        ...


class Ours:
    """The governor of this library."""

    def __init__(self, limits: Limits, lane: Lane = Lane.NORMAL) -> None:
        self._governor, self._lane = Governor(limits, max_waiting=10_000_000), lane

    async def enter(self) -> Any:
        return await self._governor.acquire(self._lane)

    async def leave(self, held: Any) -> None:
        await held.give_back(End.ANSWERED)


class Bulk(Ours):
    """The same, on the lane that is paced evenly."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, Lane.BULK)


class WithSemaphore:
    """A semaphore, and perhaps a limiter of calls per window behind it."""

    def __init__(self, limits: Limits) -> None:
        self._places = asyncio.Semaphore(limits.parallel)

    async def enter(self) -> Any:
        await self._places.acquire()
        await self.wait()

    async def leave(self, held: Any) -> None:  # noqa: ARG002 - the protocol's
        self._places.release()

    async def wait(self) -> None:
        """Wait for the window."""


class AioLimiter(WithSemaphore):
    """aiolimiter: a leaky bucket."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self._limiter = importlib.import_module("aiolimiter").AsyncLimiter(limits.calls, limits.per_s)

    async def wait(self) -> None:
        await self._limiter.acquire()


class AsyncioLimiter(WithSemaphore):
    """asynciolimiter: a leaky bucket too."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        library = importlib.import_module("asynciolimiter")
        self._limiter = library.LeakyBucketLimiter(limits.calls / limits.per_s, capacity=limits.calls)

    async def wait(self) -> None:
        await self._limiter.wait()


class AsyncLimiter:
    """async-limiter: a log of sends, and places of its own."""

    def __init__(self, limits: Limits) -> None:
        library = importlib.import_module("async_limiter")
        self._limiter = library.DualRateLimiter(
            limits.parallel, limits.calls, limits.per_s, conservative=False, wait_margin=0
        )

    async def enter(self) -> Any:
        await self._limiter.acquire()

    async def leave(self, held: Any) -> None:  # noqa: ARG002 - the protocol's
        self._limiter.release()


class Capacity:
    """anyio.CapacityLimiter: places alone."""

    def __init__(self, limits: Limits) -> None:
        self._places = anyio.CapacityLimiter(limits.parallel)

    async def enter(self) -> Any:
        borrower = object()
        await self._places.acquire_on_behalf_of(borrower)
        return borrower

    async def leave(self, held: Any) -> None:
        self._places.release_on_behalf_of(held)


class Pyrate(WithSemaphore):
    """pyrate-limiter with a log in memory."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.pyrate = importlib.import_module("pyrate_limiter")
        self.rate = self.pyrate.Rate(limits.calls, int(limits.per_s * 1000))
        self._limiter = self.pyrate.Limiter(self.bucket())

    def bucket(self) -> Any:
        """Make the place where the calls are kept."""
        return self.pyrate.InMemoryBucket([self.rate])

    async def wait(self) -> None:
        await self._limiter.try_acquire_async("account")


class PyrateSQLite(Pyrate):
    """pyrate-limiter with a log in SQLite."""

    def bucket(self) -> Any:
        path = Path(tempfile.mkdtemp()) / "pyrate.sqlite"
        return self.pyrate.SQLiteBucket.init_from_file([self.rate], db_path=str(path))


class Throttled(WithSemaphore):
    """throttled-py, GCRA."""

    using = "gcra"

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        throttled = importlib.import_module("throttled.asyncio")
        quota = importlib.import_module("throttled").per_duration(timedelta(seconds=limits.per_s), limits.calls)
        store = throttled.MemoryStore()
        self._limiter = throttled.Throttled(
            key="account", timeout=VERY_LONG_S, using=self.using, quota=quota, store=store
        )

    async def wait(self) -> None:
        while (await self._limiter.limit()).limited:  # noqa: ASYNC110 - it knows no waiting of its own
            await asyncio.sleep(0.01)


class ThrottledSliding(Throttled):
    """throttled-py, sliding window."""

    using = "sliding_window"


class MovingWindow(WithSemaphore):
    """limits: a moving window, asked again when it says there is room."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        library = importlib.import_module("limits")
        aio = importlib.import_module("limits.aio")
        self._item = library.RateLimitItemPerSecond(limits.calls, max(1, int(limits.per_s)))
        self._limiter = aio.strategies.MovingWindowRateLimiter(aio.storage.MemoryStorage())

    async def wait(self) -> None:
        while not await self._limiter.hit(self._item, "account"):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


CONTENDERS: dict[str, Callable[[Limits], Contender]] = {
    "governor": Ours,
    "governor, BULK": Bulk,
    "asyncio.Semaphore alone": WithSemaphore,
    "anyio.CapacityLimiter alone": Capacity,
    "aiolimiter": AioLimiter,
    "asynciolimiter": AsyncioLimiter,
    "async-limiter": AsyncLimiter,
    "pyrate-limiter, memory": Pyrate,
    "pyrate-limiter, SQLite": PyrateSQLite,
    "throttled-py, GCRA": Throttled,
    "throttled-py, sliding window": ThrottledSliding,
    "limits, moving window": MovingWindow,
}


def versions() -> dict[str, str]:
    """Return the versions of all that is measured and installed."""
    found = {}
    names = ["anyio", "httpx", "aiolimiter", "asynciolimiter", "async-limiter"]
    names += ["pyrate-limiter", "throttled-py", "limits", "redis", "orjson", "polars"]
    names += ["h11", "httpx2", "httpx-aiohttp", "aiohttp", "pyreqwest", "uvloop", "trio", "pydantic", "msgspec"]
    names += ["opentelemetry-api", "opentelemetry-sdk"]
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
