"""``ongage demo``: the main job on a real file, against an emulator in a process of its own, for somebody to watch."""

import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ongage_async import Credentials, ImportFailedError, Lane, OngageClient, OngageError
from ongage_async.bulk import FileDrop, ImportReport
from ongage_async.bulk import Progress as Step
from ongage_async.cli._contacts_file import FIELDS, fields_for, write_contacts

if TYPE_CHECKING:
    from ongage_async.governor import GovernorStatistics

__all__ = ["run_demo"]

WATCHABLE_ROWS_PER_S = 15_000
_PHASES = {
    "fields": "Fields of the list",
    "check": "Check rows",
    "stage": "Put the file in the drop",
    "create": "Create the import",
    "process": "Ongage imports",
    "settle": "Clean up",
}


def run_demo(rows: int, file: Path | None, folder: Path, *, quick: bool) -> int:
    """Run the demo; return the exit code."""
    console = Console(highlight=False)
    try:
        return _run(console, rows, file, folder, None if quick else WATCHABLE_ROWS_PER_S)
    except ImportFailedError as error:
        console.print(error.report.as_text() if error.report else str(error), markup=False)
        console.print("[bold red]The import failed.[/]")
    except OngageError as error:
        console.print(f"[bold red]{type(error).__name__}[/]: {escape(str(error))}")
    except KeyboardInterrupt:
        console.print("Interrupted: the staged file is gone, and nothing is left behind.")
        return 130
    return 1


def _run(console: Console, rows: int, file: Path | None, folder: Path, rows_per_s: float | None) -> int:
    fields: Sequence[Mapping[str, Any]] = FIELDS
    if file is not None:
        fields = fields_for(file)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "contacts.csv"
        console.print(f"Making up [bold]{rows:,}[/] contacts in {file}, some of them bad ...")
        write_contacts(file, rows)
    with _emulator(rows_per_s) as facts:
        console.print(f"An emulated Ongage account serves at {facts['url']}: 300 calls a minute, 10 at once.")
        return anyio.run(_load, console, facts, file, fields)


@contextlib.contextmanager
def _emulator(rows_per_s: float | None) -> Iterator[dict[str, Any]]:
    """Run an emulator in another process, as `ongage emulator` does."""
    command = [sys.executable, "-m", "ongage_async.emulator", "--json"]
    if rows_per_s is not None:
        command += ["--rows-per-s", str(rows_per_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own module
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


async def _load(console: Console, facts: dict[str, Any], file: Path, fields: Sequence[Mapping[str, Any]]) -> int:
    credentials = Credentials(facts["username"], facts["password"], facts["account_code"])
    async with OngageClient(credentials, base_url=facts["url"]) as ongage, FileDrop.serve() as drop:
        mine = await ongage.lists.create("Demo", "sending", fields=fields)
        view = _View()
        async with _drawn(console, view, ongage):
            report = await ongage.imports.run(file, stage=drop, list_id=mine.id, progress=view.step, interval_s=0.5)
        return await _judge(console, ongage, mine.id, report)


@contextlib.asynccontextmanager
async def _drawn(console: Console, view: "_View", ongage: OngageClient) -> AsyncGenerator[None]:
    """Keep the view on the screen while the block runs."""
    with Live(view.draw(), console=console, refresh_per_second=8) as live:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_drawing, live, view, ongage)
            yield
            tasks.cancel_scope.cancel()
        view.statistics = await ongage.governor.statistics()
        live.update(view.draw())


async def _keep_drawing(live: Live, view: "_View", ongage: OngageClient) -> None:
    while True:
        view.statistics = await ongage.governor.statistics()
        live.update(view.draw())
        await anyio.sleep(0.15)


async def _judge(console: Console, ongage: OngageClient, list_id: int, report: ImportReport) -> int:
    """Print the report, and ask the account itself whether it is true."""
    console.print()
    console.print(report.as_text(), markup=False)
    there = (await ongage.lists.get(list_id)).last_count
    true = report.adds_up and report.status == 40003 and there == report.vendor.success
    console.print(f"The list now has {there or 0:,} contacts.")
    console.print("[bold green]Everything adds up.[/]" if true else "[bold red]This does not add up.[/]")
    return 0 if true else 1


class _View:
    """A bar per phase, and the governor's state below."""

    def __init__(self) -> None:
        self.statistics: GovernorStatistics | None = None
        self._bars = Progress(
            TextColumn("{task.description:<26}"), BarColumn(40), TextColumn("{task.fields[count]}"), TimeElapsedColumn()
        )
        self._tasks: dict[str, TaskID] = {}

    def step(self, step: Step) -> None:
        """Take the news of a load."""
        if step.phase not in self._tasks:
            self._tasks[step.phase] = self._bars.add_task(_PHASES[step.phase], total=step.total, count="")
        done = step.total is not None and step.done >= step.total
        count = f"{step.done:,.0f} {step.unit}" + (f" of {step.total:,.0f}" if step.total and not done else "")
        count = step.detail or count
        self._bars.update(self._tasks[step.phase], completed=step.done, total=step.total, count=count)

    def draw(self) -> Group:
        """Return what to show now."""
        return Group(self._bars, Panel(self._budget(), title="Governor", width=78))

    def _budget(self) -> Table:
        table = Table.grid(padding=(0, 2))
        seen = self.statistics
        if seen is None:
            return table
        table.add_row(
            f"tokens [bold]{seen.tokens_free}[/] of {seen.limits.calls} per {seen.limits.per_s:g} s",
            f"open [bold]{seen.open}[/] of {seen.limits.parallel}",
            f"paused for {seen.hold_s:.0f} s" if seen.hold_s else "not paused",
        )
        lanes = (f"{lane.name.lower()} {seen.lanes[lane].granted} sent" for lane in Lane)
        table.add_row(*lanes)
        return table
