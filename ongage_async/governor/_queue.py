"""The line of one lane: first come first served within a tenant, tenants in turn. The governor does the waiting."""

from collections import deque
from collections.abc import Iterator

import anyio
from attrs import define, field

from ongage_async.governor._rules import Lease

__all__ = ["Queue", "Waiter"]


@define(eq=False)
class Waiter:
    """One caller in the line.

    Attributes:
        since: When it came (ledger time).
        tenant: On whose behalf.
        woken: Set when it was granted a lease or failed.
        lease: What it was granted.
        error: Why it will not be served.
        gone: It no longer stands in the line.
    """

    since: float
    tenant: str = ""
    woken: anyio.Event = field(factory=anyio.Event)
    lease: Lease | None = None
    error: Exception | None = None
    gone: bool = False


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

    def leave(self, waiter: Waiter) -> None:
        """Take one out, wherever it stands; it is dropped when its turn comes."""
        if not waiter.gone:
            waiter.gone = True
            self.waiting -= 1

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

    def all(self) -> Iterator[Waiter]:
        """Take out everybody."""
        while (waiter := self.next()) is not None:
            yield waiter
