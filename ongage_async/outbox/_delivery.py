"""The way of one entry from its queue to the vendor, in a task of its own.

It waits in the governor's line while the store says *queued*: a crash there costs nothing. Only when its permit is
there is it written down as *sending*, then sent, and its end written down. Between those two nobody cancels it.
"""

import logging
import math
import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, Protocol

import anyio
from attrs import define, field

from ongage_async._engine import Engine, Options
from ongage_async._operation import Answer, Operation
from ongage_async._retry import History, RetryPolicy
from ongage_async.config import Lane
from ongage_async.errors import OngageError, OutboxError, Outcome, RateLimitedError, mask
from ongage_async.outbox._calls import make
from ongage_async.outbox._desk import Desk
from ongage_async.outbox._entry import Entry, Status
from ongage_async.outbox._store import Store
from ongage_async.outbox._verdict import verdict

__all__ = ["Delivery", "Office"]

log = logging.getLogger("ongage_async.outbox")

LONGEST_REASON = 300
TROUBLE_S = (0.05, 0.2, 1.0, 5.0)
"""Waits between attempts to write down how a send ended, while the store is away."""


class Office(Protocol):
    """What a delivery needs of its sender."""

    desk: Desk
    engine: Engine
    options: Options
    is_closing: bool

    def resting(self, lane: Lane) -> AbstractContextManager[None]:
        """Let another entry of the lane go ahead meanwhile."""
        ...


@define(eq=False)
class Delivery:
    """Bring one entry to the vendor."""

    office: Office
    entry: Entry
    _has_begun: bool = field(default=False, init=False)
    _is_ours: bool = field(default=True, init=False)
    _answer: Answer | None = field(default=None, init=False)
    _history: History = field(factory=History, init=False)
    _scope: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)
    _late_at: float = field(default=math.inf, init=False)
    _stands: anyio.Event = field(factory=anyio.Event, init=False)
    _marked: anyio.Event = field(factory=anyio.Event, init=False)
    _has_given_up: bool = field(default=False, init=False)

    @property
    def is_late(self) -> bool:
        """Whether it is not to be sent any more."""
        return anyio.current_time() >= self._late_at

    async def stands_in_line(self) -> None:
        """Wait until the governor knows of it: the next one is begun then, so that none overtakes another."""
        await self._stands.wait()

    async def run(self) -> None:
        """Try until it is settled, somebody else's, too late, or we close."""
        try:
            await self._run()
        finally:
            self._stands.set()

    async def _run(self) -> None:
        if self.entry.expires_in_s is not None:
            self._late_at = anyio.current_time() + self.entry.expires_in_s
        while True:
            error = await self._attempt()
            if self._answer is not None:
                return await self._settle(Status.SENT, answer=self._answer)
            if error is None or not self._is_ours:
                return None
            next_step = self._judge(error)
            if isinstance(next_step, Status):
                return await self._settle(next_step, _reason(error))
            if self._has_begun:
                await self._write(Store.keep, self.entry.id, _reason(error))
            if not await self._rest(next_step):
                return None

    def leave(self) -> None:
        """Stop waiting, because we close; a send that was begun ends first."""
        if not self._has_begun:
            self._scope.cancel()

    # -- an attempt ---------------------------------------------------------------------------------------------------

    async def _attempt(self) -> OngageError | None:
        """Send once; return what went wrong, None if it was sent or we stopped waiting."""
        self._has_begun = self._has_given_up = False
        self._marked = anyio.Event()
        if self.office.is_closing:
            return None
        with anyio.CancelScope(deadline=self._late_at) as self._scope:
            try:
                await make(self.entry.kind, self.entry.arguments, self)
            except OngageError as error:
                return await self._unless_unmarked(error)
            except Exception as error:
                log.exception("entry %s (%s) failed in a way that nobody foresaw", self.entry.id, self.entry.kind)
                outcome = Outcome.UNKNOWN if self._has_begun else Outcome.NOT_SENT
                return OngageError(f"failed with {type(error).__name__}", outcome=outcome)
        return None

    async def _unless_unmarked(self, error: OngageError) -> OngageError:
        """Return the error, or that the store was slower than `timeout_s`: then nothing goes out any more."""
        if not self._has_begun or self._marked.is_set():
            return error
        self._has_given_up = True
        await self._marked.wait()
        return OutboxError("the outbox was slower than timeout_s")

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make the call of this attempt; see `Caller.call`. What is read of its answer later is no matter here."""
        options = Options(
            lane=self.entry.lane,
            retry=RetryPolicy.none(),
            timeout_s=self.office.options.timeout_s,
            tenant=self.entry.tenant,
        )
        self._stands.set()
        self._answer = await self.office.engine.call(
            operation, options, path=path, query=query, body=body, list_id=list_id, before_send=self._begin
        )
        return self._answer

    async def _begin(self) -> None:
        """Write down that it goes out now; the permit is there, and goes home unused if this raises."""
        if self._scope.cancel_called or self.office.is_closing:
            raise OutboxError("this outbox is closing, or the entry is too late")
        self._has_begun = True
        self._scope.deadline = math.inf
        try:
            self._is_ours = await self.office.desk.ask(Store.begin, self.entry.id)
        finally:
            self._marked.set()
        if not self._is_ours or self._has_given_up:
            raise OutboxError("the entry is not this sender's any more, or too late")

    def _judge(self, error: OngageError) -> Status | float:
        if self._has_begun:
            self._history = self._history.after(error)
        policy = self.office.options.retry
        next_step = verdict(error, self.entry.repeat, policy, self._history, random.random())  # noqa: S311 - jitter
        if not isinstance(error, RateLimitedError):
            level = logging.WARNING if next_step is Status.UNCERTAIN else logging.DEBUG
            kind = type(error).__name__
            log.log(level, "entry %s (%s): %s, next %s", self.entry.id, self.entry.kind, kind, next_step)
        return next_step

    async def _rest(self, wait_s: float) -> bool:
        """Hold nothing and wait; false if we close or it is too late meanwhile."""
        self._has_begun = False
        with anyio.CancelScope(deadline=self._late_at) as self._scope, self.office.resting(self.entry.lane):
            if not self.office.is_closing:
                await anyio.sleep(wait_s)
                return True
        return False

    # -- its end ------------------------------------------------------------------------------------------------------

    async def _settle(self, status: Status, reason: str | None = None, answer: Answer | None = None) -> None:
        kept = answer and {"payload": answer.payload, "metadata": dict(answer.metadata), "status": answer.status}
        await self._write(Store.settle, self.entry.id, status, reason, kept)

    async def _write(self, step: Callable[..., None], *values: Any) -> None:
        """Write down how a send ended, as often as it takes; when we close, a few times."""
        for number in count():
            try:
                await self.office.desk.ask(step, *values)
            except OutboxError as error:
                if self.office.is_closing and number >= len(TROUBLE_S):
                    log.error("how entry %s ended could not be written down: %s", self.entry.id, error)  # noqa: TRY400
                    return
                await anyio.sleep(TROUBLE_S[min(number, len(TROUBLE_S) - 1)])
            else:
                return


def _reason(error: OngageError) -> str:
    return mask(str(error))[:LONGEST_REASON].encode("utf-8", "replace").decode()  # half a character cannot be kept
