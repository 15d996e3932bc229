"""Remember which rows of a stream are settled, in an SQLite file that outlives the process.

A span is recorded after its call was answered, so after a kill what was on its way is sent again: for an upsert that
changes nothing. The rows themselves are not kept: a salted digest of each span shows whether the source that is given
again is the same one. Used by `_many.py`, from worker threads.
"""

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from ongage_async.errors import JournalError

__all__ = ["RowJournal", "Span"]

_TABLES = """
CREATE TABLE IF NOT EXISTS load (purpose TEXT NOT NULL, salt BLOB NOT NULL, side TEXT);
CREATE TABLE IF NOT EXISTS span (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, digest BLOB NOT NULL,
    counts TEXT NOT NULL, reasons TEXT NOT NULL, side_bytes INTEGER NOT NULL
);
"""


@frozen
class Span:
    """Some rows in a row that are settled.

    Attributes:
        first: Place of the first in the source, from 0.
        last: Place of the last.
        digest: Of the rows.
        counts: Kind → rows.
        reasons: Reason → rejected rows; no addresses.
        side_bytes: How long the side file was when they were settled.
    """

    first: int
    last: int
    digest: bytes
    counts: Mapping[str, int] = field(factory=dict)
    reasons: Mapping[str, int] = field(factory=dict)
    side_bytes: int = 0


@define(eq=False)
class RowJournal:
    """Keep the settled spans of one load. Blocking; one thread at a time.

    Args:
        path: The file; made when it is not there, readable by its owner only.
        purpose: What the load does, to which list: a journal of something else is refused.
    """

    path: Path
    purpose: str
    _base: sqlite3.Connection | None = field(default=None, init=False)
    _salt: bytes = field(default=b"", init=False)

    def open(self) -> None:
        """Take hold of the file until `close`; a process that is killed lets go at once.

        Raises:
            JournalError: Another run holds it, it is no journal, or it belongs to another load.
        """
        try:
            with self._errors_told():
                purpose, self._salt = self._hold()
        except BaseException:
            self.close()
            raise
        if purpose != self.purpose:
            self.close()
            raise JournalError(f"journal {self.path.name} belongs to {purpose}, and this is {self.purpose}")

    def _hold(self) -> tuple[str, bytes]:
        """Lock the file, and return what it is for."""
        with suppress(FileExistsError):  # to close one that is there would give up another run's lock in this process
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        self._base = base = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        base.execute("PRAGMA locking_mode = EXCLUSIVE")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("BEGIN EXCLUSIVE")
        for statement in filter(str.strip, _TABLES.split(";")):
            base.execute(statement)
        known: tuple[str, bytes] | None = base.execute("SELECT purpose, salt FROM load").fetchone()
        if known is None:
            known = (self.purpose, os.urandom(16))
            base.execute("INSERT INTO load (purpose, salt) VALUES (?, ?)", known)
        base.execute("COMMIT")
        return known

    def close(self) -> None:
        """Let go of the file."""
        if self._base is not None:
            self._base.close()
            self._base = None

    def next_from(self, first: int) -> Span | None:
        """Return the next settled span at or behind a place; None when there is none."""
        [row] = self._rows("SELECT * FROM span WHERE first >= ? ORDER BY first LIMIT 1", first) or [None]
        return row and Span(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]), row[5])

    def side_bytes(self, side: Path) -> int | None:
        """Return how long a side file is by the spans that are settled; None if it is not this load's."""
        if self._rows("SELECT side FROM load")[0][0] != str(side.absolute()):
            return None
        return self._rows("SELECT max(side_bytes) FROM span")[0][0] or 0

    def claim(self, side: Path) -> None:
        """Say that a side file is this load's, before it is made."""
        self._rows("UPDATE load SET side = ?", str(side.absolute()))

    def record(
        self,
        first: int,
        last: int,
        digest: bytes,
        counts: Mapping[str, int],
        reasons: Mapping[str, int],
        side_bytes: int = 0,
    ) -> None:
        """Write a settled span (see `Span`); it is safe from a crash when this returns."""
        told = json.dumps(dict(counts)), json.dumps(dict(reasons), ensure_ascii=False)
        self._rows("INSERT INTO span VALUES (?, ?, ?, ?, ?, ?)", first, last, digest, *told, side_bytes)

    def digest(self, rows: Iterable[bytes]) -> bytes:
        """Return what shows whether rows are the same ones."""
        made = hashlib.blake2b(key=self._salt, digest_size=16)
        for row in rows:
            made.update(hashlib.blake2b(row, digest_size=16).digest())
        return made.digest()

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        if self._base is None:
            raise JournalError(f"journal {self.path.name} is closed")
        with self._errors_told():
            return self._base.execute(statement, values).fetchall()

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the disk into ours."""
        try:
            yield
        except sqlite3.OperationalError as error:
            why = "another run holds it: let that one end" if "locked" in str(error) else str(error)
            raise JournalError(f"journal {self.path.name}: {why}") from error
        except sqlite3.DatabaseError as error:
            raise JournalError(f"journal {self.path.name}: {error}") from error
        except OSError as error:
            raise JournalError(f"journal {self.path.name}: {error.strerror}") from error
