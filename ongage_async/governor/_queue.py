"""The line of one lane: first come first served within a tenant, tenants in turn. The governor does the waiting."""

import sys
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field

from ongage_async._tasks import is_trio_running
from ongage_async.governor._lease import Lease

if TYPE_CHECKING:
    from asyncio import Future

__all__ = ["Queue", "Waiter"]


def _signal() -> "anyio.Event | Future[None]":
    """Return what one caller waits on: asyncio's own future takes a ninth of the time of an event."""
    if is_trio_running():
        return anyio.Event()
    waiting: Future[None] = sys.modules["asyncio"].get_running_loop().create_future()
    return waiting


@define(eq=False)
class Waiter:
    """One caller in the line; awaiting it ends when it was granted a lease or failed.

    Attributes:
        tenant: On whose behalf.
        lease: What it was granted.
        error: Why it will not be served.
        gone: It no longer stands in the line.
    """

    tenant: str = ""
    lease: Lease | None = None
    error: Exception | None = None
    gone: bool = False
    _woken: "anyio.Event | Future[None]" = field(factory=_signal)

    def __await__(self) -> Generator[Any, Any, None]:
        woken = self._woken
        return (woken.wait() if isinstance(woken, anyio.Event) else woken).__await__()

    def wake(self) -> None:
        """End its waiting."""
        woken = self._woken
        if isinstance(woken, anyio.Event):
            woken.set()
        elif not woken.done():  # cancelled: the caller is about to leave the line
            woken.set_result(None)


@define(eq=False)
class Queue:
    """A lane's callers; joining and leaving cost O(1), whoever leaves.

    Attributes:
        waiting: How many stand in it.
    """

    waiting: int = 0
    _lines: dict[str, deque[Waiter]] = field(factory=dict)
    _turns: deque[str] = field(factory=deque)

    def join(self, waiter: Waiter) -> None:
        """Add to the end of its tenant's line."""
        line = self._lines.get(waiter.tenant)
        if line is None:
            line = self._lines[waiter.tenant] = deque()
            self._turns.append(waiter.tenant)
        line.append(waiter)
        self.waiting += 1

    def leave(self, waiter: Waiter) -> bool:
        """Take one out, wherever it stands; it is dropped when its turn comes. False if it is out already."""
        if waiter.gone:
            return False
        waiter.gone = True
        self.waiting -= 1
        return True

    def next(self) -> Waiter | None:
        """Take out whoever is served next: the first of the tenant whose turn it is, which then goes to the end."""
        while self._turns:
            tenant = self._turns[0]
            line = self._lines[tenant]
            while line and line[0].gone:
                line.popleft()
            if not line:
                self._turns.popleft()
                del self._lines[tenant]
                continue
            self._turns.rotate(-1)
            waiter = line.popleft()
            self.leave(waiter)
            return waiter
        return None
