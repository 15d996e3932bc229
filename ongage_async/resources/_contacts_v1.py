"""The older calls for contacts, deprecated: known from other people's clients alone, the last of them of 2014.

They are a part of `Contacts`. Each says what to use in its place, by a `DeprecationWarning` too. Source: vendor page
§3.3, "older, superseded".
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ongage_async._operation import Caller, Operation, Repeat
from ongage_async.models import ChangeTo, Contact, MutationResult, Page
from ongage_async.models._converter import OnDrift
from ongage_async.resources._answers import Reader, paging
from ongage_async.resources._inputs import choice, texts
from ongage_async.resources._raw import body_of
from ongage_async.resources.criteria import Criteria, render

PAGE_V1 = Operation("contacts.page_v1", "GET", "/api/contacts", Repeat.SAFE)
CREATE_V1 = Operation("contacts.create_v1", "POST", "/api/contacts", Repeat.IF_UNSENT)
UPDATE_V1 = Operation("contacts.update_v1", "PUT", "/api/contacts", Repeat.SAFE)
REMOVE_V1 = Operation("contacts.remove_v1", "POST", "/api/contacts/remove", Repeat.IF_UNSENT)
LOOKUP_V1 = Operation("contacts.lookup_v1", "POST", "/api/contacts/lookup", Repeat.SAFE)


class ContactsV1:
    """Call what the vendor's second version of contacts replaced."""

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: Caller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def page_v1(self, query: Mapping[str, Any] | None = None, *, list_id: int | None = None) -> Any:
        """Get contacts by the deprecated endpoint; use `get_by_email`, or `contact_search`.

        Args:
            query: The whole query: its keys are not known.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.3, GET /api/contacts (client code), superseded.
        """
        _deprecated("page_v1", "contact_search")
        return (await self._caller.call(PAGE_V1, query=query, list_id=list_id)).payload

    async def create_v1(self, extra: Mapping[str, Any], *, list_id: int | None = None) -> Any:
        """Create a contact by the deprecated endpoint; use `create`.

        Args:
            extra: The whole body: its keys are not known.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: whether a second try changes what the first one made is not known.
        Source: vendor page §3.3, POST /api/contacts (client code), superseded.
        """
        _deprecated("create_v1", "contacts.create")
        return (await self._caller.call(CREATE_V1, body=dict(extra), list_id=list_id)).payload

    async def update_v1(self, extra: Mapping[str, Any], *, list_id: int | None = None) -> Any:
        """Update a contact by the deprecated endpoint; use `update`.

        Args:
            extra: The whole body: its keys are not known.
            list_id: The list; None: this client's.

        Returns:
            The payload as it comes.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.3, PUT /api/contacts (client code), superseded.
        """
        _deprecated("update_v1", "contacts.update")
        return (await self._caller.call(UPDATE_V1, body=dict(extra), list_id=list_id)).payload

    async def remove_v1(
        self,
        emails: Sequence[str],
        change_to: ChangeTo | str,
        *,
        mailing_id: int | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> MutationResult:
        """Delete contacts for good, unsubscribe or mark them, by the deprecated endpoint; use `change_status`.

        Args:
            emails: 1 to 500 addresses.
            change_to: As for `change_status`; ``remove`` deletes for good.
            mailing_id: Mailing to credit an unsubscribe to.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The counters as far as the vendor gives them; the answer's shape is not documented.

        Raises:
            InvalidInputError: No addresses, more than 500, a blank one, or an unknown `change_to`.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would report the contacts as missing, or credit twice.
        Source: vendor page §3.3, POST /api/contacts/remove (client code), superseded.
        """
        _deprecated("remove_v1", "contacts.change_status")
        body = body_of(
            extra,
            change_to=choice(ChangeTo, change_to, "change_to").value,
            emails=texts(emails, "addresses", "make several calls"),
            mailing_id=mailing_id,
        )
        return self._read.mutation(await self._caller.call(REMOVE_V1, body=body, list_id=list_id), REMOVE_V1)

    async def lookup_v1(
        self,
        criteria: Criteria | None = None,
        *,
        user_type: str | None = None,
        sort: str | None = None,
        offset: int = 0,
        limit: int | None = None,
        extra: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Page[Contact]:
        """Get contacts that meet criteria by the deprecated endpoint; use `contact_search`.

        Args:
            criteria: Which contacts; see `ongage_async.resources.criteria`. That they look as elsewhere is assumed.
            user_type: ``all``, ``active``, ``nonactive``, ``unsubscribed``, ``bounced`` or ``complaint``.
            sort: Column.
            offset: Contacts to leave out at the start.
            limit: Contacts at most; None leaves it to the vendor.
            extra: More keys of the body, as they are.
            list_id: The list; None: this client's.

        Returns:
            The contacts of one page; that they look as elsewhere is assumed.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it reads, although it is a POST.
        Source: vendor page §3.3, POST /api/contacts/lookup (client code), superseded.
        """
        _deprecated("lookup_v1", "contact_search")
        body = body_of(
            extra,
            user_type=user_type,
            criteria=None if criteria is None else render(criteria),
            **paging(sort, None, offset, limit),
        )
        answer = await self._caller.call(LOOKUP_V1, body=body, list_id=list_id)
        return self._read.page(Contact, answer, LOOKUP_V1, offset=offset, limit=limit)


def _deprecated(name: str, instead: str) -> None:
    """Warn whoever awaits the method."""
    warnings.warn(f"contacts.{name} was superseded by the vendor: use {instead}", DeprecationWarning, stacklevel=3)
