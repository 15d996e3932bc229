"""Where an account's budget is kept: the `Ledger` protocol, and the one that lives in this process.

A ledger decides atomically and remembers; it never waits. Who waits for what is the governor's business. Ledgers for
several processes pass the same conformance suite as this one.
"""

import time
from collections.abc import Callable, Mapping
from typing import Protocol

import anyio
from attrs import define, field

from ongage_async._tasks import is_over, is_trio_running, running_loop
from ongage_async.config import Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor._budget import Scarce
from ongage_async.governor._lease import End, Lease, Pause, Wait
from ongage_async.governor._rules import Account

__all__ = ["Ledger", "LedgerLostError", "MemoryLedger"]


class LedgerLostError(Exception):
    """The ledger cannot be reached or used now; the message says why, without a secret. Nothing was granted."""


class Ledger(Protocol):
    """Keep one account's budget for one governor. All dates are in the ledger's own time, `now()`.

    Any method that asks the ledger may raise `LedgerLostError`.
    """

    async def start(self, wake: Callable[[], None]) -> Limits:
        """Get ready in the running event loop; called before the first `take`, and again by each further client.

        Args:
            wake: To be called whenever asking again may bring more than was told, for instance because another
                process has given a place back. May be called from the event loop only.

        Returns:
            The limits that hold: the strictest of all who use the account now.
        """
        ...

    def now(self) -> float:
        """Return the ledger's time in seconds; only differences mean something."""
        ...

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        """Grant one call, or say when to ask again.

        Args:
            asks: How many wait in each lane of this governor; lanes where nobody waits are left out. Empty when nobody
                waits any more, so that others need not wait for this governor's turn.
            lease_s: Seconds after which the call counts as lost, if its process is not heard of.
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

    async def set_limits(self, limits: Limits) -> None:
        """Change what the account allows, for everybody at once."""
        ...

    async def aclose(self) -> None:
        """Let go of what the ledger holds open; leases that are still out stay counted."""
        ...


@define
class _Shared:
    """What the governors of one process share when they use one account."""

    account: Account
    wakes: dict[str, Callable[[], None]] = field(factory=dict)


@define(eq=False)
class MemoryLedger:
    """Keep the budget in this process, on the event loop's clock.

    One event loop at a time may use it; when a new loop follows an old one its dates move along, none too early, and
    calls that ended with the old one count as uncertain.

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
    name: str = ""
    _shared: _Shared = field(init=False)
    _loop: object = field(default=None, init=False)
    _is_doubled: bool = field(default=False, init=False)
    _seen_at: float = field(default=0.0, init=False)
    _time: Callable[[], float] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._time = self.clock
        self._shared = _Shared(Account(self.limits, self.margin_s, self.reserve))

    def member(self, name: str) -> "MemoryLedger":
        """Return a ledger on the same account for one more governor; `name` must be its own."""
        member = MemoryLedger(self.limits, self.margin_s, self.reserve, self.clock, name)
        member._shared = self._shared
        return member

    async def start(self, wake: Callable[[], None]) -> Limits:
        """Bind to the running event loop."""
        loop = running_loop()
        if self._loop is not None and loop != self._loop:
            if is_over(self._loop):
                self._shared.account.bury(self.name, self._seen_at)
            if self._shared.account.open:
                raise ConfigurationError(
                    "this governor has calls open in another event loop: share a budget between loops, threads or "
                    "processes by a ledger URL, or give each its own governor with a part of the limit"
                )
            self._shared.account.shift(self.clock() - self._seen_at)
        self._loop = loop
        if self.clock is anyio.current_time:
            self._time = _loop_time()
        self._seen_at = self.clock()
        before = self._shared.wakes.get(self.name, wake)
        self._shared.wakes[self.name] = wake
        if before != wake:  # two governors by one name: only the later one is told, so both must look for themselves
            self._is_doubled = True
            before()
        return self._shared.account.limits

    def now(self) -> float:
        """Return the loop's time."""
        self._seen_at = now = self._time()
        return now

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:  # noqa: ARG002
        """Grant or tell when; never suspends. No lease runs out: this process knows when its calls have ended."""
        return self.decide(asks)

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take a lease back; never suspends."""
        return self.put_back(lease, end, retry_after_s, stretch)

    @property
    def is_alone(self) -> bool:
        """Whether no other governor of this process uses the account."""
        return len(self._shared.account.members) < 2 and not self._is_doubled

    @property
    def is_idle(self) -> bool:
        """Whether no call is open, so that no answer will change anything."""
        return not self._shared.account.open

    def take_alone(self, lane: Lane) -> Lease | None:
        """Grant a call if that is plain: nobody else uses the account or waits; see `Account.take_alone`."""
        self._seen_at = now = self._time()
        return self._shared.account.take_alone(lane, now, self.name)

    def scarce(self, lane: Lane) -> Scarce:
        """Say what a call that comes now has to wait for, if it has to."""
        return self._shared.account.scarce(lane, self.now())

    def decide(self, asks: Mapping[Lane, int]) -> Lease | Wait:
        """Do what `take` does."""
        now = self.now()
        decision = self._shared.account.take(asks, now, member=self.name)
        if len(self._shared.wakes) > 1:  # there may be room for one more, or for another who does not know
            self._wake_next(now, besides=self.name)
        return decision

    def put_back(
        self, lease: Lease, end: End, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Do what `give_back` does."""
        self._seen_at = now = self._time()
        pause = self._shared.account.give_back(lease, end, now, retry_after_s=retry_after_s, stretch=stretch)
        self._wake_next(now)
        return pause

    async def look(self) -> Account:
        """Return the live account."""
        self._shared.account.settle(self.now())
        return self._shared.account

    async def hold(self, for_s: float) -> None:
        """Hold all calls for so many seconds."""
        self._shared.account.hold(self.now() + for_s)

    async def resume(self) -> None:
        """End every pause."""
        self._shared.account.resume()
        for wake in self._shared.wakes.values():
            wake()

    async def set_limits(self, limits: Limits) -> None:
        """Change the limits at once."""
        self._shared.account.change_limits(limits, self.now())
        for wake in self._shared.wakes.values():
            wake()

    async def aclose(self) -> None:
        """Leave the fleet."""
        self._shared.wakes.pop(self.name, None)
        self._shared.account.members.pop(self.name, None)
        self._wake_next(self.now())

    def _wake_next(self, now: float, besides: str | None = None) -> None:
        wakes = self._shared.wakes
        name: str | None = self.name
        if name not in wakes or len(wakes) > 1:  # else it can be nobody else
            name = self._shared.account.next_up(now)
        if name is not None and name != besides and (wake := wakes.get(name)) is not None:
            wake()


def _loop_time() -> Callable[[], float]:
    """Return the running event loop's clock; `anyio.current_time` finds out at each look whose loop that is."""
    if is_trio_running():
        return anyio.current_time
    from asyncio import BaseEventLoop, get_running_loop

    if getattr(type(get_running_loop()), "time", None) is BaseEventLoop.time:
        return time.monotonic  # which is all that such a loop does
    return lambda: get_running_loop().time()
