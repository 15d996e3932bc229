"""What an account allows: tokens, places, pauses and paces, and what the end of a call gives back.

Pure: time comes in as an argument, nothing waits, nothing is sent. Whose turn it is, is said in `_rules.py`.

Why a token comes home `per_s` after its *answer*: the vendor counts call *i* at some instant between its send and its
answer. A token that is used again no earlier than answer + per_s is counted again at least per_s after the first
count, so no window of per_s seconds, however it is cut, holds more than `calls` of them. Counting from the send fails
on uneven networks (a slow call is counted late, the next one early); refilling by the clock fails always.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Literal

from attrs import define, evolve, field

from ongage_async.config import Lane, Limits
from ongage_async.governor._lease import End, Lease, Pause

__all__ = [
    "CATCH_UP",
    "CATCH_UP_S",
    "CREEP_WINDOWS",
    "LEAST_SHARE",
    "SQUEEZE",
    "SQUEEZE_FULL",
    "VENDOR_LADDER_S",
    "Budget",
    "Scarce",
]

Scarce = Literal["pause", "rate", "place", "turn"]
"""What a call waits for: the end of a pause, a token, a place; or whoever is before it, or the pace of BULK."""

VENDOR_LADDER_S = (60.0, 120.0, 240.0, 480.0, 960.0)
"""Waits that the vendor suggests after a 429 and after any 5xx (vendor page §2)."""

CATCH_UP, CATCH_UP_S = 5, 0.2
"""How many calls, and seconds at the least, BULK may be behind its pace and still make up for: slow answers and the
turns of a fleet (a few TURN_S) must not cost it its share."""

SQUEEZE, SQUEEZE_FULL, LEAST_SHARE, CREEP_WINDOWS = 0.7, 0.95, 0.1, 10
"""A 429 below our own count means that somebody else spends the account: the limit in force falls to SQUEEZE of itself
(to SQUEEZE_FULL when our count was at the limit), not below LEAST_SHARE, and creeps back over CREEP_WINDOWS windows."""

_BULK = Lane.BULK
_ANSWERED, _REFUSED, _UNSENT, _UNCERTAIN = End.ANSWERED, End.REFUSED, End.UNSENT, End.UNCERTAIN
# To look a member of an enumeration up takes as long as a call of a function, and every grant asks for seven.


@define
class Budget:
    """Hold what is spent of an account, and say when the next call may go.

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
    _hold_set_at: float = field(default=-math.inf, init=False)
    _lowered_to: float = field(default=math.inf, init=False)
    _lowered_at: float = field(default=-math.inf, init=False)
    _calls: int = field(init=False)
    _homecoming: deque[float] = field(factory=deque, init=False)
    _late_tokens: list[float] = field(factory=list, init=False)
    _late_places: list[float] = field(factory=list, init=False)
    _bulk_at: float = field(default=-math.inf, init=False)
    _first_expiry: float = field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._calls = self.limits.calls

    # -- looking ----------------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Let every token and place that is due come home, those of lost calls included."""
        if self._first_expiry <= now:
            self._expire(now)
        home = self._homecoming
        while home and home[0] <= now:
            home.popleft()
        if self._late_tokens or self._late_places:
            for dates in (self._late_tokens, self._late_places):
                while dates and dates[0] <= now:
                    heapq.heappop(dates)
        self._calls = self.limits.calls if self._lowered_to == math.inf else self._calls_at(now)

    def _calls_at(self, now: float) -> int:
        crept = max(0.0, now - self._lowered_at) * self.limits.calls / (CREEP_WINDOWS * self.limits.per_s)
        return math.floor(min(self.limits.calls, self._lowered_to + crept))

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
        place_at = self._place_at(ahead)
        return place_at if place_at == math.inf else max(self._due_at(lane, ahead), place_at)

    def is_ready(self, lane: Lane, now: float, ahead: int = 0) -> bool:
        """Say whether `ready_at` is past; `now` is that of the last `settle`, so what is out comes home later."""
        out = len(self.open)
        return (
            out + len(self._late_places) + ahead < self.limits.parallel
            and out + len(self._homecoming) + len(self._late_tokens) + ahead < self._calls
            and self.hold_until <= now
            and (lane is not _BULK or self._due_at(lane, ahead) <= now)
        )

    def _due_at(self, lane: Lane, ahead: int) -> float:
        """Return the same as far as pauses, tokens and the pace of BULK go, were there places enough."""
        spare = self.reserve if lane is _BULK else 0
        date = max(self.hold_until, self._token_at(spare + ahead))
        return max(date, self._bulk_at + ahead * self.limits.interval_s) if lane is _BULK else date

    def _pace(self, now: float) -> None:
        """Note that BULK sends a call now."""
        interval_s = self.limits.interval_s
        self._bulk_at = max(self._bulk_at, now - max(CATCH_UP * interval_s, CATCH_UP_S)) + interval_s

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

    def scarce(self, lane: Lane, now: float) -> Scarce:
        """Return what a call of `lane` that comes now has to wait for, if it has to; the longest wait first."""
        self.settle(now)
        if self.hold_until > now:
            return "pause"
        if self.tokens_free <= (self.reserve if lane is _BULK else 0):
            return "rate"
        return "place" if self.places_taken >= self.limits.parallel else "turn"

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
        if end is _REFUSED or self._first_expiry <= now:
            self.settle(now)
        if self.open.pop(lease.id, None) is None:
            return None
        if end is _UNCERTAIN:
            heapq.heappush(self._late_places, now + self.margin_s)
            heapq.heappush(self._late_tokens, now + self.margin_s + self.limits.per_s)
        elif end is not _UNSENT:
            self._homecoming.append(now + self.limits.per_s)
        if end is _REFUSED:
            return self._refused(lease, now, retry_after_s, stretch)
        if self.strikes and end is _ANSWERED and lease.granted_at > self._hold_set_at:
            self.strikes = 0
        return None

    def renew(self, lease: Lease, now: float, lease_s: float) -> Lease | None:
        """Let a lease run for `lease_s` from now; None if it was lost before."""
        self.settle(now)
        if lease.id not in self.open:
            return None
        renewed = self.open[lease.id] = evolve(lease, expires_at=now + lease_s)
        return renewed

    def _refused(self, lease: Lease, now: float, retry_after_s: float | None, stretch: float) -> Pause:
        """Move the hold-off forward. A call granted before the last one was set belongs to its burst."""
        is_new, used = lease.granted_at > self._hold_set_at, self._calls - self.tokens_free
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
        spare = self.reserve if lane is _BULK else 0
        date = max(now, self.hold_until, self._nth_token(ahead + calls + spare, now))
        if self._place_at() > now:
            date = max(date, min(self._late_places, default=now))
        if lane is _BULK:
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
