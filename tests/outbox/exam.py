"""The stores that sit the exam of outboxes: how each is opened, and how the process that holds one is killed."""

import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import anyio
from attrs import define, field

from ongage_async._operation import Repeat
from ongage_async.config import Lane
from ongage_async.outbox._entry import NewEntry
from ongage_async.outbox._store import Store, open_store
from tests.ledgers.redis_exam import one_server
from tests.support import memory_folder

STORES = ("sqlite", "redis")
LEASE_S = 0.04
ALIVE_S = 1.0
"""The lease of one that must not seem dead though the machine stands still for a moment."""
_numbers = count(1)


@define(eq=False)
class Exam:
    """One outbox, and the processes that hold it."""

    kind: str
    url: str
    account: str = field(factory=lambda: f"account {next(_numbers)}")
    _opened: list[Store] = field(factory=list)

    def open_one(self, *, lease_s: float = LEASE_S) -> Any:
        store = open_store(self.url, self.account, lease_s)
        self._opened.append(store)
        return store

    def kill(self, store: Any) -> None:
        """Let a store's process be dead, in the way in which others can tell: its lock is gone, or it was silent."""
        self._opened.remove(store)
        if self.kind == "sqlite":
            if store._lock is not None:
                os.close(store._lock)
            store._lock = None
            store._base.close()
        else:
            store._client.close()
            time.sleep(LEASE_S + 0.01)

    def close(self) -> None:
        for store in self._opened:
            store.close()


@contextmanager
def outbox_url(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty outbox."""
    if kind == "redis":
        one_server().client.flushall()
        yield one_server().url
        return
    with memory_folder(folder) as place:
        yield f"sqlite://{place}/outbox.db"


def passed(for_s: float) -> Iterator[None]:
    """Let real time pass, in steps in which something may be done."""
    ends_at = time.monotonic() + for_s
    while time.monotonic() < ends_at:
        time.sleep(0.02)
        yield


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again: what is waited for happens in a store, where nobody calls back."""
    with anyio.fail_after(10):
        while not await holds():  # noqa: ASYNC110
            await anyio.sleep(0.02)


def call(entry_id: str, **rest: Any) -> NewEntry:
    """Make an entry of which the store need not know more."""
    told = {"kind": "contacts.create", "arguments": "{}", "lane": Lane.NORMAL, "repeat": Repeat.NEVER, **rest}
    return NewEntry(id=entry_id, **told)
