"""What the governor tells about itself: frozen snapshots, and the small window of waits they are made from."""

import math
from collections import deque
from collections.abc import Mapping

from attrs import define, field, frozen

from ongage_async.config import Lane, Limits

__all__ = ["GovernorStatistics", "LaneStatistics"]

REMEMBERED_WAITS = 1000


@frozen
class LaneStatistics:
    """Say how one lane fares in this process.

    Attributes:
        waiting: Callers in the queue now.
        granted: Permits granted so far.
        refused: Callers turned away with BudgetError so far.
        wait_p50_s: Median wait of the last 1,000 grants, in seconds; 0 before the first.
        wait_p99_s: 99th percentile of the same.
    """

    waiting: int
    granted: int
    refused: int
    wait_p50_s: float
    wait_p99_s: float


@frozen
class GovernorStatistics:
    """Say how the account's budget stands.

    Attributes:
        limits: What the account allows.
        calls_in_force: How many calls the governor allows itself now: less than the account's while others spend it.
        tokens_free: Calls that could be sent at once, were there places and nobody waiting.
        tokens_home_s: Seconds until each token that is on its way comes home, soonest first.
        open: Calls that are open now.
        places_free: Places that are free.
        hold_s: Seconds until a running pause ends; 0 when there is none.
        strikes: Pauses in a row without a success in between.
        open_by_member: Open calls of each process that shares the account.
        ledger_lost: Whether the shared ledger is out of reach; then all of the above is this process's share.
        lanes: One entry per lane.
        waiting: Callers in each lane's queue now, of all processes that share the account.
        members: How many processes share the account, as far as the ledger knows.
    """

    limits: Limits
    calls_in_force: int
    tokens_free: int
    tokens_home_s: tuple[float, ...]
    open: int
    places_free: int
    hold_s: float
    strikes: int
    open_by_member: Mapping[str, int]
    ledger_lost: bool
    lanes: Mapping[Lane, LaneStatistics]
    waiting: Mapping[Lane, int]
    members: int


@define
class LaneTally:
    """Count what happens in one lane."""

    granted: int = 0
    refused: int = 0
    waits: deque[float] = field(factory=lambda: deque(maxlen=REMEMBERED_WAITS))

    def grant(self, waited_s: float) -> None:
        """Count a grant and its wait."""
        self.granted += 1
        self.waits.append(waited_s)

    def snapshot(self, waiting: int) -> LaneStatistics:
        """Freeze the counts."""
        waits = sorted(self.waits)
        return LaneStatistics(waiting, self.granted, self.refused, _quantile(waits, 0.5), _quantile(waits, 0.99))


def _quantile(ascending: list[float], share: float) -> float:
    return ascending[max(0, math.ceil(share * len(ascending)) - 1)] if ascending else 0.0
