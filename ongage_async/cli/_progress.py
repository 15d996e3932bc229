"""Show how far the work is: bars on a terminal, a line now and then where the output is piped."""

import os
import sys
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ongage_async.cli._patience import beside

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from ongage_async.bulk import Progress as Step

__all__ = ["Bars", "kept_told", "shown"]

EVERY_S = 5.0
"""How often a line is written where the output is piped."""
REDRAW_S = 0.15

_PHASES = {
    "fields": "Fields of the list",
    "check": "Check rows",
    "stage": "Put parts on the stage",
    "create": "Create imports",
    "process": "Ongage imports",
    "settle": "Clean up",
}


class Bars:
    """A bar per phase; `view` is what to draw."""

    def __init__(self) -> None:
        self.view = Progress(
            TextColumn("{task.description:<26}"), BarColumn(40), TextColumn("{task.fields[count]}"), TimeElapsedColumn()
        )
        self._tasks: dict[str, TaskID] = {}

    def step(self, step: "Step") -> None:
        """Take the news of a load."""
        if step.phase not in self._tasks:
            self._tasks[step.phase] = self.view.add_task(_PHASES[step.phase], total=step.total, count="")
        self.view.update(self._tasks[step.phase], completed=step.done, total=step.total, count=_count(step))


class _Lines:
    """A line when a phase begins, at each tenth of it, and when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, int] = {}

    def step(self, step: "Step") -> None:
        tenth = int(10 * step.done / step.total) if step.total else 0
        if tenth > self._told.get(step.phase, -1):
            self._told[step.phase] = tenth
            self._console.print(f"{_PHASES[step.phase]}: {_count(step)}", markup=False, highlight=False)


def shown(*, quiet: bool = False) -> "AbstractContextManager[Callable[[Step], None]]":
    """Show the progress on standard error while the block runs.

    Args:
        quiet: Show nothing.

    Returns:
        A context manager; it gives the function that takes the news.
    """
    return _shown(Console(stderr=True), quiet)


@contextmanager
def _shown(console: Console, quiet: bool) -> "Iterator[Callable[[Step], None]]":
    if quiet:
        yield lambda _step: None
    elif console.is_terminal:
        bars = Bars()
        with _without_echo(), Live(bars.view, console=console, refresh_per_second=8):
            yield bars.step
    else:
        yield _Lines(console).step


@contextmanager
def _without_echo() -> "Iterator[None]":
    """Keep the ^C that a terminal writes when it is pressed out of the bars: it would push them down a line."""
    if not sys.stdin.isatty() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():  # a job in the background is stopped
        yield
        return
    import termios

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    flags = before[3]
    termios.tcsetattr(terminal, termios.TCSANOW, [*before[:3], flags & ~termios.ECHOCTL, *before[4:]])
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


@asynccontextmanager
async def kept_told(words: "Callable[[], str]", *, quiet: bool = False) -> "AsyncGenerator[None]":
    """Say on standard error how far it is while the block runs: a line that changes, or one every few seconds.

    Args:
        words: Asked again and again; a new line is written only when they have changed.
        quiet: Show nothing.
    """
    if quiet:
        yield
        return
    async with beside(lambda: _keep_telling(words)):
        yield


async def _keep_telling(words: "Callable[[], str]") -> None:
    console = Console(stderr=True, highlight=False, markup=False)
    if console.is_terminal:
        with console.status(words()) as status:
            while True:
                await anyio.sleep(REDRAW_S)
                status.update(words())
    told = ""
    while True:
        await anyio.sleep(EVERY_S)
        if (now := words()) != told:
            console.print(now, soft_wrap=True)
            told = now


def _count(step: "Step") -> str:
    done = step.total is not None and step.done >= step.total
    of = f" of {step.total:,.0f}" if step.total and not done else ""
    unit = step.unit.removesuffix("s") if step.total == 1 else step.unit
    return step.detail or f"{step.done:,.0f} {unit}{of}"
