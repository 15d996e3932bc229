"""The steps of an outbox in SQLite, each on a connection in a transaction of its own; `_sqlite.py` opens both.

Times are the store's (`_clock.py`). Nothing here knows files, locks or threads.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ongage_async.config import Lane
from ongage_async.errors import ConfigurationError, InvalidInputError, OutboxError
from ongage_async.outbox._clock import Tie, boot_number, since_boot_s
from ongage_async.outbox._entry import DISCARDABLE, FORGOTTEN, RETRIABLE, NewEntry, Status
from ongage_async.outbox._store import BATCH, SAME_KEY

__all__ = [
    *("COLUMNS", "begin", "counts", "decide", "dust", "has_dust", "join"),
    *("moved", "owners", "put", "take_over", "waiting"),
]

VERSION = 1

TABLES = """
create table outbox (account text not null, boot real not null, ahead_s real not null);
create table entry (
    number integer primary key autoincrement, id text not null unique, key text unique, kind text not null,
    arguments text not null, lane integer not null, repeat text not null, tenant text not null,
    status text not null, owner text, attempts integer not null default 0,
    put_at real not null, expires_at real, settled_at real, reason text, answer text
);
create index waiting on entry (status, lane, number);
create index late on entry (expires_at) where status = 'queued' and expires_at is not null;
create index settled on entry (settled_at) where settled_at is not null;
create index owned on entry (owner) where owner is not null;
"""
COLUMNS = "id, number, kind, status, lane, repeat, tenant, key, attempts, put_at, expires_at, reason, arguments, answer"


def join(base: sqlite3.Connection, account: str) -> Tie:
    """Make the tables unless they are there, and return how this boot's time becomes the file's."""
    (version,) = base.execute("pragma user_version").fetchone()
    if version not in (0, VERSION):
        raise OutboxError(f"the outbox is of another version of this library ({version})")
    if version == 0:
        for statement in filter(str.strip, TABLES.split(";")):
            base.execute(statement)
        base.execute(f"pragma user_version={VERSION}")
        base.execute("insert into outbox values (?, 0, 0)", (account,))
    whose, boot, ahead_s = base.execute("select account, boot, ahead_s from outbox").fetchone()
    if whose != account:
        raise ConfigurationError("outbox: this file holds the calls of another account: give each account its own")
    if boot == boot_number():
        return Tie(boot, ahead_s)
    (last,) = base.execute("select max(max(put_at), coalesce(max(settled_at), 0)) from entry").fetchone()
    tie = Tie.of_new_boot(boot_number(), last or 0.0, time.time(), since_boot_s())
    base.execute("update outbox set boot = ?, ahead_s = ?", (tie.boot, tie.ahead_s))
    return tie


def put(base: sqlite3.Connection, entry: NewEntry, now: float) -> str:
    """Keep an entry, or find the one that is there under its key; return its id."""
    known = base.execute("select id, kind, arguments from entry where key = ? or id = ?", (entry.key, entry.id))
    if (found := known.fetchone()) is not None:
        if tuple(found[1:]) != (entry.kind, entry.arguments):
            raise InvalidInputError(SAME_KEY)
        return str(found[0])
    expires_at = None if entry.expires_in_s is None else now + entry.expires_in_s
    base.execute(
        "insert into entry (id, key, kind, arguments, lane, repeat, tenant, status, put_at, expires_at) "
        "values (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
        (
            *(entry.id, entry.key, entry.kind, entry.arguments, int(entry.lane), entry.repeat.value, entry.tenant),
            *(now, expires_at),
        ),
    )
    return entry.id


def waiting(base: sqlite3.Connection, room: Mapping[Lane, int]) -> list[int]:
    """Return the numbers of the entries that nobody has: of each lane the first, at most so many."""
    statement = (
        "select number from entry where status = 'queued' and lane = ? and owner is null order by number limit ?"
    )
    return [number for lane, most in room.items() for (number,) in base.execute(statement, (int(lane), most))]


def moved(base: sqlite3.Connection, statement: str, values: Sequence[Any]) -> bool:
    """Run a statement that changes at most what it names; tell whether it changed anything."""
    return base.execute(statement, values).rowcount > 0


def has_dust(base: sqlite3.Connection, now: float, keep_s: float) -> bool:
    """Tell whether anything is late, or old enough to be forgotten."""
    statement = "select 1 from entry indexed by late where status = 'queued' and expires_at <= ? limit 1"
    late = base.execute(statement, (now,)).fetchone()
    return bool(late or _old(base, now - keep_s))


def owners(base: sqlite3.Connection, me: str) -> list[str]:
    """Return the other senders that have entries."""
    rows = base.execute(
        "select distinct owner from entry indexed by owned where owner <> ? and status in ('queued', 'sending')",
        (me,),
    )
    return [owner for (owner,) in rows]


def dust(base: sqlite3.Connection, now: float, keep_s: float) -> None:
    """Expire what is late, and forget what is old."""
    _expire(base, now)
    base.executemany("delete from entry where number = ?", _old(base, now - keep_s))


def _expire(base: sqlite3.Connection, now: float) -> None:
    base.execute(
        "update entry indexed by late set status = 'expired', settled_at = ?, owner = null, "
        "reason = 'its time was over' where status = 'queued' and expires_at <= ?",
        (now, now),
    )


def begin(base: sqlite3.Connection, entry_id: str, owner: str, now: float) -> bool:
    """Mark an own entry as being sent; false if it is not ours, or too late."""
    _expire(base, now)
    statement = "update entry set status = 'sending', attempts = attempts + 1 where id = ? and owner = ? "
    return moved(base, statement + "and status = 'queued'", (entry_id, owner))


def counts(base: sqlite3.Connection) -> tuple[dict[str, int], float | None]:
    """Return how many entries have each status, and when the first of the queued ones was put."""
    found = dict(base.execute("select status, count(*) from entry group by status").fetchall())
    first = "select put_at from entry where number = (select min(number) from entry where status = 'queued')"
    oldest = base.execute(first).fetchone()
    return found, None if oldest is None else oldest[0]


def _old(base: sqlite3.Connection, before: float) -> list[tuple[int]]:
    marks = ", ".join("?" for _ in FORGOTTEN)
    return base.execute(
        f"select number from entry indexed by settled where settled_at <= ? and status in ({marks}) "  # noqa: S608
        f"order by settled_at limit {BATCH}",
        (before, *FORGOTTEN),
    ).fetchall()


def take_over(base: sqlite3.Connection, owner: str, now: float) -> None:
    """Let others have what a dead sender had; what was on its way and may not be repeated is uncertain."""
    base.execute(
        "update entry set status = 'uncertain', settled_at = ?, reason = 'its sender died while it was being sent' "
        "where owner = ? and status = 'sending' and repeat <> 'safe'",
        (now, owner),
    )
    base.execute(
        "update entry set status = 'queued', owner = null where owner = ? and status in ('queued', 'sending')",
        (owner,),
    )


def decide(base: sqlite3.Connection, entry_id: str, status: Status, now: float) -> bool:
    """Move an entry by a person's word; tell whether it was where that may be done."""
    allowed = RETRIABLE if status is Status.QUEUED else DISCARDABLE
    marks = ", ".join("?" for _ in allowed)
    settled_at = None if status is Status.QUEUED else now
    return moved(
        base,
        f"update entry set status = ?, owner = null, settled_at = ?, reason = null, answer = null, expires_at = null "  # noqa: S608
        f"where id = ? and status in ({marks})",
        (status, settled_at, entry_id, *allowed),
    )
