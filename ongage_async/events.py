"""What the library tells while it works: small frozen records for the `on_event` callback of the client.

A call is told as `CallBegan`, then for each send `AttemptBegan` and `AttemptEnded`, with `BackOffBegan` between them
where it waits by itself, and `CallEnded`; all in the task that makes the call, so that a listener may set its context
variables. Nothing here holds a secret, an address or a query. An event is made only if somebody listens.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import define, field, frozen

from ongage_async.config import Lane, Limits
from ongage_async.errors import Outcome

__all__ = [
    "AccountPaused",
    "AttemptBegan",
    "AttemptEnded",
    "BackOffBegan",
    "CallBegan",
    "CallEnded",
    "ClientClosed",
    "DriftReport",
    "DriftRow",
    "DriftSeen",
    "Event",
    "ForeignUseSeen",
    "LedgerBack",
    "LedgerLost",
    "LimitsDiffer",
    "Listener",
    "Listeners",
    "listeners",
]

log = logging.getLogger("ongage_async.events")


@frozen
class CallBegan:
    """A call was asked for; it waits for its permit now.

    Attributes:
        call_id: The same in all events, errors and log lines of this call; no other call of any process has it.
        operation: Dotted name.
        lane: The lane it takes.
        method: HTTP method.
        template: Path with ``{parameters}`` unfilled.
        base_url: Scheme and host that it goes to.
    """

    call_id: str
    operation: str
    lane: Lane
    method: str
    template: str
    base_url: str


@frozen
class AttemptBegan:
    """A call got its permit and is sent now.

    Attributes:
        call_id: Which call.
        operation: Dotted name.
        attempt: 1 for the first send.
        lane: The lane it is sent on.
        queued_s: Seconds it waited for its permit.
        paused_s: How many of these passed while the account was paused after a 429 that this client met.
        waited_for: What was scarce when it came: ``rate`` (tokens), ``place``, ``turn`` (whoever is before it, or the
            pace of BULK) or ``pause``; None if it did not wait, or if only a shared ledger knows.
    """

    call_id: str
    operation: str
    attempt: int
    lane: Lane
    queued_s: float
    paused_s: float
    waited_for: str | None = None


@frozen
class AttemptEnded:
    """One send of a call is over.

    Attributes:
        operation: Dotted name.
        attempt: 1 for the first send.
        lane: The lane it was sent on.
        queued_s: Seconds it waited for its permit.
        wire_s: Seconds from permit to answer.
        status: HTTP status; None when no answer came.
        error: Name of the error's class; ``Cancelled`` when the caller left; None when all is well.
        call_id: Which call.
    """

    operation: str
    attempt: int
    lane: Lane
    queued_s: float
    wire_s: float
    status: int | None = None
    error: str | None = None
    call_id: str = ""


@frozen
class BackOffBegan:
    """A call waits, holding nothing, before it asks for its next permit.

    A 429 has no back-off of its own: the whole account pauses, and the call waits for a permit meanwhile.

    Attributes:
        call_id: Which call.
        operation: Dotted name.
        attempt: The attempt that failed.
        wait_s: Seconds that it will wait.
        error: Name of the class of the error that it waits after.
    """

    call_id: str
    operation: str
    attempt: int
    wait_s: float
    error: str


@frozen
class CallEnded:
    """A call is over, whatever it took.

    Attributes:
        operation: Dotted name.
        attempts: How often it was sent.
        elapsed_s: Seconds from its start to its end.
        error: Name of the error's class; ``Cancelled`` when the caller left; None when all is well.
        call_id: Which call.
        outcome: What is known of a call that failed; None when all is well, or the caller left.
    """

    operation: str
    attempts: int
    elapsed_s: float
    error: str | None = None
    call_id: str = ""
    outcome: Outcome | None = None


@frozen
class AccountPaused:
    """A 429 paused the account.

    Attributes:
        pause_s: Seconds from now until calls go out again.
        strike: 1 for the first pause, 2 for the one that follows it without a success in between.
        call_id: The call that met the 429.
    """

    pause_s: float
    strike: int
    call_id: str = ""


@frozen
class ForeignUseSeen:
    """A 429 came below our own count: somebody else spends the account, and we take less for a while.

    Attributes:
        foreign_calls: How many calls others seem to have made within the window; 0 when our own count was at the limit.
        calls: The limit in force from now; it creeps back.
    """

    foreign_calls: int
    calls: int


@frozen
class LimitsDiffer:
    """Processes that share the account were given different limits; the strictest holds.

    Attributes:
        ours: What this process was given.
        in_force: What holds.
    """

    ours: Limits
    in_force: Limits


@frozen
class LedgerLost:
    """The shared ledger cannot be reached.

    Attributes:
        reason: Why, in a sentence.
        share: What this process may use on its own meanwhile; None if it stops.
        rest_s: Seconds before it begins to.
    """

    reason: str
    share: Limits | None
    rest_s: float


@frozen
class LedgerBack:
    """The shared ledger is back.

    Attributes:
        lost_s: How long it was lost.
        rest_s: Seconds for which the account rests, so that calls made meanwhile no longer count.
    """

    lost_s: float
    rest_s: float


@frozen
class DriftSeen:
    """The vendor sent something that the models do not know; it was kept.

    Attributes:
        model: Name of the model.
        field: Name of the unknown field, or of the field that holds an unknown value.
        kind: ``field`` or ``value``.
    """

    model: str
    field: str
    kind: str


@frozen
class ClientClosed:
    """The client is closed; this is the last that its listeners hear of it."""


@frozen
class DriftRow:
    """Say how often one unknown field or value was seen.

    Attributes:
        model: Name of the model.
        field: Name of the unknown field, or of the field that holds an unknown value.
        kind: ``field`` or ``value``.
        count: In how many answers.
        first_seen: When first, in UTC.
        last_seen: When last, in UTC.
    """

    model: str
    field: str
    kind: str
    count: int
    first_seen: datetime
    last_seen: datetime


@frozen
class DriftReport:
    """Hold all that `ongage_async.drift_report` counted; `str` of it is a table.

    Attributes:
        rows: The most frequent first.
        others: Sightings of fields and values that came when the rows were full.
    """

    rows: tuple[DriftRow, ...] = ()
    others: int = 0

    def __iter__(self) -> Iterator[DriftRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if not self.rows:
            return "no drift was seen"
        head = ("model", "field", "kind", "answers", "first seen (UTC)", "last seen (UTC)")
        cells = [
            (
                row.model,
                row.field,
                row.kind,
                str(row.count),
                f"{row.first_seen:%Y-%m-%d %H:%M:%S}",
                f"{row.last_seen:%Y-%m-%d %H:%M:%S}",
            )
            for row in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *cells)
        ]
        if self.others:
            lines.append(f"and {self.others} sightings of others")
        return "\n".join(line.rstrip() for line in lines)


Event = (
    CallBegan
    | AttemptBegan
    | AttemptEnded
    | BackOffBegan
    | CallEnded
    | AccountPaused
    | ForeignUseSeen
    | LimitsDiffer
    | LedgerLost
    | LedgerBack
    | DriftSeen
    | ClientClosed
)
Listener = Callable[[Event], None]


@define(eq=False)
class Listeners:
    """Tell everybody who listens; one that fails disturbs neither the others nor the call.

    Args:
        also: Who tells as well, with the same manners as `add`: governors.

    Attributes:
        each: Who listens now. Look here before an event is made.
    """

    also: tuple[Callable[[Listener], Callable[[], None]], ...] = ()
    each: tuple[Listener, ...] = field(default=(), init=False)
    _ends: list[Callable[[], None]] = field(factory=list, init=False)

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell one more; the function returned ends it, and does nothing a second time."""
        others = [listen(listener) for listen in self.also]
        self.each = (*self.each, listener)

        def end() -> None:
            if end not in self._ends:
                return
            self._ends.remove(end)
            self.each = tuple(other for other in self.each if other is not listener)
            for other in others:
                other()

        self._ends.append(end)
        return end

    def close(self) -> None:
        """Tell everybody that this was all."""
        self(ClientClosed())
        while self._ends:
            self._ends[-1]()

    def __call__(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self.each:
            try:
                listener(event)
            except Exception:
                log.exception("a listener failed at %s", type(event).__name__)


def listeners(who: Listeners | Listener | None) -> Listeners:
    """Return these listeners, or new ones: the one that is given, or nobody yet."""
    if isinstance(who, Listeners):
        return who
    new = Listeners()
    if who is not None:
        new.add(who)
    return new
