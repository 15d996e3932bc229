"""The rules of an account's budget: who may go now, when the next one may, what an end of a call gives back.

Pure: time comes in as an argument, nothing waits, nothing is sent. A ledger keeps one `Account` per account and asks
it; every other form of these rules is held to the same answers by the conformance suite.

Why a token comes home `per_s` after its *answer*: the vendor counts call *i* at some instant between its send and its
answer. A token that is used again no earlier than answer + per_s is counted again at least per_s after the first
count, so no window of per_s seconds, however it is cut, holds more than `calls` of them. Counting from the send fails
on uneven networks (a slow call is counted late, the next one early); refilling by the clock fails always.
"""

import enum
import heapq
import math
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice

from attrs import define, evolve, field, frozen

from ongage_async.config import Lane, Limits

VENDOR_LADDER_S = (60.0, 120.0, 240.0, 480.0, 960.0)
"""Waits that the vendor suggests after a 429 and after any 5xx (vendor page §2)."""

PASSED_OVER = 9
"""A lane that was ready and passed over this often goes next: a saturated account gives each lane a tenth at least."""

CATCH_UP, CATCH_UP_S = 5, 0.2
"""How many calls, and seconds at the least, BULK may be behind its pace and still make up for: slow answers and the
turns of a fleet (a few TURN_S) must not cost it its share."""

SQUEEZE, SQUEEZE_FULL, LEAST_SHARE, CREEP_WINDOWS = 0.7, 0.95, 0.1, 10
"""A 429 below our own count means that somebody else spends the account: the limit in force falls to SQUEEZE of itself
(to SQUEEZE_FULL when our count was at the limit), not below LEAST_SHARE, and creeps back over CREEP_WINDOWS windows."""

TURN_S = 0.05
"""How long a member of a fleet that is next may take to ask before those behind it go first."""

PATIENCE_S, SECONDS_PATIENCE_S = 1.0, 0.25
"""Members of a fleet that wait for somebody's answer ask again after that long, though nobody wakes them: the second in
a line sooner, in case the first one is dead; those far back after as long as the calls before them take at the full
rate."""

FORGET_S = 300.0
"""Members that were not heard of for that long are forgotten when a new one comes."""

_LANES = tuple(Lane)


class End(enum.Enum):
    """Say how a send ended, as far as the account's count is concerned."""

    ANSWERED = "answered"
    """A whole answer came, and it was not 429."""
    REFUSED = "refused"
    """The answer was 429: the account pauses, once per burst."""
    UNSENT = "unsent"
    """It is certain that nothing reached the vendor: the token is refunded."""
    UNCERTAIN = "uncertain"
    """Timeout, cut connection: the vendor may still count it, so token and place stay taken for a margin first."""


@frozen
class Lease:
    """One call's right to be open: a token and a place, granted together.

    Attributes:
        id: Never used twice.
        member: Whom it was granted to.
        lane: For which lane.
        granted_at: When (ledger time).
        expires_at: When it counts as lost, unless it is renewed or given back.
        ask_again_at: From when the member may ask for its next call.
        members: How many governors share the account, as far as the ledger knows.
        rank: This one's number among them, from 0.
    """

    id: int
    member: str
    lane: Lane
    granted_at: float
    expires_at: float = math.inf
    ask_again_at: float = -math.inf
    members: int = 1
    rank: int = 0


@frozen
class Wait:
    """Nothing for you now: ask again at `until` (ledger time; infinite when only somebody's answer can change it).

    `members` and `rank` are as in `Lease`.
    """

    until: float
    members: int = 1
    rank: int = 0


@frozen
class Pause:
    """What a 429 did to the account.

    Attributes:
        until: When calls go out again (ledger time).
        strike: Pauses in a row without a success in between.
        is_new: False if the 429 belongs to the burst of an earlier one.
        foreign_calls: How many calls others seem to have spent in the window; 0 when our own count was at the limit.
        calls: The limit in force from now.
        used: Our own calls within the window, the refused one included.
    """

    until: float
    strike: int
    is_new: bool
    foreign_calls: int = 0
    calls: int = 0
    used: int = 0


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
class Account:
    """Hold the state of one account's budget and apply the rules to it.

    Args:
        limits: What the account allows.
        margin_s: How long an uncertain call may still reach the vendor and stay open there.
        reserve: Tokens that the BULK lane leaves alone.
    """

    limits: Limits
    margin_s: float = 10.0
    reserve: int = 0
    hold_until: float = -math.inf
    strikes: int = 0
    open: dict[int, Lease] = field(factory=dict)
    members: dict[str, Member] = field(factory=dict)
    _hold_set_at: float = field(default=-math.inf, init=False)
    _lowered_to: float = field(default=math.inf, init=False)
    _lowered_at: float = field(default=-math.inf, init=False)
    _calls: int = field(init=False)
    _homecoming: deque[float] = field(factory=deque, init=False)
    _late_tokens: list[float] = field(factory=list, init=False)
    _late_places: list[float] = field(factory=list, init=False)
    _bulk_at: float = field(default=-math.inf, init=False)
    _passed: list[int] = field(factory=lambda: [0] * len(_LANES), init=False)
    _last_id: int = field(default=0, init=False)
    _first_expiry: float = field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._calls = self.limits.calls

    # -- looking ----------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Let every token and place that is due come home."""
        home, tokens, places = self._homecoming, self._late_tokens, self._late_places
        while home and home[0] <= now:
            home.popleft()
        while tokens and tokens[0] <= now:
            heapq.heappop(tokens)
        while places and places[0] <= now:
            heapq.heappop(places)
        if self._first_expiry <= now:
            self._expire(now)
        self._calls = self._calls_at(now)

    def _calls_at(self, now: float) -> int:
        if math.isinf(self._lowered_to):
            return self.limits.calls
        crept = max(0.0, now - self._lowered_at) * self.limits.calls / (CREEP_WINDOWS * self.limits.per_s)
        return min(self.limits.calls, math.floor(self._lowered_to + crept))

    def _expire(self, now: float) -> None:
        """End the leases whose owners were not heard of: the vendor may have counted them until they ran out."""
        for lease in [lease for lease in self.open.values() if lease.expires_at <= now]:
            del self.open[lease.id]
            heapq.heappush(self._late_tokens, lease.expires_at + self.limits.per_s)
        self._first_expiry = min((lease.expires_at for lease in self.open.values()), default=math.inf)

    @property
    def tokens_free(self) -> int:
        """Tokens in the bucket, as of the last `settle`; negative while a limit that was lowered is still exceeded."""
        return self._calls - len(self.open) - len(self._homecoming) - len(self._late_tokens)

    @property
    def calls_in_force(self) -> int:
        """The limit in force, as of the last `settle`: the account's, or less while others seem to spend it."""
        return self._calls

    @property
    def places_taken(self) -> int:
        """Places that are taken, as of the last `settle`: open calls and uncertain ends within their margin."""
        return len(self.open) + len(self._late_places)

    def homecoming(self) -> Iterable[float]:
        """Yield the dates at which tokens come home, earliest first (those of open calls are not known yet)."""
        return heapq.merge(self._homecoming, sorted(self._late_tokens)) if self._late_tokens else self._homecoming

    def ready_at(self, lane: Lane, ahead: int = 0) -> float:
        """Return the date from which a call of `lane` may go after `ahead` others; infinite when not known yet."""
        return max(self._due_at(lane, ahead), self._place_at(ahead))

    def _due_at(self, lane: Lane, ahead: int) -> float:
        """Return the same as far as pauses, tokens and the pace of BULK go, were there places enough."""
        spare = self.reserve if lane is Lane.BULK else 0
        date = max(self.hold_until, self._token_at(spare + ahead))
        return max(date, self._bulk_at + ahead * self.limits.interval_s) if lane is Lane.BULK else date

    def _token_at(self, spare: int) -> float:
        missing = spare + 1 - self.tokens_free
        if missing <= 0:
            return -math.inf
        return next(islice(self.homecoming(), missing - 1, None), math.inf)

    def _place_at(self, ahead: int = 0) -> float:
        missing = self.places_taken + ahead + 1 - self.limits.parallel
        if missing <= 0:
            return -math.inf
        late = sorted(self._late_places)
        return late[missing - 1] if missing <= len(late) else math.inf

    # -- deciding ---------------------------------------------------------------------------------------------------

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
            lease = self._grant(lane, member, me, now, lease_s)
            lane, until = self._turn(member, now)
        if lane is not None:
            until = now
        me.fresh_until = min(until, now + lease_s) + 2 * TURN_S  # it may vanish, and its calls end by then
        members = len(self.members)
        rank = sum(name < member for name in self.members) if members > 1 else 0
        if lease is None:
            return Wait(until, members, rank)
        granted = lease.id, member, lease.lane, now, lease.expires_at
        lease = self.open[lease.id] = Lease(*granted, ask_again_at=until, members=members, rank=rank)
        return lease

    def _welcome(self, name: str, now: float) -> Member:
        """Count one more member, and no longer those that are gone."""
        for gone in [other for other, member in self.members.items() if member.fresh_until < now - FORGET_S]:
            del self.members[gone]
        new = self.members[name] = Member()
        return new

    def _turn(self, member: str, now: float) -> tuple[Lane | None, float]:
        """Return the lane in which it is this member's turn, or None and the date at which it may be."""
        me, until, due, ranks = self.members[member], math.inf, math.inf, []
        for lane in self._lanes_in_turn(now):
            if lane in me.asks:
                higher, rank = self._before(lane, member, now)
                date = self.ready_at(lane, higher + rank)
                if date <= now:
                    return lane, date
                late_s = TURN_S if higher + rank else 0.0
                until = min(until, date + late_s)
                if (due_at := self._due_at(lane, higher + rank)) > now:
                    due = min(due, due_at + late_s)
                ranks.append(rank)
        if math.isinf(until) and len(self.members) > 1:  # whoever is to wake this one may vanish without a word
            rank = min(ranks, default=0)
            until = now + (SECONDS_PATIENCE_S if rank == 1 else max(PATIENCE_S, rank * self.limits.interval_s))
            until = min(until, due)  # a place that is given back before the token is home wakes nobody
        return None, until

    def _lanes_in_turn(self, now: float) -> list[Lane]:
        """Return the lanes, highest first, save that a ready one which was passed over too often goes before them."""
        if max(self._passed) < PASSED_OVER:
            return list(_LANES)
        return sorted(_LANES, key=lambda lane: (not self._is_overdue(lane, now), lane))

    def _is_overdue(self, lane: Lane, now: float) -> bool:
        return self._passed[lane] >= PASSED_OVER and self.ready_at(lane) <= now

    def _before(self, lane: Lane, member: str, now: float) -> tuple[int, int]:
        """Count what others send before this member: calls in higher lanes, and members served less recently."""
        if len(self.members) == 1:
            return 0, 0
        lanes = self._lanes_in_turn(now)
        before = [higher for higher in lanes[: lanes.index(lane)] if self.ready_at(higher) <= now]
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

    def _grant(self, lane: Lane, member: str, me: Member, now: float, lease_s: float) -> Lease:
        for other in _LANES:
            if other != lane and self.ready_at(other) <= now and self._is_asked(other, now):
                self._passed[other] += 1
        self._passed[lane] = 0
        if lane is Lane.BULK:
            interval = self.limits.interval_s
            self._bulk_at = max(self._bulk_at, now - max(CATCH_UP * interval, CATCH_UP_S)) + interval
        self._last_id += 1
        me.served[lane] = self._last_id
        me.asks = {asked: n - (asked == lane) for asked, n in me.asks.items() if n > (asked == lane)}
        lease = self.open[self._last_id] = Lease(self._last_id, member, lane, now, now + lease_s)
        self._first_expiry = min(self._first_expiry, lease.expires_at)
        return lease

    def _is_asked(self, lane: Lane, now: float) -> bool:
        return any(lane in member.asks and member.fresh_until >= now for member in self.members.values())

    def renew(self, lease: Lease, now: float, lease_s: float) -> Lease | None:
        """Let a lease run for `lease_s` from now; None if it was lost before."""
        self.settle(now)
        if lease.id not in self.open:
            return None
        renewed = self.open[lease.id] = evolve(lease, expires_at=now + lease_s)
        return renewed

    def next_up(self, now: float) -> str | None:
        """Return the member whose call could go now and that may not know it, to be woken; it is expected at once."""
        self.settle(now)
        for lane in self._lanes_in_turn(now):
            if self.ready_at(lane) > now:
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

    # -- giving back ------------------------------------------------------------------------------------------------

    def give_back(
        self, lease: Lease, end: End, now: float, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take back a lease; a second time, or after it was lost, changes nothing.

        Args:
            lease: What `take` granted.
            end: How the send ended.
            now: Ledger time.
            retry_after_s: With REFUSED, the vendor's own word, if it gave one.
            stretch: With REFUSED, jitter on the ladder: 1.0 or a little more.

        Returns:
            With REFUSED, what became of the account's hold-off; else None.
        """
        self.settle(now)
        if lease.id not in self.open:
            return None
        used = self._calls - self.tokens_free
        del self.open[lease.id]
        if end is End.UNCERTAIN:
            heapq.heappush(self._late_places, now + self.margin_s)
            heapq.heappush(self._late_tokens, now + self.margin_s + self.limits.per_s)
        elif end is not End.UNSENT:
            self._homecoming.append(now + self.limits.per_s)
        if end is End.REFUSED:
            return self._refused(lease, now, used, retry_after_s, stretch)
        if end is End.ANSWERED and self.strikes and lease.granted_at > self._hold_set_at:
            self.strikes = 0
        return None

    def bury(self, member: str, now: float) -> None:
        """Forget a member whose end is certain: with it ended its connections, so its calls ended without an answer."""
        for lease in [lease for lease in self.open.values() if lease.member == member]:
            self.give_back(lease, End.UNCERTAIN, now)
        self.members.pop(member, None)

    def _refused(self, lease: Lease, now: float, used: int, retry_after_s: float | None, stretch: float) -> Pause:
        """Move the hold-off forward. A call granted before the last one was set belongs to its burst."""
        is_new = lease.granted_at > self._hold_set_at
        pause_s, foreign = retry_after_s, 0
        if is_new:
            self.strikes += 1
            self._hold_set_at = now
            if pause_s is None:
                pause_s = VENDOR_LADDER_S[min(self.strikes, len(VENDOR_LADDER_S)) - 1] * stretch
        if pause_s is not None:
            self.hold_until = max(self.hold_until, now + pause_s)
        if is_new:
            foreign = self._squeeze(used)
        return Pause(self.hold_until, self.strikes, is_new, foreign, self._calls, used)

    def _squeeze(self, used: int) -> int:
        """Lower the limit in force after a 429 at `used` calls of ours; return how many others seem to have made."""
        foreign = self._calls - used if used < SQUEEZE_FULL * self._calls else 0
        least = max(1.0, LEAST_SHARE * self.limits.calls)
        self._lowered_to = max(least, self._calls * (SQUEEZE if foreign else SQUEEZE_FULL))
        self._lowered_at = self.hold_until
        self._calls = self._calls_at(self._lowered_at)
        return foreign

    def change_limits(self, limits: Limits, now: float) -> None:
        """Change what the account allows, without a burst.

        Tokens that are out come home a window of the new length after their answer. In a longer window calls count
        again whose tokens are home already, so nothing goes out until they no longer do.
        """
        self.settle(now)
        by_s = limits.per_s - self.limits.per_s
        self.limits = limits
        if by_s:
            dates = [date + by_s for date in self._homecoming]
            self._homecoming.clear()
            self._homecoming.extend(dates)
            self._late_tokens = [date + by_s for date in self._late_tokens]
        if by_s > 0:
            self.hold_until = max(self.hold_until, now) + by_s

    def hold(self, until: float) -> None:
        """Hold all calls until `until`, by hand; a running pause is never shortened."""
        self.hold_until = max(self.hold_until, until)

    def resume(self) -> None:
        """End every pause now, by hand."""
        self.hold_until = -math.inf

    def shift(self, by_s: float) -> None:
        """Move every date by `by_s`, for a clock that starts anew (another event loop)."""
        self.hold_until += by_s
        self._hold_set_at += by_s
        self._lowered_at += by_s
        self._bulk_at += by_s
        self._homecoming = deque(date + by_s for date in self._homecoming)
        self._late_tokens = [date + by_s for date in self._late_tokens]
        self._late_places = [date + by_s for date in self._late_places]

    # -- foretelling ------------------------------------------------------------------------------------------------

    def eta(self, lane: Lane, ahead: int, ahead_bulk: int, calls: int, now: float) -> float:
        """Return the earliest date at which the last of `calls` new calls of `lane` can be granted.

        A lower bound as far as the state tells: answers are assumed to come at once, and nobody else to join.

        Args:
            lane: The lane of the new calls.
            ahead: Waiting calls that go before them.
            ahead_bulk: How many of those are BULK, which is paced.
            calls: How many are asked for; at least 1.
            now: Ledger time.
        """
        self.settle(now)
        spare = self.reserve if lane is Lane.BULK else 0
        date = max(now, self.hold_until, self._nth_token(ahead + calls + spare, now))
        if self._place_at() > now:
            date = max(date, min(self._late_places, default=now))
        if lane is Lane.BULK:
            date = max(date, max(self._bulk_at, now) + (ahead_bulk + calls - 1) * self.limits.interval_s)
        return date

    def _nth_token(self, nth: int, now: float) -> float:
        """Return when the nth token from now can be had; open calls are taken to be answered this instant."""
        missing = nth - self.tokens_free
        if missing <= 0:
            return now
        start = max(now, self.hold_until)
        rounds, rest = divmod(missing - 1, self._calls)
        dates = [*self.homecoming(), *([now + self.limits.per_s] * len(self.open))]
        dates += [start + self.limits.per_s] * (self._calls - len(dates))
        return max(sorted(dates)[rest], start) + rounds * self.limits.per_s
