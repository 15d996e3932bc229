"""Calls to another host of the vendor, with another key: own connections, the same governor, the same end.

The client makes one and closes it; `resources/validation.py` is the only family that needs it. Nothing of the client's
own credentials goes there.
"""

from collections.abc import Callable

import attrs
from attrs import define, field

from ongage_async._engine import Bound, Engine, Options
from ongage_async.config import ApiKey
from ongage_async.errors import ConfigurationError

__all__ = ["Elsewhere"]


@define(eq=False)
class Elsewhere:
    """Make callers for other hosts.

    Args:
        home: The client's engine, whose governor, listener and kind of connections are used.
        checked: Returns a base URL that is fit for credentials, or raises.
    """

    home: Engine
    checked: Callable[[str], str]
    _engines: dict[tuple[str, str], Engine] = field(factory=dict, init=False, repr=False)
    _is_closed: bool = field(default=False, init=False)

    def caller(self, options: Options) -> Callable[[str, ApiKey], Bound]:
        """Return what makes a caller with these options from a base URL and a key."""

        def make(base_url: str, key: ApiKey) -> Bound:
            if self._is_closed:
                raise ConfigurationError("this client is closed: make the call inside its `async with` block")
            place = (self.checked(base_url), key.key)
            if place not in self._engines:
                transport = attrs.evolve(self.home.transport, base_url=place[0], headers=key.headers())
                self._engines[place] = attrs.evolve(self.home, transport=transport)
            return Bound(self._engines[place], options)

        return make

    async def aclose(self) -> None:
        """Let open calls end and close the connections."""
        self._is_closed = True
        for engine in self._engines.values():
            await engine.aclose()
