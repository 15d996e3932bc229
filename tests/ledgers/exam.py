"""The ledgers that sit the conformance exam, and how each is opened.

A new ledger is one more entry: a function, decorated with `sits_the_exam`, that is given a directory, the limits and a
clock, and yields an `Opener`. Ledgers that need more than that to be opened live in a `*_exam.py` of their own, which
`conftest.py` imports if it is there. What the exam asks is in `test_conformance.py`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
from attrs import define

from ongage_async.config import Limits
from ongage_async.governor import Ledger, MemoryLedger
from ongage_async.governor._file import FileLedger

MARGIN_S = 3.0


class Opener(Protocol):
    """Opens one more member's ledger on the same account, started.

    Args:
        wake: Called when it is woken.
        limits: Its own, if they are not those of the exam.
        reserve: See `Account`.
        heartless: It does not renew its leases, as if its process hung.
    """

    async def __call__(
        self, wake: Callable[[], None] = ..., *, limits: Limits | None = None, reserve: int = 0, heartless: bool = False
    ) -> Ledger: ...


Exam = Callable[[Path, Limits, Callable[[], float]], AbstractAsyncContextManager[Opener]]
LEDGERS: dict[str, Exam] = {}


def sits_the_exam(name: str) -> Callable[[Exam], Exam]:
    """Enter a ledger; dates must be in the clock that it is given, and uncertain ends wait for MARGIN_S."""

    def enter(exam: Exam) -> Exam:
        LEDGERS[name] = exam
        return exam

    return enter


def nobody() -> None:
    """Be woken and do nothing."""


@sits_the_exam("memory")
@asynccontextmanager
async def memory(_: Path, limits: Limits, clock: Callable[[], float]) -> AsyncIterator[Opener]:
    first: MemoryLedger | None = None
    opened: list[MemoryLedger] = []

    async def open_one(
        wake: Any = nobody, *, limits: Limits | None = limits, reserve: int = 0, heartless: bool = False
    ) -> Ledger:
        nonlocal first
        if first is None:
            first = MemoryLedger(limits, MARGIN_S, reserve, clock)
        opened.append(first.member(f"member {len(opened)}"))
        await opened[-1].start(wake)
        return opened[-1]

    yield open_one
    for ledger in opened:
        await ledger.aclose()


@sits_the_exam("file")
@asynccontextmanager
async def file(directory: Path, limits: Limits, clock: Callable[[], float]) -> AsyncIterator[Opener]:
    opened: list[FileLedger] = []
    url = (directory / "exam.ledger").as_uri()

    async def open_one(
        wake: Any = nobody, *, limits: Limits | None = limits, reserve: int = 0, heartless: bool = False
    ) -> Ledger:
        opened.append(FileLedger(url, limits or Limits(), "exam", margin_s=MARGIN_S, reserve=reserve, clock=clock))
        await opened[-1].start(wake)
        if heartless:
            opened[-1]._heart.watch = lambda *_: None  # type: ignore[method-assign]
        return opened[-1]

    yield open_one
    for ledger in opened:
        await ledger.aclose()


@define
class HandClock:
    """A clock that is set by hand; calling it tells its time."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Ears:
    """Counts how often a member was woken, and waits for it."""

    def __init__(self) -> None:
        self.heard = 0
        self._event = anyio.Event()

    def __call__(self) -> None:
        self.heard += 1
        self._event.set()

    async def hear(self, within_s: float = 5.0) -> bool:
        with anyio.move_on_after(within_s):
            await self._event.wait()
        heard = self._event.is_set()
        self._event = anyio.Event()
        return heard
