"""Loads that are killed with SIGKILL, at random instants and at every line of the journal, and resumed until done.

A worker process loads a file into an emulator under faults; whenever it is killed, or gives up for a fault, the same
call is made again. At the end the emulator itself is asked: its contacts are the file's, each part's rows were applied
by one import, and the last report adds up.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import define, field

from ongage_async.emulator import Emulator, Fault
from tests.support import memory_folder

ROOT = Path(__file__).resolve().parents[2]
LINES_OF_TWO_PARTS = 1 + 2 * 5
"""planned; and for each part staged, submitting, created, final, cleaned."""


@pytest.fixture(scope="module")
def worker() -> Iterator["Worker"]:
    command = [sys.executable, "-m", "tests.proofs.kills.worker"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Worker(process)
        process.stdin.close()


@define
class Worker:
    process: Any

    def run(self, **order: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@define(slots=False)
class Case:
    """One load from its first command to its end, and what must be true then."""

    worker: Worker
    emulator: Emulator
    folder: Path
    rows: int
    part_rows: int
    chance: random.Random
    outlives: bool
    kills: int = 0
    runs: int = 0
    errors: list[str] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.source = self.folder / "contacts.csv"
        lines = ["email,first_name,last_name"]
        self.good = {}
        for number in range(self.rows):
            if number % 97 == 5:
                lines.append(f"not an address {number},Bad,Row")
            elif number % 101 == 7:
                lines.append("p1@doe.com,Again,Duplicate")
            else:
                lines.append(f"p{number}@doe.com,Name {number},Last {number}")
                self.good[f"p{number}@doe.com"] = (f"Name {number}", f"Last {number}")
        self.good.setdefault("p1@doe.com", ("Name 1", "Last 1"))
        self.source.write_text("\n".join(lines) + "\n")
        self.published = self.folder / "www"
        self.published.mkdir()
        self.emulator.mount_fetch("https://files.test", Published(self.published, self.chance))
        self.list = self.emulator.state.add_list("mine", imports_concurrent_limit=2)
        known = self.emulator.credentials
        self.order = {
            "url": self.emulator.url,
            "credentials": [known.username, known.password, known.account_code],
            "list_id": self.list.id,
            "source": str(self.source),
            "journal": str(self.folder / "journal"),
            "published": str(self.published) if self.outlives else None,
            "part_rows": self.part_rows,
            "backend": self.chance.choice(["asyncio", "trio"]),
        }

    def run(self, **kill: Any) -> dict[str, Any] | None:
        """Run the command once; return its report if it came to its end."""
        self.runs += 1
        ended = self.worker.run(**self.order, **kill)
        assert "crashed" not in ended, ended
        self.kills += "killed" in ended
        if "error" in ended:
            self.errors.append(ended["error"])
        return ended.get("report")

    def until_done(self) -> dict[str, Any]:
        for _ in range(25):
            if (report := self.run()) is not None:
                return report
        raise AssertionError(f"never done: {self.errors[-3:]}")

    def judge(self, report: dict[str, Any]) -> None:
        there = {
            view["email"]: (view["first_name"], view["last_name"]) for view in map(self.list.view, self.list.contacts)
        }
        assert there == self.good
        imports = [job for job in self.emulator.state.imports.values() if job.request.list_id == self.list.id]
        executed = [job for job in imports if job.counts.total]
        parts = -(-len(self.good) // self.part_rows)
        assert len(executed) == parts
        assert sum(job.counts.total for job in executed) == len(self.good)
        assert {job.id for job in executed} == {part["import_id"] for part in report["parts"]}
        assert all(job.status >= 90000 for job in imports if not job.counts.total)
        assert report["adds_up"], report
        assert (report["rows_read"], report["rows_sent"]) == (self.rows, len(self.good))
        outcomes = report["outcomes"]
        assert sum(outcomes.values()) == self.rows
        assert (outcomes["loaded"], outcomes["unknown"]) == (len(self.good), 0)
        assert list(self.published.iterdir()) == []
        assert list((self.folder / "journal" / "parts").iterdir()) == []
        assert [path.name for path in self.folder.glob("*rejected*")] == ["contacts.rejected.csv"]
        side = (self.folder / "contacts.rejected.csv").read_text("utf-8-sig").splitlines()
        assert len(side) - 1 == outcomes["rejected"]


@define
class Published:
    """A web server with a directory: it outlives the worker, and gives files out slowly."""

    folder: Path
    chance: random.Random

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = self.folder / scope["path"].rpartition("/")[2]
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for start in range(0, len(data), 1 + len(data) // 4):
            await anyio.sleep(self.chance.uniform(0.0, 0.02))
            await send(
                {"type": "http.response.body", "body": data[start : start + 1 + len(data) // 4], "more_body": True}
            )
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with memory_folder(tmp_path) as made:
        yield made


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(calls=None, parallel=None, rows_per_s=40_000) as made:
        yield made


def add_faults(emulator: Emulator, chance: random.Random) -> None:
    emulator.faults.rng = chance
    for operation, likely in (("imports.create", 0.12), ("imports.get", 0.02), ("imports.page", 0.05)):
        for fault in (
            Fault.drop(),
            Fault.drop(after_execution=True),
            Fault.half_body(),
            Fault.status(503),
            Fault.status(503, after_execution=True),
            Fault.status(429, headers={"Retry-After": "0"}),
            Fault.delay(0.1),
        ):
            emulator.faults.add(operation, fault, probability=likely / 2)


@pytest.mark.parametrize(
    ("when", "outlives"),
    [
        pytest.param("after", False, id="after it, and the file drop with the run"),
        pytest.param("before", True, id="before it, on a stage that outlives the run"),
        pytest.param("after", True, id="after it, on a stage that outlives the run", marks=pytest.mark.proof),
        pytest.param("before", False, id="before it, and the file drop with the run", marks=pytest.mark.proof),
    ],
)
def test_killed_at_every_line_of_the_journal_a_load_goes_on_and_loads_once(
    worker: Worker, emulator: Emulator, folder: Path, when: str, outlives: bool
):
    """A load of two parts for each line of its journal; and what goes on after the kill is killed once more."""
    chance = random.Random(when)
    for line in range(1, 1 + LINES_OF_TWO_PARTS):
        own = folder / str(line)
        own.mkdir()
        case = Case(worker, emulator, own, 300, 150, chance, outlives)
        assert case.run(kill_at=line, when=when) is None
        case.run(kill_at=chance.randint(1, 4), when=chance.choice(["before", "after"]))
        case.judge(case.until_done())
        assert case.kills >= 1
        assert case.errors == []


SIZES = [
    *(pytest.param(seed, 2_000, 480, id=f"2000-{seed}") for seed in range(20)),
    *(pytest.param(seed, 50_000, 9_000, id=f"50000-{seed}", marks=pytest.mark.proof) for seed in range(100, 300)),
]


@pytest.mark.parametrize(("seed", "rows", "part_rows"), SIZES)
def test_killed_at_random_instants_under_faults_a_load_goes_on_and_loads_once(
    worker: Worker, emulator: Emulator, folder: Path, seed: int, rows: int, part_rows: int
):
    """Several kills a load; faults of the network and of the vendor all the time."""
    chance = random.Random(seed)
    case = Case(worker, emulator, folder, rows, part_rows, chance, outlives=bool(seed % 2))
    emulator.imports.rows_per_s = rows * 6
    add_faults(emulator, chance)
    for _ in range(4):
        if (report := case.run(kill_after_s=chance.uniform(0.0, 0.45) * (1 + rows / 50_000))) is not None:
            break
    else:
        report = case.until_done()
    case.judge(report)
    print(f"\n{case.runs} runs, {case.kills} of them killed, {len(case.errors)} ended by faults", end="")
    again = case.run()  # the load is over, and the same command does not run it again
    assert again is not None
    assert (again["calls"], again["parts"]) == (0, report["parts"])
