"""Send any number of rows in calls of some thousands, and tell what became of each.

The vendor answers a call with counters and never with one outcome per row (vendor page §5 #5), so the call is the unit:
all rows of a call share its outcome, but for those that were never sent because they cannot be.
"""

import warnings
from collections.abc import AsyncIterable, Awaitable, Callable, Generator, Iterable
from typing import Any, Self

import anyio
from attrs import define, field, frozen

from ongage_async.bulk.many._window import END, Rows, Window
from ongage_async.errors import (
    AuthenticationError,
    BulkError,
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    OngageError,
    Outcome,
    PermissionDeniedError,
)
from ongage_async.models.ownpage import SubscribersResult, Success

__all__ = ["CallOutcome", "RejectedRow", "Stream", "StreamReport"]

_HOPELESS = (AuthenticationError, PermissionDeniedError, NotFoundError, ConfigurationError)
_KEPT_REASONS = 10_000

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


class Stream:
    """Await it for the report, or iterate over it for an outcome per call, as the calls end.

    Both read the source only as fast as calls go. It may be left at any time: calls that are open then end by
    themselves, and `aclose` gives them up. `report` tells at any moment, also after an error, how far it is.

    Args:
        rows: Where rows come from; an error of theirs ends the stream, after the calls with what came before.
        send: Makes one call.
        row: Makes what is sent of a row and its number; raises InvalidInputError for one that cannot be.
        per_call: Rows per call.
        in_parallel: Calls that may be open at once.
        operation: Dotted name, for the error.
    """

    def __init__(
        self,
        rows: Iterable[Any] | AsyncIterable[Any],
        send: Send,
        *,
        row: Row,
        per_call: int,
        in_parallel: int,
        operation: str,
    ) -> None:
        if isinstance(rows, (str, bytes)):
            raise InvalidInputError(f"give rows, not {type(rows).__name__}", operation=operation)
        if in_parallel < 1:
            raise InvalidInputError("in_parallel must be at least 1", operation=operation)
        self._source = Rows(rows)
        self._send = send
        self._row = row
        self._per_call = per_call
        self._operation = operation
        self._window: Window[CallOutcome] = Window(in_parallel)
        self._rows_read = self._rows_rejected = 0
        self._rejected: list[RejectedRow] = []
        self._calls: list[CallOutcome] = []
        self._exhausted = self._is_over = self._has_begun = False
        self._failure: Exception | None = None

    @property
    def report(self) -> StreamReport:
        """How far it is; complete once it has ended."""
        calls = tuple(sorted(self._calls, key=lambda call: call.first_row))
        return StreamReport(self._rows_read, calls, tuple(self._rejected), self._rows_rejected)

    def __await__(self) -> Generator[Any, None, StreamReport]:
        return self._to_the_end().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CallOutcome:
        if (outcome := await self._step()) is None:
            raise StopAsyncIteration
        return outcome

    async def aclose(self) -> None:
        """Give up what is under way, and close the source."""
        self._has_begun = self._is_over = True
        self._window.cancel()
        with anyio.CancelScope(shield=True):
            await self._source.aclose()

    def __del__(self) -> None:
        if not getattr(self, "_has_begun", True):
            warnings.warn(f"{self._operation} was neither awaited nor iterated over: nothing was sent", stacklevel=2)

    async def _to_the_end(self) -> StreamReport:
        try:
            while await self._step() is not None:
                pass
            return self.report
        finally:
            await self.aclose()

    async def _step(self) -> CallOutcome | None:
        """Fill the free places and take in the call that ends next; None when all is done."""
        self._has_begun = True
        if self._is_over:
            return None
        await self._fill()
        if self._window.under_way:
            outcome = await self._window.next()
            self._calls.append(outcome)
            if isinstance(outcome.error, _HOPELESS):
                self._failure = self._failure or outcome.error
            return outcome
        await self.aclose()
        if self._failure is not None:
            self._failure.add_note(f"{self._operation}, before it stopped: {self.report.as_text()}")
            raise self._failure
        return None

    async def _fill(self) -> None:
        while self._window.has_place and self._failure is None and not self._exhausted:
            batch = _Batch()
            try:
                await self._gather(batch)
            except Exception as error:  # noqa: BLE001 - the source's own; raised as it is when the calls have ended
                self._failure = error
            except BaseException:
                self._failure = BulkError("cancelled while the source gave a row: rows of it may be missing")
                raise
            if batch.body:
                self._window.start(self._carry, batch)

    async def _gather(self, batch: _Batch) -> None:
        while len(batch.body) < self._per_call:
            if (given := await self._source.next()) is END:
                self._exhausted = True
                return
            self._rows_read += 1
            try:
                batch.add(self._rows_read, self._row(given, self._rows_read))
            except InvalidInputError as error:
                self._rows_rejected += 1
                if len(self._rejected) < _KEPT_REASONS:
                    self._rejected.append(RejectedRow(self._rows_read, str(error)))

    async def _carry(self, batch: _Batch) -> CallOutcome:
        result, trouble = None, None
        try:
            result = await self._send(batch.body)
        except OngageError as error:
            trouble = error
        return CallOutcome(batch.first_row, batch.last_row, len(batch.body), result, trouble)
