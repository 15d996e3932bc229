"""Subscribers of a list: read, created and changed, deleted; by the call and by the stream. Source: vendor page §5.

Files of subscribers go by `files.run`. What cuts a stream into calls is `_stream.py`.
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import attrs

from ongage_async._operation import ListIn, Operation, Repeat
from ongage_async.bulk._fields import is_email
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, InvalidInputError
from ongage_async.models import Page
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import (
    DATA,
    NewSubscriber,
    Subscriber,
    SubscriberRow,
    SubscribersResult,
    SubscriberStatus,
    Success,
)
from ongage_async.ownpage._contract import UnknownColumns
from ongage_async.ownpage._session import ListCaller
from ongage_async.ownpage._stream import Stream
from ongage_async.ownpage._table import BadRow, is_table, rows_in
from ongage_async.resources._answers import Each, Reader
from ongage_async.resources._inputs import choice, text

_ROUTE = "/newsletters/lists/{list_id}/subscribers"
PAGE = Operation("subscribers.page", "GET", _ROUTE, Repeat.SAFE, list_in=ListIn.NOWHERE)
CREATE = Operation("subscribers.create", "POST", _ROUTE, Repeat.SAFE, list_in=ListIn.NOWHERE)
CREATE_IN_BULK = attrs.evolve(CREATE, lane=Lane.BULK)
DELETE = Operation("subscribers.delete", "POST", f"{_ROUTE}/delete", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)
DELETE_IN_BULK = attrs.evolve(DELETE, lane=Lane.BULK)
DELETE_ALL = Operation("subscribers.delete_all", "DELETE", f"{_ROUTE}/all", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)

MOST_ROWS = 20_000
"""Rows per call that the vendor takes."""
PAGE_SIZE, MOST_PER_PAGE = 1_000, 10_000
"""Subscribers per page: by default, and at most."""


class Subscribers:
    """Read and change the subscribers of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def page(
        self,
        *,
        status: SubscriberStatus | str = SubscriberStatus.SUBSCRIBED,
        offset: int = 0,
        limit: int | None = None,
        search: str | None = None,
        exact: bool = False,
        list_id: int | None = None,
    ) -> Page[Subscriber]:
        """Get one page of a list's subscribers.

        Args:
            status: ``subscribed`` (the vendor's default), ``unsubscribed`` or ``all``.
            offset: Subscribers to leave out at the start.
            limit: Subscribers at most, up to 10,000; None: the vendor's 1,000.
            search: Text to look for; it travels in the URL, where servers log it.
            exact: Whether the whole must be equal to it.
            list_id: The list; None: this client's.

        Returns:
            The page; `total` is None, as the vendor gives none here (see `counts.get`).

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #4 (vendor doc).
        """
        if limit is not None and not 1 <= limit <= MOST_PER_PAGE:
            raise InvalidInputError(f"limit must be 1 to {MOST_PER_PAGE:,}")
        query = {
            "status": choice(SubscriberStatus, status, "status").value,
            "offset": offset or None,
            "count": limit,
            "search": search,
            "exact": exact or None,
        }
        answer = await self._caller.call(PAGE, path={"list_id": self._caller.list_of(list_id)}, query=query)
        shown = attrs.evolve(answer, payload=folded(answer.payload))
        return self._read.page(Subscriber, shown, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        status: SubscriberStatus | str = SubscriberStatus.SUBSCRIBED,
        page_size: int = PAGE_SIZE,
        search: str | None = None,
        exact: bool = False,
        list_id: int | None = None,
    ) -> AsyncIterator[Subscriber]:
        """Iterate over the subscribers of a list.

        Args:
            status: As for `page`.
            page_size: Subscribers per call, up to 10,000.
            search: As for `page`.
            exact: As for `page`.
            list_id: The list; None: this client's.

        Returns:
            An iterator that gives each subscriber once; it may be left at any time.

        Cost: 1 call per page and 1 to see that there are no more, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #4 (vendor doc).
        """

        async def fetch(offset: int, limit: int) -> Page[Subscriber]:
            return await self.page(
                status=status, offset=offset, limit=limit, search=search, exact=exact, list_id=list_id
            )

        return Each(fetch, key=lambda item: item.email, page_size=page_size)

    async def create(self, rows: Iterable[SubscriberRow], *, list_id: int | None = None) -> SubscribersResult:
        """Subscribe, unsubscribe or change subscribers, in one call.

        A row without `subscribed` leaves a known address as it is and subscribes a new one.

        Args:
            rows: 1 to 20,000: NewSubscriber, Subscriber, ``{"email": …, "data": {…}}`` or flat
                ``{"email": …, "data_firstname": …}``.
            list_id: The list; None: this client's.

        Returns:
            The vendor's counters; it gives no outcome per row.

        Raises:
            InvalidInputError: No rows, more than 20,000, or one that the vendor would misread.
            BadRequestError: The vendor refused the call.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again; the counters of the second answer then tell of no change.
        Source: vendor page §5 #5 (vendor doc; the answer is known in part).
        """
        body = [NewSubscriber.of(row, number).to_wire() for number, row in enumerate(counted(rows), 1)]
        return await self._create(CREATE, body, self._caller.list_of(list_id))

    def upsert_many(
        self,
        rows: Iterable[SubscriberRow] | AsyncIterable[SubscriberRow] | str | PathLike[str] | Any,
        *,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        unknown_columns: UnknownColumns = "refuse",
        per_call: int = MOST_ROWS,
        in_parallel: int = 2,
        list_id: int | None = None,
    ) -> Stream:
        """Subscribe, unsubscribe or change any number of subscribers.

        Rows are taken as they are needed and cut into calls; no more than ``per_call × (in_parallel + 1)`` are in
        memory. A row that cannot be sent is rejected alone; a call that the vendor refuses is told in the report and
        the others go on. Calls end in any order: an address that comes twice may keep either row's values.

        Args:
            rows: As for `create`, from any iterable or async iterable; or a table: paths or a pattern, as for
                `files.run`, or a data frame. Its cells travel as text, as in a file; an empty one changes nothing.
            mapping: Column of a table → ``email``, ``subscribed``, ``unsubscribed_cause``, ``guid`` or ``data_…``; None
                leaves a column out.
            encoding: A file's encoding; None: UTF-8, or what its byte order mark says.
            delimiter: A file's delimiter; None: found in its header.
            unknown_columns: What to do about other columns of a table: ``refuse`` it, ``drop`` them, or send them as
                ``data`` under their own names.
            per_call: Rows per call, up to 20,000.
            in_parallel: Calls that may be open at once.
            list_id: The list; None: this client's.

        Returns:
            ``await`` it for a `StreamReport`, whose counts add up to the input; or ``async for`` over it for an outcome
            per call. With neither, nothing is sent.

        Raises:
            AuthenticationError: The credentials are refused; so are PermissionDeniedError and NotFoundError raised:
                no further call can succeed. A note tells how far it came.
            CSVError: A table cannot be used; the rows before the place that cannot be read were sent.
            ConfigurationError: `mapping` names a column that is not there, or there is no table to map.

        Cost: 1 call per `per_call` rows, lane BULK.
        Repeat: SAFE, as for `create`.
        Source: vendor page §5 #5 (vendor doc).
        """
        chosen = self._caller.list_of(list_id)

        async def send(body: list[dict[str, Any]]) -> SubscribersResult:
            return await self._create(CREATE_IN_BULK, body, chosen)

        given: Any = rows
        if is_table(rows):
            given = rows_in(rows, mapping=mapping, encoding=encoding, delimiter=delimiter, unknown=unknown_columns)
        elif mapping is not None:
            raise ConfigurationError("mapping= names the columns of tables; name the keys of mappings yourself")
        return Stream(
            given,
            send,
            row=_row,
            per_call=_checked(per_call),
            in_parallel=in_parallel,
            operation="subscribers.upsert_many",
        )

    async def delete(self, emails: Iterable[str], *, list_id: int | None = None) -> Success:
        """Delete subscribers for good, in one call.

        Args:
            emails: 1 to 20,000 addresses. One that is not valid makes the vendor refuse them all.
            list_id: The list; None: this client's.

        Returns:
            The vendor's sentence; its `count` says how many are gone.

        Raises:
            InvalidInputError: No addresses, more than 20,000, or a blank one.
            BadRequestError: The vendor refused the call.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would tell of none deleted, and delete who came back between the two.
        Source: vendor page §5 #6 (vendor doc).
        """
        body = [{"email": text(email, f"address {number}")} for number, email in enumerate(counted(emails), 1)]
        return await self._delete(DELETE, body, self._caller.list_of(list_id))

    def delete_many(
        self,
        emails: Iterable[str] | AsyncIterable[str] | str | PathLike[str] | Any,
        *,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        per_call: int = MOST_ROWS,
        in_parallel: int = 2,
        list_id: int | None = None,
    ) -> Stream:
        """Delete any number of subscribers for good.

        Args:
            emails: Addresses, from any iterable or async iterable; what is no address is rejected alone. Or a table: a
                path or a pattern, several `Path`, or a data frame, of which nothing is read but the addresses.
            mapping: Of a table: column → ``email``, where it has another name; None leaves a column out.
            encoding: As for `upsert_many`.
            delimiter: As for `upsert_many`.
            per_call: Addresses per call, up to 20,000.
            in_parallel: Calls that may be open at once.
            list_id: The list; None: this client's.

        Returns:
            What is awaited or iterated over, as for `upsert_many`. A call whose outcome is not known is not sent again.

        Raises:
            InvalidInputError: It is one address: give a list, even for one.
            AuthenticationError: As for `upsert_many`; so are CSVError and ConfigurationError.

        Cost: 1 call per `per_call` addresses, lane BULK.
        Repeat: IF_UNSENT, as for `delete`.
        Source: vendor page §5 #6 (vendor doc).
        """
        chosen = self._caller.list_of(list_id)

        async def send(body: list[dict[str, Any]]) -> Success:
            return await self._delete(DELETE_IN_BULK, body, chosen)

        given: Any = emails
        if _is_table_of_addresses(emails):
            given = rows_in(
                emails, mapping=mapping, encoding=encoding, delimiter=delimiter, unknown="drop", only_email=True
            )
        elif mapping is not None:
            raise ConfigurationError("mapping= names the columns of tables; these are addresses")
        return Stream(
            given,
            send,
            row=_email,
            per_call=_checked(per_call),
            in_parallel=in_parallel,
            operation="subscribers.delete_many",
        )

    async def delete_all(self, *, status: SubscriberStatus | str, list_id: int | None = None) -> Success:
        """Delete all subscribers of a list for good, or all with one status. It cannot be undone.

        Args:
            status: ``subscribed``, ``unsubscribed`` or ``all``. The vendor's default is all; here it is to be said.
            list_id: The list; None: this client's.

        Returns:
            The vendor's sentence, as far as it gives one: the answer is not documented.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would delete who subscribed between the two.
        Source: vendor page §5 #7 (vendor doc).
        """
        query = {"status": choice(SubscriberStatus, status, "status").value}
        answer = await self._caller.call(DELETE_ALL, path={"list_id": self._caller.list_of(list_id)}, query=query)
        return self._read.changed(Success, answer, DELETE_ALL)

    async def _create(self, operation: Operation, body: list[dict[str, Any]], list_id: int) -> SubscribersResult:
        answer = await self._caller.call(operation, path={"list_id": list_id}, body=body)
        return self._read.changed(SubscribersResult, answer, operation)

    async def _delete(self, operation: Operation, body: list[dict[str, Any]], list_id: int) -> Success:
        answer = await self._caller.call(operation, path={"list_id": list_id}, body=body)
        return self._read.changed(Success, answer, operation)


def _row(row: Any, number: int) -> dict[str, Any]:
    if isinstance(row, BadRow):
        raise InvalidInputError(row.reason)
    made = NewSubscriber.of(row, number)
    return _addressed(made.to_wire(), number)


def _email(email: Any, number: int) -> dict[str, Any]:
    if isinstance(email, BadRow):
        raise InvalidInputError(email.reason)
    if isinstance(email, dict):  # a row of a table
        email = email.get("email", "")
    return _addressed({"email": text(email, f"row {number}").strip()}, number)


def _is_table_of_addresses(emails: Any) -> bool:
    """Tell a table from addresses: texts in a list are addresses, a single one is a path.

    Raises:
        InvalidInputError: It is a single address.
    """
    if isinstance(emails, str) and is_email(emails) and not Path(emails).exists():
        raise InvalidInputError("give a list of addresses, even for one: [email]")
    return is_table(emails) and not (isinstance(emails, (list, tuple)) and isinstance(emails[0], str))


def _addressed(body: dict[str, Any], number: int) -> dict[str, Any]:
    if not is_email(body["email"]):
        raise InvalidInputError(f"row {number}: `email` is not an address")
    return body


def counted(rows: Iterable[Any]) -> list[Any]:
    """Return the rows of one call as a list.

    Raises:
        InvalidInputError: There are none, too many, or it is one row and no list.
    """
    if isinstance(rows, (str, bytes, Mapping, NewSubscriber, Subscriber)):
        raise InvalidInputError("give a list of rows, even for one: [row]")
    found = list(rows)
    if not found:
        raise InvalidInputError("no rows: give at least one")
    if len(found) > MOST_ROWS:
        raise InvalidInputError(
            f"{len(found):,} rows in one call; {MOST_ROWS:,} are allowed: use the _many of this name"
        )
    return found


def _checked(per_call: int) -> int:
    if not 1 <= per_call <= MOST_ROWS:
        raise InvalidInputError(f"per_call must be 1 to {MOST_ROWS:,}")
    return per_call


def folded(payload: Any) -> Any:
    """Put a subscriber's own attributes (``data_…``) into one object, so that what is left over is the vendor's."""
    if not isinstance(payload, list):
        return payload
    return [_folded_one(item) if isinstance(item, dict) else item for item in payload]


def _folded_one(item: dict[str, Any]) -> dict[str, Any]:
    data = {key.removeprefix(DATA): value for key, value in item.items() if key.startswith(DATA) and key != DATA}
    rest = {key: value for key, value in item.items() if key.removeprefix(DATA) not in data or not key.startswith(DATA)}
    return {**rest, "data": data} if data else rest
