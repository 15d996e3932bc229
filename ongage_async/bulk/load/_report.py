"""Tell how a load ended: one value whose counts can be checked, for people and for programs.

No addresses and no URLs are in it. What does not add up is said, not hidden: the vendor's rule for its own counters is
contradictory (vendor page §4.4, §6.1 #9), so each known reading of it is tried before a difference is reported.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import field, fields, frozen

from ongage_async.bulk._ports import ImportSnapshot
from ongage_async.bulk.load._journal import FAILED_FROM, PartStanding, Standing, legible
from ongage_async.bulk.load._rows_report import RowsReport
from ongage_async.bulk.stages._stage import Fetch

__all__ = ["ImportReport", "PartReport", "VendorCounts", "fetch_as_dict", "find_differences"]


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

    @classmethod
    def sum(cls, all_counts: Iterable["VendorCounts"]) -> "VendorCounts":
        """Add counters up; one that is missing everywhere stays None."""
        several = list(all_counts)
        columns = {name: [getattr(counts, name) for counts in several] for name in _counters(cls)}
        known = {name: [count for count in column if count is not None] for name, column in columns.items()}
        return cls(**{name: sum(column) if column else None for name, column in known.items()})

    def as_dict(self) -> dict[str, int | None]:
        """Return them as plain JSON values."""
        return {name: getattr(self, name) for name in _counters(VendorCounts)}


@frozen
class PartReport:
    """Tell how one part of a load ended.

    Attributes:
        number: 1, 2, 3, …
        rows: Its rows.
        first_row: Number in the source of its first row; the header is row 1.
        last_row: The same of its last row.
        import_id: The vendor's id; None while it has none.
        status: The vendor's final status; None while there is none.
        status_desc: The vendor's word for it.
        vendor: The vendor's counters.
        fetches: Who asked for the staged file, where the stage knows.
        is_fetch_log_known: Whether the stage knows.
        file_deleted: The staged file cannot be fetched any more.
    """

    number: int
    rows: int
    first_row: int
    last_row: int
    import_id: int | None = None
    status: int | None = None
    status_desc: str | None = None
    vendor: VendorCounts = field(factory=VendorCounts)
    fetches: tuple[Fetch, ...] = ()
    is_fetch_log_known: bool = False
    file_deleted: bool = False

    @classmethod
    def of(cls, planned: Mapping[str, Any], standing: PartStanding) -> "PartReport":
        """Read it from a journal: the facts of its plan, and what its lines add up to."""
        ending, cleaning = standing.ending or {}, standing.cleaning or {}
        return cls(
            number=planned["number"],
            rows=planned["rows"],
            first_row=planned["first_row"],
            last_row=planned["last_row"],
            import_id=standing.import_id,
            status=ending.get("status"),
            status_desc=ending.get("status_desc"),
            vendor=VendorCounts(**ending.get("counts", {})),
            fetches=tuple(fetch_of(fetch) for fetch in cleaning.get("fetches") or ()),
            is_fetch_log_known=cleaning.get("fetches") is not None,
            file_deleted=bool(cleaning.get("file_deleted")),
        )

    @property
    def is_failed(self) -> bool:
        """Its import ended with an error."""
        return self.status is not None and self.status >= FAILED_FROM

    @property
    def is_accounted_for(self) -> bool:
        """The vendor saw its rows, no more and no fewer, and says what became of each."""
        return self.vendor.total == self.rows and not self.outcomes["unknown"]

    @property
    def is_fetched_once(self) -> bool:
        """One client took the whole file once, and nobody else asked for it."""
        return len(self.fetches) == 1 and self.fetches[0].status == 200 and self.fetches[0].complete

    @property
    def outcomes(self) -> dict[str, int]:
        """What became of its rows; see `ImportReport.outcomes`."""
        vendor = self.vendor
        kinds = vendor.existing, vendor.not_existing, vendor.incomplete, vendor.invalid
        rejected = max(sum(count or 0 for count in kinds), (vendor.failed or 0) - (vendor.duplicate or 0))
        told = {"loaded": vendor.success or 0, "rejected": rejected, "duplicate": vendor.duplicate or 0}
        left, found = self.rows, {}
        for name, count in told.items():  # where the vendor counts more rows than it was given, ours is the sum
            found[name] = min(count, left)
            left -= found[name]
        return {**found, "unknown": left}

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(PartReport)}
        return plain | {"vendor": self.vendor.as_dict(), "fetches": [fetch_as_dict(fetch) for fetch in self.fetches]}


@frozen
class ImportReport(RowsReport):
    """Tell how the load of one source ended: where its rows went (`RowsReport`), and what the vendor made of them.

    Attributes:
        import_id: The vendor's id, the first part's; None when there was no good row, so nothing was sent.
        status: The vendor's final status, of the first part that failed if one did; None when nothing was sent.
        status_desc: The vendor's word for it.
        vendor: The vendor's counters, of all parts together.
        differences: What does not add up, a sentence each; empty when all does.
        elapsed_s: Seconds from the call to this report; of the last run, where a load was resumed.
        calls: API calls that were made, likewise; None when the caller did not count.
        fetches: Who asked for the staged files, where the stage knows.
        file_deleted: No staged file can be fetched any more and our copies are gone.
        parts: The parts, one by one; empty for a file that was sent unseen.
        road: ``import``; or ``calls``, of up to 100 contacts: then there is no import, no file and no vendor's status,
            and `vendor` counts what the calls told row by row.
        refused_files: Rows that the vendor refused, one JSON object a line, to mend and send again; by calls only,
            since of an import the vendor tells counts alone.
    """

    import_id: int | None = None
    status: int | None = None
    status_desc: str | None = None
    vendor: VendorCounts = field(factory=VendorCounts)
    differences: tuple[str, ...] = ()
    elapsed_s: float = 0.0
    calls: int | None = None
    fetches: tuple[Fetch, ...] = ()
    file_deleted: bool = False
    parts: tuple[PartReport, ...] = ()
    road: str = "import"
    refused_files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, standing: Standing, *, elapsed_s: float, calls: int | None) -> "ImportReport":
        """Read it from a journal.

        Args:
            standing: What the journal's lines add up to; there is a plan in it.
            elapsed_s: Seconds that the run took.
            calls: API calls of the run.
        """
        plan = standing.plan or {}
        parts = tuple(PartReport.of(part, standing.parts[part["number"]]) for part in plan["parts"])
        refused = [(part.ending or {}).get("refused") for part in standing.parts.values()]
        shown = next((part for part in parts if part.is_failed), parts[-1] if parts else None)
        return cls(
            source=plan["source"],
            rows_read=plan["rows_read"],
            rows_sent=plan["rows_clean"],
            rows_rejected=plan["rejected"],
            duplicates=plan["duplicates"],
            side_file=Path(plan["side_file"]) if plan["side_file"] else None,
            unknown_columns=tuple(plan["unknown_columns"]),
            import_id=parts[0].import_id if parts else None,
            status=shown.status if shown else None,
            status_desc=shown.status_desc if shown else None,
            vendor=VendorCounts.sum(part.vendor for part in parts),
            differences=tuple(_differences(parts)),
            elapsed_s=elapsed_s,
            calls=calls,
            fetches=tuple(fetch for part in parts for fetch in part.fetches),
            file_deleted=bool(parts) and all(part.file_deleted for part in parts),
            parts=parts,
            road=plan.get("road", "import"),
            refused_files=tuple(Path(path) for path in refused if path),
        )

    @property
    def outcomes(self) -> dict[str, int]:
        """How the rows ended; the counts add up to `rows_read`.

        ``loaded`` (created, updated or revived: the vendor's counters do not tell these apart, vendor page §4.4),
        ``rejected`` (by us, see `rows_rejected`, or by the vendor, see `vendor`), ``duplicate``, ``unknown`` (sent, and
        nobody accounted for it).
        """
        ours = {"loaded": 0, "rejected": sum(self.rows_rejected.values()), "duplicate": self.duplicates, "unknown": 0}
        return {name: count + sum(part.outcomes[name] for part in self.parts) for name, count in ours.items()}

    @property
    def adds_up(self) -> bool:
        """Every row that was read was sent, rejected or a duplicate; and the vendor accounts for just the rows sent."""
        if self.rows_sent is None or self.rows_read is None:
            return self.vendor.total is not None and not self.differences
        ours = self.rows_read == self.rows_sent + sum(self.rows_rejected.values()) + self.duplicates
        theirs = self.rows_sent == 0 or self.vendor.total == self.rows_sent
        return ours and theirs and all(part.is_accounted_for for part in self.parts)

    @property
    def fetched_once(self) -> bool:
        """One client took each whole file once, and nobody else asked for it."""
        return bool(self.parts) and all(part.is_fetched_once for part in self.parts)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        plain = {item.name: getattr(self, item.name) for item in fields(ImportReport)}
        plain["rows_rejected"] = dict(self.rows_rejected)
        plain["side_file"] = None if self.side_file is None else str(self.side_file)
        plain["vendor"] = self.vendor.as_dict()
        plain["fetches"] = [fetch_as_dict(fetch) for fetch in self.fetches]
        plain["parts"] = [part.as_dict() for part in self.parts]
        plain["refused_files"] = [str(path) for path in self.refused_files]
        return plain | {"outcomes": self.outcomes, "adds_up": self.adds_up, "elapsed_s": round(self.elapsed_s, 3)}

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return legible(json.dumps(self.as_dict(), indent=2, ensure_ascii=False))

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        return legible(
            "\n".join(
                (*self.rows_as_lines(unknown="Columns that the list lacks"), *_vendor_lines(self), *_file_lines(self))
            )
        )


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


def _vendor_lines(report: ImportReport) -> list[str]:
    if not report.parts and report.import_id is None:
        return ["Nothing was sent: there was no good row"]
    if report.road == "calls":
        lines = [f"By calls: {_counters_of(report)}"]
        lines += [f"Rows that the vendor refused, to mend and send again: {path}" for path in report.refused_files]
    else:
        lines = [_import_line(f"Import {report.import_id}", report)] if len(report.parts) < 2 else _part_lines(report)
    lines += [f"  ! {sentence}" for sentence in report.differences]
    lines.append("All counts add up" if report.adds_up else "The counts do NOT add up")
    return lines


def _part_lines(report: ImportReport) -> list[str]:
    spans = (f"Part {part.number}, rows {part.first_row:,} to {part.last_row:,}" for part in report.parts)
    lines = [
        _import_line(f"{span}: import {part.import_id}" if part.import_id else f"{span}: no import", part)
        for span, part in zip(spans, report.parts, strict=True)
    ]
    return [*lines, _import_line(f"All {len(report.parts)} parts", report)]


def _import_line(title: str, ended: ImportReport | PartReport) -> str:
    return f"{title}: {ended.status_desc or 'status'} ({ended.status}) · {_counters_of(ended)}"


def _counters_of(ended: ImportReport | PartReport) -> str:
    counts = {name: count for name, count in ended.vendor.as_dict().items() if count or name in ("total", "success")}
    return ", ".join(f"{name} {count:,}" for name, count in counts.items() if count is not None) or "no counters"


def _differences(parts: Sequence[PartReport]) -> Iterator[str]:
    for part in parts:
        if part.status is not None:
            prefix = f"part {part.number}: " if len(parts) > 1 else ""
            yield from (f"{prefix}{sentence}" for sentence in find_differences(part.rows, part.vendor))


def _file_lines(report: ImportReport) -> list[str]:
    lines = []
    if report.fetches:
        whole = sum(fetch.complete and fetch.method == "GET" and fetch.status == 200 for fetch in report.fetches)
        clients = ", ".join(sorted({fetch.client or "unknown" for fetch in report.fetches}))
        times = "once" if len(report.fetches) == 1 else f"{len(report.fetches)} times"
        known = sum(part.is_fetch_log_known for part in report.parts)
        what = "The file was" if len(report.parts) < 2 else f"The files of {known} parts were"
        rest = "" if known == len(report.parts) else "; who asked for the others, a run knew that was stopped"
        lines.append(f"{what} asked for {times} (whole: {whole}) by {clients}{rest}")
    if report.import_id is not None and report.rows_sent is not None:
        what = "The staged file was" if len(report.parts) < 2 else "The staged files were"
        lines.append(f"{what} {'' if report.file_deleted else 'NOT '}deleted")
    spent = "" if report.calls is None else f", {report.calls} API calls"
    return [*lines, f"{report.elapsed_s:,.1f} s{spent}"]


def fetch_as_dict(fetch: Fetch) -> dict[str, Any]:
    """Return it as plain JSON values."""
    plain = {item.name: getattr(fetch, item.name) for item in fields(Fetch)}
    return plain | {"at": fetch.at.isoformat()}


def fetch_of(plain: Mapping[str, Any]) -> Fetch:
    """Return what `fetch_as_dict` was made of."""
    return Fetch(**{**plain, "at": dt.datetime.fromisoformat(plain["at"])})


def _counters(kind: type[VendorCounts]) -> list[str]:
    return [item.name for item in fields(kind)]
