"""Send any number of rows by calls of some dozens, a few calls at a time, and tell what became of each row.

Here rows are read, cut into calls and counted; what happens to one call is `_courier.py`, what is remembered beyond a
crash `_row_journal.py`. Knows no wire: how a call is made is an argument. Made by ``contacts.upsert_many`` and so on.
"""

import json
import warnings
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.to_thread
from attrs import define, field, frozen

from ongage_async.bulk.many._batches import MOST_BYTES, MOST_ROWS, SPARE_CALLS, BatchSize, SpareCalls
from ongage_async.bulk.many._courier import Courier, Entry, Order, Send, Settled, Turn
from ongage_async.bulk.many._many_report import ManyReport, SideFile, Tally
from ongage_async.bulk.many._window import END, Rows, Window
from ongage_async.errors import BulkError, InvalidInputError, JournalError, OngageError
from ongage_async.models import NewContact, RowKind, RowOutcome

if TYPE_CHECKING:
    from ongage_async.bulk.many._row_journal import RowJournal, Span

__all__ = ["Choices", "Many", "Read"]

Read = Callable[[Any, int], NewContact]
"""Makes a row of what the source gives and its number, counted from 1; raises InvalidInputError for what cannot be."""

MOST_SPAN = 1_000
"""Rows of the source that one call accounts for at most, those included that are not sent with it."""
_TEXTS = frozenset((str, type(None)))
_place = attrgetter("index")
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
SILENCE = 3
"""So many calls in a row without an answer end the stream: going on would make all of it uncertain."""


@frozen(kw_only=True)
class Choices:
    """Say how a stream is cut and recorded.

    Args:
        per_call: Rows of a call at most.
        bytes_per_call: Bytes of its rows at most, but for a single row that is larger.
        in_parallel: Calls that may be open at once.
        spare_calls: Calls that may be spent on cutting refused ones, beside those that accepted calls earn.
        side_file: Where rejected rows go.
        journal: Where settled rows are recorded.
        purpose: What the load does and to which list, for the journal.
    """

    per_call: int = MOST_ROWS
    bytes_per_call: int = MOST_BYTES
    in_parallel: int = 4
    spare_calls: int = SPARE_CALLS
    side_file: Path | None = None
    journal: Path | None = None
    purpose: str = ""


@define(eq=False)
class _Row:
    """One row of the source, looked at.

    Attributes:
        place: Place in the source, from 0.
        given: What the source gave.
        new: What is to be sent; None for what cannot be.
        key: What its address is known by.
        size_bytes: About what it takes in a call.
        fault: Why it cannot be sent.
    """

    place: int
    given: Any
    new: NewContact | None
    key: str = ""
    size_bytes: int = 0
    fault: str = ""

    def encoded(self) -> bytes:
        """Return what its digest is made of."""
        return type(self.given).__name__.encode() if self.new is None else _encoded(self.new)


@define(eq=False)
class _Batch:
    """The rows of the source that one call accounts for."""

    first: int
    rows: list[_Row] = field(factory=list)
    entries: dict[str, Entry] = field(factory=dict)
    size_bytes: int = 0
    turn: Turn | None = None

    def take(self, row: _Row, most_bytes: int) -> bool:
        """Take a row in, if it may go with this call: no address stands in it twice, unless its rows can be merged."""
        if len(self.rows) >= MOST_SPAN:
            return False
        if (new := row.new) is not None:
            entry = self.entries.get(row.key)
            if entry is None:
                if self.entries and self.size_bytes + row.size_bytes > most_bytes:
                    return False
                self.entries[row.key] = Entry(row.key, [(row.place, new)])
            elif entry.rows[-1][1].overwrite is False or new.overwrite is False:
                return False
            else:
                entry.rows.append((row.place, new))
            self.size_bytes += row.size_bytes
        self.rows.append(row)
        return True

    def refused(self) -> list[Settled]:
        """Return the rows that cannot be sent."""
        unfit = (row for row in self.rows if row.new is None)
        return [Settled([(row.place, None)], RowKind.REJECTED, reason=row.fault) for row in unfit]


class Many:
    """Await it for the report, or iterate over it for an outcome per row.

    Both read the source only as fast as calls go. Outcomes come call by call as these end, so rows of different calls
    may change places; `index` is the row's place in the source. It may be left at any time: calls that are open then
    end by themselves, and `aclose` gives them up. `report` tells at any moment, also after an error, how far it is.
    """

    def __init__(
        self, rows: Any, send: Send, *, operation: str, read: Read, repeatable: bool, choices: Choices
    ) -> None:
        self._source = rows if isinstance(rows, Rows) else Rows(rows)
        self._read = read
        self._operation = operation
        self._choices = choices
        self._size = BatchSize(choices.per_call)
        self._courier = Courier(send, repeatable, self._size, SpareCalls(choices.spare_calls))
        self._order = Order()
        self._window: Window[tuple[_Batch, list[Settled]]] | None = None
        self._side = None if choices.side_file is None else SideFile(choices.side_file)
        self._journal = None if choices.journal is None else _journal(choices.journal, choices.purpose)
        self._span: Span | None = None
        self._tally = Tally()
        self._settled: list[Settled] = []
        self._ready: deque[RowOutcome] = deque()
        self._held: _Row | None = None
        self._place = self._resumed = self._silent = 0
        self._exhausted = self._is_over = False
        self._failure: Exception | None = None
        self._began_s: float | None = None
        self._ended_s: float | None = None

    # -- for callers --------------------------------------------------------------------------------------------------

    @property
    def report(self) -> ManyReport:
        """How far it is; complete once it has ended."""
        return ManyReport(
            operation=self._operation,
            rows_read=self._place,
            counts=dict.fromkeys(RowKind, 0) | self._tally.counts,
            reasons=dict(self._tally.reasons),
            rejected=tuple(self._tally.rejected),
            side_file=self._side.path if self._side is not None and self._side.size else None,
            calls=self._courier.calls,
            rows_resumed=self._resumed,
            elapsed_s=self._elapsed_s(),
        )

    def __await__(self) -> Generator[Any, None, ManyReport]:
        return self._to_the_end().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowOutcome:
        while not self._ready:
            if not await self._step():
                raise StopAsyncIteration
            outcomes = (outcome for each in self._settled for outcome in each.outcomes())
            self._ready.extend(sorted(outcomes, key=_place))
        return self._ready.popleft()

    async def aclose(self) -> None:
        """Give up what is under way, and close source, journal and side file; rows without an outcome get none."""
        self._is_over = True
        self._ready.clear()
        if self._ended_s is None and self._began_s is not None:
            self._ended_s = anyio.current_time()
        if self._window is not None:
            self._window.cancel()
        if self._side is not None:
            self._side.close()
        if self._journal is not None:
            self._journal.close()
        with anyio.CancelScope(shield=True):
            await self._source.aclose()

    def __del__(self) -> None:
        if getattr(self, "_began_s", 0) is None and not self._is_over:
            warnings.warn(f"{self._operation} was neither awaited nor iterated over: nothing was sent", stacklevel=2)

    # -- the work -----------------------------------------------------------------------------------------------------

    async def _to_the_end(self) -> ManyReport:
        try:
            while await self._step():
                pass
            return self.report
        finally:
            await self.aclose()

    async def _step(self) -> bool:
        """Fill the free places and take in the call that ends next, `_settled`; false when all is done."""
        if self._is_over:
            return False
        window = self._window or await self._begin()
        await self._fill(window)
        if window.under_way:
            await self._take(*await window.next())
            return True
        if self._failure is not None and self._held is not None:
            row, self._held = self._held, None
            self._place += 1
            self._count([Settled([(row.place, row.new)], RowKind.NOT_SENT)])
            return True
        await self.aclose()
        if self._failure is not None:
            self._failure.add_note(f"{self._operation}, before it stopped: {self.report.as_text()}")
            raise self._failure
        return False

    async def _begin(self) -> Window[tuple[_Batch, list[Settled]]]:
        self._began_s = anyio.current_time()
        try:
            if self._journal is not None or self._side is not None:
                await anyio.to_thread.run_sync(self._open)
        except BaseException:
            await self.aclose()
            raise
        self._window = Window(self._choices.in_parallel)
        return self._window

    def _open(self) -> None:
        journal, side = self._journal, self._side
        if journal is not None:
            journal.open()
            self._span = journal.next_from(0)
        if side is not None:
            side.open(None if journal is None else journal.side_bytes(side.path))
        if journal is not None and side is not None:
            journal.claim(side.path)

    async def _fill(self, window: Window[tuple[_Batch, list[Settled]]]) -> None:
        while window.has_place and self._failure is None and not self._exhausted:
            batch = _Batch(self._place)
            try:
                await self._pass_settled()
                batch = _Batch(self._place)
                await self._gather(batch)
            except Exception as error:  # noqa: BLE001 - the source's own, or the journal's; raised when the calls have ended
                self._failure = error
            except BaseException:
                self._failure = BulkError("cancelled while the source gave a row: rows of it may be missing")
                raise
            if batch.rows:
                batch.turn = self._order.take(batch.entries)
                window.start(self._carry, batch)

    async def _gather(self, batch: _Batch) -> None:
        """Read rows until a call is full, the source ends, or a row comes that may not go with the others."""
        most_bytes = self._choices.bytes_per_call
        while len(batch.entries) < self._size.rows and (self._span is None or self._place < self._span.first):
            row = self._held or self._look_at(await self._source.next())
            if row is None:
                return
            self._held = row
            if not batch.take(row, most_bytes):
                return
            self._held = None
            self._place += 1

    def _look_at(self, given: Any) -> _Row | None:
        """Return what the source gave as a row; None behind the last."""
        if given is END:
            self._exhausted = True
            return None
        try:
            new = self._read(given, self._place + 1)
            return _Row(self._place, given, new, new.key, _size_bytes(new, self._place + 1))
        except InvalidInputError as error:
            return _Row(self._place, given, None, fault=str(error))

    async def _carry(self, batch: _Batch) -> tuple[_Batch, list[Settled]]:
        turn = batch.turn or Turn(())
        try:
            await turn.come()
            settled = await self._courier.deliver(list(batch.entries.values())) if batch.entries else []
        finally:
            self._order.give_back(batch.entries, turn)
        return batch, settled

    # -- taking in ----------------------------------------------------------------------------------------------------

    async def _take(self, batch: _Batch, settled: list[Settled]) -> None:
        self._look_for_an_end(settled)
        settled += batch.refused()
        before = (self._tally.counts.copy(), self._tally.reasons.copy())
        self._count(settled)
        if self._journal is None and self._side is None:
            return
        counts, reasons = self._tally.counts - before[0], self._tally.reasons - before[1]
        try:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(partial(self._write, batch, settled, counts, reasons))
        except OngageError as error:
            self._failure = self._failure or error

    def _count(self, settled: list[Settled]) -> None:
        self._tally.take(settled)
        self._settled = settled

    def _look_for_an_end(self, settled: list[Settled]) -> None:
        if settled:
            answered = any(each.error is None for each in settled)
            self._silent = 0 if answered else self._silent + 1
        if self._silent >= SILENCE and self._courier.hopeless is None:
            self._courier.hopeless = settled[-1].error
        self._failure = self._failure or self._courier.hopeless

    def _write(self, batch: _Batch, settled: list[Settled], counts: Any, reasons: Any) -> None:
        """Put rejected rows into the side file; then, if no row of the batch is open, the batch into the journal."""
        if self._side is not None:
            rejected = (outcome for each in settled if each.kind is RowKind.REJECTED for outcome in each.outcomes())
            rows = ((outcome, batch.rows[outcome.index - batch.first]) for outcome in sorted(rejected, key=_place))
            self._side.write((outcome, row.new or row.given) for outcome, row in rows)
        is_open = any(each.kind in (RowKind.UNKNOWN, RowKind.NOT_SENT) for each in settled)
        if self._journal is not None and not is_open:
            digest = self._journal.digest(row.encoded() for row in batch.rows)
            side_bytes = self._side.size if self._side is not None else 0
            last = batch.first + len(batch.rows) - 1
            self._journal.record(batch.first, last, digest, counts, reasons, side_bytes)

    # -- going on where an earlier run ended ---------------------------------------------------------------------------

    async def _pass_settled(self) -> None:
        """Pass over the rows that an earlier run has settled, and see that they are the same ones."""
        while self._journal is not None and self._span is not None and self._span.first == self._place:
            span = self._span
            digest = self._journal.digest([row.encoded() for row in await self._passed(span)])
            if digest != span.digest:
                raise JournalError(
                    f"rows {span.first + 1:,} to {span.last + 1:,} are not those that the journal knows: give the same "
                    "source again, in the same order, or another journal"
                )
            self._tally.add(span.counts, span.reasons)
            self._resumed += span.last + 1 - span.first
            self._span = await anyio.to_thread.run_sync(self._journal.next_from, self._place)

    async def _passed(self, span: "Span") -> list[_Row]:
        rows = []
        while self._place <= span.last:
            row = self._held or self._look_at(await self._source.next())
            self._held = None
            if row is None:
                raise JournalError(f"the source ends at row {self._place:,}; the journal knows {span.last + 1:,}")
            rows.append(row)
            self._place += 1
        return rows

    def _elapsed_s(self) -> float:
        if self._began_s is None:
            return 0.0
        return (anyio.current_time() if self._ended_s is None else self._ended_s) - self._began_s


def _journal(path: Path, purpose: str) -> "RowJournal":
    from ongage_async.bulk.many._row_journal import RowJournal  # and with it sqlite3, which most programs do not need

    return RowJournal(path, purpose)


def _size_bytes(row: NewContact, number: int) -> int:
    """Return about how long a row is as JSON; one of texts, as files give them, is not written for it.

    Raises:
        InvalidInputError: It holds what JSON cannot; alone it is rejected, in a call it would stop the others.
    """
    fields = row.fields
    try:
        texts = [row.email or row.id, *fields, *fields.values()]
        if _TEXTS.issuperset(map(type, texts)):
            return len("".join(filter(None, texts)).encode()) + 6 * len(fields) + 64
        return len(_encoded(row))
    except (TypeError, ValueError, RecursionError):
        raise InvalidInputError(f"row {number} holds a value that JSON cannot hold: a date goes as text") from None


def _encoded(row: NewContact) -> bytes:
    return _encode((row.email or row.id, row.overwrite, dict(row.fields))).encode()
