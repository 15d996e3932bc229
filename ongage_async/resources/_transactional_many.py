"""Cut thousands of recipients into calls and tell what became of each; nothing uncertain is sent twice.

Knows no wire: how one call is made is an argument. `Transactional.send_many` is its caller.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Self

from ongage_async.errors import (
    APIError,
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    OngageError,
    Outcome,
    PermissionDeniedError,
    RateLimitedError,
    mask,
)
from ongage_async.models import SendKind, SendResult, SentChunk
from ongage_async.resources._inputs import MOST_ROWS, text

SILENCE = 3
"""So many calls in a row without an answer end the sending: going on would make the whole list uncertain."""

_HOPELESS = (
    AuthenticationError,
    PermissionDeniedError,
    NotFoundError,
    RateLimitedError,
    BudgetError,
    ConfigurationError,
    InvalidInputError,
)
_KINDS = {
    Outcome.NOT_SENT: SendKind.NOT_SENT,
    Outcome.REJECTED: SendKind.REJECTED,
    Outcome.UNKNOWN: SendKind.UNKNOWN,
}


class SendMany:
    """Iterate over the calls that send to many; each step is one call.

    An object and not an async generator: it may be left at any time, and nothing is held between two steps.

    Args:
        send: Makes one call.
        recipients: Whom to send to.
        per_call: How many at once.
    """

    __slots__ = ("_first", "_index", "_last_words", "_per_call", "_recipients", "_send", "_silent")

    def __init__(
        self,
        send: Callable[[Sequence[str]], Awaitable[SendResult]],
        recipients: Iterable[str] | AsyncIterable[str],
        per_call: int,
    ) -> None:
        if isinstance(recipients, (str, bytes)):
            raise InvalidInputError("give a list of recipients, even for one: [recipient]")
        if not 1 <= per_call <= MOST_ROWS:
            raise InvalidInputError(f"per_call must be 1 to {MOST_ROWS}")
        self._send = send
        self._recipients = _Recipients(recipients)
        self._per_call = per_call
        self._index = self._first = self._silent = 0
        self._last_words: OngageError | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SentChunk:
        if self._last_words is not None and self._silent >= SILENCE:
            self._silent = 0  # raised once; whoever goes on all the same, knows
            raise self._last_words
        chunk = await self._recipients.take(self._per_call)
        if not chunk:
            raise StopAsyncIteration
        sent = await self._one(chunk)
        self._silent = self._silent + 1 if sent.kind in (SendKind.UNKNOWN, SendKind.NOT_SENT) else 0
        self._last_words = sent.error
        return sent

    async def _one(self, chunk: tuple[str, ...]) -> SentChunk:
        place: dict[str, Any] = {"index": self._index, "first": self._first, "recipients": chunk}
        self._index, self._first = self._index + 1, self._first + len(chunk)  # before the send, which may be cancelled
        try:
            result = await self._send(chunk)
        except _HOPELESS as error:
            self._index, self._first = place["index"], place["first"]
            self._recipients.put_back(chunk)
            error.add_note(
                f"send_many ended at call {self._index}, recipient {self._first}: this call sent nothing, and later "
                "ones were not begun"
            )
            raise
        except OngageError as error:
            reason = error.message if isinstance(error, APIError) else mask(str(error))
            return SentChunk(**place, kind=_KINDS[error.outcome], reason=reason, error=error)
        return SentChunk(**place, kind=SendKind.SENT, result=result)


class _Recipients:
    """Take recipients from whatever iterable there is, a chunk at a time."""

    __slots__ = ("_back", "_count", "_items")

    def __init__(self, recipients: Iterable[str] | AsyncIterable[str]) -> None:
        self._items = aiter(recipients) if isinstance(recipients, AsyncIterable) else iter(recipients)
        self._back: tuple[str, ...] = ()
        self._count = 0

    async def take(self, size: int) -> tuple[str, ...]:
        """Return the next ones, at most `size`, none at the end."""
        if self._back:
            back, self._back = self._back, ()
            return back
        chunk: list[str] = []
        while len(chunk) < size:
            try:
                item = await anext(self._items) if isinstance(self._items, AsyncIterator) else next(self._items)
            except (StopIteration, StopAsyncIteration):
                break
            self._count += 1
            try:
                chunk.append(text(item, f"number {self._count} of the recipients"))
            except InvalidInputError:
                self._back = tuple(chunk)
                raise
        return tuple(chunk)

    def put_back(self, chunk: tuple[str, ...]) -> None:
        """Give a chunk back that was not sent, so that going on begins with it."""
        self._back = chunk
