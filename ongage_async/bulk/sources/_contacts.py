"""Read a table as contacts, where the fields of the list are not known: each column fills the field of its name.

For the streams of `contacts.upsert_many`. A chunk of rows is read, stripped and checked column by column in a worker
thread, by functions that loop in C, as in `_clean.py`: there is no step of the event loop for a row.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import anyio
import anyio.to_thread

from ongage_async.bulk._fields import EMAIL, are_emails, is_email, name_columns, wrong_width
from ongage_async.bulk.sources._rowsource import Chunk, RowSource
from ongage_async.bulk.sources._sources import open_source
from ongage_async.models import NewContact

__all__ = ["BadRow", "contacts_of"]

ID = "id"
"""A column of this name holds the vendor's ids, as the key of a mapping does (`NewContact.of`); no field has it."""
AT_ONCE = 256
"""Rows that a worker thread reads at a time; more of them would wake the garbage collector, as in `_clean.py`."""


class BadRow(dict[str, str]):
    """A row that is no contact, by field: too few cells, a NUL byte, a quote that is never closed, no address.

    Attributes:
        place: Where it stands in the source.
        reason: What is wrong.
    """

    def __init__(self, cells: Mapping[str, str], place: str, reason: str) -> None:
        super().__init__(cells)
        self.place, self.reason = place, reason


async def contacts_of(
    source: Any,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    mapping: Mapping[str, str | None] | None = None,
) -> AsyncGenerator[list[NewContact | BadRow]]:
    """Iterate over the rows of a file or a data frame, some at a time, in memory that does not grow with it.

    An empty cell is null, as the vendor's own answers have it (vendor page §3.3).

    Args:
        source: What `open_source` takes.
        encoding: As there.
        delimiter: As there.
        mapping: Column name → field name; None leaves the column out. The column of the addresses is found by its name.

    Raises:
        CSVError: It cannot be used, or not be read on.
        ConfigurationError: It is nothing that holds rows, or `mapping` does not fit it.
    """
    opened = await anyio.to_thread.run_sync(lambda: open_source(source, encoding=encoding, delimiter=delimiter))
    try:
        table = _Table(opened, name_columns(opened.header, mapping or {}))
        while (rows := await anyio.to_thread.run_sync(table.read)) is not None:
            yield rows
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(opened.close)


class _Table:
    """A source, with the fields that its columns fill."""

    def __init__(self, source: RowSource, names: Sequence[str | None]) -> None:
        self._source, self._names = source, names
        self._email = names.index(EMAIL)
        self._id = names.index(ID) if ID in names else None
        self._fields = [(at, name) for at, name in enumerate(names) if name is not None and name not in (EMAIL, ID)]

    def read(self) -> list[NewContact | BadRow] | None:
        """Return the next rows, without blank lines; None at the end."""
        chunk = self._source.chunk(AT_ONCE)
        if chunk is None:
            return None
        if not chunk.faults and set(map(len, chunk.rows)) == {len(self._names)}:
            columns = [list(map(str.strip, column)) for column in zip(*chunk.rows, strict=True)]
            if are_emails(emails := columns[self._email]):
                ids = repeat(None) if self._id is None else [cell or None for cell in columns[self._id]]
                return list(map(NewContact, emails, self._fields_of(columns), ids))
        return [self._row(chunk, index, row) for index, row in enumerate(chunk.rows) if row]

    def _fields_of(self, columns: Sequence[Sequence[str]]) -> Iterator[dict[str, str | None]]:
        """Yield the fields of each row, for ever where there are only addresses."""
        names = [name for _, name in self._fields]
        cells = [[cell or None for cell in columns[at]] for at, _ in self._fields]
        rows = zip(*cells, strict=True) if cells else repeat(())
        return (dict(zip(names, row, strict=True)) for row in rows)

    def _row(self, chunk: Chunk, index: int, row: Sequence[str]) -> NewContact | BadRow:
        cells = {name: cell.strip() for name, cell in zip(self._names, row, strict=False) if name is not None}
        wrong = chunk.faults.get(index) or (wrong_width(row, self._names) if len(row) != len(self._names) else "")
        email = cells.get(EMAIL, "")
        if wrong := wrong or _wrong_address(email):
            return BadRow(cells, self._source.place(chunk.first_row + index), wrong)
        values = {name: cell or None for name, cell in cells.items()}
        contact_id = values.pop(ID, None)
        return NewContact(values.pop(EMAIL), values, contact_id)


def _wrong_address(email: str) -> str:
    if not email:
        return "email: empty"
    return "" if is_email(email) else "email: not an address"
