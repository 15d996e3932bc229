"""How a fleet grows: ledger commands for each call, and waits, from 1 to 1,000 processes, in the simulator."""

from typing import Any

from ongage_async import Lane, Limits
from tests.proofs.simulation import Scenario, simulate
from tests.proofs.simulation.scenario import Network

__all__ = ["run"]


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Play fleets that always have something to send, and fleets that use half of the limit."""
    sizes = (1, 8) if tiny else (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
    rows = []
    for size in sizes:
        row: dict[str, Any] = {"processes": size}
        for name, callers, visits in (("saturated", 1 if size > 10 else 20 // size, 0.0), ("at half load", 0, 0.5)):
            outcome = simulate(_fleet(size, callers, visits, windows=3 if tiny else 5))
            lane = Lane.NORMAL if callers else Lane.URGENT
            row[f"commands a call, {name}"] = round(outcome.commands, 2)
            row[f"wait p50, s, {name}"] = round(outcome.wait(lane, 0.5), 2)
            row[f"wait p99, s, {name}"] = round(outcome.wait(lane, 0.99), 2)
            assert not outcome.violations, str(outcome)
        rows.append(row)
        print(row, flush=True)
    return rows


def _fleet(size: int, callers: int, visits: float, windows: int) -> Scenario:
    limits = Limits()
    return Scenario(
        seed=1,
        size=size,
        limits=limits,
        timeout_s=60.0,
        margin_s=10.0,
        reserve=0,
        network=Network(mean_s=0.3, spread=0.8, tail=0.0, lost=0.0, refused=0.0, ledger_s=0.0005),
        workers=((Lane.NORMAL,) * callers,) * size,
        visits=visits * limits.calls / limits.per_s,
        foreign=None,
        faults=(),
        skew_s=0.0,
        drift=0.0,
        calm_at=0.0,
        lasts_s=windows * limits.per_s,
    )
