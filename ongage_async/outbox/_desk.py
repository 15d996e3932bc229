"""Between the event loop and a blocking store: each step runs in a worker thread, to its end."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread

from ongage_async._tasks import Yard
from ongage_async.errors import OngageError, OutboxError
from ongage_async.outbox._store import Store

T = TypeVar("T")

__all__ = ["Desk"]

THREADS = 4


class Desk:
    """Pass steps to a store; a cancelled caller is free at once, and its step ends in order.

    Args:
        opening: Opens the store; called in a thread, too.
    """

    def __init__(self, opening: Callable[[], Store]) -> None:
        self._opening = opening
        self._store: Store | None = None
        self._yard = Yard()
        self._threads: anyio.CapacityLimiter | None = None

    async def open(self) -> None:
        """Open the store, unless it is open.

        Raises:
            OutboxError: It cannot be used.
        """
        if self._store is None:
            self._threads = anyio.CapacityLimiter(THREADS)
            await self._aside(self._open)

    def _open(self) -> None:
        self._store = self._opening()

    async def ask(self, step: Callable[..., T], *values: Any) -> T:
        """Have the store do a step: ``desk.ask(Store.get, id)``.

        Raises:
            OutboxError: The store cannot be used, or is not open.
        """
        if self._store is None:
            raise OutboxError("this outbox is not open: use it inside its `async with` block")
        bound = getattr(self._store, step.__name__)
        return cast("T", await self._aside(partial(bound, *values)))

    async def aclose(self) -> None:
        """Let the steps under way end, and close the store."""
        await self._yard.drain()
        store, self._store = self._store, None
        if store is not None:
            await self._aside(store.close)

    async def _aside(self, work: Callable[[], Any]) -> Any:
        try:
            return await self._yard.start(partial(anyio.to_thread.run_sync, limiter=self._threads), work).wait()
        except OngageError:
            raise
        except Exception as error:  # no thread can be had, or worse: an entry must not hang on it
            raise OutboxError(f"the outbox cannot be used: {type(error).__name__}") from error
