"""Join the single upserts of many tasks into shared calls; each task gets its own outcome, or its own error.

A call leaves when it is full or when its first row has waited long enough. What happens to it then is `_courier.py`.
Made by ``contacts.coalesced``.
"""

from types import TracebackType
from typing import Self

import anyio
from attrs import define, field

from ongage_async._tasks import Yard
from ongage_async.bulk.many._batches import BatchSize, SpareCalls
from ongage_async.bulk.many._cargo import Body, Cargo, merges
from ongage_async.bulk.many._courier import Courier, Order, Send, Turn
from ongage_async.bulk.many._intake import written
from ongage_async.errors import ConfigurationError, InvalidInputError, OngageError, copied
from ongage_async.models import ContactRow, NewContact, RowOutcome
from ongage_async.models.outcomes import Verdict

__all__ = ["Coalesced"]

SPARE_CALLS = 40
"""Calls that may be spent on cutting one refused call."""


@define(eq=False)
class _Waiter:
    """One `upsert` that waits."""

    place: int
    row: NewContact
    body: str
    told: anyio.Event = field(factory=anyio.Event)
    verdict: Verdict | None = None
    error: OngageError | None = None
    bug: Exception | None = None


@define(eq=False)
class _Call:
    """One shared call, as it fills."""

    waiters: dict[str, list[_Waiter]] = field(factory=dict)
    goes: anyio.Event = field(factory=anyio.Event)
    has_left: bool = False

    def takes(self, row: NewContact) -> bool:
        """Whether a row may go along: two rows of one address only if both overwrite, so that they can be merged."""
        same = self.waiters.get(row.key)
        return same is None or merges(same[-1].row, row)

    def leave(self, waiter: _Waiter) -> None:
        """Take a row out again whose task waits no longer, if it has not gone yet."""
        if self.has_left:
            return
        same = self.waiters[waiter.row.key]
        same.remove(waiter)
        if not same:
            del self.waiters[waiter.row.key]


class Coalesced:
    """Write contacts one at a time, for the price of one call per some dozens: ``async with … as contacts``.

    For handlers of a web backend: each awaits `upsert` and gets its own outcome. Two rows of one address in one call
    are merged, later values win field by field, and both get the outcome of the merged write; calls that share an
    address go one after the other. Leaving the block sends what waits and waits for all of it.

    Attributes:
        calls: How many were made; the engine's own repeats are not counted.
    """

    def __init__(self, send: Send, body: Body, *, max_rows: int, max_delay_s: float, most_rows: int) -> None:
        if not 1 <= max_rows <= most_rows:
            raise InvalidInputError(f"max_rows must be 1 to {most_rows}")
        if not max_delay_s >= 0:
            raise InvalidInputError("max_delay_s must be a number of seconds, zero or more")
        self._send, self._body = send, body
        self._max_rows = max_rows
        self._max_delay_s = max_delay_s
        self._filling: _Call | None = None
        self._order = Order()
        self._yard = Yard()
        self._places = 0
        self._closed = False
        self.calls = 0

    async def upsert(self, contact: ContactRow) -> RowOutcome:
        """Create a contact, or overwrite the one with its address.

        Args:
            contact: A row as for `contacts.create`.

        Returns:
            What became of it: also a row that the vendor rejects is an outcome, with its reason.

        Raises:
            InvalidInputError: It has no address, or was told in a way that no call can carry.
            ConfigurationError: The block was left.
            OngageError: The call had no answer; its `outcome` says whether the row may have been taken. Each waiting
                task gets an error of its own.

        Cost: a share of 1 call, lane NORMAL. Cancelling it takes the row out, unless its call has left already.
        """
        if self._closed:
            raise ConfigurationError("these coalesced contacts are closed: upsert inside the `async with` block")
        row = NewContact.of(contact)
        if row.email is None:
            raise InvalidInputError("the row has no email: a contact is created by its address")
        self._places += 1
        waiter = _Waiter(self._places, row, written(self._body, row, "the row"))
        call = self._join(waiter)
        try:
            await waiter.told.wait()
        except BaseException:
            call.leave(waiter)
            raise
        return self._outcome(waiter)

    def _join(self, waiter: _Waiter) -> _Call:
        call = self._filling
        if call is None or call.has_left or not call.takes(waiter.row):
            if call is not None:
                self._let_go(call)
            call = self._filling = _Call()
            self._yard.start(self._carry, call)
        call.waiters.setdefault(waiter.row.key, []).append(waiter)
        if len(call.waiters) >= self._max_rows:
            self._let_go(call)
        return call

    def _let_go(self, call: _Call) -> None:
        call.goes.set()
        if self._filling is call:
            self._filling = None

    def _outcome(self, waiter: _Waiter) -> RowOutcome:
        if waiter.bug is not None:
            raise waiter.bug
        if waiter.error is not None:
            raise copied(waiter.error)
        if waiter.verdict is None:  # the event loop is ending
            raise ConfigurationError("the call was given up before it had an answer")
        return RowOutcome(0, waiter.row.email, *waiter.verdict)

    async def _carry(self, call: _Call) -> None:
        """Wait until the call is full or old enough, and deliver it."""
        with anyio.move_on_after(self._max_delay_s):
            await call.goes.wait()
        self._let_go(call)
        call.has_left = True
        if not call.waiters:
            return
        waiting = {waiter.place: waiter for same in call.waiters.values() for waiter in same}
        turn = self._order.take(call.waiters.keys())
        try:
            await self._deliver(call, turn, waiting)
        except Exception as bug:  # noqa: BLE001 - ours; the tasks that wait are told
            for waiter in waiting.values():
                waiter.bug = copied(bug)
        finally:
            self._order.give_back(turn)
            for waiter in waiting.values():
                waiter.told.set()

    async def _deliver(self, call: _Call, turn: Turn, waiting: dict[int, _Waiter]) -> None:
        await turn.come()
        cargo = Cargo(lambda row: row, self._body)
        for key, same in call.waiters.items():
            for waiter in same:
                cargo.add(waiter.place, key, waiter.row, waiter.body)
        courier = Courier(self._send, True, BatchSize(self._max_rows), SpareCalls(SPARE_CALLS))
        for settled in await courier.deliver(cargo):
            for at, verdict in enumerate(settled.verdicts):
                for place in settled.cargo.places_at(at):
                    waiting[place].verdict, waiting[place].error = verdict, settled.error
        self.calls += courier.calls

    async def aclose(self) -> None:
        """Send what waits, take no more, and wait until every task has its outcome."""
        self._closed = True
        if self._filling is not None:
            self._let_go(self._filling)
        await self._yard.drain()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
