"""``ongage import``: load files, see what that will be like, go on after a stop, look at imports.

Reports go to standard output, as text or as JSON; progress and errors to standard error. Exit codes are those of
`_ending.py`: 4 and 5 mean that it was stopped by trouble on the way, and that the same command goes on.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from ongage_async.bulk import FileDrop, ImportReport, Packing, SqliteJournal, Stage, open_stage
from ongage_async.bulk.load._journal import Standing
from ongage_async.cli import _output
from ongage_async.cli._account import Account, Look
from ongage_async.cli._ending import Exit, UsageError, carried_out, complain
from ongage_async.cli._progress import shown
from ongage_async.errors import ConfigurationError, ImportFailedError

__all__ = [
    "Place",
    "Wishes",
    "abandon",
    "list_imports",
    "plan",
    "resume",
    "run",
    "status",
    "status_of",
    "status_text",
    "watch",
]


@frozen(kw_only=True)
class Place:
    """Say where Ongage fetches the files.

    Args:
        stage: What `open_stage` takes.
        public_url: The address of the directory that `stage` names, or of the drop that is served.
        listen: ``host:port`` to serve a file drop on.
        allow: Networks whose clients may fetch from it.
    """

    stage: str | None = None
    public_url: str | None = None
    listen: str | None = None
    allow: Sequence[str] = ()

    @property
    def _is_unpublished(self) -> bool:
        return self.stage is not None and self.public_url is None and "://" not in self.stage

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncGenerator[Stage]:
        """Have the stage while the block runs."""
        if self._is_unpublished:
            raise ConfigurationError(
                f"{self.stage} is a directory: say with --public-url under which address a web server publishes it, or "
                "serve the files from here with --listen"
            )
        if self.stage is not None:
            yield open_stage(self.stage, public_url=self.public_url)
            return
        if self.listen is None and urlsplit(base_url).hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ConfigurationError(
                "say where Ongage fetches the file: --stage s3://bucket/prefix, a directory that a web server "
                "publishes with --public-url, or --listen 0.0.0.0:8080 --public-url https://… to serve it from here"
            )
        host, _, port = (self.listen or "127.0.0.1:0").rpartition(":")
        if not port.isdigit():
            raise UsageError("--listen takes host:port, for instance 0.0.0.0:8080")
        async with FileDrop.serve(host or "127.0.0.1", int(port), self.public_url, allow=self.allow or None) as drop:
            yield drop


@frozen(kw_only=True)
class Wishes:
    """Say what is loaded, as the arguments of `imports.run`."""

    files: Sequence[Path]
    journal: Path | None
    options: dict[str, Any]
    part_rows: int | None = None
    zip: bool = False

    @property
    def source(self) -> Any:
        """One path, or several."""
        return self.files[0] if len(self.files) == 1 else list(self.files)

    @property
    def packing(self) -> Packing:
        """How the parts are cut and packed."""
        return Packing(part_rows=self.part_rows, zip=self.zip)

    @property
    def place(self) -> Path:
        """Where the journal is."""
        return self.journal or SqliteJournal.beside(self.files[0]).path


@asynccontextmanager
async def _stage(place: Callable[[], Place], base_url: str, *, by_calls: bool) -> AsyncGenerator[Stage | None]:
    """Have the stage while the block runs; a load by calls needs none."""
    if by_calls:
        yield None
        return
    async with place().opened(base_url) as stage:
        yield stage


def _goes_by_calls(standing: Standing) -> bool:
    return (standing.plan or {}).get("road") == "calls"


def run(wishes: Wishes, place: Callable[[], Place], account: Account) -> int:
    """Load files, or go on with it; `place` is asked when it is needed."""

    async def work() -> int:
        by_calls = wishes.options.get("road") == "calls"
        async with account.opened() as ongage, _stage(place, ongage.base_url, by_calls=by_calls) as stage:
            with shown(quiet=account.json) as listener:
                report = await ongage.imports.run(
                    wishes.source,
                    stage=stage,
                    journal=wishes.place,
                    packing=wishes.packing,
                    progress=listener,
                    **wishes.options,
                )
        if report.calls == 0:
            complain(
                "this load had ended before: nothing was sent, and this is its report. To load the file once more, "
                f"first:\n  ongage import abandon {wishes.place}",
                Exit.OK,
            )
        return _tell_report(report, account)

    return _loaded(work, wishes.place, account)


def plan(wishes: Wishes, account: Account) -> int:
    """Say what loading will be like, and load nothing."""

    async def work() -> int:
        async with account.opened() as ongage:
            with shown(quiet=account.json) as listener:
                made = await ongage.imports.plan(
                    wishes.source, packing=wishes.packing, progress=listener, **wishes.options
                )
        _output.say(made.as_json() if account.json else made.as_text())
        return Exit.OK

    return carried_out(work, debug=account.debug)


def resume(journal: Path, place: Callable[[], Place], account: Account) -> int:
    """Go on with a load from its journal."""

    async def work() -> int:
        by_calls = _goes_by_calls(Standing.of(await SqliteJournal(journal).lines()))
        async with account.opened() as ongage, _stage(place, ongage.base_url, by_calls=by_calls) as stage:
            with shown(quiet=account.json) as listener:
                report = await ongage.imports.resume(journal, stage=stage, progress=listener)
        return _tell_report(report, account)

    return _loaded(work, journal, account)


def status(place: Path, look: Look) -> int:
    """Say how far a load is; asks nobody but its journal."""
    journal = SqliteJournal(place)

    async def work() -> int:
        if not journal.exists:
            raise ConfigurationError(f"there is no journal {journal.path}")
        facts = await status_of(journal)
        _output.document(facts) if look.json else _output.say(status_text(facts))
        return Exit.OK

    return carried_out(work, debug=look.debug)


async def status_of(journal: SqliteJournal) -> dict[str, Any]:
    """Return how far a load is, as plain JSON values."""
    standing = Standing.of(await journal.lines())
    return {
        "is_running": journal.is_held(),
        "is_planned": standing.plan is not None,
        "is_finished": standing.is_finished,
        "parts": [
            {
                "number": number,
                "step": part.step or "planned",
                "import_id": part.import_id,
                "has_failed": part.has_failed,
            }
            for number, part in standing.parts.items()
        ],
    }


def abandon(place: Path, look: Look) -> int:
    """Give a load up: remove its journal and the parts that were not sent."""
    journal = SqliteJournal(place)

    async def work() -> int:
        if not journal.exists:
            raise ConfigurationError(f"there is no journal {journal.path}")
        standing = Standing.of(await journal.lines())
        parts = [] if _goes_by_calls(standing) else list(standing.parts.values())
        under_way = [part.import_id for part in parts if part.step in ("submitting", "created")]
        staged = [part.name for part in parts if part.may_be_staged]
        await journal.delete()
        if look.json:
            _output.document({"abandoned": True, "imports_under_way": under_way, "may_be_staged": staged})
            return Exit.OK
        _output.say("The journal is removed.")
        if under_way:
            _output.say(f"{len(under_way)} imports may go on at Ongage's: there is no call that stops one.")
        if staged:
            names = "".join(f"\n  {name}" for name in staged)
            _output.say(f"These files may still lie on the stage, remove them there:{names}")
        return Exit.OK

    return carried_out(work, debug=look.debug)


def list_imports(limit: int, account: Account) -> int:
    """Show the latest imports of a list."""

    async def work() -> int:
        async with account.opened() as ongage:
            found = list(await ongage.imports.page(limit=limit))
        rows = [_import_facts(each) for each in found[:limit]]
        if account.json:
            _output.document(rows)
        else:
            head = ("#import", "status", "progress", "#total", "#success", "#failed", "#duplicate")
            _output.table(head, [_import_cells(row) for row in rows], empty="No imports.")
        return Exit.OK

    return carried_out(work, debug=account.debug)


def watch(import_id: int, account: Account) -> int:
    """Follow an import to its end, a line for each change."""

    async def work() -> int:
        last: Any = None
        async with account.opened() as ongage:
            async for last in ongage.imports.watch(import_id):
                facts = _import_facts(last)
                _output.line(facts) if account.json else _output.say(_import_line(facts))
        return Exit.FAILED if last is None or last.is_failed else Exit.OK

    def goes_on() -> str:
        return f"The import goes on at Ongage's; follow it again with:\n  ongage import watch {import_id}"

    return carried_out(work, debug=account.debug, goes_on=goes_on)


# -- telling ----------------------------------------------------------------------------------------------------------


def _loaded(work: Callable[[], Awaitable[int]], journal: Path, account: Account) -> int:
    """Carry a load out; one whose import failed tells its report as well."""

    async def told() -> int:
        try:
            return await work()
        except ImportFailedError as error:
            if isinstance(error.report, ImportReport):
                _tell_report(error.report, account)
            raise

    return carried_out(told, debug=account.debug, goes_on=lambda: _how_to_go_on(journal))


def _how_to_go_on(journal: Path) -> str:
    if not SqliteJournal(journal).exists:
        return ""
    return f"Nothing is lost: run the same command again, or:\n  ongage import resume {journal}"


def _tell_report(report: ImportReport, account: Account) -> int:
    _output.say(report.as_json() if account.json else report.as_text())
    return Exit.OK if report.adds_up else Exit.FAILED


def status_text(facts: dict[str, Any]) -> str:
    """Put it into words."""
    word = "running" if facts["is_running"] else "finished" if facts["is_finished"] else "stopped"
    if not facts["is_planned"]:
        return f"{word}: the rows are not checked yet, nothing was sent"
    number = len(facts["parts"])
    lines = [f"{word}: {number} part{'s' if number != 1 else ''}"]
    for part in facts["parts"]:
        of = f", import {part['import_id']}" if part["import_id"] else ""
        lines.append(f"  part {part['number']}: {part['step']}{of}{', failed' if part['has_failed'] else ''}")
    return "\n".join(lines)


def _import_facts(snapshot: Any) -> dict[str, Any]:
    names = ("id", "status_desc", "progress_pct", "total", "success", "failed", "duplicate")
    facts = {name: getattr(snapshot, name) for name in names}
    return facts | {"status": None if snapshot.status is None else int(snapshot.status)}


def _import_line(facts: dict[str, Any]) -> str:
    counts = ", ".join(f"{name} {facts[name]:,}" for name in ("total", "success", "failed") if facts[name] is not None)
    return f"import {facts['id']}: {facts['status_desc'] or 'status'} ({facts['status']}) · {counts}"


def _import_cells(facts: dict[str, Any]) -> list[Any]:
    percent = facts["progress_pct"]
    return [
        str(facts["id"]),
        f"{facts['status_desc'] or ''} ({facts['status']})".strip(),
        None if percent is None else f"{percent:.0f} %",
        *(facts[name] for name in ("total", "success", "failed", "duplicate")),
    ]
