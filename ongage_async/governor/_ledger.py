"""Where an account's budget is kept: the `Ledger` protocol, and the one that lives in this process.

A ledger decides atomically and remembers; it never waits. Who waits for what is the governor's business. Ledgers for
several processes pass the same conformance suite as this one.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import anyio
from attrs import define, field

from ongage_async.config import Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor._rules import Account, End, Lease, Pause, Wait

__all__ = ["Ledger", "MemoryLedger"]


class Ledger(Protocol):
    """Keep one account's budget. All dates are in the ledger's own time, `now()`."""

    async def start(self) -> None:
        """Get ready in the running event loop; called before the first `take`, and again by each further client."""
        ...

    def now(self) -> float:
        """Return the ledger's time in seconds; only differences mean something."""
        ...

    async def take(self, asks: Mapping[Lane, int]) -> Lease | Wait:
        """Grant one call, or say when to ask again.

        Args:
            asks: How many wait in each lane of this governor; lanes where nobody waits are left out.
        """
        ...

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take a lease back; see `Account.give_back`."""
        ...

    async def look(self) -> Account:
        """Return the account as it stands, to be read only."""
        ...

    async def hold(self, for_s: float) -> None:
        """Hold all calls of the account for so many seconds from now."""
        ...

    async def resume(self) -> None:
        """End every pause now."""
        ...

    async def aclose(self) -> None:
        """Let go of what the ledger holds open; leases that are still out stay counted."""
        ...


@define(eq=False)
class MemoryLedger:
    """Keep the budget in this process, on the event loop's clock.

    One event loop at a time may use it; when a new loop follows an old one its dates move along, none too early.

    Args:
        limits: What the account allows.
        margin_s: See `Account`.
        reserve: See `Account`.
        clock: Seconds; the running event loop's time by default, so that virtual time works.
    """

    limits: Limits
    margin_s: float = 10.0
    reserve: int = 0
    clock: Callable[[], float] = anyio.current_time
    _account: Account = field(init=False)
    _loop: object = field(default=None, init=False)
    _seen_at: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self._account = Account(self.limits, self.margin_s, self.reserve)

    async def start(self) -> None:
        """Bind to the running event loop."""
        loop = anyio.lowlevel.current_token()
        if self._loop is not None and loop != self._loop:
            if self._account.open:
                raise ConfigurationError(
                    "this governor has calls open in another event loop: share a budget between loops, threads or "
                    "processes by a ledger URL, or give each its own governor with a part of the limit"
                )
            self._account.shift(self.clock() - self._seen_at)
        self._loop = loop
        self._seen_at = self.clock()

    def now(self) -> float:
        """Return the loop's time."""
        self._seen_at = now = self.clock()
        return now

    async def take(self, asks: Mapping[Lane, int]) -> Lease | Wait:
        """Grant or tell when; never suspends."""
        return self._account.take(asks, self.now())

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take a lease back; never suspends."""
        return self._account.give_back(lease, end, self.now(), retry_after_s=retry_after_s, stretch=stretch)

    async def look(self) -> Account:
        """Return the live account."""
        self._account.settle(self.now())
        return self._account

    async def hold(self, for_s: float) -> None:
        """Hold all calls for so many seconds."""
        self._account.hold(self.now() + for_s)

    async def resume(self) -> None:
        """End every pause."""
        self._account.resume()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""
