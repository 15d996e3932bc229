"""The rules of an account: whose turn it is, among lanes and among all who share it, within what `_budget.py` allows.

Pure: time comes in as an argument, nothing waits, nothing is sent. A ledger keeps one `Account` per account and asks
it; every other form of these rules is held to the same answers by the conformance suite, and takes its constants from
here.
"""

import math
from collections.abc import Mapping, Sequence

from attrs import define, field

from ongage_async.config import Lane
from ongage_async.governor._budget import (
    CATCH_UP,
    CATCH_UP_S,
    CREEP_WINDOWS,
    LEAST_SHARE,
    SQUEEZE,
    SQUEEZE_FULL,
    VENDOR_LADDER_S,
    Budget,
)
from ongage_async.governor._lease import End, Lease, Pause, Wait

__all__ = [
    "CATCH_UP",
    "CATCH_UP_S",
    "CREEP_WINDOWS",
    "FORGET_S",
    "LEAST_SHARE",
    "PASSED_OVER",
    "PATIENCE_S",
    "SECONDS_PATIENCE_S",
    "SQUEEZE",
    "SQUEEZE_FULL",
    "TURN_S",
    "VENDOR_LADDER_S",
    "Account",
    "End",
    "Lease",
    "Member",
    "Pause",
    "Wait",
]

PASSED_OVER = 9
"""A lane that was ready and passed over this often goes next: a saturated account gives each lane a tenth at least."""

TURN_S = 0.05
"""How long a member of a fleet that is next may take to ask before those behind it go first."""

PATIENCE_S, SECONDS_PATIENCE_S = 1.0, 0.25
"""Members of a fleet that wait for somebody's answer ask again after that long, though nobody wakes them: the second in
a line sooner, in case the first one is dead; those far back after as long as the calls before them take at the full
rate."""

FORGET_S = 300.0
"""Members that were not heard of for that long are forgotten when a new one comes."""

_LANES, _BULK = tuple(Lane), Lane.BULK
_NOBODY: Mapping[Lane, int] = {}


@define
class Member:
    """What the account knows of one governor (a process, mostly) that uses it.

    Attributes:
        asks: How many wait in each lane.
        fresh_until: It is expected to ask again by then; later it no longer stands in anybody's way.
        served: For each lane, the number of the last grant that it got there; the least recently served goes first.
    """

    asks: Mapping[Lane, int] = field(factory=dict)
    fresh_until: float = -math.inf
    served: list[int] = field(factory=lambda: [0] * len(_LANES))


@define
class Account(Budget):
    """Hold the state of one account and apply the rules to it.

    Attributes:
        members: Who uses it.
    """

    members: dict[str, Member] = field(factory=dict)
    _passed: list[int] = field(factory=lambda: [0] * len(_LANES), init=False)
    _last_id: int = field(default=0, init=False)

    def take(
        self, asks: Mapping[Lane, int], now: float, *, member: str = "", lease_s: float = math.inf
    ) -> Lease | Wait:
        """Grant one call to a member that asks, if it is its turn, or say when it should ask again.

        In a fleet the least recently served member goes first within a lane. Whoever comes early may still go if
        there is room for all who are before it.

        Args:
            asks: How many wait in each lane of this member; lanes where nobody waits are left out.
            now: Ledger time.
            member: Who asks.
            lease_s: Seconds after which the call counts as lost unless the lease is renewed or given back.
        """
        self.settle(now)
        me = self.members.get(member) or self._welcome(member, now)
        me.asks, me.fresh_until = asks, math.inf
        lane, until = self._turn(member, now)
        lease = None
        if lane is not None:
            lease = self._grant(lane, member, me, now, now + lease_s)
            lane, until = self._turn(member, now)
        if lane is not None:
            until = now
        me.fresh_until = min(until, now + lease_s) + 2 * TURN_S  # it may vanish, and its calls end by then
        members = len(self.members)
        rank = sum(name < member for name in self.members) if members > 1 else 0
        if lease is None:
            return Wait(until, members, rank)
        lease = Lease(lease.id, member, lease.lane, now, lease.expires_at, until, members, rank)
        self.open[lease.id] = lease
        return lease

    def take_alone(self, lane: Lane, now: float, member: str) -> Lease | None:
        """Grant what `take` would grant for one call of the only member, or None: then `take` says what to do.

        The short way for an account that is not shared, with nobody in line; its leases do not run out.
        """
        self.settle(now)
        me = self.members.get(member)
        if me is None or len(self.members) > 1 or not self.is_ready(lane, now):
            return None
        me.asks, me.fresh_until = _NOBODY, math.inf
        return self._grant(lane, member, me, now, math.inf, math.inf)

    def _welcome(self, name: str, now: float) -> Member:
        """Count one more member, and no longer those that are gone."""
        for gone in [other for other, member in self.members.items() if member.fresh_until < now - FORGET_S]:
            del self.members[gone]
        new = self.members[name] = Member()
        return new

    def _turn(self, member: str, now: float) -> tuple[Lane | None, float]:
        """Return the lane in which it is this member's turn, or None and the date at which it may be."""
        me, until, due, ranks = self.members[member], math.inf, math.inf, []
        alone = len(self.members) == 1
        for lane in self._lanes_in_turn(now):
            if lane in me.asks:
                higher, rank = (0, 0) if alone else self._before(lane, member, now)
                if self.is_ready(lane, now, higher + rank):
                    return lane, now
                date = self.ready_at(lane, higher + rank)
                late_s = TURN_S if higher + rank else 0.0
                until = min(until, date + late_s)
                if not alone and (due_at := self._due_at(lane, higher + rank)) > now:
                    due = min(due, due_at + late_s)
                ranks.append(rank)
        if not alone and until == math.inf:  # whoever is to wake this one may vanish without a word
            rank = min(ranks, default=0)
            until = now + (SECONDS_PATIENCE_S if rank == 1 else max(PATIENCE_S, rank * self.limits.interval_s))
            until = min(until, due)  # a place that is given back before the token is home wakes nobody
        return None, until

    def _lanes_in_turn(self, now: float) -> Sequence[Lane]:
        """Return the lanes, highest first, save that a ready one which was passed over too often goes before them."""
        if max(self._passed) < PASSED_OVER:
            return _LANES
        return sorted(_LANES, key=lambda lane: (not self._is_overdue(lane, now), lane))

    def _is_overdue(self, lane: Lane, now: float) -> bool:
        return self._passed[lane] >= PASSED_OVER and self.is_ready(lane, now)

    def _before(self, lane: Lane, member: str, now: float) -> tuple[int, int]:
        """Count what others send before this member: calls in higher lanes, and members served less recently."""
        lanes = self._lanes_in_turn(now)
        before = [higher for higher in lanes[: lanes.index(lane)] if self.is_ready(higher, now)]
        served = self.members[member].served[lane]
        calls = rank = 0
        for name, other in self.members.items():
            if name == member or not other.asks or other.fresh_until < now:
                continue
            if before:
                calls += sum(other.asks.get(higher, 0) for higher in before)
            if lane in other.asks and other.served[lane] <= served:
                rank += other.served[lane] < served or name < member
        return calls, rank

    def _grant(
        self, lane: Lane, member: str, me: Member, now: float, expires_at: float, ask_again_at: float = -math.inf
    ) -> Lease:
        if len(self.members) > 1 or len(me.asks) > 1:
            for other in _LANES:
                if other != lane and self.is_ready(other, now) and self._is_asked(other, now):
                    self._passed[other] += 1
        self._passed[lane] = 0
        if lane is _BULK:
            self._pace(now)
        self._last_id = number = self._last_id + 1
        me.served[lane] = number
        if me.asks:
            me.asks = {asked: n - (asked == lane) for asked, n in me.asks.items() if n > (asked == lane)}
        lease = self.open[number] = Lease(number, member, lane, now, expires_at, ask_again_at)
        if expires_at < self._first_expiry:
            self._first_expiry = expires_at
        return lease

    def _is_asked(self, lane: Lane, now: float) -> bool:
        return any(lane in member.asks and member.fresh_until >= now for member in self.members.values())

    def next_up(self, now: float) -> str | None:
        """Return the member whose call could go now and that may not know it, to be woken; it is expected at once."""
        self.settle(now)
        for lane in self._lanes_in_turn(now):
            if not self.is_ready(lane, now):
                continue
            waiting = [
                (member.served[lane], name)
                for name, member in self.members.items()
                if lane in member.asks and member.fresh_until >= now
            ]
            if waiting:
                name = min(waiting)[1]
                member = self.members[name]
                member.fresh_until = min(member.fresh_until, now + 2 * TURN_S)
                return name
        return None

    def bury(self, member: str, now: float) -> None:
        """Forget a member whose end is certain: with it ended its connections, so its calls ended without an answer."""
        for lease in [lease for lease in self.open.values() if lease.member == member]:
            self.give_back(lease, End.UNCERTAIN, now)
        self.members.pop(member, None)

    def waiting(self, lane: Lane, now: float) -> int:
        """Return how many wait in a lane, of all members that are heard of."""
        return sum(member.asks.get(lane, 0) for member in self.members.values() if member.fresh_until >= now)
