"""The example application in the whole: four workers, one account, many visitors, faults, and workers that are killed.

The limits are asserted from the vendor's own log. ``WEBAPP_CLIENTS``, ``WEBAPP_SECONDS``, ``WEBAPP_THINK_S``,
``WEBAPP_KILLS`` and ``WEBAPP_PER_S`` (the account's window) make it longer.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ongage_async import Limits
from ongage_async.emulator import Emulator, Fault
from tests.examples_webapp.fleet import Workers, crowd
from tests.support import memory_folder

CLIENTS = int(os.environ.get("WEBAPP_CLIENTS", "60"))
SECONDS = float(os.environ.get("WEBAPP_SECONDS", "30"))
THINK_S = float(os.environ.get("WEBAPP_THINK_S", "2"))
KILLS = int(os.environ.get("WEBAPP_KILLS", "3"))
PER_S = float(os.environ.get("WEBAPP_PER_S", "10"))
LIMITS = Limits(int(5 * PER_S * max(1, CLIENTS // 60)) if PER_S < 60 else 300, per_s=PER_S, parallel=10)
MAX_WAIT_S = 5.0
JOINING_S = 0.5
SLOWEST_ANSWER_S = 1.0
BUSY_MACHINE_S = 3.0
"""What a visit may take beside waiting, joining and the vendor: four workers, the vendor and all visitors on one
machine."""

pytestmark = [pytest.mark.proof, pytest.mark.fleet, pytest.mark.timeout(SECONDS + 180)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with memory_folder(tmp_path) as folder:
        yield folder


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=LIMITS.calls, per_s=LIMITS.per_s, parallel=LIMITS.parallel, latency=0.05) as emulator:
        faults = emulator.faults
        faults.add("contacts.create", Fault.status(503, after_execution=True), probability=0.01)
        faults.add("contacts.create", Fault.drop(), probability=0.01)
        faults.add("contacts.create", Fault.delay(SLOWEST_ANSWER_S), probability=0.02)
        faults.add("transactional.*", Fault.delay(SLOWEST_ANSWER_S), probability=0.05)
        faults.add("transactional.*", Fault.drop(after_execution=True), probability=0.02)
        faults.add("transactional.*", Fault.status(429, headers={"Retry-After": "3"}), times=2, skip=20)
        yield emulator


def quantile(values: Sequence[float], share: float) -> float:
    ascending = sorted(values)
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))] if ascending else 0.0


def settled(workers: Workers, receipts: Sequence[str], within_s: float = 90.0) -> dict[str, str]:
    """Wait until every receipt is sent, or in doubt, and return how each ended."""
    deadline, ends = time.monotonic() + within_s, dict.fromkeys(receipts, "")
    while waiting := [receipt for receipt, status in ends.items() if status not in ("sent", "uncertain")]:
        assert time.monotonic() < deadline, f"{len(waiting)} receipts still wait: {Counter(ends.values())}"
        for receipt in waiting:
            ends[receipt] = workers.ask(f"/receipts/{receipt}").json()["status"]
        time.sleep(0.2)
    return ends


def leftovers(workers: Workers) -> dict[str, int]:
    """Return what is still taken though everybody has left."""
    seen = workers.ask("/ongage/budget.json").json()
    left = {"open": seen["open"], "places": seen["places_taken"]}
    left |= {lane: counts["waiting"] for lane, counts in seen["lanes"].items()}
    return {name: number for name, number in left.items() if number}


def test_the_whole_keeps_its_promises_under_load(
    emulator: Emulator, folder: Path, record_property: Callable[[str, Any], None]
):
    rows = "".join(f"reader{number}@doe.com,Jo\n" for number in range(20_000))
    (folder / "nightly.csv").write_text(f"email,first_name\n{rows}")
    with Workers(emulator, LIMITS, folder, max_wait_s=MAX_WAIT_S) as workers:
        with crowd(workers.url, folder / "visits", number=CLIENTS, seconds=SECONDS, think_s=THINK_S):
            for _ in range(KILLS):
                workers.load()
                time.sleep(SECONDS / (KILLS + 1))
                workers.kill_one()
        workers.load()
        visits = [json.loads(line) for line in (folder / "visits").read_text().splitlines()]
        orders = {visit["receipt"]: visit["who"] for visit in visits if visit["receipt"]}
        ends = settled(workers, list(orders))
        deadline = time.monotonic() + 60.0
        while not (folder / "nightly.report.json").exists():
            assert time.monotonic() < deadline, f"the nightly load has not ended: {workers.log()[-2000:]}"
            time.sleep(0.2)
        while leftovers(workers):
            assert time.monotonic() < deadline + 60.0, f"something is left behind: {leftovers(workers)}"
            time.sleep(0.2)
        log = workers.log()

    answered = [visit for visit in visits if visit["what"] in ("sign_up", "order") and visit["status"] > 0]
    statuses = Counter((visit["what"], visit["status"]) for visit in visits)
    urgent_s = [visit["s"] for visit in answered if visit["status"] == 200]
    longest_s = max(visit["s"] for visit in answered)
    witness = emulator.witness
    record_property(
        "figure",
        f"webapp, 4 workers, {CLIENTS} visitors, {SECONDS:.0f} s, {KILLS} kills, {LIMITS}: {len(visits)} visits, "
        f"{len(witness)} calls, worst window {witness.worst_window(LIMITS.per_s)}, worst open {witness.worst_open()}, "
        f"refused by the vendor {witness.count(status=429)}, served p50 {quantile(urgent_s, 0.5):.2f} s, "
        f"p99 {quantile(urgent_s, 0.99):.2f} s, longest answer {longest_s:.2f} s, {dict(statuses)}, "
        f"receipts {dict(Counter(ends.values()))}",
    )
    assert witness.worst_window(LIMITS.per_s) <= LIMITS.calls
    assert witness.worst_open() <= LIMITS.parallel
    assert longest_s <= MAX_WAIT_S + JOINING_S + SLOWEST_ANSWER_S + BUSY_MACHINE_S
    assert {status for what, status in statuses} <= {200, 202, 502, 503, 0, -1}, log[-3000:]
    assert statuses["sign_up", 200] > 0.5 * sum(count for (what, _), count in statuses.items() if what == "sign_up")

    sent = Counter(message.subject for message in emulator.state.messages.outbox)
    assert {
        receipt: end for receipt, end in ends.items() if end == "sent" and sent[f"Your order {orders[receipt]}"] != 1
    } == {}
    assert max(sent.values()) == 1, "in doubt or not, none is sent twice"
    report = json.loads((folder / "nightly.report.json").read_text())
    assert (report["rows_sent"], report["adds_up"]) == (20_000, True)
