"""Read CSV as records: its encoding, its delimiter, its header, its rows in chunks.

Nothing here knows files and archives (`_streams.py`), lists, fields or addresses (`_fields.py`), or where rows go
(`_clean.py`). The functions on top are rules on bytes and text; `CSVSource` below reads a stream by them.

`csv.field_size_limit` is one number for the whole process (131,072 characters unless somebody changed it), so it is
left alone: raising it would change every other reader in the program. It is also what stops one forgotten quote from
drinking a file of gigabytes into one cell. A larger cell ends the reading with a `CSVError` that says so.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import TypeVar

from ongage_async.bulk.sources._rowsource import Chunk
from ongage_async.bulk.sources._streams import ByteStream, UnreadableError, refuse_strangers
from ongage_async.errors import ConfigurationError, CSVError

T = TypeVar("T")

__all__ = ["DELIMITERS", "UNCLOSED", "CSVSource", "find_delimiter", "find_encoding"]

DELIMITERS = (",", ";", "\t", "|")
"""What `find_delimiter` knows, the likelier first; the same four as the vendor's (vendor page §4.2)."""

UNCLOSED = "a quote is never closed"
LONGEST_LINE = 4 << 20
"""Characters of a line, unless the program allows longer cells; beyond it, this is hardly a CSV file."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ESCAPES = ("utf-7", "unicode-escape", "raw-unicode-escape", "punycode", "idna")
"""Python's names of codecs that can spell half a character, which no file can then hold."""
_END = "\0" * 8
"""What the reader is given after the last line; see `CSVSource._lines`."""
_excel_hint = re.compile(r"sep=(.)[\r\n]*", re.IGNORECASE).fullmatch
"""The first line by which Excel is told the delimiter; no row."""


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
        known = codecs.lookup(name).name not in _ESCAPES
    except (LookupError, ValueError):
        known = False
    if not known:
        raise ConfigurationError(
            f'encoding="{name}" is not a text encoding that Python knows: try "utf-8", "cp1252" or "utf-16"'
        )
    return name


def find_delimiter(first_line: str, given: str | None = None) -> str:
    """Return the delimiter: the one that occurs most outside quotes in the header; a comma where there is none.

    Raises:
        CSVError: Two of them occur equally often.
        ConfigurationError: `given` is not one character, or one that cannot delimit.
    """
    if given is not None:
        if len(given) != 1 or given in '"\r\n\0 ':
            raise ConfigurationError(f"delimiter={given!r} cannot part cells: give one of , ; | or a tab")
        return given
    bare = "".join(first_line.split('"')[::2])
    first, second = sorted(DELIMITERS, key=bare.count, reverse=True)[:2]
    if bare.count(first) == bare.count(second) > 0:
        raise CSVError(
            f"the header has as many {_shown(first)} as {_shown(second)}: pass delimiter= to say which parts its cells",
            row=1,
            reason="ambiguous delimiter",
        )
    return first


def _shown(delimiter: str) -> str:
    return "tabs" if delimiter == "\t" else f'"{delimiter}"'


class CSVSource:
    """Read a stream of CSV, chunk by chunk, in memory that does not grow with it.

    Blocking: call it in a worker thread. It may be used by several threads, one at a time. It owns the stream.

    Args:
        stream: The bytes.
        encoding: Their encoding; None takes UTF-8 or what their mark says, never a guess.
        delimiter: One character; None looks at the header.

    Raises:
        CSVError: It is empty, not a text, or has no readable header.
    """

    def __init__(self, stream: ByteStream, *, encoding: str | None = None, delimiter: str | None = None) -> None:
        self.name, self.size_bytes = stream.name, stream.size_bytes
        self._stream = stream
        self._ended, self._may_hold_nul = False, False
        self._rows_out = self._taken = 0
        try:
            self._begin(encoding, delimiter)
        except BaseException:
            stream.close()
            raise

    def _begin(self, encoding: str | None, delimiter: str | None) -> None:
        head = self._guarded(self._stream.read)
        if not head:
            raise CSVError(
                f"{self.name} is empty: a header row and an email column are needed", row=1, reason="empty file"
            )
        refuse_strangers(self.name, head)
        self.encoding, mark = find_encoding(head, encoding)
        blocks = chain([head[mark:]], iter(self._stream.read, b""))
        lines = chain.from_iterable(self._lines(blocks, mark))
        first = self._guarded(lambda: self._first_line(lines))
        if delimiter is None and (hint := _excel_hint(first)):
            delimiter, self._rows_out = hint[1], self._rows_out + 1
            first = self._guarded(lambda: self._first_line(lines))
        self.delimiter = find_delimiter(first, delimiter)
        self._reader = csv.reader(chain([first], lines), delimiter=self.delimiter)
        self._lines_before = self._rows_out
        self.header = self._guarded(lambda: next(self._reader))
        self._rows_out += 1
        if self._ended:
            raise CSVError("a quote in the header is never closed", row=self._rows_out, reason="unclosed quote")

    def _first_line(self, lines: Iterator[str]) -> str:
        for line in lines:
            if line == _END:
                break
            if line.strip():
                return line
            self._rows_out += 1
        raise CSVError("the file holds blank lines only: a header row is needed", row=1, reason="empty file")

    def _lines(self, blocks: Iterable[bytes], read_bytes: int) -> Iterator[Iterable[str]]:
        """Decode block by block; give each as an iterable of its lines, so that no line passes through Python code.

        When bytes cannot be decoded, the lines before them come first: the reader then knows the row.

        The last line is one that no file holds, to learn whether the file ends inside a quote. The csv module says
        nothing about it, and the rows that the quote swallowed would be loaded as the text of one cell. It comes out as
        a record of its own, or at the end of that cell.
        """
        decode = codecs.getincrementaldecoder(self.encoding)().decode
        tail = ""
        for block in chain(blocks, [b""]):
            read_bytes += len(block)
            try:
                text = tail + decode(block, not block)
            except UnicodeDecodeError as error:
                text = tail + error.object[: error.start].decode(self.encoding, "ignore")
                yield io.StringIO(text[: _end_of_last_line(text)], newline="")
                raise self._wrong_encoding(error, read_bytes - len(error.object) + error.start) from None
            self._may_hold_nul = self._may_hold_nul or "\0" in text
            end = _end_of_last_line(text)
            yield io.StringIO(text[:end], newline="")
            tail = text[end:]
            if len(tail) > LONGEST_LINE and len(tail) > 2 * csv.field_size_limit():
                raise UnreadableError("a line is longer than 4 Mi characters: is this a CSV file?", "endless line")
        yield io.StringIO(tail, newline="")
        self._ended = True
        yield [_END]

    @property
    def read_bytes(self) -> int:
        """Bytes of the file that were read so far, a buffer ahead of the rows."""
        return self._stream.read_bytes

    def chunk(self, rows: int) -> Chunk | None:
        """Return up to `rows` records; None at the end of the file.

        Raises:
            CSVError: Bytes that are not of the encoding, a damaged archive, or a cell over the process's limit; `row`
                says where.
        """
        if self._ended:
            return None
        taken: list[list[str]] = []
        first_row, line = self._rows_out + 1, self._reader.line_num
        self._guarded(lambda: self._take(taken, rows))
        self._rows_out += len(taken)
        plain = not self._may_hold_nul and self._reader.line_num - line == len(taken)
        unclosed = self._cut_end(taken)
        return Chunk(taken, first_row, plain and not unclosed, {len(taken) - 1: UNCLOSED} if unclosed else {})

    def _take(self, taken: list[list[str]], rows: int) -> None:
        self._taken = 0
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
        except UnreadableError as error:
            row = self._rows_out + self._taken + 1
            raise CSVError(f"{self.name}, row {row}: {error}", row=row, reason=error.reason) from None
        except csv.Error as error:
            raise self._unreadable(error) from None

    def _wrong_encoding(self, error: UnicodeDecodeError, offset: int) -> UnreadableError:
        byte = error.object[error.start]
        return UnreadableError(
            f"this is not {self.encoding.upper()} (byte offset {offset}: byte 0x{byte:02X}): "
            'pass the right one, as in encoding="cp1252" for files of Windows programs',
            "wrong encoding",
        )

    def _unreadable(self, error: csv.Error) -> CSVError:
        row = self._rows_out + self._taken + 1
        limit = csv.field_size_limit()
        if "field limit" not in str(error):
            return CSVError(f"{self.name}, row {row}: it cannot be read: {error}", row=row)
        return CSVError(
            f"{self.name}, row {row} (up to line {self._lines_before + self._reader.line_num}): a cell of more than "
            f"{limit:,} characters: a quote is probably never closed there; if the cell is meant, call "
            "csv.field_size_limit() in your program",
            row=row,
            reason="cell too large",
        )

    def place(self, row: int) -> str:
        """Return a row's number as side files give it."""
        return str(row)

    def write_dates(self, formats: Mapping[int, str]) -> None:
        """Do nothing: here dates are text already."""

    def close(self) -> None:
        """Close the file; doing it twice is harmless."""
        self._stream.close()


def _end_of_last_line(text: str) -> int:
    r"""Return where the last whole line ends; a \r at the very end may be half of a line's end."""
    newline = text.rfind("\n")
    return max(newline, text.rfind("\r", newline + 1, len(text) - 1)) + 1
