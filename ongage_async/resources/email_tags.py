"""Tags of email messages: of one list, or global. Source: vendor page §3.16.

A body with ``"list_id": null`` means a global tag, so the list goes into the body here, and the null only where it is
asked for by name.
"""

from collections.abc import AsyncIterator
from typing import Any

import attrs

from ongage_async._operation import Caller, ListIn, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import EmailTag, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader, paging
from ongage_async.resources._inputs import given, text

CREATE = Operation("email_tags.create", "POST", "/api/email_tag", Repeat.IF_UNSENT, list_in=ListIn.BODY)
CREATE_GLOBAL = attrs.evolve(CREATE, list_in=ListIn.NOWHERE)
PAGE = Operation("email_tags.page", "GET", "/api/email_tag", Repeat.SAFE, list_in=ListIn.QUERY)
UPDATE = Operation("email_tags.update", "PUT", "/api/email_tag/{tag_id}", Repeat.SAFE, list_in=ListIn.NOWHERE)
DELETE = Operation("email_tags.delete", "DELETE", "/api/email_tag/{tag_id}", Repeat.SAFE, list_in=ListIn.NOWHERE)


class EmailTags:
    """Keep the tags of email messages."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def page(
        self,
        *,
        title: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        list_id: int | None = None,
    ) -> Page[EmailTag]:
        """Get one page of a list's tags; global ones are always among them.

        Args:
            title: Title.
            sort: Column.
            order: ``ASC`` or ``DESC``.
            offset: Items to leave out at the start.
            limit: Items at most; None leaves it to the vendor.
            list_id: The list; None: this client's.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.16, GET /api/email_tag (vendor doc); the items' shape is not shown.
        """
        query = {**given(title=title), **paging(sort, order, offset, limit)}
        answer = await self._caller.call(PAGE, query=query, list_id=list_id)
        return self._read.page(EmailTag, answer, PAGE, offset=offset, limit=limit)

    def each(
        self,
        *,
        page_size: int = PAGE_SIZE,
        title: str | None = None,
        sort: str | None = None,
        order: str | None = None,
        list_id: int | None = None,
    ) -> AsyncIterator[EmailTag]:
        """Iterate over all tags of a list, global ones too.

        Returns:
            An iterator that gives each tag once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.16, §1.5.
        """

        async def fetch(offset: int, limit: int) -> Page[EmailTag]:
            return await self.page(title=title, sort=sort, order=order, offset=offset, limit=limit, list_id=list_id)

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(self, title: str, *, is_global: bool = False, list_id: int | None = None) -> EmailTag:
        """Create a tag.

        Args:
            title: Its title.
            is_global: Whether it is for all lists.
            list_id: The list; None: this client's, and if it has none, the vendor decides: the account's default list
                or all lists, it is not known which.

        Returns:
            The tag as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the tag was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.16, POST /api/email_tag (vendor doc); the answer is not shown.
        """
        body = {"title": text(title, "title"), **_global(is_global, list_id)}
        operation = CREATE_GLOBAL if is_global else CREATE
        return self._read.changed(EmailTag, await self._caller.call(operation, body=body, list_id=list_id), CREATE)

    async def update(self, tag_id: int, *, title: str, is_global: bool = False, list_id: int | None = None) -> EmailTag:
        """Change a tag's title, or the list it belongs to.

        Args:
            tag_id: The tag.
            title: Required even when it stays.
            is_global: Whether it becomes one for all lists.
            list_id: The list that it shall belong to; None: not sent, and not this client's, so that a new title moves
                no tag.

        Raises:
            NotFoundError: There is no such tag.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.16, PUT /api/email_tag/<id> (vendor doc).
        """
        body = {"title": text(title, "title"), **given(list_id=list_id), **_global(is_global, list_id)}
        answer = await self._caller.call(UPDATE, path={"tag_id": tag_id}, body=body)
        return self._read.changed(EmailTag, answer, UPDATE, known_id=tag_id)

    async def delete(self, tag_id: int) -> None:
        """Delete a tag for good.

        Raises:
            NotFoundError: There is no such tag; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.16, DELETE /api/email_tag/<id> (vendor doc).
        """
        await self._caller.call(DELETE, path={"tag_id": tag_id})


def _global(is_global: bool, list_id: int | None) -> dict[str, Any]:
    if is_global and list_id is not None:
        raise InvalidInputError("a tag is global or of one list: give is_global or list_id")
    return {"list_id": None} if is_global else {}
