"""Rows that come as Python values: mappings, contacts, and what `_arrow.py` and `_spool.py` read.

Here values become text, as a CSV file of the vendor's would have it. Which field a column belongs to and whether the
text is good are questions for `_fields.py`.
"""

import csv
import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from attrs import frozen

from ongage_async.bulk.sources._rowsource import Chunk
from ongage_async.models import NewContact

__all__ = ["TypedSource", "Unfit", "UnfitError", "as_mapping", "as_text", "open_mappings"]

PEEK_ROWS = 1_000
"""Mappings that are looked at to learn the columns."""
DAY, MOMENT = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


class UnfitError(ValueError):
    """A value that no cell can hold."""


@frozen
class Unfit:
    """What a spooled file keeps of such a value."""

    reason: str
    text: str

    def __str__(self) -> str:
        return self.text


def as_text(value: object, date_format: str | None = None) -> str:
    """Return a value as the text of a cell.

    None, NaN and pandas' NA and NaT are empty. Whole floats lose their ``.0``, which columns with gaps give to
    integers. A time with a zone is written as its own clock shows it.

    Args:
        value: Text, a number, a boolean (``true``, ``false``), a date or a time, an enum of these, a UUID.
        date_format: How a date is written, as `strftime` wants it; None: ``2024-12-31``.

    Raises:
        UnfitError: It is something else.
    """
    match value:
        case enum.Enum():
            return as_text(value.value, date_format)
        case bool():
            return "true" if value else "false"
        case str() | int() | uuid.UUID() | dt.time():
            return str(value)
        case float() | Decimal():
            return _number(value)
        case dt.date():
            return _date(value, date_format)
        case Unfit():
            raise UnfitError(value.reason)
    return _stranger(value, date_format)


def _stranger(value: object, date_format: str | None) -> str:
    kind = type(value).__name__
    if kind in ("NoneType", "NAType"):
        return ""
    if callable(item := getattr(value, "item", None)) and getattr(value, "shape", None) == ():  # a scalar of numpy
        return as_text(item(), date_format)
    raise UnfitError(f"{_a(kind)}: a cell holds one text, number, boolean or date")


def _number(value: float | Decimal) -> str:
    if value != value:
        return ""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise UnfitError("an infinite number")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return format(exact, "f")


def _date(value: dt.date, date_format: str | None) -> str:
    if value != value:
        return ""
    return value.strftime(date_format or (MOMENT if isinstance(value, dt.datetime) else DAY))


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def as_mapping(item: object, number: int) -> Mapping[str, Any]:
    """Return a mapping, or a contact, as values by column.

    Raises:
        InvalidInputError: It is neither.
    """
    if not isinstance(item, Mapping):
        item = NewContact.of(item, number)  # type: ignore[arg-type]  # it raises for what is no contact
        return {"email": item.email, **item.fields}
    if isinstance(fields := item.get("fields"), Mapping):
        return {**{key: value for key, value in item.items() if key not in ("fields", "overwrite", "id")}, **fields}
    return item


def open_mappings(items: Iterable[Any]) -> "TypedSource":
    """Open mappings or contacts; the columns are the keys of the first thousand."""
    rows = (as_mapping(item, number) for number, item in enumerate(items, 1))
    first = list(islice(rows, PEEK_ROWS))
    header = list(dict.fromkeys(chain.from_iterable(first)))
    return TypedSource("rows", [str(name) for name in header], _records(chain(first, rows), header))


def _records(rows: Iterable[Mapping[str, Any]], header: Sequence[Any]) -> Iterator[list[Any]]:
    known = set(header)
    for row in rows:
        record = [row.get(name) for name in header]
        if not known.issuperset(row):
            record += [value for name, value in row.items() if name not in known]
        yield record


class TypedSource:
    """Read records of Python values.

    Blocking: the records may come from anywhere. They are asked for in worker threads, one at a time.

    Args:
        name: For reports.
        header: The columns' names; ``email`` stands for them where there is not a single row.
        records: A value for each column; what is more than that is rejected as such.
        size_bytes: Size of what they are read from, if it is known.
        close: Lets go of what they are read from.

    Attributes:
        records: Those that were not read yet.
    """

    delimiter = ","

    def __init__(
        self,
        name: str,
        header: Sequence[str],
        records: Iterator[Sequence[Any]],
        *,
        size_bytes: int | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.header, self.size_bytes, self.close = name, list(header) or ["email"], size_bytes, close
        self.read_bytes = 0
        self.records = records
        self._rows_out = 1
        self._formats: list[str | None] = [None] * len(self.header)

    def write_dates(self, formats: Mapping[int, str]) -> None:
        """Write the dates of the columns at these indexes so, in the language of `strftime`."""
        self._formats = [formats.get(index) for index in range(len(self.header))]

    def place(self, row: int) -> str:
        """Return a row's number as side files give it."""
        return str(row)

    def chunk(self, rows: int) -> Chunk | None:
        """Return up to `rows` records; None at the end.

        The first record is row 2, as if there were a header above it: so numbers mean the same as in a CSV file.
        """
        faults: dict[int, str] = {}
        taken = [self._cells(record, index, faults) for index, record in enumerate(islice(self.records, rows))]
        if not taken:
            return None
        text = "".join(chain.from_iterable(taken))
        self.read_bytes += len(text)
        if "\0" in text or len(text) > csv.field_size_limit() or not _is_whole(text):
            _find_faults(taken, faults)
        first_row, self._rows_out = self._rows_out + 1, self._rows_out + len(taken)
        return Chunk(taken, first_row, plain=True, faults=faults)

    def _cells(self, record: Sequence[Any], index: int, faults: dict[int, str]) -> list[str]:
        try:
            if len(record) == len(self._formats):
                return [v if type(v) is str else as_text(v, f) for v, f in zip(record, self._formats, strict=True)]
        except UnfitError:
            pass
        return [self._unfit(value, place, index, faults) for place, value in enumerate(record)]

    def _unfit(self, value: object, place: int, index: int, faults: dict[int, str]) -> str:
        if place >= len(self.header):
            faults.setdefault(index, "more values than there are columns")
            return str(value)
        try:
            return as_text(value, self._formats[place])
        except UnfitError as error:
            faults.setdefault(index, f"{self.header[place]}: {error}")
            return str(value)


def _is_whole(text: str) -> bool:
    """Tell whether it can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find_faults(rows: Sequence[Sequence[str]], faults: dict[int, str]) -> None:
    limit = csv.field_size_limit()
    for index, row in enumerate(rows):
        text = "".join(row)
        if "\0" in text:
            faults.setdefault(index, "a NUL byte")
        elif not _is_whole(text):
            faults.setdefault(index, "half of a character (a lone surrogate)")
        elif any(len(cell) > limit for cell in row):
            faults.setdefault(index, f"a cell of more than {limit:,} characters")
