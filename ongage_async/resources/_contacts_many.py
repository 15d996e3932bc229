"""Many contacts: streams of rows, and single rows of many tasks, by few calls. Source: vendor page §3.3.

The calls themselves are `contacts.py`'s; how rows are cut into them, and what becomes of each, is `bulk/many/`.
"""

from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, cast

import attrs

from ongage_async._operation import Answer, Caller, Operation
from ongage_async.bulk._fields import is_email
from ongage_async.bulk.many._batches import MOST_BYTES, MOST_ROWS, SPARE_CALLS
from ongage_async.bulk.many._cargo import Cargo
from ongage_async.bulk.many._coalesce import Coalesced
from ongage_async.bulk.many._courier import Send
from ongage_async.bulk.many._intake import Intake, Singles, as_json
from ongage_async.bulk.many._many import Choices, Many
from ongage_async.config import Lane
from ongage_async.errors import InvalidInputError
from ongage_async.models import (
    ChangeTo,
    Contact,
    ContactLike,
    ContactsReport,
    MutationResult,
    NewContact,
)
from ongage_async.models.outcomes import Verdict, verdicts
from ongage_async.resources._contacts_v1 import ContactsV1
from ongage_async.resources._inputs import MOST_ROWS as MOST_PER_CALL
from ongage_async.resources._inputs import choice, text

__all__ = ["ContactsMany"]

_IDS_PER_CALL = 25
"""Ids per call of `delete_many` at most: its answer may hold counters only, and then the whole call is uncertain."""


class _SingleCalls(Protocol):
    """The calls that the streams make."""

    async def _upsert(self, bodies: Sequence[str], *, is_safe: bool, list_id: int | None) -> MutationResult: ...
    async def change_status(
        self, emails: Sequence[str], change_to: ChangeTo | str, *, list_id: int | None = None
    ) -> ContactsReport: ...
    async def delete(self, contact_ids: str | Sequence[str], *, list_id: int | None = None) -> MutationResult: ...


class ContactsMany(ContactsV1):
    """Change any number of contacts of a list."""

    __slots__ = ()

    def upsert_many(
        self,
        rows: Any,
        *,
        per_call: int = MOST_ROWS,
        bytes_per_call: int = MOST_BYTES,
        in_parallel: int = 4,
        spare_calls: int = SPARE_CALLS,
        side_file: str | PathLike[str] | None = None,
        journal: str | PathLike[str] | None = None,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        list_id: int | None = None,
    ) -> Many:
        """Create or overwrite any number of contacts, and tell what became of each row.

        ``await`` it for a `ManyReport`, or ``async for`` over it for one `RowOutcome` per row. Rows are taken only as
        fast as calls go, and memory stays flat. Above some thousands of rows `imports.run` costs fewer calls.

        A row that cannot be sent is rejected alone. A call that the vendor refuses as a whole is cut in two until the
        bad rows are alone. Rows of one address in one call are merged, later values win field by field: the last one
        has the outcome, the earlier are ``duplicate``; calls that share an address go one after the other, so the last
        row of an address is the last to be written. (Only a call that was given up as unknown may still be executed
        later.) After a lost answer the call is repeated, and contacts that the first send made are told as updated.

        Args:
            rows: An iterable or async iterable of rows as for `create`, read on the event loop; an async generator is
                closed at the end. Or a path, or a data frame, read in worker threads; an empty cell empties the field.
                A call with a row that says ``overwrite=False`` for itself is not repeated after a lost answer.
            per_call: Rows per call, up to 500. The vendor advises 5 to 50, perhaps 100; it begins with 50 and follows
                what is accepted.
            bytes_per_call: Bytes of the rows of a call; what the vendor takes is not known.
            in_parallel: Calls that may be open at once; the account's limits hold in any case.
            spare_calls: Calls that cutting may cost at the beginning; accepted calls earn two more each. Rows that are
                still together when they are used up are rejected together.
            side_file: Where rejected rows go, a JSON object per line: ``{"row": 17, "reason": …, "contact": {…}}``.
            journal: A file in which settled calls are recorded. After a crash the same source goes on behind them;
                what was on its way is sent again. Rows that ended unknown or unsent are not settled.
            mapping: Of a file or data frame: column → field name; None leaves the column out.
            encoding: Of a file; None: UTF-8, or what its byte order mark says.
            delimiter: Of a file; None: found in its header.
            list_id: The list; None: this client's.

        Returns:
            What is awaited or iterated over. With neither, nothing is sent.

        Raises:
            InvalidInputError: Here: an option is out of its range. The errors below come while it is awaited.
            AuthenticationError: What the next call would meet as well ends the stream, after the open calls:
                so do PermissionDeniedError, NotFoundError, RateLimitedError and BudgetError (`max_wait_s`). Rows
                without a call are ``not_sent``; `Many.report` tells how far it came.
            TransportError: Three calls in a row had no answer; a ServerError likewise.
            JournalError: The journal belongs to another load or source, or another run holds it.

        Cost: 1 call per `per_call` rows, lane BULK.
        Repeat: SAFE, as `create` with `overwrite`.
        Source: vendor page §3.3, POST /api/v2/contacts (seed, vendor doc); §2 for the sizes.
        """
        intake: Intake
        if _is_table(rows):
            from ongage_async.bulk.sources._contacts import ContactTable  # and with it what reads files

            intake = ContactTable(rows, mapping=mapping, encoding=encoding, delimiter=delimiter)
        elif mapping or encoding or delimiter:
            raise InvalidInputError("mapping=, encoding= and delimiter= are for paths and data frames")
        else:
            intake = Singles(rows, _contact, as_json)
        return Many(
            intake,
            _upserting(self._in_bulk(), list_id),
            as_json,
            operation="contacts.upsert_many",
            repeatable=True,
            choices=Choices(
                per_call=_within(per_call, "per_call", MOST_PER_CALL),
                bytes_per_call=_within(bytes_per_call, "bytes_per_call"),
                in_parallel=_within(in_parallel, "in_parallel"),
                spare_calls=_within(spare_calls, "spare_calls", least=0),
                side_file=None if side_file is None else Path(side_file),
                journal=None if journal is None else Path(journal),
                purpose=f"contacts.upsert_many, list {'by default' if list_id is None else list_id}",
            ),
        )

    def change_status_many(
        self,
        emails: Iterable[str] | AsyncIterable[str],
        change_to: ChangeTo | str,
        *,
        per_call: int = MOST_ROWS,
        in_parallel: int = 4,
        spare_calls: int = SPARE_CALLS,
        side_file: str | PathLike[str] | None = None,
        list_id: int | None = None,
    ) -> Many:
        """Unsubscribe, resubscribe, remove or mark any number of contacts, and tell what became of each.

        Args:
            emails: Addresses.
            change_to: What to do; ``remove`` deletes for good.
            per_call: Addresses per call, up to 500.
            in_parallel: As for `upsert_many`.
            spare_calls: As for `upsert_many`.
            side_file: As for `upsert_many`.
            list_id: The list; None: this client's.

        Returns:
            What is awaited or iterated over, as for `upsert_many`; an address that comes twice in one call is
            ``duplicate`` the first time.

        Raises:
            InvalidInputError: Here: an unknown `change_to`, or an option out of its range.
            AuthenticationError: While it is awaited: as for `upsert_many`.

        Cost: 1 call per `per_call` addresses, lane BULK.
        Repeat: SAFE; IF_UNSENT for ``remove``, as for `change_status`: a call without an answer is ``unknown``.
        Source: vendor page §3.3, POST /api/v2/contacts/change_status (seed).
        """
        to = choice(ChangeTo, change_to, "change_to")
        bulk = self._in_bulk()

        async def send(cargo: Cargo) -> Sequence[Verdict]:
            told = await bulk.change_status(cargo.bodies, to, list_id=list_id)
            return [(outcome.kind, outcome.contact_id, outcome.reason) for outcome in told]

        return Many(
            Singles(_texts(emails), _address, _email),
            send,
            _email,
            operation="contacts.change_status_many",
            repeatable=to is not ChangeTo.REMOVE,
            choices=Choices(
                per_call=_within(per_call, "per_call", MOST_PER_CALL),
                in_parallel=_within(in_parallel, "in_parallel"),
                spare_calls=_within(spare_calls, "spare_calls", least=0),
                side_file=None if side_file is None else Path(side_file),
            ),
        )

    def delete_many(
        self,
        contact_ids: Iterable[str] | AsyncIterable[str],
        *,
        per_call: int = _IDS_PER_CALL,
        in_parallel: int = 4,
        side_file: str | PathLike[str] | None = None,
        list_id: int | None = None,
    ) -> Many:
        """Delete any number of contacts by id, and tell what became of each.

        The vendor may answer with counters only. They settle a call in which all went the same way; of one in which
        some ids were not there, all are ``unknown``.

        Args:
            contact_ids: Ids.
            per_call: Ids per call, up to 500; several at once are known from other clients' code only.
            in_parallel: As for `upsert_many`.
            side_file: As for `upsert_many`.
            list_id: The list; None: this client's.

        Returns:
            What is awaited or iterated over, as for `upsert_many`.

        Raises:
            InvalidInputError: Here: an option is out of its range.
            AuthenticationError: While it is awaited: as for `upsert_many`.

        Cost: 1 call per `per_call` ids, lane BULK.
        Repeat: IF_UNSENT, as for `delete`: a call without an answer is ``unknown``.
        Source: vendor page §3.3, POST /api/contacts/delete (seed).
        """
        bulk = self._in_bulk()

        async def send(cargo: Cargo) -> Sequence[Verdict]:
            return verdicts(list(cargo.keys), await bulk.delete(cargo.bodies, list_id=list_id))

        return Many(
            Singles(_texts(contact_ids), _named_by_id, _id),
            send,
            _id,
            operation="contacts.delete_many",
            repeatable=False,
            choices=Choices(
                per_call=_within(per_call, "per_call", MOST_PER_CALL),
                in_parallel=_within(in_parallel, "in_parallel"),
                side_file=None if side_file is None else Path(side_file),
            ),
        )

    def coalesced(self, *, max_rows: int = 20, max_delay_s: float = 0.05, list_id: int | None = None) -> Coalesced:
        """Join single upserts of many tasks into shared calls: ``async with ongage.contacts.coalesced() as contacts``.

        Each task awaits ``contacts.upsert(row)`` and gets its own outcome or its own error. Lane, tenant and
        `max_wait_s` are those of the view: ``ongage.with_options(lane=Lane.URGENT).contacts.coalesced()``.

        Args:
            max_rows: Addresses after which a call leaves, up to 500; the vendor advises 5 to 50.
            max_delay_s: Seconds after which it leaves in any case.
            list_id: The list; None: this client's.

        Returns:
            An async context manager; leaving it sends what waits, and waits for it.

        Raises:
            InvalidInputError: An option is out of its range.

        Cost: 1 call per `max_rows` rows or `max_delay_s`, lane NORMAL.
        Repeat: SAFE, as `create` with `overwrite`.
        Source: vendor page §3.3, POST /api/v2/contacts (seed, vendor doc); §2 for the sizes.
        """
        send = _upserting(cast("_SingleCalls", self), list_id)
        return Coalesced(send, as_json, max_rows=max_rows, max_delay_s=max_delay_s, most_rows=MOST_PER_CALL)

    def _in_bulk(self) -> _SingleCalls:
        """Return these contacts on lane BULK, unless the caller has chosen one."""
        return cast("_SingleCalls", type(self)(_InBulk(self._caller), self._read.on_drift))


@attrs.frozen
class _InBulk:
    """A caller whose operations take the BULK lane."""

    caller: Caller

    async def call(self, operation: Operation, **request: Any) -> Answer:
        """Make a call."""
        return await self.caller.call(attrs.evolve(operation, lane=Lane.BULK), **request)


def _upserting(calls: _SingleCalls, list_id: int | None) -> Send:
    async def send(cargo: Cargo) -> Sequence[Verdict]:
        is_safe = not any(isinstance(row, NewContact) and row.overwrite is False for row in cargo.rows)
        result = await calls._upsert(cargo.bodies, is_safe=is_safe, list_id=list_id)
        return verdicts(list(cargo.keys), result)

    return send


def _within(number: int, name: str, most: int | None = None, *, least: int = 1) -> int:
    if number < least or (most is not None and number > most):
        raise InvalidInputError(f"{name} must be {least} to {most}" if most else f"{name} must be at least {least}")
    return number


def _contact(given: Any, number: int) -> NewContact:
    row = NewContact.of(given, number)
    if row.email is None:
        raise InvalidInputError(f"row {number} has no email: a contact is created by its address")
    if not is_email(row.email.strip()):
        raise InvalidInputError(f"row {number}: `email` is not an address")
    return row


def _address(given: Any, number: int) -> NewContact:
    return NewContact(text(given, f"row {number}"))


def _named_by_id(given: Any, number: int) -> NewContact:
    return NewContact(id=text(given, f"row {number}").strip())


def _email(contact: NewContact) -> str:
    return str(contact.email)


def _id(contact: NewContact) -> str:
    return str(contact.id)


def _texts(given: Any) -> Any:
    if isinstance(given, (str, bytes)) or not isinstance(given, (Iterable, AsyncIterable)):
        raise InvalidInputError(f"give an iterable of texts, not {type(given).__name__}")
    return given


def _is_table(rows: Any) -> bool:
    """Tell what has to be opened and read cell by cell from rows as they are.

    Raises:
        InvalidInputError: It is one row, or nothing that gives rows.
    """
    if isinstance(rows, (NewContact, Contact, Mapping, ContactLike)):
        raise InvalidInputError("give a list of rows, even for one: [row]")
    one = rows[0] if isinstance(rows, (list, tuple)) and rows else rows
    if isinstance(one, (str, PathLike)) or hasattr(rows, "__arrow_c_stream__"):
        return True
    if not isinstance(rows, (Iterable, AsyncIterable)):
        raise InvalidInputError(f"a {type(rows).__name__} gives no rows: give an iterable, a path or a data frame")
    return False
