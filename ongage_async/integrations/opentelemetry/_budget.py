"""How the account's budget stands, for whoever collects metrics: mostly a thread of the exporter's.

Only the event loop may ask the governor. So the thread has it asked there and waits a moment for the answer; whoever
collects in the loop's own thread cannot wait, and gets what the look before brought.
"""

import math
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from attrs import define, field

from ongage_async.governor import Governor, GovernorStatistics

__all__ = ["Budget"]

PATIENCE_S = 0.5
"""How long a thread waits for the event loop, which may be busy."""
FRESH_S = 0.2
"""How old an answer may be: the gauges of one collection share one look."""

Work = Callable[[], Coroutine[Any, Any, None]]


@define(eq=False)
class Budget:
    """Look at one governor from any thread.

    Args:
        governor: Which.
        attributes: Of its metrics.
        clock: Seconds, in any thread.
    """

    governor: Governor
    attributes: Mapping[str, str]
    clock: Callable[[], float] = time.monotonic
    _start: Callable[[Work], None] | None = field(default=None, init=False)
    _thread: int = field(default=0, init=False)
    _answered: threading.Event = field(factory=threading.Event, init=False)
    _latest: GovernorStatistics | None = field(default=None, init=False)
    _looked_at: float = field(default=-math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._answered.set()

    def bind(self) -> None:
        """Remember the running event loop, at the first call that it makes; and look for the first time."""
        if self._start is None or self._thread != threading.get_ident():
            self._thread, self._start = threading.get_ident(), _starter()
            self._answered.set()
            self._ask()

    def look(self) -> GovernorStatistics | None:
        """Return how it stands, or stood a moment ago; None when there is nobody to ask."""
        if self.clock() - self._looked_at > FRESH_S:
            self._ask()
            if self._thread != threading.get_ident():
                self._answered.wait(PATIENCE_S)
            self._looked_at = self.clock()
        return self._latest

    def _ask(self) -> None:
        """Have the event loop look, unless it is about to."""
        if self._start is None or not self._answered.is_set():
            return
        self._answered.clear()
        try:
            self._start(self._look)
        except RuntimeError:  # the loop is closed, or trio's run is over
            self._start = self._latest = None
            self._answered.set()

    async def _look(self) -> None:
        try:
            self._latest = await self.governor.statistics()
        except Exception:  # noqa: BLE001 - a gauge that cannot be read is not shown
            self._latest = None
        finally:
            self._answered.set()


def _starter() -> Callable[[Work], None]:
    """Return what starts work in the running event loop, from any thread."""
    trio = sys.modules.get("trio")  # imported by whoever runs it, so never by us
    if trio is not None and trio.lowlevel.in_trio_task():
        token = trio.lowlevel.current_trio_token()
        return lambda work: token.run_sync_soon(trio.lowlevel.spawn_system_task, work)
    import asyncio  # here: loaded already, and not at all where trio runs

    loop, running = asyncio.get_running_loop(), set[object]()

    def create(work: Work) -> None:
        task = loop.create_task(work())
        running.add(task)  # asyncio keeps only weak references
        task.add_done_callback(running.discard)

    def start(work: Work) -> None:
        loop.call_soon_threadsafe(create, work)

    return start
