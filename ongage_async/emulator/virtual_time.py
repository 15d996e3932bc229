"""An asyncio event loop whose time jumps: hours of waiting take milliseconds, in the right order.

Public. For trio there is `trio.testing.MockClock(autojump_threshold=0)`, which does the same.

    from ongage_async.emulator.virtual_time import run

    async def main() -> None:
        emulator = Emulator()
        async with emulator.http_client() as client:
            await anyio.sleep(3600)      # at once

    run(main)

Use the emulator in process with it (`Emulator.http_client`). A thread, a child process or a real socket does its work
in real time, while the loop would jump to the next timer: such waiting needs `real_io_wait_s`.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

__all__ = ["VirtualTimeLoop", "run"]

T = TypeVar("T")


class _JumpingSelector(selectors.DefaultSelector):
    """Where the loop would wait for its next timer, look for I/O and move the clock there instead."""

    def __init__(self, now_s: float, real_io_wait_s: float) -> None:
        super().__init__()
        self.now_s = now_s
        self._real_io_wait_s = real_io_wait_s

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:
            return super().select(timeout)  # no timer at all: only I/O or another thread can go on
        events = super().select(min(timeout, self._real_io_wait_s))
        if not events:
            self.now_s += timeout
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Jump to the next timer whenever nothing is ready.

    Args:
        start_s: What `time` says first.
        real_io_wait_s: How long, in real seconds, to look for I/O before each jump.
    """

    def __init__(self, start_s: float = 0.0, real_io_wait_s: float = 0.0) -> None:
        self._jumping = _JumpingSelector(start_s, real_io_wait_s)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now_s


def run(main: Callable[..., Awaitable[T]], *args: Any, start_s: float = 0.0, real_io_wait_s: float = 0.0) -> T:
    """Run an async function in virtual time, as `asyncio.run` does in real time.

    Args:
        main: The async function.
        *args: Its arguments.
        start_s: See `VirtualTimeLoop`.
        real_io_wait_s: See `VirtualTimeLoop`.

    Returns:
        What it returns.
    """

    async def whole() -> T:
        return await main(*args)

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start_s, real_io_wait_s)) as runner:
        return runner.run(whole())
