"""Read a table as contacts, where the fields of the list are not known: each column fills the field of its name.

For the streams of `contacts.upsert_many`. A chunk of rows is checked and written as JSON column by column in a worker
thread, by functions that loop in C, as in `_clean.py`: there is no step of the event loop for a row, and no object but
its cells and its text.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, repeat
from json.encoder import encode_basestring
from typing import Any

import anyio
import anyio.to_thread

from ongage_async.bulk._fields import EMAIL, are_emails, is_email, name_columns, wrong_width
from ongage_async.bulk.sources._lot import Lot
from ongage_async.bulk.sources._rowsource import Chunk, RowSource, columns_of
from ongage_async.bulk.sources._sources import open_source
from ongage_async.models import NewContact

__all__ = ["BadRow", "ContactTable"]

ID = "id"
"""A column of this name holds the vendor's ids, as the key of a mapping does (`NewContact.of`); no field has it."""
AT_ONCE = 256
"""Rows that are looked at together; more of them would wake the garbage collector, as in `_clean.py`."""
CHUNKS, ENOUGH_BYTES, ENOUGH_S = 8, 128 * 1024, 0.003
"""What a worker thread reads before it comes back: a change of threads costs as much as a hundred rows."""


class BadRow(dict[str, str]):
    """A row that is no contact, by field: too few cells, a NUL byte, a quote that is never closed, no address.

    Attributes:
        place: Where it stands in the source.
        reason: What is wrong.
    """

    def __init__(self, cells: Mapping[str, str], place: str, reason: str) -> None:
        super().__init__(cells)
        self.place, self.reason = place, reason


class ContactTable:
    """Take the rows of a file or a data frame, some at a time, in memory that does not grow with it.

    An empty cell is null, as the vendor's own answers have it (vendor page §3.3). It is opened when the first row is
    asked for.

    Args:
        source: What `open_source` takes.
        encoding: As there.
        delimiter: As there.
        mapping: Column name → field name; None leaves the column out. The column of the addresses is found by its name.
    """

    def __init__(
        self,
        source: Any,
        *,
        encoding: str | None = None,
        delimiter: str | None = None,
        mapping: Mapping[str, str | None] | None = None,
    ) -> None:
        self._given, self._encoding, self._delimiter, self._mapping = source, encoding, delimiter, mapping or {}
        self._source: RowSource | None = None
        self._lots: deque[Lot] = deque()
        self._trouble: Exception | None = None
        self._reading = threading.Lock()
        self._closed = False

    async def take(self, _most: int, _first: int) -> Lot | None:
        """Return the next rows, without blank lines; None behind the last.

        Raises:
            CSVError: It cannot be used, or not be read on.
            ConfigurationError: It is nothing that holds rows, or the mapping does not fit it.
        """
        if not self._lots:
            self._lots.extend(await anyio.to_thread.run_sync(self._read))
        return self._lots.popleft() if self._lots else None

    def contact(self, row: Any, /) -> NewContact | None:
        """Return a row of a lot as a contact; None if it cannot be sent."""
        if isinstance(row, NewContact):
            return row
        if isinstance(row, BadRow):
            return None
        values = {name: cell.strip() or None for name, cell in zip(self._names, row, strict=True) if name is not None}
        contact_id = values.pop(ID, None)
        return NewContact(values.pop(EMAIL), values, contact_id)

    async def aclose(self) -> None:
        """Close the source, once nobody reads it: a cancelled caller does not stop its thread."""
        await anyio.to_thread.run_sync(self._close)

    def _close(self) -> None:
        with self._reading:
            self._closed = True
            if self._source is not None:
                self._source.close()

    def _open(self) -> RowSource:
        source = self._source = open_source(self._given, encoding=self._encoding, delimiter=self._delimiter)
        self._names = names = name_columns(source.header, self._mapping)
        self._email = names.index(EMAIL)
        fields = [(at, name) for at, name in enumerate(names) if name is not None and name not in (EMAIL, ID)]
        self._form, self._end = _form(self._email, fields)
        return source

    def _read(self) -> list[Lot]:
        """Read until it was worth the way; nothing at the end. The source's error comes behind the rows before it."""
        if self._trouble is not None:
            raise self._trouble
        lots: list[Lot] = []
        try:
            with self._reading:
                if not self._closed:
                    self._fill(lots, self._source or self._open())
        except Exception as error:
            if not lots:
                raise
            self._trouble = error
        return lots

    def _fill(self, lots: list[Lot], source: RowSource) -> None:
        began_s, began_bytes = time.monotonic(), source.read_bytes
        while (chunk := source.chunk(AT_ONCE)) is not None:
            if lot := self._lot(chunk, source):
                lots.append(lot)
            enough = len(lots) >= CHUNKS or source.read_bytes - began_bytes >= ENOUGH_BYTES
            if lots and (enough or time.monotonic() - began_s >= ENOUGH_S):
                break

    def _lot(self, chunk: Chunk, source: RowSource) -> Lot:
        """Return the rows of a chunk: as columns, or apart where some are bad."""
        rows = chunk.rows
        if not chunk.faults and set(map(len, rows)) == {len(self._names)}:
            columns = columns_of(rows)
            if are_emails(emails := columns[self._email]):
                return Lot(rows, list(map(str.lower, emails)), self._bodies(columns))
        return self._sorted(chunk, source)

    def _sorted(self, chunk: Chunk, source: RowSource) -> Lot:
        rows: list[Any] = []
        faults: dict[int, str] = {}
        for at, row in enumerate(chunk.rows):
            if row and (wrong := self._fault(chunk, at, row)):
                place = source.place(chunk.first_row + at)
                faults[len(rows)] = f"{place}: {wrong}"
                cells = {name: cell.strip() for name, cell in zip(self._names, row, strict=False) if name is not None}
                rows.append(BadRow(cells, place, wrong))
            elif row:
                rows.append(row)
        fit = [at not in faults for at in range(len(rows))]
        columns = columns_of(list(compress(rows, fit)))
        keys = iter(map(str.lower, columns[self._email] if columns else ()))
        bodies = iter(self._bodies(columns) if columns else ())
        return Lot(rows, [next(keys) if ok else "" for ok in fit], [next(bodies) if ok else "" for ok in fit], faults)

    def _fault(self, chunk: Chunk, at: int, row: Sequence[str]) -> str:
        if wrong := chunk.faults.get(at) or (wrong_width(row, self._names) if len(row) != len(self._names) else ""):
            return wrong
        email = row[self._email].strip()
        return "email: empty" if not email else "" if is_email(email) else "email: not an address"

    def _bodies(self, columns: Sequence[Sequence[str]]) -> list[str]:
        """Return each row as `as_json` would write its contact (`many/_intake.py`), but by columns."""
        pieces: list[Iterable[str]] = []
        for before, at in self._form:
            pieces += repeat(before), _written(columns[at])
        return list(map("".join, zip(*pieces, repeat(self._end), strict=False)))


def _form(email: int, fields: Sequence[tuple[int, str]]) -> tuple[list[tuple[str, int]], str]:
    """Return what stands before the value of each column in a row's JSON, with the column; and what ends it."""
    form, before = [('{"email":', email)], ',"overwrite":true,"fields":{'
    for at, name in fields:
        form.append((f"{before}{encode_basestring(name)}:", at))
        before = ","
    return form, "}}" if fields else f"{before}}}}}"


def _written(column: Sequence[str]) -> Iterable[str]:
    """Return the cells as JSON; what is empty is null."""
    whole = "".join(column)
    if len(encode_basestring(whole)) == len(whole) + 2:  # nothing in it needs a backslash
        return [f'"{cell}"' if cell else "null" for cell in column]
    return [encode_basestring(cell) if cell else "null" for cell in column]
