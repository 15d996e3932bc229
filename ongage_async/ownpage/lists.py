"""Subscriber lists, and how many subscribers they have. Source: vendor page §5 #2, #3."""

from collections.abc import AsyncIterator

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.models import Page
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import OwnpageList, SubscriberCounts
from ongage_async.ownpage._session import ListCaller
from ongage_async.resources._answers import Each, Reader

PAGE = Operation("lists.page", "GET", "/newsletters/lists", Repeat.SAFE, list_in=ListIn.NOWHERE)
COUNTS = Operation(
    "counts.get", "GET", "/newsletters/lists/{list_id}/subscribers/count", Repeat.SAFE, list_in=ListIn.NOWHERE
)


class Lists:
    """Read the account's subscriber lists; they are made in Ownpage's own user interface."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def page(self) -> Page[OwnpageList]:
        """Get all lists: this endpoint has one page only.

        Returns:
            The lists, in the vendor's order; `total` is None, as the vendor gives none.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #2 (vendor doc).
        """
        return self._read.page(OwnpageList, await self._caller.call(PAGE), PAGE, offset=0, limit=None)

    def each(self) -> AsyncIterator[OwnpageList]:
        """Iterate over all lists.

        Returns:
            An iterator that may be left at any time.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #2 (vendor doc).
        """

        async def fetch(_offset: int, _limit: int) -> Page[OwnpageList]:
            page = await self.page()
            return Page(page.items, len(page))

        return Each(fetch, key=lambda item: item.id)


class Counts:
    """Count the subscribers of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, *, list_id: int | None = None) -> SubscriberCounts:
        """Get how many are subscribed and unsubscribed, and why.

        Args:
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: There is no such list (*assumed*: the vendor names no code).

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #3 (vendor doc).
        """
        answer = await self._caller.call(COUNTS, path={"list_id": self._caller.list_of(list_id)})
        return self._read.one(SubscriberCounts, answer, COUNTS)
