"""Tell where the rows of a source went: the half of a report that is ours, the same for both vendors."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from attrs import field, frozen

from ongage_async.errors import mask

__all__ = ["RowsReport"]


def _masked(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(mask(name) for name in names)


@frozen
class RowsReport:
    """Tell where the rows of one source went; names that hold an address are masked.

    Attributes:
        source: Name of the source.
        rows_read: Its records, without header and blank lines; None for a file that was sent unseen (`HostedFile`).
        rows_sent: Rows in the file that the vendor was given; None for one that was sent unseen.
        rows_rejected: Reason → rows in the side file.
        duplicates: Good rows left out because their address had come before.
        side_file: The rejected rows, to mend and load again; None when there are none.
        unknown_columns: Columns that the vendor does not take, left out.
    """

    source: str = field(converter=mask)
    rows_read: int | None = None
    rows_sent: int | None = None
    rows_rejected: Mapping[str, int] = field(factory=dict)
    duplicates: int = 0
    side_file: Path | None = None
    unknown_columns: tuple[str, ...] = field(default=(), converter=_masked)

    def rows_as_lines(self, *, unknown: str) -> list[str]:
        """Say it for people, some lines of text.

        Args:
            unknown: What the columns are that were left out.
        """
        if self.rows_read is None or self.rows_sent is None:
            return [f"{self.source}: sent as it is, its rows were not looked at"]
        rejected = sum(self.rows_rejected.values())
        sum_of = f"{self.rows_sent:,} sent + {rejected:,} rejected + {self.duplicates:,} duplicates"
        lines = [f"{self.source}: {self.rows_read:,} rows read = {sum_of}"]
        reasons = sorted(self.rows_rejected.items(), key=lambda reason: -reason[1])
        lines += [f"  {count:>9,}  {reason}" for reason, count in reasons]
        if self.side_file is not None:
            lines.append(f"Rejected rows, to mend and load again: {self.side_file}")
        if self.unknown_columns:
            lines.append(f"{unknown}, left out: {', '.join(self.unknown_columns)}")
        return lines
