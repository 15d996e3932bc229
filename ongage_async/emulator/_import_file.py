"""From the fetched bytes to rows: the ZIP, the encoding, the delimiter, the header.

No HTTP and no contacts here. Work is cut into pieces so that a large file does not hold up the event loop. Used by
`_imports.py`. Source: vendor page §4.5.
"""

import csv
import io
import itertools
import zipfile
from collections.abc import Iterator

import anyio.lowlevel
from attrs import define, field

__all__ = ["Table", "UnreadableFileError", "unpack"]

_PIECE_BYTES = 1 << 20


class UnreadableFileError(Exception):
    """Say why a file is no import file; becomes the status 90008."""


async def unpack(data: bytearray, password: str | None) -> bytearray:
    """Return the one file of a ZIP, or the data itself when it is no ZIP.

    Args:
        data: The file as fetched.
        password: The account's ZIP password (§4.5).

    Raises:
        UnreadableFileError: Not exactly one file inside, a wrong password, damage.
    """
    if not data.startswith(b"PK\x03\x04"):
        return data
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise UnreadableFileError("ZIP must contain exactly one file")
            return await _unpack_member(archive, names[0], password)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise UnreadableFileError("ZIP could not be opened") from error


async def _unpack_member(archive: zipfile.ZipFile, name: str, password: str | None) -> bytearray:
    whole = bytearray()
    with archive.open(name, pwd=password.encode() if password else None) as member:
        while piece := member.read(_PIECE_BYTES):
            whole += piece
            await anyio.lowlevel.checkpoint()
    return whole


@define(init=False)
class Table:
    """Read the rows of a CSV file.

    Args:
        data: The whole file.
        encoding: Name of its encoding.
        delimiter: One character.

    Raises:
        UnreadableFileError: The file is empty or its first line cannot be read.
    """

    header: list[str]
    rows_guess: int
    _size: int
    _raw: io.BytesIO
    _rows: Iterator[list[str]] = field(repr=False)

    def __init__(self, data: bytearray, encoding: str, delimiter: str) -> None:
        self._size = len(data)
        self._raw = io.BytesIO(data)
        name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        text = io.TextIOWrapper(self._raw, encoding=name, newline="")
        self._rows = csv.reader(text, delimiter=delimiter)
        first = self.take(1)
        if not first:
            raise UnreadableFileError("File is empty")
        self.header = [cell.strip() for cell in first[0]]
        self.rows_guess = data.count(b"\n") - data.endswith(b"\n")

    @property
    def read_pct(self) -> int:
        """Return how much of the file was read, 0 to 100."""
        return 100 * self._raw.tell() // max(1, self._size)

    def take(self, count: int) -> list[list[str]]:
        """Return the next rows, at most `count`, without blank lines; empty at the end.

        Raises:
            UnreadableFileError: The bytes are not in the encoding, or not CSV.
        """
        try:
            while raw := list(itertools.islice(self._rows, count)):
                rows = [row for row in raw if row]
                if rows:
                    return rows
        except UnicodeError as error:
            raise UnreadableFileError("File is not in the given encoding") from error
        except csv.Error as error:
            raise UnreadableFileError("File is not valid CSV") from error
        return []
