"""One call under way: what the caller chose, what is known by now, and who is told.

The engine makes it and moves it on; nothing here waits or sends. A call that nobody listens to has no id and makes no
event. Log lines name the call by the fields of `extra=`, so that a program may write them as it likes.
"""

import itertools
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
from attrs import define, field, frozen

from ongage_async._explain import Explanations
from ongage_async._operation import Operation
from ongage_async._retry import History, RetryPolicy
from ongage_async.config import Lane
from ongage_async.errors import OngageError, Outcome
from ongage_async.events import AttemptBegan, AttemptEnded, BackOffBegan, CallBegan, CallEnded, Listeners

__all__ = ["BeforeSend", "Call", "Options", "Pour"]

log = logging.getLogger("ongage_async.calls")

Pour = Callable[[AsyncIterator[bytes]], Awaitable[None]]
"""Takes the body of one attempt, from its first piece on; a body that breaks off ends early, and the call then fails or
begins anew. An answer that is no file brings no pieces."""

BeforeSend = Callable[[], Awaitable[None]]
"""Awaited when an attempt has its permit and nothing was sent yet; if it raises, nothing is."""


@frozen
class Options:
    """What a caller may choose for its calls.

    Args:
        lane: Instead of the operation's own lane.
        max_wait_s: Seconds after its start beyond which a call does not wait to be sent (queue, pause, back-off); None:
            as long as needed.
        retry: When a failed call is sent again.
        timeout_s: Seconds that one send may take until its whole answer is there.
        list_id: The list of calls that name none.
        tenant: On whose behalf, for a fair share within a lane.
    """

    lane: Lane | None = None
    max_wait_s: float | None = None
    retry: RetryPolicy = field(factory=RetryPolicy)
    timeout_s: float = 60.0
    list_id: int | None = None
    tenant: str = ""


@define(eq=False)
class Call:
    """One call under way.

    Attributes:
        id: What events, log lines and errors name it by; empty while nobody wants to know.
        asked_at: When it asked for its latest permit; kept for calls with an id.
        sent_at: When it got it; the same.
        waits_for: What was scarce when it asked; the same.
        attempts: How often it was sent.
        history: How its attempts ended.
        notes: A line for each attempt that failed.
    """

    operation: Operation
    options: Options
    lane: Lane
    started_at: float
    listener: Listeners
    pour: Pour | None = None
    before_send: BeforeSend | None = None
    id: str = ""
    asked_at: float = 0.0
    sent_at: float = 0.0
    waits_for: str | None = None
    attempts: int = 0
    history: History = field(factory=History)
    notes: list[str] = field(factory=list)

    def left_s(self) -> float | None:
        """Seconds of waiting that the caller still allows."""
        if self.options.max_wait_s is None:
            return None
        return max(0.0, self.started_at + self.options.max_wait_s - anyio.current_time())

    def note(self, error: OngageError, wait_s: float | None) -> None:
        """Write down how an attempt failed, and what comes next."""
        if wait_s is None:
            lost = error.outcome is Outcome.UNKNOWN
            then = "not sent again" + (": it may have been executed, so look before you repeat it" if lost else "")
        else:
            then = f"next after {wait_s:.1f} s" if wait_s else "next when the pause ends"
        self.notes.append(f"attempt {self.attempts}: {type(error).__name__}, outcome {error.outcome}, {then}")

    def dress(self, error: OngageError) -> OngageError:
        """Complete an error with what is known about the call."""
        error.operation = self.operation.name
        error.attempts = self.attempts
        error.elapsed_s = anyio.current_time() - self.started_at
        for note in self.notes:
            error.add_note(note)
        return error

    # -- telling: but for the beginning, only for calls with an id -----------------------------------------------------

    def tell_begin(self, template: str, base_url: str) -> None:
        """Tell that it begins, and give it an id, if anybody wants to know."""
        if self.listener.each:
            self.id = _ids.next()
            name, method = self.operation.name, self.operation.method
            self.listener(CallBegan(self.id, name, self.lane, method, template, base_url))
        elif log.isEnabledFor(logging.DEBUG):
            self.id = _ids.next()

    def tell_attempt(self, queued_s: float, paused_s: float) -> None:
        """Tell that it is sent now."""
        self.sent_at = anyio.current_time()
        if self.listener.each:
            name, waited_for = self.operation.name, self.waits_for if queued_s else None
            self.listener(AttemptBegan(self.id, name, self.attempts, self.lane, queued_s, paused_s, waited_for))

    def tell_attempt_end(self, queued_s: float, status: int | None, error: BaseException | None) -> None:
        """Tell how a send ended."""
        wire_s = anyio.current_time() - self.sent_at
        name, kind = self.operation.name, _kind(error)
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "%s attempt %d: %s in %.3f s",
                name,
                self.attempts,
                kind or status,
                wire_s,
                extra={**self.fields, "status": status, "error": kind, "queued_s": queued_s, "wire_s": wire_s},
            )
        if self.listener.each:
            self.listener(AttemptEnded(name, self.attempts, self.lane, queued_s, wire_s, status, kind, self.id))

    def tell_back_off(self, error: OngageError, wait_s: float) -> None:
        """Tell that it waits by itself now."""
        name, kind = self.operation.name, type(error).__name__
        if log.isEnabledFor(logging.DEBUG):
            extra = {**self.fields, "error": kind, "wait_s": wait_s}
            log.debug("%s waits %.1f s after %s", name, wait_s, kind, extra=extra)
        if self.listener.each:
            self.listener(BackOffBegan(self.id, name, self.attempts, wait_s, kind))

    def tell_end(self, error: BaseException | None, explanations: Explanations | None) -> None:
        """Tell that it is over, and let its error say which call it was and where its time went."""
        outcome = error.outcome if isinstance(error, OngageError) else None
        if self.listener.each:
            elapsed_s = anyio.current_time() - self.started_at
            self.listener(CallEnded(self.operation.name, self.attempts, elapsed_s, _kind(error), self.id, outcome))
        if isinstance(error, OngageError):
            error.call_id = self.id
            if explanations is not None and (found := explanations.find(self.id)):
                error.add_note(f"call {self.id}: {found}")

    @property
    def fields(self) -> dict[str, object]:
        """What a log line says of the call beside its text."""
        return {
            "operation": self.operation.name,
            "call_id": self.id,
            "attempt": self.attempts,
            "lane": self.lane.name,
        }


def _kind(error: BaseException | None) -> str | None:
    """Name an error; a caller that left has one name on all event loops."""
    if error is None:
        return None
    return "Cancelled" if isinstance(error, anyio.get_cancelled_exc_class()) else type(error).__name__


class _Ids:
    """Name calls as no other call of any process is named."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return f"{self._prefix}-{next(self._numbers):x}"


_ids = _Ids()
os.register_at_fork(after_in_child=_ids.start_anew)
