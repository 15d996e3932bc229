"""A call of Ownpage: with a token, and once more with a new one when the vendor says 401.

Between the resources and the engine. A 401 means that nothing was executed, so calling again is safe whatever the
operation's repeat class. Source: vendor page §5.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import anyio
from attrs import evolve, frozen

from ongage_async import _wire
from ongage_async._engine import Engine, Options, Pour
from ongage_async._operation import Answer, Operation
from ongage_async.errors import APIError, AuthenticationError, InvalidInputError, OngageError
from ongage_async.ownpage._tokens import Tokens
from ongage_async.resources._download import Streamer

__all__ = ["ListCaller", "Session"]

_ADVICE = {
    401: "check the customer id and the API key (vendor page §5)",
    403: "the account lacks this right, or the feature is not part of it (vendor page §5: events are premium)",
    404: "it is not there: check the id, and the list (list_id=)",
}


class ListCaller(Streamer, Protocol):
    """What a resource of Ownpage needs: calls, calls whose answer is a file, and the list they act on."""

    def list_of(self, list_id: int | None) -> int:
        """Return the list that a call acts on.

        Raises:
            InvalidInputError: None is named, and the client has no default.
        """
        ...


@frozen
class Session:
    """Engine, tokens and options: what a resource knows of all three (`ListCaller`).

    Args:
        engine: Makes the calls.
        options: How.
        tokens: Makes tokens; None for calls that need none.
        account: What tells the account from others, for journals; no secret.
    """

    engine: Engine
    options: Options
    tokens: Tokens | None = None
    account: str = ""

    def list_of(self, list_id: int | None) -> int:
        """Return the list that a call acts on; see `ListCaller.list_of`."""
        chosen = self.options.list_id if list_id is None else list_id
        if chosen is None:
            raise InvalidInputError("which list? give list_id= here or to the client; Ownpage has no default list")
        return chosen

    async def call(
        self,
        operation: Operation,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one call; see `Caller.call`. `list_id` is not sent: Ownpage's lists are in routes and bodies."""
        del list_id
        return await self._call(operation, {"path": path, "query": query, "body": body})

    async def stream(
        self,
        operation: Operation,
        pour: Pour,
        *,
        path: Mapping[str, str | int] | None = None,
        query: Mapping[str, Any] | None = None,
        list_id: int | None = None,
    ) -> Answer:
        """Make one call whose answer is a file; see `Streamer.stream`."""
        del list_id
        return await self._call(operation, {"path": path, "query": query, "pour": pour})

    async def _call(self, operation: Operation, request: Mapping[str, Any]) -> Answer:
        try:
            return _accepted(operation, await self._until_known(operation, request))
        except APIError as error:
            _advise(error)
            raise

    async def _until_known(self, operation: Operation, request: Mapping[str, Any]) -> Answer:
        if self.tokens is None:
            return await self.engine.call(operation, self.options, **request)
        ends_at = None if self.options.max_wait_s is None else anyio.current_time() + self.options.max_wait_s
        await self._have_token(self.tokens, ends_at)
        try:
            return await self.engine.call(operation, self.options, **request)
        except AuthenticationError as error:
            if not self.tokens.can_renew:
                error.add_note("the token was refused and may be old: give OwnpageCredentials to have it renewed")
                raise
            attempts = error.attempts
        await self._have_token(self.tokens, ends_at)
        try:
            return await self.engine.call(operation, evolve(self.options, max_wait_s=_left_s(ends_at)), **request)
        except OngageError as error:
            error.attempts += attempts
            error.add_note("before that, the token was refused once and renewed")
            raise

    async def _have_token(self, tokens: Tokens, ends_at: float | None) -> None:
        """Wait for a token: as long as the caller allows for being sent, and then for one answer."""
        left_s = _left_s(ends_at)
        await tokens.ensure(None if left_s is None else left_s + self.options.timeout_s)


def _left_s(ends_at: float | None) -> float | None:
    return None if ends_at is None else max(0.0, ends_at - anyio.current_time())


def _accepted(operation: Operation, answer: Answer) -> Answer:
    """Raise if an answer is an error in the clothes of a success: *assumed*, as the other vendor does it (§1.4)."""
    match answer.payload:
        case {"cause": _, "status": int(status)} if status >= 400:
            raise _wire.refusal(operation, status, {}, answer.payload)
    return answer


def _advise(error: APIError) -> None:
    """Put this vendor's advice in the place of the other's, which the wire gives."""
    others = set(_wire._ADVICE.values())
    notes = [note for note in getattr(error, "__notes__", ()) if note not in others]
    if (advice := _ADVICE.get(error.status)) and advice not in notes:
        notes.insert(0, advice)
    error.__notes__ = notes
