"""Work that outlives its caller: tasks that belong to the library and end by themselves.

A caller may be cancelled at any instant; the exchange that it started must still end in order, so that permits and
connections stay right. anyio's task groups belong to the task that opened them, which fixtures and lifespans do not
keep; so this room asks the event loop itself. Used by the engine (exchanges) and the governor (its queue).
"""

import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar, cast

import anyio

T = TypeVar("T")

__all__ = ["Owned", "Yard"]


class Owned(Generic[T]):
    """One running piece of work: wait for it, be cancelled while waiting, and it goes on."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = anyio.Event()
        self._error: BaseException | None = None
        self._value: T | None = None

    async def run(self, work: Callable[..., Awaitable[T]], *args: Any) -> None:
        """Do the work and remember how it ended; only the end of the event loop gets through."""
        try:
            self._value = await work(*args)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._done.set()

    async def wait(self) -> T:
        """Return the work's result, or raise its error."""
        await self._done.wait()
        if self._error is None:
            return cast("T", self._value)
        try:
            raise self._error
        finally:
            self._error = None  # else error and traceback keep each other alive


class Yard:
    """Start owned work in the running event loop, and wait until all of it is done."""

    __slots__ = ("_idle", "_running", "_tasks")

    def __init__(self) -> None:
        self._tasks: set[object] = set()  # asyncio keeps only weak references
        self._running = 0
        self._idle: anyio.Event | None = None

    @property
    def running(self) -> int:
        """How many pieces of work are under way."""
        return self._running

    def start(self, work: Callable[..., Awaitable[T]], *args: Any) -> Owned[T]:
        """Start `work(*args)` in the running loop, in a copy of the caller's context; never suspends."""
        owned: Owned[T] = Owned()
        self._running += 1
        _spawn(self._tasks, self._run, owned, work, args)
        return owned

    async def _run(self, owned: Owned[T], work: Callable[..., Awaitable[T]], args: tuple[Any, ...]) -> None:
        try:
            await owned.run(work, *args)
        finally:
            self._running -= 1
            if not self._running and self._idle is not None:
                self._idle.set()

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._running:
            self._idle = anyio.Event()
            await self._idle.wait()
        self._idle = None


def _spawn(keep: set[object], work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
    trio = sys.modules.get("trio")  # imported by whoever runs it, so never by us
    if trio is not None and trio.lowlevel.in_trio_task():
        trio.lowlevel.spawn_system_task(work, *args, context=contextvars.copy_context())
        return
    import asyncio  # here: loaded already, and not at all where trio runs

    task = asyncio.get_running_loop().create_task(work(*args))
    keep.add(task)
    task.add_done_callback(keep.discard)
