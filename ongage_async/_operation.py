"""What a call *is*: the values that a resource hands to the engine, and the answer it gets back.

Here live `Operation` (one endpoint's name, route, repeat class and lane), `Answer`, and the `Caller` protocol by which
resources know the engine. No I/O and no vendor parsing: that is `_wire.py`. Everybody above the ground uses this room.
"""

import enum
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

from ongage_async.config import Lane


class Repeat(enum.Enum):
    """Say whether sending a call a second time can do harm.

    The HTTP verb does not decide this; each operation declares it, with a reason in its docstring.
    """

    SAFE = "safe"
    """Repeating changes nothing more than sending once: repeated after 5xx and lost connections."""
    IF_UNSENT = "if_unsent"
    """Repeated only when it is certain that the vendor did not execute it (429, or nothing was sent)."""
    NEVER = "never"
    """Like IF_UNSENT, and the effect reaches people: an uncertain outcome is raised, never looked away."""


class ListIn(enum.Enum):
    """Say where the list's id goes in a request (vendor page §1.3)."""

    ROUTE = "route"
    BODY = "body"
    QUERY = "query"
    NOWHERE = "nowhere"


@frozen
class Operation:
    """Describe one endpoint.

    Args:
        name: Dotted name, the same word in logs, metrics, errors and emulator faults: ``contacts.create``.
        method: HTTP method.
        route: Template with ``{parameters}``, without the optional list prefix: ``/api/contacts/by_email/{email}``.
        repeat: What may happen to a call whose outcome is uncertain.
        lane: The lane it takes unless the caller chose one.
        list_in: Where the list id goes.
    """

    name: str
    method: str
    route: str
    repeat: Repeat
    lane: Lane = Lane.NORMAL
    list_in: ListIn = ListIn.ROUTE


@frozen
class Answer:
    """Hold what a call brought home, decoded but not yet typed.

    Args:
        payload: The vendor's ``payload``, or the whole document where there is no envelope.
        metadata: The vendor's ``metadata`` (``total`` of a collection), empty where there is none.
        status: HTTP status, 2xx.
    """

    payload: Any = field(repr=False)
    metadata: Mapping[str, Any] = field(factory=dict)
    status: int = 200


class Encoded(bytes):
    """A body that is written already: UTF-8 JSON, which nobody looks into any more."""

    __slots__ = ()


class Caller(Protocol):
    """What a resource needs of the engine: one governed, retried call."""

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one call and return its answer.

        Args:
            operation: The endpoint.
            path: Values of the route's parameters; percent-encoded by the wire.
            query: Query parameters; None values are left out, booleans become ``true``/``false``.
            body: JSON value, or `Encoded`, or None for no body.
            list_id: The list; None means the client's default list, else the account's.

        Raises:
            OngageError: See `ongage_async.errors`.
        """
        ...
