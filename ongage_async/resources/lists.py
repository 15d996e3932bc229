"""Sending and suppression lists. Source: vendor page §3.1.

These calls have no list route: the id is part of the path.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.models import HashType, ListScope, ListType, MailingList, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import given, text

GET = Operation("lists.get", "GET", "/api/lists/{list_id}", Repeat.SAFE, list_in=ListIn.NOWHERE)
PAGE = Operation("lists.page", "GET", "/api/lists", Repeat.SAFE, list_in=ListIn.NOWHERE)
CREATE = Operation("lists.create", "POST", "/api/lists", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)
UPDATE = Operation("lists.update", "PUT", "/api/lists/{list_id}", Repeat.SAFE, list_in=ListIn.NOWHERE)
COPY = Operation("lists.copy", "POST", "/api/lists/{list_id}/copy", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)
DELETE = Operation("lists.delete", "DELETE", "/api/lists/{list_id}", Repeat.SAFE, list_in=ListIn.NOWHERE)
DELETE_IMPLICATIONS = Operation(
    "lists.delete_implications", "GET", "/api/lists/{list_id}/delete_implications", Repeat.SAFE, list_in=ListIn.NOWHERE
)

Expiration = datetime | int | str
"""An aware datetime, Unix seconds, or text as the vendor takes it (``""`` for never)."""


class ListFilters(TypedDict, total=False):
    """Name what `Lists.each` passes to `Lists.page`."""

    type: ListType | str
    name: str
    name_like: str
    hash_type: HashType | str
    scope: ListScope | str
    archive: bool
    deleted: bool
    sort: str
    order: str


class Lists:
    """Read and change the lists of the account."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, list_id: int) -> MailingList:
        """Get one list with all its settings.

        Raises:
            NotFoundError: There is no such list, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.1, GET /api/lists/<id> (seed).
        """
        answer = await self._caller.call(GET, path={"list_id": list_id})
        return self._read.one(MailingList, answer, GET)

    async def page(
        self,
        *,
        type: ListType | str | None = None,  # noqa: A002  # the vendor's name
        name: str | None = None,
        name_like: str | None = None,
        hash_type: HashType | str | None = None,
        scope: ListScope | str | None = None,
        archive: bool | None = None,
        deleted: bool | None = None,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
    ) -> Page[MailingList]:
        """Get one page of the account's lists; their objects have fewer settings than `get` gives.

        Args:
            type: ``sending`` or ``suppression``.
            name: The exact name.
            name_like: A part of the name.
            hash_type: ``md5``, ``sha256`` or ``sha512``; suppression lists only.
            scope: ``global``, ``list`` or ``campaign``; suppression lists only.
            archive: Archived lists, or the others.
            deleted: Deleted lists, or the others.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.1, GET /api/lists (seed; filters: client code).
        """
        filters = given(
            type=type,
            name=name,
            name_like=name_like,
            hash_type=hash_type,
            scope=scope,
            archive=archive,
            deleted=deleted,
        )
        answer = await self._caller.call(PAGE, query={**filters, **paging(sort, order, offset, limit)})
        return self._read.page(MailingList, answer, PAGE, offset=offset, limit=limit)

    def each(self, *, page_size: int = PAGE_SIZE, **filters: Unpack[ListFilters]) -> AsyncIterator[MailingList]:
        """Iterate over all lists.

        Args:
            page_size: Items per call.
            filters: As for `page`: type, name, name_like, hash_type, scope, archive, deleted, sort, order.

        Returns:
            An iterator that gives each list once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.1, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[MailingList]:
            return await self.page(offset=offset, limit=limit, **filters)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        type: ListType | str,  # noqa: A002  # the vendor's name
        *,
        description: str | None = None,
        create_segment: bool | None = None,
        fields: Sequence[Mapping[str, Any]] | None = None,
        expiration_date: Expiration | None = None,
        scope: ListScope | str | None = None,
        suppress_in_lists: Sequence[int] | None = None,
        hash_type: HashType | str | None = None,
    ) -> MailingList:
        """Create a list.

        Args:
            name: Its name.
            type: ``sending`` or ``suppression``.
            description: What it is for.
            create_segment: Whether to make a segment "All List Contacts".
            fields: Objects with `name`, `title`, `type`, `mandatory`, `position`; None copies the default list's.
            expiration_date: Suppression lists only.
            scope: ``global`` (the vendor's default), ``list`` or ``campaign``; suppression lists only.
            suppress_in_lists: Sending lists that a list-level suppression list applies to.
            hash_type: ``md5``, ``sha256`` or ``sha512``; suppression lists only.

        Returns:
            The list as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the list was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two lists.
        Source: vendor page §3.1, POST /api/lists (seed); that the answer is the list is an inference there.
        """
        body = given(
            name=text(name, "name"),
            type=str(type),
            description=description,
            create_segment=create_segment,
            fields=None if fields is None else [dict(one) for one in fields],
            expiration_date=expiration_date,
            scope=scope,
            suppress_in_lists=None if suppress_in_lists is None else list(suppress_in_lists),
            hash_type=hash_type,
        )
        answer = await self._caller.call(CREATE, body=body)
        return self._read.changed(MailingList, answer, CREATE)

    async def update(
        self,
        list_id: int,
        *,
        name: str,
        description: str | None = None,
        type: ListType | str | None = None,  # noqa: A002  # the vendor's name
        expiration_date: Expiration | None = None,
        scope: ListScope | str | None = None,
        unsubscribe_default_link: bool | None = None,
        unsubscribe_confirmation_html: str | None = None,
        unsubscribe_confirmation_button: str | None = None,
        unsubscribe_success_html: str | None = None,
        frequency_active: bool | None = None,
        frequency_html: str | None = None,
        frequencies: Sequence[Mapping[str, Any]] | None = None,
        welcome_email_active: bool | None = None,
        welcome_email_id: int | None = None,
    ) -> MailingList:
        """Update a list; what is left out is not sent.

        Args:
            list_id: The list.
            name: Required by the vendor even when it stays.
            description: What it is for.
            type: As in the vendor's sample; a list's type does not change.
            expiration_date: Suppression lists only.
            scope: Suppression lists only. The vendor's default is ``global``: give it again to keep another one.
            unsubscribe_default_link: When false, each message must carry its own link.
            unsubscribe_confirmation_html: Page before the unsubscribe.
            unsubscribe_confirmation_button: Text of its button.
            unsubscribe_success_html: Page after it.
            frequency_active: Whether contacts may choose a frequency; the next two are then required.
            frequency_html: Text before the choice.
            frequencies: Objects with `active`, `title`, `value` (``Frequency1`` to ``Frequency3``).
            welcome_email_active: Whether new contacts get a welcome message.
            welcome_email_id: Which; known from other clients' code only.

        Returns:
            The list as far as the vendor answers with it; its `id` at least.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.1, PUT /api/lists/<id> (seed).
        """
        body = given(
            name=text(name, "name"),
            description=description,
            type=type,
            expiration_date=expiration_date,
            scope=scope,
            unsubscribe_default_link=unsubscribe_default_link,
            unsubscribe_confirmation_html=unsubscribe_confirmation_html,
            unsubscribe_confirmation_button=unsubscribe_confirmation_button,
            unsubscribe_success_html=unsubscribe_success_html,
            frequency_active=frequency_active,
            frequency_html=frequency_html,
            frequencies=None if frequencies is None else [dict(one) for one in frequencies],
            welcome_email_active=welcome_email_active,
            welcome_email_id=welcome_email_id,
        )
        answer = await self._caller.call(UPDATE, path={"list_id": list_id}, body=body)
        return self._read.changed(MailingList, answer, UPDATE, known_id=list_id)

    async def copy(
        self,
        list_id: int,
        *,
        name: str,
        description: str = "",
        type: ListType | str = ListType.SENDING,  # noqa: A002  # the vendor's name
        default: bool = False,
    ) -> MailingList:
        """Copy a list's settings into a new one.

        Args:
            list_id: The list to copy.
            name: Name of the new one.
            description: What it is for.
            type: ``sending`` or ``suppression``.
            default: Whether the new one becomes the account's default list.

        Returns:
            The new list as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the copy was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two lists.
        Source: vendor page §3.1, POST /api/lists/<id>/copy (seed); all keys of its sample are sent, as it is not known
            which are required.
        """
        body = {
            "create": True,
            "name": text(name, "name"),
            "description": description,
            "type": str(type),
            "default": default,
        }
        answer = await self._caller.call(COPY, path={"list_id": list_id}, body=body)
        return self._read.changed(MailingList, answer, COPY)

    async def delete(self, list_id: int) -> None:
        """Delete a list for good; `delete_implications` tells what goes along.

        Raises:
            NotFoundError: There is no such list; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.1, DELETE /api/lists/<id> (seed).
        """
        await self._caller.call(DELETE, path={"list_id": list_id})

    async def delete_implications(self, list_id: int) -> Any:
        """Ask what deleting a list would take along.

        Returns:
            The payload as it comes; its shape is not known.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.1, GET /api/lists/<id>/delete_implications (client code).
        """
        return (await self._caller.call(DELETE_IMPLICATIONS, path={"list_id": list_id})).payload
