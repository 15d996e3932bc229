"""``ongage import``: load files, see what that will be like, go on after a stop, look at imports.

Reports go to standard output, as text or as JSON; progress and errors to standard error. Exit codes: 0 every row is
accounted for; 1 an import failed, or the counts do not add up; 2 the command, a setting, the source or the journal is
wrong; 3 it was stopped by trouble on the way, and the same command goes on; 130 interrupted, likewise.
"""

import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
from attrs import frozen

from ongage_async import (
    BulkError,
    ConfigurationError,
    ImportFailedError,
    InvalidInputError,
    OngageClient,
    OngageError,
    StagingError,
)
from ongage_async.bulk import FileDrop, ImportReport, Packing, SqliteJournal, Stage, open_stage
from ongage_async.bulk.load._journal import Standing
from ongage_async.cli._progress import shown

__all__ = [
    "Place",
    "Wishes",
    "abandon",
    "list_imports",
    "plan",
    "refuse",
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

    @asynccontextmanager
    async def opened(self, base_url: str) -> AsyncGenerator[Stage]:
        """Have the stage while the block runs."""
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
            raise ConfigurationError("--listen takes host:port, for instance 0.0.0.0:8080")
        async with FileDrop.serve(host or "127.0.0.1", int(port), self.public_url, allow=self.allow or None) as drop:
            yield drop


@frozen(kw_only=True)
class Wishes:
    """Say what is loaded, as the arguments of `imports.run`."""

    files: Sequence[Path]
    list_id: int | None
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


def run(wishes: Wishes, place: Place, *, as_json: bool) -> int:
    """Load files, or go on with it."""

    async def work() -> int:
        async with OngageClient.from_env() as ongage, place.opened(ongage.base_url) as stage:
            with shown(quiet=as_json) as listener:
                report = await ongage.imports.run(
                    wishes.source,
                    stage=stage,
                    list_id=wishes.list_id,
                    journal=wishes.place,
                    packing=wishes.packing,
                    progress=listener,
                    **wishes.options,
                )
        if report.calls == 0:
            again = f"ongage import abandon {wishes.place}"
            sys.stderr.write(f"This load had ended before: nothing was sent. To load it once more, first: {again}\n")
        return _tell_report(report, as_json=as_json)

    return _carried_out(work, goes_on=wishes.place, as_json=as_json)


def plan(wishes: Wishes, *, as_json: bool) -> int:
    """Say what loading will be like, and load nothing."""
    only_of_a_run = ("overwrite", "ignore_empty", "side_file")
    options = {name: value for name, value in wishes.options.items() if name not in only_of_a_run}

    async def work() -> int:
        async with OngageClient.from_env() as ongage:
            with shown(quiet=as_json) as listener:
                made = await ongage.imports.plan(
                    wishes.source, list_id=wishes.list_id, packing=wishes.packing, progress=listener, **options
                )
        _print(made.as_json() if as_json else made.as_text())
        return 0

    return _carried_out(work, as_json=as_json)


def resume(journal: Path, place: Place, *, as_json: bool) -> int:
    """Go on with a load from its journal."""

    async def work() -> int:
        async with OngageClient.from_env() as ongage, place.opened(ongage.base_url) as stage:
            with shown(quiet=as_json) as listener:
                report = await ongage.imports.resume(journal, stage=stage, progress=listener)
        return _tell_report(report, as_json=as_json)

    return _carried_out(work, goes_on=journal, as_json=as_json)


def status(place: Path, *, as_json: bool) -> int:
    """Say how far a load is; asks nobody but its journal."""
    journal = SqliteJournal(place)

    async def work() -> int:
        if not journal.exists:
            raise ConfigurationError(f"there is no journal {journal.path}")
        facts = await status_of(journal)
        _print(json.dumps(facts, indent=2) if as_json else status_text(facts))
        return 0

    return _carried_out(work, as_json=as_json)


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


def abandon(place: Path, *, as_json: bool) -> int:
    """Give a load up: remove its journal and the parts that were not sent."""
    journal = SqliteJournal(place)

    async def work() -> int:
        if not journal.exists:
            raise ConfigurationError(f"there is no journal {journal.path}")
        standing = Standing.of(await journal.lines())
        parts = standing.parts.values()
        under_way = [part.import_id for part in parts if part.step in ("submitting", "created")]
        staged = [part.name for part in parts if part.may_be_staged]
        await journal.delete()
        if as_json:
            _print(json.dumps({"abandoned": True, "imports_under_way": under_way, "may_be_staged": staged}))
            return 0
        _print("The journal is removed.")
        if under_way:
            _print(f"{len(under_way)} imports may go on at Ongage's: there is no call that stops one.")
        if staged:
            _print("These files may still lie on the stage, remove them there:" + "".join(f"\n  {n}" for n in staged))
        return 0

    return _carried_out(work, as_json=as_json)


def list_imports(list_id: int | None, limit: int, *, as_json: bool) -> int:
    """Show the latest imports of a list."""

    async def work() -> int:
        async with OngageClient.from_env() as ongage:
            found = list(await ongage.imports.page(limit=limit, list_id=list_id))
        rows = [_import_facts(each) for each in found[:limit]]
        _print(json.dumps(rows, indent=2) if as_json else "\n".join(_import_line(row) for row in rows) or "No imports.")
        return 0

    return _carried_out(work, as_json=as_json)


def watch(import_id: int, list_id: int | None, *, as_json: bool) -> int:
    """Follow an import to its end, a line for each change."""

    async def work() -> int:
        last: Any = None
        async with OngageClient.from_env() as ongage:
            async for last in ongage.imports.watch(import_id, list_id=list_id):
                facts = _import_facts(last)
                _print(json.dumps(facts) if as_json else _import_line(facts))
        return 1 if last is None or last.is_failed else 0

    return _carried_out(work, as_json=as_json)


def refuse(words: str) -> int:
    """Say what is wrong with the command; return the exit code."""
    return _complain(words, 2)


# -- telling ----------------------------------------------------------------------------------------------------------


def _carried_out(work: Callable[[], Awaitable[int]], *, goes_on: Path | None = None, as_json: bool) -> int:
    """Do the work and return the exit code; what went wrong is told on standard error."""
    try:
        return anyio.run(work)
    except ImportFailedError as error:
        if isinstance(error.report, ImportReport):
            _tell_report(error.report, as_json=as_json)
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return _complain("Interrupted." + _how_to_go_on(goes_on), 130)
    except OngageError as error:
        is_ours = isinstance(error, (BulkError, ConfigurationError, InvalidInputError))
        code = 2 if is_ours and not isinstance(error, StagingError) else 3 if goes_on else 1
        notes = "\n".join(getattr(error, "__notes__", ()))
        return _complain(
            f"{type(error).__name__}: {error}\n{notes}".rstrip() + (_how_to_go_on(goes_on) if code == 3 else ""), code
        )


def _how_to_go_on(journal: Path | None) -> str:
    if journal is None or not SqliteJournal(journal).exists:
        return ""
    return f"\nNothing is lost: run the same command again, or: ongage import resume {journal}"


def _complain(words: str, code: int) -> int:
    sys.stderr.write(f"{words}\n")
    return code


def _print(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _tell_report(report: ImportReport, *, as_json: bool) -> int:
    _print(report.as_json() if as_json else report.as_text())
    return 0 if report.adds_up else 1


def status_text(facts: dict[str, Any]) -> str:
    """Put it into words."""
    word = "running" if facts["is_running"] else "finished" if facts["is_finished"] else "stopped"
    if not facts["is_planned"]:
        return f"{word}: the rows are not checked yet, nothing was sent"
    lines = [f"{word}: {len(facts['parts'])} parts"]
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
