"""The governor of an account: permits for callers, and everything else that users ask of it.

Who waits stands in the line (`_line.py`), the ledger decides (`_ledger.py` and its kin), a search finds unknown limits.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from attrs import define

from ongage_async.config import Lane, Limits
from ongage_async.errors import BudgetError, ConfigurationError
from ongage_async.events import Event, LedgerBack, LedgerLost, LimitsDiffer, Listener, Listeners
from ongage_async.governor._budget import Scarce
from ongage_async.governor._learning import Learner
from ongage_async.governor._lease import End, Lease, Pause, Wait
from ongage_async.governor._ledger import Ledger, LedgerLostError, MemoryLedger
from ongage_async.governor._line import Line
from ongage_async.governor._loss import GuardedLedger, OnLoss
from ongage_async.governor._queue import Waiter
from ongage_async.governor._statistics import GovernorStatistics, LaneTally

__all__ = ["Governor", "Permit"]

log = logging.getLogger("ongage_async.account")

UNTOLD_S = 60.0
"""How long an answer may take at the longest, unless somebody said otherwise."""

SPARE = 0.05
"""A window counts as full when no more than this share of its tokens is left."""

_REFUSED = End.REFUSED

JITTER = 0.1
"""A pause is at most this share longer than the vendor's ladder says, never shorter."""


@define(eq=False)
class Permit:
    """The right to send one call now. Give it back as soon as the send has ended, and tell how it ended.

    Attributes:
        lease: What the ledger granted.
        queued_s: Seconds that were waited for it.
    """

    lease: Lease
    queued_s: float
    _give_back: Callable[[Lease, End, float | None], Coroutine[Any, Any, Pause | None]]

    def give_back(self, end: End, *, retry_after_s: float | None = None) -> Coroutine[Any, Any, Pause | None]:
        """Give token and place back, whoever is cancelled meanwhile; a second time changes nothing.

        Args:
            end: How the send ended.
            retry_after_s: With `End.REFUSED`, the vendor's Retry-After, if it sent one.

        Returns:
            With `End.REFUSED`, the account's pause; else None.
        """
        return self._give_back(self.lease, end, retry_after_s)


class Governor:
    """Stand in front of every call of one account: at most so many in any window, and so many open at once.

    Share one governor between all clients of an account in this process.

    Args:
        limits: What the account allows; 300 per 60 s and 10 in parallel by default.
        ledger: Where the count is kept; in this process by default.
        margin_s: Seconds for which a call that ended without an answer may still be counted by the vendor.
        reserve: Tokens that the BULK lane leaves alone for urgent calls; each costs BULK a call per window.
        max_waiting: Callers that may queue; one more is refused at once.
        on_ledger_loss: While a shared ledger cannot be reached: ``share`` goes on with this process's safe share of the
            limit, ``stop`` refuses.

    Source: design of the rules in `_rules.py`; the limits in vendor page §2.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        ledger: Ledger | None = None,
        margin_s: float = 10.0,
        reserve: int = 0,
        max_waiting: int = 1_000_000,
        on_ledger_loss: OnLoss = "share",
    ) -> None:
        self.limits = limits or Limits()
        self._reserve = _checked(reserve, self.limits)
        self._tell = Listeners()
        self._tell.add(_write)
        self._ledger: Ledger = ledger or MemoryLedger(self.limits, margin_s, reserve)
        if not isinstance(self._ledger, MemoryLedger | GuardedLedger):
            self._ledger = GuardedLedger(self._ledger, self.limits, on_ledger_loss, self._tell)
        self._learner = Learner() if self.limits.learn else None
        self._learning_from = -math.inf
        self._max_waiting = max_waiting
        self._longest_s: float | None = None
        self._margin_s = margin_s
        self._tally = {lane: LaneTally() for lane in Lane}
        learns = self._learn_if_full if self._learner is not None else None
        is_instant = type(self._ledger) is MemoryLedger and learns is None  # not a subclass, which may want to wait
        self._instant = cast("MemoryLedger", self._ledger) if is_instant else None
        self._line = Line(self._ledger, self._instant, self._lease_s, learns)
        self._started = False

    # -- permits ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind to the running event loop; clients do this, and the first `acquire` otherwise."""
        self._line.settle_in()
        try:
            in_force = await self._ledger.start(self._line.wake)
        except LedgerLostError as error:
            raise ConfigurationError(f"the ledger cannot be used: {error}") from None
        if in_force != self.limits and self._learner is None:
            self._tell(LimitsDiffer(self.limits, in_force))
        self._started = True

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` told what happens to the account; the function returned ends it."""
        return self._tell.add(listener)

    def outlive(self, timeout_s: float) -> None:
        """Make the leases of calls outlive the longest answer that anybody waits for; clients say so.

        A lease is how long the call of a process that vanished stays counted: the shorter the answers may be, the
        sooner its place is free again. Until somebody says so, answers are taken to come within 60 s.

        Args:
            timeout_s: How long an answer is waited for. With clients, and calls of your own that take longer than
                theirs, say it yourself.
        """
        self._longest_s = max(self._longest_s or 0.0, timeout_s)

    def _lease_s(self) -> float:
        return (UNTOLD_S if self._longest_s is None else self._longest_s) + self._margin_s

    async def acquire(self, lane: Lane = Lane.NORMAL, *, max_wait_s: float | None = None, tenant: str = "") -> Permit:
        """Wait for the right to send one call.

        Args:
            lane: Who waits for the call.
            max_wait_s: Seconds that waiting may take; None waits as long as it takes.
            tenant: On whose behalf; tenants of a lane are served in turn, one call each.

        Returns:
            A permit; whoever has it must give it back.

        Raises:
            BudgetError: It would take longer than `max_wait_s`, the queue is full, or the ledger is lost and
                `on_ledger_loss` says stop; `retry_after_s` says when to come again.

        Cost: no call. Cancelling while waiting leaves nothing behind.
        """
        if not self._started:
            await self.start()
        if self._instant is not None and not self._line.waiting and (lease := self._instant.take_alone(lane)):
            self._tally[lane].grant(0.0)
            return Permit(lease, 0.0, self._take_back)
        try:
            while self._is_stale(permit := await self._acquire(lane, max_wait_s, tenant)):
                self._line.give_up(permit.lease)
            return permit
        except LedgerLostError as error:
            self._tally[lane].refused += 1
            raise BudgetError(f"the shared ledger is lost, so no call goes out: {error}", retry_after_s=1.0) from None

    def _is_stale(self, permit: Permit) -> bool:
        """Say whether this process stood still after it was granted the call, so that its lease may not last."""
        return self.is_shared and self._ledger.now() - permit.lease.granted_at > self._margin_s / 2

    async def _acquire(self, lane: Lane, max_wait_s: float | None, tenant: str) -> Permit:
        since = self._ledger.now()
        asks_alone = self._instant is None and not self._line.waiting
        if asks_alone:
            decision = await self._ledger.take({lane: 1}, self._lease_s())
            if isinstance(decision, Lease):
                self._tally[lane].grant(0.0)
                return Permit(decision, 0.0, self._take_back)
        if max_wait_s is not None or self._line.waiting >= self._max_waiting:
            await self._refuse_early(lane, max_wait_s, asked=asks_alone)
        lease = await self._line.wait(lane, Waiter(tenant), max_wait_s)
        if lease is None:
            raise self._refusal(lane, max_wait_s or 0.0, await self.eta(lane))
        queued_s = self._ledger.now() - since
        self._tally[lane].grant(queued_s)
        return Permit(lease, queued_s, self._take_back)

    @asynccontextmanager
    async def permit(self, lane: Lane = Lane.NORMAL, *, max_wait_s: float | None = None) -> AsyncIterator[Permit]:
        """Govern a call of your own: ``async with governor.permit(): ...`` around the send, and nothing else.

        Args:
            lane: Who waits for the call.
            max_wait_s: Seconds that waiting may take.

        Raises:
            BudgetError: As `acquire`.
        """
        permit = await self.acquire(lane, max_wait_s=max_wait_s)
        end = End.UNCERTAIN
        try:
            yield permit
            end = End.ANSWERED
        finally:
            await permit.give_back(end)

    # -- looking ------------------------------------------------------------------------------------------------------

    async def eta(self, lane: Lane = Lane.NORMAL, calls: int = 1) -> float:
        """Foretell in how many seconds the last of `calls` new calls could be granted.

        A lower bound from what is known now: open calls may take longer, and higher lanes may come in between.

        Args:
            lane: Their lane.
            calls: How many; at least 1.
        """
        account = await self._ledger.look()
        now = self._ledger.now()
        ahead = sum(self._line.waiting_in(other) for other in Lane if other <= lane)
        bulk = self._line.waiting_in(Lane.BULK) if lane is Lane.BULK else 0
        return max(0.0, account.eta(lane, ahead, bulk, max(1, calls), now) - now)

    def scarce(self, lane: Lane = Lane.NORMAL) -> Scarce | None:
        """Say what a call that comes now has to wait for, if it has to: ``pause``, ``rate``, ``place`` or ``turn``.

        Args:
            lane: Its lane.

        Returns:
            None if only a shared ledger knows.
        """
        return None if self._instant is None else self._instant.scarce(lane)

    async def statistics(self) -> GovernorStatistics:
        """Return how the account's budget and this process's lanes stand."""
        account = await self._ledger.look()
        now = self._ledger.now()
        return GovernorStatistics(
            limits=account.limits,
            calls_in_force=account.calls_in_force,
            tokens_free=account.tokens_free,
            tokens_home_s=tuple(date - now for date in account.homecoming()),
            open=len(account.open),
            places_free=account.limits.parallel - account.places_taken,
            hold_s=max(0.0, account.hold_until - now),
            strikes=account.strikes,
            open_by_member=Counter(lease.member for lease in account.open.values()),
            ledger_lost=isinstance(self._ledger, GuardedLedger) and self._ledger.is_lost,
            lanes={lane: self._tally[lane].snapshot(self._line.waiting_in(lane)) for lane in Lane},
            waiting={lane: max(account.waiting(lane, now), self._line.waiting_in(lane)) for lane in Lane},
            members=max(1, len(account.members)),
        )

    @property
    def is_shared(self) -> bool:
        """Whether the count is kept where other processes see it."""
        return not isinstance(self._ledger, MemoryLedger)

    def now(self) -> float:
        """Return the ledger's time in seconds; only differences mean something."""
        return self._ledger.now()

    async def set_limits(self, limits: Limits) -> None:
        """Change what the account allows, at once and for all who share it.

        Args:
            limits: The new limits; lower ones take effect as open calls end, without a burst.

        Raises:
            ConfigurationError: They leave BULK nothing beside the reserve.
        """
        _checked(self._reserve, limits)
        await self._ledger.set_limits(limits)
        self.limits = limits
        self._line.wake()

    # -- holding ------------------------------------------------------------------------------------------------------

    async def pause(self, for_s: float) -> None:
        """Hold all calls of the account for `for_s` seconds from now; calls that are open end normally."""
        await self._ledger.hold(for_s)
        self._line.wake()

    async def resume(self) -> None:
        """End every pause now, one that a 429 made included."""
        await self._ledger.resume()
        self._line.wake()

    async def aclose(self) -> None:
        """Let go of the ledger. Callers that still wait are not served any more: close when nobody waits."""
        await self._ledger.aclose()

    # -- refusing, and taking back ------------------------------------------------------------------------------------

    async def _refuse_early(self, lane: Lane, max_wait_s: float | None, *, asked: bool) -> None:
        """Refuse a caller whose wait is known to be too long; if we `asked` for it alone, leave the ledger's line."""
        full = self._line.waiting >= self._max_waiting
        eta = await self.eta(lane)
        if not full and eta <= (max_wait_s or 0.0):
            return
        if asked:
            await self._ledger.take({}, self._lease_s())
        if not full:
            raise self._refusal(lane, max_wait_s or 0.0, eta)
        self._tally[lane].refused += 1
        raise BudgetError(
            f"the queue is full ({self._max_waiting:,} waiting): come again in {eta:.1f} s", retry_after_s=eta
        )

    def _refusal(self, lane: Lane, max_wait_s: float, eta: float) -> BudgetError:
        self._tally[lane].refused += 1
        return BudgetError(
            f"no permit on lane {lane.name} within max_wait_s={max_wait_s:g}: the account's budget allows this call in "
            f"{eta:.1f} s; come again then, allow a longer wait, or use a higher lane",
            retry_after_s=eta,
        )

    async def _take_back(self, lease: Lease, end: End, retry_after_s: float | None) -> Pause | None:
        if self._instant is not None and end is not _REFUSED:
            return self._instant.put_back(lease, end)
        stretch = 1.0 + random.random() * JITTER if end is End.REFUSED else 1.0  # noqa: S311 - spreads load, hides nothing
        pause: Pause | None = None
        with anyio.CancelScope(shield=True):  # what does not come home is lost to everybody for a while
            pause = await self._ledger.give_back(lease, end, retry_after_s=retry_after_s, stretch=stretch)
            if self._learner is not None and pause is not None and pause.is_new:
                await self._learn(self._learner.refused(pause.used), pause.until)
        return pause

    # -- finding the limit --------------------------------------------------------------------------------------------

    async def _learn_if_full(self, told: Wait) -> None:
        """Two full windows without a refusal, and still somebody waits: what is in force works, so try more."""
        now = self._ledger.now()
        if self._learner is None or told.rank or now < self._learning_from:  # one governor of a fleet is enough
            return
        self._learning_from = now + self.limits.per_s / 10
        account = await self._ledger.look()
        if account.tokens_free <= SPARE * account.calls_in_force and account.calls_in_force == account.limits.calls:
            await self._learn(self._learner.passed(account.limits.calls), now)

    async def _learn(self, calls: int, since: float) -> None:
        limits = (await self._ledger.look()).limits
        if calls != limits.calls:
            self.limits = Limits(calls, limits.per_s, limits.parallel)
            await self._ledger.set_limits(self.limits)
        self._learning_from = since + 2 * limits.per_s


def _checked(reserve: int, limits: Limits) -> int:
    if not 0 <= reserve < limits.calls:
        raise ConfigurationError(f"reserve={reserve}: give 0 to {limits.calls - 1} of the account's calls")
    return reserve


def _write(event: Event) -> None:
    """Write into the log what befalls a ledger that is shared, whoever else listens."""
    match event:
        case LedgerLost():
            log.warning("the shared ledger is lost: %s", event.reason, extra={"wait_s": event.rest_s})
        case LedgerBack():
            log.warning("the shared ledger is back after %.1f s", event.lost_s, extra={"wait_s": event.rest_s})
        case LimitsDiffer():
            log.warning("processes that share the account were given different limits: the strictest holds")
        case _:
            pass
