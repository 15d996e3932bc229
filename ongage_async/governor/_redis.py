"""The ledger for many machines: an account's budget at a Redis or Valkey server.

One atomic script per decision (`ledger.lua`), by the server's clock. This file keeps what one process knows: what time
it is there, which memory of the account it has seen, and which calls it has open, so that a server that forgets never
means a new budget. Decisions and what they cost: docs/decisions/redis-ledger.md.
"""

import contextlib
import math
import os
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import anyio
from attrs import define

from ongage_async._tasks import Yard, running_loop
from ongage_async.config import Lane, Limits
from ongage_async.governor import _redis_script as said
from ongage_async.governor._lease import End, Lease, Pause, Wait
from ongage_async.governor._ledger import LedgerLostError
from ongage_async.governor._redis_wire import Address, Wire, open_wire
from ongage_async.governor._rules import Account

__all__ = ["RedisLedger"]

T = TypeVar("T")

DRIFT = 1e-3
"""By how much a client's clock may run faster or slower than the server's."""

RETRY_S = 0.5
"""After a failure, listening and renewing are tried again that much later."""

_LEFT_BEHIND: list[object] = []
"""Connections and tasks of a parent process: not used, and not closed, since that could be heard at the other end."""


@define
class _Held:
    """A lease of ours that is out, and the last memory of the server's that was told of it."""

    lease: Lease
    known_in: str
    lease_s: float
    seen_at: float
    is_ending: bool = False


@define
class _Clock:
    """Estimate the server's time from this process's monotonic clock, from the answers' times."""

    _least: float = float("-inf")
    _most: float = float("inf")
    _measured_at: float | None = None

    def measure(self, there: float, sent_at: float, heard_at: float) -> None:
        """Learn from an answer that was given at `there`, at some instant between send and hearing."""
        aged = DRIFT * abs(heard_at - (self._measured_at or heard_at))
        least, most = max(there - heard_at, self._least - aged), min(there - sent_at, self._most + aged)
        if least > most:  # one of the clocks was put forward or back
            least, most = there - heard_at, there - sent_at
        self._least, self._most, self._measured_at = least, most, heard_at

    def now(self) -> float:
        """Return the server's time, as far as known."""
        ahead = 0.0 if self._measured_at is None else (self._least + self._most) / 2
        return time.monotonic() + ahead


@define(eq=False)
class _Caller:
    gone: bool = False
    lease: Lease | None = None


class RedisLedger:
    """Keep the budget at a server, for any number of processes and machines.

    Args:
        url: ``redis://user:password@host:6379/0``; ``rediss://`` with TLS; ``valkey://`` and ``valkeys://`` alike.
        limits: What the account allows; of processes that disagree the strictest limits hold.
        account_key: What names the account among others at that server; a hash, never a secret.
        margin_s: See `Account`.
        reserve: See `Account`.

    Raises:
        ConfigurationError: The URL cannot be used, or redis-py is missing.
    """

    def __init__(self, url: str, limits: Limits, account_key: str, *, margin_s: float = 10.0, reserve: int = 0) -> None:
        self._address = Address(url)
        self._script = said.Script(account_key, limits, margin_s, reserve)
        self._margin_s, self._reserve = margin_s, reserve
        self.name, self._named_in = secrets.token_hex(8), os.getpid()
        self._wake: Callable[[], None] = lambda: None
        self._home: tuple[int, object] | None = None
        self._wire: Wire | None = None
        self._yard = Yard()
        self._ear: anyio.CancelScope | None = None
        self._heart: anyio.CancelScope | None = None
        self._held: dict[int, _Held] = {}
        self._clock = _Clock()
        self._told: Callable[[], float] | None = None  # tests say what time it is at the server
        self._generation, self._last_id = "", 0
        self._heard_at, self._learnt_at = math.inf, -math.inf
        self._is_joining = False
        self.is_listening: anyio.Event | None = None

    def __repr__(self) -> str:
        return f"RedisLedger({self._address!r})"

    # -- the protocol -----------------------------------------------------------------------------------------------

    async def start(self, wake: Callable[[], None]) -> Limits:
        """Make ourselves known, and listen for being woken."""
        self._wake = wake
        self._stop_listening()  # after a loss the old connection may be deaf
        self._settle_in()
        answer = await self._yard.start(self._join).wait()
        self._listen()
        return said.read_limits(answer.words)

    def now(self) -> float:
        """Return the server's time as estimated here; costs no round trip."""
        return self._told() if self._told else self._clock.now()

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        """Ask the server; if the caller is cancelled meanwhile, what was granted goes back unspent."""
        caller = _Caller()
        granted = partial(self._granted, caller, lease_s, time.monotonic())
        try:
            return await self._ask_for(granted, "take", *said.take_args(asks, lease_s))
        except BaseException:
            caller.gone = True
            if caller.lease is not None:
                self._yard.start(self._return_unspent, caller.lease)
            raise

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take a lease back; goes on when the caller is cancelled, and may be tried again after a loss."""
        self._settle_in()
        held = self._held.get(lease.id)
        if held is None or lease.member != self.name:
            return None
        held.is_ending = True
        args = said.give_back_args(lease, end, held.known_in, retry_after_s=retry_after_s, stretch=stretch)
        return await self._ask_for(partial(self._taken_back, lease), "give_back", *args)

    async def look(self) -> Account:
        """Return a copy of the account. Cost: the dates of all tokens that are out come over the wire."""
        answer = await self._ask("look")
        return said.read_account(answer, self._margin_s, self._reserve)

    async def hold(self, for_s: float) -> None:
        """Hold all calls of the account for so many seconds."""
        await self._ask("hold", *said.hold_args(for_s))

    async def resume(self) -> None:
        """End every pause; all who wait are woken."""
        await self._ask("resume")

    async def set_limits(self, limits: Limits) -> None:
        """Change the limits for everybody at once."""
        await self._ask("set_limits", *said.limits_args(limits))
        self._script.declare(limits)

    async def aclose(self) -> None:
        """Leave the fleet and close the connections; `start` opens them again."""
        if self._home is None or self._home[0] != os.getpid():
            return
        self._settle_in()
        with anyio.CancelScope(shield=True):
            self._stop_listening()
            if self._heart is not None:
                self._heart.cancel()
            with contextlib.suppress(LedgerLostError):
                await self._ask("leave")
            if self._wire is not None:
                await self._wire.aclose()
        self._wire = self._home = None

    # -- asking -----------------------------------------------------------------------------------------------------

    def _settle_in(self) -> None:
        """Open connections in this process and event loop; a forked child is a member of its own."""
        home = os.getpid(), running_loop()
        if self._home == home:
            return
        old, self._home, yard = self._home, home, self._yard
        if old is not None:
            self._yard, self._ear, self._heart, self._is_joining = Yard(), None, None, False
        if self._named_in != home[0]:  # forked, perhaps before anything was opened
            _LEFT_BEHIND.append((self._wire, yard))
            self.name, self._named_in = secrets.token_hex(8), home[0]
            self._held = {}
        self._wire = open_wire(self._address)
        if old is not None:
            self._listen()

    async def _ask(self, op: str, *args: str) -> said.Answer:
        return await self._ask_for(lambda answer: answer, op, *args)

    async def _ask_for(self, heard: Callable[[said.Answer], T], op: str, *args: str) -> T:
        """Run the script; its answer is heard even if the caller is cancelled meanwhile."""
        self._settle_in()
        sent_at = time.monotonic()
        if sent_at - self._heard_at > said.KEEP_S / 2:
            self._generation = ""  # so long ago that it may have been forgotten in order
        words = self._script.words(
            op,
            self.name,
            *args,
            generation=self._generation,
            seen_id=self._last_id,
            expected=self._clock.now() if self._generation else None,
            now=self._told and self._told(),
        )

        def learn(raw: Any) -> T:
            answer = said.Answer.read(raw)
            self._learn(answer, sent_at)
            if answer.is_strange and op not in {"join", "leave"}:
                self._join_soon()
            return heard(answer)

        assert self._wire is not None  # noqa: S101 - `_settle_in` was there
        return await self._wire.run(self._script, words, learn)

    def _learn(self, answer: said.Answer, sent_at: float) -> None:
        """Take in what every answer tells by the way."""
        self._heard_at = time.monotonic()
        self._clock.measure(answer.now, sent_at, self._heard_at)
        if answer.generation != self._generation and sent_at >= self._learnt_at:  # else it was overtaken by a newer one
            self._generation, self._last_id = answer.generation, 0
        if answer.generation == self._generation:
            self._last_id = max(self._last_id, answer.last_id)
            self._learnt_at = max(self._learnt_at, sent_at)

    def _granted(self, caller: _Caller, lease_s: float, sent_at: float, answer: said.Answer) -> Lease | Wait:
        decision = said.read_decision(answer, self.name, lease_s)
        if isinstance(decision, Lease):
            self._held[decision.id] = _Held(decision, answer.generation, lease_s, sent_at)
            if caller.gone:
                self._yard.start(self._return_unspent, decision)
            elif self._heart is None:
                self._heart = anyio.CancelScope()
                self._yard.start(self._beat, self._heart)
            caller.lease = decision
        return decision

    async def _return_unspent(self, lease: Lease) -> None:
        try:
            await self.give_back(lease, End.UNSENT)
        except LedgerLostError:
            self._held.pop(lease.id, None)  # it runs out by itself

    def _taken_back(self, lease: Lease, answer: said.Answer) -> Pause | None:
        self._held.pop(lease.id, None)
        if answer.words[0] == "1":
            self._wake()
        return said.read_pause(answer)

    # -- joining ----------------------------------------------------------------------------------------------------

    async def _join(self) -> said.Answer:
        """Tell our limits, and the calls that we have open from before the server's memory was lost."""
        while True:
            told = [held for held in self._held.values() if not held.is_ending]
            args = said.join_args((held.lease, held.lease_s, held.known_in) for held in told)
            answer = await self._ask("join", *args)
            for held in told:
                held.known_in = answer.generation
            if all(held.known_in == self._generation for held in self._held.values() if not held.is_ending):
                return answer  # else one was granted, or more was forgotten, meanwhile

    def _join_soon(self) -> None:
        if not self._is_joining:
            self._is_joining = True
            self._yard.start(self._join_again)

    async def _join_again(self) -> None:
        with contextlib.suppress(LedgerLostError):  # the next answer says again that we are strange
            await self._join()
        self._is_joining = False
        self._wake()

    # -- listening and heartbeats -----------------------------------------------------------------------------------

    def _listen(self) -> None:
        self.is_listening = anyio.Event()
        self._ear = anyio.CancelScope()
        self._yard.start(self._hear, self._ear)

    def _stop_listening(self) -> None:
        if self._ear is not None:
            self._ear.cancel()
        self._ear = None

    async def _hear(self, ear: anyio.CancelScope) -> None:
        with ear:
            while self._wire is not None:
                try:
                    await self._hear_until_cut(self._wire)
                except LedgerLostError:
                    await anyio.sleep(RETRY_S)

    async def _hear_until_cut(self, wire: Wire) -> None:
        subscription = await wire.subscribe(self._script.channels(self.name))
        try:
            while True:
                message = await subscription.next()
                if message is not None:
                    self._heed(*message)
        finally:
            await subscription.aclose()

    def _heed(self, kind: str, text: bytes) -> None:
        word, *limits = text.decode().split(" ")
        if kind == "subscribe" and self.is_listening is not None:
            self.is_listening.set()
        if kind == "subscribe" or word == "join":  # we may have missed something, or the server may have forgotten
            self._join_soon()
        elif word == "limits":
            self._script.declare(said.read_limits(limits))
        self._wake()

    async def _beat(self, heart: anyio.CancelScope) -> None:
        """Renew the leases of long calls; ends when no call is open."""
        every_s = (self._margin_s + self._script.limits.per_s) / 2  # a server that forgot must hear of them in time
        with heart:
            while open_ := [held for held in self._held.values() if not held.is_ending]:
                next_at = min(held.seen_at + min(held.lease_s / 2, every_s) for held in open_)
                await anyio.sleep(max(0.0, next_at - time.monotonic()))
                due = [held for held in open_ if held.seen_at + min(held.lease_s / 2, every_s) <= time.monotonic()]
                due = [held for held in due if held.lease.id in self._held and not held.is_ending]
                try:
                    await self._renew(due)
                except LedgerLostError:
                    await anyio.sleep(RETRY_S)
        if self._heart is heart:
            self._heart = None

    async def _renew(self, due: list[_Held]) -> None:
        if not due:
            return
        sent_at = time.monotonic()
        lease_s = max(held.lease_s for held in due)
        answer = await self._ask("renew", *said.renew_args((held.lease for held in due), lease_s))
        for held, found in zip(due, answer.words, strict=True):
            held.seen_at = sent_at
            if found == "0" and held.known_in == answer.generation:
                self._held.pop(held.lease.id, None)  # it ran out
                self._wake()
