"""Say on standard error why a command that waits is silent: a pause, a back-off, a budget that others have spent.

Quick commands say nothing. `beside` is also what progress is shown by (`_progress.py`).
"""

import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field

from ongage_async.cli._ending import laid_out
from ongage_async.events import (
    AccountPaused,
    AttemptBegan,
    BackOffBegan,
    CallBegan,
    CallEnded,
    Event,
    LedgerBack,
    LedgerLost,
    LimitsDiffer,
)

if TYPE_CHECKING:
    from ongage_async import OngageClient

__all__ = ["beside", "told_why"]

SILENT_S = 3.0
"""How long a person waits without asking why."""
AGAIN_S = 30.0


@asynccontextmanager
async def beside(work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Do something that never ends while the block runs; errors of the block stay as they are."""
    error: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        try:
            yield
        except Exception as caught:  # noqa: BLE001 - raised below: the group would wrap it
            error = caught
        tasks.cancel_scope.cancel()
    if error is not None:
        raise error


@asynccontextmanager
async def told_why(ongage: "OngageClient") -> AsyncGenerator[None]:
    """Tell why calls of a client wait, while the block runs."""
    teller = _Teller(ongage)
    unlisten = ongage.listen(teller.hear)
    try:
        async with beside(teller.watch):
            yield
    finally:
        unlisten()


@define(eq=False)
class _Teller:
    """Hear what happens to calls, and tell what makes them wait."""

    ongage: "OngageClient"
    _waiting: dict[str, tuple[float, CallBegan]] = field(factory=dict)
    _told_at: float = field(default=0.0)

    def hear(self, event: Event) -> None:
        """Take one event; what makes a call wait for long is told at once."""
        match event:
            case CallBegan():
                self._waiting[event.call_id] = (time.monotonic(), event)
            case AttemptBegan() | CallEnded():
                self._waiting.pop(event.call_id, None)
            case BackOffBegan() if event.wait_s >= SILENT_S:
                self._tell(
                    f"{event.operation} ended with {event.error}; tries again in {event.wait_s:.0f} s"
                    + (" (Ctrl-C gives up, ongage doctor looks closer)" if event.attempt == 1 else "")
                )
            case AccountPaused():
                self._tell(f"a 429 pauses the account's calls for {event.pause_s:.0f} s")
            case LedgerLost():
                self._tell(f"the shared ledger is lost: {event.reason}")
            case LedgerBack():
                self._tell("the shared ledger is back")
            case LimitsDiffer():
                self._tell(
                    "processes that share the account were given different limits: the strictest holds; see: "
                    "ongage budget"
                )

    async def watch(self) -> None:
        """Look now and then whether a call waits to be sent for so long that a person wonders."""
        while True:
            await anyio.sleep(SILENT_S / 3)
            since, call = min(self._waiting.values(), key=lambda one: one[0], default=(time.monotonic(), None))
            now = time.monotonic()
            if call is None or now - since < SILENT_S or now - self._told_at < AGAIN_S:
                continue
            eta_s = await self.ongage.governor.eta(call.lane)
            self._tell(f"{call.operation} waits for the account's budget, about {eta_s:.0f} s more; see: ongage budget")

    def _tell(self, words: str) -> None:
        self._told_at = time.monotonic()
        sys.stderr.write(f"{laid_out(f'ongage: {words}')}\n")
        sys.stderr.flush()
