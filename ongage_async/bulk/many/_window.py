"""What streams are made of: rows taken one by one, and a few pieces of work under way at once, whose results are taken.

The work runs in tasks of our own, so that whoever takes the results may be an object with `__anext__`: it may be left
at any time, and no task group and no generator is kept open between two steps.
"""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar

import anyio
import anyio.lowlevel

from ongage_async._tasks import Yard

T = TypeVar("T")

__all__ = ["END", "Rows", "Window"]

ROWS_A_TURN = 500
"""Rows after which others get a turn on the event loop."""
END: Any = object()


class Rows:
    """Take rows from any iterable; an async generator is closed at the end, exhausted or not."""

    __slots__ = ("_each", "_later", "_taken", "_trouble")

    def __init__(self, rows: Iterable[Any] | AsyncIterable[Any]) -> None:
        self._later: AsyncIterator[Any] | None = aiter(rows) if isinstance(rows, AsyncIterable) else None
        self._each: Iterator[Any] = iter(()) if isinstance(rows, AsyncIterable) else iter(rows)
        self._taken = 0
        self._trouble: Exception | None = None

    async def some(self, most: int, look: Callable[[Any], Any]) -> list[Any]:
        """Return what `look` makes of the next rows, up to `most`; none behind the last.

        Each is looked at before the next one is asked for: the source may fill the same object again and again. An
        error of the source or of `look` comes behind the rows before it.
        """
        rows: list[Any] = []
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble
        try:
            if self._later is None:
                await self._give_others_a_turn(most)
                rows.extend(map(look, islice(self._each, most)))  # which keeps what comes before an error
            else:
                async for row in self._later:
                    rows.append(look(row))
                    if len(rows) >= most:
                        break
        except Exception as error:
            if not rows:
                raise
            self._trouble = error
        return rows

    async def next(self) -> Any:
        """Return the next row, `END` behind the last."""
        if self._later is not None:
            return await anext(self._later, END)
        await self._give_others_a_turn(1)
        return next(self._each, END)

    async def _give_others_a_turn(self, rows: int) -> None:
        before, self._taken = self._taken, self._taken + rows
        if before // ROWS_A_TURN != self._taken // ROWS_A_TURN:
            await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the source, if it can be."""
        close: Callable[[], Awaitable[None]] | None = getattr(self._later or self._each, "aclose", None)
        if close is not None:
            await close()


class Window(Generic[T]):
    """Run at most `places` pieces of work at a time.

    Args:
        places: How many.
    """

    __slots__ = ("_ended", "_news", "_places", "_scopes", "_yard", "under_way")

    def __init__(self, places: int) -> None:
        self._places = places
        self._yard = Yard()
        self._scopes: set[anyio.CancelScope] = set()
        self._ended: deque[tuple[T | None, Exception | None]] = deque()
        self._news = anyio.Event()
        self.under_way = 0

    @property
    def has_place(self) -> bool:
        """Whether another piece of work may be started; one whose result was not taken keeps its place."""
        return self.under_way < self._places

    def start(self, work: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Start `work(*args)`."""
        self.under_way += 1
        self._yard.start(self._run, work, args)

    async def _run(self, work: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> None:
        result: T | None = None
        trouble: Exception | None = None
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                result = await work(*args)
            except Exception as error:  # noqa: BLE001 - handed to whoever takes the results
                trouble = error
            finally:
                self._scopes.discard(scope)
        if not scope.cancelled_caught:
            self._ended.append((result, trouble))
            self._news.set()

    async def next(self) -> T:
        """Wait for the piece of work that ends next; return its result or raise its error."""
        while not self._ended:
            self._news = anyio.Event()
            await self._news.wait()
        self.under_way -= 1
        result, trouble = self._ended.popleft()
        if trouble is not None:
            raise trouble
        return result  # type: ignore[return-value]  # T may be anything, None too

    def cancel(self) -> None:
        """Give up what is under way; nobody may wait for it any more."""
        for scope in list(self._scopes):
            scope.cancel()
