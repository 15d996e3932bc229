"""Run a scenario and say what the witness saw."""

import math
import random
from collections.abc import Callable

from attrs import field, frozen

from ongage_async.config import Lane, Limits
from ongage_async.emulator import worst_window
from ongage_async.governor._rules import PATIENCE_S, Account
from tests.proofs.simulation.ledger import SharedLedger
from tests.proofs.simulation.process import Process
from tests.proofs.simulation.scenario import Fault, Scenario
from tests.proofs.simulation.server import Server
from tests.proofs.simulation.timeline import Timeline

__all__ = ["Fleet", "Outcome", "simulate"]

RESPAWN_S = 1.0

COMES_BACK = 0.5
"""Below this share of the possible, after all faults are over, a fleet has not come back. A healthy one
lives well above; handing a place on over a slow ledger and drawn latencies make an exact measure impossible here."""


@frozen
class Outcome:
    """What was seen at the server's side, and what it cost.

    Attributes:
        scenario: What was played.
        calls: Arrivals.
        worst_window: Most arrivals in any window.
        worst_open: Most calls open at once.
        refused: 429s.
        share: Arrivals in the calm at the end, as a share of what the limits allow there; None without saturation.
        commands: Ledger commands for each call.
        jain: Fairness over the processes that lived all the time.
        waits: For each lane the waits in order, in seconds.
    """

    scenario: Scenario
    calls: int
    worst_window: int
    worst_open: int
    refused: int
    share: float | None
    commands: float
    jain: float
    waits: dict[Lane, list[float]] = field(repr=False)

    @property
    def violations(self) -> list[str]:
        """What the account must never see, and a fleet that never comes back."""
        limits, found = self.scenario.limits, []
        if self.worst_window > limits.calls:
            found.append(f"{self.worst_window} calls in a window of {limits.calls}")
        if self.worst_open > limits.parallel:
            found.append(f"{self.worst_open} open of {limits.parallel}")
        if self.share is not None and self.share < COMES_BACK:
            found.append(f"only {self.share:.2f} of the possible after all faults are over")
        return found

    def wait(self, lane: Lane, share: float) -> float:
        """Return a quantile of a lane's waits."""
        waits = self.waits[lane]
        return waits[min(len(waits) - 1, int(len(waits) * share))] if waits else 0.0

    def __str__(self) -> str:
        share = "" if self.share is None else f", share {self.share:.3f}"
        waits = ", ".join(f"{lane.name} p50 {self.wait(lane, 0.5):.2f} p99 {self.wait(lane, 0.99):.2f} s"
                          for lane in Lane if self.waits[lane])  # fmt: skip
        return (
            f"{self.scenario}\n  {self.calls} calls, worst window {self.worst_window}, worst open {self.worst_open}"
            f"{share}, {self.refused} refused, {self.commands:.2f} commands a call, Jain {self.jain:.3f}; {waits}"
            + "".join(f"\n  VIOLATION: {violation}" for violation in self.violations)
        )


class Fleet:
    """Bring a scenario to life.

    Args:
        scenario: What to play.
        account: Makes the account; a mutant's, to see the witness object.
        process: The same for processes.
    """

    def __init__(
        self,
        scenario: Scenario,
        account: Callable[[Limits, float, int], Account] = Account,
        process: type[Process] = Process,
    ) -> None:
        self.scenario, self._process = scenario, process
        self.chance = random.Random(scenario.seed ^ 0x5EED)
        self.time = Timeline()
        self.server = Server(scenario, random.Random(scenario.seed ^ 0xF0E))
        self.ledger = SharedLedger(
            account(scenario.limits, scenario.margin_s, scenario.reserve), scenario, self.time, self.chance
        )
        self._crashed: set[int] = set()
        self._born = 0
        self._all: list[Process] = []
        self.processes: list[Process] = []
        for number in range(scenario.size):
            self.processes.append(self._born_process(number))

    def run(self) -> Outcome:
        """Play it to its end."""
        scenario = self.scenario
        for fault in scenario.faults:
            self.time.at(fault.at, self._strike, fault)
        if scenario.visits:
            self.time.at(0.0, self._visit)
        self.time.run(scenario.lasts_s)
        return self._outcome()

    def _born_process(self, number: int) -> Process:
        self._born += 1
        chance = random.Random(self.scenario.seed * 1_000_003 + self._born)
        process = self._process(f"{number}/{self._born}", self.scenario, self.time, self.ledger, self.server, chance)
        self._all.append(process)
        for lane in self.scenario.workers[number]:
            begins_at = self.time.now + chance.random() * 0.1 * self.scenario.limits.interval_s
            self.time.at(begins_at, lambda lane=lane: process.call(lane, for_ever=True))
        return process

    def _visit(self) -> None:
        lane = self.chance.choice((Lane.URGENT, Lane.URGENT, Lane.NORMAL))
        self.chance.choice(self.processes).call(lane, for_ever=False)
        self.time.at(self.time.now + self.chance.expovariate(self.scenario.visits), self._visit)

    def _strike(self, fault: Fault) -> None:
        process, until = self.processes[fault.process], self.time.now + fault.for_s
        if fault.kind == "crash":
            process.is_dead = True
            self.ledger.processes.pop(process.name, None)
            self._crashed.add(fault.process)
            self.time.at(self.time.now + RESPAWN_S, self._respawn, fault.process)
        elif fault.kind == "partition":
            process.cut_until, process.forgets = until, fault.loses
        elif fault.kind == "stall":
            process.stalled_until = until
        elif fault.kind == "ledger gone":
            self.ledger.gone_until = max(until, self.ledger.gone_until)
        else:
            self.ledger.frozen_until = max(until, self.ledger.frozen_until)

    def _respawn(self, number: int) -> None:
        if self.processes[number].is_dead:
            self.processes[number] = self._born_process(number)

    # -- the report -----------------------------------------------------------------------------------------------

    def _outcome(self) -> Outcome:
        limits = self.scenario.limits
        whole = [process.done for number, process in enumerate(self.processes) if number not in self._crashed]
        squares = len(whole) * sum(done * done for done in whole)
        waits = {lane: sorted(wait for process in self._all for wait in process.waits[lane]) for lane in Lane}
        return Outcome(
            scenario=self.scenario,
            calls=len(self.server.arrivals),
            worst_window=worst_window(self.server.arrivals, limits.per_s),
            worst_open=self.server.worst_open,
            refused=self.server.refused,
            share=self._share() if self.scenario.is_saturated and self.scenario.foreign is None else None,
            commands=self.ledger.commands / max(1, len(self.server.arrivals)),
            jain=sum(whole) ** 2 / squares if squares else 1.0,
            waits=waits,
        )

    def _share(self) -> float:
        """Compare the last windows with what tokens and places allow at most."""
        scenario, limits = self.scenario, self.scenario.limits
        watched_s = 3 * limits.per_s
        seen = sum(1 for at in self.server.arrivals if at >= scenario.lasts_s - watched_s)
        network = scenario.network
        held_s = network.mean_s + network.tail * (scenario.timeout_s + scenario.margin_s) / 2
        held_s += network.lost * scenario.margin_s
        handing_over_s = 4 * network.ledger_s + network.refused * network.mean_s  # told back, woken, asked, granted
        unheard_s = (network.lost + network.tail) * PATIENCE_S  # nobody is told when an uncertain end's place is free
        by_tokens = limits.calls / (limits.per_s + held_s)
        by_places = limits.parallel / (held_s + handing_over_s + unheard_s)
        by_ledger = (
            1 / (2 * network.ledger_s) if network.ledger_s else math.inf
        )  # one grant a question, one wakes the next
        return seen / (watched_s * min(by_tokens, by_places, by_ledger))


def simulate(scenario: Scenario, **mutants: object) -> Outcome:
    """Play a scenario to its end."""
    return Fleet(scenario, **mutants).run()  # type: ignore[arg-type]
