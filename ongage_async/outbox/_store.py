"""Where entries lie: the protocol that both stores keep, and which of them a URL names.

A store is blocking and knows no event loop: the outbox calls it from worker threads. What a method wrote is durable
when it returns. The conformance suite (`tests/outbox/test_conformance.py`) asks both the same questions.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError
from ongage_async.outbox._entry import Entry, NewEntry, OutboxStatistics, Status

__all__ = ["Store", "open_store"]

LEASE_S = 30.0
BATCH = 200
"""Entries that one sweep forgets at most; the next one goes on."""
SAME_KEY = "this key is in the outbox already, for another call or other arguments: give each call its own"


class Store(Protocol):
    """Keep entries for several senders, each of which is known by the store's own `owner` name.

    All failures are `OutboxError`. Each method is one atomic step.
    """

    owner: str

    def put(self, entry: NewEntry) -> str:
        """Keep an entry; return its id, or that of the one that is there under its key.

        Raises:
            InvalidInputError: The key is that of another call.
        """
        ...

    def claim(self, room: Mapping[Lane, int]) -> Sequence[Entry]:
        """Make entries that wait this sender's own: of each lane the first, at most so many."""
        ...

    def begin(self, entry_id: str) -> bool:
        """Write down that an own entry is being sent; false if it is not ours to send any more, or too late."""
        ...

    def settle(self, entry_id: str, status: Status, reason: str | None = None, answer: Any = None) -> None:
        """Write down how an own entry ended; nothing if it is somebody else's by now."""
        ...

    def keep(self, entry_id: str, reason: str | None = None) -> None:
        """Take an own entry back that was being sent: it was certainly not done, and stays ours to send."""
        ...

    def sweep(self, own: Sequence[str], keep_s: float) -> None:
        """Say that we live, take over from the dead, expire what is late, forget what is old.

        Args:
            own: The entries that this sender is at.
            keep_s: How long settled entries are kept.
        """
        ...

    def release(self) -> None:
        """Let others have the entries that are ours and not being sent."""
        ...

    def decide(self, entry_id: str, status: Status) -> bool:
        """Move an entry by a person's word to QUEUED or DISCARDED; false if it is not where that may be done."""
        ...

    def get(self, entry_id: str) -> Entry | None:
        """Return an entry; None if there is none."""
        ...

    def page(self, status: Status | None, after: int, most: int) -> Sequence[Entry]:
        """Return entries with a number above `after`, oldest first."""
        ...

    def statistics(self) -> OutboxStatistics:
        """Count."""
        ...

    def close(self) -> None:
        """Release what is ours, and let go of the store."""
        ...


def open_store(url: str, account: str, lease_s: float = LEASE_S) -> Store:
    """Open the store that a URL names.

    Args:
        url: ``sqlite:///absolute/path`` or ``redis://host:6379/0`` (``rediss:// valkey:// valkeys://``).
        account: What tells the account from others; no secret. An outbox holds the calls of one.
        lease_s: See `Outbox`.

    Raises:
        ConfigurationError: The URL names neither.
        OutboxError: The store cannot be used.
    """
    scheme = url.partition("://")[0].lower()
    if scheme not in _OPENERS:
        raise ConfigurationError(
            "outbox: give sqlite:///absolute/path (three slashes), for instance sqlite:///var/lib/app/outbox.db, "
            "or redis://host:6379/0"
        )
    return _OPENERS[scheme](url, account, lease_s)


def _sqlite(url: str, account: str, _: float) -> Store:
    from ongage_async.outbox._sqlite import SqliteStore  # here: who keeps entries in Redis needs no SQLite

    return SqliteStore(url, account)


def _redis(url: str, account: str, lease_s: float) -> Store:
    from ongage_async.outbox._redis import RedisStore  # here: redis-py is an extra

    return RedisStore(url, account, lease_s)


_OPENERS: dict[str, Callable[[str, str, float], Store]] = {
    "sqlite": _sqlite,
    **dict.fromkeys(("redis", "rediss", "valkey", "valkeys"), _redis),
}
