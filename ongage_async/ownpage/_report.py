"""Tell how the load of a file ended: counts that can be checked, for people and for programs.

The vendor gives no status and no counters for a file (vendor page §5, unknown). What can be known is said: our own
rows, the bytes that the vendor counted, who fetched them, the list's counts before and after, and, on request, how many
of the addresses are in the list. No addresses and no URLs are in it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import fields, frozen

from ongage_async.bulk import Fetch
from ongage_async.bulk.load._journal import PartStanding, Standing
from ongage_async.bulk.load._report import fetch_as_dict, fetch_of
from ongage_async.bulk.load._rows_report import RowsReport
from ongage_async.models.ownpage import SubscriberCounts
from ongage_async.ownpage._delivery import counts_as_dict, is_whole

__all__ = ["FilePart", "FileReport"]


@frozen(kw_only=True)
class FilePart:
    """Tell how one part of a load ended.

    Attributes:
        number: 1, 2, 3, …
        rows: Its rows.
        first_row: Number in the source of its first row; the header is row 1.
        last_row: The same of its last row.
        file_id: The vendor's id; None when its answer was lost.
        status: The vendor's word when it took the file.
        bytes_sent: Its size.
        bytes_counted: Its size by the vendor's count; None when it gave none.
        settled: Whether the list's counts stood still afterwards.
        is_taken: The vendor has all of it: it counted the bytes, the stage saw it fetch them, or the rows were found.
        is_found: All its rows were found in the list, when nobody could say whether the vendor took it.
        is_done: Nothing is left to do for it.
        fetches: Who asked for the staged file, where the stage knows.
        file_deleted: The staged file cannot be fetched any more.
    """

    number: int
    rows: int
    first_row: int
    last_row: int
    file_id: int | None = None
    status: str | None = None
    bytes_sent: int = 0
    bytes_counted: int | None = None
    settled: bool = False
    is_taken: bool = False
    is_found: bool = False
    is_done: bool = False
    fetches: tuple[Fetch, ...] = ()
    file_deleted: bool = False

    @classmethod
    def of(cls, planned: Mapping[str, Any], standing: PartStanding) -> "FilePart":
        """Read it from a journal: the facts of its plan, and what its lines add up to."""
        creation, ending, cleaning = standing.creation, standing.ending or {}, standing.cleaning or {}
        return cls(
            number=planned["number"],
            rows=planned["rows"],
            first_row=planned["first_row"],
            last_row=planned["last_row"],
            file_id=standing.import_id,
            status=creation.get("status"),
            bytes_sent=planned["size_bytes"],
            bytes_counted=creation.get("size"),
            settled=bool(ending.get("is_settled")),
            is_taken=bool(creation.get("is_fetched")),
            is_found=bool(creation.get("is_found")),
            is_done=standing.is_done,
            fetches=tuple(fetch_of(fetch) for fetch in cleaning.get("fetches") or ()),
            file_deleted=bool(cleaning.get("file_deleted")),
        )


@frozen(kw_only=True)
class FileReport(RowsReport):
    """Tell how the load of one source ended: where its rows went (`RowsReport`), and what the vendor made of them.

    Attributes:
        file_id: The vendor's id, the first part's; None when there was no good row, so nothing was sent.
        status: The vendor's word when it took the file, ``uploaded``; it gives none later.
        bytes_sent: Size of all parts; None for a file that was sent unseen.
        bytes_counted: Size by the vendor's count; None when it gave none of some part.
        before: The list's counts before.
        after: The list's counts at the end.
        settled: Whether the counts stood still at the end for as long as was asked.
        rows_confirmed: Addresses of the source that are in the list afterwards; None when nobody looked.
        elapsed_s: Seconds from the call to this report; of the last run, where a load was resumed.
        calls: API calls that were made, likewise.
        fetches: Who asked for the staged files, where the stage knows.
        file_deleted: No staged file can be fetched any more and our copies are gone.
        parts: The parts, one by one; empty for a file that was sent unseen.
    """

    file_id: int | None = None
    status: str | None = None
    bytes_sent: int | None = None
    bytes_counted: int | None = None
    before: SubscriberCounts | None = None
    after: SubscriberCounts | None = None
    settled: bool = False
    rows_confirmed: int | None = None
    elapsed_s: float = 0.0
    calls: int = 0
    fetches: tuple[Fetch, ...] = ()
    file_deleted: bool = False
    parts: tuple[FilePart, ...] = ()

    @classmethod
    def of(cls, standing: Standing, *, rows_confirmed: int | None, elapsed_s: float, calls: int) -> "FileReport":
        """Read it from a journal.

        Args:
            standing: What the journal's lines add up to; there is a plan in it.
            rows_confirmed: Addresses that are in the list; None when nobody looked.
            elapsed_s: Seconds that the run took.
            calls: API calls of the run.
        """
        plan = standing.plan or {}
        parts = tuple(FilePart.of(part, standing.parts[part["number"]]) for part in plan["parts"])
        endings = [part.ending for part in standing.parts.values() if part.ending is not None]
        counted = [part.bytes_counted for part in parts if part.bytes_counted is not None]
        return cls(
            source=plan["source"],
            rows_read=plan["rows_read"],
            rows_sent=plan["rows_clean"],
            rows_rejected=plan["rejected"],
            duplicates=plan["duplicates"],
            side_file=Path(plan["side_file"]) if plan["side_file"] else None,
            unknown_columns=tuple(plan["unknown_columns"]),
            file_id=parts[0].file_id if parts else None,
            status=parts[-1].status if parts else None,
            bytes_sent=sum(part.bytes_sent for part in parts) if parts else None,
            bytes_counted=sum(counted) if counted and len(counted) == len(parts) else None,
            before=_counts_of(plan["before"]),
            after=_counts_of(endings[-1]["after"]) if endings else None,
            settled=bool(parts) and all(part.settled for part in parts),
            rows_confirmed=rows_confirmed,
            elapsed_s=elapsed_s,
            calls=calls,
            fetches=tuple(fetch for part in parts for fetch in part.fetches),
            file_deleted=bool(parts) and all(part.file_deleted for part in parts),
            parts=parts,
        )

    @property
    def differences(self) -> tuple[str, ...]:
        """What does not add up, a sentence each; empty when all does."""
        found = []
        if self.rows_read is not None and self.rows_sent is not None:
            ours = self.rows_sent + sum(self.rows_rejected.values()) + self.duplicates
            if self.rows_read != ours:
                found.append(f"{self.rows_read:,} rows were read, {ours:,} are accounted for")
        for part in self.parts:
            if part.bytes_counted is not None and part.bytes_sent != part.bytes_counted:
                prefix = f"part {part.number}: " if len(self.parts) > 1 else ""
                found.append(f"{prefix}{part.bytes_sent:,} bytes were sent, the vendor counts {part.bytes_counted:,}")
        if None not in (self.rows_confirmed, self.rows_sent) and self.rows_confirmed != self.rows_sent:
            found.append(f"{self.rows_sent:,} addresses were sent, {self.rows_confirmed:,} of them are in the list")
        return tuple(found)

    @property
    def adds_up(self) -> bool:
        """Every row was sent, rejected or a duplicate, and the vendor took the whole file, as far as it tells."""
        if self.differences:
            return False
        if self.rows_sent is None:
            return self.bytes_counted is not None
        return all(part.is_done and part.is_taken for part in self.parts)

    @property
    def fetched_whole(self) -> bool:
        """Each whole staged file was fetched."""
        return bool(self.parts) and all(is_whole(part.fetches) for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(FileReport)}
        plain["rows_rejected"] = dict(self.rows_rejected)
        plain["side_file"] = None if self.side_file is None else str(self.side_file)
        plain["before"], plain["after"] = counts_as_dict(self.before), counts_as_dict(self.after)
        plain["fetches"] = [fetch_as_dict(fetch) for fetch in self.fetches]
        plain["parts"] = [_part(part) for part in self.parts]
        told = {"adds_up": self.adds_up, "differences": list(self.differences)}
        return plain | told | {"elapsed_s": round(self.elapsed_s, 3)}

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        return "\n".join((*self.rows_as_lines(unknown="Columns that Ownpage does not take"), *_vendor_lines(self)))


def _vendor_lines(report: FileReport) -> list[str]:
    spent = f"{report.elapsed_s:,.1f} s, {report.calls} API calls"
    if report.rows_sent == 0:
        return ["Nothing was sent: there was no good row", spent]
    lines = _part_lines(report.parts) if len(report.parts) > 1 else [_file_line(report.file_id, report.status)]
    if report.before is not None and report.after is not None:
        lines.append(
            f"The list: {_of(report.before)} before, {_of(report.after)} after"
            f"{'' if report.settled else ', and still changing'}"
        )
    if report.rows_confirmed is not None:
        lines.append(f"In the list afterwards: {report.rows_confirmed:,} of the addresses")
    lines += [f"  ! {sentence}" for sentence in report.differences]
    lines.append("All counts add up" if report.adds_up else "The counts do NOT add up")
    if report.rows_sent is not None:
        what = "The staged file was" if len(report.parts) < 2 else "The staged files were"
        lines.append(f"{what} {'' if report.file_deleted else 'NOT '}deleted")
    return [*lines, spent]


def _file_line(file_id: int | None, status: str | None) -> str:
    if file_id is None:
        return "Which file it is was in an answer that was lost"
    return f"File {file_id}: {status or 'no status'}, which is the last that the vendor says of it"


def _part_lines(parts: Sequence[FilePart]) -> list[str]:
    return [
        f"Part {part.number}, rows {part.first_row:,} to {part.last_row:,}: "
        f"{f'file {part.file_id}' if part.file_id else 'no file known'}, "
        f"{part.status or 'no status'}{'' if part.is_done else ', NOT done'}"
        for part in parts
    ]


def _part(part: FilePart) -> dict[str, Any]:
    plain = {item.name: getattr(part, item.name) for item in fields(FilePart)}
    return plain | {"fetches": [fetch_as_dict(fetch) for fetch in part.fetches]}


def _of(counts: SubscriberCounts) -> str:
    return f"{counts.subscribed or 0:,} subscribed and {counts.unsubscribed or 0:,} unsubscribed"


def _counts_of(plain: Mapping[str, Any] | None) -> SubscriberCounts | None:
    return None if plain is None else SubscriberCounts(**plain)
