"""Reports: rows of numbers, selected, grouped, filtered and sorted by the vendor. Source: vendor page §3.18.

How a question is built is `models/reports.py`; how rows become a data frame is `_frames.py`.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import attrs

from ongage_async._operation import Answer, Caller, ListIn, Operation, Repeat
from ongage_async.errors import DecodeError, InvalidInputError
from ongage_async.models import ReportQuery, ReportSource
from ongage_async.models._converter import OnDrift
from ongage_async.models._scalars import UnreadableError, to_int
from ongage_async.models.reports import Filtered, Grouped, Ordered, Selected
from ongage_async.resources._frames import Library, frame_of

QUERY = Operation("reports.query", "POST", "/api/reports/query", Repeat.SAFE)
QUERY_LISTS = attrs.evolve(QUERY, list_in=ListIn.NOWHERE)

Row = dict[str, Any]


class Reports:
    """Ask for reports."""

    __slots__ = ("_caller",)

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:  # noqa: ARG002  # like all families
        self._caller = caller

    def query(
        self,
        select: Iterable[Selected] | ReportQuery,
        *,
        source: ReportSource | str = ReportSource.MAILING,
        group: Iterable[Grouped] = (),
        where: Iterable[Filtered] = (),
        order: Iterable[Ordered] = (),
        list_ids: Sequence[int] | Literal["all"] | None = None,
        time_zone: str | None = None,
        calculate_rates: bool | None = None,
        page_size: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> "ReportRows":
        """Ask for a report; nothing is sent before its rows are.

        Of mailings, without a filter on ``stats_date``, the vendor gives the last month only.

        Args:
            select: Columns: names, `ReportField`, computed ones such as ``ReportField("sent").sum()``, or pairs
                ``(expression, alias)``; or a whole `ReportQuery`, with nothing else but `page_size`.
            source: ``mailing``, ``list``, or ``event`` (client code).
            group: What rows are made for: names, or ``ReportField("stats_date").by("day")``.
            where: Filters, all of which must hold: ``ReportField("stats_date").at_least(date(2026, 1, 1))``, or
                ``[field, operator, value]``.
            order: Sorting, most important first: names, or ``ReportField("sent").descending()``.
            list_ids: Lists by id, or ``"all"``; None: the list of this client, else the account's default (inferred).
            time_zone: Name of the zone in which days are cut; None: GMT (client code).
            calculate_rates: Whether rows gain ``<name>_percent`` (client code).
            page_size: Rows per call, by `offset` and `limit`, which are client code; None asks for all in one call.
            extra: More keys of the body, as they are.

        Returns:
            Rows to iterate over (``async for``), or to take as a whole: `ReportRows.all`, `ReportRows.frame`. They are
            objects by column; computed columns under their alias and as numbers, the rest as it comes.

        Raises:
            InvalidInputError: No columns, or a part that is none.
            ValidationError: While iterating: the vendor refused the question.

        Cost: 1 call, or 1 per page and one more, lane NORMAL.
        Repeat: SAFE: it is a POST that reads.
        Source: vendor page §3.18, POST /api/reports/query (vendor doc).
        """
        if isinstance(select, ReportQuery):
            question = select
        else:
            if isinstance(select, (str, bytes)):
                raise InvalidInputError("give a list of columns, even for one: [column]")
            question = ReportQuery(
                select=select,
                source=source,
                group=group,
                where=where,
                order=order,
                list_ids=list_ids,
                time_zone=time_zone,
                calculate_rates=calculate_rates,
                extra=extra or {},
            )
        if page_size is not None and page_size < 1:
            raise InvalidInputError("page_size must be at least 1")
        question.to_wire()  # refuses now what cannot be asked
        return ReportRows(self._caller, question, page_size)

    async def values(self, field: str, select: Iterable[Selected] | ReportQuery, **question: Any) -> tuple[Any, ...]:
        """Ask for one field of a report as a plain array.

        Args:
            field: Which; the vendor's `value`.
            select: As for `query`.
            question: As for `query`, without `page_size`.

        Returns:
            The values as they come.

        Raises:
            DecodeError: The answer is no array.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.18, `value`.
        """
        asked = self.query(select, **question).question
        answer = await _ask(self._caller, asked, {**asked.to_wire(), "value": field})
        return tuple(_array(answer))


class ReportRows:
    """Iterate over the rows of a report, call by call; made by `Reports.query`.

    An object and not an async generator: it may be left at any time.

    Attributes:
        question: What is asked.
        total: Number of all rows, if an answer told it.
    """

    __slots__ = ("_caller", "_is_over", "_last", "_offset", "_page_size", "_ready", "question", "total")

    def __init__(self, caller: Caller, question: ReportQuery, page_size: int | None) -> None:
        self._caller = caller
        self.question = question
        self.total: int | None = None
        self._page_size = page_size
        self._offset = 0
        self._ready: deque[Row] = deque()
        self._last: list[Any] | None = None
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Row:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            await self._fetch()
        return self._ready.popleft()

    async def all(self) -> list[Row]:
        """Return all rows that are left.

        Cost: As the iteration.
        """
        return [row async for row in self]

    async def frame(self, library: Library | None = None) -> Any:
        """Return all rows that are left as a data frame.

        Numbers that the vendor wrote as text are numbers in the frame; a column with anything else in it is text as it
        came, and names, titles, types and addresses are text always. Columns that were asked for are there even when no
        row has them, in the order of the question.

        Args:
            library: ``polars`` or ``pandas``; None: polars if it is installed, else pandas.

        Returns:
            A ``polars.DataFrame`` or a ``pandas.DataFrame``.

        Raises:
            ConfigurationError: The library is not installed; nothing was sent.

        Cost: As the iteration.
        """
        make = frame_of(library)
        return make(await self.all(), self.question.columns)

    async def _fetch(self) -> None:
        body = self.question.to_wire()
        if self._page_size is not None:
            body = {**body, "offset": self._offset, "limit": self._page_size}
        answer = await _ask(self._caller, self.question, body)
        rows = _array(answer)
        self._take_total(answer)
        is_same = rows == self._last  # a server that ignores `offset` gives the same page for ever
        if rows and not is_same:
            for number, row in enumerate(rows):
                if not isinstance(row, Mapping):
                    raise _unreadable("an object", f"$.payload[{number}]")
            self._ready.extend(self.question.row(row) for row in rows)
            self._offset += len(rows)
        self._last = rows
        is_all = self.total is not None and self._offset >= self.total
        self._is_over = self._page_size is None or not rows or is_same or is_all

    def _take_total(self, answer: Answer) -> None:
        try:
            self.total = to_int(answer.metadata.get("total"))
        except UnreadableError:
            self.total = None


async def _ask(caller: Caller, question: ReportQuery, body: dict[str, Any]) -> Answer:
    """Send a question; `list_ids` takes the place of a list in the route."""
    return await caller.call(QUERY if question.list_ids is None else QUERY_LISTS, body=body)


def _array(answer: Answer) -> list[Any]:
    match answer.payload:
        case list() as rows:
            return rows
        case None | "":
            return []
        case dict() as rows if all(key.isdecimal() for key in rows):  # an array with gaps, as PHP writes it
            return list(rows.values())
        case _:
            raise _unreadable("an array", "$.payload")


def _unreadable(expected: str, path: str) -> DecodeError:
    message = f"no rows can be read from the answer: {expected} was expected at {path}"
    return DecodeError(message, path=path, operation=QUERY.name)
