"""What a governor does while its ledger is out of reach: keep to a safe share, or stop; and come back without a burst.

A guard stands between a governor and a ledger that may be lost. When it is lost, all tokens are taken to be spent: the
guard first lets everything pass that may have been granted before (a window and the longest answer), then goes on with
this process's share of the limit, kept in memory. Everybody who shares the account does the same, so the shares
together hold the limit. When the ledger is back and the share was used, the account rests until those calls no longer
count. A process that alone is cut off for longer than that is the one case in which its share comes on top
(docs/decisions/ledger-loss.md).
"""

from collections.abc import Callable, Mapping
from typing import Literal

import anyio
from attrs import define, field

from ongage_async._tasks import Yard
from ongage_async.config import Lane, Limits
from ongage_async.events import Event, LedgerBack, LedgerLost
from ongage_async.governor._lease import End, Lease, Pause, Wait
from ongage_async.governor._ledger import Ledger, LedgerLostError, MemoryLedger
from ongage_async.governor._rules import Account

__all__ = ["GuardedLedger", "OnLoss", "safe_share"]

OnLoss = Literal["share", "stop"]

KNOWN_FOR_S = 60.0
"""How long the guard trusts what it heard of how many share the account; later it reckons with one for each place."""
RETRY_FIRST_S, RETRY_MOST_S = 0.25, 5.0
_SHARE = "share"


def safe_share(limits: Limits, members: int, rank: int) -> Limits | None:
    """Return what one of `members` may use on its own; None if there are not enough places for it.

    Calls that were open at the loss may still be counted later: as many as there are places are left out of the share.

    Args:
        limits: The account's.
        members: How many share it, this one included.
        rank: This one's number among them, from 0.
    """
    places = limits.parallel // members + (rank < limits.parallel % members)
    calls = (limits.calls - limits.parallel) // members
    return Limits(calls, limits.per_s, places) if places >= 1 and calls >= 1 else None


@define(eq=False)
class GuardedLedger:
    """A ledger that survives the loss of the one it guards.

    Args:
        ledger: The shared one.
        limits: What the account allows, until the ledger says otherwise.
        on_loss: ``share``: go on with the safe share; ``stop``: refuse until it is back.
        tell: Called with events.
    """

    ledger: Ledger
    limits: Limits
    on_loss: OnLoss = "share"
    tell: Callable[[Event], None] = field(default=lambda _: None)
    _wake: Callable[[], None] = field(default=lambda: None, init=False)
    _members: int = field(default=1, init=False)
    _rank: int = field(default=0, init=False)
    _known_at: float = field(default=float("-inf"), init=False)
    _lost_at: float | None = field(default=None, init=False)
    _why: str = field(default="", init=False)
    _share: MemoryLedger | None = field(default=None, init=False)
    _share_used: bool = field(default=False, init=False)
    _drain_s: float = field(default=0.0, init=False)
    _owed: list[tuple[Lease, End]] = field(factory=list, init=False)
    _yard: Yard = field(factory=Yard, init=False)
    _closed: bool = field(default=False, init=False)

    @property
    def is_lost(self) -> bool:
        """Whether the guarded ledger is out of reach now."""
        return self._lost_at is not None

    async def start(self, wake: Callable[[], None]) -> Limits:
        """Start the guarded ledger; at the very first start its loss is the caller's to know."""
        self._wake = wake
        self._closed = False
        self.limits = await self.ledger.start(wake)
        return self.limits

    def now(self) -> float:
        """Return the time of whichever ledger decides now."""
        return self._share.now() if self._share is not None else self.ledger.now()

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        """Ask the guarded ledger, or the share while that is lost."""
        self._drain_s = max(self._drain_s, self.limits.per_s + lease_s)
        if self._lost_at is None:
            try:
                decision = await self.ledger.take(asks, lease_s)
                self._members, self._rank, self._known_at = decision.members, decision.rank, anyio.current_time()
                return decision
            except LedgerLostError as error:
                await self._lose(error)
        if self._share is None:
            raise LedgerLostError(self._why)
        decision = await self._share.take(asks, lease_s)
        self._share_used = self._share_used or isinstance(decision, Lease)
        return decision

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Give back where it was granted; what the lost ledger granted is given back when it returns."""
        if lease.member == _SHARE:
            if self._share is None:
                return None
            return await self._share.give_back(lease, end, retry_after_s=retry_after_s, stretch=stretch)
        if self._lost_at is None:
            try:
                return await self.ledger.give_back(lease, end, retry_after_s=retry_after_s, stretch=stretch)
            except LedgerLostError as error:
                await self._lose(error)
        self._owed.append((lease, end))
        return None

    async def look(self) -> Account:
        """Look at whichever ledger decides now."""
        if self._lost_at is None:
            try:
                return await self.ledger.look()
            except LedgerLostError as error:
                await self._lose(error)
        if self._share is None:
            raise LedgerLostError(self._why)
        return await self._share.look()

    async def hold(self, for_s: float) -> None:
        """Hold all calls; while the ledger is lost, those of this process."""
        await (self._share or self.ledger).hold(for_s)

    async def resume(self) -> None:
        """End every pause; the wait after a loss too."""
        await (self._share or self.ledger).resume()

    async def set_limits(self, limits: Limits) -> None:
        """Change the limits of the guarded ledger."""
        await self.ledger.set_limits(limits)
        self.limits = limits

    async def aclose(self) -> None:
        """Let go of the guarded ledger."""
        self._closed = True
        await self.ledger.aclose()

    # -- loss and return ----------------------------------------------------------------------------------------------

    async def _lose(self, error: LedgerLostError) -> None:
        if self._lost_at is not None:
            return
        self._lost_at, self._why = anyio.current_time(), str(error)
        members, rank = self._members, self._rank
        if anyio.current_time() - self._known_at > KNOWN_FOR_S:  # who knows how many have come since
            members, rank = max(members, self.limits.parallel), 0
        share = safe_share(self.limits, members, rank) if self.on_loss == "share" else None
        self._share, self._share_used = None, False
        if share is not None:
            self._share = MemoryLedger(share, name=_SHARE)
            await self._share.start(self._wake)
            await self._share.hold(self._drain_s)
        self.tell(LedgerLost(str(error), share, self._drain_s if share else 0.0))
        self._yard.start(self._come_back)
        self._wake()

    async def _come_back(self) -> None:
        """Try to reach the ledger until it answers; then settle what is owed and go on with it."""
        wait_s = RETRY_FIRST_S
        while not self._closed:
            await anyio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_MOST_S)
            try:
                self.limits = await self.ledger.start(self._wake)
                if self._share_used:
                    await self.ledger.hold(self._drain_s)
                while self._owed:
                    lease, end = self._owed[-1]
                    await self.ledger.give_back(lease, end)
                    self._owed.pop()
            except LedgerLostError:
                continue
            lost_s = anyio.current_time() - (self._lost_at or 0.0)
            self._lost_at, self._share = None, None
            self.tell(LedgerBack(lost_s, self._drain_s if self._share_used else 0.0))
            self._wake()
            return
