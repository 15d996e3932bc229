"""Sort the rows of a source into clean parts, a side file and duplicates; lose none.

`Cleaner` is a machine that works in steps of some milliseconds, so that whoever drives it (`_run.py`, in a worker
thread) can stop between two of them. It decides nothing about fields (`_fields.py`) nor about CSV (`_csv.py`).

A chunk of rows is checked column by column, by functions that loop in C: that is where a million rows spend their time.
Rows are looked at one by one only where they need it (line breaks in cells, NUL bytes, a fault to be told).
"""

import csv
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager, suppress
from itertools import compress
from pathlib import Path
from typing import Any, TextIO

from attrs import field, frozen

from ongage_async.bulk._fields import (
    OWN_COLUMNS,
    ColumnPlan,
    FieldRule,
    UnknownColumns,
    are_emails,
    is_address,
    is_email,
    neutralised,
    plan_columns,
    wrong_width,
)
from ongage_async.bulk.check._duplicates import Sieve
from ongage_async.bulk.check._parts import Block, Packing, Part, PartWriter
from ongage_async.bulk.sources._rowsource import Chunk, RowSource
from ongage_async.bulk.sources._sources import open_source
from ongage_async.errors import ConfigurationError, CSVError, StagingError

__all__ = ["Cleaner", "Recipe", "Tally", "dedupe_key"]

FIRST_CHUNK_ROWS, MOST_CHUNK_ROWS, CHUNK_BYTES = 64, 256, 128 * 1024
"""Not more rows: a list and a tuple for each are fewer new objects than start the garbage collector (700), and all of
them stay in the processor's cache. With 1,024 a row costs a third more, and collections hold up the event loop."""
MOST_GOOD_VALUES, MOST_IN_ALL, LONGEST_GOOD_VALUE = 32_768, 65_536, 32
"""Values of a column, of all columns, and their length, that are known to be good, so that they are not tested again: a
file of birthdays has 30,000. More of them would not pay, and memory would grow with the columns."""
LONGEST_CELL_LINES = 100
BAD_EMAIL, NO_EMAIL, NUL = "email: not an address", "email: empty", "a NUL byte"
SWALLOWED = "a quoted cell holds what looks like another row"


@frozen
class Recipe:
    """Say how a source is checked.

    Args:
        rules: The list's fields.
        mapping: Column name → field name; None leaves the column out.
        encoding: Encoding of the source; None: UTF-8, or what its mark says.
        delimiter: Delimiter of the source; None: found in the header.
        dedupe: Keep the first good row of each address only.
        unknown_columns: What to do about columns that the list lacks.
        only_email: Send nothing but the address.
        password: What opens the source, if it is an encrypted ZIP archive.
        neutralise_formulas: Put an apostrophe before text that a spreadsheet would take for a formula: what begins with
            ``= + - @`` (or their wide forms) and is no number. In the parts it changes text fields, never addresses,
            numbers and dates; in the side file, which people open in spreadsheets, every cell.
        planner: Makes the plan from the header, where another contract than a list's fields holds; then `rules`,
            `mapping`, `unknown_columns` and `only_email` are its own business.
    """

    rules: tuple[FieldRule, ...]
    mapping: Mapping[str, str | None] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    dedupe: bool = True
    unknown_columns: UnknownColumns = "drop"
    only_email: bool = False
    password: str | None = field(default=None, repr=False)
    neutralise_formulas: bool = False
    planner: Callable[[Sequence[str]], ColumnPlan] | None = None


@frozen
class Tally:
    """Count where the rows went.

    Attributes:
        rows_read: Records of the source, without the header and blank lines.
        rows_clean: Rows in the parts.
        duplicates: Good rows whose address had come before.
        rejected: Reason → rows in the side file.
        side_file: The side file; None when no row was rejected.
        unknown_columns: Columns that the list lacks.
        parts: The files with the clean rows; empty when there is none.
        mapping: (column of the source, field of the list) of each column that is sent: told or guessed, it is shown.
        neutralised: Cells of the parts that got an apostrophe (`Recipe.neutralise_formulas`).
    """

    rows_read: int
    rows_clean: int
    duplicates: int
    rejected: Mapping[str, int]
    side_file: Path | None = None
    unknown_columns: tuple[str, ...] = field(default=())
    parts: tuple[Part, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    neutralised: int = 0


def dedupe_key(email: str) -> str:
    """Return what two spellings of one address share: domains do not tell upper from lower case, local parts may."""
    local, _, domain = email.rpartition("@")
    return f"{local}@{domain.lower()}"


class Cleaner:
    """Sort one source.

    Every record lands exactly once: in a part (UTF-8, commas, the list's field names, cells stripped), in the side file
    (the original cells behind ``ongage_row`` and ``ongage_reason``, mendable, loadable as it is), or in the count of
    duplicates.

    All methods block: they are for worker threads. `close` and `discard` may come from another thread while a step
    runs (a cancelled caller does not stop its thread) and wait for its end.

    Args:
        source: What `open_source` takes, or an open source, which is closed with this.
        directory: Where the parts are written, and temporary files that take twice the size of the source.
        side: Where rejected rows go. Never overwritten: ``rejected.csv`` becomes ``rejected-2.csv`` where it exists.
        recipe: How to check.
        packing: How to pack; None: one plain file.

    Cost: memory is flat, whatever the number of rows (`_duplicates.py`).
    """

    def __init__(
        self, source: Any, directory: Path, side: Path, recipe: Recipe, packing: Packing | None = None
    ) -> None:
        self._recipe, self._packing = recipe, packing or Packing()
        self._given, self._directory, self._side_wish = source, directory, side
        self._files = ExitStack()
        self._writer: PartWriter | None = None
        self._sieve: Sieve | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._side_text: TextIO | None = None
        self._side_path: Path | None = None
        self._chunk_rows, self._measured_rows, self._measured_at = FIRST_CHUNK_ROWS, 0, 0
        self._read = self._neutralised = 0
        self._rejected: Counter[str] = Counter()

    def open(self) -> None:
        """Open the source and match the columns.

        Raises:
            CSVError: The source cannot be used.
            ConfigurationError: The recipe does not fit it.
            StagingError: The directory cannot be used.
        """
        with self._lock:
            if self._closed:
                return
            self._source = self._open_source()
            self._files.callback(self._source.close)
            self.plan = plan = _plan(self._source.header, self._recipe)
            self._source.write_dates(dict(plan.dates))
            self._writer = PartWriter(self._directory, [name for _, name in plan.sent], self._packing)
            if self._recipe.dedupe:
                self._sieve = Sieve(self._directory, self._writer.write)
                self._files.callback(self._sieve.close)
            checked = {plan.email, *(index for index, *_ in plan.tests)}
            self._free_texts = [index for index, _ in plan.sent if index not in checked]
            self._good = [{""} for _ in plan.tests]
            self._most_good = min(MOST_GOOD_VALUES, MOST_IN_ALL // max(1, len(plan.tests)))
            self._steps = self._work(self._writer)

    def _open_source(self) -> RowSource:
        recipe = self._recipe
        return open_source(self._given, encoding=recipe.encoding, delimiter=recipe.delimiter, password=recipe.password)

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    @property
    def size_bytes(self) -> int | None:
        """Size of the source; None where nobody knows."""
        return self._source.size_bytes

    @property
    def read_bytes(self) -> int:
        """How much of it was read."""
        return self._source.read_bytes

    def step(self, enough: Callable[[], bool] = lambda: True) -> bool:
        """Sort chunks until `enough()` says so; return whether anything is left.

        Raises:
            CSVError: The source is unreadable from here on; `row` says where.
            StagingError: A file could not be written.
        """
        with self._lock:
            while not self._closed and next(self._steps, _DONE) is not _DONE:
                if enough():
                    return True
        return False

    def _work(self, writer: PartWriter) -> Iterator[None]:
        while (chunk := self._next_chunk()) is not None:
            with _disk_errors():
                self._take(chunk, writer)
            yield
        with _disk_errors():
            if self._sieve is not None:
                yield from self._sieve.finish()
            writer.finish()

    def _next_chunk(self) -> Chunk | None:
        """Read as many rows as make some 128 KiB: neither memory nor steps grow with the width of the rows.

        A source reads in blocks, ahead of its rows: the width is that of the rows between two blocks.
        """
        chunk = self._source.chunk(self._chunk_rows)
        self._measured_rows += len(chunk.rows) if chunk is not None else 0
        if (taken := self._source.read_bytes - self._measured_at) > 0:
            self._chunk_rows = max(1, min(MOST_CHUNK_ROWS, self._measured_rows * CHUNK_BYTES // taken))
            self._measured_rows, self._measured_at = 0, self._source.read_bytes
        return chunk

    def tally(self) -> Tally:
        """Return the counts so far; they add up after the last step."""
        writer = self._writer
        return Tally(
            rows_read=self._read,
            rows_clean=writer.rows if writer is not None else 0,
            duplicates=self._sieve.duplicates if self._sieve is not None else 0,
            rejected=dict(self._rejected),
            side_file=self._side_path,
            unknown_columns=self.plan.unknown,
            parts=tuple(writer.parts) if writer is not None else (),
            mapping=tuple((self._source.header[index].strip(), name) for index, name in self.plan.sent),
            neutralised=self._neutralised,
        )

    def close(self) -> None:
        """Write what is still in buffers and close all files; doing it twice is harmless.

        Raises:
            StagingError: The disk is full.
        """
        with self._lock, _disk_errors():
            self._closed = True
            self._files.close()

    def discard(self) -> None:
        """Close all files and remove the written ones: the source was not read to its end."""
        with suppress(StagingError):
            self.close()
        if self._writer is not None:
            self._writer.discard()
        if self._side_path is not None:
            self._side_path.unlink(missing_ok=True)

    def _take(self, chunk: Chunk, writer: PartWriter) -> None:
        """Sort a chunk: rows with a fault into the side file, the others on."""
        width = self.plan.width
        numbers: Sequence[int] = range(chunk.first_row, chunk.first_row + len(chunk.rows))
        rows, faults = chunk.rows, dict(chunk.faults)
        even, left = rows, numbers
        if not chunk.plain:
            faults = {at: reason for at, row in enumerate(rows) if (reason := faults.get(at) or self._oddity(row))}
        if faults or set(map(len, rows)) != {width}:
            for at, row in enumerate(rows):
                if row and len(row) != width:
                    faults.setdefault(at, wrong_width(row, self._source.header))
            keep = [bool(row) and at not in faults for at, row in enumerate(rows)]
            even, left = list(compress(rows, keep)), list(compress(numbers, keep))
        self._read += len(even) + len(faults)
        columns = [list(map(str.strip, column)) for column in zip(*even, strict=True)]
        wrong = self._find_faults(columns) if columns else {}
        if faults or wrong:
            rejected = [(numbers[at], rows[at], reason) for at, reason in faults.items()]
            rejected += [(left[at], even[at], reason) for at, reason in wrong.items()]
            for number, row, reason in sorted(rejected):
                self._reject(number, row, reason)
        if wrong:
            keep = [at not in wrong for at in range(len(even))]
            columns, left = [list(compress(column, keep)) for column in columns], list(compress(left, keep))
        if left:
            self._send(columns, left, writer)

    def _oddity(self, row: Sequence[str]) -> str | None:
        """Look for what a stray quote or a broken program leaves in cells that are well-formed to the csv module."""
        for cell in row:
            if "\0" in cell:
                return NUL
            lines = cell.splitlines() if "\n" in cell or "\r" in cell else ()
            if len(lines) > LONGEST_CELL_LINES:
                return f"a quoted cell of more than {LONGEST_CELL_LINES} lines"
            if any(self._is_like_a_row(line) for line in lines[1:]):
                return SWALLOWED
        return None

    def _is_like_a_row(self, line: str) -> bool:
        cells = line.split(self._source.delimiter)
        at = self.plan.email
        return len(cells) > max(at, 1 if self.plan.width > 1 else 0) and is_address(cells[at].strip(' "')) is not None

    def _find_faults(self, columns: Sequence[Sequence[str]]) -> dict[int, str]:
        """Return the places of bad rows, each with its first fault: the address, what is missing, what is malformed."""
        plan = self.plan
        wrong = _bad_addresses(columns[plan.email])
        for index, reason in plan.needed:
            if "" in columns[index]:
                _blame(columns[index], _EMPTY, reason, wrong)
        for (index, test, reason), good in zip(plan.tests, self._good, strict=True):
            column = columns[index]
            if not good.issuperset(column) and (bad := _tested(set(column) - good, test, good, self._most_good)):
                _blame(column, bad, reason, wrong)
        return wrong

    def _send(self, columns: list[list[str]], numbers: Sequence[int], writer: PartWriter) -> None:
        """Write good rows as the list wants them."""
        plan = self.plan
        for index, rewrite in plan.rewrites:
            columns[index] = list(map(rewrite, columns[index]))
        if self._recipe.neutralise_formulas:
            for index in self._free_texts:
                column = neutralised(columns[index])
                self._neutralised += sum(map(str.__ne__, column, columns[index]))
                columns[index] = column
        rows = list(zip(*(columns[index] for index, _ in plan.sent), strict=True))
        if self._sieve is None:
            writer.write(Block.of(rows, numbers))
            return
        emails = columns[plan.email]
        text = "\n".join(emails)
        keys = emails if text == text.lower() else list(map(dedupe_key, emails))
        self._sieve.add(keys, rows, numbers)

    def _reject(self, number: int, row: Sequence[str], reason: str) -> None:
        self._rejected[reason] += 1
        if self._side_text is None:
            self._open_side()
        own = self.plan.own
        cells = [cell for index, cell in enumerate(row) if index not in own] if own else row
        if self._recipe.neutralise_formulas:
            cells = neutralised(cells)
        self._write_side([self._source.place(number), reason, *cells])

    def _open_side(self) -> None:
        """Make the side file, when the first row needs it; with a mark, so that spreadsheets read it as UTF-8."""
        self._side_path, text = _fresh_file(self._side_wish)
        self._side_text = self._files.enter_context(text)
        self._write_side = csv.writer(text, delimiter=self._source.delimiter, lineterminator="\r\n").writerow
        names = [name for index, name in enumerate(self._source.header) if index not in self.plan.own]
        self._write_side([*OWN_COLUMNS, *names])


_DONE: Any = object()
_EMPTY = frozenset({""})


def _plan(header: Sequence[str], recipe: Recipe) -> ColumnPlan:
    if recipe.planner is not None:
        return recipe.planner(header)
    return plan_columns(
        header,
        recipe.rules,
        mapping=recipe.mapping,
        unknown=recipe.unknown_columns,
        only_email=recipe.only_email,
    )


def _bad_addresses(emails: Sequence[str]) -> dict[int, str]:
    if are_emails(emails):
        return {}
    return {at: BAD_EMAIL if email else NO_EMAIL for at, email in enumerate(emails) if not is_email(email)}


def _tested(values: set[str], test: Callable[[str], object], good: set[str], most: int) -> set[str]:
    """Return the values that fail a test, and remember the others, though not without end."""
    bad = {value for value in values if not test(value)}
    if len(good) > most:
        good.clear()
        good.add("")
    good.update(value for value in values - bad if len(value) <= LONGEST_GOOD_VALUE)
    return bad


def _blame(column: Sequence[str], bad: AbstractSet[str], reason: str, wrong: dict[int, str]) -> None:
    """Note the places of bad values that have no other fault yet."""
    for at, value in enumerate(column):
        if value in bad:
            wrong.setdefault(at, reason)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StagingError(f"the checked copy could not be written: {error.strerror}") from error


def _new_file(path: Path) -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds addresses
    return os.fdopen(handle, "w", encoding="utf-8-sig", errors="backslashreplace", newline="")


def _fresh_file(wish: Path) -> tuple[Path, TextIO]:
    for number in itertools.count(1):
        path = wish if number == 1 else wish.with_name(f"{wish.stem}-{number}{wish.suffix}")
        try:
            return path, _new_file(path)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                f"the side file {path.name} cannot be written ({error.strerror}): pass another place as side_file="
            ) from error
    raise CSVError("no free name for the side file")  # pragma: no cover - the count has no end
