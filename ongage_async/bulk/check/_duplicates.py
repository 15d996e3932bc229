"""Let the first row of each address pass and hold the later ones back: exactly, and in memory that does not grow.

As long as there are few addresses, they are kept in a set and rows pass at once. Beyond `MEMORY_KEYS`, rows and their
addresses go to temporary files, the addresses cut into buckets by their hash: equal ones meet in one bucket. After the
last row, one bucket after the other is read into a set, which marks the later rows in a bit each, and the rows without
a mark pass. Compared are the addresses themselves, not digests of them.

Measured for 5,000,000 rows against a set of 16-byte digests: see `benchmarks/bulk.py`.
"""

import tempfile
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from pathlib import Path
from struct import Struct
from typing import IO

from ongage_async.bulk.check._parts import Block

__all__ = ["MEMORY_KEYS", "Sieve"]

MEMORY_KEYS = 65_536
"""Addresses that are held in memory at a time: about 8 MiB, whatever the size of the load."""
BUCKETS = 64
_FRAME = Struct("<QQ?")


class Sieve:
    """Pass on the first row of each key.

    Blocking, for worker threads. Errors of the disk come as they are (`OSError`).

    Args:
        directory: Where the temporary files are, nameless and for their owner only.
        write: Takes the rows that pass, in their order.

    Attributes:
        duplicates: Rows that were held back so far.
    """

    def __init__(self, directory: Path, write: Callable[[Block], None]) -> None:
        self._directory, self._write = directory, write
        self._seen: set[str] = set()
        self._keys: _Buckets | None = None
        self._rows: _Spool | None = None
        self.duplicates = 0

    def add(self, keys: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        """Take rows, each with its key and its number in the source."""
        if self._keys is None and len(self._seen) + len(keys) > MEMORY_KEYS:
            self._keys, self._rows = _Buckets(self._directory), _Spool(self._directory)
            self._keys.add(self._seen, first=False)
            self._seen = set()
        if self._keys is not None and self._rows is not None:
            self._keys.add(keys)
            self._rows.add(Block.of(rows, numbers))
            return
        if len(fresh := set(keys)) < len(keys) or not self._seen.isdisjoint(fresh):
            keep = [key not in self._seen and not self._seen.add(key) for key in keys]  # type: ignore[func-returns-value]
            self.duplicates += keep.count(False)
            rows, numbers = list(compress(rows, keep)), list(compress(numbers, keep))
        else:
            self._seen |= fresh
        if rows:
            self._write(Block.of(rows, numbers))

    def finish(self) -> Iterator[None]:
        """Let the rows pass that had to wait, a step at a time; nothing may be added any more."""
        self._seen = set()
        if self._keys is None or self._rows is None:
            return
        marks = bytearray(self._keys.rows // 8 + 1)
        for later in self._keys.find_later():
            for row in later:
                marks[row >> 3] |= 1 << (row & 7)
            self.duplicates += len(later)
            yield
        start = 0
        for block in self._rows.read():
            count = len(block.numbers)
            held = int.from_bytes(marks[start >> 3 : (start + count + 7) >> 3], "little") >> (start & 7)
            if held & ((1 << count) - 1):
                keep = [not held >> index & 1 for index in range(count)]
                block = block.only(keep)
            if block.numbers:
                self._write(block)
            start += count
            yield

    def close(self) -> None:
        """Let go of the files; doing it twice is harmless."""
        for files in (self._keys, self._rows):
            if files is not None:
                files.close()


class _Buckets:
    """Keys on the disk, cut by their hash, each with the number of its row."""

    def __init__(self, directory: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - see close
        self._pieces: list[list[tuple[int, int, int]]] = [[] for _ in range(BUCKETS)]
        self._counts = [0] * BUCKETS
        self._empty()
        self.rows = 0

    def _empty(self) -> None:
        self._keys: list[list[str]] = [[] for _ in range(BUCKETS)]
        self._numbers: list[list[int]] = [[] for _ in range(BUCKETS)]
        self._waiting = 0

    def add(self, keys: "Sequence[str] | set[str]", *, first: bool = True) -> None:
        """Add keys.

        Args:
            keys: Without line breaks.
            first: Whether they are of rows that wait; if not, all of them are different and their rows have passed.
        """
        add_key, add_number = [each.append for each in self._keys], [each.append for each in self._numbers]
        start = self.rows if first else 0
        for number, key in enumerate(keys, start):
            bucket = hash(key) % BUCKETS
            add_key[bucket](key)
            add_number[bucket](number)
        self.rows += len(keys) if first else 0
        self._waiting += len(keys)
        if self._waiting >= MEMORY_KEYS:
            self._flush()

    def _flush(self) -> None:
        at = self._file.tell()
        for bucket, keys in enumerate(self._keys):
            if not keys:
                continue
            data = "\n".join(keys).encode()
            self._file.write(array("Q", self._numbers[bucket]).tobytes())
            self._file.write(data)
            self._pieces[bucket].append((at, len(keys), len(data)))
            self._counts[bucket] += len(keys)
            at += 8 * len(keys) + len(data)
        self._empty()

    def find_later(self) -> Iterator[list[int]]:
        """Find the rows whose key came before.

        A bucket that is too large for the memory is read several times, each time for a share of its hashes.
        """
        self._flush()
        for bucket, count in enumerate(self._counts):
            shares = count // MEMORY_KEYS + 1
            for share in range(shares):
                seen: set[str] = set()
                for piece in self._pieces[bucket]:
                    numbers, keys = self._read(*piece)
                    if shares > 1:
                        chosen = [hash(key) // BUCKETS % shares == share for key in keys]
                        numbers, keys = list(compress(numbers, chosen)), list(compress(keys, chosen))
                    fresh = set(keys)
                    if len(fresh) == len(keys) and seen.isdisjoint(fresh):
                        seen |= fresh
                        continue
                    yield [n for n, key in zip(numbers, keys, strict=True) if key in seen or seen.add(key)]  # type: ignore[func-returns-value]
                yield []

    def _read(self, at: int, count: int, size_bytes: int) -> tuple[Sequence[int], list[str]]:
        self._file.seek(at)
        numbers = array("Q")
        numbers.frombytes(self._file.read(8 * count))
        return numbers, self._file.read(size_bytes).decode().split("\n")

    def close(self) -> None:
        self._file.close()


class _Spool:
    """Blocks on the disk, in their order."""

    def __init__(self, directory: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=directory, buffering=1 << 18)  # noqa: SIM115 - see close

    def add(self, block: Block) -> None:
        numbers = block.numbers
        straight = numbers[-1] - numbers[0] + 1 == len(numbers)
        self._file.write(_FRAME.pack(len(numbers), len(block.data), straight))
        self._file.write(array("Q", numbers[:1] if straight else numbers).tobytes())
        self._file.write(block.data)

    def read(self) -> Iterator[Block]:
        self._file.seek(0)
        while head := self._file.read(_FRAME.size):
            count, size_bytes, straight = _FRAME.unpack(head)
            numbers = array("Q")
            numbers.frombytes(self._file.read(8 if straight else 8 * count))
            data = self._file.read(size_bytes)
            yield Block(data, range(numbers[0], numbers[0] + count) if straight else numbers)

    def close(self) -> None:
        self._file.close()
