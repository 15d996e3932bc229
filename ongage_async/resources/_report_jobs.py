"""What searches and activity reports have in common: made in the background, watched, read as rows or as a file.

The three families differ in their routes and in what they are asked; that is in their own files. Source: vendor page
§3.5 to §3.7.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import anyio
import attrs

from ongage_async import _jobs
from ongage_async._operation import Operation
from ongage_async.config import Lane
from ongage_async.errors import JobError, JobTimeoutError, mask, mask_deep
from ongage_async.models import ContactResult, ContactSearch, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._download import Streamer, Target, download
from ongage_async.resources._inputs import text
from ongage_async.resources._raw import body_of
from ongage_async.resources.criteria import Criteria, is_and, render

J = TypeVar("J", bound=ContactSearch)

ROWS_PER_PAGE = 1000
"""Rows per call of `rows`: 50,000 were seen in use; the maximum is not known (vendor page §1.5)."""


@attrs.frozen
class Routes:
    """Name the operations of one family."""

    create: Operation
    get: Operation
    page: Operation
    delete: Operation


class ReportJobs(Generic[J]):
    """Follow, list, read and delete the jobs of one family."""

    __slots__ = ("_caller", "_read")

    _model: ClassVar[Any]
    _routes: ClassVar[Routes]

    def __init__(self, caller: Streamer, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, report_id: int, *, list_id: int | None = None) -> J:
        """Get one job as it is now, without its results.

        Raises:
            NotFoundError: There is no such job, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5 to §3.7, GET …/<id> (vendor doc); keys of the answer beyond `status` and `status_desc`
            are not known.
        """
        return await self._get(self._routes.get, report_id, list_id)

    async def page(
        self,
        *,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[J]:
        """Get one page of a list's jobs, without their results.

        Args:
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5 to §3.7, collection (vendor doc).
        """
        answer = await self._caller.call(self._routes.page, query=paging(sort, order, offset, limit), list_id=list_id)
        return self._read.page(self._model, answer, self._routes.page, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[J]:
        """Iterate over all jobs of a list.

        Returns:
            An iterator that gives each job once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5 to §3.7, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[J]:
            return await self.page(sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    def watch(
        self, report_id: int, *, interval_s: float | None = None, just_created: bool = False, list_id: int | None = None
    ) -> AsyncIterator[J]:
        """Follow a job: a snapshot at once, one at every change, and an end after the first final one.

        A failed job is an end like any other (`wait` raises). Unknown statuses are survived, and so are up to two hours
        of lost connections, 5xx and 429.

        Args:
            report_id: The job.
            interval_s: Seconds between polls; None: 2 s at first, 60 s after an hour.
            just_created: Whether a 404 in the first 60 s may mean "not yet there".
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: While iterating: there is no such job, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5 to §3.7; status 3, failed, is from another client's code.
        """
        poll = attrs.evolve(self._routes.get, lane=Lane.BULK)

        async def fetch() -> J:
            return await self._get(poll, report_id, list_id)

        return _jobs.watch(
            fetch,
            is_final=lambda snapshot: snapshot.is_final,
            name=poll.name,
            interval_s=interval_s,
            known=just_created,
            describe=_in_words,
        )

    async def wait(
        self,
        report_id: int,
        *,
        timeout_s: float | None = None,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> J:
        """Wait for the end of a job.

        Args:
            report_id: The job.
            timeout_s: Seconds to wait at most; None: for ever.
            interval_s: As for `watch`.
            just_created: As for `watch`.
            list_id: The list; None: this client's.

        Returns:
            The completed job; read it with `rows` or `download`, where the family has them.

        Raises:
            JobError: It failed; `job` is the last snapshot.
            JobTimeoutError: `timeout_s` is over; the job goes on, and `job` is the last snapshot.
            NotFoundError: There is no such job, or it vanished.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §3.5 to §3.7.
        """
        last: J | None = None
        with anyio.move_on_after(timeout_s):
            async for seen in self.watch(report_id, interval_s=interval_s, just_created=just_created, list_id=list_id):
                last = seen
        words, name = _in_words(last) if last else "nothing yet", self._routes.get.name.replace(".get", ".wait")
        if last is None or not last.is_final:
            raise JobTimeoutError(
                f"job {report_id} has not ended after {timeout_s} s; last seen: {words}. It goes on at the vendor's",
                job=last and _masked(last),
                operation=name,
            )
        if last.is_failed:
            raise JobError(f"job {report_id} failed: {words}", job=_masked(last), operation=name)
        return last

    async def delete(self, report_id: int, *, list_id: int | None = None) -> None:
        """Delete a job and its results for good.

        Raises:
            NotFoundError: There is no such job; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.5 to §3.7, DELETE …/<id> (contact activity: vendor doc; the others: client code).
        """
        await self._caller.call(self._routes.delete, path={"report_id": report_id}, list_id=list_id)

    async def _get(self, operation: Operation, report_id: int, list_id: int | None) -> J:
        answer = await self._caller.call(operation, path={"report_id": report_id}, list_id=list_id)
        snapshot: J = self._read.changed(self._model, answer, operation, known_id=report_id)
        return snapshot

    async def _create(self, body: Mapping[str, Any], list_id: int | None) -> J:
        answer = await self._caller.call(self._routes.create, body=body, list_id=list_id)
        made: J = self._read.changed(self._model, answer, self._routes.create)
        return made

    async def _download(
        self, operation: Operation, report_id: int, target: Target, unzip: bool, list_id: int | None
    ) -> tuple[Path, ...]:
        name = f"{operation.name.replace('.', '-')}-{report_id}.csv"
        path = {"report_id": report_id}
        return await download(self._caller, operation, target, path=path, name=name, unzip=unzip, list_id=list_id)

    def _rows(
        self,
        operation: Operation,
        report_id: int,
        sort: str | None,
        order: str | None,
        page_size: int,
        list_id: int | None,
    ) -> AsyncIterator[ContactResult]:
        async def fetch(offset: int, limit: int) -> Page[ContactResult]:
            query = paging(sort, order, offset, limit)
            answer = await self._caller.call(operation, path={"report_id": report_id}, query=query, list_id=list_id)
            return self._read.page(ContactResult, answer, operation, offset=offset, limit=limit)

        return _rows(fetch, page_size)


def _rows(fetch: Callable[[int, int], Awaitable[Page[ContactResult]]], page_size: int) -> AsyncIterator[ContactResult]:
    """Return an iterator over rows that may have no identity: two alike are two rows, two alike pages are one.

    A row with an id or an address is given once. Others are told apart by their place; a page that is the one before it
    again, from a server that ignores `offset`, is the end.
    """
    earlier: list[tuple[ContactResult, ...]] = []

    async def paged(offset: int, limit: int) -> Page[tuple[Any, ContactResult]]:
        page = await fetch(offset, limit)
        is_again = bool(earlier) and earlier[0] == page.items
        earlier[:] = [page.items]
        start = 0 if is_again else offset
        items = tuple((row.key or start + place, row) for place, row in enumerate(page))
        return Page(items, page.total, page.offset, page.limit)

    return _Second(Each(paged, key=lambda pair: pair[0], page_size=page_size))


@attrs.frozen
class _Second:
    """Give the rows of numbered rows."""

    pairs: Each[tuple[Any, ContactResult]]

    def __aiter__(self) -> "_Second":
        return self

    async def __anext__(self) -> ContactResult:
        return (await anext(self.pairs))[1]


def body(
    title: str,
    criteria: Criteria,
    *,
    selected_fields: Sequence[str] | None,
    include_behavior: bool | None,
    combined_as_and: bool | None,
    extra: Mapping[str, Any] | None,
    **filters: str | datetime | int | None,
) -> dict[str, Any]:
    """Return the body that makes a search or a report; `filters` stand beside the criteria."""
    return body_of(
        extra,
        title=text(title, "title"),
        filters=body_of(None, criteria=render(criteria), **filters),
        selected_fields=selected_fields,
        include_behavior=include_behavior,
        combined_as_and=is_and(criteria) if combined_as_and is None else combined_as_and,
    )


def _in_words(job: ContactSearch) -> str:
    """Say how far a job is, in words that may stand in a log."""
    number = "no status" if job.status is None else f"status {int(job.status)}"
    words = [job.status_desc, job.desc]
    return mask(": ".join([number, *(word for word in words if word)]))


def _masked(job: J) -> J:
    """Return a snapshot that an error may carry: addresses in its criteria are blotted out."""
    texts: dict[str, Any] = {
        name: mask(told) for name in ("status_desc", "desc", "title") if (told := getattr(job, name))
    }
    return attrs.evolve(job, **texts, filters=mask_deep(job.filters), extra=mask_deep(job.extra))
