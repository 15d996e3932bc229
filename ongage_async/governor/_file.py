"""A ledger in a file, for all processes of one machine: locked, small, and safe against `kill -9`.

The rules are those of `_rules.py`: under the lock the account is read, asked and written back. What a file and its
locks are is in `_file_store.py`; here is what goes on around it: waiting for the lock without blocking the event loop,
joining and leaving, waking others, keeping leases alive, noticing fork and loss.
"""

import contextlib
import math
import os
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio

from ongage_async._tasks import Yard, running_loop
from ongage_async.config import Lane, Limits
from ongage_async.errors import ConfigurationError
from ongage_async.governor import _file_place as place
from ongage_async.governor._file_join import CLOCKS, CLOCKS_S, Newcomer
from ongage_async.governor._file_state import State
from ongage_async.governor._file_store import CAN_TELL, Store, check_limits
from ongage_async.governor._file_wake import Bell, Heart, lock, soon
from ongage_async.governor._lease import End, Lease, Pause, Wait
from ongage_async.governor._ledger import LedgerLostError
from ongage_async.governor._rules import Account

__all__ = ["FileLedger"]

T = TypeVar("T")

LOOK_ROUND_S = 0.05
"""How often a member that waits looks whether those before it still live."""

DEAF_S = 0.05
"""A member that could get no port, so that nobody can wake it, asks again after that long."""


class FileLedger:
    """Keep the budget of one account in a file, for all processes of this machine that name it.

    Dates are in the system's monotonic clock; the file knows the boot that they belong to.

    Args:
        url: ``file:///absolute/path``; the directory must exist, the file is made when it is first needed.
        limits: What this process knows of the account; of processes that disagree, the strictest holds.
        account_key: What names the account; only a hash of it is stored. One file serves one account.
        margin_s: See `Account`.
        reserve: See `Account`.
        clock: Seconds, the same for all who share the file; the system's monotonic clock by default.

    Raises:
        ConfigurationError: The URL names no file, or the limits are too high for one.
    """

    def __init__(
        self,
        url: str,
        limits: Limits,
        account_key: str,
        *,
        margin_s: float = 10.0,
        reserve: int = 0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        check_limits(limits)
        self._path = place.path_of(url)
        self._key = account_key
        self._limits, self._margin_s, self._reserve = limits, margin_s, reserve
        self._clock = clock or time.monotonic
        self._wake: Callable[[], None] | None = None
        self._looked_round_at = -math.inf
        self._reset()
        _every.add(self)

    def _reset(self) -> None:
        self._name = ""
        self._store: Store | None = None
        self._bell: Bell | None = None
        self._loop: object = None
        self._pid = os.getpid()
        self._yard = Yard()
        self._gate: tuple[object, anyio.Lock] | None = None
        self._heart = Heart(self.now, self._renew)

    # -- the protocol -------------------------------------------------------------------------------------------------

    async def start(self, wake: Callable[[], None]) -> Limits:
        """Join those who share the file, and make it if there is none; again, after a loss or by a further client.

        Raises:
            ConfigurationError: What is there cannot be used as it is; the sentence says what to do.
            LedgerLostError: It was in use and is not usable now.
        """
        self._wake = wake
        if os.getpid() != self._pid:
            self.abandon()
        joined = self._store is not None
        try:
            async with self._alone():
                if self._store is None or self._store.is_stale or not self._store.is_there():
                    await self._join()
            limits = await self._ask(lambda state, _: state.account.limits)
        except (ConfigurationError, LedgerLostError) as error:
            if joined:
                raise LedgerLostError(str(error)) from None
            await self.aclose()
            raise
        return limits

    def now(self) -> float:
        """Return the system's monotonic time."""
        return self._clock()

    async def take(self, asks: Mapping[Lane, int], lease_s: float) -> Lease | Wait:
        """Grant or tell when."""
        decision, port = await self._ask(lambda state, now: self._take(state, now, asks, lease_s))
        self._ring(port)
        if isinstance(decision, Lease):
            self._heart.watch(self._yard, decision, lease_s)
        return decision

    async def give_back(
        self, lease: Lease, end: End, *, retry_after_s: float | None = None, stretch: float = 1.0
    ) -> Pause | None:
        """Take a lease back; one that a forked process inherited is its parent's, and stays as it is."""

        def rule(state: State, now: float) -> tuple[Pause | None, int | None]:
            if lease.member != self._name:
                return None, None
            pause = state.account.give_back(lease, end, now, retry_after_s=retry_after_s, stretch=stretch)
            return pause, self._next(state, now)

        pause, port = await self._ask(rule)
        self._heart.drop(lease)
        self._ring(port)
        return pause

    async def look(self) -> Account:
        """Return a copy of the account."""
        return await self._ask(State.copy_of_account, save=False)

    async def hold(self, for_s: float) -> None:
        """Hold all calls of the account for so many seconds."""
        await self._ask(lambda state, now: state.account.hold(now + for_s))

    async def resume(self) -> None:
        """End every pause, and wake everybody."""

        def rule(state: State, _: float) -> list[int]:
            state.account.resume()
            return self._everybody(state)

        self._ring(*await self._ask(rule))

    async def set_limits(self, limits: Limits) -> None:
        """Change the limits for everybody, and wake everybody."""
        check_limits(limits)

        def rule(state: State, now: float) -> list[int]:
            state.account.change_limits(limits, now)
            return self._everybody(state)

        ports = await self._ask(rule)
        self._limits = limits
        self._ring(*ports)

    async def aclose(self) -> None:
        """Leave those who share the file; leases that are still out run out by themselves."""
        if os.getpid() != self._pid:
            self.abandon()
        self._heart.stop()
        if self._store is not None:
            with contextlib.suppress(LedgerLostError, ConfigurationError), anyio.CancelScope(shield=True):
                self._ring(await self._ask(self._leave))
        if self._bell is not None and self._loop == running_loop():
            self._bell.hush()
            with anyio.CancelScope(shield=True):
                await self._yard.drain()
        if self._bell is not None:
            self._bell.close()
        if self._store is not None:
            self._store.close()
        self._wake = None
        self._reset()

    def abandon(self) -> None:
        """Drop what a fork left in this process; the next question joins anew, as a member of its own."""
        if self._store is not None:
            self._store.close()
        if self._bell is not None:
            self._bell.abandon()
        self._reset()

    # -- asking -------------------------------------------------------------------------------------------------------

    async def _ask(self, rule: Callable[[State, float], T], *, save: bool = True) -> T:
        """Apply a rule to the state, alone; what it changed counts wholly or not at all."""
        if os.getpid() != self._pid:
            self.abandon()
        if self._store is None:
            if self._wake is None:
                raise LedgerLostError("the ledger is not started, or was closed")
            async with self._alone():
                if self._store is None:  # in a forked process
                    await self._join()
        if self._loop is None or running_loop() != self._loop:
            self._listen()
        store = await self._lock()
        try:
            now = self._clock()
            state = self._load(store, now)
            answer = rule(state, now)
            if save:
                state.seen_at = now
                store.save(state)
            return answer
        except BaseException as error:
            store.forget()
            if isinstance(error, OSError):
                raise LedgerLostError(f"the ledger file cannot be read or written: {error.strerror}") from None
            raise
        finally:
            store.unlock()

    async def _lock(self) -> Store:
        """Wait until this member's file is locked; the file may have been opened anew meanwhile."""
        store: Store | None = None
        while store is not self._store or store is None:
            if store is not None:
                store.unlock()
            store = self._store
            if store is None:
                raise LedgerLostError("the ledger was closed")
            await lock(store)
        return store

    def _load(self, store: Store, now: float) -> State:
        if not store.is_there():
            raise LedgerLostError("the ledger file was removed or replaced")
        state = store.load()
        if state is None:
            raise LedgerLostError("the ledger file is damaged: neither of its two states is whole")
        if state.boot != place.boot_number():
            raise LedgerLostError("the ledger file is used by another machine: use redis:// for several")
        if now < state.seen_at - CLOCKS_S:
            raise LedgerLostError(CLOCKS)
        return state

    # -- the rules, under the lock ------------------------------------------------------------------------------------

    def _take(
        self, state: State, now: float, asks: Mapping[Lane, int], lease_s: float
    ) -> tuple[Lease | Wait, int | None]:
        account, me = state.account, self._name
        decision = account.take(asks, now, member=me, lease_s=lease_s)
        if isinstance(decision, Wait) and asks and self._bury(state, now):
            decision = account.take(asks, now, member=me, lease_s=lease_s)
        port = self._next(state, now) or None  # there may be room for one more; this one knows
        bell = self._bell
        state.join(me, bell.port if bell is not None else 0, now)
        if bell is None or not bell.port:
            decision = soon(decision, now + DEAF_S)
        return decision, port

    def _bury(self, state: State, now: float) -> bool:
        """Forget the members whose processes have ended; return whether there was one."""
        if len(state.peers) == 1 or self._looked_round_at <= now < self._looked_round_at + LOOK_ROUND_S:
            return False
        self._looked_round_at = now
        dead = [name for name in state.peers if not self._lives(state, name, now)]
        for name in dead:
            self._forget(state, name, now)
        return bool(dead)

    def _lives(self, state: State, name: str, now: float) -> bool:
        peer = state.peers.get(name)
        return name == self._name or (
            peer is not None and self._store is not None and self._store.is_alive(name, now - peer.heard_at)
        )

    def _forget(self, state: State, name: str, now: float) -> None:
        """Forget a member that does not live; its calls have ended if the kernel says so, else it is merely silent."""
        if CAN_TELL:
            state.bury(name, now)
        else:
            state.drop(name)

    def _next(self, state: State, now: float) -> int | None:
        """Return the port of the member to be woken; 0 if it is this one, None if it is nobody."""
        while len(state.account.members) > 1:
            name = state.account.next_up(now) or state.first_in_line(now)
            if name is None:
                return None
            if self._lives(state, name, now):
                return 0 if name == self._name else state.peers[name].port or None
            self._forget(state, name, now)
        return 0

    def _leave(self, state: State, now: float) -> int | None:
        state.drop(self._name)
        return self._next(state, now) or None

    def _everybody(self, state: State) -> list[int]:
        return [0, *(peer.port for name, peer in state.peers.items() if name != self._name)]

    # -- joining ------------------------------------------------------------------------------------------------------

    async def _join(self) -> None:
        """Open or make the file and enter this member; after a loss, with all that is still known."""
        before, newcomer = self._store, self._newcomer()
        known = await self._last_words(before) if before is not None else None
        heir_of = before.file_id if before is not None and known is not None else b""
        store = Store.open(self._path, self._key)
        if store is None:
            Store.create(self._path, self._key, known or newcomer.first_state(self._clock()), heir_of)
            store = Store.open(self._path, self._key)
        if store is None:
            raise LedgerLostError("the ledger file was removed as soon as it was made")
        lost: list[Lease] | None = None
        if before is not None and store.heir_of != before.file_id:
            lost = [*(known.account.open if known is not None else self._heart.leases).values()]
        try:
            if before is not None:
                before.resign(newcomer.name)
            await self._enter(store, newcomer, lost)
        except BaseException:
            store.close()
            raise
        if before is not None:
            before.close()
        self._store, self._name = store, newcomer.name
        self._listen()

    def _alone(self) -> anyio.Lock:
        """Return this event loop's lock: one task joins, the others wait."""
        if self._gate is None or self._gate[0] != running_loop():
            self._gate = (running_loop(), anyio.Lock())
        return self._gate[1]

    def _newcomer(self) -> Newcomer:
        if self._bell is None:
            self._bell = Bell()
        name = self._name or f"{secrets.randbits(52) | 1:x}"
        return Newcomer(name, self._bell.port, self._limits, self._margin_s, self._reserve)

    async def _enter(self, store: Store, newcomer: Newcomer, lost: list[Lease] | None) -> None:
        await lock(store)
        try:
            newcomer.enter(store, self._clock(), lost)
        except OSError as error:
            raise LedgerLostError(f"the ledger file cannot be read or written: {error.strerror}") from None
        finally:
            store.unlock()

    async def _last_words(self, store: Store) -> State | None:
        """Return what the file said that is no longer there: it can still be read by those who have it open."""
        with contextlib.suppress(LedgerLostError, OSError):
            await lock(store)
            try:
                store.forget()
                return store.load()
            finally:
                store.unlock()
        return None

    def _listen(self) -> None:
        """Have this event loop called when somebody wakes this member."""
        loop = running_loop()
        if loop != self._loop and self._bell is not None:
            self._loop, self._yard = loop, Yard()
            self._heart = Heart(self.now, self._renew)
            self._bell.listen(self._yard, self._woken)

    async def _renew(self, lease: Lease, lease_s: float) -> bool:
        return await self._ask(lambda state, now: state.account.renew(lease, now, lease_s)) is not None

    def _woken(self) -> None:
        if self._wake is not None:
            self._wake()

    def _ring(self, *ports: int | None) -> None:
        """Wake members by their ports; 0 is this one, None nobody."""
        for port in ports:
            if port == 0:
                self._woken()
            elif port is not None and self._bell is not None:
                self._bell.ring(port)


_every: "weakref.WeakSet[FileLedger]" = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in list(_every):
        ledger.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
