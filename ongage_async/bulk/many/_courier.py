"""Carry the rows of one call to the vendor and bring home what became of each, however often it takes to find out.

A call that is refused as a whole is cut in two until the bad rows are alone; rows of one address travel as one, and
part again if that one is refused; calls that share an address go one after the other. `_many.py` and `_coalesce.py`
fill the calls and tell the outcomes on; how one call is made is an argument.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import anyio
from attrs import define, evolve, field

from ongage_async.bulk.many._batches import BatchSize, SpareCalls, suspects
from ongage_async.errors import (
    APIError,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    NotFoundError,
    OngageError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    ResponseTimeoutError,
    ServerError,
)
from ongage_async.models import ContactsReport, NewContact, RowKind, RowOutcome

__all__ = ["Courier", "Entry", "Order", "Send", "Settled", "Turn"]

Send = Callable[[Sequence[NewContact]], Awaitable[ContactsReport]]
"""Makes one call and tells the outcome of each of its rows, in their order."""

_HOPELESS = (
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    RateLimitedError,
    BudgetError,
    ConfigurationError,
)
"""What the next call would meet as well, and what leaves the rows as they were."""
_TOO_LARGE = 413


@define(eq=False)
class Entry:
    """Hold the rows of one address in one call, in the order in which they came.

    Attributes:
        key: What the address is known by.
        rows: Place in the input, and row.
    """

    key: str
    rows: list[tuple[int, NewContact]]

    def merged(self) -> NewContact:
        """Return what writing the rows one after the other comes to: later values win, field by field."""
        row = self.rows[0][1]
        for _, later in self.rows[1:]:
            row = evolve(later, fields={**row.fields, **later.fields})
        return row

    def parts(self) -> "list[Entry]":
        """Return an entry for each row."""
        return [Entry(self.key, [row]) for row in self.rows]


@define(eq=False)
class Settled:
    """Say what became of the rows of one address.

    Attributes:
        rows: Place in the input, and row; None for one that could not be sent.
        kind: What the vendor did.
        contact_id: The vendor's id, when it tells it.
        reason: Why they were rejected; or, without an answer, what happened instead.
        error: Why there is no answer; None when there is one.
    """

    rows: Sequence[tuple[int, NewContact | None]]
    kind: RowKind
    contact_id: str | None = None
    reason: str | None = None
    error: OngageError | None = None

    @property
    def earlier(self) -> RowKind:
        """What became of all rows but the last: they were merged into it, unless the vendor did not take it."""
        merged = self.error is None and self.kind is not RowKind.REJECTED
        return RowKind.DUPLICATE if merged else self.kind

    def outcomes(self) -> Iterator[RowOutcome]:
        """Yield what became of each row."""
        for place, row in self.rows[:-1]:
            yield RowOutcome(place, row.email if row else None, self.earlier, self.contact_id, self.reason)
        place, row = self.rows[-1]
        contact_id = self.contact_id or (row.id if row else None)
        yield RowOutcome(place, row.email if row else None, self.kind, contact_id, self.reason)


@define(eq=False)
class Courier:
    """Deliver the entries of a call.

    Args:
        send: Makes one call.
        repeatable: Whether the call may be sent again when its outcome is not known.
        size: Told what was accepted and what was too much.
        spare: What cutting may cost.

    Attributes:
        calls: How many were made; the engine's own repeats are not counted.
        hopeless: The error after which nothing more is sent.
    """

    send: Send
    repeatable: bool
    size: BatchSize
    spare: SpareCalls
    calls: int = 0
    hopeless: OngageError | None = None

    async def deliver(self, entries: Sequence[Entry]) -> list[Settled]:
        """Send the entries, no two of one address; return what became of each, whatever the vendor says."""
        if self.hopeless is not None:
            return _unanswered(entries, RowKind.NOT_SENT, self.hopeless)
        self.calls += 1
        try:
            report = await self.send([entry.merged() for entry in entries])
        except OngageError as error:
            return await self._without_answer(entries, error)
        self.spare.earn()
        self.size.accepted(len(entries))
        settled: list[Settled] = []
        for entry, told in zip(entries, report.outcomes, strict=True):
            if told.kind is RowKind.REJECTED:
                settled += await self._rejected(entry, told.reason)
            else:
                settled.append(Settled(entry.rows, told.kind, told.contact_id, told.reason))
        return settled

    async def _without_answer(self, entries: Sequence[Entry], error: OngageError) -> list[Settled]:
        if isinstance(error, _HOPELESS):
            self.hopeless = self.hopeless or error
            return _unanswered(entries, RowKind.NOT_SENT, error)
        if self._is_refusal(error):
            return await self._refused(entries, error)
        if isinstance(error, ResponseTimeoutError):
            self.size.too_much(len(entries))
        kind = RowKind.NOT_SENT if error.outcome is Outcome.NOT_SENT else RowKind.UNKNOWN
        return _unanswered(entries, kind, error)

    def _is_refusal(self, error: OngageError) -> bool:
        """Tell whether the vendor says no to the rows; status 500 with "validation" is one of its ways (§1.6)."""
        if isinstance(error, ServerError):
            return self.repeatable and error.is_refusal
        return isinstance(error, APIError) and error.outcome is Outcome.REJECTED

    async def _refused(self, entries: Sequence[Entry], error: OngageError) -> list[Settled]:
        reason = _words(error)
        if len(entries) == 1:
            return await self._rejected(entries[0], reason)
        if not self.spare.spend(2):
            together = f"refused in one call with {len(entries) - 1} others: {reason}"
            return [Settled(entry.rows, RowKind.REJECTED, reason=together) for entry in entries]
        settled: list[Settled] = []
        for part in _cut(entries, suspects(getattr(error, "errors", None), len(entries))):
            settled += await self.deliver(part)
        all_good = all(each.kind is not RowKind.REJECTED for each in settled)
        if all_good or getattr(error, "status", None) == _TOO_LARGE:
            self.size.too_much(len(entries))
        return settled

    async def _rejected(self, entry: Entry, reason: str | None) -> list[Settled]:
        """Say so; but where several rows went as one, send each alone, in their order."""
        if len(entry.rows) == 1 or not self.spare.spend(len(entry.rows)):
            return [Settled(entry.rows, RowKind.REJECTED, reason=reason)]
        settled: list[Settled] = []
        for part in entry.parts():
            settled += await self.deliver([part])
        return settled


def _unanswered(entries: Iterable[Entry], kind: RowKind, error: OngageError) -> list[Settled]:
    reason = _words(error)
    return [Settled(entry.rows, kind, reason=reason, error=error) for entry in entries]


def _cut(entries: Sequence[Entry], blamed: frozenset[int]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    if blamed:
        fine = [entry for place, entry in enumerate(entries) if place not in blamed]
        return fine, [entries[place] for place in sorted(blamed)]
    middle = len(entries) // 2
    return entries[:middle], entries[middle:]


def _words(error: OngageError) -> str:
    """Return the vendor's sentence and its details, without addresses; or our own sentence."""
    if not isinstance(error, APIError):
        return str(error)
    return ": ".join([error.message, *filter(None, ["; ".join(_details(error.errors))])])[:500]


def _details(errors: Any) -> list[str]:
    match errors:
        case str():
            return [errors]
        case Mapping():
            return [each for value in errors.values() for each in _details(value)]
        case list() | tuple():
            return [each for value in errors for each in _details(value)]
        case _:
            return []


# --- the order of calls that share an address -------------------------------------------------------------------------


@define(eq=False)
class Turn:
    """Hold the place of one call among those that share an address with it."""

    earlier: tuple["Turn", ...]
    _over: anyio.Event = field(factory=anyio.Event)

    async def come(self) -> None:
        """Wait until all earlier calls with an address of this one are over."""
        for turn in self.earlier:
            await turn._over.wait()
        self.earlier = ()  # else each turn keeps all that ever went before it

    def is_over(self) -> None:
        """Let the later ones go."""
        self._over.set()


@define(eq=False)
class Order:
    """Give calls their turns, so that the last write to an address stays the last whatever goes on at the same time."""

    _last: dict[Hashable, Turn] = field(factory=dict)

    def take(self, keys: Iterable[Hashable]) -> Turn:
        """Return the turn of a call that writes to these addresses, behind all that were taken before."""
        keys = list(keys)
        turn = Turn(tuple({id(seen): seen for key in keys if (seen := self._last.get(key)) is not None}.values()))
        self._last.update(dict.fromkeys(keys, turn))
        return turn

    def give_back(self, keys: Iterable[Hashable], turn: Turn) -> None:
        """End a turn."""
        turn.is_over()
        for key in keys:
            if self._last.get(key) is turn:
                del self._last[key]
