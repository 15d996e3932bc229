"""``ongage demo``: the main job on a real file, against an emulator in a process of its own, for somebody to watch.

It is planned, begun, killed in the middle on purpose, and goes on.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from ongage_async import Credentials, ImportFailedError, Lane, OngageClient, OngageError
from ongage_async.bulk import FileDrop, ImportReport, Pace, Packing, SqliteJournal
from ongage_async.cli._contacts_file import FIELDS, fields_for, write_contacts
from ongage_async.cli._import import status_of, status_text
from ongage_async.cli._progress import Bars

if TYPE_CHECKING:
    from ongage_async.governor import GovernorStatistics

__all__ = ["run_demo"]

WATCHABLE_ROWS_PER_S = 10_000
PARTS = 4
JOURNAL = ".ongage-demo-journal"
"""Not the name that a load of the same file into a real list has."""
MOST_WAIT_S = 30.0
"""How long the first run may take until there is something to interrupt."""


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
        console.print("Interrupted: the staged files are gone.")
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
            yield json.loads(process.stdout.readline()) | {"rows_per_s": rows_per_s}
        finally:
            process.terminate()


async def _load(console: Console, facts: dict[str, Any], file: Path, fields: Sequence[Mapping[str, Any]]) -> int:
    credentials = Credentials(facts["username"], facts["password"], facts["account_code"])
    journal = SqliteJournal(file.with_name(file.name + JOURNAL))
    if journal.exists:
        await journal.delete()  # of an earlier demo, whose account is gone
    async with OngageClient(credentials, base_url=facts["url"]) as ongage, FileDrop.serve() as drop:
        mine = await ongage.lists.create("Demo", "sending", fields=fields)
        pace = Pace(rows_per_s=facts["rows_per_s"] or 200_000)
        packing = await anyio.to_thread.run_sync(_in_parts, file)
        plan = await ongage.imports.plan(file, list_id=mine.id, packing=packing, pace=pace, interval_s=0.5)
        console.print(f"\n[bold]The plan[/]\n{escape(plan.as_text())}\n")
        await _run_and_kill(console, facts, file, mine.id, journal, packing)
        console.print("\n[bold]The same load again, in another process: it goes on[/]")
        view = _View()
        async with _drawn(console, view, ongage):
            report = await ongage.imports.run(
                file, stage=drop, list_id=mine.id, journal=journal, packing=packing, progress=view.step, interval_s=0.5
            )
        return await _judge(console, ongage, mine.id, report)


def _in_parts(file: Path) -> Packing:
    """Cut the file into some parts, so that there is a middle to be interrupted in."""
    with file.open("rb") as lines:
        return Packing(part_rows=max(1, sum(1 for _ in lines) // PARTS))


async def _run_and_kill(
    console: Console, facts: dict[str, Any], file: Path, list_id: int, journal: SqliteJournal, packing: Packing
) -> None:
    """Run ``ongage import run`` in a process of its own, and end that without a warning once an import is under way."""
    words = ["import", "run", str(file), "--list", str(list_id), "--part-rows", str(packing.part_rows)]
    words += ["--journal", str(journal.path)]
    console.print(f"[bold]$ ongage {escape(' '.join(words))}[/]")
    command = [sys.executable, "-c", "from ongage_async.cli import main; main()", *words]
    async with await anyio.open_process(command, stdout=subprocess.DEVNULL, stderr=None, env=_as(facts)) as process:
        with anyio.move_on_after(MOST_WAIT_S):
            while process.returncode is None and not await _has_begun(journal):  # noqa: ASYNC110 - another process
                await anyio.sleep(0.05)
            await anyio.sleep(0.5)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    console.show_cursor()
    if process.returncode == 0:
        console.print("It was too quick to be interrupted.")
        return
    console.print("\n[bold red]kill -9[/], in the middle. What the journal knows:")
    console.print(status_text(await status_of(journal)), markup=False)


async def _has_begun(journal: SqliteJournal) -> bool:
    """Say whether an import was created."""
    return journal.exists and any(line.step == "created" for line in await journal.lines())


def _as(facts: dict[str, Any]) -> dict[str, str]:
    """Return an environment in which ``ongage`` uses the emulated account."""
    mine = {
        "ONGAGE_USERNAME": facts["username"],
        "ONGAGE_PASSWORD": facts["password"],
        "ONGAGE_ACCOUNT_CODE": facts["account_code"],
        "ONGAGE_BASE_URL": facts["url"],
        "ONGAGE_CONFIG": os.devnull,  # no profile of the user's has a say here
    }
    return {name: value for name, value in os.environ.items() if not name.startswith("ONGAGE_")} | mine


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


class _View(Bars):
    """A bar per phase, and the governor's state below."""

    def __init__(self) -> None:
        super().__init__()
        self.statistics: GovernorStatistics | None = None

    def draw(self) -> Group:
        """Return what to show now."""
        return Group(self.view, Panel(self._budget(), title="Governor", width=78))

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
