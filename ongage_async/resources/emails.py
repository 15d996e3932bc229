"""Email messages, templates and their folders. Source: vendor page §3.14.

This family pages by `page` and `page_size`, not by offset.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack

from ongage_async._operation import Caller, Operation, Repeat
from ongage_async.models import Email, EmailType, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import PAGE_SIZE, Each, Reader
from ongage_async.resources._inputs import given, text
from ongage_async.resources._raw import body_of, ids

GET = Operation("emails.get", "GET", "/api/emails/{email_id}", Repeat.SAFE)
PAGE = Operation("emails.page", "GET", "/api/emails", Repeat.SAFE)
CREATE = Operation("emails.create", "POST", "/api/emails", Repeat.IF_UNSENT)
UPDATE = Operation("emails.update", "PUT", "/api/emails/{email_id}", Repeat.SAFE)
DELETE = Operation("emails.delete", "DELETE", "/api/emails/{email_id}", Repeat.SAFE)
COPY = Operation("emails.copy", "PUT", "/api/emails/{email_id}/copy", Repeat.IF_UNSENT)
MOVE = Operation("emails.move", "PUT", "/api/emails/{email_id}/move", Repeat.SAFE)
FAVOURITE = Operation("emails.toggle_favourite", "PUT", "/api/emails/{email_id}/favourite", Repeat.IF_UNSENT)
FAVORITE = Operation("emails.toggle_favourite", "PUT", "/api/emails/{email_id}/favorite", Repeat.IF_UNSENT)
LINKS = Operation("emails.links", "GET", "/api/emails/{email_id}/links", Repeat.SAFE)


class EmailFilters(TypedDict, total=False):
    """Name what `Emails.each` passes to `Emails.page`."""

    type: EmailType | str
    name: str
    parent_id: int
    subject: str
    modified_from: datetime | int
    modified_to: datetime | int
    created_by: str | int
    favorite: bool
    get_tags: bool
    list_id: int | None


class EmailContent(TypedDict, total=False):
    """Name the settings of a message that `create` and `update` share; all of them are known from clients' code.

    Attributes:
        type: ``email_message``, ``template`` or ``folder``.
        description: What it is for.
        content_html: Its text as HTML.
        content_text: Its text as plain text.
        addresses: Objects with `from_name`, `from_address`, `reply_address`, or one such object; the exact shape is not
            known.
        preheader: What mail programs show after the subject.
        tag_ids: Tags.
        content_import_url: Where the vendor fetches the text.
        parent_id: Folder.
        favorite: Whether it is marked.
        no_wysiwyg: Whether the editor shows the source only.
        language_iso: Its language.
        extra: More keys, as they are.
    """

    type: EmailType | str
    description: str
    content_html: str
    content_text: str
    addresses: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    preheader: str
    tag_ids: Sequence[int]
    content_import_url: str
    parent_id: int
    favorite: bool
    no_wysiwyg: bool
    language_iso: str
    extra: Mapping[str, Any]


class Emails:
    """Keep the email messages of a list."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def get(self, email_id: int, *, list_id: int | None = None) -> Email:
        """Get one message, template or folder.

        Raises:
            NotFoundError: There is no such message.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.14, GET /api/emails/<id> (vendor doc).
        """
        answer = await self._caller.call(GET, path={"email_id": email_id}, list_id=list_id)
        return self._read.one(Email, answer, GET)

    async def page(
        self,
        *,
        type: EmailType | str | None = None,  # noqa: A002  # the vendor's name
        name: str | None = None,
        parent_id: int | None = None,
        subject: str | None = None,
        modified_from: datetime | int | None = None,
        modified_to: datetime | int | None = None,
        created_by: str | int | None = None,
        favorite: bool | None = None,
        get_tags: bool | None = None,
        page: int = 1,
        page_size: int | None = None,
        list_id: int | None = None,
    ) -> Page[Email]:
        """Get one page of a list's messages.

        Args:
            type: ``email_message``, ``template`` or ``folder``.
            name: Name.
            parent_id: Folder.
            subject: Subject.
            modified_from: An aware datetime, or Unix seconds.
            modified_to: The same.
            created_by: User.
            favorite: Marked ones, or the others; sent as 1 or 0.
            get_tags: Whether tags come along (client code).
            page: Which page, from 1.
            page_size: Items of a page; None leaves it to the vendor, who takes 50.
            list_id: The list; None: this client's.

        Returns:
            The page; its `offset` is right if all pages before it were full.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.14, GET /api/emails (vendor doc).
        """
        filters = given(
            type=type,
            name=name,
            parent_id=parent_id,
            subject=subject,
            modified_from=modified_from,
            modified_to=modified_to,
            created_by=created_by,
            favorite=None if favorite is None else int(favorite),
            get_tags=get_tags,
        )
        query = {**filters, "page": page if page > 1 else None, "page_size": page_size}
        answer = await self._caller.call(PAGE, query=query, list_id=list_id)
        offset = (page - 1) * (page_size or PAGE_SIZE)
        return self._read.page(Email, answer, PAGE, offset=offset, limit=page_size)

    def each(self, *, page_size: int = PAGE_SIZE, **filters: Unpack[EmailFilters]) -> AsyncIterator[Email]:
        """Iterate over all messages of a list.

        Args:
            page_size: Items per call.
            filters: As for `page`.

        Returns:
            An iterator that gives each message once; it may be left at any time.

        Cost: 1 call per page, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.14, §1.5.
        """
        number = 1

        async def fetch(_offset: int, size: int) -> Page[Email]:
            nonlocal number
            fetched = await self.page(page=number, page_size=size, **filters)
            number += 1  # counted, and not worked out from the items: a vendor's page may be smaller than asked for
            return fetched

        return Each(fetch, key=lambda item: item.id, page_size=page_size)

    async def create(
        self,
        name: str,
        *,
        subject: str | None = None,
        list_id: int | None = None,
        **content: Unpack[EmailContent],
    ) -> Email:
        """Create a message, a template or a folder; it sends nothing.

        Args:
            name: Its name.
            subject: Its subject.
            list_id: The list; None: this client's.
            content: See `EmailContent`; `type` is ``email_message`` unless you say otherwise.

        Returns:
            The message as far as the vendor answers with it; its `id` at least.

        Raises:
            DecodeError: The answer holds no id; the message was most likely made.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.14, POST /api/emails (vendor doc); the body is client code, the answer not known (§6.2
            #8).
        """
        kind = {"type": EmailType.EMAIL_MESSAGE, **content}
        body = _body({"name": text(name, "name"), "subject": subject, **kind})
        return self._read.changed(Email, await self._caller.call(CREATE, body=body, list_id=list_id), CREATE)

    async def update(
        self,
        email_id: int,
        *,
        name: str | None = None,
        subject: str | None = None,
        list_id: int | None = None,
        **content: Unpack[EmailContent],
    ) -> Email:
        """Change a message; what is left out is not sent.

        Args:
            email_id: The message.
            name: Its name.
            subject: Its subject.
            list_id: The list; None: this client's.
            content: See `EmailContent`.

        Returns:
            The message as far as the vendor answers with it; its `id` at least.

        Raises:
            NotFoundError: There is no such message.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.14, PUT /api/emails/<id> (vendor doc); the body is client code (§6.2 #8).
        """
        body = _body({"name": name, "subject": subject, **content})
        answer = await self._caller.call(UPDATE, path={"email_id": email_id}, body=body, list_id=list_id)
        return self._read.changed(Email, answer, UPDATE, known_id=email_id)

    async def delete(self, email_id: int, *, list_id: int | None = None) -> Email:
        """Delete a message for good.

        Returns:
            The message that was deleted, as far as the vendor answers with it.

        Raises:
            BadRequestError: Something depends on it.
            NotFoundError: There is no such message; with `attempts` > 1 an earlier attempt may have deleted it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is gone after one send or two.
        Source: vendor page §3.14, DELETE /api/emails/<id> (vendor doc).
        """
        answer = await self._caller.call(DELETE, path={"email_id": email_id}, list_id=list_id)
        return self._read.changed(Email, answer, DELETE, known_id=email_id)

    async def copy(
        self,
        email_id: int,
        target_list_ids: Sequence[int] | int,
        *,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Any:
        """Copy a message to other lists.

        Args:
            email_id: The message.
            target_list_ids: One list, sent as `target_list_id`, or several, sent as `target_list_ids`.
            extra: More keys, as they are.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes; its shape is not known.

        Raises:
            NotFoundError: There is no such message or list.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice makes two.
        Source: vendor page §3.14, PUT /api/emails/<id>/copy; client code only.
        """
        one = {"target_list_id": target_list_ids} if isinstance(target_list_ids, int) else {}
        many = {} if one else {"target_list_ids": ids(target_list_ids, "target_list_ids")}
        body = body_of(extra, **one, **many)
        return (await self._caller.call(COPY, path={"email_id": email_id}, body=body, list_id=list_id)).payload

    async def move(
        self, email_id: int, parent_id: int = 0, *, name: str | None = None, list_id: int | None = None
    ) -> Email:
        """Move a message into a folder.

        Args:
            email_id: The message.
            parent_id: The folder; 0 is the root.
            name: Another name for it.
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: There is no such message or folder.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it is there after one send or two.
        Source: vendor page §3.14, PUT /api/emails/<id>/move; client code only. A client of 2014 does it by `update`.
        """
        body = given(parent_id=parent_id, name=name)
        answer = await self._caller.call(MOVE, path={"email_id": email_id}, body=body, list_id=list_id)
        return self._read.changed(Email, answer, MOVE, known_id=email_id)

    async def toggle_favourite(
        self,
        email_id: int,
        *,
        spelling: Literal["favourite", "favorite"] = "favourite",
        list_id: int | None = None,
    ) -> Any:
        """Mark a message, or take the mark away.

        Args:
            email_id: The message.
            spelling: The path's last word: ``favourite`` in the client code of 2026, ``favorite`` in that of 2014
                (vendor page §6.1 #17).
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes; its shape is not known.

        Raises:
            NotFoundError: There is no such message, or the path is spelled the other way.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice changes nothing.
        Source: vendor page §3.14, PUT /api/emails/<id>/favourite; client code only.
        """
        operation = FAVORITE if spelling == "favorite" else FAVOURITE
        return (await self._caller.call(operation, path={"email_id": email_id}, list_id=list_id)).payload

    async def links(self, email_id: int, *, list_id: int | None = None) -> Any:
        """Get the links of a message.

        Returns:
            The payload as it comes; its shape is not known.

        Raises:
            NotFoundError: There is no such message.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.14, GET /api/emails/<id>/links; client code of 2014 only.
        """
        return (await self._caller.call(LINKS, path={"email_id": email_id}, list_id=list_id)).payload


def _body(content: dict[str, Any]) -> dict[str, Any]:
    extra = content.pop("extra", None)
    return body_of(extra, **content)
