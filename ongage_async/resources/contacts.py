"""Contacts of a list, one call at a time. Source: vendor page §3.3.

Thousands of rows go by `upsert_many` (`_contacts_many.py`) or `imports.run` (`bulk/`), which use these methods. The
calls that these superseded are in `_contacts_v1.py`. `Contacts` has all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import attrs

from ongage_async._operation import Encoded, ListIn, Operation, Repeat
from ongage_async.errors import InvalidInputError
from ongage_async.models import ChangeTo, Contact, ContactLike, ContactRow, ContactsReport, MutationResult, NewContact
from ongage_async.models.contacts import as_sent
from ongage_async.models.outcomes import report
from ongage_async.resources._contacts_many import ContactsMany
from ongage_async.resources._inputs import choice, counted, given, text, texts

if TYPE_CHECKING:
    from ongage_async.fields import ListContact

C = TypeVar("C", bound="ListContact")

GET_BY_EMAIL = Operation("contacts.get_by_email", "GET", "/api/contacts/by_email/{email}", Repeat.SAFE)
GET_BY_ID = Operation("contacts.get_by_id", "GET", "/api/contacts/by_id/{contact_id}", Repeat.SAFE)
ADD = Operation("contacts.add", "GET", "/api/contacts/add", Repeat.IF_UNSENT)
CREATE = Operation("contacts.create", "POST", "/api/v2/contacts", Repeat.IF_UNSENT)
OVERWRITE = attrs.evolve(CREATE, repeat=Repeat.SAFE)
UPDATE = Operation("contacts.update", "PUT", "/api/v2/contacts", Repeat.SAFE)
CHANGE_STATUS = Operation("contacts.change_status", "POST", "/api/v2/contacts/change_status", Repeat.SAFE)
CHANGE_STATUS_ONCE = attrs.evolve(CHANGE_STATUS, repeat=Repeat.IF_UNSENT)
CHANGE_EMAIL = Operation("contacts.change_email", "PUT", "/api/contacts/change_email", Repeat.IF_UNSENT)
DELETE = Operation("contacts.delete", "POST", "/api/contacts/delete", Repeat.IF_UNSENT)
CROSS_ACCOUNT = Operation(
    "contacts.cross_account", "GET", "/api/contacts/cross_account", Repeat.SAFE, list_in=ListIn.NOWHERE
)

_MANY = "use upsert_many or imports.run"


class Contacts(ContactsMany):
    """Read and change the contacts of a list."""

    __slots__ = ()

    @overload
    async def get_by_email(self, email: str, *, as_: None = None, list_id: int | None = None) -> Contact: ...
    @overload
    async def get_by_email(self, email: str, *, as_: type[C], list_id: int | None = None) -> C: ...
    async def get_by_email(self, email: str, *, as_: type[C] | None = None, list_id: int | None = None) -> Contact | C:
        """Get the contact with an address.

        Args:
            email: Address.
            as_: A class for the list's fields, as ``ongage codegen`` writes it; None: `Contact`.
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: The list has no such contact, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.3, GET /api/contacts/by_email (seed).
        """
        answer = await self._caller.call(GET_BY_EMAIL, path={"email": email}, list_id=list_id)
        return self._typed(self._read.one(Contact, answer, GET_BY_EMAIL), as_)

    @overload
    async def get_by_id(self, contact_id: str, *, as_: None = None, list_id: int | None = None) -> Contact: ...
    @overload
    async def get_by_id(self, contact_id: str, *, as_: type[C], list_id: int | None = None) -> C: ...
    async def get_by_id(
        self, contact_id: str, *, as_: type[C] | None = None, list_id: int | None = None
    ) -> Contact | C:
        """Get the contact with an id.

        Args:
            contact_id: The vendor's id.
            as_: A class for the list's fields, as ``ongage codegen`` writes it; None: `Contact`.
            list_id: The list; None: this client's.

        Raises:
            NotFoundError: The list has no such contact, or the user may not see it.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.3, GET /api/contacts/by_id (seed; path: inferred); the sample's ``/api/by_id`` is taken
            as a slip (§6.1 #18).
        """
        answer = await self._caller.call(GET_BY_ID, path={"contact_id": contact_id}, list_id=list_id)
        return self._typed(self._read.one(Contact, answer, GET_BY_ID), as_)

    async def add(
        self, email: str, fields: Mapping[str, Any] | None = None, *, list_id: int | None = None
    ) -> MutationResult:
        """Add one contact by the vendor's GET tunnel; legacy, use `create`.

        The address and all values travel in the URL, where servers log them.

        Args:
            email: Address.
            fields: Values by field name; None values are left out.
            list_id: The list; None: this client's.

        Returns:
            The counters as far as the vendor gives them; the answer's shape is not documented.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: it changes data although it is a GET.
        Source: vendor page §3.3, GET /api/contacts/add (seed).
        """
        values = dict(fields or {})
        if clash := {"email", "list_id"} & set(values):
            raise InvalidInputError(f"a field cannot be called {min(clash)} here: the URL means something else by it")
        answer = await self._caller.call(ADD, query={"email": text(email, "email"), **values}, list_id=list_id)
        return self._read.mutation(answer, ADD)

    async def create(
        self, contacts: Iterable[ContactRow], *, overwrite: bool = False, list_id: int | None = None
    ) -> ContactsReport:
        """Create the contacts of a list, or overwrite the ones that exist.

        For thousands of rows use `upsert_many` or `imports.run`: this is one call. The vendor advises 5 to 50 rows.

        Args:
            contacts: 1 to 500 rows: NewContact, Contact, a class of the list's own fields, ``{"email": …, "fields":
                {…}}`` or flat ``{"email": …, "name": …}``; `email` required, other keys as named in the list's fields.
            overwrite: When false, an address that exists is not changed.
            list_id: The list; None: this client's. The route is the only place allowed here (vendor page §1.3).

        Returns:
            One outcome per input row, length n, in input order.

        Raises:
            InvalidInputError: No rows, more than 500, one without an address, or, unless `overwrite`, one of a list's
                class that lacks what the list demands.
            ValidationError: The vendor refused the whole batch; `errors` says why.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE if all rows overwrite; else IF_UNSENT, since a second try would report the first one's rows as
            existing.
        Source: vendor page §3.3, POST /api/v2/contacts (seed, vendor doc).
        """
        rows = _rows(contacts, overwrite=overwrite, are_new=not overwrite)
        for number, row in enumerate(rows, 1):
            if "email" not in row:
                raise InvalidInputError(f"row {number} has no email: a contact is created by its address")
        operation = OVERWRITE if all(row["overwrite"] for row in rows) else CREATE
        return await self._change(operation, rows, _one_or_many(rows), list_id)

    async def update(self, contacts: Iterable[ContactRow], *, list_id: int | None = None) -> ContactsReport:
        """Update contacts that exist; never adds one.

        Args:
            contacts: 1 to 500 rows as for `create`; one without `email` is found by its `id`.
            list_id: The list; None: this client's.

        Returns:
            One outcome per input row, length n, in input order.

        Raises:
            InvalidInputError: No rows, more than 500, or one with neither address nor id.
            ValidationError: The vendor refused the whole batch.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE: it sets the same values again.
        Source: vendor page §3.3, PUT /api/v2/contacts (seed, vendor doc); `overwrite` true as in its sample.
        """
        rows = _rows(contacts, overwrite=True)
        for number, row in enumerate(rows, 1):
            if "email" not in row and row["id"] is None:
                raise InvalidInputError(f"row {number} has neither email nor id")
        return await self._change(UPDATE, rows, _one_or_many(rows), list_id)

    async def change_status(
        self,
        emails: Sequence[str],
        change_to: ChangeTo | str,
        *,
        ocx_child_id: int | None = None,
        ocx_connection_id: int | None = None,
        list_id: int | None = None,
    ) -> ContactsReport:
        """Unsubscribe, resubscribe or mark contacts, or delete them for good with ``remove``.

        Args:
            emails: 1 to 500 addresses.
            change_to: What to do; ``remove`` deletes for good.
            ocx_child_id: Sub-campaign to credit an unsubscribe to.
            ocx_connection_id: Connection to credit it to, with a transactional mailing's id.
            list_id: The list; None: this client's. It goes into the route. The vendor's sample has it in the body,
                which another page forbids for this family (vendor page §1.3, §6.1 #5); the route holds either way.

        Returns:
            One outcome per address, in input order; the vendor may give no more than a count.

        Raises:
            InvalidInputError: No addresses, more than 500, a blank one, or an unknown `change_to`.
            ValidationError: The vendor refused the call.

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE; IF_UNSENT for ``remove``, whose second try would report contacts as missing, and with a credit,
            which could count twice.
        Source: vendor page §3.3, POST /api/v2/contacts/change_status (seed).
        """
        to = choice(ChangeTo, change_to, "change_to")
        addresses = texts(emails, "addresses", "make several calls, or use imports.create with import_action")
        credit = given(ocx_child_id=ocx_child_id, ocx_connection_id=ocx_connection_id)
        operation = CHANGE_STATUS_ONCE if credit or to is ChangeTo.REMOVE else CHANGE_STATUS
        body = {"change_to": to.value, "emails": addresses, **credit}
        return await self._change(operation, [{"email": email} for email in addresses], body, list_id)

    async def change_email(self, email: str, new_email: str, *, list_id: int | None = None) -> ContactsReport:
        """Change the address of one contact.

        The same address may be changed again only after 15 minutes, or 887 seconds: the vendor says both.

        Returns:
            One outcome, under the old address.

        Raises:
            ValidationError: The old address is not there, the new one is, or it is too early.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: after a first success the old address is no longer there.
        Source: vendor page §3.3, PUT /api/contacts/change_email (seed; body: inferred).
        """
        body = {"email": text(email, "email"), "new_email": text(new_email, "new_email")}
        return await self._change(CHANGE_EMAIL, [{"email": email}], body, list_id)

    async def delete(self, contact_ids: str | Sequence[str], *, list_id: int | None = None) -> MutationResult:
        """Delete contacts by id, for good as far as is known: no call brings them back.

        Args:
            contact_ids: One id, or 1 to 500; several at once are known from other clients' code only.
            list_id: The list; None: this client's.

        Returns:
            The counters as far as the vendor gives them; the answer's shape is not documented.

        Raises:
            InvalidInputError: No ids, more than 500, or a blank one.
            BadRequestError: The vendor misses the ids.
            ValidationError: The vendor refused the call.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: a second try would report the contacts as missing.
        Source: vendor page §3.3, POST /api/contacts/delete (seed).
        """
        ids = texts([contact_ids] if isinstance(contact_ids, str) else contact_ids, "contact ids", "make several calls")
        body = {"contact_id": ids[0]} if len(ids) == 1 else {"contact_ids": ids}
        return self._read.mutation(await self._caller.call(DELETE, body=body, list_id=list_id), DELETE)

    async def cross_account(self, email: str, *, behavior: str | int | bool | None = None) -> Any:
        """Look an address up in every list that the user may see.

        Args:
            email: Address.
            behavior: Adds open, click and sent counts; which values the vendor takes is not known.

        Returns:
            The payload as it comes: fields and status of the contact per list; its shape is not known (§6.2 #4).

        Cost: 1 call, lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §3.3, GET /api/contacts/cross_account (seed).
        """
        query = {"email": text(email, "email"), "behavior": behavior}
        return (await self._caller.call(CROSS_ACCOUNT, query=query)).payload

    def _typed(self, contact: Contact, as_: "type[C] | None") -> "Contact | C":
        return contact if as_ is None else as_.of(contact, on_drift=self._read.on_drift)

    async def _upsert(self, bodies: Sequence[str], *, is_safe: bool, list_id: int | None) -> MutationResult:
        """Send rows that are JSON already: the one call of `upsert_many` and `coalesced`."""
        operation = OVERWRITE if is_safe else CREATE
        body = bodies[0] if len(bodies) == 1 else f"[{','.join(bodies)}]"
        answer = await self._caller.call(operation, body=Encoded(body.encode()), list_id=list_id)
        return self._read.mutation(answer, operation)

    async def _change(
        self, operation: Operation, sent: Sequence[Mapping[str, Any]], body: Any, list_id: int | None
    ) -> ContactsReport:
        answer = await self._caller.call(operation, body=body, list_id=list_id)
        return report(sent, self._read.mutation(answer, operation))


def _rows(contacts: Iterable[ContactRow], *, overwrite: bool, are_new: bool = False) -> list[dict[str, Any]]:
    if isinstance(contacts, (NewContact, Contact, Mapping, ContactLike)):
        raise InvalidInputError("give a list of rows, even for one: [row]")
    rows = enumerate(counted(contacts, "rows", _MANY), 1)
    return [as_sent(row, number, overwrite=overwrite, is_new=are_new) for number, row in rows]


def _one_or_many(body: list[dict[str, Any]]) -> Any:
    """Return one row as an object and several as an array, as in the vendor's samples."""
    return body[0] if len(body) == 1 else body
