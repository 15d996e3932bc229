"""Write checked rows as the files that the vendor will fetch: parts of some rows or bytes, plain or in ZIP archives.

A part appears under its own name when it is whole and on the disk; until then it is a ``.partial`` file. `Block` is
how rows travel here: as the bytes of a CSV file and the numbers that the rows have in their source. Nothing here knows
fields or addresses; `_clean.py` is the caller.
"""

import csv
import io
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate, compress, takewhile
from pathlib import Path
from typing import IO, Self

from attrs import field, frozen

from ongage_async.bulk._zip import Encryption, ZipWriter, check_password
from ongage_async.errors import ConfigurationError

__all__ = ["Block", "Packing", "Part", "PartWriter"]

BUFFER_BYTES = 256 * 1024
PIECE_BYTES, PIECES_AHEAD = 512 * 1024, 3
"""What goes to the compressing thread at once, and how many of these may wait. Smaller pieces are slower: at each, one
thread waits for the other to let go of the interpreter, for up to 5 ms."""


@frozen
class Packing:
    """Say how checked rows are packed into parts.

    Args:
        part_rows: Most rows of a part; None: no limit.
        part_bytes: Most bytes of a part as CSV, its header included and before it is packed; a single row may be
            larger. None: no limit.
        zip: Pack each part as the only file of a ZIP archive.
        password: Encrypt the archive with it (vendor page §4.5: the vendor's side of it is a setting of the account).
        encryption: How; which of the two the vendor opens is not known.

    Raises:
        ConfigurationError: A limit below one, a password without ZIP, or one that cannot be used.
    """

    part_rows: int | None = None
    part_bytes: int | None = None
    zip: bool = False
    password: str | None = field(default=None, repr=False)
    encryption: Encryption = "aes"

    def __attrs_post_init__(self) -> None:
        for name, limit in (("part_rows", self.part_rows), ("part_bytes", self.part_bytes)):
            if limit is not None and limit < 1:
                raise ConfigurationError(f"{name}={limit} leaves no room for a row: give 1 or more, or None")
        if self.password is not None and not self.zip:
            raise ConfigurationError("password= encrypts ZIP archives: pass zip=True with it")
        check_password(self.password, self.encryption)


@frozen
class Part:
    """A file that is ready to be fetched.

    Attributes:
        number: 1, 2, 3, …
        path: The file, for its owner only (0600).
        rows: Its rows, without the header.
        size_bytes: Its size as it is on the disk.
        first_row: Number in the source of its first row; the source's header is row 1.
        last_row: The same of its last row.
    """

    number: int
    path: Path
    rows: int
    size_bytes: int
    first_row: int
    last_row: int


@frozen
class Block:
    """Rows as the bytes of a CSV file (UTF-8, commas, CRLF).

    Attributes:
        data: The bytes; every record ends in CRLF.
        numbers: The rows' numbers in the source, in its order.
    """

    data: bytes
    numbers: Sequence[int]

    @classmethod
    def of(cls, rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> Self:
        """Format rows of equal width.

        Raises:
            UnicodeEncodeError: Text that has no bytes: a lone surrogate.
        """
        return cls(_csv_text(rows).encode() if rows else b"", numbers)

    def rows(self) -> list[list[str]]:
        """Read the rows back."""
        return list(csv.reader(io.StringIO(self.data.decode(), newline="")))

    def records(self) -> list[bytes]:
        """Return the bytes of each row; without a quote there is no line break in a cell."""
        if b'"' not in self.data:
            return self.data.splitlines(keepends=True)
        return [_csv_text([row]).encode() for row in self.rows()]

    def only(self, keep: Sequence[object]) -> Self:
        """Return the rows that are marked; it may be none."""
        return type(self)(b"".join(compress(self.records(), keep)), list(compress(self.numbers, keep)))

    def split(self, at: int) -> tuple["Block", "Block"]:
        """Return the first `at` rows, and the others."""
        records = self.records()
        return Block(b"".join(records[:at]), self.numbers[:at]), Block(b"".join(records[at:]), self.numbers[at:])


def _csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Join cells without looking at each; where the result holds more marks than joints, let the csv module quote."""
    text = "\r\n".join(map(",".join, rows)) + "\r\n"
    joints, ends = len(rows) * (len(rows[0]) - 1), len(rows)
    if joints and '"' not in text and text.count(",") == joints and text.count("\n") == text.count("\r") == ends:
        return text
    # "\r\n", not "\n": with the latter csv.writer leaves a lone "\r" unquoted, which readers take for a row's end
    csv.writer(quoted := io.StringIO(newline=""), lineterminator="\r\n").writerows(rows)
    return quoted.getvalue()


class PartWriter:
    """Write blocks into parts.

    Blocking, for worker threads. Errors of the disk come as they are (`OSError`).

    Args:
        directory: Where the parts go: ``part-0001.csv`` or ``part-0001.zip`` and so on.
        header: The columns' names, repeated in each part.
        packing: When a part is full, and how it is packed.

    Attributes:
        parts: The whole ones.
        rows: Rows that were written, whole or not.
    """

    def __init__(self, directory: Path, header: Sequence[str], packing: Packing) -> None:
        self._directory, self._packing = directory, packing
        self._header = Block.of([list(header)], ())
        self.parts: list[Part] = []
        self.rows = 0
        self._file: IO[bytes] | _Behind | None = None
        self._part_rows = self._part_bytes = self._first = self._last = 0

    def write(self, block: Block) -> None:
        """Add a block; split it where a part ends."""
        while len(block.numbers) > (fitting := self._fitting(block)):
            if fitting:
                head, block = block.split(fitting)
                self._add(head)
            self.finish()
        self._add(block)

    def _fitting(self, block: Block) -> int:
        """Return how many rows of the block the present part takes; a part takes one row at least."""
        count, packing = len(block.numbers), self._packing
        if packing.part_rows is not None:
            count = min(count, packing.part_rows - self._part_rows)
        if packing.part_bytes is None:
            return count
        room = packing.part_bytes - (self._part_bytes or len(self._header.data))
        if len(block.data) <= room:
            return count
        sizes = accumulate(map(len, block.records()[:count]))
        fitting = sum(1 for size in takewhile(lambda size: size <= room, sizes))
        return fitting or int(not self._part_rows)

    def _add(self, block: Block) -> None:
        if self._file is None:
            self._file = self._open()
            self._file.write(self._header.data)
            self._part_bytes, self._first = len(self._header.data), block.numbers[0]
        self._file.write(block.data)
        self._part_rows += len(block.numbers)
        self._part_bytes += len(block.data)
        self._last = block.numbers[-1]
        self.rows += len(block.numbers)

    def _open(self) -> "IO[bytes] | _Behind":
        packing = self._packing
        self._path = self._directory / f"part-{len(self.parts) + 1:04}.{'zip' if packing.zip else 'csv'}"
        self._partial = self._path.with_name(f"{self._path.name}.partial")
        if packing.zip:
            return _Behind(ZipWriter(self._partial, f"{self._path.stem}.csv", packing.password, packing.encryption))
        return _create(self._partial)

    def finish(self) -> None:
        """End the present part, if there is one, and give it its name."""
        if self._file is None:
            return
        self._file.close()
        self._partial.rename(self._path)
        size_bytes = self._path.stat().st_size
        self.parts.append(Part(len(self.parts) + 1, self._path, self._part_rows, size_bytes, self._first, self._last))
        self._file, self._part_rows, self._part_bytes = None, 0, 0

    def discard(self) -> None:
        """Remove all parts, whole or not; doing it twice is harmless."""
        if self._file is not None:
            _drop(self._file)
            self._partial.unlink(missing_ok=True)
        for part in self.parts:
            part.path.unlink(missing_ok=True)


class _Behind:
    """Write an archive in a thread of its own: compressing takes as long as checking, and both have a core then.

    An error comes with one of the next writes, or when it is closed.
    """

    def __init__(self, archive: ZipWriter) -> None:
        self._archive = archive
        self._worker = ThreadPoolExecutor(1, "ongage-zip")
        self._piece = bytearray()
        self._pending: deque[Future[int]] = deque()

    def write(self, data: bytes) -> None:
        self._piece += data
        if len(self._piece) >= PIECE_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        if len(self._pending) >= PIECES_AHEAD:
            self._pending.popleft().result()
        self._pending.append(self._worker.submit(self._archive.write, self._piece))
        self._piece = bytearray()

    def close(self) -> None:
        self._hand_over()
        while self._pending:
            self._pending.popleft().result()
        self._worker.shutdown()
        self._archive.close()

    def discard(self) -> None:
        self._worker.shutdown(cancel_futures=True)
        self._archive.discard()


def _drop(file: "IO[bytes] | _Behind") -> None:
    if isinstance(file, _Behind):
        file.discard()
        return
    with suppress(OSError):  # what is in its buffer may find the disk full
        file.close()


def _create(path: Path) -> IO[bytes]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it holds addresses
    return os.fdopen(handle, "wb", buffering=BUFFER_BYTES)
