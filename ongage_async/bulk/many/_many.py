"""Send any number of rows by calls of some dozens, a few calls at a time, and tell what became of each row.

Here rows are read, cut into calls and counted; what happens to one call is `_courier.py`, what is remembered beyond a
crash `_row_journal.py`. Knows no wire: how a call is made is an argument. Made by ``contacts.upsert_many`` and so on.
"""

import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.to_thread
from attrs import frozen

from ongage_async.bulk.many._batch import MOST_SPAN, Batch
from ongage_async.bulk.many._batches import MOST_BYTES, MOST_ROWS, SPARE_CALLS, BatchSize, SpareCalls
from ongage_async.bulk.many._cargo import Body, Cargo, Settled
from ongage_async.bulk.many._courier import Courier, Order, Send, Turn
from ongage_async.bulk.many._intake import Intake
from ongage_async.bulk.many._many_report import ManyReport, SideFile, Tally
from ongage_async.bulk.many._window import Window
from ongage_async.bulk.sources._lot import Lot
from ongage_async.errors import BulkError, JournalError, OngageError
from ongage_async.models import RowKind, RowOutcome

if TYPE_CHECKING:
    from ongage_async.bulk.many._row_journal import RowJournal, Span

__all__ = ["Choices", "Many"]

T = TypeVar("T")

_place = attrgetter("index")
_OPEN = (RowKind.UNKNOWN, RowKind.NOT_SENT)
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


class Many:
    """Await it for the report, or iterate over it for an outcome per row.

    Both read the source only as fast as calls go. Outcomes come call by call as these end, so rows of different calls
    may change places; `index` is the row's place in the source. It may be left at any time: calls that are open then
    end by themselves, and `aclose` gives them up. `report` tells at any moment, also after an error, how far it is.

    Attributes:
        listener: Called after each call with how many rows have their outcome; None: nobody.
    """

    def __init__(
        self, intake: Intake, send: Send, body: Body, *, operation: str, repeatable: bool, choices: Choices
    ) -> None:
        self.listener: Callable[[int], None] | None = None
        self._intake = intake
        self._body = body
        self._operation = operation
        self._choices = choices
        self._size = BatchSize(choices.per_call)
        self._courier = Courier(send, repeatable, self._size, SpareCalls(choices.spare_calls))
        self._order = Order()
        self._window: Window[tuple[Batch, list[Settled]]] | None = None
        self._side = None if choices.side_file is None else SideFile(choices.side_file)
        self._journal = None if choices.journal is None else _journal(choices.journal, choices.purpose)
        self._span: Span | None = None
        self._tally = Tally()
        self._settled: list[Settled] = []
        self._disk = threading.Lock()
        self._late: list[tuple[RowOutcome, Any]] = []
        self._ready: deque[RowOutcome] = deque()
        self._held: Lot | None = None
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
        with self._disk:  # a thread whose caller was cancelled may be at it
            if self._side is not None:
                self._side.close()
            if self._journal is not None:
                self._journal.close()
        with anyio.CancelScope(shield=True):
            await self._intake.aclose()

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
            self._count([self._unsent(self._held)])
            self._held = None
            return True
        await self._write_late()
        await self.aclose()
        if self._failure is not None:
            self._failure.add_note(f"{self._operation}, before it stopped: {self.report.as_text()}")
            raise self._failure
        return False

    async def _begin(self) -> Window[tuple[Batch, list[Settled]]]:
        self._began_s = anyio.current_time()
        try:
            if self._journal is not None or self._side is not None:
                await self._at_the_disk(self._open)
        except BaseException:
            await self.aclose()
            raise
        self._window = Window(self._choices.in_parallel)
        return self._window

    async def _at_the_disk(self, work: Callable[..., T], *args: Any) -> T:
        """Do what concerns journal and side file in a worker thread; never after `aclose`, which waits for its end."""

        def unless_closed() -> T:
            with self._disk:
                if self._is_over:
                    raise BulkError(f"{self._operation} was closed")
                return work(*args)

        return await anyio.to_thread.run_sync(unless_closed)

    def _open(self) -> None:
        journal, side = self._journal, self._side
        if journal is not None:
            journal.open()
            self._span = journal.next_from(0)
        if side is not None:
            side.open(None if journal is None else journal.side_bytes(side.path))
        if journal is not None and side is not None:
            journal.claim(side.path)

    async def _fill(self, window: Window[tuple[Batch, list[Settled]]]) -> None:
        while window.has_place and self._failure is None and not self._exhausted:
            batch = self._batch()
            try:
                await self._pass_settled()
                batch = self._batch()
                await self._gather(batch)
            except Exception as error:  # noqa: BLE001 - the source's own, or the journal's; raised when the calls have ended
                self._failure = error
            except BaseException:
                self._failure = BulkError("cancelled while the source gave a row: rows of it may be missing")
                raise
            if batch.rows:
                batch.turn = self._order.take(batch.cargo.keys.keys())
                window.start(self._carry, batch)

    def _batch(self) -> Batch:
        return Batch(self._place, Cargo(self._intake.contact, self._body))

    async def _gather(self, batch: Batch) -> None:
        """Read rows until a call is full, the source ends, or a row comes that may not go with the others."""
        most_bytes = self._choices.bytes_per_call
        while len(batch.cargo) < self._size.rows and (room := self._room(batch)) > 0:
            lot = await self._next(min(room, self._size.rows - len(batch.cargo)))
            if lot is None:
                return
            taken = batch.take(lot.head(room), self._size.rows, most_bytes)
            if not taken:
                return
            self._pass(lot, taken)

    def _room(self, batch: Batch) -> int:
        """Return how many rows more a call may account for; none of those that an earlier run has settled."""
        room = MOST_SPAN - batch.rows
        return room if self._span is None else min(room, self._span.first - self._place)

    async def _next(self, most: int) -> Lot | None:
        """Return the rows that come next, which stay held until they are passed; None behind the last."""
        self._held = self._held or await self._intake.take(most, self._place)
        self._exhausted = self._held is None
        return self._held

    def _pass(self, lot: Lot, rows: int) -> None:
        self._held = lot.behind(rows)
        self._place += rows

    def _unsent(self, lot: Lot) -> Settled:
        """Count rows that were taken from the source and went into no call."""
        cargo = Cargo(self._intake.contact, self._body, places=list(range(self._place, self._place + len(lot))))
        cargo.rows += lot.rows
        self._place += len(lot)
        return Settled(cargo, [(RowKind.NOT_SENT, None, None)] * len(lot))

    async def _carry(self, batch: Batch) -> tuple[Batch, list[Settled]]:
        turn = batch.turn or Turn(batch.cargo.keys.keys())
        try:
            await turn.come()
            settled = await self._courier.deliver(batch.cargo) if len(batch.cargo) else []
        finally:
            self._order.give_back(turn)
        return batch, settled

    # -- taking in ----------------------------------------------------------------------------------------------------

    async def _take(self, batch: Batch, settled: list[Settled]) -> None:
        self._look_for_an_end(settled)
        settled.append(batch.refused())
        if self._journal is None and self._side is None:
            self._count(settled)
            return
        before = (self._tally.counts.copy(), self._tally.reasons.copy())
        self._count(settled)
        counts, reasons = self._tally.counts - before[0], self._tally.reasons - before[1]
        try:
            with anyio.CancelScope(shield=True):
                await self._at_the_disk(self._write, batch, settled, counts, reasons)
        except OngageError as error:
            self._failure = self._failure or error

    def _count(self, settled: list[Settled]) -> None:
        self._tally.take(settled)
        self._settled = settled
        if self.listener is not None:
            self.listener(self._tally.counts.total())

    def _look_for_an_end(self, settled: list[Settled]) -> None:
        if settled:
            answered = any(each.error is None for each in settled)
            self._silent = 0 if answered else self._silent + 1
        if self._silent >= SILENCE and self._courier.hopeless is None:
            self._courier.hopeless = settled[-1].error
        self._failure = self._failure or self._courier.hopeless

    def _write(self, batch: Batch, settled: list[Settled], counts: Any, reasons: Any) -> None:
        """Put rejected rows into the side file; then, if no row of the batch is open, the batch into the journal.

        Rejected rows of an open batch wait for the end: the next run sends them again, so they must stand behind all
        that the journal vouches for, where it cuts them off.
        """
        is_open = self._journal is not None and any(kind in _OPEN for each in settled for kind, *_ in each.verdicts)
        if self._side is not None:
            rejected = sorted((row for each in settled for row in each.outcomes(RowKind.REJECTED)), key=_place)
            rows = batch.rows_at([outcome.index for outcome in rejected])
            told = [(outcome, self._told(row)) for outcome, row in zip(rejected, rows, strict=True)]
            if is_open:
                self._late += told
            else:
                self._side.write(told)
        if self._journal is not None and not is_open:
            digest = self._journal.digest(chain.from_iterable(lot.encoded() for lot in batch.lots))
            side_bytes = self._side.size if self._side is not None else 0
            last = batch.first + batch.rows - 1
            self._journal.record(batch.first, last, digest, counts, reasons, side_bytes)

    async def _write_late(self) -> None:
        if self._side is None or not self._late:
            return
        try:
            late, self._late = self._late, []
            await self._at_the_disk(self._side.write, late)
        except OngageError as error:
            self._failure = self._failure or error

    def _told(self, row: Any) -> Any:
        """Return a row as the side file has it: the contact, else what the source gave."""
        contact = self._intake.contact(row)
        return row if contact is None else contact

    # -- going on where an earlier run ended ---------------------------------------------------------------------------

    async def _pass_settled(self) -> None:
        """Pass over the rows that an earlier run has settled, and see that they are the same ones."""
        while self._journal is not None and self._span is not None and self._span.first == self._place:
            span = self._span
            digest = self._journal.digest(await self._passed(span))
            if digest != span.digest:
                raise JournalError(
                    f"rows {span.first + 1:,} to {span.last + 1:,} are not those that the journal knows: give the same "
                    "source again, in the same order, or another journal"
                )
            self._tally.add(span.counts, span.reasons)
            self._resumed += span.last + 1 - span.first
            self._span = await self._at_the_disk(self._journal.next_from, self._place)

    async def _passed(self, span: "Span") -> list[bytes]:
        """Pass over the rows of a span; return what their digests are made of."""
        rows: list[bytes] = []
        while (left := span.last + 1 - self._place) > 0:
            lot = await self._next(left)
            if lot is None:
                raise JournalError(f"the source ends at row {self._place:,}; the journal knows {span.last + 1:,}")
            rows += lot.head(left).encoded()
            self._pass(lot, min(left, len(lot)))
        return rows

    def _elapsed_s(self) -> float:
        if self._began_s is None:
            return 0.0
        return (anyio.current_time() if self._ended_s is None else self._ended_s) - self._began_s


def _journal(path: Path, purpose: str) -> "RowJournal":
    from ongage_async.bulk.many._row_journal import RowJournal  # and with it sqlite3, which most programs do not need

    return RowJournal(path, purpose)
