"""Read a CSV file as records: its encoding, its delimiter, its header, its rows in chunks.

Nothing here knows lists, fields or addresses (`_fields.py`) or where rows go (`_clean.py`, which is the caller). The
functions on top are rules on bytes and text; `Source` below owns the open file and nothing else.

`csv.field_size_limit` is one number for the whole process (131,072 characters unless somebody changed it), so it is
left alone: raising it would change every other reader in the program. It is also what stops one forgotten quote from
drinking a file of gigabytes into one cell. A larger cell ends the reading with a `CSVError` that says so.
"""

import codecs
import csv
import io
import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from attrs import frozen

from ongage_async.errors import ConfigurationError, CSVError

T = TypeVar("T")

__all__ = ["DELIMITERS", "Chunk", "Source", "find_delimiter", "find_encoding"]

DELIMITERS = (",", ";", "\t", "|")
"""What `find_delimiter` knows, the likelier first; the same four as the vendor's (vendor page §4.2)."""

HEAD_BYTES = 65_536
SCAN_BYTES = 1 << 20
LONGEST_LINE_BYTES = 16 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_END = "\0" * 8
"""What the reader is given after the last line; see `Source._last_line`."""


def find_encoding(head: bytes, given: str | None = None) -> tuple[str, int]:
    """Return the encoding and how many bytes its mark takes.

    A byte order mark wins over `given`: it is what the file says of itself, and so our own side files (UTF-8 with a
    mark, for spreadsheets) load again with the arguments of their cp1252 source.

    Raises:
        CSVError: It looks like UTF-16 without a mark.
        ConfigurationError: Python knows no such text encoding.
    """
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name, len(mark)
    if given is not None:
        return _known_encoding(given), 0
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        sample = head[offset::2]
        if sample and sample.count(0) * 5 > len(sample) * 2:
            raise CSVError(
                f'the file looks like {name.upper()} without a mark: pass encoding="{name}"', reason="wrong encoding"
            )
    return "utf-8", 0


def _known_encoding(name: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)
    except (LookupError, ValueError):
        raise ConfigurationError(
            f'encoding="{name}" is not a text encoding that Python knows: try "utf-8", "cp1252" or "utf-16"'
        ) from None
    return name


def find_delimiter(first_line: str, given: str | None = None) -> str:
    """Return the delimiter: the one that occurs most outside quotes in the header; a comma where there is none.

    Raises:
        ConfigurationError: `given` is not one character, or one that cannot delimit.
    """
    if given is not None:
        if len(given) != 1 or given in '"\r\n\0 ':
            raise ConfigurationError(f"delimiter={given!r} cannot part cells: give one of , ; | or a tab")
        return given
    bare = "".join(first_line.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


@frozen
class Chunk:
    """Some records, in the order of the file.

    Attributes:
        rows: The cells of each record; an empty list is a blank line.
        first_row: Row number of the first one as a person counts: the header is 1, a quoted newline begins no row.
        plain: No cell holds a line break or NUL: the fast way may be taken.
        unclosed: The last record is in a quote that nothing closes.
    """

    rows: list[list[str]]
    first_row: int
    plain: bool
    unclosed: bool = False


class Source:
    """Read one CSV file, chunk by chunk, in memory that does not grow with the file.

    Blocking: call it in a worker thread. It may be used by several threads, one at a time.

    Args:
        path: The file.
        encoding: Its encoding; None takes UTF-8 or what its mark says, never a guess.
        delimiter: One character; None looks at the header.

    Raises:
        CSVError: The file is missing, empty, not a text file, or has no readable header.

    Cost: reads the file twice: a scan for NUL bytes and endless lines (about 3 GB/s), and the reading.
    """

    def __init__(self, path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> None:
        self.path = path
        self.delimiter = delimiter or ","
        self._ended, self._rows_out, self._taken = False, 0, 0
        self._raw = _open(path)
        try:
            self.size_bytes = os.fstat(self._raw.fileno()).st_size
            self._prepare(encoding, delimiter)
        except BaseException:
            self._raw.close()
            raise

    def _prepare(self, encoding: str | None, delimiter: str | None) -> None:
        head = self._raw.read(HEAD_BYTES)
        if not head:
            raise CSVError("the file is empty: a header row and an email column are needed", reason="empty file")
        self.encoding, mark = find_encoding(head, encoding)
        wide = self.encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32", "u16", "u32"))
        self._may_hold_nul = _scan(self._raw) or wide
        self._raw.seek(mark)
        self._text = io.TextIOWrapper(self._raw, encoding=self.encoding, newline="")
        first = self._guarded(self._first_line)
        self.delimiter = find_delimiter(first, delimiter)
        self._reader = csv.reader(chain([first], self._text, self._last_line()), delimiter=self.delimiter)
        self.header = self._guarded(lambda: next(self._reader))
        self._rows_out = self._blank_lines + 1
        if self._ended:
            raise CSVError("a quote in the header is never closed", row=self._rows_out, reason="unclosed quote")

    def _first_line(self) -> str:
        self._blank_lines = 0
        for line in self._text:
            if line.strip():
                return line
            self._blank_lines += 1
        raise CSVError("the file holds blank lines only: a header row is needed", reason="empty file")

    def _last_line(self) -> Iterator[str]:
        """Give the reader a line that no file holds, to learn whether it ends inside a quote.

        The csv module says nothing when a quote stays open at the end of the file, and the rows it swallowed would be
        loaded as the text of one cell. This line comes out as a record of its own, or at the end of that cell.
        """
        self._ended = True
        yield _END

    @property
    def read_bytes(self) -> int:
        """Bytes of the file that were read so far, a buffer ahead of the rows."""
        return min(self._raw.tell(), self.size_bytes)

    def chunk(self, rows: int) -> Chunk | None:
        """Return up to `rows` records; None at the end of the file.

        Raises:
            CSVError: Bytes that are not of the encoding, or a cell over the process's limit; `row` says where.
        """
        if self._ended:
            return None
        taken: list[list[str]] = []
        first_row, line = self._rows_out + 1, self._reader.line_num
        self._guarded(lambda: self._take(taken, rows))
        self._rows_out += len(taken)
        plain = not self._may_hold_nul and self._reader.line_num - line == len(taken)
        return Chunk(taken, first_row, plain, unclosed=self._cut_end(taken))

    def _take(self, taken: list[list[str]], rows: int) -> None:
        try:
            taken.extend(islice(self._reader, rows))
        finally:
            self._taken = len(taken)  # also when it fails in the middle: extend keeps what came before

    def _cut_end(self, taken: list[list[str]]) -> bool:
        if not self._ended:
            return False
        last = taken[-1]
        if last == [_END]:
            taken.pop()
            return False
        last[-1] = last[-1].removesuffix(_END)
        return True

    def _guarded(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except UnicodeDecodeError as error:
            raise self._wrong_encoding(error) from None
        except csv.Error as error:
            raise self._unreadable(error) from None

    def _wrong_encoding(self, error: UnicodeDecodeError) -> CSVError:
        offset = self._raw.tell() - len(error.object) + error.start
        row = _row_of_bad_byte(self.path, self.encoding, self.delimiter)
        where = f"row {row}, byte offset {offset}" if row else f"byte offset {offset}"
        return CSVError(
            f"the file is not {self.encoding.upper()} ({where}: byte 0x{error.object[error.start]:02X}): "
            'pass the right one, as in encoding="cp1252" for files of Windows programs',
            row=row,
            reason="wrong encoding",
        )

    def _unreadable(self, error: csv.Error) -> CSVError:
        row = self._rows_out + self._taken + 1
        limit = csv.field_size_limit()
        if "field limit" not in str(error):
            return CSVError(f"row {row} (line {self._reader.line_num}) cannot be read: {error}", row=row)
        return CSVError(
            f"row {row} (up to line {self._reader.line_num}) has a cell of more than {limit:,} characters: a quote is "
            "probably never closed there; if the cell is meant, call csv.field_size_limit() in your program",
            row=row,
            reason="cell too large",
        )

    def close(self) -> None:
        """Close the file; doing it twice is harmless."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise CSVError(f"{path.name} cannot be opened: {error.strerror}", reason="cannot be opened") from error


def _scan(raw: BinaryIO) -> bool:
    """Look through the file once; return whether it holds NUL bytes.

    Raises:
        CSVError: A line is longer than 16 MiB: reading it would take memory without bound.
    """
    raw.seek(0)
    has_nul, unbroken = False, 0
    while block := raw.read(SCAN_BYTES):
        has_nul = has_nul or b"\0" in block
        unbroken = 0 if b"\n" in block or b"\r" in block else unbroken + len(block)
        if unbroken > LONGEST_LINE_BYTES:
            raise CSVError("a line is longer than 16 MiB: is this a CSV file?", reason="endless line")
    return has_nul


def _row_of_bad_byte(path: Path, encoding: str, delimiter: str) -> int | None:
    """Return the row of the first byte that is not of the encoding, by reading once more with such bytes marked.

    The first reading cannot know: it decodes a buffer ahead of its rows. Marks are lone surrogates, which no decoder
    gives otherwise; UTF-16 and UTF-32 have no such marks, and the byte offset must do.
    """
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="") as text:
            for row, cells in enumerate(csv.reader(text, delimiter=delimiter), start=1):
                if any("\udc80" <= char <= "\udcff" for cell in cells for char in cell):
                    return row
    except (UnicodeDecodeError, csv.Error):
        pass
    return None
