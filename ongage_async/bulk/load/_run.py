"""Load a source the whole way: fields → check → parts, each staged, created, processed, settled → report.

What each step knows lives beside this file; here is their order, and what is undone when one of them fails or is
cancelled. Whatever a load has reached is what its journal says (`_journal.py`): a run begins by asking it, also the
first one. `imports.run` is the caller.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from attrs import define, evolve, field

from ongage_async.bulk._fields import UnknownColumns
from ongage_async.bulk._ports import (
    Imports,
    ImportSnapshot,
    ListFields,
    Lists,
    Phase,
    Progress,
    ProgressListener,
    RoadWish,
)
from ongage_async.bulk.check._clean import Tally
from ongage_async.bulk.check._parts import Packing, Part
from ongage_async.bulk.check._side_file import free_name
from ongage_async.bulk.load._calls import CallDelivery, Contacts
from ongage_async.bulk.load._create import LOOKUP_WAITS_S
from ongage_async.bulk.load._delivery import ImportDelivery, ImportTerms, News, bare, failure, follow
from ongage_async.bulk.load._groundwork import Groundwork, found_again, journal_of, planned_parts
from ongage_async.bulk.load._journal import Journal, Standing
from ongage_async.bulk.load._prepare import Desk, Order, prepare
from ongage_async.bulk.load._report import ImportReport, VendorCounts, find_differences
from ongage_async.bulk.load._road import CALLS, IMPORT, choose_road, refuse_what_calls_cannot
from ongage_async.bulk.load._shares import Shares
from ongage_async.bulk.load._sqlite_journal import SqliteJournal, empty_directory
from ongage_async.bulk.stages._open import open_stage
from ongage_async.bulk.stages._stage import HostedFile, Stage
from ongage_async.errors import ConfigurationError, JobError, OngageError, mask

__all__ = ["resume", "run"]


async def run(
    imports: Imports,
    list_fields: ListFields,
    source: Any,
    *,
    stage: Stage | str | PathLike[str] | None = None,
    list_id: int | None = None,
    mapping: Mapping[str, str | None] | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    overwrite: bool = True,
    ignore_empty: bool = False,
    import_action: str = "add",
    dedupe: bool = True,
    side_file: str | PathLike[str] | None = None,
    journal: Journal | str | PathLike[str] | bool | None = None,
    packing: Packing | None = None,
    password: str | None = None,
    neutralise_formulas: bool = False,
    progress: ProgressListener | None = None,
    interval_s: float | None = None,
    timeout_s: float | None = None,
    unknown_columns: UnknownColumns = "drop",
    road: RoadWish = "import",
    contacts: Contacts | None = None,
    work_dir: str | PathLike[str] | None = None,
    lookup_waits_s: Sequence[float] = LOOKUP_WAITS_S,
    lists: Lists | None = None,
    account: str = "",
    count_calls: Callable[[], int] | None = None,
) -> ImportReport:
    """Load a source into a list, or do `import_action` to each of its addresses.

    Each row is checked against the list's fields; the good ones go into parts that the vendor fetches from `stage`, the
    bad ones into a side file, to be mended and loaded again. Parts are brought in side by side, as many as the list
    takes at once. They lie in a private directory, and on the stage while they are imported; in neither when this
    returns or raises, but for a load with a journal, whose parts stay beside it until they are in.

    Args:
        imports: The imports of the account.
        list_fields: The fields of its lists.
        source: What `open_source` takes: a path, paths, rows; or a `HostedFile`, which is sent unseen.
        stage: Where the vendor fetches the parts; needed unless `source` is hosted. See `open_stage`.
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
        journal: Where the steps are recorded, so that the same call goes on after a crash: a directory that is made,
            True for one beside the source, or a `Journal`. None: nowhere that lasts.
        packing: How parts are cut and packed; None: plain, in as many parts as keep the list busy.
        password: What opens the source, if it is an encrypted ZIP archive.
        neutralise_formulas: Put an apostrophe before text that a spreadsheet would take for a formula.
        progress: Called on the event loop as the load goes on.
        interval_s: Seconds between two looks at an import; None: a cadence that grows with its age.
        timeout_s: Seconds to wait for the end of an import after it is created; None: no limit.
        unknown_columns: ``drop`` columns that the list lacks (the report names them), or ``refuse`` the file.
        road: ``import``; ``calls`` of up to 100 contacts, for which no stage is needed; ``auto``: the plan's road. What
            a journal has begun goes on by the road that it began.
        contacts: The contacts of the account; needed unless the road is that of imports.
        work_dir: Where the temporary directory is made; None: the system's place. It takes the size of the source.
        lookup_waits_s: Pauses before each look for an import that may or may not have been created.
        lists: The lists of the account, for the number of imports that one takes at once; None: one.
        account: What tells the account from others, for the journal; no secret.
        count_calls: Return how many API calls were made so far, for the report.

    Returns:
        What became of every row. With no good row nothing is sent and `import_id` is None. A load that its journal
        knows to be finished is not run again: its report is given again.

    Raises:
        CSVError: The source cannot be used; nothing was sent and no file is left.
        StagingError: A part could not be written or staged.
        JournalError: The journal belongs to another load that has not ended, or another run holds it.
        ImportFailedError: An import ended with a status ≥ 90000; `report` tells the rest, the other parts are in.
        JobTimeoutError: One did not end within `timeout_s`; it goes on if it has fetched the file, and fails if not.
        OngageError: With `outcome` UNKNOWN: an import may exist; it was looked up and not found; the notes say more.

    Cost: a call for the fields (or some), one to create each part, then those of `imports.watch`; lane BULK but for the
        first; one for the list's settings if there are several parts.
    Repeat: nothing is sent twice; see `_create.py` and `_delivery.py`.
    Source: vendor page §4; advice on file names, removal and logs: §0, S0.
    """
    order = Order(
        source=source,
        list_id=list_id,
        mapping=mapping,
        encoding=encoding,
        delimiter=delimiter,
        overwrite=overwrite,
        ignore_empty=ignore_empty,
        import_action=import_action,
        dedupe=dedupe,
        unknown_columns=unknown_columns,
        packing=packing or Packing(),
        password=password,
        neutralise_formulas=neutralise_formulas,
    )
    if road == CALLS:
        refuse_what_calls_cannot(order)
    load = _Load(
        imports=imports,
        stage=None if stage is None else open_stage(stage),
        list_id=list_id,
        desk=Desk(list_fields, lists, list_id),
        journal=journal_of(journal, order.path),
        progress=progress,
        interval_s=interval_s,
        timeout_s=timeout_s,
        lookup_waits_s=lookup_waits_s,
        count_calls=count_calls,
        contacts=contacts,
        road=road,
    )
    if isinstance(source, HostedFile):
        if road == CALLS:
            raise ConfigurationError('road="calls" does not fit a HostedFile: its rows are not seen here')
        if stage is not None or mapping is not None or load.journal.directory is not None:
            raise ConfigurationError("a HostedFile is sent as it is: stage=, mapping= and journal= do not fit it")
        sent = {"csv_delimiter": delimiter or ",", "encoding": encoding or "UTF-8"}
        return await load.hosted(source, order.request(**sent))
    side = Path(side_file) if side_file is not None else order.side_file()
    return await load.local(order, side, account, Path(work_dir) if work_dir is not None else None)


async def resume(
    imports: Imports,
    list_fields: ListFields,
    journal: SqliteJournal,
    *,
    stage: Stage | str | PathLike[str] | None = None,
    progress: ProgressListener | None = None,
    interval_s: float | None = None,
    timeout_s: float | None = None,
    lookup_waits_s: Sequence[float] = LOOKUP_WAITS_S,
    lists: Lists | None = None,
    contacts: Contacts | None = None,
    account: str = "",
    count_calls: Callable[[], int] | None = None,
) -> ImportReport:
    """Go on with a load from its journal alone; for arguments, returns and errors see `run`.

    Raises:
        JournalError: There is no such journal, it belongs to another account, or nothing was planned in it: the source
            is needed then, so run the first command again.
    """
    async with found_again(journal, account=account) as (standing, plan):
        list_id = plan["list_id"]
        load = _Load(
            imports=imports,
            stage=None if stage is None else open_stage(stage),
            list_id=list_id,
            desk=Desk(list_fields, lists, list_id),
            journal=journal,
            progress=progress,
            interval_s=interval_s,
            timeout_s=timeout_s,
            lookup_waits_s=lookup_waits_s,
            count_calls=count_calls,
            contacts=contacts,
        )
        return await load.bring(standing, journal.directory)


@define(kw_only=True)
class _Load:
    """One load: what it works with."""

    imports: Imports
    stage: Stage | None
    list_id: int | None
    desk: Desk
    journal: Journal
    progress: ProgressListener | None
    interval_s: float | None
    timeout_s: float | None
    lookup_waits_s: Sequence[float]
    count_calls: Callable[[], int] | None
    contacts: Contacts | None
    road: RoadWish = "import"
    _refused: Path = Path("rows.refused.jsonl")
    _started_at: float = field(factory=anyio.current_time, init=False)
    ground: Groundwork[Order] = field(init=False)
    _calls_before: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.ground = Groundwork(self.journal, self._prepare)
        self._calls_before = self.count_calls() if self.count_calls else 0

    def tell(self, phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        """Say how far it is, if somebody listens."""
        if self.progress is not None:
            self.progress(Progress(phase, done, total, unit, detail))

    async def local(self, order: Order, side: Path, account: str, work_dir: Path | None) -> ImportReport:
        """Load what can be read here."""
        if self.road == IMPORT:
            self._staged()
        self._refused = side.with_name(f"{side.stem.removesuffix('.rejected')}.refused.jsonl")
        async with self.ground.laid(order, side, account, work_dir) as (standing, directory):
            return await self.bring(standing, directory)

    async def _prepare(self, order: Order, directory: Path, side: Path) -> tuple[Tally, dict[str, Any]]:
        """Check the source into parts, and say what the journal shall know of them."""
        if self.road == CALLS and order.packing == Packing():
            order = evolve(order, packing=Packing(part_bytes=sys.maxsize))  # parts are for imports side by side
        cleaner, tally = await prepare(order, self.desk, directory, side, self.tell)
        road = choose_road(order, tally.rows_clean)[0] if self.road == "auto" else self.road
        asked = {"list_id": self.list_id, "request": order.request(csv_delimiter=",", encoding="UTF-8")}
        refused = await anyio.to_thread.run_sync(free_name, self._refused)
        return tally, {"source": mask(cleaner.name), "road": road, "refused": str(refused), **asked}

    def _staged(self) -> Stage:
        if self.stage is None:
            raise ConfigurationError("stage= is needed: where the vendor fetches the file, for instance a FileDrop")
        return self.stage

    async def bring(self, standing: Standing, directory: Path) -> ImportReport:
        """Bring in all parts that are not in yet, by the road that the plan chose."""
        assert standing.plan is not None  # noqa: S101 - both callers saw to it
        await self.ground.publish_side_file(standing, directory)
        parts = planned_parts(standing.plan, directory)
        shares = Shares(self.tell, {part.number: part.rows for part in parts})
        shares.skip(number for number, each in standing.parts.items() if each.is_done)
        by_calls = standing.plan.get("road") == CALLS
        bring = self._bring_by_calls if by_calls else self._bring_by_imports
        final = await bring(standing, parts, shares.take) if parts else None
        report = ImportReport.of(standing, elapsed_s=self._elapsed_s, calls=self._calls)
        if self.ground.is_kept and all(each.is_done and not each.has_failed for each in standing.parts.values()):
            await anyio.to_thread.run_sync(empty_directory, directory)
        if any(each.has_failed for each in standing.parts.values()):
            raise failure(report, final)
        return report

    async def _bring_by_imports(self, standing: Standing, parts: Sequence[Part], news: News) -> ImportSnapshot | None:
        """Bring in parts as imports, as many at once as the list takes; return the end of the first that failed."""
        plan = standing.plan or {}
        terms = ImportTerms(
            imports=self.imports,
            stage=self._staged(),
            list_id=self.list_id,
            request=plan["request"],
            journal=self.journal,
            news=news,
            interval_s=self.interval_s,
            timeout_s=self.timeout_s,
            lookup_waits_s=self.lookup_waits_s,
        )
        deliveries = [ImportDelivery(terms, part, standing.parts[part.number]) for part in parts]
        earlier = [each for each in deliveries if each.standing.is_done]
        await self._bring_some([each for each in deliveries if not each.standing.is_done])
        for left in (each for each in earlier if each.standing.is_left_on_stage):
            await left.tidy()
        return next((each.final for each in deliveries if each.standing.has_failed), None)

    async def _bring_by_calls(self, standing: Standing, parts: Sequence[Part], news: News) -> None:
        """Bring in parts by calls, one after the other; the calls of one are side by side."""
        if self.contacts is None:
            raise ConfigurationError("contacts= is needed: by what the calls are made")
        refused = Path((standing.plan or {})["refused"])
        for part in parts:
            each = standing.parts[part.number]
            if not each.is_done:
                place = refused if len(parts) == 1 else refused.with_name(f"{refused.stem}-{part.number}.jsonl")
                delivery = CallDelivery(self.contacts, self.list_id, self.journal, news, part, each, place)
                try:
                    await delivery.bring()
                except OngageError as error:
                    raise self._with_notes([error]) from None

    async def _bring_some(self, waiting: Sequence[ImportDelivery]) -> None:
        """Bring parts in side by side; after an error, none is begun any more, and those under way are ended."""
        errors: list[Exception] = []
        queue = iter(waiting)

        async def bring_one_by_one() -> None:
            for delivery in queue:
                try:
                    await delivery.bring()
                except Exception as error:  # noqa: BLE001 - raised below, when the others have ended
                    errors.append(error)
                if errors:
                    return

        if len(waiting) < 2:
            await bring_one_by_one()
        else:
            at_once = min(len(waiting), await self.desk.concurrent())
            async with anyio.create_task_group() as tasks:
                for _ in range(at_once):
                    tasks.start_soon(bring_one_by_one)
        if errors:
            raise self._with_notes(errors)

    def _with_notes(self, errors: Sequence[Exception]) -> Exception:
        first, *others = errors
        for other in others:
            first.add_note(f"Another part: {type(other).__name__}: {other}")
        if self.ground.is_kept:
            first.add_note("The journal knows how far the load is: the same command goes on from there.")
        return first

    async def hosted(self, source: HostedFile, request: dict[str, Any]) -> ImportReport:
        """Load a file that is sent as it is; its name is not ours, so an uncertain import cannot be looked up by it."""
        self.tell("create", 0, 1, "imports")
        await self.journal.record("submitting", name=source.name)
        created = await self.imports.create(file_url=source.url, list_id=self.list_id, **request)
        if not created.id:
            raise JobError("the answer names no import: find it among the imports of the list", job=bare(created))
        self.tell("create", 1, 1, "imports")
        await self.journal.record("created", import_id=created.id)
        tell = lambda share, detail: self.tell("process", 100 * share, 100, "%", detail)  # noqa: E731
        final = await follow(
            self.imports, created.id, tell, list_id=self.list_id, interval_s=self.interval_s, timeout_s=self.timeout_s
        )
        await self.journal.record("final", import_id=created.id, status=int(final.status or 0))
        vendor = VendorCounts.of(final)
        report = ImportReport(
            source=source.name,
            rows_read=None,
            rows_sent=None,
            import_id=created.id,
            status=int(final.status or 0),
            status_desc=final.status_desc and mask(final.status_desc),
            vendor=vendor,
            differences=find_differences(None, vendor),
            elapsed_s=self._elapsed_s,
            calls=self._calls,
        )
        if final.is_failed:
            raise failure(report, final)
        return report

    @property
    def _elapsed_s(self) -> float:
        return anyio.current_time() - self._started_at

    @property
    def _calls(self) -> int | None:
        return self.count_calls() - self._calls_before if self.count_calls else None
