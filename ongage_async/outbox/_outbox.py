"""The outbox of a client: calls that must not be lost are written down here first, and sent from here.

It joins the store, the sender and the families, and knows how an entry's answer is read.
"""

import math
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from functools import partial
from itertools import chain, repeat
from types import TracebackType
from typing import Any, Self, Unpack
from weakref import WeakValueDictionary

import anyio
import attrs

from ongage_async._engine import Engine, Options
from ongage_async._tasks import Owned, Yard
from ongage_async.errors import ConfigurationError, EntryError, InvalidInputError, JobTimeoutError, OutboxError, Outcome
from ongage_async.outbox._calls import Reading, as_json, glance, make
from ongage_async.outbox._desk import Desk
from ongage_async.outbox._entry import Entry, NewEntry, OutboxStatistics, Status
from ongage_async.outbox._families import KeptContacts, KeptSuppression, KeptTransactional, PutOptions
from ongage_async.outbox._handle import Handle
from ongage_async.outbox._sender import Sender
from ongage_async.outbox._store import LEASE_S, Store, open_store

__all__ = ["Outbox"]

KEEP_S = 86400.0
POLL_S = 0.25
SWEEP_S = 1.0
LONGEST_KEY = 200
PAGE = 100
LOOKS_S = (0.05, 0.1, 0.25, 0.5, 1.0)
"""How often a waiting handle looks whether another process has settled its entry."""

_OUTCOMES = {Status.UNCERTAIN: Outcome.UNKNOWN, Status.REJECTED: Outcome.REJECTED}


class Outbox:
    """Keep calls until they are made; `OngageClient.outbox` opens it.

    Use it as ``async with ongage.outbox("sqlite:///var/lib/app/outbox.db") as outbox``. Several processes may share it:
    each entry is sent by one of them, and what a dead one had is taken over. An entry whose outcome is uncertain is not
    sent again unless that does no harm (`Repeat.SAFE`); all others are sent until the vendor has answered.

    Attributes:
        transactional: Messages to people, kept until they are sent.
        contacts: Changes of contacts, kept until they are made.
        suppression: Changes of suppression lists, kept until they are made.
    """

    def __init__(
        self,
        url: str,
        engine: Engine,
        options: Options,
        *,
        is_sender: bool = True,
        keep_s: float = KEEP_S,
        lease_s: float = LEASE_S,
    ) -> None:
        for name, value in {"keep_s": keep_s, "lease_s": lease_s}.items():
            if not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"outbox: {name} is a positive number of seconds")
        self._engine = engine
        self._options = options
        self._desk = Desk(partial(open_store, url, engine.account, lease_s))
        self._sender = Sender(
            self._desk, engine, options, keep_s, min(SWEEP_S, lease_s / 3), POLL_S, on_news=self._tell
        )
        self._is_sender = is_sender
        self._yard = Yard()
        self._closing: Owned[None] | None = None
        self._waiting: WeakValueDictionary[str, anyio.Event] = WeakValueDictionary()
        self.transactional = KeptTransactional(self._put)
        self.contacts = KeptContacts(self._put)
        self.suppression = KeptSuppression(self._put)

    def __repr__(self) -> str:
        return f"Outbox(is_sender={self._is_sender})"

    # -- coming and going ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._closing is not None:
            raise ConfigurationError("an outbox is opened once: make another one")
        try:
            await self._desk.open()
        except BaseException:
            self._close_soon()
            raise
        if self._is_sender:
            self._sender.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Let begun sends end, and close the store; what waits is kept there for the next process.

        Whoever is cancelled here is free at once; the closing ends by itself.
        """
        await self._close_soon().wait()

    def _close_soon(self) -> Owned[None]:
        if self._closing is None:
            self._closing = self._yard.start(self._close)
        return self._closing

    async def _close(self) -> None:
        await self._sender.aclose()
        await self._desk.aclose()

    # -- putting ------------------------------------------------------------------------------------------------------

    async def put(self, kind: str, arguments: Mapping[str, Any], **options: Unpack[PutOptions]) -> Handle[Any]:
        """Keep a call by its name; `transactional.send` and its like are the same with types.

        Args:
            kind: ``transactional.send``; see `KINDS`.
            arguments: By name, as JSON can hold them.
            options: See `PutOptions`.

        Returns:
            Its handle, once the entry is durable. If you are cancelled meanwhile it may or may not be: put it again
            under the same key.

        Raises:
            InvalidInputError: It cannot be sent, or the key is that of another call. Nothing was kept.
            OutboxError: The store cannot be used. It may have been kept all the same: put it again under the same key.
        """
        return await self._put(kind, arguments, options)

    async def _put(self, kind: str, arguments: Mapping[str, Any], options: PutOptions) -> Handle[Any]:
        entry = await self._entered(kind, arguments, options)
        try:
            handle: Handle[Any] = Handle(await self._desk.ask(Store.put, entry), self)
        except OutboxError as error:
            error.outcome = Outcome.UNKNOWN  # its answer may be lost, and the entry be kept and sent
            raise
        self._sender.wake()
        return handle

    async def _entered(self, kind: str, arguments: Mapping[str, Any], options: PutOptions) -> NewEntry:
        """Check a call, and say of it what has to be kept: all that the client's defaults would say later."""
        key, expires_in_s = options.get("key"), options.get("expires_in_s")
        if key is not None and not 0 < len(key) <= LONGEST_KEY:
            raise InvalidInputError(f"{kind}: a key has 1 to {LONGEST_KEY} characters")
        if expires_in_s is not None and not (math.isfinite(expires_in_s) and expires_in_s > 0):
            raise InvalidInputError(f"{kind}: expires_in_s is a positive number of seconds")
        told = as_json(kind, {"list_id": self._options.list_id, **_given(arguments)})
        operation = await glance(kind, told)
        lanes = (options.get("lane"), self._options.lane, operation.lane)
        return NewEntry(
            id=secrets.token_hex(12),
            kind=kind,
            arguments=told,
            lane=next(lane for lane in lanes if lane is not None),
            repeat=operation.repeat,
            tenant=options.get("tenant", self._options.tenant),
            key=key,
            expires_in_s=expires_in_s,
        )

    # -- looking ------------------------------------------------------------------------------------------------------

    async def get(self, entry_id: str) -> Handle[Any]:
        """Find an entry again, put by whatever process.

        Raises:
            EntryError: There is none: it was forgotten after `keep_s`, or lies in another outbox.
        """
        await self.entry(entry_id)
        return Handle(entry_id, self)

    async def entry(self, entry_id: str) -> Entry:
        """Return an entry as it is now; see `Handle.entry`."""
        found = await self._desk.ask(Store.get, entry_id)
        if found is None:
            raise EntryError("there is no such entry: it was forgotten after keep_s, or lies in another outbox")
        return found

    def each(self, status: Status | str | None = None) -> AsyncIterator[Entry]:
        """Iterate over the entries, oldest first; the iteration may be left at any time.

        Args:
            status: Only those; ``"uncertain"`` are the ones that a person decides.

        Raises:
            ValueError: There is no such status.
        """
        return _Entries(self._desk, None if status is None else Status(status))

    async def statistics(self) -> OutboxStatistics:
        """Count the entries of all processes."""
        return await self._desk.ask(Store.statistics)

    # -- deciding -----------------------------------------------------------------------------------------------------

    async def retry(self, entry_id: str) -> Handle[Any]:
        """Send an entry again: uncertain, rejected, expired or discarded.

        Look at the vendor's first: of an uncertain one, this may be the second send. It has no time limit any more.

        Raises:
            EntryError: It is not there, or is sent, or will be by itself.
        """
        await self._decide(entry_id, Status.QUEUED, "sent again")
        self._sender.wake()
        return Handle(entry_id, self)

    async def discard(self, entry_id: str) -> None:
        """Decide that an entry is not sent: one that waits, or was rejected, or is uncertain and was found done.

        Raises:
            EntryError: It is not there, or is being sent or settled already.
        """
        await self._decide(entry_id, Status.DISCARDED, "discarded")
        self._tell(entry_id)

    async def _decide(self, entry_id: str, status: Status, what: str) -> None:
        if not await self._desk.ask(Store.decide, entry_id, status):
            entry = await self.entry(entry_id)
            raise EntryError(f"an entry that is {entry.status} cannot be {what}", entry=_bare(entry))

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _tell(self, entry_id: str) -> None:
        if (event := self._waiting.pop(entry_id, None)) is not None:
            event.set()

    async def result(self, entry_id: str, timeout_s: float | None) -> Any:
        """Wait until an entry was sent, and return what the vendor answered; see `Handle.wait`."""
        with anyio.move_on_after(timeout_s):
            return await self._read(await self._settled(entry_id))
        entry = await self.entry(entry_id)
        raise JobTimeoutError(
            f"it is {entry.status} after timeout_s={timeout_s}, and goes on", job=_bare(entry), operation=entry.kind
        )

    async def _settled(self, entry_id: str) -> Entry:
        """Look at an entry when it may have changed, until it is settled."""
        looks = chain(LOOKS_S, repeat(LOOKS_S[-1]))
        while True:
            news = self._waiting.setdefault(entry_id, anyio.Event())
            entry = await self.entry(entry_id)
            if entry.status.is_final:
                return entry
            with anyio.move_on_after(next(looks)):
                await news.wait()

    async def _read(self, entry: Entry) -> Any:
        if entry.status is Status.SENT:
            return await make(entry.kind, entry.arguments, Reading(entry.answer), self._engine.listener)
        raise EntryError(
            f"it is {entry.status}" + (f": {entry.reason}" if entry.reason else ""),
            entry=_bare(entry),
            operation=entry.kind,
            attempts=entry.attempts,
            outcome=_OUTCOMES.get(entry.status, Outcome.NOT_SENT),
        )


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _bare(entry: Entry) -> Entry:
    """Return an entry without what is private in it, for errors, which travel."""
    return attrs.evolve(entry, arguments={}, answer=None, key=None)


class _Entries:
    """Take entries from the store, a page at a time."""

    __slots__ = ("_desk", "_last", "_ready", "_status")

    def __init__(self, desk: Desk, status: Status | None) -> None:
        self._desk, self._status = desk, status
        self._last = 0
        self._ready: deque[Entry] = deque()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        if not self._ready:
            self._ready.extend(await self._desk.ask(Store.page, self._status, self._last, PAGE))
        if not self._ready:
            raise StopAsyncIteration
        entry = self._ready.popleft()
        self._last = entry.number
        return entry
