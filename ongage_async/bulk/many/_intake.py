"""Where the rows of a stream come from: as many at a time as the next call has room for, ready to be sent.

A table is read in chunks by `sources/_contacts.py`, which is an `Intake` too; here are the rows that come one by one.
"""

import json
from collections.abc import AsyncIterable, Callable, Iterable
from itertools import count
from typing import Any, Protocol

from ongage_async.bulk.many._cargo import Body
from ongage_async.bulk.many._window import Rows
from ongage_async.bulk.sources._lot import Lot
from ongage_async.errors import InvalidInputError
from ongage_async.models import NewContact

__all__ = ["Intake", "Read", "Singles", "as_json", "written"]

Read = Callable[[Any, int], NewContact]
"""Makes a row of what the source gives and its number, counted from 1; raises InvalidInputError for what cannot be."""

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def as_json(contact: NewContact) -> str:
    """Return a contact as a call that overwrites has it."""
    return _encode(contact.to_wire(overwrite=True))


def written(body: Body, contact: NewContact, name: str) -> str:
    """Return what is sent for a contact.

    Raises:
        InvalidInputError: It holds what JSON cannot; alone it is refused, in a call it would stop the others.
    """
    try:
        text = body(contact)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidInputError(f"{name} holds a value that JSON cannot hold: a date goes as text") from None
    return text


class Intake(Protocol):
    """Rows that are taken some at a time."""

    async def take(self, most: int, first: int, /) -> Lot | None:
        """Return the next rows; None behind the last.

        Args:
            most: How many the caller has room for; what was read already may be more.
            first: Place of the next row in the source, from 0.
        """
        ...

    def contact(self, row: Any, /) -> NewContact | None:
        """Return a row of a lot as a contact; None if it cannot be sent."""
        ...

    async def aclose(self) -> None:
        """Let go of the source."""
        ...


class Singles:
    """Take rows that come one by one; not one more than there is room for.

    Args:
        rows: What gives them.
        read: Makes contacts of them.
        body: Says what is sent for a contact.
    """

    def __init__(self, rows: Iterable[Any] | AsyncIterable[Any], read: Read, body: Body) -> None:
        self._rows, self._read, self._body = Rows(rows), read, body

    async def take(self, most: int, first: int) -> Lot | None:
        """Return up to `most` rows; None behind the last."""
        numbers = count(first + 1)
        seen = await self._rows.some(most, lambda given: self._look(given, next(numbers)))
        if not seen:
            return None
        rows, keys, bodies, wrong = map(list, zip(*seen, strict=True))
        return Lot(rows, keys, bodies, {at: fault for at, fault in enumerate(wrong) if fault})

    def _look(self, given: Any, number: int) -> tuple[Any, str, str, str]:
        """Return a row, its key, its body and its fault."""
        try:
            contact = self._read(given, number)
            return contact, contact.key, written(self._body, contact, f"row {number}"), ""
        except InvalidInputError as error:
            return given, "", "", str(error)

    @staticmethod
    def contact(row: Any, /) -> NewContact | None:
        """Return a row as a contact; None if it cannot be sent."""
        return row if isinstance(row, NewContact) else None

    async def aclose(self) -> None:
        """Close the source, if it can be."""
        await self._rows.aclose()
