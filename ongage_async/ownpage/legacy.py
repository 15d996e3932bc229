"""The deprecated calls without a list, kept for accounts from before lists. Source: vendor page §5, row "dep"."""

from collections.abc import Iterable

import attrs

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.models import Page
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import (
    NewSubscriber,
    Subscriber,
    SubscriberCounts,
    SubscriberRow,
    SubscribersResult,
    SubscriberStatus,
)
from ongage_async.ownpage._session import ListCaller
from ongage_async.ownpage.subscribers import counted, folded
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import choice

COUNTS = Operation("legacy.counts", "GET", "/newsletters/subscribers/count", Repeat.SAFE, list_in=ListIn.NOWHERE)
PAGE = Operation("legacy.page", "GET", "/newsletters/subscribers", Repeat.SAFE, list_in=ListIn.NOWHERE)
CREATE = Operation("legacy.create", "POST", "/newsletters/subscribers", Repeat.SAFE, list_in=ListIn.NOWHERE)


class Legacy:
    """Reach subscribers without naming a list. Deprecated by the vendor: use `counts` and `subscribers`."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def counts(self) -> SubscriberCounts:
        """Count the subscribers. Deprecated: use `counts.get`.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5, deprecated (vendor doc).
        """
        return self._read.one(SubscriberCounts, await self._caller.call(COUNTS), COUNTS)

    async def page(
        self,
        *,
        status: SubscriberStatus | str = SubscriberStatus.SUBSCRIBED,
        offset: int = 0,
        limit: int | None = None,
        search: str | None = None,
    ) -> Page[Subscriber]:
        """Get one page of subscribers. Deprecated: use `subscribers.page`, which tells the arguments.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5, deprecated (vendor doc).
        """
        query = {
            "status": choice(SubscriberStatus, status, "status").value,
            "offset": offset or None,
            "count": limit,
            "search": search,
        }
        answer = await self._caller.call(PAGE, query=query)
        shown = attrs.evolve(answer, payload=folded(answer.payload))
        return self._read.page(Subscriber, shown, PAGE, offset=offset, limit=limit)

    async def create(self, rows: Iterable[SubscriberRow]) -> SubscribersResult:
        """Subscribe, unsubscribe or change subscribers. Deprecated: use `subscribers.create`.

        One row goes as an object, as in the vendor's sample; several as an array.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §5, deprecated (vendor doc).
        """
        body = [NewSubscriber.of(row, number).to_wire() for number, row in enumerate(counted(rows), 1)]
        answer = await self._caller.call(CREATE, body=body[0] if len(body) == 1 else body)
        return self._read.changed(SubscribersResult, answer, CREATE)
