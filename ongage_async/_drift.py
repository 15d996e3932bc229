"""What drifted in this process, counted: the memory behind `drift_report`.

Every model that is made is looked at in `models/_converter.py`, whichever client, view, loop or thread it is for; what
it does not know is counted here. For the whole process, since a webhook is read without any client. Here is no reading
of JSON, and nothing waits.
"""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from attrs import define, field

from ongage_async.events import DriftReport, DriftRow, DriftSeen

__all__ = ["LONGEST_NAME", "MOST_ENTRIES", "DriftCounter", "count", "drift_report"]

MOST_ENTRIES = 1000
"""Fields and values that are told apart; sightings of further ones are counted together."""
LONGEST_NAME = 100
"""Characters of a field's name that are kept: whoever answers chooses it."""


@define
class _Tally:
    count: int
    first_seen: datetime
    last_seen: datetime


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class DriftCounter:
    """Count sightings, from any thread.

    Args:
        most: Entries that are told apart.
        now: Returns the time, aware.
    """

    most: int = MOST_ENTRIES
    now: Callable[[], datetime] = _now
    _tallies: dict[DriftSeen, _Tally] = field(factory=dict, init=False)
    _others: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def count(self, sightings: Iterable[DriftSeen]) -> None:
        """Count what one answer held; each entry once."""
        now = self.now()
        with self._lock:
            for seen in sightings:
                self._count_one(seen, now)

    def _count_one(self, seen: DriftSeen, now: datetime) -> None:
        tally = self._tallies.get(seen)
        if tally is not None:
            tally.count += 1
            tally.last_seen = max(tally.last_seen, now)
        elif len(self._tallies) < self.most:
            self._tallies[seen] = _Tally(1, now, now)
        else:
            self._others += 1

    def report(self, *, reset: bool = False) -> DriftReport:
        """Return what was counted, and forget it if asked: what comes meanwhile is in this report or in the next."""
        with self._lock:
            found = [
                DriftRow(seen.model, seen.field, seen.kind, tally.count, tally.first_seen, tally.last_seen)
                for seen, tally in self._tallies.items()
            ]
            others = self._others
            if reset:
                self._tallies.clear()
                self._others = 0
        found.sort(key=lambda row: (-row.count, row.model, row.field, row.kind))
        return DriftReport(tuple(found), others)

    def unlock(self) -> None:
        """Take a new lock: after a fork the old one may be held by a thread that the child does not have."""
        self._lock = threading.Lock()


_COUNTER = DriftCounter()
os.register_at_fork(after_in_child=_COUNTER.unlock)


def count(sightings: Iterable[DriftSeen]) -> None:
    """Count what one answer held, for `drift_report`."""
    _COUNTER.count(sightings)


def drift_report(*, reset: bool = False) -> DriftReport:
    """Tell which fields and values this process saw that this version does not know: the vendor's API moves on.

    They were kept (in `extra`, or as enum members whose `is_known` is false), not lost. `str()` of the report is a
    table. Print it at the end of a nightly job, and report what it says.

    Args:
        reset: Whether to start counting anew, so that each report tells what came since the last one.

    Returns:
        One row per field or value, the most frequent first; an answer counts once however many of its objects have it.
        All clients, both vendors and the webhook together; 1,000 rows at most, `others` counts the rest. Addresses in
        names of fields are masked.

    Cost: no call.
    """
    return _COUNTER.report(reset=reset)
