"""What lies in an outbox: entries, their states, and what is told of them. Values only."""

import enum
from typing import Any

from attrs import field, frozen

from ongage_async._operation import Repeat
from ongage_async.config import Lane

__all__ = ["Entry", "NewEntry", "OutboxStatistics", "Status"]


class Status(enum.StrEnum):
    """Say where an entry is on its way.

    QUEUED → SENDING → SENT, REJECTED or UNCERTAIN; back to QUEUED after an attempt that certainly did nothing.
    """

    QUEUED = "queued"
    """Not at the vendor: nobody is sending it."""
    SENDING = "sending"
    """Written down before the first byte goes out. Whoever dies here leaves it uncertain, unless it may be repeated."""
    SENT = "sent"
    """The vendor said yes."""
    REJECTED = "rejected"
    """The vendor said no: it did not do it, and would not if it were sent again as it is."""
    UNCERTAIN = "uncertain"
    """The vendor may have done it, and twice would do harm: a person looks, then decides by `retry` or `discard`."""
    EXPIRED = "expired"
    """Its time was over before it could be sent."""
    DISCARDED = "discarded"
    """Somebody decided that it is not sent."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self not in (Status.QUEUED, Status.SENDING)


FORGOTTEN = (Status.SENT, Status.REJECTED, Status.EXPIRED, Status.DISCARDED)
"""What is removed after a while; the others wait for the vendor or for a person."""

RETRIABLE = (Status.UNCERTAIN, Status.REJECTED, Status.EXPIRED, Status.DISCARDED)
DISCARDABLE = (Status.QUEUED, Status.UNCERTAIN, Status.REJECTED)


@frozen(kw_only=True)
class NewEntry:
    """Hold a call that shall be kept.

    Attributes:
        id: Its own, chosen by whoever puts it.
        kind: Which call: ``transactional.send``.
        arguments: Its arguments as JSON.
        lane: Its lane.
        repeat: What may happen to it when its outcome is uncertain.
        tenant: On whose behalf.
        key: What the same call is known by when it is put again; None for nothing.
        expires_in_s: Seconds after which it is no longer sent.
    """

    id: str
    kind: str
    arguments: str = field(repr=False)
    lane: Lane
    repeat: Repeat
    tenant: str = ""
    key: str | None = field(default=None, repr=False)
    expires_in_s: float | None = None


@frozen(kw_only=True)
class Entry:
    """Show one entry as it is now.

    Attributes:
        id: By which it is found again, from any process.
        number: In which order it was put.
        kind: Which call: ``transactional.send``.
        status: Where it is.
        lane: Its lane.
        repeat: What may happen to it when its outcome is uncertain.
        tenant: On whose behalf.
        key: The key that it was put with.
        attempts: How often it went out, as far as is known.
        age_s: Seconds since it was put.
        expires_in_s: Seconds until it is no longer sent; None for never.
        reason: Why it is not sent, in words that may stand in a log.
        arguments: What the call is made with. Personal data.
        answer: What the vendor said to it, once it was sent. Personal data.
    """

    id: str
    number: int
    kind: str
    status: Status
    lane: Lane
    repeat: Repeat
    tenant: str = ""
    key: str | None = field(default=None, repr=False)
    attempts: int = 0
    age_s: float = 0.0
    expires_in_s: float | None = None
    reason: str | None = None
    arguments: dict[str, Any] = field(factory=dict, repr=False)
    answer: Any = field(default=None, repr=False)


@frozen
class OutboxStatistics:
    """Count the entries of an outbox, of all processes.

    Attributes:
        queued: Entries that wait to be sent.
        sending: On their way at this moment.
        sent: Taken by the vendor, and not forgotten yet.
        rejected: Refused by the vendor.
        uncertain: For a person to decide.
        expired: Too late.
        discarded: Decided not to be sent.
        oldest_queued_s: Age of the entry that waits longest; 0 when none does.
    """

    queued: int = 0
    sending: int = 0
    sent: int = 0
    rejected: int = 0
    uncertain: int = 0
    expired: int = 0
    discarded: int = 0
    oldest_queued_s: float = 0.0
