"""Send any number of rows in calls of some thousands, and tell what became of each.

The vendor answers a call with counters and never with one outcome per row (vendor page §5 #5), so the call is the unit:
all rows of a call share its outcome, but for those that were never sent because they cannot be.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from ongage_async.errors import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    OngageError,
    Outcome,
    PermissionDeniedError,
)
from ongage_async.models.ownpage import SubscribersResult, Success

__all__ = ["CallOutcome", "RejectedRow", "StreamReport", "send_all"]

_HOPELESS = (AuthenticationError, PermissionDeniedError, NotFoundError, ConfigurationError)
_KEPT_REASONS = 10_000
ROWS_A_TURN = 500
"""Rows after which others get a turn on the event loop."""

Send = Callable[[list[dict[str, Any]]], Awaitable[SubscribersResult | Success]]
Row = Callable[[Any, int], dict[str, Any]]


@frozen
class RejectedRow:
    """Name a row that was never sent.

    Attributes:
        row: Its number, counted from 1.
        reason: Why; holds no address.
    """

    row: int
    reason: str


@frozen
class CallOutcome:
    """Tell what became of the rows of one call.

    Attributes:
        first_row: Number of its first row, counted from 1.
        last_row: Number of its last row; rejected rows in between are not part of it.
        rows: How many it carried.
        result: The vendor's answer; None when it refused or gave none.
        error: Why there is no answer; its `outcome` says whether the rows may have been taken.
    """

    first_row: int
    last_row: int
    rows: int
    result: SubscribersResult | Success | None = None
    error: OngageError | None = None

    @property
    def is_done(self) -> bool:
        """Whether the vendor took the call."""
        return self.error is None

    @property
    def is_unknown(self) -> bool:
        """Whether the rows may have been taken, and nobody can say."""
        return self.error is not None and self.error.outcome is Outcome.UNKNOWN


@frozen
class StreamReport:
    """Tell what became of all rows; the counts add up to the input.

    Attributes:
        rows_read: Rows that were taken from the source.
        calls: One outcome per call, in the order of their rows.
        rejected: Rows that were never sent, the first 10,000 of them.
        rows_rejected: How many there are.
    """

    rows_read: int
    calls: tuple[CallOutcome, ...]
    rejected: tuple[RejectedRow, ...] = ()
    rows_rejected: int = 0

    @property
    def rows_done(self) -> int:
        """Rows in calls that the vendor took; it may have ignored some of them, as its counters tell."""
        return sum(call.rows for call in self.calls if call.is_done)

    @property
    def rows_refused(self) -> int:
        """Rows in calls that the vendor refused, or that were not sent."""
        return sum(call.rows for call in self.calls if not call.is_done and not call.is_unknown)

    @property
    def rows_unknown(self) -> int:
        """Rows in calls whose outcome is not known."""
        return sum(call.rows for call in self.calls if call.is_unknown)

    @property
    def adds_up(self) -> bool:
        """Every row is done, refused, unknown or rejected."""
        return self.rows_read == self.rows_done + self.rows_refused + self.rows_unknown + self.rows_rejected

    @property
    def is_complete(self) -> bool:
        """Every row was taken by the vendor."""
        return self.rows_read == self.rows_done

    def total(self, counter: str) -> int:
        """Add up one of the vendor's counters over all calls, ``nb_created``; calls that lack it count as 0."""
        return sum(getattr(call.result, counter, None) or 0 for call in self.calls)

    def as_text(self) -> str:
        """Return it for people, in one line."""
        return (
            f"{self.rows_read:,} rows read = {self.rows_done:,} done + {self.rows_refused:,} refused + "
            f"{self.rows_unknown:,} unknown + {self.rows_rejected:,} rejected, in {len(self.calls):,} calls"
        )


@define
class _Batch:
    """The rows of one call, and their numbers."""

    first_row: int = 0
    last_row: int = 0
    body: list[dict[str, Any]] = field(factory=list)

    def add(self, number: int, row: dict[str, Any]) -> None:
        self.first_row = self.first_row or number
        self.last_row = number
        self.body.append(row)


@define
class _Work:
    """One stream under way."""

    send: Send
    row: Row
    per_call: int
    rows_read: int = 0
    rows_rejected: int = 0
    rejected: list[RejectedRow] = field(factory=list)
    calls: list[CallOutcome] = field(factory=list)
    hopeless: OngageError | None = None

    async def batches(self, rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[_Batch]:
        batch = _Batch()
        async with aclosing(_one_by_one(rows)) as each:
            async for given in each:
                self._take(batch, given)
                if len(batch.body) == self.per_call:
                    yield batch
                    batch = _Batch()
        if batch.body:
            yield batch

    def _take(self, batch: _Batch, given: Any) -> None:
        self.rows_read += 1
        try:
            batch.add(self.rows_read, self.row(given, self.rows_read))
        except InvalidInputError as error:
            self.rows_rejected += 1
            if len(self.rejected) < _KEPT_REASONS:
                self.rejected.append(RejectedRow(self.rows_read, str(error)))

    async def carry(self, batch: _Batch, places: anyio.Semaphore) -> None:
        result, trouble = None, None
        try:
            result = await self.send(batch.body)
        except OngageError as error:
            trouble = error
            if isinstance(error, _HOPELESS):
                self.hopeless = self.hopeless or error
        finally:
            places.release()
        self.calls.append(CallOutcome(batch.first_row, batch.last_row, len(batch.body), result, trouble))

    def report(self) -> StreamReport:
        calls = tuple(sorted(self.calls, key=lambda call: call.first_row))
        return StreamReport(self.rows_read, calls, tuple(self.rejected), self.rows_rejected)


async def send_all(
    rows: Iterable[Any] | AsyncIterable[Any], send: Send, *, row: Row, per_call: int, in_parallel: int, operation: str
) -> StreamReport:
    """Cut rows into calls and make them.

    Args:
        rows: Where rows come from; an error of theirs ends the stream, after the calls that are open.
        send: Makes one call.
        row: Makes what is sent of a row and its number; raises InvalidInputError for one that cannot be.
        per_call: Rows per call.
        in_parallel: Calls that may be open at once.
        operation: Dotted name, for the error.

    Raises:
        OngageError: What makes all further calls hopeless; its notes tell how far it came.
    """
    if isinstance(rows, (str, bytes)):
        raise InvalidInputError(f"give rows, not {type(rows).__name__}", operation=operation)
    if in_parallel < 1:
        raise InvalidInputError("in_parallel must be at least 1", operation=operation)
    work, places = _Work(send, row, per_call), anyio.Semaphore(in_parallel)
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        try:
            async with aclosing(work.batches(rows)) as batches:
                async for batch in batches:
                    await places.acquire()
                    if work.hopeless is not None:
                        break
                    tasks.start_soon(work.carry, batch, places)
        except Exception as error:  # noqa: BLE001 - the source's own; raised as it is, outside of the group
            failure = error
    if (end := work.hopeless or failure) is not None:
        end.add_note(f"{operation}, before it stopped: {work.report().as_text()}")
        raise end
    return work.report()


async def _one_by_one(rows: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Any]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
        return
    for number, row in enumerate(rows, 1):
        yield row
        if number % ROWS_A_TURN == 0:
            await anyio.lowlevel.checkpoint()
