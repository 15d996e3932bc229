"""What one seed stands for: the fleet, the account, the network, and everything that goes wrong and when.

All draws are made here, from the seed alone, so that a number is enough to see a failure again.
"""

import random
from typing import Literal

from attrs import frozen

from ongage_async.config import Lane, Limits

__all__ = ["Fault", "Foreign", "Network", "Scenario"]

Kind = Literal["crash", "partition", "stall", "ledger gone", "ledger frozen"]


@frozen
class Network:
    """How long things take, in seconds; a tail is a share of calls that takes much longer.

    Attributes:
        mean_s: Mean of uplink, service and downlink together, without the tail.
        spread: Sigma of the logarithm.
        tail: Share of the calls with one part drawn from up to a whole timeout.
        lost: Share of the calls whose connection ends without an answer.
        refused: Share of the calls that get no connection.
        ledger_s: Mean way to the ledger, one direction; 0 for one in the same machine.
    """

    mean_s: float
    spread: float
    tail: float
    lost: float
    refused: float
    ledger_s: float


@frozen
class Foreign:
    """Somebody else who spends the account, at a server that refuses what is too much."""

    window: Literal["fixed", "sliding"]
    calls_per_window: float
    begins_at: float
    ends_at: float
    denied_count: bool
    retry_after: bool


@frozen
class Fault:
    """Something that goes wrong: with one process (by number) or with the ledger."""

    at: float
    kind: Kind
    process: int
    for_s: float
    loses: bool


@frozen
class Scenario:
    """One fleet's life.

    Attributes:
        seed: Where it comes from.
        size: Processes.
        limits: Of the account.
        timeout_s: How long a process waits for an answer.
        margin_s: How long after that the server may still be at it.
        reserve: Tokens that BULK leaves alone.
        network: How long things take.
        workers: For each process, the lanes of the callers that call for ever.
        visits: Calls a second that come from outside, spread over the processes.
        foreign: Somebody else on the account.
        faults: What goes wrong.
        skew_s: How far off the clocks of the processes are.
        drift: How much faster or slower they run.
        calm_at: From then on nothing goes wrong any more.
        lasts_s: How long all of it is watched.
    """

    seed: int
    size: int
    limits: Limits
    timeout_s: float
    margin_s: float
    reserve: int
    network: Network
    workers: tuple[tuple[Lane, ...], ...]
    visits: float
    foreign: Foreign | None
    faults: tuple[Fault, ...]
    skew_s: float
    drift: float
    calm_at: float
    lasts_s: float

    @property
    def lease_s(self) -> float:
        """What a governor asks for: the longest answer and the margin."""
        return self.timeout_s + self.margin_s

    @property
    def is_saturated(self) -> bool:
        """Whether callers always wait, whatever the others do."""
        return min(len(lanes) for lanes in self.workers) * self.size > 2 * self.limits.parallel

    def __str__(self) -> str:
        foreign = f", others {self.foreign.calls_per_window:.0f} ({self.foreign.window})" if self.foreign else ""
        faults = ", ".join(sorted({fault.kind for fault in self.faults})) or "no faults"
        return (
            f"seed {self.seed}: {self.size} processes, {self.limits.calls} per {self.limits.per_s:g} s, "
            f"{self.limits.parallel} parallel, answers {self.network.mean_s:.3f} s, {self.lasts_s:.0f} s; "
            f"{faults}{foreign}"
        )

    @classmethod
    def from_seed(cls, seed: int, calls: int = 1000) -> "Scenario":
        """Draw a scenario.

        Args:
            seed: Any whole number.
            calls: About how many calls it should take: big fleets and high limits are watched for a shorter time.
        """
        chance = random.Random(seed)
        is_foreign = chance.random() < 0.2
        size = round((100 if is_foreign else 1000) ** (chance.random() ** 1.5))
        calls = round(calls / max(1.0, size / 50))
        limits = _limits(chance, calls, most_per_minute=300 if is_foreign else 100_000)
        timeout_s = limits.per_s * chance.uniform(0.1, 1.0)
        margin_s = timeout_s * chance.uniform(0.1, 0.5)
        network = _network(chance, limits, timeout_s)
        mix = chance.choice([(Lane.NORMAL,), (Lane.BULK,), tuple(Lane), (Lane.BULK, Lane.BULK, Lane.URGENT)])
        each = 1 + 3 * limits.parallel // size if chance.random() < 0.8 else 1
        workers = tuple(tuple(chance.choice(mix) for _ in range(min(each, 40))) for _ in range(size))
        windows = max(3.0, min(20.0, calls / limits.calls))
        rough_s = limits.per_s * windows
        calm_at = rough_s + (600.0 if is_foreign else 0.0)
        return cls(
            seed=seed,
            size=size,
            limits=limits,
            timeout_s=timeout_s,
            margin_s=margin_s,
            reserve=chance.choice([0, 0, limits.calls // 20]),
            network=network,
            workers=workers,
            visits=chance.choice([0.0, 0.0, 0.1, 0.5]) * limits.calls / limits.per_s,
            foreign=_foreign(chance, limits, calm_at) if is_foreign else None,
            faults=_faults(chance, size, limits, timeout_s, rough_s),
            skew_s=chance.choice([0.0, 0.0, 86400.0]),
            drift=chance.choice([0.0, 1e-4, 0.01]),
            calm_at=calm_at,
            lasts_s=calm_at + 2 * (timeout_s + margin_s) + 4 * limits.per_s,
        )


def _log_draw(chance: random.Random, low: float, high: float) -> int:
    return round(float(low * (high / low) ** chance.random()))


def _limits(chance: random.Random, calls: int, most_per_minute: int) -> Limits:
    per_minute = _log_draw(chance, 60, most_per_minute)
    per_s = chance.choice([1.0, 2.5, 6.0, 10.0, 60.0])
    while per_minute * per_s / 60 > calls / 3 and per_s > 1:
        per_s = max(1.0, per_s / 2)
    return Limits(max(1, round(per_minute * per_s / 60)), per_s, _log_draw(chance, 1, 300))


def _network(chance: random.Random, limits: Limits, timeout_s: float) -> Network:
    busy = chance.choice([0.1, 0.3, 0.7, 1.5])  # places taken at full rate, as a share of all places
    mean_s = min(busy * limits.parallel * limits.interval_s, timeout_s / 4)
    return Network(
        mean_s=mean_s,
        spread=chance.uniform(0.2, 1.2),
        tail=chance.choice([0.0, 0.02, 0.1]),
        lost=chance.choice([0.0, 0.0, 0.01, 0.1]),
        refused=chance.choice([0.0, 0.0, 0.05]),
        ledger_s=chance.choice([0.0, 0.0002, 0.005]),
    )


def _foreign(chance: random.Random, limits: Limits, calm_at: float) -> Foreign:
    begins_at = chance.uniform(0.0, calm_at / 2)
    return Foreign(
        window=chance.choice(["fixed", "sliding"]),
        calls_per_window=max(1.0, limits.calls * chance.uniform(0.02, 0.8)),
        begins_at=begins_at,
        ends_at=chance.uniform(begins_at, calm_at),
        denied_count=chance.random() < 0.5,
        retry_after=chance.random() < 0.5,
    )


def _faults(chance: random.Random, size: int, limits: Limits, timeout_s: float, rough_s: float) -> tuple[Fault, ...]:
    kinds: list[Kind] = ["crash", "crash", "partition", "stall", "ledger gone", "ledger frozen"]
    if chance.random() < 0.25:
        return ()
    some = chance.sample(kinds, chance.randint(1, 3))
    longest_s = min(rough_s / 3, 2 * (limits.per_s + timeout_s))
    return tuple(
        Fault(
            at=chance.uniform(0.05, 0.65) * rough_s,
            kind=chance.choice(some),
            process=chance.randrange(size),
            for_s=chance.uniform(0.01, 1.0) * longest_s,
            loses=chance.random() < 0.5,
        )
        for _ in range(chance.randint(1, 6 + min(40, size)))
    )
