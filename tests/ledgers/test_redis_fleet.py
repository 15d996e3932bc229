"""Many processes on one account at a real server, seen by a witness that is not the governor's."""

import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field

from ongage_async.config import Limits
from ongage_async.emulator import worst_overlap, worst_window
from tests.ledgers.redis_server import RedisServer
from tests.support import reaches

pytestmark = pytest.mark.fleet

ON_THE_WAY_S = 0.004  # from the server's grant to the call and from its end to the server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@define
class Fleet:
    server: RedisServer
    limits: Limits
    log: Path
    margin_s: float = 0.5
    processes: list[subprocess.Popen[bytes]] = field(factory=list)

    def start(self, number: int) -> None:
        limits = [str(self.limits.calls), str(self.limits.per_s), str(self.limits.parallel), str(self.margin_s)]
        command = [sys.executable, "-m", "tests.ledgers.redis_worker", self.server.url, "fleet", *limits, str(self.log)]
        self.processes += [subprocess.Popen(command) for _ in range(number)]

    def until_seen(self, number: int) -> float:
        while len({line.split()[0] for line in self.lines()}) < number:
            time.sleep(0.05)
        return time.monotonic()

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait(5)

    def calls(self) -> tuple[list[float], list[float], dict[int, list[float]]]:
        """Return arrivals, departures (a killed call never departs) and arrivals by process."""
        spans: dict[str, list[float]] = {}
        by_process: dict[int, list[float]] = {}
        for line in self.lines():
            pid, lease, what, at = line.split()
            spans.setdefault(lease, [math.inf, math.inf])[what == "D"] = float(at)
            if what == "A":
                by_process.setdefault(int(pid), []).append(float(at))
        return [start for start, _ in spans.values()], [end for _, end in spans.values()], by_process


def jain(counts: list[int]) -> float:
    return sum(counts) ** 2 / (len(counts) * sum(n * n for n in counts))


@pytest.mark.parametrize(
    ("size", "limits", "for_s", "least_share"),
    [
        pytest.param(4, Limits(100, 2.0, 10), 4.0, 0.8, id="small"),
        pytest.param(8, Limits(300, 6.0, 10), 24.0, 0.97, id="large", marks=pytest.mark.proof),
    ],
)
def test_a_fleet_keeps_the_limits_and_shares_fairly(
    server: RedisServer, tmp_path: Path, size: int, limits: Limits, for_s: float, least_share: float
):
    fleet = Fleet(server, limits, tmp_path / "log")
    try:
        fleet.start(size)
        began = fleet.until_seen(size) + limits.per_s
        time.sleep(max(0.0, began - time.monotonic()))
        commands, lines = server.calls(), len(fleet.lines())
        time.sleep(for_s)
        commands, grants = server.calls() - commands, (len(fleet.lines()) - lines) / 2
    finally:
        fleet.stop()
    arrived, departed, by_process = fleet.calls()
    counts = [sum(began <= at < began + for_s for at in dates) for dates in by_process.values()]
    open_s = [end - start for start, end in zip(arrived, departed, strict=True) if end < math.inf]
    share = sum(counts) / (limits.calls * for_s / (limits.per_s + sum(open_s) / len(open_s) + ON_THE_WAY_S))
    window, overlap = worst_window(arrived, limits.per_s), worst_overlap(arrived, departed)
    print(f"\n{size} processes, {limits}: worst window {window}, open {overlap}, share {share:.3f}, "
          f"Jain {jain(counts):.4f}, commands per grant {commands / grants:.2f}")  # fmt: skip
    assert window <= limits.calls
    assert overlap <= limits.parallel
    assert jain(counts) >= 0.98
    assert commands / grants < 3
    reaches(share, least_share, "share of the possible")


@pytest.mark.proof
def test_processes_that_are_killed_break_no_limit_and_leave_the_others_their_share(server: RedisServer, tmp_path: Path):
    limits = Limits(300, 6.0, 10)
    fleet = Fleet(server, limits, tmp_path / "log")
    try:
        fleet.start(8)
        fleet.until_seen(8)
        for killed in range(10):
            time.sleep(1.0)
            fleet.processes[killed].kill()
            fleet.start(1)
    finally:
        fleet.stop()
    arrived, _, _ = fleet.calls()
    later = [at for at in arrived if at > min(arrived) + limits.per_s]
    share = len(later) / (limits.calls * (max(arrived) - min(arrived) - limits.per_s) / limits.per_s)
    print(f"\n10 kills: worst window {worst_window(arrived, limits.per_s)}, share {share:.3f}")
    assert worst_window(arrived, limits.per_s) <= limits.calls
    assert share >= 0.8


@pytest.mark.proof
@pytest.mark.parametrize("what", ["flushed", "restarted", "paused"])
def test_the_limits_hold_through_what_happens_to_the_server(server: RedisServer, tmp_path: Path, what: str):
    limits = Limits(100, 2.0, 10)
    fleet = Fleet(server, limits, tmp_path / "log")
    try:
        fleet.start(4)
        fleet.until_seen(4)
        time.sleep(3.0)
        if what == "flushed":
            server.client.script_flush()
            time.sleep(0.5)
            server.client.flushall()
        elif what == "restarted":
            server.stop()
            time.sleep(0.2)
            server.start()
        else:
            server.pause()
            time.sleep(1.0)
            server.resume()
        before = len(fleet.lines())
        time.sleep(8.0)
        assert len(fleet.lines()) > before + 2 * limits.calls or what == "restarted"
    finally:
        fleet.stop()
    arrived, departed, _ = fleet.calls()
    assert worst_window(arrived, limits.per_s) <= limits.calls
    assert worst_overlap(arrived, departed) <= limits.parallel
