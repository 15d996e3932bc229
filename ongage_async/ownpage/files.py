"""Files: the vendor fetches a CSV file and imports its subscribers. Source: vendor page §5 #8, seed S4.

Here are the calls and the waiting; the whole way of a local file is `_load.py`.
"""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import attrs

from ongage_async import _jobs
from ongage_async._engine import Pour
from ongage_async._operation import Answer, ListIn, Operation, Repeat
from ongage_async.bulk import HostedFile, Stage
from ongage_async.bulk._ports import ProgressListener
from ongage_async.bulk.check._clean import Recipe
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, InvalidInputError, JobTimeoutError
from ongage_async.models._converter import OnDrift
from ongage_async.models.ownpage import OwnpageFile, Subscriber, SubscriberCounts, SubscriberStatus
from ongage_async.ownpage import lists
from ongage_async.ownpage._contract import UnknownColumns, plan_file
from ongage_async.ownpage._load import FileLoad
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
        source: str | PathLike[str] | HostedFile,
        *,
        email_list_id: int | None = None,
        stage: Stage | None = None,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        dedupe: bool = True,
        unknown_columns: UnknownColumns = "drop",
        side_file: str | PathLike[str] | None = None,
        confirm: bool = False,
        progress: ProgressListener | None = None,
        settled_s: float = SETTLED_S,
        interval_s: float | None = None,
        timeout_s: float = 3600.0,
        work_dir: str | PathLike[str] | None = None,
    ) -> FileReport:
        """Load a CSV file the whole way: checked and converted, staged, imported, followed, accounted for.

        Args:
            source: Path of a CSV, TSV or TXT file; or a `HostedFile`, which is sent unseen.
            email_list_id: The list; None: this client's.
            stage: Where the vendor fetches the checked copy: a `FileDrop`, or a `UrlStage`; needed for a path.
            mapping: Column name → ``email``, ``subscribed``, ``unsubscribed_cause``, ``guid`` or ``data_…``; None
                leaves a column out.
            encoding: The source's encoding; None: UTF-8, or what its byte order mark says. UTF-8 is sent.
            delimiter: The source's delimiter; None: found in its header. A comma is sent.
            dedupe: Send the first good row of each address only.
            unknown_columns: ``drop`` other columns (the report names them), ``refuse`` the file, or send them as
                ``data`` under their own names.
            side_file: Where bad rows go; None: beside the source, as ``<name>.rejected.csv``.
            confirm: Read the whole list afterwards and count the file's addresses in it: the one proof there is. Takes
                about 100 bytes of memory per address.
            progress: Called on the event loop as the load goes on.
            settled_s: Seconds for which the list's counts must stand still.
            interval_s: Seconds between two looks at the list; None: a cadence that grows.
            timeout_s: Seconds to wait after the file is handed over. A list that still changes then is reported, not
                raised: it may be in use.
            work_dir: Where the temporary directory is made; None: the system's place.

        Returns:
            What became of every row, as far as the vendor lets anyone know.

        Raises:
            CSVError: The source cannot be used; nothing was sent.
            StagingError: The copy could not be put where the vendor fetches it; nothing was sent.
            JobTimeoutError: Nobody fetched the file within `timeout_s`.
            OngageError: With `outcome` UNKNOWN the vendor may have taken the file; a note tells whether it was fetched.

        Cost: 3 calls and those of `watch`, lane BULK for the polls; with `confirm`, 1 more per 10,000 subscribers.
        Repeat: nothing is sent twice; loading the same file again sets the same values.
        Source: vendor page §5 #8, seed S4; advice on file names and removal: §4.5.
        """
        chosen = self._caller.list_of(email_list_id)
        counting = _Counting(self._caller)
        vendor = _OfOneList(counting, self._read.on_drift, chosen, settled_s, interval_s)
        load = FileLoad(vendor, timeout_s, confirm, progress, lambda: counting.calls)
        if isinstance(source, HostedFile):
            if stage is not None or mapping is not None or confirm:
                raise ConfigurationError("a HostedFile is sent as it is: stage=, mapping= and confirm= do not fit it")
            return await load.hosted(source)
        if stage is None:
            raise ConfigurationError("stage= is needed: where the vendor fetches the file, for instance a FileDrop")
        path = Path(source)
        side = Path(side_file) if side_file is not None else path.with_name(f"{path.stem}.rejected.csv")
        planner = partial(plan_file, mapping=mapping, unknown=unknown_columns)
        recipe = Recipe(rules=(), encoding=encoding, delimiter=delimiter, dedupe=dedupe, planner=planner)
        return await load.local(path, side, recipe, stage, Path(work_dir) if work_dir is not None else None)


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
