"""Eight real processes on one ledger, judged by the emulator's witness: worst window, worst open, share, fairness.

The scenarios run for every kind of ledger that several processes can share.
"""

import fcntl
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import define

from ongage_async.config import Limits
from ongage_async.emulator import Emulator
from tests.ledgers.redis_server import RedisServer
from tests.proofs.fleet.fleet import Fleet, jain
from tests.support import reaches

SCALED = Limits(300, per_s=6.0, parallel=10)
HOURS_S = 3 * 3600.0

pytestmark = [pytest.mark.timeout(300), pytest.mark.fleet]


@define
class Shared:
    """A ledger that processes share."""

    url: str
    redis: RedisServer | None = None
    path: Path | None = None


@pytest.fixture(params=["file", "redis"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "file":
        yield Shared(f"file://{tmp_path}/ongage.ledger", path=tmp_path / "ongage.ledger")
        return
    server = RedisServer(tmp_path)
    yield Shared(server.url, redis=server)
    server.stop()


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    chance = random.Random(1)
    with Emulator(calls=None, parallel=None, latency=lambda _: chance.uniform(0.02, 0.12)) as emulator:
        yield emulator


def now(emulator: Emulator) -> float:
    return emulator.witness.calls[-1].arrived_at


@define
class Verdict:
    """What the witness saw of a fleet."""

    worst_window: int
    worst_open: int
    share: float
    fairness: float

    def keeps(self, limits: Limits) -> None:
        assert self.worst_window <= limits.calls
        assert self.worst_open <= limits.parallel


def watch(
    fleet: Fleet,
    emulator: Emulator,
    limits: Limits,
    size: int,
    windows: float = 4,
    meanwhile: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Let a fleet work for some windows after the first, and judge what was seen."""
    fleet.until_working(size)
    time.sleep(limits.per_s)
    since, before = now(emulator), fleet.done()
    meanwhile(windows * limits.per_s)
    until, after = now(emulator), fleet.done()
    counts = [count - before[name] for name, count in after.items() if name in before]
    verdict = Verdict(
        fleet.worst_window(), emulator.witness.worst_open(), fleet.share(since, until), jain(counts or [1])
    )
    print(f"\n{size} processes, {limits}: {verdict}, {len(emulator.witness)} calls")
    if errors := fleet.errors():
        print(errors[-600:])
    return verdict


def test_four_processes_keep_the_limits_and_share_fairly(shared: Shared, emulator: Emulator, tmp_path: Path):
    limits = Limits(60, per_s=2.0, parallel=5)
    with Fleet(shared.url, emulator, limits, tmp_path) as fleet:
        fleet.start(4)
        verdict = watch(fleet, emulator, limits, 4, windows=2)
    verdict.keeps(limits)
    reaches(verdict.fairness, 0.95, "fairness")
    reaches(verdict.share, 0.9, "share of the possible")


@pytest.mark.proof
def test_eight_processes_use_all_that_the_account_allows_and_never_more(
    shared: Shared, emulator: Emulator, tmp_path: Path
):
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:
        fleet.start(8)
        verdict = watch(fleet, emulator, SCALED, 8)
    verdict.keeps(SCALED)
    reaches(verdict.fairness, 0.98, "fairness")
    reaches(verdict.share, 0.97, "share of the possible")


@pytest.mark.proof
def test_a_process_that_is_killed_every_second_breaks_no_limit(shared: Shared, emulator: Emulator, tmp_path: Path):
    """Its places are free again after the margin where the kernel tells of its end, else after the longest answer."""
    longest_answer = ("--timeout-s", "2")
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:

        def kill(for_s: float) -> None:
            for _ in range(int(for_s)):
                time.sleep(1.0)
                fleet.kill_one()
                fleet.start(1, *longest_answer)

        fleet.start(8, *longest_answer)
        verdict = watch(fleet, emulator, SCALED, 8, meanwhile=kill)
    verdict.keeps(SCALED)
    reaches(verdict.share, 0.97, "share of the possible")


@pytest.mark.proof
def test_processes_that_were_forked_after_the_client_was_made_are_a_fleet(
    shared: Shared, emulator: Emulator, tmp_path: Path
):
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:
        fleet.start(1, "--forks", "8")
        verdict = watch(fleet, emulator, SCALED, 8)
    verdict.keeps(SCALED)
    reaches(verdict.fairness, 0.98, "fairness")
    reaches(verdict.share, 0.97, "share of the possible")


@pytest.mark.proof
def test_clocks_that_are_hours_off_change_nothing(shared: Shared, emulator: Emulator, tmp_path: Path):
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:
        for number in range(8):
            off_s = str((number - 4) * HOURS_S)
            monotonic = ("--monotonic-off-s", off_s) if shared.redis else ()  # on one machine there is only one
            fleet.start(1, "--wall-off-s", off_s, *monotonic)
        verdict = watch(fleet, emulator, SCALED, 8)
    verdict.keeps(SCALED)
    reaches(verdict.fairness, 0.98, "fairness")
    reaches(verdict.share, 0.97, "share of the possible")


def restart(server: RedisServer) -> None:
    server.stop()
    time.sleep(1.0)
    server.start()


def stand_still(server: RedisServer) -> None:
    server.pause()
    time.sleep(5.0)
    server.resume()


MISHAPS: dict[str, Callable[[RedisServer], object]] = {
    "restarted": restart,
    "stopped for 5 s": stand_still,
    "its scripts flushed": lambda server: server.client.script_flush(),
    "its memory cleared": lambda server: server.client.flushall(),
}


@pytest.mark.proof
@pytest.mark.parametrize("mishap", MISHAPS)
def test_the_limits_hold_whatever_happens_to_redis(shared: Shared, emulator: Emulator, tmp_path: Path, mishap: str):
    server = shared.redis
    if server is None:
        pytest.skip("concerns Redis")
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:

        def strike(for_s: float) -> None:
            time.sleep(1.0)
            MISHAPS[mishap](server)
            time.sleep(for_s + 20.0)

        fleet.start(8)
        watch(fleet, emulator, SCALED, 8, meanwhile=strike).keeps(SCALED)
        calls = len(emulator.witness)
        time.sleep(SCALED.per_s)
        came_back = len(emulator.witness) - calls
    print(f"{mishap}: {came_back} calls in the last window")
    assert came_back >= 0.7 * SCALED.calls
    assert emulator.witness.worst_open() <= SCALED.parallel


@pytest.mark.proof
def test_a_ledger_file_that_another_holds_for_three_seconds_breaks_no_limit(
    shared: Shared, emulator: Emulator, tmp_path: Path
):
    path = shared.path
    if path is None:
        pytest.skip("concerns the file")
    with Fleet(shared.url, emulator, SCALED, tmp_path) as fleet:

        def hold(for_s: float) -> None:
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                time.sleep(3.0)
            finally:
                os.close(descriptor)
            time.sleep(for_s)

        fleet.start(8)
        watch(fleet, emulator, SCALED, 8, meanwhile=hold).keeps(SCALED)


@pytest.mark.proof
def test_urgent_calls_behind_seven_saturating_bulk_processes_wait_a_tenth_of_four_seconds_when_scaled_by_ten(
    shared: Shared, emulator: Emulator, tmp_path: Path
):
    with (
        Fleet(shared.url, emulator, SCALED, tmp_path) as fleet,
        Fleet(shared.url, emulator, SCALED, tmp_path) as urgent,
    ):
        fleet.start(7, "--lane", "BULK")
        urgent.start(1, "--lane", "URGENT", "--callers", "3", "--pause-s", "0.5")
        fleet.until_working(7)
        urgent.until_working(1)
        time.sleep(60.0)
        waits = urgent.waits()
        p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        worst = fleet.worst_window()
    print(f"\nurgent, {len(waits)} calls, answer included: p50 {p50:.3f} s, p99 {p99:.3f} s")
    assert worst <= SCALED.calls
    reaches(1 / p99, 1 / (0.4 + 0.3), "urgent p99, the answer itself included, in calls per second")


def test_a_worker_says_what_it_needs():
    told = subprocess.run(
        [sys.executable, "-m", "tests.proofs.fleet.worker", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert "--ledger" in told.stdout
