"""Load many rows by imports, the whole way: the part of `Imports` that hands over to `bulk/`.

Here the public arguments are joined with what a load needs of this account: its calls, counted for the report, its
lists, its budget. Everything else is decided in `bulk/`.
"""

from collections.abc import Mapping
from os import PathLike
from typing import Any, get_args

import attrs

from ongage_async import bulk
from ongage_async._operation import Answer, Caller, Operation
from ongage_async.bulk._fields import UnknownColumns
from ongage_async.bulk._ports import ProgressListener, RoadWish
from ongage_async.errors import InvalidInputError
from ongage_async.models import ImportAction
from ongage_async.resources._answers import Reader
from ongage_async.resources._inputs import choice
from ongage_async.resources.list_fields import ListFields
from ongage_async.resources.lists import Lists

__all__ = ["Loads"]


class Loads:
    """Plan a load, run it, go on with it."""

    __slots__ = ()

    _caller: Caller
    _group_of: Any
    _read: Reader

    async def run(
        self,
        source: Any,
        *,
        stage: "bulk.Stage | str | PathLike[str] | None" = None,
        list_id: int | None = None,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        overwrite: bool = True,
        ignore_empty: bool = False,
        import_action: ImportAction | str = ImportAction.ADD,
        dedupe: bool = True,
        side_file: str | PathLike[str] | None = None,
        journal: "bulk.Journal | str | PathLike[str] | bool | None" = None,
        packing: "bulk.Packing | None" = None,
        password: str | None = None,
        neutralise_formulas: bool = False,
        progress: ProgressListener | None = None,
        interval_s: float | None = None,
        timeout_s: float | None = None,
        unknown_columns: UnknownColumns = "drop",
        road: RoadWish = "import",
    ) -> "bulk.ImportReport":
        """Load a source the whole way: checked, cut, staged, imported, followed to its end, accounted for.

        Args:
            source: Path of a CSV, TSV or TXT file, also packed as gzip or ZIP; paths or a pattern; ``-``; rows as
                mappings, also asynchronous; a data frame; or a `HostedFile`, which is sent unseen.
            stage: Where the vendor fetches the checked copy: ``s3://bucket/prefix`` and what else `open_stage` takes, a
                `FileDrop`, or a `UrlStage`; needed unless the source is hosted.
            list_id: The list; None: this client's.
            mapping: Column name → field name, for columns that are named otherwise; None leaves a column out.
            encoding: The source's encoding; None: UTF-8, or what its byte order mark says.
            delimiter: The source's delimiter; None: found in its header.
            overwrite: Change contacts that exist.
            ignore_empty: Let empty cells change nothing.
            import_action: ``add``; or ``remove``, ``unsubscribe``, ``resubscribe``, ``bounce``, ``complaint``.
            dedupe: Send the first good row of each address only.
            side_file: Where bad rows go; None: beside the source, as ``<name>.rejected.csv``.
            journal: Where the steps are recorded, so that the same call goes on after a crash: a directory that is
                made, or True for ``<name>.ongage-journal`` beside the source. None: nowhere that lasts.
            packing: How the copy is cut and packed: `Packing`; None: plain, in as many parts as keep the list busy.
            password: What opens the source, if it is an encrypted ZIP archive.
            neutralise_formulas: Put an apostrophe before text that a spreadsheet would take for a formula.
            progress: Called on the event loop as the load goes on.
            interval_s: Seconds between two looks at an import; None: a cadence that grows with its age.
            timeout_s: Seconds to wait for the end of an import after it is created; None: no limit.
            unknown_columns: ``drop`` columns that the list lacks (the report names them), or ``refuse`` the file.
            road: ``import``; ``calls`` of up to 100 contacts, which need no stage and tell what became of each row; or
                ``auto``, the road of `plan`. A journal goes on by the road that it began.

        Returns:
            What became of every row; its counts add up to the source's rows. With no good row nothing is sent. A load
            that its journal knows to be finished is not run again: its report is given again.

        Raises:
            CSVError: The source cannot be used; nothing was sent.
            StagingError: A part could not be put where the vendor fetches it.
            JournalError: The journal belongs to another load that has not ended, or another run holds it.
            ImportFailedError: An import ended with a status ≥ 90000; `report` tells the rest, the other parts are in.
            JobTimeoutError: One did not end within `timeout_s`.
            OngageError: With `outcome` UNKNOWN an import may exist; it was looked for, and the notes say more.

        Cost: 1 call per 50 fields, 1 to create each part, then those of `watch`; 1 for the list's own limit of imports
            at once if the source is large; lane BULK for the polls, NORMAL else.
        Repeat: nothing is sent twice; an uncertain creation is looked up by its unique file name.
        Source: vendor page §4 (seed, vendor doc); the advice on file names, removal and logs is seed S0's.
        """
        return await bulk.run(
            source=source,
            stage=stage,
            mapping=mapping,
            encoding=encoding,
            delimiter=delimiter,
            overwrite=overwrite,
            ignore_empty=ignore_empty,
            import_action=choice(ImportAction, import_action, "import_action").value,
            dedupe=dedupe,
            side_file=side_file,
            journal=journal,
            packing=packing,
            password=password,
            neutralise_formulas=neutralise_formulas,
            progress=progress,
            interval_s=interval_s,
            timeout_s=timeout_s,
            unknown_columns=unknown_columns,
            road=_road(road),
            list_id=self._chosen(list_id),
            **self._account(),
        )

    async def plan(
        self,
        source: Any,
        *,
        list_id: int | None = None,
        mapping: Mapping[str, str | None] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        import_action: ImportAction | str = ImportAction.ADD,
        dedupe: bool = True,
        packing: "bulk.Packing | None" = None,
        password: str | None = None,
        neutralise_formulas: bool = False,
        pace: "bulk.Pace | None" = None,
        interval_s: float | None = None,
        unknown_columns: UnknownColumns = "drop",
        progress: ProgressListener | None = None,
    ) -> "bulk.Plan":
        """Read a source as `run` would, and tell what loading it will be like; nothing is loaded.

        Args:
            source: As for `run`; rows that come only once are used up.
            list_id: As for `run`.
            mapping: As for `run`.
            encoding: As for `run`.
            delimiter: As for `run`.
            import_action: As for `run`.
            dedupe: As for `run`.
            packing: As for `run`.
            password: As for `run`.
            neutralise_formulas: As for `run`.
            pace: How fast the vendor is: `Pace`; None: 130 rows a second for each import, from its help pages.
            interval_s: As for `run`.
            unknown_columns: As for `run`.
            progress: As for `run`.

        Returns:
            Rows, bad rows, duplicates, columns and their mapping, the parts, the road to take and why, its calls, and
            when it will be over at the account's present budget.

        Raises:
            CSVError: The source cannot be used.

        Cost: 1 call per 50 fields, 1 for the list's own limit of imports at once if the source is large; lane NORMAL.
        Repeat: SAFE, it reads.
        Source: vendor page §2 (roads, speed), §4 (seed, vendor doc).
        """
        order = bulk.Order(
            source=source,
            list_id=self._chosen(list_id),
            mapping=mapping,
            encoding=encoding,
            delimiter=delimiter,
            import_action=choice(ImportAction, import_action, "import_action").value,
            dedupe=dedupe,
            unknown_columns=unknown_columns,
            packing=packing or bulk.Packing(),
            password=password,
            neutralise_formulas=neutralise_formulas,
        )
        account = self._account()
        return await bulk.plan(
            order,
            account["list_fields"],
            account["lists"],
            budget=getattr(self._caller, "governor", None),
            pace=pace or bulk.Pace(),
            interval_s=interval_s,
            progress=progress,
            count_calls=account["count_calls"],
        )

    async def resume(
        self,
        journal: str | PathLike[str],
        *,
        stage: "bulk.Stage | str | PathLike[str] | None" = None,
        progress: ProgressListener | None = None,
        interval_s: float | None = None,
        timeout_s: float | None = None,
    ) -> "bulk.ImportReport":
        """Go on with a load from its journal alone: what `run` does when it is called again with the same arguments.

        Args:
            journal: The journal's directory.
            stage: As for `run`; needed unless the load goes by calls.
            progress: As for `run`.
            interval_s: As for `run`.
            timeout_s: As for `run`.

        Returns:
            What became of every row, of the earlier runs too.

        Raises:
            JournalError: There is none, another run holds it, it is another account's, or it was stopped so early that
                the source is needed.
            OngageError: As `run`.

        Cost: as `run`, for the parts that are left; up to 5 more for one that may or may not have been created.
        Repeat: nothing is sent twice.
        Source: vendor page §4 (seed, vendor doc).
        """
        return await bulk.resume(
            journal=bulk.SqliteJournal(journal),
            stage=stage,
            progress=progress,
            interval_s=interval_s,
            timeout_s=timeout_s,
            **self._account(),
        )

    def _chosen(self, list_id: int | None) -> int | None:
        """Return the list that calls without one act on, where it is known."""
        return list_id if list_id is not None else getattr(self._caller, "list_id", None)

    def _account(self) -> dict[str, Any]:
        """Return what a load needs of the account, with a count of its calls."""
        from ongage_async.resources.contacts import Contacts  # much, for who only watches imports

        counting = Counting(self._caller)
        return {
            "imports": self._with(counting),
            "list_fields": ListFields(counting, self._read.on_drift),
            "lists": Lists(counting, self._read.on_drift),
            "contacts": Contacts(counting, self._read.on_drift),
            "account": getattr(self._caller, "account", ""),
            "count_calls": lambda: counting.calls,
        }

    def _with(self, caller: Caller) -> Any:
        """Return the same resource on another caller."""
        make: Any = type(self)
        return make(caller, self._read.on_drift, self._group_of)


def _road(road: str) -> Any:
    if road not in get_args(RoadWish):
        raise InvalidInputError(f"road must be one of {', '.join(get_args(RoadWish))}")
    return road


@attrs.define
class Counting:
    """A caller that counts, for the report of one load."""

    caller: Caller
    calls: int = 0

    async def call(self, operation: Operation, **request: Any) -> Answer:
        """Count a call and make it."""
        self.calls += 1
        return await self.caller.call(operation, **request)
