"""Tell how the load of a file ended: counts that can be checked, for people and for programs.

The vendor gives no status and no counters for a file (vendor page §5, unknown). What can be known is said: our own
rows, the bytes that the vendor counted, who fetched them, the list's counts before and after, and, on request, how many
of the addresses are in the list. No addresses and no URLs are in it.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from ongage_async.bulk import Fetch
from ongage_async.errors import mask
from ongage_async.models.ownpage import SubscriberCounts

__all__ = ["FileReport"]


def _masked(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(mask(name) for name in names)


@frozen(kw_only=True)
class FileReport:
    """Tell how the load of one source ended.

    Attributes:
        source: Name of the source.
        rows_read: Its records, without header and blank lines; None for a file that was sent unseen (`HostedFile`).
        rows_sent: Rows in the file that the vendor was given; None for one that was sent unseen.
        rows_rejected: Reason → rows in the side file.
        duplicates: Good rows left out because their address had come before.
        side_file: The rejected rows, to mend and load again; None when there are none.
        unknown_columns: Columns that Ownpage does not take, left out.
        file_id: The vendor's id; None when there was no good row, so nothing was sent.
        status: The vendor's word when it took the file, ``uploaded``; it gives none later.
        bytes_sent: Size of the file that the vendor was given; None for one that was sent unseen.
        bytes_counted: Size by the vendor's count; None when it gave none.
        before: The list's counts before.
        after: The list's counts at the end.
        settled: Whether the counts stood still at the end for as long as was asked.
        rows_confirmed: Addresses of the file that are in the list afterwards; None when nobody looked.
        elapsed_s: Seconds from the call to this report.
        calls: API calls that were made.
        fetches: Who asked for the staged file, where the stage knows.
        file_deleted: The staged file cannot be fetched any more and our copies are gone.
    """

    source: str = field(converter=mask)
    rows_read: int | None = None
    rows_sent: int | None = None
    rows_rejected: Mapping[str, int] = field(factory=dict)
    duplicates: int = 0
    side_file: Path | None = None
    unknown_columns: tuple[str, ...] = field(default=(), converter=_masked)
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

    @property
    def differences(self) -> tuple[str, ...]:
        """What does not add up, a sentence each; empty when all does."""
        found = []
        if self.rows_read is not None and self.rows_sent is not None:
            ours = self.rows_sent + sum(self.rows_rejected.values()) + self.duplicates
            if self.rows_read != ours:
                found.append(f"{self.rows_read:,} rows were read, {ours:,} are accounted for")
        if None not in (self.bytes_sent, self.bytes_counted) and self.bytes_sent != self.bytes_counted:
            found.append(f"{self.bytes_sent:,} bytes were sent, the vendor counts {self.bytes_counted:,}")
        if None not in (self.rows_confirmed, self.rows_sent) and self.rows_confirmed != self.rows_sent:
            found.append(f"{self.rows_sent:,} addresses were sent, {self.rows_confirmed:,} of them are in the list")
        return tuple(found)

    @property
    def adds_up(self) -> bool:
        """Every row was sent, rejected or a duplicate, and the vendor took the whole file, as far as it tells."""
        if self.differences:
            return False
        return self.file_id is None or self.bytes_counted is not None or self.fetched_whole

    @property
    def fetched_whole(self) -> bool:
        """The whole staged file was fetched."""
        return any(fetch.complete and fetch.method == "GET" and fetch.status == 200 for fetch in self.fetches)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(FileReport)}
        plain["rows_rejected"] = dict(self.rows_rejected)
        plain["side_file"] = None if self.side_file is None else str(self.side_file)
        plain["before"], plain["after"] = _counts(self.before), _counts(self.after)
        plain["fetches"] = [_fetch(fetch) for fetch in self.fetches]
        told = {"adds_up": self.adds_up, "differences": list(self.differences)}
        return plain | told | {"elapsed_s": round(self.elapsed_s, 3)}

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        return "\n".join((*_our_lines(self), *_vendor_lines(self)))


def _our_lines(report: FileReport) -> list[str]:
    if report.rows_read is None or report.rows_sent is None:
        return [f"{report.source}: sent as it is, its rows were not looked at"]
    rejected = sum(report.rows_rejected.values())
    sum_of = f"{report.rows_sent:,} sent + {rejected:,} rejected + {report.duplicates:,} duplicates"
    lines = [f"{report.source}: {report.rows_read:,} rows read = {sum_of}"]
    lines += [f"  {count:>9,}  {reason}" for reason, count in sorted(report.rows_rejected.items(), key=lambda r: -r[1])]
    if report.side_file is not None:
        lines.append(f"Rejected rows, to mend and load again: {report.side_file}")
    if report.unknown_columns:
        lines.append(f"Columns that Ownpage does not take, left out: {', '.join(report.unknown_columns)}")
    return lines


def _vendor_lines(report: FileReport) -> list[str]:
    spent = f"{report.elapsed_s:,.1f} s, {report.calls} API calls"
    if report.file_id is None:
        return ["Nothing was sent: there was no good row", spent]
    lines = [f"File {report.file_id}: {report.status or 'no status'}, which is the last that the vendor says of it"]
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
        lines.append("The staged file was deleted" if report.file_deleted else "The staged file was NOT deleted")
    return [*lines, spent]


def _of(counts: SubscriberCounts) -> str:
    return f"{counts.subscribed or 0:,} subscribed and {counts.unsubscribed or 0:,} unsubscribed"


def _counts(counts: SubscriberCounts | None) -> dict[str, Any] | None:
    if counts is None:
        return None
    return {"subscribed": counts.subscribed, "unsubscribed": counts.unsubscribed, "causes": dict(counts.causes or {})}


def _fetch(fetch: Fetch) -> dict[str, Any]:
    plain = {item.name: getattr(fetch, item.name) for item in fields(Fetch)}
    return plain | {"at": fetch.at.isoformat()}
