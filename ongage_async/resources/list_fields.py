"""Fields of a list. Source: vendor page §3.2. The list goes into the route, one place only (§1.3)."""

from collections.abc import AsyncIterator
from typing import Any, TypedDict, Unpack

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import FieldType, ListField, ListFieldsReport, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import given, text

GET = Operation("list_fields.get", "GET", "/api/list_fields/{field_id}", Repeat.SAFE)
PAGE = Operation("list_fields.page", "GET", "/api/list_fields", Repeat.SAFE)
CREATE = Operation("list_fields.create", "POST", "/api/list_fields", Repeat.IF_UNSENT)
CREATE_IN_ALL_LISTS = Operation(
    "list_fields.create_in_all_lists",
    "POST",
    "/api/list_fields/all_lists",
    Repeat.IF_UNSENT,
    list_in=ListIn.NOWHERE,
)
UPDATE = Operation("list_fields.update", "PUT", "/api/list_fields/{field_id}", Repeat.SAFE)
DELETE = Operation("list_fields.delete", "DELETE", "/api/list_fields/{field_id}", Repeat.SAFE)


class ListFieldFilters(TypedDict, total=False):
    """Name what `ListFields.each` passes to `ListFields.page`."""

    name: str
    type: FieldType | str
    sort: str
    order: str


class ListFields:
    """Read and change the fields of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, field_id: int, *, list_id: int | None = None) -> ListField:
        """Get one field.

        Raises:
            NotFoundError: There is no such field, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.2, GET /api/list_fields/<id> (client code).
        """
        answer = await self._caller.call(GET, path={"field_id": field_id}, list_id=list_id)
        return self._read.one(ListField, answer, GET)

    async def page(
        self,
        *,
        name: str | None = None,
        type: FieldType | str | None = None,  # noqa: A002  # the vendor's name
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[ListField]:
        """Get one page of a list's fields.

        Args:
            name: The exact name.
            type: ``date``, ``email``, ``numeric`` or ``string``.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.2, GET /api/list_fields (vendor doc; filters and paging: client code).
        """
        query = {**given(name=name, type=type), **paging(sort, order, offset, limit)}
        answer = await self._caller.call(PAGE, query=query, list_id=list_id)
        return self._read.page(ListField, answer, PAGE, offset=offset, limit=limit)

    def each(
        self, *, page_size: int = PAGE_SIZE, list_id: int | None = None, **filters: Unpack[ListFieldFilters]
    ) -> AsyncIterator[ListField]:
        """Iterate over all fields of a list.

        Args:
            page_size: Items per call.
            list_id: The list; None: this client's.
            filters: As for `page`: name, type, sort, order.

        Returns:
            An iterator that gives each field once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.2, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[ListField]:
            return await self.page(offset=offset, limit=limit, list_id=list_id, **filters)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        title: str,
        type: FieldType | str,  # noqa: A002  # the vendor's name
        *,
        position: int,
        format: str | None = None,  # noqa: A002  # the vendor's name
        default: Any = None,
        mandatory: bool = False,
        list_id: int | None = None,
    ) -> ListField:
        """Create a field.

        Args:
            name: As used in contacts and in the header of files.
            title: As shown to people.
            type: ``date``, ``email``, ``numeric`` or ``string``; cannot be changed later.
            position: Place in the list, from 0.
            format: Required for dates: one of the vendor's eighteen, such as ``yyyy-mm-dd hh24:mi``.
            default: Value of contacts that have none.
            mandatory: Whether contacts without it are refused.
            list_id: The list; None: this client's.

        Returns:
            The field as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: A date field without a format.
            DecodeError: The answer holds no id; the field was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would be refused over the first one's field.
        Source: vendor page §3.2, POST /api/list_fields (vendor doc).
        """
        body = _new_field(name, title, type, position, format, default, mandatory)
        answer = await self._caller.call(CREATE, body=body, list_id=list_id)
        return self._read.changed(ListField, answer, CREATE)

    async def create_in_all_lists(
        self,
        name: str,
        title: str,
        type: FieldType | str,  # noqa: A002  # the vendor's name
        *,
        position: int,
        format: str | None = None,  # noqa: A002  # the vendor's name
        default: Any = None,
        mandatory: bool = False,
    ) -> ListFieldsReport:
        """Create a field in every list of the account; for Admins.

        Args:
            name: As for `create`, and so are the others.
            title: As shown to people.
            type: ``date``, ``email``, ``numeric`` or ``string``.
            position: Place in the lists.
            format: Required for dates.
            default: Value of contacts that have none.
            mandatory: Whether contacts without it are refused.

        Returns:
            The fields that were made, and the vendor's error for each list where it was not.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would be refused over the first one's fields.
        Source: vendor page §3.2, POST /api/list_fields/all_lists (vendor doc).
        """
        body = _new_field(name, title, type, position, format, default, mandatory)
        answer = await self._caller.call(CREATE_IN_ALL_LISTS, body=body)
        return self._read.one(ListFieldsReport, answer, CREATE_IN_ALL_LISTS)

    async def update(
        self,
        field_id: int,
        *,
        name: str | None = None,
        title: str | None = None,
        format: str | None = None,  # noqa: A002  # the vendor's name
        default: Any = None,
        mandatory: bool | None = None,
        position: int | None = None,
        list_id: int | None = None,
    ) -> ListField:
        """Update a field; what is left out is not sent. Neither its type nor the field ``email`` can be changed.

        Returns:
            The field as far as the vendor answers with it; its `id` at least.

        Raises:
            InvalidInputError: Nothing is given.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.2, PUT /api/list_fields/<id> (vendor doc).
        """
        body = given(name=name, title=title, format=format, default=default, mandatory=mandatory, position=position)
        if not body:
            raise InvalidInputError(
                "nothing to update: give at least one of name, title, format, default, mandatory, position"
            )
        answer = await self._caller.call(UPDATE, path={"field_id": field_id}, body=body, list_id=list_id)
        return self._read.changed(ListField, answer, UPDATE, known_id=field_id)

    async def delete(self, field_id: int, *, list_id: int | None = None) -> None:
        """Delete a field for good, and what all contacts have in it.

        Raises:
            NotFoundError: There is no such field; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.2, DELETE /api/list_fields/<id> (vendor doc).
        """
        await self._caller.call(DELETE, path={"field_id": field_id}, list_id=list_id)


def _new_field(
    name: str, title: str, kind: FieldType | str, position: int, date_format: str | None, default: Any, mandatory: bool
) -> dict[str, Any]:
    if kind == FieldType.DATE and not date_format:
        raise InvalidInputError("a date field needs a format, such as yyyy-mm-dd")
    return given(
        name=text(name, "name"),
        title=text(title, "title"),
        type=str(kind),
        format=date_format,
        default=default,
        mandatory=mandatory,
        position=position,
    )
