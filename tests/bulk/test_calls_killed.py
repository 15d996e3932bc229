"""Loads by calls that are killed with -9 and taken up again: each row lands once, and report and files agree."""

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
from tests.bulk.calls_worker import write
from tests.support import report_of

ROOT = Path(__file__).resolve().parents[2]


@define
class Load:
    """One load, in as many processes as it takes."""

    emulator: Emulator
    folder: Path
    rows: int

    def run(self, *, kill_after_s: float | None = None, **told: Any) -> dict[str, Any] | None:
        """Run to the end or to the kill; return the report, None for a killed one."""
        known = self.emulator.credentials
        credentials = [known.username, known.password, known.account_code]
        facts = {"url": self.emulator.url, "credentials": credentials, "folder": str(self.folder), **told}
        command = [sys.executable, "-m", "tests.bulk.calls_worker", json.dumps(facts)]
        environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
            return report_of(process, kill_after_s)

    def check(self, report: dict[str, Any]) -> None:
        """Hold what is in the list, the report and the files of rejected rows against the source."""
        refused = [number for number in range(self.rows) if number % 40 == 19]
        bad = [number for number in range(self.rows) if number % 40 == 39]
        twice = [number for number in range(self.rows) if number % 10 == 7]
        good = set(range(self.rows)) - {*refused, *bad, *twice}
        book = self.emulator.state.default_list
        stored = {contact.email: book.contact(contact.email)["first_name"] for contact in book.contacts}
        assert stored == {f"c{number}@doe.com": f"n{number}" for number in good}
        assert (report["rows_read"], report["adds_up"], report["road"]) == (self.rows, True, "calls")
        assert report["outcomes"] == {
            "loaded": len(good),
            "rejected": len(refused) + len(bad),
            "duplicate": len(twice),
            "unknown": 0,
        }
        lines = (self.folder / "people.refused.jsonl").read_text("utf-8").splitlines()
        emails = [json.loads(line)["contact"]["email"] for line in lines]
        assert sorted(emails) == sorted(f"c{number}@doe.com" for number in refused)
        rejected = (self.folder / "people.rejected.csv").read_text("utf-8-sig").splitlines()[1:]
        assert len(rejected) == len(bad)
        left = {path.name for path in self.folder.iterdir()}
        assert left == {"people.csv", "people.refused.jsonl", "people.rejected.csv", "journal"}
        assert not any(path.is_file() for path in (self.folder / "journal" / "parts").glob("*"))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=None, parallel=None) as made:
        yield made


EACH_LINE = [
    *(("load", step) for step in (1, 2, 3, 4)),
    *(("rows", step) for step in (1, 2, 5)),
    *(("refused", step) for step in (1, 3)),
    *(("unlink", step) for step in (1, 2)),
]
FEW = [
    ("load", 2, "after"),  # submitting
    ("rows", 2, "before"),
    ("refused", 2, "after"),
    ("load", 2, "before"),  # final, in a run that goes on
    ("load", 3, "before"),  # cleaned
    ("unlink", 1, "after"),
]


def killed_at(emulator: Emulator, folder: Path, *steps: tuple[str, int, str]) -> None:
    folder = folder / "load"
    folder.mkdir()
    write(folder / "people.csv", 400)
    load = Load(emulator, folder, 400)
    for step in steps:
        assert load.run(die_at=step) is None, step
    report = load.run()
    assert report is not None
    load.check(report)
    again = load.run()
    assert again is not None
    assert (again["outcomes"], again["calls"]) == (report["outcomes"], 0)


def test_a_load_by_calls_killed_again_and_again_at_its_journals_lines_goes_on(emulator: Emulator, tmp_path: Path):
    """Each run dies at another line: of the load, of the rows of its part, of the file of the refused."""
    killed_at(emulator, tmp_path, *FEW)


@pytest.mark.proof
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "step"), EACH_LINE)
def test_a_load_by_calls_killed_at_any_line_of_its_journals_goes_on(
    emulator: Emulator, tmp_path: Path, what: str, step: int, when: str
):
    killed_at(emulator, tmp_path, (what, step, when))


def killed_at_random(folder: Path, rows: int, seed: int, most_kills: int) -> int:
    chance, kills = random.Random(seed), 0
    write(folder / "people.csv", rows)
    with Emulator(calls=None, parallel=None) as emulator:
        emulator.faults.rng.seed(seed)
        for fault in (Fault.drop(), Fault.drop(after_execution=True), Fault.status(503), Fault.half_body()):
            emulator.faults.add("contacts.create", fault, probability=0.03)
        load = Load(emulator, folder, rows)
        while (report := load.run(kill_after_s=chance.uniform(0.0, 0.6) if kills < most_kills else None)) is None:
            kills += 1
        load.check(report)
    return kills


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_loads_by_calls_killed_at_random_instants_under_faults_lose_nothing(tmp_path: Path):
    kills = 0
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        kills += killed_at_random(folder, rows=8_000, seed=seed, most_kills=8)
    assert kills >= 8
