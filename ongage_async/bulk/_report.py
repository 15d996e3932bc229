"""Tell how a load ended: one value whose counts can be checked, for people and for programs.

No addresses and no URLs are in it. What does not add up is said, not hidden: the vendor's rule for its own counters is
contradictory (vendor page §4.4, §6.1 #9), so each known reading of it is tried before a difference is reported.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from ongage_async.bulk._ports import ImportSnapshot
from ongage_async.bulk._stage import Fetch
from ongage_async.errors import mask

__all__ = ["ImportReport", "VendorCounts", "find_differences"]


def _masked(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(mask(name) for name in names)


@frozen
class VendorCounts:
    """Hold the vendor's counters of an import; None where it gave none.

    Attributes:
        total: Rows it saw.
        success: Rows it loaded.
        failed: Rows it did not load.
        duplicate: Rows whose address came twice in the file.
        existing: Rows whose address was in the list.
        not_existing: Rows whose address was not in the list.
        incomplete: Rows without a mandatory value.
        invalid: Rows with a value it refused.
    """

    total: int | None = None
    success: int | None = None
    failed: int | None = None
    duplicate: int | None = None
    existing: int | None = None
    not_existing: int | None = None
    incomplete: int | None = None
    invalid: int | None = None

    @classmethod
    def of(cls, snapshot: ImportSnapshot) -> "VendorCounts":
        """Take the counters of an import."""
        return cls(**{name: getattr(snapshot, name) for name in _counters(cls)})


@frozen
class ImportReport:
    """Tell how the load of one source ended.

    Attributes:
        source: Name of the source.
        rows_read: Its records, without header and blank lines; None for a file that was sent unseen (`HostedFile`).
        rows_sent: Rows in the file that the vendor was given; None for one that was sent unseen.
        rows_rejected: Reason → rows in the side file.
        duplicates: Good rows left out because their address had come before.
        side_file: The rejected rows, to mend and load again; None when there are none.
        unknown_columns: Columns that the list lacks, left out.
        import_id: The vendor's id; None when there was no good row, so nothing was sent.
        status: The vendor's final status; None when nothing was sent.
        status_desc: The vendor's word for it.
        vendor: The vendor's counters.
        differences: What does not add up, a sentence each; empty when all does.
        elapsed_s: Seconds from the call to this report.
        calls: API calls that were made; None when the caller did not count.
        fetches: Who asked for the staged file, where the stage knows.
        file_deleted: The staged file cannot be fetched any more and our copies are gone.
    """

    source: str = field(converter=mask)
    rows_read: int | None
    rows_sent: int | None
    rows_rejected: Mapping[str, int] = field(factory=dict)
    duplicates: int = 0
    side_file: Path | None = None
    unknown_columns: tuple[str, ...] = field(default=(), converter=_masked)
    import_id: int | None = None
    status: int | None = None
    status_desc: str | None = None
    vendor: VendorCounts = field(factory=VendorCounts)
    differences: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    calls: int | None = None
    fetches: tuple[Fetch, ...] = ()
    file_deleted: bool = False

    @property
    def adds_up(self) -> bool:
        """Every row that was read was sent, rejected or a duplicate; and the vendor saw exactly the rows sent."""
        if self.rows_sent is None or self.rows_read is None:
            return self.vendor.total is not None and not self.differences
        ours = self.rows_read == self.rows_sent + sum(self.rows_rejected.values()) + self.duplicates
        return ours and (self.rows_sent == 0 or self.vendor.total == self.rows_sent)

    @property
    def fetched_once(self) -> bool:
        """One client took the whole file once, and nobody else asked for it."""
        return len(self.fetches) == 1 and self.fetches[0].status == 200 and self.fetches[0].complete

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(ImportReport)}
        plain["rows_rejected"] = dict(self.rows_rejected)
        plain["side_file"] = None if self.side_file is None else str(self.side_file)
        plain["vendor"] = {name: getattr(self.vendor, name) for name in _counters(VendorCounts)}
        plain["fetches"] = [_fetch(fetch) for fetch in self.fetches]
        return plain | {"adds_up": self.adds_up, "elapsed_s": round(self.elapsed_s, 3)}

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        return "\n".join((*_our_lines(self), *_vendor_lines(self), *_file_lines(self)))


def find_differences(rows_sent: int | None, vendor: VendorCounts) -> tuple[str, ...]:
    """Return what does not add up between our count of rows and the vendor's counters, a sentence each.

    Args:
        rows_sent: Rows in the file; None when nobody counted.
        vendor: The counters of the final snapshot.
    """
    if vendor.total is None:
        return ("the vendor gives no total",)
    found = []
    if rows_sent is not None and vendor.total != rows_sent:
        found.append(f"{rows_sent:,} rows were sent, the vendor counts {vendor.total:,}")
    parts = _readings(vendor)
    if vendor.total not in parts:
        found.append(
            f"the vendor's counters do not add up to its total of {vendor.total:,} under any reading: "
            f"success and failed make {parts[0]:,}, with duplicates {parts[1]:,}, with every kind {parts[2]:,}"
        )
    return tuple(found)


def _readings(vendor: VendorCounts) -> tuple[int, int, int]:
    """Return what the total may be made of (vendor page §4.4).

    Success and failed, says the help page; the sample (10 = 8 + 0 + 2) counts duplicates apart; and if these are apart,
    so may be the other kinds (*assumed*).
    """
    loaded = (vendor.success or 0) + (vendor.failed or 0)
    kinds = vendor.existing, vendor.not_existing, vendor.incomplete, vendor.invalid
    with_duplicates = loaded + (vendor.duplicate or 0)
    return loaded, with_duplicates, with_duplicates + sum(count or 0 for count in kinds)


def _our_lines(report: ImportReport) -> list[str]:
    if report.rows_read is None or report.rows_sent is None:
        return [f"{report.source}: sent as it is, its rows were not looked at"]
    rejected = sum(report.rows_rejected.values())
    sum_of = f"{report.rows_sent:,} sent + {rejected:,} rejected + {report.duplicates:,} duplicates"
    lines = [f"{report.source}: {report.rows_read:,} rows read = {sum_of}"]
    lines += [f"  {count:>9,}  {reason}" for reason, count in sorted(report.rows_rejected.items(), key=lambda r: -r[1])]
    if report.side_file is not None:
        lines.append(f"Rejected rows, to mend and load again: {report.side_file}")
    if report.unknown_columns:
        lines.append(f"Columns that the list lacks, left out: {', '.join(report.unknown_columns)}")
    return lines


def _vendor_lines(report: ImportReport) -> list[str]:
    if report.import_id is None:
        return ["Nothing was sent: there was no good row"]
    counts = {name: getattr(report.vendor, name) for name in _counters(VendorCounts)}
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count is not None)
    lines = [
        f"Import {report.import_id}: {report.status_desc or 'status'} ({report.status}) · {shown or 'no counters'}"
    ]
    lines += [f"  ! {sentence}" for sentence in report.differences]
    lines.append("All counts add up" if report.adds_up else "The counts do NOT add up")
    return lines


def _file_lines(report: ImportReport) -> list[str]:
    lines = []
    if report.fetches:
        whole = sum(fetch.complete and fetch.method == "GET" and fetch.status == 200 for fetch in report.fetches)
        clients = ", ".join(sorted({fetch.client or "unknown" for fetch in report.fetches}))
        times = "once" if len(report.fetches) == 1 else f"{len(report.fetches)} times"
        lines.append(f"The file was asked for {times} (whole: {whole}) by {clients}")
    if report.import_id is not None and report.rows_sent is not None:
        lines.append("The staged file was deleted" if report.file_deleted else "The staged file was NOT deleted")
    spent = "" if report.calls is None else f", {report.calls} API calls"
    return [*lines, f"{report.elapsed_s:,.1f} s{spent}"]


def _fetch(fetch: Fetch) -> dict[str, Any]:
    plain = {item.name: getattr(fetch, item.name) for item in fields(Fetch)}
    return plain | {"at": fetch.at.isoformat()}


def _counters(kind: type[VendorCounts]) -> list[str]:
    return [item.name for item in fields(kind)]
