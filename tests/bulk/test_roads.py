"""The two roads of a load: imports, or calls of up to a hundred contacts; and the one that the plan advises, taken."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async import AuthenticationError, ConfigurationError, InvalidInputError, OngageClient
from ongage_async.bulk import HostedFile, Order, Packing, Progress, SqliteJournal
from ongage_async.bulk.load._road import choose_road
from ongage_async.emulator import Emulator, Fault
from ongage_async.errors import JournalError
from tests.bulk import streams
from tests.bulk.direct_stage import DirectStage

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time, pytest.mark.usefixtures("threads_take_no_time")]


@pytest.fixture
def inside() -> Emulator:
    return streams.emulator()


@pytest.fixture
def stage(inside: Emulator) -> Any:
    made: Any = DirectStage()
    inside.mount_fetch("https://stage.test", made)
    return made


@pytest.fixture
async def ongage(inside: Emulator) -> AsyncIterator[OngageClient]:
    async with streams.client(inside) as client:
        yield client


def people(folder: Path, count: int, more: str = "") -> Path:
    path = folder / "people.csv"
    rows = "".join(f"c{number}@doe.com,Ann {number}\n" for number in range(count))
    path.write_text(f"email,first_name\n{rows}{more}")
    return path


def loaded(inside: Emulator) -> dict[str, Any]:
    of: Any = inside.state.default_list
    return {contact.email: of.contact(contact.email)["first_name"] for contact in of.contacts}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def expected(count: int) -> dict[str, str]:
    return {f"c{number}@doe.com": f"Ann {number}" for number in range(count)}


async def test_a_load_by_calls_needs_no_stage_and_accounts_for_every_row(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    source = people(tmp_path, 230, "nobody,x\nc0@doe.com,Bob\n")
    told: list[Progress] = []
    report = await ongage.imports.run(source, road="calls", progress=told.append)
    assert loaded(inside) == expected(230)
    shares = [each.done / each.total for each in told if each.phase == "process" and each.total]
    assert len([share for share in shares if 0 < share < 1]) >= 3
    assert (shares, shares[-1]) == (sorted(shares), 1.0)
    assert (report.rows_read, report.rows_sent, report.duplicates, report.adds_up) == (232, 230, 1, True)
    assert report.outcomes == {"loaded": 230, "rejected": 1, "duplicate": 1, "unknown": 0}
    assert report.side_file is not None
    assert "nobody" in report.side_file.read_text("utf-8-sig")
    assert inside.witness.count("imports.create") == 0
    assert (report.import_id, report.road, report.refused_files) == (None, "calls", ())
    assert report.calls == len(inside.witness)
    text = report.as_text()
    assert "By calls: total 230, success 230" in text
    assert "All counts add up" in text
    assert json.loads(report.as_json())["road"] == "calls"
    assert names_in(tmp_path) == ["people.csv", "people.rejected.csv"]


async def test_rows_that_the_vendor_refuses_are_in_a_file_of_their_own(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    told = {"rows": 1, "failed": 1, "success": 0, "failed_emails": {"c0@doe.com": "barred"}}
    for _ in range(2):  # the second load writes into another file
        inside.faults.add(
            "contacts.create", Fault.status(200, {"metadata": {"error": False}, "payload": told}), times=1
        )
        report = await ongage.imports.run(people(tmp_path, 1), road="calls")
        assert (report.outcomes["rejected"], report.adds_up, report.vendor.failed) == (1, True, 1)
    names = [path.name for path in report.refused_files]
    assert names == ["people.refused-2.jsonl"]
    assert f"to mend and send again: {report.refused_files[0]}" in report.as_text()
    line = json.loads((tmp_path / "people.refused.jsonl").read_text())
    assert (line["reason"], line["contact"]["email"]) == ("barred", "c0@doe.com")


@pytest.mark.parametrize("rows", [100, 101])
async def test_the_plans_road_is_taken_when_it_is_asked_for(
    ongage: OngageClient, inside: Emulator, stage: Any, tmp_path: Path, rows: int
):
    source = people(tmp_path, rows)
    plan = await ongage.imports.plan(source)
    report = await ongage.imports.run(source, road="auto", stage=stage)
    assert (report.road, plan.road) == (("calls", "calls") if rows == 100 else ("import", "import"))
    assert (inside.witness.count("imports.create") == 1) == (rows == 101)
    assert (loaded(inside), report.adds_up) == (expected(rows), True)


async def test_the_road_is_that_of_imports_unless_somebody_asks(
    ongage: OngageClient, inside: Emulator, stage: Any, tmp_path: Path
):
    report = await ongage.imports.run(people(tmp_path, 3), stage=stage)
    assert (report.road, inside.witness.count("imports.create")) == ("import", 1)
    with pytest.raises(ConfigurationError, match="stage= is needed"):
        await ongage.imports.run(people(tmp_path, 101), road="auto")
    report = await ongage.imports.run(people(tmp_path, 0, "nobody,x\n"), road="auto")
    assert (report.rows_sent, report.adds_up) == (0, True)


async def test_what_only_an_import_can_do_is_no_load_by_calls(
    ongage: OngageClient, inside: Emulator, tmp_path: Path, stage: Any
):
    source = people(tmp_path, 2)
    unfit: list[dict[str, Any]] = [
        {"import_action": "unsubscribe"},
        {"overwrite": False},
        {"ignore_empty": True},
        {"packing": Packing(zip=True)},
    ]
    for options in unfit:
        with pytest.raises(ConfigurationError, match='road="calls" does not fit'):
            await ongage.imports.run(source, road="calls", **options)
        assert choose_road(Order(source=source, **options), 2)[0] == "import"
    with pytest.raises(ConfigurationError, match="HostedFile"):
        await ongage.imports.run(HostedFile("https://files.test/c.csv"), road="calls")
    with pytest.raises(InvalidInputError, match="road must be one of auto, import, calls"):
        await ongage.imports.run(source, road="sea")  # type: ignore[arg-type]  # no road: that is the test
    assert len(inside.witness) == 0
    report = await ongage.imports.run(source, road="auto", overwrite=False, stage=stage)
    assert (report.road, report.adds_up) == ("import", True)


@pytest.mark.parametrize("alone", [False, True])
async def test_a_load_by_calls_goes_on_behind_what_is_settled(
    ongage: OngageClient, inside: Emulator, tmp_path: Path, alone: bool
):
    """By the same command, or from the journal alone when the source is gone; also where another road is asked for."""
    source, journal = people(tmp_path, 1_000), tmp_path / "people.csv.ongage-journal"
    fault = inside.faults.add("contacts.create", Fault.status(401), skip=5)
    with pytest.raises(AuthenticationError) as caught:
        await ongage.imports.run(source, road="calls", journal=True)
    assert "The journal knows how far the load is" in caught.value.__notes__[-1]
    inside.faults.remove(fault)
    before = len(loaded(inside))
    assert 0 < before < 1_000
    calls = inside.witness.count("contacts.create")
    if alone:
        await anyio.Path(source).unlink()
        report = await ongage.imports.resume(journal)
    else:
        report = await ongage.imports.run(source, road="import", stage=DirectStage(), journal=True)
    assert (loaded(inside), report.adds_up, report.road) == (expected(1_000), True, "calls")
    assert report.outcomes["loaded"] == report.rows_sent == 1_000
    assert inside.witness.count("contacts.create") - calls <= (1_000 - before) / 50 + 1
    again = await ongage.imports.resume(journal)
    assert (again.outcomes, again.calls, again.adds_up) == (report.outcomes, 0, True)
    assert names_in(journal / "parts") == []


async def test_rows_without_an_answer_are_told_and_sent_again_by_the_same_command(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    source = people(tmp_path, 200)
    inside.faults.add("contacts.create", Fault.garbage(after_execution=False), times=1)
    first = await ongage.imports.run(source, road="calls", journal=True)
    assert (first.outcomes["unknown"], first.outcomes["loaded"], first.adds_up) == (50, 150, False)
    second = await ongage.imports.run(source, road="calls", journal=True)
    assert (second.outcomes["loaded"], second.adds_up, loaded(inside)) == (200, True, expected(200))


async def test_parts_that_were_asked_for_go_one_after_the_other_and_a_damaged_one_is_not_sent(
    ongage: OngageClient, inside: Emulator, tmp_path: Path
):
    source, journal = people(tmp_path, 40), tmp_path / "people.csv.ongage-journal"
    inside.faults.add("contacts.create", Fault.status(401), skip=1, times=1)
    with pytest.raises(AuthenticationError):
        await ongage.imports.run(source, road="calls", journal=True, packing=Packing(part_rows=20))
    (left,) = [path for path in (journal / "parts").iterdir() if path.suffix == ".csv"]
    kept = left.read_bytes()
    left.write_bytes(kept[:-5])
    with pytest.raises(JournalError, match="not among the journal's parts as it was planned"):
        await ongage.imports.resume(journal)
    left.write_bytes(kept)
    report = await ongage.imports.resume(journal)
    assert ([part.rows for part in report.parts], report.adds_up, loaded(inside)) == ([20, 20], True, expected(40))


class Killed(BaseException):
    """What ends a run as abruptly as a signal would, but for the process."""


@pytest.mark.parametrize(
    ("line", "when"),
    [
        ("planned", "before"),
        *((line, when) for line in ("submitting", "final", "cleaned") for when in ("before", "after")),
    ],
)
async def test_stopped_at_any_line_of_the_journal_the_same_command_goes_on(
    ongage: OngageClient, inside: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, when: str
):
    source, record = people(tmp_path, 300, "nobody,x\n"), SqliteJournal.record

    async def fatal(self: Any, step: Any, part: int = 0, /, **facts: Any) -> None:
        if (step, when) == (line, "before"):
            raise Killed
        await record(self, step, part, **facts)
        if step == line:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(SqliteJournal, "record", fatal)
        with pytest.raises(Killed):
            await ongage.imports.run(source, road="calls", journal=True)
    calls = inside.witness.count("contacts.create")
    report = await ongage.imports.run(source, road="calls", journal=True)
    assert (loaded(inside), report.adds_up, report.outcomes["loaded"]) == (expected(300), True, 300)
    assert inside.witness.count("contacts.create") == (calls or 6)  # what was settled is not sent again
    assert names_in(tmp_path / "people.csv.ongage-journal" / "parts") == []
    assert names_in(tmp_path) == ["people.csv", "people.rejected.csv"]
