"""Let those who watch jobs of one list look together: one call for the collection in place of one call for each.

Nobody leads: whoever looks first makes the call, in a task of our own, and all who look at the same time, or soon
after, take what it brings. So a watcher may come and go at any instant and disturbs nobody, and nothing runs while
nobody looks.
Used by `resources/imports.py`; how long to wait between two looks is `_jobs.py`'s.
"""

import math
from collections.abc import Awaitable, Callable, Hashable, Mapping
from itertools import islice
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import anyio
from attrs import define, field

from ongage_async._tasks import Yard
from ongage_async.errors import APIError, DecodeError, RateLimitedError, ServerError, copied

T = TypeVar("T")

__all__ = ["Group", "Groups"]

APART_S = 120.0
"""How long everybody looks alone after the collection was of no use: refused, unreadable, or without their jobs."""
PRESENT = 3.0
"""Intervals after its last look for which a watcher counts as present: one that has left says nothing."""
STALE = 0.5
"""Share of the interval that a shared answer may be old."""

Page = Callable[[int], Awaitable[Mapping[int, T]]]
"""Makes one call for at least so many jobs, the newest first; returns those that came, by id."""


@define(eq=False)
class _Round(Generic[T]):
    """One call for all.

    Attributes:
        asking: How many wait for it.
        found: Jobs by id; None when it failed.
        error: Why.
        at_s: When it had ended.
        is_useful: Whether it showed more than one job that is watched; None until somebody has looked.
    """

    over: anyio.Event = field(factory=anyio.Event)
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    asking: int = 0
    found: Mapping[int, T] | None = None
    error: Exception | None = None
    at_s: float = 0.0
    is_useful: bool | None = None

    def is_fresh(self, now_s: float, interval_s: float) -> bool:
        """Whether somebody who looks so often may take what it brought, or may wait for it."""
        if not self.over.is_set():
            return not self.scope.cancel_called
        return self.found is not None and now_s - self.at_s <= STALE * interval_s

    async def make(self, page: Page[T], jobs: int) -> None:
        with self.scope:
            try:
                self.found = await page(jobs)
            except Exception as error:  # noqa: BLE001 - told to each who asked, as an error of its own
                self.error = error
            finally:
                self.at_s = anyio.current_time()
                self.over.set()

    async def wait(self) -> None:
        """Wait for its end; when the last one who asks leaves, it is given up."""
        self.asking += 1
        try:
            await self.over.wait()
        finally:
            self.asking -= 1
            if not self.asking and not self.over.is_set():
                self.scope.cancel()


@define(eq=False)
class Group(Generic[T]):
    """Those who watch jobs of one list."""

    _present: dict[Hashable, tuple[int, float]] = field(factory=dict)
    _round: _Round[T] | None = None
    _sweep_at_s: float = -math.inf
    _apart_until_s: float = -math.inf
    _yard: Yard = field(factory=Yard)

    async def look(
        self, who: Hashable, job_id: int, page: Page[T], alone: Callable[[], Awaitable[T]], interval_s: float
    ) -> tuple[T, float]:
        """Return a job as it is, and when it was seen, in loop time.

        Args:
            who: The watcher.
            job_id: Its job.
            page: Makes the call for all.
            alone: Makes the call for this job only: for one watcher, and for a job that the collection does not show.
            interval_s: Seconds until it will look again.

        Raises:
            OngageError: As the call that was made; each watcher gets an error of its own.
        """
        now_s = anyio.current_time()
        self._note(who, job_id, now_s, interval_s)
        if len(self._present) > 1 and now_s >= self._apart_until_s:
            seen = await self._shared(now_s, interval_s, page)
            if seen is not None and seen.found is not None and job_id in seen.found:
                return seen.found[job_id], seen.at_s
        job = await alone()
        return job, anyio.current_time()

    def leave(self, who: Hashable) -> None:
        """Say that a watcher has ended; one that says nothing is forgotten after some of its intervals."""
        self._present.pop(who, None)

    def _note(self, who: Hashable, job_id: int, now_s: float, interval_s: float) -> None:
        self._present[who] = (job_id, now_s + PRESENT * interval_s)
        if now_s < self._sweep_at_s:
            return
        self._sweep_at_s = now_s + interval_s  # once for all who look meanwhile, however many they are
        for each in [each for each, (_, until_s) in self._present.items() if until_s < now_s]:
            del self._present[each]

    async def _shared(self, now_s: float, interval_s: float, page: Page[T]) -> _Round[T] | None:
        """Return a round that has ended; None when the collection is of no use now."""
        seen = self._round
        if seen is None or not seen.is_fresh(now_s, interval_s):
            seen = self._round = _Round()
            self._yard.start(seen.make, page, len({job_id for job_id, _ in self._present.values()}))
        if not seen.over.is_set():
            await seen.wait()
            if seen.error is not None and not _is_about_the_page(seen.error):
                raise copied(seen.error)
            if seen.is_useful is None and not self._is_useful(seen):
                self._apart_until_s = anyio.current_time() + APART_S
        return seen

    def _is_useful(self, seen: _Round[T]) -> bool:
        found = seen.found or {}
        shown = (who for who, (job_id, _) in self._present.items() if job_id in found)
        seen.is_useful = len(list(islice(shown, 2))) == 2
        return seen.is_useful


def _is_about_the_page(error: Exception) -> bool:
    """Tell a collection that cannot be used from trouble that a call for one job would meet as well."""
    refused = isinstance(error, APIError) and not isinstance(error, (ServerError, RateLimitedError))
    return refused or isinstance(error, DecodeError)


@define(eq=False)
class Groups(Generic[T]):
    """Hold the groups of a client: one for each list and each choice of options. Empty ones are forgotten."""

    _known: "WeakValueDictionary[Hashable, Group[T]]" = field(factory=WeakValueDictionary)

    def of(self, *key: Hashable) -> Group[T]:
        """Return the group of a key, such as options and list; it lasts as long as somebody holds it."""
        group = self._known.get(key)
        if group is None:
            group = self._known[key] = Group()
        return group
