"""What the server saw: every arrival and departure, kept in columns of numbers, and what can be read from them.

`worst_window` and `worst_overlap` are pure and know nothing of the emulator. The app writes the log; tests and
benchmarks read it. A limit is asserted from here, never from the client's own counters.
"""

import math
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from attrs import define, field, frozen

__all__ = ["Sighting", "Witness", "worst_overlap", "worst_window"]


def worst_window(times: Iterable[float], per_s: float) -> int:
    """Return the most times that lie in any half-open window of `per_s` seconds.

    Args:
        times: In any order.
        per_s: Length of the window; its end is not part of it.
    """
    ordered = sorted(times)
    worst, first = 0, 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= per_s:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def worst_overlap(starts: Iterable[float], ends: Iterable[float]) -> int:
    """Return the most half-open intervals that cover one instant.

    Args:
        starts: Starts, in any order.
        ends: As many ends, in any order; infinity for what is still open.
    """
    ordered = sorted(starts)
    closing = sorted(ends)
    return max((begun - bisect_right(closing, start) for begun, start in enumerate(ordered, 1)), default=0)


@frozen
class Sighting:
    """Describe one call as the server saw it.

    Args:
        arrived_at: Seconds of the emulator's clock.
        departed_at: The same; None while the call is open.
        method: HTTP method.
        route: Path template, ``?`` for a path that nobody knows.
        operation: Dotted name, ``unknown`` for such a path.
        status: HTTP status sent, 0 when the connection was dropped without one.
        account: Account code, empty when the credentials were bad.
        executed: Whether the call had its effect.
        fault: Name of the fault played on it, or empty.
    """

    arrived_at: float
    departed_at: float | None
    method: str
    route: str
    operation: str
    status: int
    account: str
    executed: bool
    fault: str


@define(eq=False)
class Witness:
    """Log calls; 43 bytes each. Written by the serving thread while others read: a lock keeps the columns in step.

    Args:
        max_calls: Most calls kept; when there are more, the older half is forgotten.
    """

    max_calls: int = 1_000_000
    _arrived: "array[float]" = field(factory=lambda: array("d"), init=False, repr=False)
    _departed: "array[float]" = field(factory=lambda: array("d"), init=False, repr=False)
    _arrival_ticks: "array[int]" = field(factory=lambda: array("q"), init=False, repr=False)
    _departure_ticks: "array[float]" = field(factory=lambda: array("d"), init=False, repr=False)
    _words: "array[int]" = field(factory=lambda: array("l"), init=False, repr=False)
    _statuses: "array[int]" = field(factory=lambda: array("H"), init=False, repr=False)
    _executed: bytearray = field(factory=bytearray, init=False, repr=False)
    _interned: dict[tuple[str, str, str, str, str], int] = field(factory=dict, init=False, repr=False)
    _spoken: list[tuple[str, str, str, str, str]] = field(factory=list, init=False, repr=False)
    _forgotten: int = field(default=0, init=False)
    _tick: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __len__(self) -> int:
        return len(self._executed)

    def arrive(self, at: float, method: str, route: str, operation: str) -> int:
        """Note an arrival and return the ticket for the departure."""
        with self._lock:
            if len(self._arrived) >= self.max_calls:
                self._forget(max(1, len(self._arrived) // 2))
            self._tick += 1
            self._arrived.append(at)
            self._departed.append(math.nan)
            self._arrival_ticks.append(self._tick)
            self._departure_ticks.append(math.inf)
            self._words.append(self._intern((method, route, operation, "", "")))
            self._statuses.append(0)
            self._executed.append(0)
            return self._forgotten + len(self._arrived) - 1

    def depart(
        self, ticket: int, at: float, *, status: int, account: str = "", executed: bool = False, fault: str = ""
    ) -> None:
        """Note the departure of a call."""
        with self._lock:
            place = ticket - self._forgotten
            if place < 0:
                return
            self._tick += 1
            self._departed[place] = at
            self._departure_ticks[place] = self._tick
            method, route, operation, _, _ = self._word(place)
            self._words[place] = self._intern((method, route, operation, account, fault))
            self._statuses[place] = status
            self._executed[place] = executed

    @property
    def calls(self) -> Sequence[Sighting]:
        """Return every call that is kept, in the order of arrival."""
        with self._lock:
            return list(self._each())

    def count(self, operation: str | None = None, *, executed: bool | None = None, status: int | None = None) -> int:
        """Count calls.

        Args:
            operation: Dotted name; None for all.
            executed: Only those that had, or had not, their effect.
            status: Only those answered with this HTTP status.
        """
        with self._lock:
            return sum(
                (operation is None or operation == self._word(place)[2])
                and (executed is None or executed == bool(self._executed[place]))
                and (status is None or status == self._statuses[place])
                for place in range(len(self))
            )

    def worst_window(self, per_s: float = 60.0) -> int:
        """Return the most arrivals, denied ones too, in any window of `per_s` seconds."""
        with self._lock:
            times = self._arrived[:]
        return worst_window(times, per_s)

    def worst_open(self) -> int:
        """Return the most calls that were open at once, in the order in which things really happened.

        On a virtual clock many things happen at one time; the order of the events decides, not their times.
        """
        with self._lock:
            starts, ends = self._arrival_ticks[:], self._departure_ticks[:]
        return worst_overlap(starts, ends)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._forget(len(self))

    def _each(self) -> Iterator[Sighting]:
        for place in range(len(self)):
            method, route, operation, account, fault = self._word(place)
            departed_at = self._departed[place]
            yield Sighting(
                arrived_at=self._arrived[place],
                departed_at=None if math.isnan(departed_at) else departed_at,
                method=method,
                route=route,
                operation=operation,
                status=self._statuses[place],
                account=account,
                executed=bool(self._executed[place]),
                fault=fault,
            )

    def _forget(self, count: int) -> None:
        columns = (
            self._arrived,
            self._departed,
            self._arrival_ticks,
            self._departure_ticks,
            self._words,
            self._statuses,
        )
        for column in columns:
            del column[:count]
        del self._executed[:count]
        self._forgotten += count

    def _intern(self, words: tuple[str, str, str, str, str]) -> int:
        place = self._interned.get(words)
        if place is None:
            place = self._interned[words] = len(self._interned)
            self._spoken.append(words)
        return place

    def _word(self, place: int) -> tuple[str, str, str, str, str]:
        return self._spoken[self._words[place]]
