"""Processes killed with -9: nothing is lost, nothing that is certain is sent twice, what is uncertain is called so."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from ongage_async.emulator import Emulator, Fault
from ongage_async.outbox import Entry, Status
from tests.outbox.test_outbox import recipients
from tests.outbox.worker import LEASE_S, client

ROOT = Path(__file__).resolve().parents[2]


@define
class Fleet:
    """Processes that share an outbox, and what came of it."""

    emulator: Emulator
    url: str
    entries: int
    running: list[subprocess.Popen[str]] = field(factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        known = self.emulator.credentials
        return {
            "vendor": self.emulator.url,
            "credentials": [known.username, known.password, known.account_code],
            "outbox": self.url,
            "entries": self.entries,
        }

    def start(self, **told: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.outbox.worker", json.dumps({**self.facts, **told})]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        self.running.remove(process)
        process.kill()
        process.communicate()

    async def settled(self, within_s: float = 30.0, *, is_sender: bool = False) -> list[Entry]:
        """Wait until all were put and nothing is under way any more, and return what is there."""
        give_up_at = time.monotonic() + within_s
        options = {"is_sender": is_sender, "lease_s": LEASE_S}
        async with client(self.facts) as ongage, ongage.outbox(self.url, **options) as outbox:
            while time.monotonic() < give_up_at:
                counts = await outbox.statistics()
                if counts.queued == counts.sending == 0 and counts.sent + counts.uncertain == self.entries:
                    return [entry async for entry in outbox.each()]
                await asyncio.sleep(0.05)
            raise AssertionError(counts)


@contextmanager
def fleet(emulator: Emulator, url: str, entries: int) -> Iterator[Fleet]:
    made = Fleet(emulator, url, entries)
    try:
        yield made
    finally:
        for process in list(made.running):
            made.kill(process)


POINTS = [
    # store, step of the dying process → the receipt's state afterwards, how often the vendor has sent it
    ("sqlite", "put", "after", Status.SENT, 1),
    ("sqlite", "begin", "before", Status.SENT, 1),
    ("sqlite", "begin", "after", Status.UNCERTAIN, 0),
    ("sqlite", "settle", "before", Status.UNCERTAIN, 1),
    ("sqlite", "settle", "after", Status.SENT, 1),
    ("redis", "begin", "after", Status.UNCERTAIN, 0),
    ("redis", "settle", "before", Status.UNCERTAIN, 1),
]


@pytest.mark.parametrize(("kind", "step", "when", "status", "executed"), POINTS)
def test_a_kill_at_a_step_leaves_what_it_must(
    emulator: Emulator, url: str, step: str, when: str, status: Status, executed: int
):
    """Written down before it is sent, sent before it is written down: both are uncertain, all else is certain."""
    with fleet(emulator, url, entries=1) as processes:
        process = processes.start(die_at=[step, when])
        assert process.wait(20) == -signal.SIGKILL
        [receipt] = asyncio.run(processes.settled(is_sender=True))
    assert (receipt.status, receipt.attempts) == (status, 1)
    assert recipients(emulator) == ["c0@doe.com"] * executed


def faulty(emulator: Emulator, seed: int) -> None:
    emulator.faults.rng.seed(seed)
    for pattern, fault in (
        ("*", Fault.drop()),
        ("*", Fault.drop(after_execution=True)),
        ("*", Fault.status(503)),
        ("*", Fault.half_body()),
        ("transactional.send", Fault.status(429, headers={"Retry-After": "0"})),
    ):
        emulator.faults.add(pattern, fault, probability=0.01)


def check(emulator: Emulator, entries: list[Entry], wanted: int) -> Counter[Status]:
    """Hold the outbox's word against the vendor's own."""
    sent = Counter(recipients(emulator))
    assert len(entries) == len({entry.key for entry in entries}) == wanted
    assert max(sent.values()) == 1, "sent twice"
    for entry in entries:
        if entry.kind == "contacts.create":
            assert entry.status is Status.SENT
            assert emulator.state.default_list.contact(entry.arguments["contacts"][0]["email"])
        else:
            assert entry.status in (Status.SENT, Status.UNCERTAIN)
            assert sent[entry.arguments["recipients"]] == 1 or entry.status is Status.UNCERTAIN
    return Counter(entry.status for entry in entries)


def killed_at_random(
    emulator: Emulator, url: str, kills: int, workers: int, entries: int, seed: int
) -> tuple[int, str]:
    """Return how many sends a kill has cut off, and the figures in words."""
    faulty(emulator, seed)
    chance = random.Random(seed)
    with fleet(emulator, url, entries) as processes:
        for _ in range(workers):
            processes.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.0, 0.05))
            processes.kill(chance.choice(processes.running))
            processes.start()
        found = asyncio.run(processes.settled(60.0))
    counts = check(emulator, found, entries)
    struck = sum(rule.hits for rule in emulator.faults._at_server)
    assert counts[Status.UNCERTAIN] <= 8 * kills + struck, "more than were under way"
    died = sum("died" in (entry.reason or "") for entry in found)
    told = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    return (
        died,
        f"outbox: {kills} kills of {workers} senders, {struck} faults, {entries} entries: {told} ({died} by a kill)",
    )


def test_three_kills_at_random_instants_lose_nothing_and_send_nothing_twice(emulator: Emulator, url: str):
    emulator.latency = 0.05
    killed_at_random(emulator, url, kills=3, workers=1, entries=150, seed=1)


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_twenty_kills_of_three_senders_lose_nothing_and_send_nothing_twice(
    emulator: Emulator, url: str, record_property: Any
):
    emulator.latency = 0.3  # so that each kill finds some under way
    died, figure = killed_at_random(emulator, url, kills=20, workers=3, entries=1500, seed=2)
    record_property("figure", figure)
    assert died >= 20
