"""The line in front of an account: callers wait here, lane by lane, until the ledger lets one go.

Two servants bring the grants. One owned task (the pump) asks the ledger on behalf of all who wait, and sleeps until the
date that it is told. A ledger in this process answers at once, so nobody needs to be woken to ask it: whoever joins the
line asks, whoever gives a place back hands it on, and the pump only waits for dates. Callers wait on their own signal:
a cancelled one never holds the line up, and a grant that comes too late for its caller goes back unspent. Called by
`_governor.py`.
"""

import math
from collections.abc import Awaitable, Callable, Iterator

import anyio

from ongage_async._tasks import Yard, is_over, running_loop
from ongage_async.config import Lane
from ongage_async.governor._lease import End, Lease, Wait
from ongage_async.governor._ledger import Ledger, LedgerLostError, MemoryLedger
from ongage_async.governor._queue import Queue, Waiter

__all__ = ["UNWOKEN_S", "Line"]

UNWOKEN_S = 5.0
"""How long the queue rests at most when it was told no date: the word that should wake it may be lost."""


class Line:
    """Everybody in this process who waits for one account.

    Args:
        ledger: What decides.
        instant: The same, if it may be asked without waiting.
        lease_s: Tells for how long a lease is asked.
        told_to_wait: Awaited with each answer of the ledger's that grants nothing.

    Attributes:
        waiting: How many stand in it, in all lanes.
    """

    def __init__(
        self,
        ledger: Ledger,
        instant: MemoryLedger | None,
        lease_s: Callable[[], float],
        told_to_wait: Callable[[Wait], Awaitable[None]] | None,
    ) -> None:
        self.waiting = 0
        self._ledger, self._instant = ledger, instant
        self._lease_s, self._told_to_wait = lease_s, told_to_wait
        self._queues = {lane: Queue() for lane in Lane}
        self._yard = Yard()
        self._stands_in: object = None
        self._pumps_in: object = None
        self._changed: anyio.Event | None = None
        self._rests_until = math.inf

    def settle_in(self) -> None:
        """Bind to the running event loop, and forget who stood here in one that is over: nobody can wake them."""
        before, self._stands_in = self._stands_in, running_loop()
        if before is not None and before is not self._stands_in and is_over(before):
            for _ in self._everybody():
                pass

    def waiting_in(self, lane: Lane) -> int:
        """Return how many stand in one lane."""
        return self._queues[lane].waiting

    async def wait(self, lane: Lane, waiter: Waiter, max_wait_s: float | None) -> Lease | None:
        """Stand in line until the waiter is served.

        Returns:
            What was granted; None when `max_wait_s` passed before that.

        Raises:
            LedgerLostError: Nobody in the line will be served.
        """
        queue = self._queues[lane]
        queue.join(waiter)
        self.waiting += 1
        if queue.waiting == 1:
            self.wake()
        try:
            if max_wait_s is None:  # a scope costs more than all the rest of the line
                await waiter
            else:
                with anyio.move_on_after(max_wait_s):
                    await waiter
        except BaseException:
            self._abandon(lane, waiter)
            raise
        if waiter.error is not None:
            raise waiter.error
        if waiter.lease is None:
            self._abandon(lane, waiter)
        return waiter.lease

    def wake(self) -> None:
        """Look again whether somebody may go."""
        if self.waiting or self._changed is not None:
            self._look_again()

    def _look_again(self) -> None:
        if self._instant is not None and self._instant.is_alone:
            self._hand_on(self._instant)
        else:
            self._wake_pump()

    def give_up(self, lease: Lease) -> None:
        """Give a lease back that nobody can use, in a task of our own: the caller is on its way out."""
        self._yard.start(self._ledger.give_back, lease, End.UNSENT)

    def _abandon(self, lane: Lane, waiter: Waiter) -> None:
        """Leave the line for good; a grant that came at the same instant goes back unspent."""
        if waiter.lease is not None:
            self.give_up(waiter.lease)
        elif self._queues[lane].leave(waiter):
            self.waiting -= 1
            if not self._queues[lane].waiting:  # others need not wait for this governor's turn any more
                self._look_again()

    def _asks(self) -> dict[Lane, int]:
        return {lane: queue.waiting for lane, queue in self._queues.items() if queue.waiting}

    def _next(self, lane: Lane) -> Waiter | None:
        waiter = self._queues[lane].next()
        if waiter is not None:
            self.waiting -= 1
        return waiter

    # -- from hand to hand --------------------------------------------------------------------------------------------

    def _hand_on(self, ledger: MemoryLedger) -> None:
        """Grant until the ledger lets nobody go; the pump is woken only if it sleeps beyond the date that is told."""
        while True:
            decision = ledger.decide(self._asks())
            if isinstance(decision, Wait):
                until = decision.until
                break
            if (waiter := self._next(decision.lane)) is not None:
                waiter.lease = decision
                waiter.wake()
            until = decision.ask_again_at
            if until > decision.granted_at:
                break
        if not self.waiting or until < self._rests_until or (until == math.inf and ledger.is_idle):
            self._wake_pump()

    # -- the pump -----------------------------------------------------------------------------------------------------

    def _wake_pump(self) -> None:
        """Make the pump look again; start it if somebody waits and it rests."""
        loop = running_loop()
        if self._pumps_in is loop:
            if self._changed is not None:
                self._changed.set()
        elif self.waiting:  # a pump of an earlier event loop ended with it, perhaps before its first step
            self._pumps_in = loop
            self._yard.start(self._pump)

    async def _pump(self) -> None:
        """Grant until nobody waits; between grants, sleep until the ledger's date or a change."""
        known: set[Lane] = set()  # lanes in which the ledger knows that somebody waits here
        mine = self._pumps_in
        try:
            while (asks := self._asks()) or known:
                self._changed = anyio.Event()
                decision = await self._ledger.take(asks, self._lease_s())
                known = set(asks)
                if isinstance(decision, Lease):
                    if asks[decision.lane] == 1:
                        known.remove(decision.lane)
                    await self._hand_out(decision)
                    until = decision.ask_again_at
                else:
                    until = decision.until
                    if self._told_to_wait is not None:
                        await self._told_to_wait(decision)
                if self.waiting and known.issuperset(self._asks()):
                    await self._rest(until, self._changed)
        except LedgerLostError as error:
            self._fail(error)
        finally:
            if self._pumps_in is mine:
                self._pumps_in = self._changed = None
                self._rests_until = math.inf

    async def _rest(self, until: float, changed: anyio.Event) -> None:
        """Sleep until that date of the ledger's, or until something changes."""
        wait_s = UNWOKEN_S if math.isinf(until) else until - self._ledger.now()
        if wait_s > 0:
            self._rests_until = until
            with anyio.move_on_after(wait_s):
                await changed.wait()
            self._rests_until = math.inf

    async def _hand_out(self, lease: Lease) -> None:
        waiter = self._next(lease.lane)
        if waiter is None:  # everybody left while the ledger decided
            await self._ledger.give_back(lease, End.UNSENT)
            return
        waiter.lease = lease
        waiter.wake()

    def _fail(self, error: Exception) -> None:
        """Tell everybody in the line why they will not be served."""
        for waiter in self._everybody():
            waiter.error = error
            waiter.wake()

    def _everybody(self) -> Iterator[Waiter]:
        for lane in Lane:
            while (waiter := self._next(lane)) is not None:
                yield waiter
