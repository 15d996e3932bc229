"""Show how far a load is: bars on a terminal, a line now and then where the output is piped."""

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ongage_async.bulk import Progress as Step

__all__ = ["Bars", "shown"]

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
        with Live(bars.view, console=console, refresh_per_second=8):
            yield bars.step
    else:
        yield _Lines(console).step


def _count(step: "Step") -> str:
    done = step.total is not None and step.done >= step.total
    of = f" of {step.total:,.0f}" if step.total and not done else ""
    return step.detail or f"{step.done:,.0f} {step.unit}{of}"
