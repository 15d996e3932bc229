"""The ledger as processes reach it: the library's `Account`, behind a network that may be slow, cut or silent."""

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ongage_async.config import Lane
from ongage_async.governor._rules import Account, End, Lease, Pause, Wait
from tests.proofs.simulation.scenario import Scenario
from tests.proofs.simulation.timeline import Timeline

if TYPE_CHECKING:
    from tests.proofs.simulation.process import Process

__all__ = ["SharedLedger"]

GIVES_UP_S = 1.0
"""How long a process waits for the ledger's answer before it takes the ledger for lost."""

Then = Callable[[Lease | Wait | None], None]


class SharedLedger:
    """Decide in one place for all; count commands; wake whoever is next."""

    def __init__(self, account: Account, scenario: Scenario, timeline: Timeline, chance: random.Random) -> None:
        self.account, self._time, self._chance = account, timeline, chance
        self._way_s = scenario.network.ledger_s
        self._alone = scenario.size == 1
        self.gone_until = self.frozen_until = -1.0
        self.processes: dict[str, Process] = {}
        self.commands = 0

    def take(self, process: "Process", asks: Mapping[Lane, int], then: Then) -> None:
        """Ask for a call; `then` gets the decision, or None when the ledger cannot be reached."""
        if self._is_lost(process):
            then(None)
        elif not self._way_s and self.frozen_until <= self._time.now:
            then(self._decide(process, asks))
        else:
            request = _Request(then)
            self._time.at(self._time.now + GIVES_UP_S, request.answer, None)
            self._time.at(self._arrives_at(), self._serve, process, asks, request)

    def give_back(self, process: "Process", lease: Lease, end: End, retry_after_s: float | None = None) -> None:
        """Give a lease back, now or when the ledger can be reached again; a process that is cut off may forget."""
        back_at = max(process.cut_until, self.gone_until)
        if back_at > self._time.now:
            if not process.forgets:
                self._time.at(back_at, self.give_back, process, lease, end, retry_after_s)
        elif not self._way_s and self.frozen_until <= self._time.now:
            self._take_back(lease, end, retry_after_s)
        else:
            self._time.at(self._arrives_at(), self._take_back, lease, end, retry_after_s)

    def _is_lost(self, process: "Process") -> bool:
        return process.cut_until > self._time.now or self.gone_until > self._time.now

    def _arrives_at(self) -> float:
        return max(self._time.now + self._way(), self.frozen_until)

    def _way(self) -> float:
        return self._chance.expovariate(1 / self._way_s) if self._way_s else 0.0

    def _serve(self, process: "Process", asks: Mapping[Lane, int], request: "_Request") -> None:
        if self._is_lost(process):
            return
        decision = self._decide(process, asks)
        if process.cut_until <= self._time.now:
            self._time.at(self._time.now + self._way(), request.answer, decision)

    def _decide(self, process: "Process", asks: Mapping[Lane, int]) -> Lease | Wait:
        self.commands += 1
        decision = self.account.take(asks, self._time.now, member=process.name, lease_s=process.lease_s)
        self._wake_next(besides=process.name)
        return decision

    def _take_back(self, lease: Lease, end: End, retry_after_s: float | None) -> Pause | None:
        self.commands += 1
        stretch = self._chance.uniform(1.0, 1.1) if end is End.REFUSED else 1.0
        pause = self.account.give_back(lease, end, self._time.now, retry_after_s=retry_after_s, stretch=stretch)
        self._wake_next()
        return pause

    def _wake_next(self, besides: str = "") -> None:
        name = next(iter(self.processes), None) if self._alone else self.account.next_up(self._time.now)
        process = self.processes.get(name) if name is not None and name != besides else None
        if process is not None and process.cut_until <= self._time.now:
            if self._way_s:
                self._time.at(self._time.now + self._way(), process.wake)
            else:
                process.wake()


class _Request:
    """One question to the ledger; what comes after the process gave up is not heard any more."""

    __slots__ = ("_then",)

    def __init__(self, then: Then) -> None:
        self._then: Then | None = then

    def answer(self, decision: Lease | Wait | None) -> None:
        then, self._then = self._then, None
        if then is not None:
            then(decision)
