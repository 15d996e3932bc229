"""Foretell what a load will cost and when it will be over: pure, by acting it out with the clock as a number.

The same rules that a load goes by are followed here: parts side by side, the cadence of looking (`_jobs.py`), one look
for all who watch (`_together.py`). What cannot be known is an argument: how fast the vendor is. `_plan.py` is the
caller.
"""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field, frozen

from ongage_async import _jobs
from ongage_async._together import STALE

__all__ = ["CONTACTS_PER_CALL", "Forecast", "Pace", "foretell_calls", "foretell_imports"]

CONTACTS_PER_CALL = 100
"""Above about so many contacts the vendor advises to import (vendor page §2)."""


@frozen(kw_only=True)
class Pace:
    """Say how fast the vendor is.

    Args:
        rows_per_s: Rows that one import works through in a second. About 470,000 an hour, says the vendor's older help
            page (vendor page §2); newer ones are said to be faster for large files.
        overhead_s: Seconds in which an import is queued, validated and counted, beside its rows: *assumed*.
        call_s: Seconds from a call to its answer; None: as measured while planning.
    """

    rows_per_s: float = 130.0
    overhead_s: float = 0.0
    call_s: float | None = None


@frozen(kw_only=True)
class Forecast:
    """Tell what a way of loading will cost.

    Attributes:
        calls: Operation → calls.
        elapsed_s: Seconds from the first call to the last answer.
    """

    calls: dict[str, int]
    elapsed_s: float

    @property
    def calls_total(self) -> int:
        """All calls together."""
        return sum(self.calls.values())


def foretell_calls(rows: int, *, call_s: float, parallel: int) -> Forecast:
    """Act out rows that go by calls of up to `CONTACTS_PER_CALL`."""
    calls = math.ceil(rows / CONTACTS_PER_CALL)
    return Forecast(calls={"contacts.create": calls}, elapsed_s=math.ceil(calls / parallel) * call_s)


def foretell_imports(
    rows: Sequence[int], *, concurrent: int, pace: Pace, call_s: float, interval_s: float | None = None
) -> Forecast:
    """Act out imports.

    Args:
        rows: Rows of each part.
        concurrent: Parts that are under way at once.
        pace: How fast the vendor is.
        call_s: Seconds from a call to its answer.
        interval_s: Seconds between two looks; None: the cadence that grows.
    """
    return _Stage(
        iter(rows), pace, call_s, _jobs.next_interval_s if interval_s is None else lambda _age_s: interval_s
    ).act(concurrent)


@define
class _Watcher:
    """One import that is watched.

    Attributes:
        began_s: When the watch began.
        over_s: When the import will be over.
        asks: Whether it asks next, or else has its answer.
        is_present: Whether it has looked.
    """

    began_s: float
    over_s: float
    asks: bool = True
    is_present: bool = False


@define
class _Stage:
    """The scene: who looks when, and what that costs."""

    rows: Iterator[int]
    pace: Pace
    call_s: float
    cadence: Callable[[float], float]
    calls: Counter[str] = field(factory=Counter)
    present: int = 0
    seen_s: float = -math.inf
    _order: Iterator[int] = field(factory=itertools.count)
    _events: list[tuple[float, int, _Watcher]] = field(factory=list)

    def act(self, concurrent: int) -> Forecast:
        """Act all of it out."""
        for _ in range(concurrent):
            self._begin(0.0)
        now_s = 0.0
        while self._events:
            now_s, _, watcher = heapq.heappop(self._events)
            if watcher.asks:
                self._ask(now_s, watcher)
            else:
                self._take(now_s, watcher)
        return Forecast(calls=dict(self.calls), elapsed_s=now_s)

    def _begin(self, now_s: float) -> None:
        """Create the next import, if there is one; the first look follows at once."""
        rows = next(self.rows, None)
        if rows is None:
            return
        self.calls["imports.create"] += 1
        made_s = now_s + self.call_s
        over_s = made_s + self.pace.overhead_s + rows / self.pace.rows_per_s
        self._plan(made_s, _Watcher(made_s, over_s))

    def _plan(self, at_s: float, watcher: _Watcher) -> None:
        heapq.heappush(self._events, (at_s, next(self._order), watcher))

    def _ask(self, now_s: float, watcher: _Watcher) -> None:
        """Make a call, or share the one that others make or have just made."""
        if not watcher.is_present:
            watcher.is_present = True
            self.present += 1
        watcher.asks = False
        if self.present < 2:
            self.calls["imports.get"] += 1
            answered_s = now_s + self.call_s
        else:
            if now_s - self.seen_s > STALE * self.cadence(now_s - watcher.began_s):
                self.calls["imports.page"] += 1
                self.seen_s = now_s + self.call_s
            answered_s = self.seen_s
        self._plan(max(now_s, answered_s), watcher)

    def _take(self, now_s: float, watcher: _Watcher) -> None:
        """Take an answer: the import is over, or it is looked at again later."""
        if watcher.over_s <= now_s:
            self.present -= 1
            if not self.present:
                self.seen_s = -math.inf  # nobody holds the last answer any more
            self._begin(now_s)
        else:
            watcher.asks = True
            self._plan(now_s + self.cadence(now_s - watcher.began_s), watcher)
