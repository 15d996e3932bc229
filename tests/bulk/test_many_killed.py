"""Streams that are killed with -9 and taken up again: the contacts equal the source, and the report adds up."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from ongage_async.emulator import Emulator, Fault
from tests.bulk.many_worker import expected
from tests.support import report_of

ROOT = Path(__file__).resolve().parents[2]


@define
class Load:
    """One load, in as many processes as it takes."""

    emulator: Emulator
    folder: Path
    rows: int
    per_call: int = 50

    def start(self, **told: Any) -> subprocess.Popen[str]:
        known = self.emulator.credentials
        facts = {
            "url": self.emulator.url,
            "credentials": [known.username, known.password, known.account_code],
            "folder": str(self.folder),
            "rows": self.rows,
            "per_call": self.per_call,
            **told,
        }
        command = [sys.executable, "-m", "tests.bulk.many_worker", json.dumps(facts)]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)

    def run(self, *, kill_after_s: float | None = None, **told: Any) -> dict[str, Any] | None:
        """Run to the end or to the kill; return the report, None for a killed one."""
        with self.start(**told) as process:
            return report_of(process, kill_after_s)

    def check(self, report: dict[str, Any]) -> None:
        """Hold what is in the list, the report and the side file against the source."""
        book = self.emulator.state.default_list
        stored = {contact.email: book.contact(contact.email)["first_name"] for contact in book.contacts}
        assert stored == expected(self.rows)
        assert report["rows_read"] == sum(report["counts"].values()) == self.rows
        assert (report["adds_up"], report["counts"]["unknown"], report["counts"]["not_sent"]) == (True, 0, 0)
        bad = list(range(40, self.rows + 1, 40))
        assert report["counts"]["rejected"] == len(bad)
        lines = (self.folder / "rejected.jsonl").read_text("utf-8").splitlines()
        assert sorted(json.loads(line)["row"] for line in lines) == bad


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=None, parallel=None) as made:
        yield made


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_stream_killed_at_a_step_of_its_journal_goes_on_and_loses_nothing(
    emulator: Emulator, tmp_path: Path, step: int, when: str
):
    load = Load(emulator, tmp_path, rows=1000)
    killed = 0
    while (report := load.run(die_at=[step, when] if killed < 2 else None)) is None:
        killed += 1
    assert killed == 2
    load.check(report)
    settled = {"before": 2 * (step - 1), "after": 2 * step}[when]
    assert (report["rows_resumed"] > 0) == (settled > 0)
    assert report["rows_resumed"] <= settled * 60  # 50 sent, duplicates, and what was rejected beside them


def faulty(emulator: Emulator, seed: int) -> None:
    emulator.faults.rng.seed(seed)
    for fault in (
        Fault.drop(),
        Fault.drop(after_execution=True),
        Fault.status(503),
        Fault.status(500, after_execution=True),
        Fault.half_body(),
    ):
        emulator.faults.add("contacts.create", fault, probability=0.03)


def killed_at_random(emulator: Emulator, folder: Path, rows: int, seed: int, most_kills: int) -> int:
    chance = random.Random(seed)
    faulty(emulator, seed)
    load = Load(emulator, folder, rows)
    kills = 0
    while (report := load.run(kill_after_s=chance.uniform(0.0, 0.4) if kills < most_kills else None)) is None:
        kills += 1
    load.check(report)
    return kills


def test_a_stream_killed_at_random_instants_under_faults_loses_nothing(emulator: Emulator, tmp_path: Path):
    assert killed_at_random(emulator, tmp_path, rows=4000, seed=1, most_kills=4) > 0


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_two_hundred_kills_at_random_instants_lose_nothing(tmp_path: Path):
    kills = 0
    for seed in range(1000):
        folder = tmp_path / str(seed)
        folder.mkdir()
        with Emulator(calls=None, parallel=None) as emulator:
            kills += killed_at_random(emulator, folder, rows=50_000, seed=seed, most_kills=20)
        if kills >= 200:
            break
    print(f"\n{kills} kills in {seed + 1} loads of 50,000 rows")
    assert kills >= 200
