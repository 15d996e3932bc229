"""The queue in front of an account: callers wait here, lane by lane, until the ledger lets one go.

One owned task (the pump) asks the ledger on behalf of all who wait and sleeps until the date it is told; callers only
wait on their own event. So a cancelled caller can never hold the queue up, and a grant that arrives too late for its
caller goes back unspent.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from attrs import define

from ongage_async._tasks import Yard
from ongage_async.config import Lane, Limits
from ongage_async.errors import BudgetError, ConfigurationError
from ongage_async.events import Event, LimitsDiffer, Listener
from ongage_async.governor._learning import Learner
from ongage_async.governor._ledger import Ledger, LedgerLostError, MemoryLedger
from ongage_async.governor._loss import GuardedLedger, OnLoss
from ongage_async.governor._queue import Queue, Waiter
from ongage_async.governor._rules import End, Lease, Pause
from ongage_async.governor._statistics import GovernorStatistics, LaneTally

__all__ = ["Governor", "Permit", "from_url"]

UNWOKEN_S = 5.0
"""How long the queue rests at most when it was told no date: the word that should wake it may be lost."""

log = logging.getLogger("ongage_async")

UNTOLD_S = 60.0
"""How long an answer may take at the longest, unless somebody said otherwise."""

SPARE = 0.05
"""A window counts as full when no more than this share of its tokens is left."""

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
    _give_back: Callable[[Lease, End, float | None], Awaitable[Pause | None]]

    async def give_back(self, end: End, *, retry_after_s: float | None = None) -> Pause | None:
        """Give token and place back; a second time changes nothing.

        Args:
            end: How the send ended.
            retry_after_s: With `End.REFUSED`, the vendor's Retry-After, if it sent one.

        Returns:
            With `End.REFUSED`, the account's pause; else None.
        """
        return await self._give_back(self.lease, end, retry_after_s)


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
        if not 0 <= reserve < self.limits.calls:
            raise ConfigurationError(f"reserve={reserve}: give 0 to {self.limits.calls - 1} of the account's calls")
        self._ledger: Ledger = ledger or MemoryLedger(self.limits, margin_s, reserve)
        if not isinstance(self._ledger, MemoryLedger | GuardedLedger):
            self._ledger = GuardedLedger(self._ledger, self.limits, on_ledger_loss, self._tell)
        self._listeners: list[Listener] = []
        self._learner = Learner() if self.limits.learn else None
        self._learning_from = -math.inf
        self._max_waiting = max_waiting
        self._longest_s: float | None = None
        self._margin_s = margin_s
        self._queues = {lane: Queue() for lane in Lane}
        self._tally = {lane: LaneTally() for lane in Lane}
        self._yard = Yard()
        self._pumping = False
        self._changed: anyio.Event | None = None
        self._started = False

    # -- permits ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind to the running event loop; clients do this, and the first `acquire` otherwise."""
        try:
            in_force = await self._ledger.start(self._wake)
        except LedgerLostError as error:
            raise ConfigurationError(f"the ledger cannot be used: {error}") from None
        if in_force != self.limits and self._learner is None:
            self._tell(LimitsDiffer(self.limits, in_force))
        self._started = True

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` told what happens to the account; the function returned ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def outlive(self, timeout_s: float) -> None:
        """Make the leases of calls outlive the longest answer that anybody waits for; clients say so.

        A lease is how long the call of a process that vanished stays counted: the shorter the answers may be, the
        sooner its place is free again. Until somebody says so, answers are taken to come within 60 s.

        Args:
            timeout_s: How long an answer is waited for. With clients, and calls of your own that take longer than
                theirs, say it yourself.
        """
        self._longest_s = max(self._longest_s or 0.0, timeout_s)

    @property
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
        try:
            while self._is_stale(permit := await self._acquire(lane, max_wait_s, tenant)):
                self._yard.start(self._take_back, permit.lease, End.UNSENT, None)
            return permit
        except LedgerLostError as error:
            self._tally[lane].refused += 1
            raise BudgetError(f"the shared ledger is lost, so no call goes out: {error}", retry_after_s=1.0) from None

    def _is_stale(self, permit: Permit) -> bool:
        """Say whether this process stood still after it was granted the call, so that its lease may not last."""
        return self._ledger.now() - permit.lease.granted_at > self._margin_s / 2

    async def _acquire(self, lane: Lane, max_wait_s: float | None, tenant: str) -> Permit:
        now = self._ledger.now()
        if not self._waiting():
            decision = await self._ledger.take({lane: 1}, self._lease_s)
            if isinstance(decision, Lease):
                self._tally[lane].grant(0.0)
                return Permit(decision, 0.0, self._take_back)
            await self._refuse_early(lane, max_wait_s, asked=True)
        else:
            await self._refuse_early(lane, max_wait_s)
        return await self._wait_in_line(lane, Waiter(now, tenant), max_wait_s)

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
            with anyio.CancelScope(shield=True):
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
        ahead = sum(queue.waiting for other, queue in self._queues.items() if other <= lane)
        bulk = self._queues[Lane.BULK].waiting if lane is Lane.BULK else 0
        return max(0.0, account.eta(lane, ahead, bulk, max(1, calls), now) - now)

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
            lanes={lane: self._tally[lane].snapshot(self._queues[lane].waiting) for lane in Lane},
        )

    def now(self) -> float:
        """Return the ledger's time in seconds; only differences mean something."""
        return self._ledger.now()

    async def set_limits(self, limits: Limits) -> None:
        """Change what the account allows, at once and for all who share it.

        Args:
            limits: The new limits; lower ones take effect as open calls end, without a burst.
        """
        await self._ledger.set_limits(limits)
        self.limits = limits
        self._wake()

    # -- holding ------------------------------------------------------------------------------------------------------

    async def pause(self, for_s: float) -> None:
        """Hold all calls of the account for `for_s` seconds from now; calls that are open end normally."""
        await self._ledger.hold(for_s)
        self._wake()

    async def resume(self) -> None:
        """End every pause now, one that a 429 made included."""
        await self._ledger.resume()
        self._wake()

    async def aclose(self) -> None:
        """Let go of the ledger. Callers that still wait are not served any more: close when nobody waits."""
        await self._ledger.aclose()

    # -- the queue ----------------------------------------------------------------------------------------------------

    async def _refuse_early(self, lane: Lane, max_wait_s: float | None, *, asked: bool = False) -> None:
        """Refuse a caller whose wait is known to be too long; if we `asked` for it alone, leave the ledger's line."""
        full = self._waiting() >= self._max_waiting
        if max_wait_s is None and not full:
            return
        eta = await self.eta(lane)
        if not full and eta <= (max_wait_s or 0.0):
            return
        if asked:
            await self._ledger.take({}, self._lease_s)
        if not full:
            raise self._refusal(lane, max_wait_s or 0.0, eta)
        self._tally[lane].refused += 1
        raise BudgetError(
            f"the queue is full ({self._max_waiting:,} waiting): come again in {eta:.1f} s", retry_after_s=eta
        )

    def _waiting(self) -> int:
        return sum(queue.waiting for queue in self._queues.values())

    def _refusal(self, lane: Lane, max_wait_s: float, eta: float) -> BudgetError:
        self._tally[lane].refused += 1
        return BudgetError(
            f"no permit on lane {lane.name} within max_wait_s={max_wait_s:g}: the account's budget allows this call in "
            f"{eta:.1f} s; come again then, allow a longer wait, or use a higher lane",
            retry_after_s=eta,
        )

    async def _wait_in_line(self, lane: Lane, waiter: Waiter, max_wait_s: float | None) -> Permit:
        queue = self._queues[lane]
        queue.join(waiter)
        if queue.waiting == 1:
            self._wake()
        try:
            if max_wait_s is None:  # a scope costs more than all the rest of the line
                await waiter.woken.wait()
            else:
                with anyio.move_on_after(max_wait_s):
                    await waiter.woken.wait()
        except BaseException:
            await self._abandon(queue, waiter)
            raise
        if waiter.error is not None:
            raise waiter.error
        if waiter.lease is None:
            await self._abandon(queue, waiter)
            raise self._refusal(lane, max_wait_s or 0.0, await self.eta(lane))
        queued_s = self._ledger.now() - waiter.since
        self._tally[lane].grant(queued_s)
        return Permit(waiter.lease, queued_s, self._take_back)

    async def _abandon(self, queue: Queue, waiter: Waiter) -> None:
        """Leave the line for good; a grant that came at the same instant goes back unspent."""
        queue.leave(waiter)
        if waiter.lease is not None:
            self._yard.start(self._take_back, waiter.lease, End.UNSENT, None)
        elif not queue.waiting:
            self._wake()

    async def _take_back(self, lease: Lease, end: End, retry_after_s: float | None) -> Pause | None:
        stretch = 1.0 + random.random() * JITTER if end is End.REFUSED else 1.0  # noqa: S311 - spreads load, hides nothing
        pause = await self._ledger.give_back(lease, end, retry_after_s=retry_after_s, stretch=stretch)
        if self._learner is not None and pause is not None and pause.is_new:
            await self._learn(self._learner.refused(pause.used), pause.until)
        return pause

    def _wake(self) -> None:
        """Make the pump look again; start it if somebody waits and it rests."""
        if self._changed is not None:
            self._changed.set()
        elif not self._pumping and self._waiting():
            self._pumping = True
            self._yard.start(self._pump)

    async def _pump(self) -> None:
        """Grant until nobody waits; between grants, sleep until the ledger's date or a change."""
        known: set[Lane] = set()  # lanes in which the ledger knows that somebody waits here
        try:
            while (asks := self._asks()) or known:
                self._changed = anyio.Event()
                decision = await self._ledger.take(asks, self._lease_s)
                known = set(asks)
                if isinstance(decision, Lease):
                    if asks[decision.lane] == 1:
                        known.remove(decision.lane)
                    await self._hand_out(decision)
                    until = decision.ask_again_at
                else:
                    until = decision.until
                    if self._learner is not None:
                        await self._learn_if_full(self._learner, decision.rank)
                if self._waiting() and known.issuperset(self._asks()):
                    await self._rest(until, self._changed)
        except LedgerLostError as error:
            self._fail(error)
        finally:
            self._pumping = False
            self._changed = None

    async def _rest(self, until: float, changed: anyio.Event) -> None:
        """Sleep until that date of the ledger's, or until something changes."""
        wait_s = UNWOKEN_S if math.isinf(until) else until - self._ledger.now()
        if wait_s > 0:
            with anyio.move_on_after(wait_s):
                await changed.wait()

    def _asks(self) -> dict[Lane, int]:
        return {lane: queue.waiting for lane, queue in self._queues.items() if queue.waiting}

    async def _hand_out(self, lease: Lease) -> None:
        waiter = self._queues[lease.lane].next()
        if waiter is None:  # everybody left while the ledger decided
            await self._ledger.give_back(lease, End.UNSENT)
            return
        waiter.lease = lease
        waiter.woken.set()

    # -- finding the limit --------------------------------------------------------------------------------------------

    async def _learn_if_full(self, learner: Learner, rank: int) -> None:
        """Two full windows without a refusal, and still somebody waits: what is in force works, so try more."""
        now = self._ledger.now()
        if rank or now < self._learning_from:  # one governor of a fleet is enough
            return
        self._learning_from = now + self.limits.per_s / 10
        account = await self._ledger.look()
        if account.tokens_free <= SPARE * account.calls_in_force and account.calls_in_force == account.limits.calls:
            await self._learn(learner.passed(account.limits.calls), now)

    async def _learn(self, calls: int, since: float) -> None:
        limits = (await self._ledger.look()).limits
        if calls != limits.calls:
            self.limits = Limits(calls, limits.per_s, limits.parallel)
            await self._ledger.set_limits(self.limits)
        self._learning_from = since + 2 * limits.per_s

    def _fail(self, error: Exception) -> None:
        """Tell everybody in the line why they will not be served."""
        for queue in self._queues.values():
            for waiter in queue.all():
                waiter.error = error
                waiter.woken.set()

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:
                log.exception("a listener of the governor failed")


def from_url(url: str | None, limits: Limits | None, *, account_key: str = "") -> Governor:
    """Make a governor whose count is kept where `url` says.

    Args:
        url: None or ``memory:`` for this process alone; ``file:///path`` for the processes of one machine;
            ``redis://``, ``rediss://``, ``valkey://`` or ``valkeys://`` for many machines.
        limits: What the account allows.
        account_key: What names the account among others in the same place; a hash, never a secret.

    Raises:
        ConfigurationError: No ledger is known for this kind of URL, or it cannot be used.
    """
    scheme = "memory" if url is None else url.partition(":")[0].lower()
    limits = limits or Limits()
    if url is None or scheme == "memory":
        return Governor(limits)
    if scheme == "file":
        from ongage_async.governor._file import FileLedger

        return Governor(limits, ledger=FileLedger(url, limits, account_key))
    if scheme in {"redis", "rediss", "valkey", "valkeys"}:
        from ongage_async.governor._redis import RedisLedger

        return Governor(limits, ledger=RedisLedger(url, limits, account_key))
    raise ConfigurationError(
        f"no ledger for {scheme}: URLs: use file:///path (one machine) or redis://host (many), or leave governor= out"
    )
