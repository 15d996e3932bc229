"""A pretended process: it asks, rests, is woken, sends and gives back as `Governor` and the engine do.

Held to the real governor by `test_a_pretended_process_asks_as_the_real_governor_does`.
"""

import math
import random
from collections import deque
from collections.abc import Callable
from typing import Any

from ongage_async.config import Lane
from ongage_async.governor._line import UNWOKEN_S
from ongage_async.governor._rules import End, Lease, Wait
from tests.proofs.simulation.ledger import SharedLedger
from tests.proofs.simulation.scenario import Scenario
from tests.proofs.simulation.server import Server
from tests.proofs.simulation.timeline import Timeline

__all__ = ["Process"]

TRIES_AGAIN_S = 1.0
"""How soon a process that lost the ledger asks again; in between it grants nothing."""

TIMER_S = 1e-6
"""How late a timer goes off at least."""

Caller = tuple[Lane, float, bool]
"""Lane, since when it waits, and whether it calls again for ever."""


class Process:
    """One process of the fleet.

    Args:
        name: Never used twice.
        scenario: Its world.
        timeline: Virtual time.
        ledger: Whom it asks.
        server: Whom it calls.
        chance: Its own random numbers.
    """

    def __init__(
        self,
        name: str,
        scenario: Scenario,
        timeline: Timeline,
        ledger: SharedLedger,
        server: Server,
        chance: random.Random,
    ) -> None:
        self.name, self._scenario, self._time = name, scenario, timeline
        self._ledger, self._server, self._chance = ledger, server, chance
        self.lease_s = scenario.lease_s
        self.is_dead = False
        self.cut_until = self.stalled_until = -1.0
        self.forgets = False
        self.done = 0
        self.waits: dict[Lane, list[float]] = {lane: [] for lane in Lane}
        self._queues: dict[Lane, deque[Caller]] = {lane: deque() for lane in Lane}
        self._pumping = self._asking = self._changed = False
        self._known: set[Lane] = set()
        self._rest = 0
        self._clock_zero = chance.uniform(-1, 1) * scenario.skew_s
        self._clock_rate = 1.0 + chance.uniform(-1, 1) * scenario.drift
        self._ledger_ahead = 0.0
        ledger.processes[name] = self
        self._read_ledger_clock()

    # -- callers --------------------------------------------------------------------------------------------------

    def call(self, lane: Lane, *, for_ever: bool) -> None:
        """A caller wants to send: ask at once if nobody waits, else get in line (`Governor.acquire`)."""
        if self._is_away(self.call, lane, for_ever=for_ever):
            return
        caller = (lane, self._time.now, for_ever)
        if any(self._queues.values()):
            self._join(caller)
        else:
            self._ledger.take(self, {lane: 1}, lambda decision: self._told_alone(caller, decision))

    def _told_alone(self, caller: Caller, decision: Lease | Wait | None) -> None:
        if self._is_away(self._told_alone, caller, decision):
            return
        self._read_ledger_clock()
        if isinstance(decision, Lease) and not self._is_stale(decision):
            self._send(caller, decision)
        else:
            if isinstance(decision, Lease):
                self._ledger.give_back(self, decision, End.UNSENT)
            self._join(caller)

    def _join(self, caller: Caller) -> None:
        queue = self._queues[caller[0]]
        queue.append(caller)
        if len(queue) == 1:
            self.wake()

    # -- the pump -------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ask again now (`Governor._wake`)."""
        if self._is_away(self.wake):
            return
        if self._asking:
            self._changed = True
        elif self._pumping:
            self._pump(self._rest)
        elif any(self._queues.values()):
            self._pumping = True
            self._pump(self._rest)

    def _pump(self, rest: int) -> None:
        """Ask for all who wait, unless this timer is an old one."""
        if rest != self._rest or self._asking or self._is_away(self._pump, rest):
            return
        self._rest += 1
        asks = {lane: len(queue) for lane, queue in self._queues.items() if queue}
        if not asks and not self._known:
            self._pumping = False
            return
        self._asking, self._changed = True, False
        self._ledger.take(self, asks, lambda decision: self._told(asks, decision))

    def _told(self, asks: dict[Lane, int], decision: Lease | Wait | None) -> None:
        if self._is_away(self._told, asks, decision):
            return
        self._known = set(asks)
        if decision is None:
            until_s = TRIES_AGAIN_S
        else:
            self._read_ledger_clock()
            if isinstance(decision, Lease):
                if asks[decision.lane] == 1:
                    self._known.remove(decision.lane)
                self._hand_out(decision)
            until = decision.ask_again_at if isinstance(decision, Lease) else decision.until
            until_s = (
                self._seconds_until(until) if isinstance(decision, Lease) else self._seconds_until(until) or TIMER_S
            )
        self._asking = False
        waiting = {lane for lane, queue in self._queues.items() if queue}
        if self._changed or not waiting or not waiting <= self._known:
            until_s = 0.0
        self._time.at(self._time.now + (UNWOKEN_S if math.isinf(until_s) else until_s), self._pump, self._rest)

    def _hand_out(self, lease: Lease) -> None:
        queue = self._queues[lease.lane]
        if queue and not self._is_stale(lease):
            self._send(queue.popleft(), lease)
        else:
            self._ledger.give_back(self, lease, End.UNSENT)

    # -- time -----------------------------------------------------------------------------------------------------

    def _own_clock(self) -> float:
        return self._clock_zero + self._time.now * self._clock_rate

    def _read_ledger_clock(self) -> None:
        """Every answer of the ledger tells its time; in between, the own clock's pace is trusted."""
        self._ledger_ahead = self._time.now - self._own_clock()

    def _seconds_until(self, date: float) -> float:
        """Say how long to rest; no timer goes off at the very instant that it was set for."""
        left_s = (date - self._own_clock() - self._ledger_ahead) / self._clock_rate
        return left_s + TIMER_S if left_s > 0 else 0.0

    def _is_stale(self, lease: Lease) -> bool:
        """A grant that was long on its way, or came to a process that stood still, is not used."""
        return self._own_clock() + self._ledger_ahead - lease.granted_at > self._scenario.margin_s / 2

    def _is_away(self, act: Callable[..., object], *args: Any, **options: Any) -> bool:
        """The dead do nothing; who stands still does it later."""
        if self.stalled_until > self._time.now and not self.is_dead:
            self._time.at(self.stalled_until, lambda: act(*args, **options))
            return True
        return self.is_dead

    # -- a call ---------------------------------------------------------------------------------------------------

    def _send(self, caller: Caller, lease: Lease) -> None:
        """Send: when it arrives, departs and is answered is drawn here; the server's side goes on by itself."""
        lane, since, _ = caller
        self.waits[lane].append(self._time.now - since)
        chance, network, now = self._chance, self._scenario.network, self._time.now
        if network.refused and chance.random() < network.refused:
            self._time.at(now + network.mean_s / 3, self._end, caller, lease, End.UNSENT)
            return
        uplink_s, service_s, downlink_s = self._parts()
        gives_up_at, latest = (
            now + self._scenario.timeout_s,
            now + self._scenario.timeout_s + self._scenario.margin_s / 2,
        )
        if network.lost and chance.random() < network.lost:
            gives_up_at = now + chance.random() * min(uplink_s + service_s + downlink_s, self._scenario.timeout_s)
            latest = gives_up_at + self._scenario.margin_s * 0.9
        arrives_at = min(now + uplink_s, latest)
        departs_at = min(arrives_at + service_s, latest)
        self._time.at(arrives_at, self._arrive, caller, lease, departs_at, downlink_s, gives_up_at)

    def _parts(self) -> tuple[float, float, float]:
        network, chance = self._scenario.network, self._chance
        middle = math.log(network.mean_s / 3) - network.spread**2 / 2
        parts = [chance.lognormvariate(middle, network.spread) for _ in range(3)]
        if network.tail and chance.random() < network.tail:
            parts[chance.randrange(3)] = chance.random() * (self._scenario.timeout_s + self._scenario.margin_s)
        return parts[0], parts[1], parts[2]

    def _arrive(self, caller: Caller, lease: Lease, departs_at: float, downlink_s: float, gives_up_at: float) -> None:
        now = self._time.now
        admitted = self._server.arrive(now)
        if not admitted:
            departs_at = min(departs_at, now + self._scenario.network.mean_s / 10)
        self._time.at(departs_at, self._server.depart)
        answer_at = departs_at + downlink_s
        if answer_at > gives_up_at:
            self._time.at(gives_up_at, self._end, caller, lease, End.UNCERTAIN)
        else:
            self._time.at(answer_at, self._end, caller, lease, End.ANSWERED if admitted else End.REFUSED)

    def _end(self, caller: Caller, lease: Lease, end: End) -> None:
        if self._is_away(self._end, caller, lease, end):
            return
        foreign = self._scenario.foreign
        told = (
            self._scenario.limits.per_s if foreign is not None and foreign.retry_after and end is End.REFUSED else None
        )
        self.done += 1
        self._ledger.give_back(self, lease, end, told)
        lane, _, for_ever = caller
        if for_ever:
            self.call(lane, for_ever=True)
