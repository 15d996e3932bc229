"""What a handler is given: the request, read and resolved, and the world it acts on.

Here live `World` and `Call`, with the list precedence of the vendor. Handlers in `families/` use them. Source: vendor
page §1.3.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from ongage_async.emulator._answers import bad_request, invalid, missing
from ongage_async.emulator._router import Route

if TYPE_CHECKING:
    from ongage_async.emulator._clock import Clock
    from ongage_async.emulator._imports import ImportEngine
    from ongage_async.emulator._state import MailingList, State
    from ongage_async.emulator.readings import Readings

__all__ = ["Call", "World"]

_MOST_DIGITS = 18  # what a database's big integer holds
_KIND_WORDS = {str: "text", bool: "a flag", int: "a whole number", list: "an array", dict: "an object"}


@define
class World:
    """Hold what every handler may reach.

    Args:
        state: What the account holds.
        readings: The switches for the unknown.
        clock: The time.
        imports: What moves imports on.
        batch_cap: Most rows of one contacts call (§2).
    """

    state: "State"
    readings: "Readings"
    clock: "Clock"
    imports: "ImportEngine"
    batch_cap: int = 500


@frozen
class Call:
    """Hold one request, authenticated and admitted."""

    world: World
    route: Route
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    route_list_id: int | None

    @property
    def state(self) -> "State":
        """Return what the account holds."""
        return self.world.state

    @property
    def now(self) -> int:
        """Return the Unix time."""
        return self.world.clock.unix()

    @property
    def fields(self) -> dict[str, Any]:
        """Return the body as an object; PHP's empty array counts as an empty one.

        Raises:
            Refusal: 400, the body is something else.
        """
        if self.body is None or self.body == []:
            return {}
        if not isinstance(self.body, dict):
            raise bad_request("Invalid data in request")
        return self.body

    @property
    def mailing_list(self) -> "MailingList":
        """Return the list that the call acts on: body, else query, else route, else the account's default.

        Raises:
            Refusal: 404, there is no such list.
        """
        return self.live_list(self._list_id())

    def live_list(self, list_id: Any) -> "MailingList":
        """Return a list by a number that came over the wire.

        Raises:
            Refusal: 404, there is no such list.
        """
        found = self.state.lists.get(as_id(list_id))
        if found is None or found.deleted is not None:
            raise missing("List not found")
        return found

    def required(self, *names: str, status: int = 412) -> None:
        """Refuse the call unless the body has a value for every name.

        Raises:
            Refusal: 412, or the family's own status.
        """
        given = self.fields
        errors = {name: f"{name} must not be empty" for name in names if given.get(name) in (None, "", [])}
        if errors:
            raise invalid(errors=errors, status=status)

    def of_kind(self, kind: type | tuple[type, ...], *names: str, status: int = 412) -> None:
        """Refuse the call if it has a value of another kind under one of the names; null is no value.

        Args:
            kind: What the values must be; a flag is no number here.
            *names: Keys of the body.
            status: What it is refused with.

        Raises:
            Refusal: 412, or the family's own status.
        """
        given, kinds = self.fields, kind if isinstance(kind, tuple) else (kind,)
        wrong = [name for name in names if given.get(name) is not None and type(given[name]) not in kinds]
        if wrong:
            word = " or ".join(_KIND_WORDS[each] for each in kinds)
            raise invalid(errors={name: f"{name} must be {word}" for name in wrong}, status=status)

    def _list_id(self) -> Any:
        if self.route.body_list_id and isinstance(self.body, dict) and self.body.get("list_id") is not None:
            return self.body["list_id"]
        if "list_id" in self.query:
            return self.query["list_id"]
        return self.state.default_list_id if self.route_list_id is None else self.route_list_id


def as_id(value: Any) -> int:
    """Return a number that may have come as text, or 0, which nothing has."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= _MOST_DIGITS:
        return int(value)
    return value if type(value) is int and 0 < value < 10**_MOST_DIGITS else 0
