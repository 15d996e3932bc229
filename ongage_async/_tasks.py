"""Work that outlives its caller: tasks that belong to the library and end by themselves.

A caller may be cancelled at any instant; the exchange that it started must still end in order, so that permits and
connections stay right. anyio's task groups belong to the task that opened them, which fixtures and lifespans do not
keep; so this room asks the event loop itself. Used by the engine (exchanges) and the governor (its queue).
"""

import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import anyio

if TYPE_CHECKING:
    from asyncio import Future

T = TypeVar("T")

__all__ = ["Owned", "Signal", "Yard", "is_trio_running", "running_loop"]


class Signal:
    """Something that happens once; any number of tasks may wait for it, each as long as it likes.

    On asyncio a future and a timer of the loop's own: a third of what an anyio event in a cancel scope costs.
    """

    __slots__ = ("_event", "_has_come", "_waiters")

    def __init__(self) -> None:
        self._event = anyio.Event() if is_trio_running() else None
        self._has_come = False
        self._waiters: list[Future[bool]] = []

    def set(self) -> None:
        """Let everybody go on who waits for it, now or later."""
        self._has_come = True
        if self._event is not None:
            self._event.set()
        for waiter in self._waiters:
            _end(waiter, True)

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for it, and say whether it came in time."""
        if self._event is not None:
            with anyio.move_on_after(timeout_s):
                await self._event.wait()
            return self._has_come
        if self._has_come:
            return True
        loop = sys.modules["asyncio"].get_running_loop()
        waiter: Future[bool] = loop.create_future()
        self._waiters.append(waiter)
        if timeout_s is None:
            return await waiter
        timer = loop.call_later(timeout_s, _end, waiter, False)
        try:
            return await waiter
        finally:
            timer.cancel()


def _end(waiter: "Future[bool]", has_come: bool) -> None:
    if not waiter.done():  # else it was cancelled, or is late
        waiter.set_result(has_come)


class Owned(Generic[T]):
    """One running piece of work: wait for it, be cancelled while waiting, and it goes on."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = Signal()
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
        """Wait for its end, and return the work's result, or raise its error."""
        await self._done.wait()
        return self.result()

    async def ends_within(self, timeout_s: float) -> bool:
        """Wait that long, and say whether it has ended."""
        return await self._done.wait(timeout_s)

    def result(self) -> T:
        """Return the result of work that has ended, or raise its error."""
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


def is_trio_running() -> bool:
    """Say whether the running event loop is trio's; else it is asyncio's."""
    trio = sys.modules.get("trio")  # imported by whoever runs it, so never by us
    return trio is not None and trio.lowlevel.in_trio_task()


def running_loop() -> object:
    """Return what tells the running event loop from every other, for a tenth of what `anyio.lowlevel` asks for it."""
    if is_trio_running():
        return sys.modules["trio"].lowlevel.current_trio_token()
    return sys.modules["asyncio"].get_running_loop()


def is_over(loop: object) -> bool:
    """Say whether an event loop that `running_loop` told has ended for good: nothing that ran in it will go on."""
    is_closed: Callable[[], bool] | None = getattr(loop, "is_closed", None)  # asyncio's have it, trio's token has not
    if is_closed is not None:
        return is_closed()
    trio = sys.modules["trio"]
    try:
        cast("Any", loop).run_sync_soon(bool)  # which does nothing
    except trio.RunFinishedError:
        return True
    return False


def _spawn(keep: set[object], work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
    if is_trio_running():
        import trio  # here, as asyncio below: loaded already, and not at all where the other runs

        trio.lowlevel.spawn_system_task(work, *args, context=contextvars.copy_context())
        return
    import asyncio

    task = asyncio.get_running_loop().create_task(work(*args))
    keep.add(task)
    task.add_done_callback(keep.discard)
