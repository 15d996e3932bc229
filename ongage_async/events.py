"""What the library tells while it works: small frozen records for the `on_event` callback of the client.

Nothing here holds a secret, an address or a URL. An event is made only if somebody listens.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from attrs import frozen

from ongage_async.config import Lane, Limits

__all__ = [
    "AccountPaused",
    "AttemptEnded",
    "CallEnded",
    "DriftReport",
    "DriftRow",
    "DriftSeen",
    "Event",
    "ForeignUseSeen",
    "LedgerBack",
    "LedgerLost",
    "LimitsDiffer",
    "Listener",
]


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
        error: Name of the error's class; None when all is well.
    """

    operation: str
    attempt: int
    lane: Lane
    queued_s: float
    wire_s: float
    status: int | None = None
    error: str | None = None


@frozen
class CallEnded:
    """A call is over, whatever it took.

    Attributes:
        operation: Dotted name.
        attempts: How often it was sent.
        elapsed_s: Seconds from its start to its end.
        error: Name of the error's class; None when all is well.
    """

    operation: str
    attempts: int
    elapsed_s: float
    error: str | None = None


@frozen
class AccountPaused:
    """A 429 paused the account.

    Attributes:
        pause_s: Seconds from now until calls go out again.
        strike: 1 for the first pause, 2 for the one that follows it without a success in between.
    """

    pause_s: float
    strike: int


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


Event = AttemptEnded | CallEnded | AccountPaused | ForeignUseSeen | LimitsDiffer | LedgerLost | LedgerBack | DriftSeen
Listener = Callable[[Event], None]
