"""The sender of one process: takes entries out of the store, first come, first served, and has them delivered."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from attrs import define, field

from ongage_async._engine import Engine, Options
from ongage_async._tasks import Yard
from ongage_async.config import Lane
from ongage_async.errors import OutboxError
from ongage_async.outbox._delivery import Delivery
from ongage_async.outbox._desk import Desk
from ongage_async.outbox._entry import Entry
from ongage_async.outbox._store import Store

__all__ = ["Sender"]

log = logging.getLogger("ongage_async.outbox")

LEAST_WINDOW = 20
"""Entries of a lane that stand in the governor's line at once, so that it always has somebody to call."""

MOST_RESTING = 500
"""Entries of a lane that wait for a next attempt: as long as there are fewer, others go ahead of them."""


@define(eq=False)
class Sender:
    """Send what is in the store until it is closed.

    Args:
        desk: The store.
        engine: What makes the calls.
        options: The client's.
        keep_s: How long settled entries are kept.
        sweep_s: How often it says that it lives, and looks who does not.
        poll_s: How often it looks for what other processes put.
        on_news: Called with the id of each entry that is over.
    """

    desk: Desk
    engine: Engine
    options: Options
    keep_s: float
    sweep_s: float
    poll_s: float
    on_news: Callable[[str], None]
    is_closing: bool = field(default=False, init=False)
    _yard: Yard = field(factory=Yard, init=False)
    _under_way: dict[str, Delivery] = field(factory=dict, init=False)
    _again: dict[str, Entry] = field(factory=dict, init=False)
    _busy: Counter[Lane] = field(factory=Counter, init=False)
    _resting: Counter[Lane] = field(factory=Counter, init=False)
    _woken: anyio.Event = field(factory=anyio.Event, init=False)
    _is_in_trouble: bool = field(default=False, init=False)
    _sweep_at: float = field(default=0.0, init=False)

    def start(self) -> None:
        """Begin, in a task of our own."""
        self._yard.start(self._run)

    def wake(self) -> None:
        """Look at once: there is something new."""
        self._woken.set()

    async def aclose(self) -> None:
        """Let begun sends end; what waits stays in the store for others."""
        self.is_closing = True
        self.wake()
        for delivery in list(self._under_way.values()):
            delivery.leave()
        await self._yard.drain()

    async def _run(self) -> None:
        while not self.is_closing:
            self._woken = anyio.Event()
            try:
                await self._round()
                self._is_in_trouble = False
            except OutboxError as error:
                if not self._is_in_trouble:
                    log.warning("nothing is sent: %s", error)
                self._is_in_trouble = True
            except Exception:
                log.exception("the outbox's sender failed, and goes on")
            with anyio.move_on_after(self.poll_s):
                await self._woken.wait()

    async def _round(self) -> None:
        if anyio.current_time() >= self._sweep_at:
            await self._sweep()
        if not (room := self._room()):
            return
        for entry in await self.desk.ask(Store.claim, room):
            if entry.id in self._under_way:  # a person decided meanwhile, or our lease was over
                self._again[entry.id] = entry
            elif not self.is_closing:
                await self._begin(entry).stands_in_line()

    def _begin(self, entry: Entry) -> Delivery:
        self._busy[entry.lane] += 1
        self._under_way[entry.id] = delivery = Delivery(self, entry)
        self._yard.start(self._deliver, delivery, entry)
        return delivery

    def _room(self) -> dict[Lane, int]:
        """Say how many entries of each lane may be begun."""
        window = max(LEAST_WINDOW, 2 * self.engine.governor.limits.parallel)
        room = {lane: window + min(self._resting[lane], MOST_RESTING) - self._busy[lane] for lane in Lane}
        return {lane: most for lane, most in room.items() if most > 0}

    @contextmanager
    def resting(self, lane: Lane) -> Iterator[None]:
        """See `Office.resting`."""
        self._resting[lane] += 1
        self.wake()
        try:
            yield
        finally:
            self._resting[lane] -= 1

    async def _sweep(self) -> None:
        self._sweep_at = anyio.current_time() + self.sweep_s
        await self.desk.ask(Store.sweep, tuple(self._under_way), self.keep_s)

    async def _deliver(self, delivery: Delivery, entry: Entry) -> None:
        try:
            await delivery.run()
            if delivery.is_late:
                await self._sweep()
            self.on_news(entry.id)
        except Exception:
            log.exception("the delivery of entry %s failed", entry.id)
        finally:
            self._busy[entry.lane] -= 1
            del self._under_way[entry.id]
            again = self._again.pop(entry.id, None)
            if again is not None and not self.is_closing:
                self._begin(again)
            self.wake()
