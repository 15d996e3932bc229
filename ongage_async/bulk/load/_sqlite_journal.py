"""A journal that outlives its process: a directory of its own, with the lines in SQLite and the parts beside them.

    contacts.csv.ongage-journal/      0700
        journal.sqlite                the lines; each is on the disk when `record` returns
        lock                          held (flock) while a run is alive; the kernel lets go of a dead one's
        parts/                        what is going to be sent, until it was

Nothing here knows what the lines mean (`_journal.py`), nor what is done with them.
"""

import datetime as dt
import fcntl
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from ongage_async.bulk.load._journal import Entry, Identity, Step
from ongage_async.errors import ConfigurationError, JournalError

__all__ = ["SUFFIX", "SqliteJournal", "empty_directory", "sync_files"]

T = TypeVar("T")
SUFFIX = ".ongage-journal"
VERSION = 1

FRESH = "journal.new"
_OF_A_BEGINNING = ("lock", FRESH, f"{FRESH}-journal")
"""What there may be before there is a journal."""

_TABLES = """
create table feature (name text primary key, digest text not null, words text not null);
create table line (number integer primary key, at text not null, part integer not null, step text not null,
                   facts text not null);
"""


class SqliteJournal:
    """Keep the lines of one load in a directory, so that the same command goes on after a crash.

    Args:
        path: The directory; made when the load begins. It holds contacts: only its owner can read it.

    Raises:
        ConfigurationError: There is something else at `path`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ConfigurationError(f"journal: {self.path.name} is no directory, and a journal is one")
        self._database = self.path / "journal.sqlite"
        self._writing = threading.Lock()
        self._is_mine = False

    @classmethod
    def beside(cls, source: str | os.PathLike[str]) -> "SqliteJournal":
        """Return the journal that lies beside a file: ``contacts.csv.ongage-journal``."""
        path = Path(source)
        return cls(path.with_name(path.name + SUFFIX))

    def __repr__(self) -> str:
        return f"SqliteJournal({str(self.path)!r})"

    @property
    def directory(self) -> Path:
        """Where the parts lie."""
        return self.path / "parts"

    @property
    def exists(self) -> bool:
        """Whether there is anything."""
        return self._database.exists()

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Keep other runs away, on this machine; see `Journal.held`."""
        handle = self._lock()
        self._is_mine = True
        try:
            with self._troubles():
                await anyio.to_thread.run_sync(self._prepare)
            yield
        finally:
            with (
                self._writing
            ):  # asyncio's own cancellation leaves a thread behind: no line comes after the lock is gone
                self._is_mine = False
                os.close(handle)  # which lets go of the lock

    def is_held(self) -> bool:
        """Say whether a run is alive."""
        if not (self.path / "lock").exists():
            return False
        try:
            os.close(self._lock())
        except JournalError:
            return True
        return False

    def _lock(self) -> int:
        with self._troubles():
            self._make_private()
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(handle).st_nlink:  # removed since it was opened: others lock another file
                raise BlockingIOError
        except OSError as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                raise JournalError(f"another run holds the journal {self.path.name}: let it end, or end it") from None
            raise JournalError(f"the journal {self.path.name} cannot be locked: {error.strerror}") from error
        return handle

    def _make_private(self) -> None:
        self.path.mkdir(mode=0o700, exist_ok=True)
        if not self.exists and any(each.name not in _OF_A_BEGINNING for each in self.path.iterdir()):
            raise JournalError(f"{self.path.name} is no journal and holds something else: pass a place of its own")
        if self.path.stat().st_mode & 0o077:
            self.path.chmod(0o700)

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            if isinstance(error, FileNotFoundError):
                reason = f"{reason}. Make its directory {self.path.parent} first"
            raise JournalError(f"the journal {self.path.name} cannot be made: {reason}") from error

    async def identity(self) -> Identity | None:
        """Return what it belongs to; see `Journal.identity`."""
        return await self._work(_read_identity)

    async def start(self, identity: Identity) -> None:
        """Begin anew; see `Journal.start`."""
        await self._change(partial(_start, identity))

    async def record(self, step: Step, part: int = 0, /, **facts: Any) -> None:
        """Write a line; see `Journal.record`."""
        text = json.dumps(facts)  # in ASCII: names of files may be no text
        at = dt.datetime.now(dt.UTC).isoformat()
        await self._change(lambda base: base.execute(_INSERT, (at, part, step, text)))

    async def lines(self) -> tuple[Entry, ...]:
        """Return all lines; see `Journal.lines`."""
        return await self._work(_read_lines)

    async def last(self) -> Entry | None:
        """Return the last line; None when there is none."""
        return (await self.lines() or (None,))[-1]

    async def delete(self) -> None:
        """Remove it from the disk, with its parts, and its directory unless something else is in there.

        Raises:
            JournalError: A run holds it, or it cannot be removed.
        """
        async with self.held():
            await anyio.to_thread.run_sync(self._remove)

    def _remove(self) -> None:
        with self._writing, self._troubles():
            shutil.rmtree(self.directory)  # first: while there is a database, it can be given up again
            for name in (f"{self._database.name}-journal", self._database.name, *_OF_A_BEGINNING):
                (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):
                self.path.rmdir()

    async def _work(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return await anyio.to_thread.run_sync(self._transact, job)

    async def _change(self, job: Callable[[sqlite3.Connection], object]) -> None:
        await anyio.to_thread.run_sync(partial(self._transact, job, changes=True))

    def _transact(self, job: Callable[[sqlite3.Connection], T], *, changes: bool = False) -> T:
        with self._writing, self._opened() as base:
            if changes and not self._is_mine:
                raise JournalError(f"no run holds the journal {self.path.name}: nothing may be written")
            base.execute("begin immediate")
            answer = job(base)
            base.execute("commit")
            return answer

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the file, which must be there, for one transaction: nothing is held between two lines."""
        try:
            uri = f"{self._database.resolve().as_uri()}?mode=rw"
            base = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=10.0)
            try:
                # A rollback journal and EXTRA: with FULL, a commit could come undone if the power fails right after it,
                # since the directory entry of the rollback journal may come back (sqlite.org/pragma, synchronous).
                base.execute("pragma synchronous=extra")
                base.execute("pragma fullfsync=1")
                yield base
            finally:
                base.close()
        except sqlite3.Error as error:
            raise JournalError(f"the journal {self.path.name} cannot be used: {error}") from error

    def _prepare(self) -> None:
        with self._writing:
            if self._is_mine:
                self._make()

    def _make(self) -> None:
        """Make the file with its tables, unless there is one; whole under its name or not there at all."""
        if not self.exists:
            fresh = self.path / FRESH
            fresh.unlink(missing_ok=True)
            os.close(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            base = sqlite3.connect(fresh, isolation_level=None)
            try:
                base.executescript(f"pragma synchronous=extra; pragma user_version={VERSION}; begin; {_TABLES} commit;")
            finally:
                base.close()
            fresh.rename(self._database)
            _sync(self.path)
            _sync(self.path.parent)
        with self._opened() as base:
            (version,) = base.execute("pragma user_version").fetchone()
        if version != VERSION:
            raise JournalError(f"the journal {self.path.name} is of another version of this library ({version})")
        self.directory.mkdir(mode=0o700, exist_ok=True)


_INSERT = "insert into line (at, part, step, facts) values (?, ?, ?, ?)"


def _read_identity(base: sqlite3.Connection) -> Identity | None:
    rows = base.execute("select name, digest, words from feature order by rowid").fetchall()
    return Identity({name: (digest, words) for name, digest, words in rows}) if rows else None


def _start(identity: Identity, base: sqlite3.Connection) -> None:
    base.execute("delete from line")
    base.execute("delete from feature")
    rows = [(name, digest, words) for name, (digest, words) in identity.features.items()]
    base.executemany("insert into feature values (?, ?, ?)", rows)


def _read_lines(base: sqlite3.Connection) -> tuple[Entry, ...]:
    rows = base.execute("select step, facts, part, at from line order by number")
    return tuple(Entry(step, json.loads(facts), part, dt.datetime.fromisoformat(at)) for step, facts, part, at in rows)


def empty_directory(directory: Path) -> None:
    """Remove all files in a directory: parts that are in, or of a run that never came to its plan.

    Raises:
        JournalError: They cannot be removed.
    """
    with _disk_errors("emptied"):
        for path in directory.iterdir():
            path.unlink()


def sync_files(directory: Path) -> None:
    """Have a directory and its files on the disk, and not only on their way there.

    Raises:
        JournalError: The disk is full, or broken.
    """
    with _disk_errors("written"):
        for path in (*directory.iterdir(), directory):
            _sync(path)


@contextmanager
def _disk_errors(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise JournalError(f"the journal's parts cannot be {done}: {error.strerror}") from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
