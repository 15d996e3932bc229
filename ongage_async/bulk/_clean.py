"""Sort the rows of a source into a clean file, a side file and duplicates; lose none.

`Cleaner` is a machine that works in steps of some milliseconds, so that whoever drives it (`_run.py`, in a worker
thread) can stop between two of them. It decides nothing about fields (`_fields.py`) nor about CSV (`_csv.py`).

The loop over the rows, `_sort`, is where a million rows spend their time: everything that can be known from the header
is known before it starts, and rows that need a closer look (line breaks in cells, NUL bytes) go another way.
"""

import csv
import hashlib
import itertools
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any, TextIO

from attrs import field, frozen

from ongage_async.bulk._csv import Chunk, Source
from ongage_async.bulk._fields import (
    LONGEST_EMAIL,
    OWN_COLUMNS,
    ColumnPlan,
    FieldRule,
    UnknownColumns,
    is_address,
    plan_columns,
)
from ongage_async.errors import ConfigurationError, CSVError, StagingError

__all__ = ["Cleaner", "Recipe", "Tally", "dedupe_key"]

FIRST_CHUNK_ROWS, MOST_CHUNK_ROWS, CHUNK_BYTES = 64, 1_024, 16 * 1024
LONGEST_CELL_LINES = 100
TOO_FEW, TOO_MANY = "too few cells", "too many cells"
BAD_EMAIL, NO_EMAIL, NUL = "email: not an address", "email: empty", "a NUL byte"
UNCLOSED, SWALLOWED = "a quote is never closed", "a quoted cell holds what looks like another row"


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
    planner: Callable[[Sequence[str]], ColumnPlan] | None = None


@frozen
class Tally:
    """Count where the rows went.

    Attributes:
        rows_read: Records of the source, without the header and blank lines.
        rows_clean: Rows in the clean file.
        duplicates: Good rows whose address had come before.
        rejected: Reason → rows in the side file.
        side_file: The side file; None when no row was rejected.
        unknown_columns: Columns that the list lacks.
    """

    rows_read: int
    rows_clean: int
    duplicates: int
    rejected: Mapping[str, int]
    side_file: Path | None = None
    unknown_columns: tuple[str, ...] = field(default=())


def dedupe_key(email: str) -> str:
    """Return what two spellings of one address share: domains do not tell upper from lower case, local parts may."""
    local, _, domain = email.rpartition("@")
    return f"{local}@{domain.lower()}"


class Cleaner:
    """Sort one source.

    Every record lands exactly once: in the clean file (UTF-8, commas, the list's field names, cells stripped), in the
    side file (the original cells behind ``ongage_row`` and ``ongage_reason``, mendable, loadable as it is), or in the
    count of duplicates.

    All methods block: they are for worker threads. `close` and `discard` may come from another thread while a step
    runs (a cancelled caller does not stop its thread) and wait for its end.

    Args:
        source: The file to read.
        clean: The file to write; must not exist.
        side: Where rejected rows go. Never overwritten: ``rejected.csv`` becomes ``rejected-2.csv`` where it exists.
        recipe: How to check.

    Cost: memory is flat, but for `dedupe`: a 16-byte hash of each address, about 100 bytes with its place in the set.
    """

    def __init__(self, source: Path, clean: Path, side: Path, recipe: Recipe) -> None:
        self._recipe = recipe
        self._source_path, self._clean_path, self._side_wish = source, clean, side
        self._files = ExitStack()
        self._written: list[Path] = []
        self._lock = threading.Lock()
        self._closed = False
        self._side_text: TextIO | None = None
        self._side_path: Path | None = None
        self._chunk_rows = FIRST_CHUNK_ROWS
        self._read = self._kept = self._duplicates = 0
        self._rejected: Counter[str] = Counter()
        self._seen: set[bytes] | None = set() if recipe.dedupe else None

    def open(self) -> None:
        """Open the files and match the columns.

        Raises:
            CSVError: The source cannot be used.
            ConfigurationError: The recipe does not fit it.
            StagingError: The clean file cannot be written.
        """
        with self._lock:
            if not self._closed:
                self._source = self._files.enter_context(
                    Source(self._source_path, encoding=self._recipe.encoding, delimiter=self._recipe.delimiter)
                )
                self.plan = _plan(self._source.header, self._recipe)
                with _disk_errors():
                    self._open_clean()

    def _open_clean(self) -> None:
        text = self._files.enter_context(_new_file(self._clean_path))
        self._written.append(self._clean_path)
        # "\r\n", not "\n": with the latter csv.writer leaves a lone "\r" unquoted, which readers take for a row's end
        self._write_clean = csv.writer(text, lineterminator="\r\n").writerows
        self._write_clean([[name for _, name in self.plan.sent]])
        self._pick = _picker([index for index, _ in self.plan.sent], self.plan.width)

    @property
    def size_bytes(self) -> int:
        """Size of the source."""
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
        with self._lock, _disk_errors():
            while not self._closed and (chunk := self._next_chunk()) is not None:
                self._take(chunk)
                if enough():
                    return True
        return False

    def _next_chunk(self) -> Chunk | None:
        """Read as many rows as make some 256 KiB: neither memory nor steps grow with the width of the rows."""
        before = self._source.read_bytes
        chunk = self._source.chunk(self._chunk_rows)
        if (taken := self._source.read_bytes - before) > 0:
            self._chunk_rows = max(1, min(MOST_CHUNK_ROWS, self._chunk_rows * CHUNK_BYTES // taken))
        return chunk

    def tally(self) -> Tally:
        """Return the counts so far."""
        return Tally(
            rows_read=self._read,
            rows_clean=self._kept,
            duplicates=self._duplicates,
            rejected=dict(self._rejected),
            side_file=self._side_path,
            unknown_columns=self.plan.unknown,
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
        for path in self._written:
            path.unlink(missing_ok=True)

    def _take(self, chunk: Chunk) -> None:
        if chunk.plain and not chunk.unclosed:
            self._sort(chunk.rows, chunk.first_row)
            return
        last = len(chunk.rows) - 1 if chunk.unclosed else -1
        for index, row in enumerate(chunk.rows):
            reason = UNCLOSED if index == last else self._oddity(row)
            if reason is None:
                self._sort([row], chunk.first_row + index)
            else:
                self._read += 1
                self._reject(chunk.first_row + index, row, reason)

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

    def _sort(self, rows: Iterable[list[str]], first_row: int) -> None:
        plan, pick, seen, reject = self.plan, self._pick, self._seen, self._reject
        width, at, needed, tests, rewrites = plan.width, plan.email, plan.needed, plan.tests, plan.rewrites
        digest = hashlib.blake2b
        good: list[Sequence[str]] = []
        read = duplicates = 0
        for number, row in enumerate(rows, first_row):
            if len(row) != width:
                if row:
                    read += 1
                    reject(number, row, TOO_FEW if len(row) < width else TOO_MANY)
                continue
            read += 1
            cells = [cell.strip() for cell in row]
            email = cells[at]
            if is_address(email) is None or len(email) > LONGEST_EMAIL:
                reject(number, row, BAD_EMAIL if email else NO_EMAIL)
                continue
            if reason := _first_fault(cells, needed, tests):
                reject(number, row, reason)
                continue
            if seen is not None:
                key = digest((email if email.islower() else dedupe_key(email)).encode(), digest_size=16).digest()
                if key in seen:
                    duplicates += 1
                    continue
                seen.add(key)
            for index, rewrite in rewrites:
                cells[index] = rewrite(cells[index])
            good.append(pick(cells))
        self._write_clean(good)
        self._read += read
        self._kept += len(good)
        self._duplicates += duplicates

    def _reject(self, number: int, row: Sequence[str], reason: str) -> None:
        self._rejected[reason] += 1
        if self._side_text is None:
            self._open_side()
        own = self.plan.own
        cells = [cell for index, cell in enumerate(row) if index not in own] if own else row
        self._write_side([number, reason, *cells])

    def _open_side(self) -> None:
        """Make the side file, when the first row needs it; with a mark, so that spreadsheets read it as UTF-8."""
        self._side_path, text = _fresh_file(self._side_wish)
        self._side_text = self._files.enter_context(text)
        self._written.append(self._side_path)
        self._write_side = csv.writer(text, delimiter=self._source.delimiter, lineterminator="\r\n").writerow
        names = [name for index, name in enumerate(self._source.header) if index not in self.plan.own]
        self._write_side([*OWN_COLUMNS, *names])


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


def _first_fault(
    cells: Sequence[str], needed: Iterable[tuple[int, str]], tests: Iterable[tuple[int, Callable[[str], object], str]]
) -> str | None:
    for index, reason in needed:
        if not cells[index]:
            return reason
    for index, test, reason in tests:
        if (value := cells[index]) and not test(value):
            return reason
    return None


def _picker(indexes: Sequence[int], width: int) -> Callable[[Any], Sequence[str]]:
    if list(indexes) == list(range(width)):
        return lambda cells: cells
    if len(indexes) == 1:
        only = indexes[0]
        return lambda cells: (cells[only],)
    return itemgetter(*indexes)


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StagingError(f"the checked copy could not be written: {error.strerror}") from error


def _new_file(path: Path, encoding: str = "utf-8") -> TextIO:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds addresses
    return os.fdopen(handle, "w", encoding=encoding, newline="")


def _fresh_file(wish: Path) -> tuple[Path, TextIO]:
    for number in itertools.count(1):
        path = wish if number == 1 else wish.with_name(f"{wish.stem}-{number}{wish.suffix}")
        try:
            return path, _new_file(path, "utf-8-sig")
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                f"the side file {path.name} cannot be written ({error.strerror}): pass another place as side_file="
            ) from error
    raise CSVError("no free name for the side file")  # pragma: no cover - the count has no end
