"""What every source of rows looks like to its reader: chunks of cells under a header."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import field, frozen

__all__ = ["Chunk", "RowSource", "columns_of"]


@frozen
class Chunk:
    """Some records, in the order of the source.

    Attributes:
        rows: The cells of each record; an empty list is a blank line.
        first_row: Row number of the first one as a person counts: the header is 1, a quoted newline begins no row.
        plain: No cell holds a line break or NUL: the fast way may be taken.
        faults: Index in `rows` → what is wrong with that record, where it could be read but not be believed.
    """

    rows: list[list[str]]
    first_row: int
    plain: bool
    faults: Mapping[int, str] = field(factory=dict)


@runtime_checkable
class RowSource(Protocol):
    """Rows under a header. Blocking, for worker threads, one at a time.

    Attributes:
        name: For reports: the file's name, ``stdin``, ``rows``.
        header: The columns' names.
        delimiter: What parts cells in a side file of this source.
        size_bytes: Its size; None where nobody knows before the end.
    """

    name: str
    header: list[str]
    delimiter: str
    size_bytes: int | None

    @property
    def read_bytes(self) -> int:
        """How much of it was read; where `size_bytes` is unknown, some measure of it."""
        ...

    def chunk(self, rows: int) -> Chunk | None:
        """Return up to `rows` records; None at the end."""
        ...

    def place(self, row: int) -> str:
        """Return a row's number as a person looks for it: ``17``, or ``b.csv:17``."""
        ...

    def write_dates(self, formats: Mapping[int, str]) -> None:
        """Write the dates of the columns at these indexes so (`strftime`); where dates are text already, do nothing."""
        ...

    def close(self) -> None:
        """Let go of it; doing it twice is harmless."""
        ...


def columns_of(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the columns of rows that are all of one width, their cells stripped; none where there is no row."""
    return [list(map(str.strip, column)) for column in zip(*rows, strict=True)]
