"""Which calls can be kept, and how a kept one is made: by the same typed method, with another caller below it.

A call is kept as its name and its arguments in JSON. The method of the resource is then run three times, each with a
`Caller` of another kind: when it is put (`Glance`: checks the arguments and tells how it repeats, sends nothing), when
it is sent (the sender's), and when its answer is read (`Reading`: gives the answer that was kept). So what is checked,
sent and read is always the same method's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, NoReturn

from attrs import frozen

from ongage_async import _wire, resources
from ongage_async._operation import Answer, Caller, Operation
from ongage_async.errors import InvalidInputError
from ongage_async.models import ContactRow, NewContact
from ongage_async.models._converter import OnDrift
from ongage_async.resources._inputs import unix_s

__all__ = ["KINDS", "Reading", "as_json", "glance", "make", "rows_as_json"]

KINDS = frozenset(
    {
        "contacts.change_email",
        "contacts.change_status",
        "contacts.create",
        "contacts.delete",
        "contacts.update",
        "suppression.add",
        "suppression.remove",
        "transactional.send",
        "transactional.send_embed_content",
    }
)
"""Each makes exactly one call."""

_FAMILIES: Mapping[str, str] = {
    "contacts": "Contacts",
    "suppression": "Suppression",
    "transactional": "Transactional",
}


async def make(kind: str, arguments: Mapping[str, Any], caller: Caller, on_drift: OnDrift | None = None) -> Any:
    """Run the method that a kind names.

    Args:
        kind: One of `KINDS`.
        arguments: Its arguments by name, as they come out of JSON.
        caller: What it calls.
        on_drift: As for every resource.

    Raises:
        InvalidInputError: It does not take these arguments, or there is no such kind in this version of the library.
    """
    if kind not in KINDS:
        raise InvalidInputError(f"{kind} cannot be kept in an outbox: {', '.join(sorted(KINDS))} can")
    family, _, verb = kind.partition(".")
    method = getattr(getattr(resources, _FAMILIES[family])(caller, on_drift), verb)
    try:
        begun = method(**arguments)
    except TypeError as error:
        raise InvalidInputError(f"{kind}: {error}") from None
    return await begun


class _SeenError(Exception):
    """The method came to its call."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation


class _Glance:
    """A caller that only looks which call is made, and whether it can be written."""

    async def call(self, operation: Operation, **parts: Any) -> NoReturn:
        """See `Caller.call`."""
        _wire.render(operation, **parts)
        raise _SeenError(operation)


async def glance(kind: str, arguments: str) -> Operation:
    """Check a call as it will be made from its JSON, and return what it is; nothing is sent.

    Raises:
        InvalidInputError: As the method itself raises it.
    """
    try:
        await make(kind, json.loads(arguments), _Glance())
    except _SeenError as seen:
        return seen.operation
    raise AssertionError(f"{kind} makes no call")


@frozen
class Reading:
    """A caller that answers with what was kept.

    Args:
        answer: As `Sending` kept it.
    """

    answer: Mapping[str, Any]

    async def call(self, operation: Operation, **_: Any) -> Answer:  # noqa: ARG002 - as every caller
        """See `Caller.call`."""
        return Answer(self.answer["payload"], self.answer["metadata"], self.answer["status"])


def _plain(value: Any) -> Any:
    """Return what JSON can hold for a value that it cannot."""
    match value:
        case datetime():
            return unix_s(value, "a time")
        case Mapping():
            return dict(value)
        case AbstractSet():
            return sorted(value)  # each process has an order of its own
        case Sequence() if not isinstance(value, (bytes, bytearray)):
            return list(value)
        case _:
            raise TypeError


def as_json(kind: str, arguments: Mapping[str, Any]) -> str:
    """Return arguments as JSON, the same text for the same arguments; those that are None are left out.

    Raises:
        InvalidInputError: JSON cannot hold a value.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    try:
        return json.dumps(given, default=_plain, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(f"{kind}: an argument cannot be written as JSON: give JSON values only") from None


def rows_as_json(rows: Iterable[ContactRow], *, are_new: bool) -> list[dict[str, Any]]:
    """Return rows of contacts as mappings that every version of `NewContact.of` reads.

    Raises:
        InvalidInputError: A row is none.
    """
    if isinstance(rows, (NewContact, Mapping, str)) or not isinstance(rows, Iterable):
        raise InvalidInputError("give a list of rows, even for one: [row]")
    return [_row(NewContact.of(row, number, is_new=are_new)) for number, row in enumerate(rows, 1)]


def _row(row: NewContact) -> dict[str, Any]:
    whole = {"email": row.email, "id": row.id, "overwrite": row.overwrite, "fields": dict(row.fields)}
    return {name: value for name, value in whole.items() if value is not None}
