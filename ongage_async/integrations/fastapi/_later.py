"""Put away what cannot go out now, and answer 202: the two words between an app and whatever keeps its messages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ParamSpec, Protocol

from ongage_async.errors import BudgetError, ConnectError, RateLimitedError

__all__ = ["AcceptedLater", "Handle", "or_later"]

P = ParamSpec("P")


class Handle(Protocol):
    """What is known of something that was put away."""

    @property
    def id(self) -> Any:
        """What it is found by later."""
        ...


class AcceptedLater(Exception):  # noqa: N818 - it is no error: `handle_errors` answers 202
    """Tell that a request was put away, and under which `id`."""

    def __init__(self, id: Any) -> None:  # noqa: A002 - its name in the outbox
        super().__init__("accepted; it will be sent later")
        self.id = id


@asynccontextmanager
async def or_later(put: Callable[P, Awaitable[Handle]], *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[None]:
    """Make one call in this block; where the budget refuses it, put it away instead, and answer 202 with its id.

    Only calls that were certainly not executed are put away: our own budget or the vendor's refused, or no connection
    was made. Everything else goes its way.

        async with or_later(outbox.transactional.send, receipt_id, email):
            await ongage.transactional.send(receipt_id, email)

    Args:
        put: What keeps it: an awaited call that returns something with an `id`.
        args: For `put`.
        kwargs: For `put`.

    Raises:
        AcceptedLater: It was put away; `handle_errors` makes the answer.
    """
    try:
        yield
    except (BudgetError, RateLimitedError, ConnectError):
        kept = await put(*args, **kwargs)
        raise AcceptedLater(kept.id) from None
