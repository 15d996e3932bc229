"""Load one file the whole way: fields → check → stage → create → process → settle → report.

What each step knows lives beside this file; here is their order, and what is undone when one of them fails or is
cancelled. `imports.run` is the caller.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import anyio
from attrs import define, evolve, field, has

from ongage_async.bulk._clean import Cleaner, Recipe, Tally
from ongage_async.bulk._create import LOOKUP_WAITS_S, create_once
from ongage_async.bulk._fields import FieldRule, UnknownColumns
from ongage_async.bulk._journal import Journal, MemoryJournal
from ongage_async.bulk._passage import check, no_side_file_unless, private_directory, staging
from ongage_async.bulk._ports import (
    Imports,
    ImportSnapshot,
    ListField,
    ListFields,
    Phase,
    Progress,
    ProgressListener,
    closing,
)
from ongage_async.bulk._report import ImportReport, VendorCounts, find_differences
from ongage_async.bulk._stage import Fetch, HostedFile, Stage, StagedFile
from ongage_async.errors import (
    ConfigurationError,
    ImportFailedError,
    JobError,
    JobTimeoutError,
    OngageError,
    Outcome,
    mask,
    mask_deep,
)

__all__ = ["run"]


async def run(
    imports: Imports,
    list_fields: ListFields,
    source: str | PathLike[str] | HostedFile,
    *,
    stage: Stage | None = None,
    list_id: int | None = None,
    mapping: Mapping[str, str | None] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    overwrite: bool = True,
    ignore_empty: bool = False,
    import_action: str = "add",
    dedupe: bool = True,
    side_file: str | PathLike[str] | None = None,
    journal: Journal | None = None,
    progress: ProgressListener | None = None,
    interval_s: float | None = None,
    timeout_s: float | None = None,
    unknown_columns: UnknownColumns = "drop",
    work_dir: str | PathLike[str] | None = None,
    lookup_waits_s: Sequence[float] = LOOKUP_WAITS_S,
    count_calls: Callable[[], int] | None = None,
) -> ImportReport:
    """Load a CSV file into a list, or do `import_action` to each of its addresses.

    Each row is checked against the list's fields; the good ones go into a clean copy that the vendor fetches from
    `stage`, the bad ones into a side file, to be mended and loaded again. The clean copy lives in a private temporary
    directory and on the stage, and in neither when this returns or raises.

    Args:
        imports: The imports of the account.
        list_fields: The fields of its lists.
        source: Path of a CSV, TSV or TXT file, or a `HostedFile`, which is sent unseen.
        stage: Where the vendor fetches the clean copy; needed unless `source` is hosted.
        list_id: The list; None: the client's default.
        mapping: Column name → field name, for columns that are named otherwise than their field; None leaves one out.
        encoding: The source's encoding; None: UTF-8, or what its byte order mark says, which wins in any case.
        delimiter: The source's delimiter; None: found in its header.
        overwrite: Change contacts that exist.
        ignore_empty: Let empty cells change nothing.
        import_action: ``add``; or ``remove``, ``unsubscribe``, ``resubscribe``, ``bounce``, ``complaint``, for which
            nothing but the addresses is checked and sent.
        dedupe: Send the first good row of each address only; later ones are counted as duplicates.
        side_file: Where bad rows go; None: beside the source, as ``<name>.rejected.csv``. An existing file is never
            overwritten: a number is added to the name, and the report has the path.
        journal: Where the steps are recorded; None: nowhere that lasts.
        progress: Called on the event loop as the load goes on.
        interval_s: Seconds between two looks at the import; None: a cadence that grows with its age.
        timeout_s: Seconds to wait for the end of the import after it is created; None: no limit.
        unknown_columns: ``drop`` columns that the list lacks (the report names them), or ``refuse`` the file.
        work_dir: Where the temporary directory is made; None: the system's place. It takes the size of the source.
        lookup_waits_s: Pauses before each look for an import that may or may not have been created.
        count_calls: Return how many API calls were made so far, for the report.

    Returns:
        What became of every row. With no good row nothing is sent and `import_id` is None.

    Raises:
        CSVError: The source cannot be used; nothing was sent and no file is left.
        StagingError: The clean copy could not be written or staged; nothing was sent.
        ImportFailedError: The import ended with a status ≥ 90000; `report` tells the rest.
        JobTimeoutError: It did not end within `timeout_s`; it goes on if it has fetched the file, and fails if not.
        OngageError: With `outcome` UNKNOWN: an import may exist; it was looked up and not found; the notes say more.

    Cost: a call for the fields (or some), one to create, then those of `imports.watch`; lane BULK but for the first.
    Repeat: nothing is sent twice; see `_create.py`.
    Source: vendor page §4; advice on file names, removal and logs: §0, S0.
    """
    load = _Load(
        imports,
        stage,
        list_id,
        journal if journal is not None else MemoryJournal(),
        progress,
        interval_s,
        timeout_s,
        lookup_waits_s,
        count_calls,
    )
    request = {"import_action": import_action, "overwrite": overwrite, "ignore_empty": ignore_empty}
    if isinstance(source, HostedFile):
        if stage is not None or mapping is not None:
            raise ConfigurationError("a HostedFile is sent as it is: stage= and mapping= have no effect on it")
        return await load.hosted(source, request | {"csv_delimiter": delimiter or ",", "encoding": encoding or "UTF-8"})
    if stage is None:
        raise ConfigurationError("stage= is needed: where the vendor fetches the file, for instance a FileDrop")
    path = Path(source)
    load.tell("fields", 0, None, "fields")
    recipe = Recipe(
        rules=await _rules(list_fields, list_id),
        mapping=mapping,
        encoding=encoding,
        delimiter=delimiter,
        dedupe=dedupe,
        unknown_columns=unknown_columns,
        only_email=import_action != "add",
    )
    load.tell("fields", len(recipe.rules), len(recipe.rules), "fields")
    side = Path(side_file) if side_file is not None else path.with_name(f"{path.stem}.rejected.csv")
    work = Path(work_dir) if work_dir is not None else None
    return await load.local(path, side, recipe, request | {"csv_delimiter": ",", "encoding": "UTF-8"}, work)


@define
class _Load:
    """One load: what it works with, and what it has reached."""

    imports: Imports
    stage: Stage | None
    list_id: int | None
    journal: Journal
    progress: ProgressListener | None
    interval_s: float | None
    timeout_s: float | None
    lookup_waits_s: Sequence[float]
    count_calls: Callable[[], int] | None
    tally: Tally | None = None
    import_id: int | None = None
    final: ImportSnapshot | None = None
    fetches: tuple[Fetch, ...] | None = None
    deleted: bool = False
    may_exist: bool = False
    _started_at: float = field(factory=anyio.current_time)
    _calls_before: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._calls_before = self.count_calls() if self.count_calls else 0

    def tell(self, phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        """Say how far it is, if somebody listens."""
        if self.progress is not None:
            self.progress(Progress(phase, done, total, unit, detail))

    async def local(
        self, source: Path, side: Path, recipe: Recipe, request: dict[str, Any], work_dir: Path | None
    ) -> ImportReport:
        """Load a local file."""
        async with private_directory(work_dir) as directory:
            clean = directory / "clean.csv"
            self.tally = tally = await check(Cleaner(source, clean, side, recipe), self.tell)
            with no_side_file_unless(lambda: self.may_exist, tally):
                await self.journal.record(
                    "planned", source=mask(source.name), rows_read=tally.rows_read, rows_clean=tally.rows_clean
                )
                if tally.rows_clean and self.stage is not None:
                    await self._send(self.stage, clean, request)
        await self.journal.record("cleaned", file_deleted=self.deleted)
        return self._end(source.name)

    async def hosted(self, source: HostedFile, request: dict[str, Any]) -> ImportReport:
        """Load a file that is sent as it is; its name is not ours, so an uncertain import cannot be looked up by it."""
        self.tell("create", 0, 1, "imports")
        await self.journal.record("submitting", name=source.name)
        created = await self.imports.create(file_url=source.url, list_id=self.list_id, **request)
        if not created.id:
            raise JobError("the answer names no import: find it among the imports of the list", job=created)
        await self._process(created.id)
        return self._end(source.name)

    async def _send(self, stage: Stage, clean: Path, request: dict[str, Any]) -> None:
        async with staging(stage, clean, self.tell) as place:
            staged = place.file
            await self.journal.record("staged", name=staged.name)
            self.tell("create", 0, 1, "imports")
            await self.journal.record("submitting", name=staged.name)
            import_id = await self._create(stage, staged, request)
            await self._process(import_id)
        self.deleted = place.deleted
        self.tell("settle", 0, 1, "files")
        self.fetches = await stage.log(staged)
        self.tell("settle", 1, 1, "files")

    async def _create(self, stage: Stage, staged: StagedFile, request: dict[str, Any]) -> int:
        self.may_exist = True
        try:
            return await create_once(
                self.imports, stage, staged, request, list_id=self.list_id, waits_s=self.lookup_waits_s
            )
        except OngageError as error:
            self.may_exist = error.outcome is Outcome.UNKNOWN
            raise

    async def _process(self, import_id: int) -> None:
        self.import_id = import_id
        self.tell("create", 1, 1, "imports")
        await self.journal.record("created", import_id=import_id)
        try:
            self.final = await self._follow(import_id)
        except OngageError as error:
            error.add_note(f"Import {import_id} was created, and goes on at the vendor's if it has fetched the file.")
            raise
        await self.journal.record("final", import_id=import_id, status=self.final.status)

    async def _follow(self, import_id: int) -> ImportSnapshot:
        last: ImportSnapshot | None = None
        with anyio.move_on_after(self.timeout_s) as limit:
            watched = self.imports.watch(import_id, interval_s=self.interval_s, just_created=True, list_id=self.list_id)
            async with closing(watched) as snapshots:
                async for last in snapshots:
                    done = 100 if last.is_final else last.progress_pct or 0
                    self.tell("process", done, 100, "%", last.status_desc or str(last.status))
                    if last.is_final:
                        return last
        if limit.cancelled_caught:
            raise JobTimeoutError(f"import {import_id} did not end within {self.timeout_s:g} s", job=_bare(last))
        raise JobError(f"import {import_id} could not be followed to its end", job=_bare(last))

    def _end(self, source: str) -> ImportReport:
        report = self._report(source)
        if self.final is not None and self.final.is_failed:
            raise _failure(self.final, report, fetches=self.fetches)
        return report

    def _report(self, source: str) -> ImportReport:
        tally, final = self.tally, self.final
        vendor = VendorCounts.of(final) if final else VendorCounts()
        rows_sent = tally.rows_clean if tally else None
        return ImportReport(
            source=source,
            rows_read=tally.rows_read if tally else None,
            rows_sent=rows_sent,
            rows_rejected=tally.rejected if tally else {},
            duplicates=tally.duplicates if tally else 0,
            side_file=tally.side_file if tally else None,
            unknown_columns=tally.unknown_columns if tally else (),
            import_id=self.import_id,
            status=int(final.status) if final and final.status is not None else None,
            status_desc=final.status_desc if final else None,
            vendor=vendor,
            differences=find_differences(rows_sent, vendor) if final else (),
            elapsed_s=anyio.current_time() - self._started_at,
            calls=self.count_calls() - self._calls_before if self.count_calls else None,
            fetches=self.fetches or (),
            file_deleted=self.deleted,
        )


def _failure(final: ImportSnapshot, report: ImportReport, *, fetches: tuple[Fetch, ...] | None) -> ImportFailedError:
    error = ImportFailedError(
        f"import {final.id} ended with status {final.status} ({final.status_desc or 'no description'})",
        status=int(final.status or 0),
        job=_bare(final),
        operation="imports.run",
    )
    error.report = report
    if fetches == ():
        error.add_note("Nobody asked for the file: can the vendor's servers reach the stage?")
    refused = sorted({fetch.client for fetch in fetches or () if fetch.status == 404})
    if refused:
        error.add_note(f"Refused, being outside the allow-list: {', '.join(refused)}")
    error.add_note(report.as_text())
    return error


def _bare(snapshot: Any) -> Any:
    """Return it without the file's URL and with the vendor's words masked: errors are pickled, a URL may be a key."""
    if not has(type(snapshot)):
        return snapshot
    words = {name: getattr(snapshot, name, None) for name in ("name", "status_desc", "status_info")}
    masked: dict[str, Any] = {name: mask(text) for name, text in words.items() if text}
    if (extra := getattr(snapshot, "extra", None)) is not None:
        masked["extra"] = mask_deep(extra)
    return evolve(snapshot, file_url=None, **masked)


async def _rules(list_fields: ListFields, list_id: int | None) -> tuple[FieldRule, ...]:
    async with closing(list_fields.each(list_id=list_id)) as found:
        return tuple([_rule(item.name, item) async for item in found if item.name])


def _rule(name: str, item: ListField) -> FieldRule:
    """Take what can be checked of a field; one with a default is not demanded of a row (*assumed*)."""
    mandatory = bool(item.mandatory) and item.default in (None, "")
    return FieldRule(name, str(item.type or "string"), item.format, mandatory)
