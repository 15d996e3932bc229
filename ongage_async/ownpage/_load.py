"""Load one file the whole way: count → check → stage → create → process → settle → report.

`files.run` is the caller. The steps that every load goes are `bulk/load/`'s; what is peculiar here is the end:
the vendor says nothing about a file after it took it (vendor page §5, unknown), so the load waits until the file was
fetched and the list's counts stand still, and reads the list on request.
"""

import csv
import hashlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread
from attrs import define, field

from ongage_async.bulk import Fetch, HostedFile, Stage
from ongage_async.bulk._ports import Phase, Progress, ProgressListener, closing
from ongage_async.bulk.check._clean import Cleaner, Recipe, Tally
from ongage_async.bulk.load._passage import Staging, check, no_side_file_unless, private_directory, staging
from ongage_async.errors import JobTimeoutError, OngageError, Outcome
from ongage_async.models.ownpage import OwnpageFile, Subscriber, SubscriberCounts
from ongage_async.ownpage._report import FileReport

__all__ = ["FileLoad", "Vendor"]

FETCH_POLL_S = 0.25
"""Pause between two looks into the stage's own log; costs the account nothing."""


class Vendor(Protocol):
    """What a load needs of the resources, all for one list."""

    async def counts(self) -> SubscriberCounts:
        """Count the list's subscribers."""
        ...

    async def create(self, url: str) -> OwnpageFile:
        """Hand a file over."""
        ...

    def watch(self) -> AsyncIterator[SubscriberCounts]:
        """Follow the list's counts until they stand still."""
        ...

    def subscribers(self) -> AsyncIterator[Subscriber]:
        """Iterate over all subscribers of the list."""
        ...


@define
class FileLoad:
    """One load: what it works with, and what it has reached.

    Args:
        vendor: The calls.
        timeout_s: Seconds from the creation to the end of the waiting.
        confirm: Whether to read the list afterwards.
        progress: Told how far it is.
        count_calls: Returns how many calls were made.
    """

    vendor: Vendor
    timeout_s: float
    confirm: bool
    progress: ProgressListener | None
    count_calls: Callable[[], int]
    tally: Tally | None = None
    before: SubscriberCounts | None = None
    after: SubscriberCounts | None = None
    file: OwnpageFile | None = None
    bytes_sent: int | None = None
    settled: bool = False
    confirmed: int | None = None
    fetches: tuple[Fetch, ...] = ()
    deleted: bool = False
    may_exist: bool = False
    _started_at: float = field(factory=anyio.current_time)

    def tell(self, phase: Phase, done: float, total: float | None, unit: str, detail: str = "") -> None:
        """Say how far it is, if somebody listens."""
        if self.progress is not None:
            self.progress(Progress(phase, done, total, unit, detail))

    async def local(self, source: Path, side: Path, recipe: Recipe, stage: Stage, work_dir: Path | None) -> FileReport:
        """Load a local file."""
        async with private_directory(work_dir) as directory:
            self.tally = tally = await check(Cleaner(source, directory, side, recipe), self.tell)
            with no_side_file_unless(lambda: self.may_exist, tally):
                if tally.rows_clean:
                    clean = tally.parts[0].path
                    await self._send(stage, clean)
                    if self.confirm:
                        await self._confirm(clean)
        return self._report(source.name)

    async def hosted(self, source: HostedFile) -> FileReport:
        """Load a file that is sent as it is."""
        self.before = await self.vendor.counts()
        self.tell("create", 0, 1, "files")
        self.file = await self.vendor.create(source.url)
        self.tell("create", 1, 1, "files")
        with anyio.move_on_after(self.timeout_s):
            await self._settle()
        return self._report(source.name)

    async def _send(self, stage: Stage, clean: Path) -> None:
        self.before = await self.vendor.counts()
        self.bytes_sent = (await anyio.Path(clean).stat()).st_size
        async with staging(stage, clean, self.tell) as place:
            self.tell("create", 0, 1, "files")
            uncertain = await self._create(place)
            if uncertain is None:
                await self._follow(place)
        self.deleted = place.deleted
        self.fetches = await stage.log(place.file) or ()  # after the removal, when nothing is on its way any more
        if uncertain is not None:
            uncertain.add_note(_what_is_known(await stage.log(place.file)))
            raise uncertain

    async def _create(self, place: Staging) -> OngageError | None:
        """Hand the file over; return the error if nobody can say whether the vendor took it."""
        self.may_exist = True
        try:
            self.file = await self.vendor.create(place.file.url)
        except OngageError as error:
            self.may_exist = error.outcome is Outcome.UNKNOWN
            if self.may_exist:
                return error
            raise
        return None

    async def _follow(self, place: Staging) -> None:
        self.tell("create", 1, 1, "files")
        ends_at = anyio.current_time() + self.timeout_s
        await self._wait_for_fetch(place, ends_at)
        with anyio.move_on_after(ends_at - anyio.current_time()):
            await self._settle()

    async def _wait_for_fetch(self, place: Staging, ends_at: float) -> None:
        """Wait until the vendor has the file: it has if it counted its bytes, or if the stage saw it take them all."""
        if self.file is None or self.file.size:
            return
        self.tell("process", 0, None, "files", "waiting for the file to be fetched")
        while (fetches := await place.stage.log(place.file)) is not None:
            if any(fetch.complete and fetch.method == "GET" for fetch in fetches):
                return
            if anyio.current_time() >= ends_at:
                raise JobTimeoutError(
                    f"nobody fetched file {self.file.id} within {self.timeout_s:g} s, and it is removed now: can the "
                    "vendor's servers reach the stage?",
                    operation="files.run",
                )
            await anyio.sleep(FETCH_POLL_S)

    async def _settle(self) -> None:
        self.after = self.before
        async with closing(self.vendor.watch()) as seen:
            async for self.after in seen:
                self.tell("process", self.after.total or 0, None, "subscribers")
        self.settled = True

    async def _confirm(self, clean: Path) -> None:
        wanted = await anyio.to_thread.run_sync(partial(_digests, clean))
        found = 0
        async with closing(self.vendor.subscribers()) as subscribers:
            async for subscriber in subscribers:
                digest = _digest(subscriber.email)
                if digest in wanted:
                    wanted.discard(digest)
                    found += 1
        self.confirmed = found
        self.tell("settle", found, found + len(wanted), "subscribers")

    def _report(self, source: str) -> FileReport:
        tally, file = self.tally, self.file
        return FileReport(
            source=source,
            rows_read=tally.rows_read if tally else None,
            rows_sent=tally.rows_clean if tally else None,
            rows_rejected=tally.rejected if tally else {},
            duplicates=tally.duplicates if tally else 0,
            side_file=tally.side_file if tally else None,
            unknown_columns=tally.unknown_columns if tally else (),
            file_id=file.id if file else None,
            status=file.status and str(file.status) if file else None,
            bytes_sent=self.bytes_sent,
            bytes_counted=file.size or None if file else None,
            before=self.before,
            after=self.after,
            settled=self.settled,
            rows_confirmed=self.confirmed,
            elapsed_s=anyio.current_time() - self._started_at,
            calls=self.count_calls(),
            fetches=self.fetches,
            file_deleted=self.deleted,
        )


def _what_is_known(fetches: tuple[Fetch, ...] | None) -> str:
    known = (
        "It is not known whether the vendor took the file; it was not sent again, and "
        "loading it again sets the same values"
    )
    if fetches is None:
        return f"{known}."
    return f"{known}. It was {'fetched' if fetches else 'not asked for'}, and is removed now."


def _digests(clean: Path) -> set[bytes]:
    with clean.open(encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        at = next(rows).index("email")
        return {_digest(row[at]) for row in rows}


def _digest(email: str) -> bytes:
    return hashlib.blake2b(email.casefold().encode(), digest_size=16).digest()
