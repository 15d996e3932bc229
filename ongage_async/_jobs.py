"""One poller for every asynchronous job of the API: imports, exports, counts, searches.

`watch` asks again and again, at a cadence that grows with the time it has been watching, and gives a snapshot whenever
something has changed. Here lives the waiting and what is borne meanwhile; not what a job is (resources bring `fetch`
and `is_final`) and not the retries of one call (the engine has done its own before an error arrives here).
"""

import math
import operator
from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

import anyio
from attrs import define, field

from ongage_async.errors import (
    BudgetError,
    DecodeError,
    InvalidInputError,
    NotFoundError,
    OngageError,
    RateLimitedError,
    ServerError,
    TransportError,
)

T = TypeVar("T")
Fetch = Callable[[], Awaitable[T]]
Together = Callable[[Fetch[T], float], Awaitable[tuple[T, float]]]
"""From what makes the call, and the seconds until the next, to a snapshot and the loop time at which it was seen."""

PATIENCE_S = 2 * 3600.0
"""How long nothing but failures is borne: the vendor's maintenance, a lost network."""
GRACE_S = 60.0
"""How long a job that we have just made may be unknown to the vendor."""
CONFIRMATIONS = 2
"""How many further polls must say 404 before a job that was seen counts as vanished."""

_BEARABLE = (ServerError, TransportError, RateLimitedError, BudgetError, DecodeError)
_CADENCE = ((10.0, 2.0), (60.0, 5.0), (600.0, 15.0), (3600.0, 30.0))


def next_interval_s(age_s: float) -> float:
    """Return the seconds until the next poll of a job that has been watched for `age_s`.

    Short jobs are noticed at once; a job of an hour costs about 150 calls, and then one a minute. No source names an
    interval for imports; one client polls jobs every 10 to 15 s (vendor page §4.3).
    """
    return next((interval_s for until_s, interval_s in _CADENCE if age_s < until_s), 60.0)


def _always(interval_s: float) -> Callable[[float], float]:
    if not (math.isfinite(interval_s) and interval_s > 0):
        raise InvalidInputError("interval_s must be a positive number of seconds")
    return lambda _age_s: interval_s


@define
class _Trouble:
    """Decide what failures in a row mean; pure, the time is an argument.

    Args:
        name: Dotted name of the call, for notes.
        patience_s: How long failures are borne.
        grace_s: How long after `started_s` an unknown job may still appear.
        started_s: When the watch began; None until its first poll.
    """

    name: str
    patience_s: float
    grace_s: float
    started_s: float | None = None
    since_s: float | None = None
    misses: int = 0

    def age_s(self, now_s: float) -> float:
        """Return the age of the watch; the first question starts it."""
        if self.started_s is None:
            self.started_s = now_s
        return now_s - self.started_s

    def is_over(self) -> None:
        """Note a success."""
        self.since_s, self.misses = None, 0

    def fails(self, error: OngageError, now_s: float) -> float:
        """Note a failure and return how many seconds of patience are left.

        Raises:
            OngageError: The same error, when patience is used up.
        """
        if self.since_s is None:
            self.since_s = now_s
        left_s = self.since_s + self.patience_s - now_s
        if left_s <= 0:
            error.add_note(
                f"{self.name} was polled for {self.patience_s:.0f} s without a success, then the watch ended; "
                "the job itself may go on"
            )
            raise error
        return left_s

    def misses_one(self, error: NotFoundError, now_s: float, seen: str | None) -> None:
        """Note that the vendor does not know the job.

        Args:
            error: The 404.
            now_s: When it came.
            seen: The last snapshot in words; None when there was none.

        Raises:
            NotFoundError: The same error, when it is certain.
        """
        self.misses += 1
        if seen is None:
            if self.age_s(now_s) >= self.grace_s:
                raise error
        elif self.misses > CONFIRMATIONS:
            error.add_note(f"{self.name}: the job was there and has vanished; last seen: {seen}")
            raise error


@define(eq=False)
class Watch(Generic[T]):
    """Iterate over the snapshots of a job; made by `watch`.

    An object and not an async generator, so that breaking out of the loop leaves nothing behind: no generator waits for
    its finaliser (trio warns of those), and nothing is held between two steps.
    """

    _fetch: Fetch[T]
    _is_final: Callable[[T], bool]
    _cadence: Callable[[float], float]
    _describe: Callable[[T], str]
    _same: Callable[[T, T], bool]
    _together: Together[T] | None
    _trouble: _Trouble
    _seen: list[T] = field(factory=list)
    _next_at_s: float = -math.inf
    _is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._is_over:
            self._trouble.age_s(anyio.current_time())
            await anyio.sleep_until(self._next_at_s)
            try:
                if (news := await self._poll()) is not None:
                    return news[0]
            except Exception:
                self._is_over = True
                raise
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the iteration; there is nothing to clean up."""
        self._is_over = True

    async def _poll(self) -> tuple[T] | None:
        """Ask once; return the snapshot if it is news."""
        try:
            snapshot, seen_at_s = await self._look()
        except _BEARABLE as error:
            self._bear(error)
            return None
        except NotFoundError as error:
            self._trouble.misses_one(error, anyio.current_time(), self._last_words())
            self._plan(anyio.current_time())
            return None
        self._trouble.is_over()
        self._is_over = self._is_final(snapshot)
        self._plan(seen_at_s)
        if self._seen and self._same(self._seen[0], snapshot):
            return None
        self._seen = [snapshot]
        return (snapshot,)

    async def _look(self) -> tuple[T, float]:
        if self._together is not None:
            return await self._together(self._fetch, self._interval_s())
        return await self._fetch(), anyio.current_time()

    def _bear(self, error: OngageError) -> None:
        now_s = anyio.current_time()
        left_s = self._trouble.fails(error, now_s)
        self._plan(now_s, at_least_s=getattr(error, "retry_after_s", None) or 0.0, at_most_s=left_s)

    def _plan(self, from_s: float, at_least_s: float = 0.0, at_most_s: float = math.inf) -> None:
        """Set the time of the next poll, counted from the answer: one that took long is not followed by a hasty call.

        Watchers who took one answer so look again at the same time, and can share the next one too.
        """
        self._next_at_s = from_s + min(max(self._interval_s(), at_least_s), at_most_s)

    def _interval_s(self) -> float:
        return self._cadence(self._trouble.age_s(anyio.current_time()))

    def _last_words(self) -> str | None:
        return self._describe(self._seen[0]) if self._seen else None


def watch(
    fetch: Fetch[T],
    *,
    is_final: Callable[[T], bool],
    name: str,
    cadence: Callable[[float], float] = next_interval_s,
    interval_s: float | None = None,
    patience_s: float = PATIENCE_S,
    known: bool = False,
    describe: Callable[[T], str] = repr,
    same: Callable[[T, T], bool] = operator.eq,
    together: Together[T] | None = None,
) -> Watch[T]:
    """Give a snapshot of a job at once and then at every change, until the first final one.

    Args:
        fetch: Makes one call and returns the snapshot.
        is_final: Whether a snapshot is the last.
        name: Dotted name of the call, for notes.
        cadence: Seconds until the next poll, from the seconds that the watch is old.
        interval_s: A fixed interval instead of a cadence.
        patience_s: How long nothing but lost connections, 5xx, 429, refusals of our own governor and unreadable
            answers are borne; then the last one is raised.
        known: Whether the job was made just now: a 404 in the first 60 s is then not yet an answer.
        describe: Puts a snapshot into words, for the note on a job that vanished; must not show what is private.
        same: Whether two snapshots tell the same, so that the later one is no news.
        together: Makes the call, or takes what others have just seen.

    Raises:
        NotFoundError: While iterating: the vendor does not know the job; one that was seen is asked for twice more.
        OngageError: While iterating: anything that waiting does not cure, or the last error when patience is used up.
    """
    chosen = cadence if interval_s is None else _always(interval_s)
    trouble = _Trouble(name, patience_s, GRACE_S if known else 0.0)
    return Watch(fetch, is_final, chosen, describe, same, together, trouble)
