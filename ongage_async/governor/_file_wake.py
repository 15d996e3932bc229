"""How a member of a ledger file waits: for the lock, for others to wake it, and for the time to renew its leases.

Processes wake each other by an empty datagram to a loopback port. Whoever gets one asks the ledger again; it says
nothing itself, so a forged or lost one costs a question or a second. Called by `_file.py`.
"""

import contextlib
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable

import anyio
from attrs import evolve

from ongage_async._tasks import Yard
from ongage_async.governor._file_store import Store
from ongage_async.governor._lease import Lease, Wait
from ongage_async.governor._ledger import LedgerLostError

__all__ = ["Bell", "Heart", "lock", "soon"]

LOCK_S = 10.0
"""How long another process may hold the lock before the ledger counts as lost."""

SPINS, FIRST_NAP_S, LONGEST_NAP_S = 30, 0.0005, 0.01
"""The lock is tried so often at once, and then again after naps, which grow."""

AGAIN_S = 1.0
"""How soon a heartbeat that failed is tried again."""


async def lock(store: Store) -> None:
    """Wait for the lock of a file without blocking anybody else in this event loop.

    Raises:
        LedgerLostError: Another process held it for LOCK_S.
    """
    deadline, nap_s = time.monotonic() + LOCK_S, FIRST_NAP_S
    while True:
        for _ in range(SPINS):
            if store.try_lock():
                return
            os.sched_yield()
        if time.monotonic() > deadline:
            raise LedgerLostError(f"another process has held the lock of the ledger file for {LOCK_S:.0f} s")
        await anyio.sleep(nap_s)
        nap_s = min(2 * nap_s, LONGEST_NAP_S)


class Bell:
    """A port to be rung at, and the task that listens.

    Attributes:
        port: Where others ring; 0 if no port could be had.
    """

    def __init__(self) -> None:
        self.port = 0
        self._socket: socket.socket | None = None
        self._scope: anyio.CancelScope | None = None
        with contextlib.suppress(OSError):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0))
            self._socket.setblocking(False)
            self._socket.bind(("127.0.0.1", 0))
            self.port = self._socket.getsockname()[1]

    def listen(self, yard: Yard, wake: Callable[[], None]) -> None:
        """Call `wake` in the running event loop whenever somebody rings."""
        if self.port and self._socket is not None:
            self._scope = anyio.CancelScope()
            yard.start(self._listen, self._socket, self._scope, wake)

    def ring(self, port: int) -> None:
        """Wake the member that listens there; whether it arrives is not known."""
        if port and self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(b"", ("127.0.0.1", port))

    def hush(self) -> None:
        """Stop listening; to be called in the event loop that listens."""
        if self._scope is not None:
            self._scope.cancel()

    def close(self) -> None:
        """Give the port back, after the listening has ended."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def abandon(self) -> None:
        """Drop what was inherited by fork; the parent's socket and its event loop stay as they are."""
        if self._socket is not None:
            os.close(self._socket.detach())
            self._socket = None

    @staticmethod
    async def _listen(ears: socket.socket, scope: anyio.CancelScope, wake: Callable[[], None]) -> None:
        with scope:
            while True:
                await anyio.wait_readable(ears)
                with contextlib.suppress(OSError):
                    while True:
                        ears.recv(1)
                wake()


class Heart:
    """Renew leases when half their time is over, for as long as they are open.

    Args:
        now: Ledger time.
        renew: Makes a lease run for so many seconds from now; false if it was lost.
    """

    def __init__(self, now: Callable[[], float], renew: Callable[[Lease, float], Awaitable[bool]]) -> None:
        self.leases: dict[int, Lease] = {}
        self._now, self._renew = now, renew
        self._due: dict[int, tuple[float, float]] = {}
        self._next = math.inf
        self._news: anyio.Event | None = None

    def watch(self, yard: Yard, lease: Lease, lease_s: float) -> None:
        """Keep a lease alive from now; starts a task in `yard` if there is none."""
        self.leases[lease.id] = lease
        if math.isinf(lease_s):
            return
        due = lease.granted_at + lease_s / 2
        self._due[lease.id] = (due, lease_s)
        if self._news is None:
            self._news = anyio.Event()
            yard.start(self._beat)
        elif due < self._next:
            self._news.set()

    def drop(self, lease: Lease) -> None:
        """Let go of a lease that was given back."""
        self.leases.pop(lease.id, None)
        self._due.pop(lease.id, None)

    def stop(self) -> None:
        """Let go of all of them."""
        self.leases.clear()
        self._due.clear()
        if self._news is not None:
            self._news.set()

    async def _beat(self) -> None:
        try:
            while self._due:
                self._news = news = anyio.Event()
                self._next = min(due for due, _ in self._due.values())
                with anyio.move_on_after(max(0.0, self._next - self._now())):
                    await news.wait()
                now = self._now()
                for key in [key for key, (due, _) in self._due.items() if due <= now]:
                    await self._renew_one(key)
        finally:
            self._news = None

    async def _renew_one(self, key: int) -> None:
        if key not in self._due:  # given back meanwhile
            return
        lease_s = self._due[key][1]
        try:
            is_open = await self._renew(self.leases[key], lease_s)
            due = self._now() + lease_s / 2
        except LedgerLostError:
            is_open, due = True, self._now() + AGAIN_S
        if key in self._due:
            self._due[key] = (due, lease_s)
        if not is_open:
            self._due.pop(key, None)


def soon(decision: Lease | Wait, date: float) -> Lease | Wait:
    """Return the decision with the advice to ask again by `date` at the latest."""
    if isinstance(decision, Lease):
        return evolve(decision, ask_again_at=min(decision.ask_again_at, date))
    return evolve(decision, until=min(decision.until, date))
