"""Counts of contacts: how many meet criteria or belong to a segment, by status. Source: vendor page §3.4."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import attrs

from ongage_async import _jobs
from ongage_async._operation import Answer, Caller, Operation, Repeat
from ongage_async.config import Lane
from ongage_async.errors import InvalidInputError, JobTimeoutError
from ongage_async.models import ContactCount
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader
from ongage_async.resources._raw import body_of
from ongage_async.resources.criteria import Criteria, render

CREATE = Operation("contact_counts.create", "POST", "/api/contact_counts", Repeat.SAFE)
GET = Operation("contact_counts.get", "GET", "/api/contact_counts/{count_id}", Repeat.SAFE)
POLL = attrs.evolve(GET, lane=Lane.BULK)


class ContactCounts:
    """Count contacts: `create`, then `wait`."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(
        self,
        criteria: Criteria | None = None,
        *,
        segment_id: int | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> ContactCount:
        """Start a count, by criteria or of a segment; it then runs at the vendor's.

        Args:
            criteria: Which contacts; see `ongage_async.resources.criteria`.
            segment_id: A segment instead of criteria.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The count with its `id`; no numbers yet.

        Raises:
            InvalidInputError: Neither or both are given, or the criteria cannot be written.
            NotFoundError: There is no such segment.
            ServerError: Status 500 is also what the vendor says of criteria that it refuses.
            DecodeError: The answer holds no id.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: a count changes nothing; a second one is only work.
        Source: vendor page §3.4, POST /api/contact_counts (vendor doc). Criteria go as an array, one of the two
            samples' forms; `condition`, which several criteria need, is from other families.
        """
        if (criteria is None) == (segment_id is None):
            raise InvalidInputError("count by criteria or by segment_id: give one of the two")
        rules = None if criteria is None else render(criteria)
        if rules is not None and len(rules) == 1 and not isinstance(criteria, Mapping):
            rules[0].pop("condition", None)
        body = body_of(extra, criteria=rules, segment_id=segment_id)
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(ContactCount, answer, CREATE)

    async def get(self, count_id: int, *, list_id: int | None = None) -> ContactCount:
        """Get one count as it is now; without a `total` it is not done.

        Raises:
            NotFoundError: There is no such count, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.4, GET /api/contact_counts/<id> (vendor doc).
        """
        return await self._get(GET, count_id, list_id)

    def watch(
        self, count_id: int, *, interval_s: float | None = None, just_created: bool = False, list_id: int | None = None
    ) -> AsyncIterator[ContactCount]:
        """Follow a count: a snapshot at once, one at every change, and an end after the one with its numbers.

        Up to two hours of lost connections, 5xx and 429 are survived.

        Args:
            count_id: The count.
            interval_s: Seconds between polls; None: 2 s at first, 60 s after an hour.
            just_created: Whether a 404 in the first 60 s may mean "not yet there".
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: While iterating: there is no such count, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.4; that `total` is null until the count is done is from another client's code.
        """

        async def fetch() -> ContactCount:
            return await self._get(POLL, count_id, list_id)

        return _jobs.watch(
            fetch,
            is_final=lambda snapshot: snapshot.is_final,
            name=POLL.name,
            interval_s=interval_s,
            known=just_created,
        )

    async def wait(
        self,
        count_id: int,
        *,
        timeout_s: float | None = None,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> ContactCount:
        """Wait for the end of a count.

        Args:
            count_id: The count.
            timeout_s: Seconds to wait at most; None: for ever.
            interval_s: As for `watch`.
            just_created: As for `watch`.
            list_id: The list; None: this client's.

        Returns:
            The count with its numbers.

        Raises:
            JobTimeoutError: `timeout_s` is over; the count goes on.
            NotFoundError: There is no such count, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.4.
        """
        last: ContactCount | None = None
        with anyio.move_on_after(timeout_s):
            async for seen in self.watch(count_id, interval_s=interval_s, just_created=just_created, list_id=list_id):
                last = seen
        if last is None or not last.is_final:
            raise JobTimeoutError(
                f"count {count_id} is not done after {timeout_s} s; it goes on at the vendor's",
                job=last,
                operation="contact_counts.wait",
            )
        return last

    async def _get(self, operation: Operation, count_id: int, list_id: int | None) -> ContactCount:
        answer = await self._caller.call(operation, path={"count_id": count_id}, list_id=list_id)
        return self._read.changed(ContactCount, _with_total(answer), operation, known_id=count_id)


def _with_total(answer: Answer) -> Answer:
    """Put the total, which stands in the metadata, beside the other numbers; an empty object comes as ``[]``."""
    match answer.payload:
        case dict() as numbers:
            pass
        case None | []:
            numbers = {}
        case _:
            return answer
    return attrs.evolve(answer, payload={"total": answer.metadata.get("total"), **numbers})
