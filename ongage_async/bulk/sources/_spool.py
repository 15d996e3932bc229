"""Keep rows that come only once in a private file, from which they are read as often as needed.

For async iterables, which worker threads cannot read, and for whatever a resumed load must find again. The file holds
JSON, a row a line: text as it is, dates still as dates, since how they are written depends on the list. `_sources.py`
opens it like any other.
"""

import datetime as dt
import json
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, Self

import anyio
import anyio.to_thread

from ongage_async.bulk.sources._arrow import is_arrow, open_arrow
from ongage_async.bulk.sources._rows import TypedSource, Unfit, UnfitError, as_mapping, as_text
from ongage_async.bulk.sources._rowsource import RowSource
from ongage_async.bulk.sources._streams import STDIN, paths_of
from ongage_async.errors import CSVError, StagingError

__all__ = ["is_spooled", "open_spooled", "spool"]

MAGIC = b"ongage rows 1 "
AT_ONCE = 500


async def spool(source: Any, directory: Path) -> Any:
    """Keep what can be read only once, and return what `open_source` reads instead.

    Args:
        source: What `open_source` takes, or an async iterable.
        directory: Where the file is made; it should be private.

    Returns:
        The source itself if it consists of files; else the path of a file for its owner only (0600).

    Raises:
        StagingError: The file cannot be written; it is removed.
        CSVError: A data frame cannot be read.
        InvalidInputError: An item is no mapping and no contact.
    """
    if isinstance(source, RowSource):
        return source
    paths = paths_of(source)
    if paths is not None and STDIN not in paths:
        return source
    path = directory / f"rows-{secrets.token_hex(8)}.spool"
    try:
        if paths is not None:
            await anyio.to_thread.run_sync(_copy_stdin, path)
        else:
            await _keep(source, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def _keep(source: Any, path: Path) -> None:
    with _Writer(path) as writer:
        if is_arrow(source):
            table = await anyio.to_thread.run_sync(open_arrow, source)
            await _drain(table.records, partial(writer.add_records, table.header))
        elif isinstance(source, AsyncIterable):
            await _gather(source, writer)
        else:
            await _drain(iter(source), writer.add)
        await anyio.to_thread.run_sync(writer.finish)


async def _drain(items: Iterator[Any], add: Callable[[Sequence[Any]], None]) -> None:
    def some() -> int:
        taken = list(islice(items, AT_ONCE))
        add(taken)
        return len(taken)

    while await anyio.to_thread.run_sync(some):
        pass


async def _gather(source: AsyncIterable[Any], writer: "_Writer") -> None:
    taken: list[Any] = []
    async for item in source:
        taken.append(item)
        if len(taken) >= AT_ONCE:
            await anyio.to_thread.run_sync(writer.add, taken)
            taken = []
    await anyio.to_thread.run_sync(writer.add, taken)


def _copy_stdin(path: Path) -> None:
    with _disk_errors(), _private(path) as file:
        shutil.copyfileobj(sys.stdin.buffer, file)


class _Writer:
    """Write rows as lines of JSON: a list of cells, in the order in which their columns were first seen.

    All columns are known at the end only, so their names are the last line, and the first one tells where that begins.
    """

    def __init__(self, path: Path) -> None:
        with _disk_errors():
            self._file = _private(path)
            self._file.write(_first_line(0))
        self._columns: dict[Any, int] = {}
        self._rows = 0

    def add(self, items: Sequence[Any]) -> None:
        """Add mappings or contacts."""
        lines = []
        for item in items:
            self._rows += 1
            row = as_mapping(item, self._rows)
            for name in row:
                self._columns.setdefault(name, len(self._columns))
            lines.append([_packed(row.get(name)) for name in self._columns])
        self._write(lines)

    def add_records(self, header: Sequence[str], records: Sequence[Sequence[Any]]) -> None:
        """Add records of one width."""
        self._columns = {name: index for index, name in enumerate(header)}
        self._write([[_packed(value) for value in record] for record in records])

    def _write(self, lines: Sequence[list[Any]]) -> None:
        with _disk_errors():
            self._file.writelines(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)

    def finish(self) -> None:
        with _disk_errors():
            end = self._file.tell()
            self._file.write(json.dumps([str(name) for name in self._columns]).encode())
            self._file.flush()
            self._file.seek(0)
            self._file.write(_first_line(end))
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._file.close()


def _packed(value: object) -> Any:
    if value is None or type(value) is str:
        return value
    try:
        if isinstance(value, dt.date) and value == value:
            return [type(value).__name__ == "date", value.isoformat()]
        return as_text(value)
    except UnfitError as error:
        return [None, str(error), str(value)]


def _unpacked(cell: Any) -> Any:
    match cell:
        case [None, reason, text]:
            return Unfit(reason, text)
        case [is_day, text]:
            return dt.date.fromisoformat(text) if is_day else dt.datetime.fromisoformat(text)
    return cell


def is_spooled(magic: bytes) -> bool:
    """Tell by its first bytes whether a file was written by `spool`."""
    return magic.startswith(MAGIC)


def open_spooled(path: Path) -> TypedSource:
    """Open what `spool` wrote.

    Raises:
        CSVError: It was not finished.
    """
    with path.open("rb") as file:
        end = int(file.readline()[len(MAGIC) :])
        if not end:
            raise CSVError("the kept rows are not complete: begin anew", reason="cut off")
        file.seek(end)
        header = json.loads(file.read())
    file = path.open("rb")
    records = _records(file, end, len(header))
    return TypedSource("rows", header, records, size_bytes=end, close=file.close)


def _records(file: IO[bytes], end: int, width: int) -> Iterator[list[Any]]:
    at = len(file.readline())
    while at < end:
        line = file.readline()
        at += len(line)
        cells = [_unpacked(cell) if type(cell) is list else cell for cell in json.loads(line)]
        yield cells + [None] * (width - len(cells))


def _first_line(end: int) -> bytes:
    return MAGIC + b"%020d\n" % end


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Rename errors of our own file, and not those of the iterable, which may be a connection that broke."""
    try:
        yield
    except OSError as error:
        raise StagingError(f"the rows could not be kept on the disk: {error.strerror}") from error
