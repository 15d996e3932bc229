"""The temporary token: put on every call, thrown away when the vendor refuses it, and made anew by one task for all.

`TokenTransport` is the engine's transport; it knows which token each send carried, so a refusal that comes late does
not throw the next token away. `Tokens` makes the new one. Who calls again is `_session.py`. Source: vendor page §5.
"""

from typing import Any

import anyio
from attrs import define, evolve, field

from ongage_async._engine import Engine, Options
from ongage_async._operation import Answer, ListIn, Operation, Repeat
from ongage_async._tasks import Yard
from ongage_async._transport import Sink, Transport, WireResponse
from ongage_async._wire import WireRequest
from ongage_async.config import Lane
from ongage_async.errors import APIError, BudgetError, ConfigurationError, DecodeError, OngageError
from ongage_async.ownpage._credentials import Masked, OwnpageCredentials, OwnpageToken

__all__ = ["TOKEN", "TokenTransport", "Tokens"]

TOKEN = Operation("tokens.create", "POST", "/token", Repeat.SAFE, lane=Lane.URGENT, list_in=ListIn.NOWHERE)
HEADER = "x-ownpage-client-token"
OPEN_TO_ALL = ("/token", "/subscribe/{tracking_key}")
"""Routes that carry no token."""


@define(eq=False)
class Pocket:
    """Hold the token that is good as far as is known."""

    token: OwnpageToken | None = None
    keeps: bool = False
    """Whether there is nothing to make another from, so that a refused one stays."""

    def refuse(self, token: OwnpageToken | None) -> None:
        """Throw a token away, unless it is gone already."""
        if token is self.token and not self.keeps:
            self.token = None


@define(eq=False)
class TokenTransport(Transport):
    """Send with the token of the moment."""

    pocket: Pocket = field(factory=Pocket, kw_only=True)

    async def send(self, request: WireRequest, timeout_s: float, sink: Sink | None = None) -> WireResponse:
        """Send one request; see `Transport.send`."""
        token = self.pocket.token
        response = await Transport.send(self, _with(request, token), timeout_s, sink)
        if response.status == 401:
            self.pocket.refuse(token)
        return response


def _with(request: WireRequest, token: OwnpageToken | None) -> WireRequest:
    if token is None or request.template in OPEN_TO_ALL:
        return request
    return evolve(request, headers=Masked(request.headers, **{HEADER: token.value}))


@define(eq=False)
class _Renewal:
    """One making of a token, and all who wait for it."""

    done: anyio.Event = field(factory=anyio.Event)
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)
    error: Exception | None = None


@define(eq=False)
class Tokens:
    """Make a token when one is needed, once for everybody who needs it.

    Args:
        engine: Makes the call, governed like all others.
        pocket: Where the token goes.
        credentials: From what it is made; None when somebody else makes tokens.
        options: Of the call.
    """

    engine: Engine
    pocket: Pocket
    credentials: OwnpageCredentials | None
    options: Options
    _renewal: _Renewal | None = field(default=None, init=False)
    _yard: Yard = field(factory=Yard, init=False)

    @property
    def can_renew(self) -> bool:
        """Whether a refused token can be replaced."""
        return self.credentials is not None

    async def ensure(self, max_wait_s: float | None) -> None:
        """Return when there is a token.

        Args:
            max_wait_s: Seconds to wait at most; the making goes on for others.

        Raises:
            OngageError: It cannot be made; everybody who waited gets the same error.
            BudgetError: Not within `max_wait_s`.
        """
        while self.pocket.token is None:
            if self._renewal is None:
                self._renewal = _Renewal()
                self._yard.start(self._renew, self._renewal)
            await _wait_for(self._renewal, max_wait_s)

    async def aclose(self) -> None:
        """Stop making one: who waits for it is gone, or is told."""
        if self._renewal is not None:
            self._renewal.scope.cancel()
        await self._yard.drain()

    async def create(self) -> OwnpageToken:
        """Make a token.

        Raises:
            AuthenticationError: The vendor refuses the customer id or the key.
        """
        if (known := self.credentials) is None:
            raise ConfigurationError("a token alone makes no other: give OwnpageCredentials(username=..., api_key=...)")
        body = Masked(username=known.username, password=known.api_key)
        try:
            answer = await self.engine.call(TOKEN, self.options, body=body)
        except OngageError as error:
            _forget_secrets(error, known)
            raise
        return _token(answer)

    async def _renew(self, renewal: _Renewal) -> None:
        try:
            with renewal.scope:
                self.pocket.token = await self.create()
            if renewal.scope.cancelled_caught:
                renewal.error = ConfigurationError("this client was closed while it got a token")
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
            renewal.error = error
        finally:
            self._renewal = None
            renewal.done.set()


async def _wait_for(renewal: _Renewal, max_wait_s: float | None) -> None:
    with anyio.move_on_after(max_wait_s):
        await renewal.done.wait()
        if renewal.error is not None:
            raise renewal.error
        return
    raise BudgetError(f"no new token within {max_wait_s:g} s", retry_after_s=1.0, operation=TOKEN.name)


def _token(answer: Answer) -> OwnpageToken:
    payload = answer.payload
    value = Masked(token=payload.get("token") if isinstance(payload, dict) else None)
    del payload  # a traceback may show what is in this frame
    try:
        return OwnpageToken(value["token"])
    except ConfigurationError:
        raise DecodeError("the answer holds no token", path="$.token", operation=TOKEN.name) from None


def _forget_secrets(error: OngageError, known: OwnpageCredentials) -> None:
    """Blot out what the vendor may repeat of a request for a token, or give away of its answer."""

    def clean(value: Any) -> Any:
        match value:
            case str():
                return value.replace(known.api_key, "‹masked›").replace(known.username, "‹masked›")
            case dict():
                return {clean(key): clean(item) for key, item in value.items()}
            case list() | tuple():
                return [clean(item) for item in value]
        return value

    error.args = tuple(clean(part) for part in error.args)
    if isinstance(error, APIError):
        error.message, error.errors = clean(error.message), clean(error.errors)
    if isinstance(error, DecodeError):
        error.excerpt = ""
