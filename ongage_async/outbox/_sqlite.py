"""An outbox in one SQLite file, for the processes of one machine.

    outbox.db            0600   the entries; each step is on the disk when it returns (WAL, synchronous=FULL)
    outbox.db-wal, -shm  0600   SQLite's own
    outbox.db-senders/   0700   one file per sender, locked (flock) while it lives: the kernel lets go of a dead one's

Who is dead is a question to the kernel and not to a clock: a sender that hangs keeps its entries, and one that was
killed loses them at once.
"""

import fcntl
import json
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from ongage_async._operation import Repeat
from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, OutboxError
from ongage_async.governor._file_place import network_file_system
from ongage_async.outbox import _sqlite_steps as steps
from ongage_async.outbox._entry import Entry, NewEntry, OutboxStatistics, Status

__all__ = ["SqliteStore"]

T = TypeVar("T")
PATIENCE_S = 10.0
"""How long one process waits for another's step."""


class SqliteStore:
    """Keep entries in a file; see `Store`.

    Args:
        url: ``sqlite:///absolute/path``.
        account: The account that the calls are for.

    Raises:
        ConfigurationError: The URL names no file of this machine, or another account's.
        OutboxError: The file cannot be made or opened.
    """

    def __init__(self, url: str, account: str) -> None:
        self.path = _path_of(url)
        self.owner = secrets.token_hex(8)
        self._senders = self.path.with_name(self.path.name + "-senders")
        self._lock: int | None = None
        self._one = threading.Lock()
        self._base: sqlite3.Connection | None = None
        with self._troubles():
            self._base = self._opened()
            self._tie = self._write(lambda base: steps.join(base, account))
        _every.add(self)

    def __repr__(self) -> str:
        return f"SqliteStore({self.path.name!r})"

    # -- coming and going ---------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        _make_private(self.path)
        base = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            _in_wal(base)
            base.execute("pragma synchronous=full")
            base.execute("pragma fullfsync=1")
            base.execute("pragma secure_delete=1")  # what is forgotten is gone from the file, too
        except BaseException:
            base.close()
            raise
        return base

    def close(self) -> None:
        """See `Store.close`."""
        with suppress(OutboxError):
            self.release()
        with self._one:
            if self._base is not None:
                self._base.close()
            self._base = None
            if self._lock is not None:
                self._sender(self.owner).unlink(missing_ok=True)
                os.close(self._lock)
            self._lock = None

    def abandon(self) -> None:
        """Be the copy of a store in a forked process: never touch the file, let the parent's lock be the parent's."""
        _abandoned.append(self._base)  # closing it here would disturb the parent's
        self._base, self._one = None, threading.Lock()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    # -- being alive --------------------------------------------------------------------------------------------------

    def _sender(self, owner: str) -> Path:
        return self._senders / owner

    def _be_alive(self) -> None:
        if self._lock is None:
            self._senders.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(self._sender(self.owner), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BaseException:  # without it others would take us for dead
                os.close(lock)
                raise
            self._lock = lock

    @contextmanager
    def _held_if_dead(self, owner: str) -> Iterator[bool]:
        """Hold a dead sender's lock, so that nobody else takes over from it; tell whether it is dead."""
        try:
            lock = os.open(self._sender(owner), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield True
            return
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
            self._sender(owner).unlink(missing_ok=True)
        finally:
            os.close(lock)

    # -- a call's way -------------------------------------------------------------------------------------------------

    def put(self, entry: NewEntry) -> str:
        """See `Store.put`."""
        return self._change(lambda base: steps.put(base, entry, self._tie.now()))

    def claim(self, room: Mapping[Lane, int]) -> Sequence[Entry]:
        """See `Store.claim`."""
        if not self._read(lambda base: steps.waiting(base, room)):
            return ()
        with self._troubles():
            self._be_alive()
        return self._change(self._claim, room)

    def _claim(self, base: sqlite3.Connection, room: Mapping[Lane, int]) -> Sequence[Entry]:
        numbers = steps.waiting(base, room)
        base.executemany("update entry set owner = ? where number = ?", [(self.owner, each) for each in numbers])
        rows = [
            base.execute(f"select {steps.COLUMNS} from entry where number = ?", (each,)).fetchone()  # noqa: S608
            for each in numbers
        ]
        return [self._entry(row) for row in rows]

    def begin(self, entry_id: str) -> bool:
        """See `Store.begin`."""
        return self._change(steps.begin, entry_id, self.owner, self._tie.now())

    def settle(self, entry_id: str, status: Status, reason: str | None = None, answer: Any = None) -> None:
        """See `Store.settle`."""
        told = None if answer is None else json.dumps(answer)
        values = (status, reason, told, self._tie.now(), entry_id, self.owner)
        self._change(
            steps.moved,
            "update entry set status = ?, reason = ?, answer = ?, settled_at = ?, owner = null where id = ? "
            "and owner = ? and status in ('queued', 'sending', 'uncertain')",
            values,
        )

    def keep(self, entry_id: str, reason: str | None = None) -> None:
        """See `Store.keep`."""
        values = (reason, entry_id, self.owner)
        statement = "update entry set status = 'queued', reason = ? where id = ? and owner = ? and status = 'sending'"
        self._change(steps.moved, statement, values)

    def release(self) -> None:
        """See `Store.release`."""
        if self._lock is not None:
            statement = "update entry set owner = null where owner = ? and status = 'queued'"
            self._change(steps.moved, statement, (self.owner,))

    # -- housekeeping -------------------------------------------------------------------------------------------------

    def sweep(self, own: Sequence[str], keep_s: float) -> None:  # noqa: ARG002 - who lives is told by its lock
        """See `Store.sweep`."""
        now = self._tie.now()
        if self._read(lambda base: steps.has_dust(base, now, keep_s)):
            self._change(steps.dust, now, keep_s)
        for owner in self._read(lambda base: steps.owners(base, self.owner)):
            with self._troubles(), self._held_if_dead(owner) as is_dead:
                if is_dead:
                    self._change(steps.take_over, owner, now)

    def decide(self, entry_id: str, status: Status) -> bool:
        """See `Store.decide`."""
        return self._change(steps.decide, entry_id, status, self._tie.now())

    def get(self, entry_id: str) -> Entry | None:
        """See `Store.get`."""
        statement = f"select {steps.COLUMNS} from entry where id = ?"  # noqa: S608 - a constant
        row = self._read(lambda base: base.execute(statement, (entry_id,)).fetchone())
        return None if row is None else self._entry(row)

    def page(self, status: Status | None, after: int, most: int) -> Sequence[Entry]:
        """See `Store.page`."""
        statement = (
            f"select {steps.COLUMNS} from entry where number > ? and (? is null or status = ?) order by number limit ?"  # noqa: S608
        )
        rows = self._read(lambda base: base.execute(statement, (after, status, status, most)).fetchall())
        return [self._entry(row) for row in rows]

    def statistics(self) -> OutboxStatistics:
        """See `Store.statistics`."""
        counts, oldest = self._read(steps.counts)
        age_s = 0.0 if oldest is None else max(0.0, self._tie.now() - oldest)
        return OutboxStatistics(**counts, oldest_queued_s=age_s)

    def _entry(self, row: Sequence[Any]) -> Entry:
        entry_id, number, kind, status, lane, repeat, tenant, key, *rest = row
        attempts, put_at, expires_at, reason, arguments, answer = rest
        now = self._tie.now()
        return Entry(
            id=entry_id,
            number=number,
            kind=kind,
            status=Status(status),
            lane=Lane(lane),
            repeat=Repeat(repeat),
            tenant=tenant,
            key=key,
            attempts=attempts,
            age_s=max(0.0, now - put_at),
            expires_in_s=None if expires_at is None else expires_at - now,
            reason=reason,
            arguments=json.loads(arguments),
            answer=None if answer is None else json.loads(answer),
        )

    # -- steps --------------------------------------------------------------------------------------------------------

    def _read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        with self._one, self._troubles():
            return job(self._live())

    def _change(self, job: Callable[..., T], *values: Any) -> T:
        with self._troubles():
            return self._write(job, *values)

    def _write(self, job: Callable[..., T], *values: Any) -> T:
        with self._one:
            base = self._live()
            base.execute("begin immediate")
            try:
                answer = job(base, *values)
                base.execute("commit")
            except BaseException:
                if base.in_transaction:
                    base.execute("rollback")
                raise
            return answer

    def _live(self) -> sqlite3.Connection:
        if self._base is None:
            raise OutboxError(f"the outbox {self.path.name} is closed, or was opened before a fork: open it again")
        return self._base

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """Turn the errors of SQLite and of the disk into ours."""
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise OutboxError(f"the outbox {self.path.name} cannot be used: {reason}") from error


def _path_of(url: str) -> Path:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.query or parts.fragment:
        raise ConfigurationError("outbox: write a ? or # in the path of sqlite:// as %3F or %23: it ends there else")
    if parts.netloc not in {"", "localhost"} or not path.is_absolute() or not path.name or url.endswith("/"):
        raise ConfigurationError(
            "outbox: a file is given as sqlite:///absolute/path (three slashes), for instance "
            "sqlite:///var/lib/app/outbox.db"
        )
    if kind := network_file_system(path.parent):
        raise ConfigurationError(
            f"outbox: {path.name} lies on a network file system ({kind}), where SQLite's locks do not hold: put it on "
            "a disk of this machine, or use redis://"
        )
    return path


def _make_private(path: Path) -> None:
    """Make the file unless it is there; one that is there is not touched.

    Whoever closes any descriptor of a file gives up all locks that the process has on it (POSIX), those of another
    open outbox too: another process would then take the log away under it, and what is put is lost.
    """
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _in_wal(base: sqlite3.Connection) -> None:
    """Have a write-ahead log; while another process is about the same, SQLite says "locked" without waiting."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            base.execute("pragma journal_mode=wal")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.005)
        else:
            return


_making = threading.Lock()
_every: "weakref.WeakSet[SqliteStore]" = weakref.WeakSet()
_abandoned: list[sqlite3.Connection | None] = []


def _after_fork() -> None:
    for store in list(_every):
        store.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
