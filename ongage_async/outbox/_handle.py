"""What is given for a call that was kept: wait for its end, look at it, or note its id and come back later."""

from typing import Any, Generic, Protocol, TypeVar

from attrs import field, frozen

from ongage_async.outbox._entry import Entry, Status

T = TypeVar("T")

__all__ = ["Handle", "Keeper"]


class Keeper(Protocol):
    """What a handle needs of its outbox."""

    async def entry(self, entry_id: str) -> Entry:
        """Return an entry as it is now."""
        ...

    async def result(self, entry_id: str, timeout_s: float | None) -> Any:
        """Wait until an entry was sent, and return what the vendor answered."""
        ...


@frozen(eq=False)
class Handle(Generic[T]):
    """Follow one call; cheap, and it needs no closing.

    Attributes:
        id: By which `Outbox.get` finds it again, from any process.
    """

    id: str
    _keeper: Keeper = field(repr=False)

    async def wait(self, timeout_s: float | None = None) -> T:
        """Wait until it was sent, and return what the client's method would have returned.

        Args:
            timeout_s: Seconds to wait at most; None: as long as it takes. The entry does not mind.

        Raises:
            EntryError: It will not be sent by itself: it was rejected, expired or discarded, or its outcome is
                uncertain (`outcome` is UNKNOWN then); `entry.status` says which.
            JobTimeoutError: It was not settled in time; `job` is the entry.
            OutboxError: The store cannot be used.
        """
        result: T = await self._keeper.result(self.id, timeout_s)
        return result

    async def status(self) -> Status:
        """Return where it is now."""
        return (await self.entry()).status

    async def entry(self) -> Entry:
        """Return all that is known of it.

        Raises:
            EntryError: It is not there any more.
        """
        return await self._keeper.entry(self.id)
