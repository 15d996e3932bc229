"""What moves imports on: it queues, fetches, validates, applies and completes them by the emulator's clock.

One background task for each import, in the event loop that serves. Parsing goes in small pieces with a yield after
each, on every loop and clock alike, so that a million rows hold nobody up. Used by `families/imports.py`.
Source: vendor page §4.
"""

from collections.abc import Mapping, Sequence

import anyio
from attrs import Factory, define, field

from ongage_async.emulator import _import_job as status
from ongage_async.emulator._clock import Clock
from ongage_async.emulator._fetch import Fetcher, FetchError
from ongage_async.emulator._import_file import Table, UnreadableFileError, unpack
from ongage_async.emulator._import_job import ImportJob, ImportRequest, Script, Step
from ongage_async.emulator._import_rows import RowApplier
from ongage_async.emulator._spawn import spawn
from ongage_async.emulator._state import State
from ongage_async.emulator._turnstile import Turnstile
from ongage_async.emulator.readings import Readings

__all__ = ["ImportEngine"]

_PIECE_ROWS = 500
_PIECES_PER_S = 20.0


@define(eq=False)
class ImportEngine:
    """Run imports; the settings may be changed at any time.

    Args:
        state: Where lists and imports are.
        readings: Switches for the unknown.
        clock: Makes the timestamps.
        fetcher: Fetches the files.
        rows_per_s: How fast rows are applied; None means as fast as the machine can.
        queued_s: How long an import is at least "Queued".
        validating_s: The same for "Validating".
        stats_s: The same for "Updating list stats".
        script: Statuses or steps to show in place of the real ones, for imports created from now on.
        fetch_when_scripted: Whether a scripted import still fetches and applies its file.
    """

    state: State
    readings: Readings
    clock: Clock
    fetcher: Fetcher = Factory(Fetcher)
    rows_per_s: float | None = None
    queued_s: float = 0.02
    validating_s: float = 0.02
    stats_s: float = 0.02
    script: Sequence[int | Step] | None = None
    fetch_when_scripted: bool = False
    _lanes: dict[int, Turnstile] = field(factory=dict, init=False)

    def create(self, request: ImportRequest) -> ImportJob:
        """Register an import and begin it in the background."""
        now = self.clock.unix()
        number = self.state.next_id("import", 83513)
        job = ImportJob(
            id=number,
            account_id=self.state.account_id,
            request=request,
            created=now,
            modified=now,
            file=f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}",
        )
        self.state.imports[number] = job
        if self.script:
            steps = [step if isinstance(step, Step) else Step(step) for step in self.script]
            job.script = Script(steps, self.clock.now())
        if not self.script or self.fetch_when_scripted:
            spawn(self._run, job)
        return job

    async def _run(self, job: ImportJob) -> None:
        mailing_list = self.state.lists[job.request.list_id]
        lane = self._lanes.setdefault(mailing_list.id, Turnstile())
        await lane.enter(mailing_list.settings.get("imports_concurrent_limit") or None)
        try:
            await anyio.sleep(self.queued_s)
            table, applier = await self._validate(job)
            await self._process(job, table, applier)
            await self._complete(job)
        except FetchError as error:
            self._set(job, status.ERROR, str(error))
        except UnreadableFileError as error:
            self._set(job, status.INVALID, str(error))
        except Exception as error:  # noqa: BLE001 - a background task may not raise; the poller is told
            self._set(job, status.ERROR, f"Unexpected: {type(error).__name__}")
        finally:
            lane.leave()

    async def _validate(self, job: ImportJob) -> tuple[Table, RowApplier]:
        self._set(job, status.VALIDATING)
        job.started = self.clock.unix()
        began = self.clock.now()
        data = await self.fetcher.fetch(job.request.file_url)
        job.size_bytes = len(data)
        data = await unpack(data, self.state.zip_password)
        table = Table(data, job.request.encoding, job.request.csv_delimiter)
        applier = RowApplier(self.state.lists[job.request.list_id], job, table.header, self.clock.unix())
        await anyio.sleep(max(0.0, began + self.validating_s - self.clock.now()))
        return table, applier

    async def _process(self, job: ImportJob, table: Table, applier: RowApplier) -> None:
        self._set(job, status.PROCESSING)
        began, done = self.clock.now(), 0
        while rows := table.take(self._piece()):
            for cells in rows:
                applier.apply(cells)
            done += len(rows)
            job.progress = min(99, 100 * done // max(1, table.rows_guess))
            job.modified = self.clock.unix()
            due = began + done / self.rows_per_s if self.rows_per_s else 0.0
            await anyio.sleep(max(0.0, due - self.clock.now()))
        job.progress = 100

    def _piece(self) -> int:
        if not self.rows_per_s:
            return _PIECE_ROWS
        return max(1, min(_PIECE_ROWS, int(self.rows_per_s / _PIECES_PER_S)))

    async def _complete(self, job: ImportJob) -> None:
        before, after = [status.UPDATING_STATS, status.COMPLETED], [status.COMPLETED, status.UPDATING_STATS]
        readings: Mapping[str, Sequence[int]] = {
            "before": before,
            "after": [*after, status.COMPLETED],
            "after_for_good": after,
        }
        job.ended = self.clock.unix()
        for place, each in enumerate(readings[self.readings.status_40004]):
            if place:
                await anyio.sleep(self.stats_s)
            self._set(job, each)

    def _set(self, job: ImportJob, new_status: int, info: str = "") -> None:
        if job.script is not None:
            return  # a script alone says what is shown
        job.status = new_status
        job.status_info = info
        job.modified = self.clock.unix()
