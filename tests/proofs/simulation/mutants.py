"""Tempting mistakes in the rules and in the processes, so that the witness can be seen to object to each."""

import heapq
from typing import Any

from ongage_async.governor._rules import Account, End, Lease
from tests.proofs.simulation.process import Process

__all__ = ["ACCOUNTS", "SendsOnItsOwn", "SendsWhatIsStale"]


class ByTheClock(Account):
    """The bucket is filled at the full minute, whenever the calls were answered."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        self.settle(now)
        known = len(self._homecoming)
        result = super().give_back(lease, end, now, **told)
        if len(self._homecoming) > known:
            self._homecoming[-1] = (now // self.limits.per_s + 1) * self.limits.per_s
        return result


class FromTheSend(Account):
    """A token comes home a window after its call was granted."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        self.settle(now)
        known = len(self._homecoming)
        result = super().give_back(lease, end, now, **told)
        if len(self._homecoming) > known:
            self._homecoming.pop()
            heapq.heappush(self._late_tokens, lease.granted_at + self.limits.per_s)
        return result


class CertainOfTheUncertain(Account):
    """A call that was given up counts as ended."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        return super().give_back(lease, End.ANSWERED if end is End.UNCERTAIN else end, now, **told)


class ForgetsTheUncertain(Account):
    """A call that was given up counts as never sent."""

    def give_back(self, lease: Lease, end: End, now: float, **told: Any) -> Any:
        return super().give_back(lease, End.UNSENT if end is End.UNCERTAIN else end, now, **told)


class NeverExpires(Account):
    """The calls of the dead stay open for ever."""

    def _expire(self, now: float) -> None:
        self._first_expiry = float("inf")


class ExpiresAtOnce(Account):
    """A lease that is shorter than the longest answer."""

    def take(self, asks: Any, now: float, *, member: str = "", lease_s: float = 0.0) -> Any:
        return super().take(asks, now, member=member, lease_s=lease_s / 20)


class TokensOfTheDeadComeHomeAtOnce(Account):
    """A lease that ran out gives its token back with its place."""

    def _expire(self, now: float) -> None:
        known = len(self._late_tokens)
        super()._expire(now)
        if len(self._late_tokens) > known:
            self._late_tokens = [date for date in self._late_tokens if date - self.limits.per_s > now]
            heapq.heapify(self._late_tokens)


class SendsOnItsOwn(Process):
    """A process that cannot reach the ledger sends all the same."""

    def _told(self, asks: Any, decision: Any) -> None:
        if decision is None and not self.is_dead:
            for lane, queue in self._queues.items():
                if queue:
                    self._send(queue.popleft(), Lease(-1, self.name, lane, self._time.now))
        super()._told(asks, decision)


class SendsWhatIsStale(Process):
    """A process that stood still for a while after it was granted a call sends it nevertheless."""

    def _is_stale(self, lease: Lease) -> bool:
        return False


ACCOUNTS: tuple[type[Account], ...] = (
    ByTheClock, FromTheSend, CertainOfTheUncertain, ForgetsTheUncertain, NeverExpires, ExpiresAtOnce,
    TokensOfTheDeadComeHomeAtOnce,
)  # fmt: skip
