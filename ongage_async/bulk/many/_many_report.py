"""Tell what became of many rows: counts that add up, in flat memory, and the rejected rows in a file to mend.

No address is in the report; the side file holds the rows as they were given. `_many.py` fills both.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

from attrs import define, field, frozen

from ongage_async.bulk.many._cargo import Settled
from ongage_async.errors import InvalidInputError, StagingError, mask
from ongage_async.models import NewContact, RowKind, RowOutcome

__all__ = ["ManyReport", "SideFile", "Tally"]

MOST_REASONS = 100
MOST_REJECTED = 1_000
OTHER_REASONS = "other reasons"
_LONGEST_REASON = 200
_kind = itemgetter(0)


@frozen(kw_only=True)
class ManyReport:
    """Tell what became of the rows of a stream.

    Attributes:
        operation: ``contacts.upsert_many`` or its like.
        rows_read: Rows that were taken from the source, those of an earlier run included.
        counts: Rows of each kind; all kinds are there and the numbers add up to `rows_read`.
        reasons: Reason → rejected rows, the first 100 reasons; addresses are masked.
        rejected: The first 1,000 rejected rows of this run; the side file has all of them.
        side_file: All rejected rows, to mend and send again; None when none was asked for, or none was rejected.
        calls: Calls that were made by this run; repeats of the engine's are not counted.
        rows_resumed: Rows that an earlier run with the same journal had settled.
        elapsed_s: Seconds that this run took.
    """

    operation: str
    rows_read: int = 0
    counts: Mapping[RowKind, int] = field(factory=dict)
    reasons: Mapping[str, int] = field(factory=dict)
    rejected: tuple[RowOutcome, ...] = field(default=(), repr=False)
    side_file: Path | None = None
    calls: int = 0
    rows_resumed: int = 0
    elapsed_s: float = 0.0

    @property
    def adds_up(self) -> bool:
        """Every row that was read has its outcome."""
        return self.rows_read == sum(self.counts.values())

    @property
    def is_complete(self) -> bool:
        """The vendor has taken every row: none is rejected, unknown or not sent."""
        open_kinds = (RowKind.REJECTED, RowKind.UNKNOWN, RowKind.NOT_SENT)
        return self.adds_up and not any(self.counts.get(kind) for kind in open_kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values, without addresses."""
        return {
            "operation": self.operation,
            "rows_read": self.rows_read,
            "counts": {kind.value: count for kind, count in self.counts.items()},
            "reasons": dict(self.reasons),
            "rejected": [{"row": row.index + 1, "reason": mask(row.reason or "")} for row in self.rejected],
            "side_file": None if self.side_file is None else str(self.side_file),
            "calls": self.calls,
            "rows_resumed": self.rows_resumed,
            "elapsed_s": round(self.elapsed_s, 3),
            "adds_up": self.adds_up,
            "is_complete": self.is_complete,
        }

    def as_json(self) -> str:
        """Return it as a JSON document."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def as_text(self) -> str:
        """Return it for people, some lines of text."""
        told = [f"{count:,} {kind.value.replace('_', ' ')}" for kind, count in self.counts.items() if count]
        lines = [f"{self.operation}: {self.rows_read:,} rows read = {' + '.join(told) or '0'}"]
        lines += [f"  {count:>9,}  {reason}" for reason, count in sorted(self.reasons.items(), key=lambda one: -one[1])]
        if self.rows_resumed:
            lines.append(f"{self.rows_resumed:,} of them were settled by an earlier run")
        if self.side_file is not None:
            lines.append(f"Rejected rows, to mend and send again: {self.side_file}")
        lines.append("All counts add up" if self.adds_up else "The counts do NOT add up")
        return "\n".join([*lines, f"{self.elapsed_s:,.1f} s, {self.calls:,} API calls"])


@define
class Tally:
    """Count outcomes as they come.

    Attributes:
        counts: Rows of each kind.
        reasons: Reason → rejected rows, of at most 100 reasons and all others together.
        rejected: The first 1,000 rejected rows.
    """

    counts: Counter[RowKind] = field(factory=Counter)
    reasons: Counter[str] = field(factory=Counter)
    rejected: list[RowOutcome] = field(factory=list)

    def take(self, settled: Iterable[Settled]) -> None:
        """Count some rows."""
        for each in settled:
            kinds = list(map(_kind, each.verdicts))
            self.counts.update(kinds)
            for at, rows in each.cargo.shared.items():
                self.counts[each.earlier(kinds[at])] += len(rows) - 1
            if RowKind.REJECTED in kinds:
                for outcome in each.outcomes(RowKind.REJECTED):
                    self._refuse(outcome)

    def _refuse(self, outcome: RowOutcome) -> None:
        self._blame(mask(outcome.reason or "no reason given")[:_LONGEST_REASON], 1)
        if len(self.rejected) < MOST_REJECTED:
            self.rejected.append(outcome)

    def add(self, counts: Mapping[str, int], reasons: Mapping[str, int]) -> None:
        """Count what an earlier run has counted."""
        self.counts.update({RowKind(kind): count for kind, count in counts.items()})
        for reason, count in reasons.items():
            self._blame(reason, count)

    def _blame(self, reason: str, rows: int) -> None:
        known = reason in self.reasons or len(self.reasons) < MOST_REASONS
        self.reasons[reason if known else OTHER_REASONS] += rows


@define(eq=False)
class SideFile:
    """Write rejected rows, a JSON object a line: ``{"row": 17, "reason": "…", "contact": {…}}``; made when one comes.

    Blocking: for worker threads.

    Args:
        path: Where; an existing file is refused, unless `size` says how much of it an earlier run has written.
    """

    path: Path
    size: int = 0
    _file: BinaryIO | None = None

    def open(self, size: int | None) -> None:
        """Look at the place.

        Args:
            size: Bytes that an earlier run's journal vouches for; None without one. More than that is cut off: it
                belongs to rows that are sent again.

        Raises:
            InvalidInputError: The file exists, and is not an earlier run's.
            StagingError: It cannot be written.
        """
        try:
            if not self.path.exists():
                self.size = 0
                return
            if size is None:
                raise InvalidInputError(f"side_file {self.path.name} exists: give another name, or remove it")
            os.truncate(self.path, min(size, self.path.stat().st_size))
            self.size = min(size, self.path.stat().st_size)
        except OSError as error:
            raise StagingError(f"the side file cannot be written: {error.strerror}") from error

    def write(self, rows: Iterable[tuple[RowOutcome, Any]]) -> None:
        """Add rows, and have them safe on the disk.

        Raises:
            StagingError: The disk refuses.
        """
        lines = [_line(outcome, row) for outcome, row in rows]
        if not lines:
            return
        try:
            if self._file is None:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # it holds addresses
                self._file = os.fdopen(handle, "ab")
            self._file.write(b"".join(lines))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.size = self._file.tell()
        except OSError as error:
            raise StagingError(f"the side file could not be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(outcome: RowOutcome, row: Any) -> bytes:
    told = {"row": outcome.index + 1, "reason": outcome.reason, "contact": _plain(row)}
    return json.dumps(told, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n"


def _plain(row: Any) -> Any:
    if isinstance(row, NewContact):
        named = {"email": row.email} if row.email is not None else {"id": row.id}
        return {**named, "fields": dict(row.fields)}
    return dict(row) if isinstance(row, Mapping) else row
