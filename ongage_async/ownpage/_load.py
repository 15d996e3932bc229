"""Load a source the whole way: count → check → parts, each staged, created, processed, settled → report.

`files.run` is the caller. The steps that every load goes are `bulk/load/`'s, and so is the journal; what becomes of one
part is `_delivery.py`'s business. Parts go one after the other, since the vendor says nothing about files side by side.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from attrs import define, field, frozen

from ongage_async.bulk import HostedFile, Journal, Stage
from ongage_async.bulk._ports import Phase, Progress, ProgressListener, closing
from ongage_async.bulk.check._clean import Cleaner, Recipe, Tally
from ongage_async.bulk.check._parts import Part
from ongage_async.bulk.load._groundwork import Groundwork, planned_parts
from ongage_async.bulk.load._journal import Standing
from ongage_async.bulk.load._passage import check
from ongage_async.bulk.load._prepare import SourceOrder
from ongage_async.bulk.load._shares import Shares
from ongage_async.bulk.load._sqlite_journal import empty_directory
from ongage_async.errors import ConfigurationError, JobError, OngageError, mask
from ongage_async.models.ownpage import SubscriberCounts
from ongage_async.ownpage._contract import UnknownColumns, plan_file
from ongage_async.ownpage._delivery import FileDelivery, FileTerms, Vendor, counts_as_dict, settle
from ongage_async.ownpage._proof import addresses_in, digest
from ongage_async.ownpage._report import FileReport

__all__ = ["REQUEST", "FileLoad", "FileOrder"]

REQUEST = "a file for Ownpage"
"""What a journal says of a load of this vendor's."""


@frozen(kw_only=True)
class FileOrder(SourceOrder):
    """Say what is loaded and how it is checked.

    Args:
        unknown_columns: What to do about columns that the vendor does not take.

    Raises:
        ConfigurationError: The parts would be archives, of which the vendor's pages say nothing.
    """

    unknown_columns: UnknownColumns = "drop"

    def __attrs_post_init__(self) -> None:
        if self.packing.zip:
            raise ConfigurationError("packing: Ownpage takes CSV files; that it opens ZIP archives is not known")

    def features(self) -> dict[str, Any]:
        """Return what is asked of the vendor; see `SourceOrder.features`."""
        return {"request": REQUEST, "unknown_columns": self.unknown_columns}

    def recipe(self) -> Recipe:
        """Return how the rows are checked."""
        return Recipe(
            rules=(),
            encoding=self.encoding,
            delimiter=self.delimiter,
            dedupe=self.dedupe,
            password=self.password,
            neutralise_formulas=self.neutralise_formulas,
            planner=partial(plan_file, mapping=self.mapping, unknown=self.unknown_columns),
        )


@define(kw_only=True)
class FileLoad:
    """One load: what it works with.

    Args:
        vendor: The calls.
        stage: Where the vendor fetches files; None for a file that is hosted already.
        journal: Where the steps are recorded.
        timeout_s: Seconds from the creation of a file to the end of the waiting.
        confirm: Whether to read the list afterwards.
        resend: Whether to begin a part anew of which nobody can say whether the vendor took it.
        progress: Told how far it is.
        count_calls: Returns how many calls were made.
    """

    vendor: Vendor
    stage: Stage | None
    journal: Journal
    timeout_s: float
    confirm: bool
    resend: bool
    progress: ProgressListener | None
    count_calls: Callable[[], int]
    _ground: Groundwork[FileOrder] = field(init=False)
    _started_at: float = field(factory=anyio.current_time, init=False)

    def __attrs_post_init__(self) -> None:
        self._ground = Groundwork(self.journal, self._prepare)

    def tell(self, phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        """Say how far it is, if somebody listens."""
        if self.progress is not None:
            self.progress(Progress(phase, done, total, unit, detail))

    async def local(self, order: FileOrder, side: Path, account: str, work_dir: Path | None) -> FileReport:
        """Load what can be read here."""
        if self.stage is None:
            raise ConfigurationError("stage= is needed: where the vendor fetches the file, for instance a FileDrop")
        async with self._ground.laid(order, side, account, work_dir) as (standing, directory):
            return await self.bring(standing, directory, self.stage)

    async def _prepare(self, order: FileOrder, directory: Path, side: Path) -> tuple[Tally, dict[str, Any]]:
        """Check the source into parts; what the list is like before is a part of the plan, for later runs."""
        cleaner = Cleaner(order.source, directory, side, order.recipe(), order.packing)
        tally = await check(cleaner, self.tell)
        before = None
        try:
            before = await self.vendor.counts() if tally.rows_clean else None
        except BaseException:
            if tally.side_file is not None:
                tally.side_file.unlink(missing_ok=True)
            raise
        return tally, {"source": mask(cleaner.name), "list_id": order.list_id, "before": counts_as_dict(before)}

    async def bring(self, standing: Standing, directory: Path, stage: Stage) -> FileReport:
        """Bring in the parts that are not in yet; one of which nobody can say stops no other."""
        assert standing.plan is not None  # noqa: S101 - the groundwork saw to it
        await self._ground.publish_side_file(standing, directory)
        parts = planned_parts(standing.plan, directory)
        shares = Shares(self.tell, {part.number: part.rows for part in parts})
        terms = FileTerms(stage, self.journal, shares.take, self.vendor, self.timeout_s, self.confirm, self.resend)
        deliveries = [FileDelivery(terms, part, standing.parts[part.number]) for part in parts]
        shares.skip(each.part.number for each in deliveries if each.standing.is_done)
        undecided = await self._bring_all([each for each in deliveries if not each.standing.is_done])
        if undecided is not None:
            undecided.add_note(self._report(standing).as_text())
            raise undecided
        confirmed = await self._confirm(parts) if self.confirm else None
        if self._ground.is_kept:
            await anyio.to_thread.run_sync(empty_directory, directory)
        return self._report(standing, confirmed)

    async def _bring_all(self, deliveries: list[FileDelivery]) -> JobError | None:
        undecided: list[JobError] = []
        for delivery in deliveries:
            try:
                await delivery.bring()
            except OngageError as error:
                if isinstance(error, JobError) and delivery.is_undecided:
                    undecided.append(error)
                    continue
                if self._ground.is_kept:
                    error.add_note("The journal knows how far the load is: the same command goes on from there.")
                raise
        for other in undecided[1:]:
            undecided[0].add_note(f"Another part: {other}")
        return undecided[0] if undecided else None

    async def _confirm(self, parts: list[Part]) -> int | None:
        """Count the load's addresses in the list; None if the parts are gone, since an earlier run came to its end."""
        paths = [part.path for part in parts]
        if not paths or not all([await anyio.Path(path).exists() for path in paths]):
            return None
        wanted = await anyio.to_thread.run_sync(addresses_in, paths)
        found = 0
        async with closing(self.vendor.subscribers()) as subscribers:
            async for subscriber in subscribers:
                if (met := digest(subscriber.email)) in wanted:
                    wanted.discard(met)
                    found += 1
        self.tell("settle", found, found + len(wanted), "subscribers")
        return found

    def _report(self, standing: Standing, confirmed: int | None = None) -> FileReport:
        elapsed_s = anyio.current_time() - self._started_at
        return FileReport.of(standing, rows_confirmed=confirmed, elapsed_s=elapsed_s, calls=self.count_calls())

    async def hosted(self, source: HostedFile) -> FileReport:
        """Load a file that is sent as it is."""
        before = after = await self.vendor.counts()
        self.tell("create", 0, 1, "files")
        file = await self.vendor.create(source.url)
        self.tell("create", 1, 1, "files")

        def tell(counts: SubscriberCounts) -> None:
            nonlocal after
            after = counts
            self.tell("process", counts.total or 0, None, "subscribers")

        settled = await settle(self.vendor, tell, self.timeout_s)
        return FileReport(
            source=source.name,
            file_id=file.id,
            status=file.status and str(file.status),
            bytes_counted=file.size or None,
            before=before,
            after=after,
            settled=settled,
            elapsed_s=anyio.current_time() - self._started_at,
            calls=self.count_calls(),
        )
