"""Files: the vendor fetches a CSV file and imports its subscribers. Source: vendor page §5 #8, seed S4.

Here are the calls and the waiting; the whole way of a source is `_load.py`.
"""

from collections.abc import AsyncIterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs

from ongage_async import _jobs
from ongage_async._engine import Pour
from ongage_async._operation import Answer, ListIn, Operation, Repeat
from ongage_async.bulk import HostedFile, Journal, Packing, SqliteJournal, Stage, open_stage
from ongage_async.bulk._ports import ProgressListener
from ongage_async.bulk.load._groundwork import found_again, journal_of
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, InvalidInputError, JobTimeoutError
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import OwnpageFile, Subscriber, SubscriberCounts, SubscriberStatus
from ongage_async.ownpage import lists
from ongage_async.ownpage._contract import UnknownColumns
from ongage_async.ownpage._load import REQUEST, FileLoad, FileOrder
from ongage_async.ownpage._report import FileReport
from ongage_async.ownpage._session import ListCaller
from ongage_async.ownpage.subscribers import MOST_PER_PAGE, Subscribers
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import text

CREATE = Operation("files.create", "POST", "/files", Repeat.IF_UNSENT, list_in=ListIn.NOWHERE)
POLL = attrs.evolve(lists.COUNTS, lane=Lane.BULK)

SETTLED_S = 60.0
"""How long a list's counts must stand still to count as settled: *assumed*, the vendor names no duration."""


class Files:
    """Import files of subscribers.

    The vendor has no endpoint that tells how far a file is or lists files. What can be watched is the list.
    """

    __slots__ = ("_caller", "_read")

    def __init__(self, caller: ListCaller, on_drift: OnDrift | None = None) -> None:
        self._caller = caller
        self._read = Reader(on_drift)

    async def create(self, *, url: str, email_list_id: int | None = None) -> OwnpageFile:
        """Hand a file over: it is imported at the vendor's, cannot be stopped, and what it changes cannot be undone.

        Args:
            url: Where the vendor fetches a CSV file with the columns ``email``, ``subscribed``,
                ``unsubscribed_cause``, ``guid``, ``data_*``, parted by ``,`` or ``;``. `run` makes one from any CSV.
            email_list_id: The list; None: this client's.

        Returns:
            The file as the vendor sees it now; keep it, for it cannot be asked for later.

        Raises:
            InvalidInputError: The URL is no http(s) URL.
            BadRequestError: The vendor refused it.

        Cost: 1 call, lane NORMAL.
        Repeat: IF_UNSENT: twice imports the file twice, and over what readers decided in between.
        Source: vendor page §5 #8 (seed S4, vendor doc).
        """
        body = {"email_list_id": self._caller.list_of(email_list_id), "url": _checked_url(url)}
        return self._read.one(OwnpageFile, await self._caller.call(CREATE, body=body), CREATE)

    def watch(
        self, *, email_list_id: int | None = None, settled_s: float = SETTLED_S, interval_s: float | None = None
    ) -> AsyncIterator[SubscriberCounts]:
        """Follow a list while files are imported into it: counts at once, at every change, until they stand still.

        A list that stands still is no proof that an import has ended: it may not have begun, or change nothing. Up to
        two hours of lost connections, 5xx and 429 are survived.

        Args:
            email_list_id: The list; None: this client's.
            settled_s: Seconds without a change after which it ends.
            interval_s: Seconds between polls; None: 2 s at first, 60 s after an hour.

        Raises:
            NotFoundError: While iterating: there is no such list.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: vendor page §5 #3; that a file's status cannot be asked for is §5, unknown.
        """
        chosen = self._caller.list_of(email_list_id)
        still = _Stillness(settled_s)

        async def fetch() -> SubscriberCounts:
            answer = await self._caller.call(POLL, path={"list_id": chosen})
            return self._read.one(SubscriberCounts, answer, POLL)

        return _jobs.watch(fetch, is_final=still.is_reached, name="files.watch", interval_s=interval_s)

    async def wait(
        self,
        *,
        email_list_id: int | None = None,
        settled_s: float = SETTLED_S,
        timeout_s: float | None = None,
        interval_s: float | None = None,
    ) -> SubscriberCounts:
        """Wait until a list's counts stand still; see `watch` for what that means.

        Args:
            email_list_id: The list; None: this client's.
            settled_s: As for `watch`.
            timeout_s: Seconds to wait at most; None: for ever.
            interval_s: As for `watch`.

        Returns:
            The counts at the end.

        Raises:
            JobTimeoutError: `timeout_s` is over and they still change; `job` holds the last ones.

        Cost: 1 call per poll, lane BULK.
        Repeat: SAFE, it reads.
        Source: as for `watch`.
        """
        last: SubscriberCounts | None = None
        with anyio.move_on_after(timeout_s) as limit:
            async for seen in self.watch(email_list_id=email_list_id, settled_s=settled_s, interval_s=interval_s):
                last = seen
        if last is None or limit.cancelled_caught:
            raise JobTimeoutError(
                f"the list has not stood still for {settled_s:g} s within {timeout_s} s",
                job=last,
                operation="files.wait",
            )
        return last

    async def run(
        self,
        source: Any,
        *,
        email_list_id: int | None = None,
        stage: Stage | str | PathLike[str] | None = None,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        dedupe: bool = True,
        unknown_columns: UnknownColumns = "drop",
        side_file: str | PathLike[str] | None = None,
        journal: Journal | str | PathLike[str] | bool | None = None,
        packing: Packing | None = None,
        password: str | None = None,
        neutralise_formulas: bool = False,
        resend: bool = False,
        confirm: bool = False,
        progress: ProgressListener | None = None,
        settled_s: float = SETTLED_S,
        interval_s: float | None = None,
        timeout_s: float = 3600.0,
        work_dir: str | PathLike[str] | None = None,
    ) -> FileReport:
        """Load a source the whole way: checked and converted, staged, imported, followed, accounted for.

        The vendor has no endpoint that lists files or tells what became of one. So with a journal, a part whose attempt
        was cut off is never sent again on a guess: it begins anew if the stage knows that nobody asked for its file; it
        is followed if the vendor took all of it; it is done if the list is read and holds every row of it as sent.
        Where none of these is known, the other parts are brought in, and an error tells of this one: each run looks
        again, and `resend` is for you to say.

        Args:
            source: Path of a CSV, TSV or TXT file, also packed as gzip or ZIP; paths or a pattern; ``-``; rows as
                mappings, also asynchronous; a data frame; or a `HostedFile`, which is sent unseen.
            email_list_id: The list; None: this client's.
            stage: Where the vendor fetches the checked copy: ``s3://bucket/prefix`` and what else `open_stage` takes, a
                `FileDrop`, or a `UrlStage`; needed unless the source is hosted.
            mapping: Column name → ``email``, ``subscribed``, ``unsubscribed_cause``, ``guid`` or ``data_…``; None
                leaves a column out.
            encoding: The source's encoding; None: UTF-8, or what its byte order mark says. UTF-8 is sent.
            delimiter: The source's delimiter; None: found in its header. A comma is sent.
            dedupe: Send the first good row of each address only.
            unknown_columns: ``drop`` other columns (the report names them), ``refuse`` the file, or send them as
                ``data`` under their own names.
            side_file: Where bad rows go; None: beside the source, as ``<name>.rejected.csv``.
            journal: Where the steps are recorded, so that the same call goes on after a crash: a directory that is
                made, or True for ``<name>.ongage-journal`` beside the source. None: nowhere that lasts.
            packing: How the copy is cut into parts, which go one after the other; None: one. Not as ZIP archives: that
                Ownpage opens them is not known.
            password: What opens the source, if it is an encrypted ZIP archive.
            neutralise_formulas: Put an apostrophe before ``data_…`` values that a spreadsheet would take for a formula.
            resend: Send a part again of which nobody can say whether the vendor took it. What readers decided since
                then is overwritten if the vendor did, where the source has a column ``subscribed``.
            confirm: Read the whole list afterwards and count the source's addresses in it: the one proof there is.
                Takes about 100 bytes of memory per address.
            progress: Called on the event loop as the load goes on.
            settled_s: Seconds for which the list's counts must stand still after each part.
            interval_s: Seconds between two looks at the list; None: a cadence that grows.
            timeout_s: Seconds to wait after a file is handed over. A list that still changes then is reported, not
                raised: it may be in use.
            work_dir: Where the temporary directory is made; None: the system's place.

        Returns:
            What became of every row, as far as the vendor lets anyone know. A load that its journal knows to be
            finished is not run again: its report is given again, without what `confirm` found.

        Raises:
            CSVError: The source cannot be used; nothing was sent.
            StagingError: The copy could not be put where the vendor fetches it, or an earlier one not be removed.
            JournalError: The journal belongs to another load that has not ended, or another run holds it.
            JobTimeoutError: Nobody fetched the file within `timeout_s`.
            JobError: Nobody can say whether the vendor took a part in an earlier run; the other parts are in.
            OngageError: With `outcome` UNKNOWN the vendor may have taken the file; a note tells whether it was fetched.

        Cost: 1 call, and for each part 1 and those of `watch`, lane BULK for the polls; with `confirm`, 1 more per
            10,000 subscribers, and as many for each part that the list is searched for.
        Repeat: nothing is sent twice; loading the same source again sets the same values.
        Source: vendor page §5 #8, seed S4; advice on file names and removal: §4.5.
        """
        chosen = self._caller.list_of(email_list_id)
        order = FileOrder(
            source=source,
            list_id=chosen,
            mapping=mapping,
            encoding=encoding,
            delimiter=delimiter,
            dedupe=dedupe,
            unknown_columns=unknown_columns,
            packing=packing or Packing(),
            password=password,
            neutralise_formulas=neutralise_formulas,
        )
        load = self._load(
            chosen,
            None if stage is None else open_stage(stage),
            journal_of(journal, order.path),
            _Cadence(settled_s, interval_s, timeout_s),
            progress,
            confirm=confirm,
            resend=resend,
        )
        if isinstance(source, HostedFile):
            if stage is not None or mapping is not None or confirm or load.journal.directory is not None:
                raise ConfigurationError(
                    "a HostedFile is sent as it is: stage=, mapping=, journal= and confirm= do not fit it"
                )
            return await load.hosted(source)
        side = Path(side_file) if side_file is not None else order.side_file()
        account = getattr(self._caller, "account", "")
        return await load.local(order, side, account, Path(work_dir) if work_dir is not None else None)

    async def resume(
        self,
        journal: str | PathLike[str],
        *,
        stage: Stage | str | PathLike[str],
        resend: bool = False,
        confirm: bool = False,
        progress: ProgressListener | None = None,
        settled_s: float = SETTLED_S,
        interval_s: float | None = None,
        timeout_s: float = 3600.0,
    ) -> FileReport:
        """Go on with a load from its journal alone: what `run` does when it is called again with the same arguments.

        Args:
            journal: The journal's directory.
            stage: As for `run`.
            resend: As for `run`.
            confirm: As for `run`; what is no longer there of the parts cannot be looked for.
            progress: As for `run`.
            settled_s: As for `run`.
            interval_s: As for `run`.
            timeout_s: As for `run`.

        Returns:
            What became of every row, of the earlier runs too.

        Raises:
            JournalError: There is none, another run holds it, it is another account's, or it was stopped so early that
                the source is needed.
            OngageError: As `run`.

        Cost: as `run`, for the parts that are left.
        Repeat: nothing is sent twice.
        Source: as for `run`.
        """
        kept = SqliteJournal(journal)
        async with found_again(kept, account=getattr(self._caller, "account", ""), request=REQUEST) as (standing, plan):
            place, cadence = open_stage(stage), _Cadence(settled_s, interval_s, timeout_s)
            load = self._load(plan["list_id"], place, kept, cadence, progress, confirm=confirm, resend=resend)
            return await load.bring(standing, kept.directory, place)

    def _load(
        self,
        list_id: int,
        stage: Stage | None,
        journal: Journal,
        cadence: "_Cadence",
        progress: ProgressListener | None,
        *,
        confirm: bool,
        resend: bool,
    ) -> FileLoad:
        counting = _Counting(self._caller)
        return FileLoad(
            vendor=_OfOneList(counting, self._read.on_drift, list_id, cadence.settled_s, cadence.interval_s),
            stage=stage,
            journal=journal,
            timeout_s=cadence.timeout_s,
            confirm=confirm,
            resend=resend,
            progress=progress,
            count_calls=lambda: counting.calls,
        )


@attrs.frozen
class _Cadence:
    """How long and how often a load looks at its list."""

    settled_s: float
    interval_s: float | None
    timeout_s: float


@attrs.define
class _Stillness:
    """Tell when counts have stood still for long enough."""

    settled_s: float
    _last: SubscriberCounts | None = None
    _since: float = 0.0

    def is_reached(self, counts: SubscriberCounts) -> bool:
        """Look at the counts of this moment."""
        now = anyio.current_time()
        if counts != self._last:
            self._last, self._since = counts, now
        return now - self._since >= self.settled_s


@attrs.define
class _OfOneList:
    """The calls of one load (`Vendor`)."""

    caller: ListCaller
    on_drift: OnDrift | None
    list_id: int
    settled_s: float
    interval_s: float | None

    async def counts(self) -> SubscriberCounts:
        """Count the list's subscribers."""
        return await lists.Counts(self.caller, self.on_drift).get(list_id=self.list_id)

    async def create(self, url: str) -> OwnpageFile:
        """Hand a file over."""
        return await Files(self.caller, self.on_drift).create(url=url, email_list_id=self.list_id)

    def watch(self) -> AsyncIterator[SubscriberCounts]:
        """Follow the list's counts."""
        files = Files(self.caller, self.on_drift)
        return files.watch(email_list_id=self.list_id, settled_s=self.settled_s, interval_s=self.interval_s)

    def subscribers(self) -> AsyncIterator[Subscriber]:
        """Iterate over all subscribers of the list."""
        everybody = Subscribers(self.caller, self.on_drift)
        return everybody.each(status=SubscriberStatus.ALL, page_size=MOST_PER_PAGE, list_id=self.list_id)


@attrs.define
class _Counting:
    """A caller that counts, for the report of one load."""

    caller: ListCaller
    calls: int = 0

    def list_of(self, list_id: int | None) -> int:
        """Return the list that a call acts on."""
        return self.caller.list_of(list_id)

    async def call(self, operation: Operation, **request: Any) -> Answer:
        """Count a call and make it."""
        self.calls += 1
        return await self.caller.call(operation, **request)

    async def stream(self, operation: Operation, pour: Pour, **request: Any) -> Answer:
        """Count a call and make it."""
        self.calls += 1
        return await self.caller.stream(operation, pour, **request)


def _checked_url(url: str) -> str:
    """Return the URL, or refuse it without showing it."""
    try:
        parts = urlsplit(text(url, "url").strip())
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise InvalidInputError("url must be a full http or https URL that the vendor's servers can fetch")
    return url.strip()
