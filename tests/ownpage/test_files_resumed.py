"""Loads of files with a journal: stopped anywhere, gone on with by the same command, and no file created twice."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async import OwnpageClient, OwnpageCredentials
from ongage_async.bulk import FileDrop, Packing, SqliteJournal, UrlStage
from ongage_async.bulk.load._journal import Identity
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator, OwnpageReadings
from ongage_async.errors import BadRequestError, ConnectionLostError, JobError, JobTimeoutError, JournalError
from tests.ownpage.conftest import client_of

pytestmark = pytest.mark.anyio

ROWS = {f"p{number}@doe.fr": f"City {number}" for number in range(4)}
SOURCE = "email,subscribed,data_city\n" + "".join(f"{email},true,{city}\n" for email, city in ROWS.items())
TWO_PARTS: dict[str, Any] = {"packing": Packing(part_rows=2), "settled_s": 0.08, "interval_s": 0.01, "journal": True}


AT_ONCE, LATER = OwnpageReadings(), OwnpageReadings(file_fetch="later")
under_both = pytest.mark.parametrize("readings", [AT_ONCE, LATER], ids=["fetched-at-once", "fetched-later"])


@pytest.fixture
def readings() -> OwnpageReadings:
    return LATER


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(SOURCE + "nobody,true,x\n", encoding="utf-8")
    return path


@pytest.fixture
def drop(emulator: OwnpageEmulator) -> Iterator[FileDrop]:
    """Mount a drop in an app: a server of its own takes a tenth of a second to end, in each of a hundred tests."""
    made = FileDrop("https://drop.test")
    emulator.mount_fetch("https://drop.test", made)
    yield made
    made.close()


@pytest.fixture
def published(emulator: OwnpageEmulator, tmp_path: Path) -> Path:
    """Have a directory that the emulator fetches from as `https://files.test`: it outlives whoever writes into it."""
    folder = tmp_path / "published"
    folder.mkdir()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        path = anyio.Path(folder / scope["path"].rpartition("/")[2])
        found = await path.exists()
        await send({"type": "http.response.start", "status": 200 if found else 404, "headers": []})
        await send({"type": "http.response.body", "body": await path.read_bytes() if found else b""})

    emulator.mount_fetch("https://files.test", app)
    return folder


def stored(own_list: Any) -> dict[str, str]:
    return {each.email: each.data.get("data_city") for each in own_list.subscribers.values()}


def loaded_files(emulator: OwnpageEmulator) -> list[int]:
    """Return the files that the vendor really has; one that was created and never fetched loads nothing."""
    return [file.id for file in emulator.state.files.values() if file.size]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rejected_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("people.rejected*"))


@under_both
async def test_parts_go_one_after_the_other_and_a_finished_load_is_not_run_again(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any, source: Path, drop: FileDrop
):
    first = await ownpage.files.run(source, stage=drop, confirm=True, **TWO_PARTS)
    assert stored(own_list) == ROWS
    assert [(part.number, part.rows, part.first_row, part.is_taken) for part in first.parts] == [
        (1, 2, 2, True),
        (2, 2, 4, True),
    ]
    assert (first.adds_up, first.settled, first.rows_confirmed, first.file_deleted) == (True, True, 4, True)
    assert (first.before and first.before.total, first.after and first.after.total) == (0, 4)
    assert "Part 2, rows 4 to 5: file 13, uploaded" in first.as_text()
    assert json.loads(first.as_json())["parts"][1]["file_id"] == 13
    calls = len(emulator.witness.calls)
    again = await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    assert len(emulator.witness.calls) == calls
    assert (again.parts, again.after, again.adds_up, again.calls) == (first.parts, first.after, True, 0)
    assert rejected_in(source.parent) == ["people.rejected.csv"]
    assert names_in(source.parent / "people.csv.ongage-journal" / "parts") == []


async def test_a_journal_of_another_list_or_file_refuses_and_so_does_a_second_run(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, drop: FileDrop
):
    emulator.faults.add("files.create", Fault.status(400, {"status": 400, "cause": "no"}), times=1)
    with pytest.raises(BadRequestError) as caught:
        await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    assert "the same command goes on" in caught.value.__notes__[-1]
    with pytest.raises(JournalError, match="list: 123 there, 5 here"):
        await ownpage.files.run(source, stage=drop, email_list_id=5, **TWO_PARTS)
    path, kept = anyio.Path(source), await anyio.Path(source).read_text("utf-8")
    await path.write_text(kept + "new@doe.fr,true,Nice\n", "utf-8")
    with pytest.raises(JournalError, match="source"):
        await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    await path.write_text(kept, "utf-8")
    inside = anyio.Event()

    async def first() -> None:
        await ownpage.files.run(source, stage=drop, progress=lambda told: inside.set(), **TWO_PARTS)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await inside.wait()
        with pytest.raises(JournalError, match="another run holds"):
            await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    assert len(loaded_files(emulator)) == 2


@pytest.mark.parametrize("nth", range(1, 18, 2))
async def test_cancelled_at_any_instant_the_same_command_goes_on(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any, source: Path, drop: FileDrop, nth: int
):
    """The stage saw all that happened, and the journal has it from there: nothing is left to a guess."""
    calls = 0
    with anyio.CancelScope() as scope:

        def cancel_at_nth(_: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == nth:
                scope.cancel()

        await ownpage.files.run(source, stage=drop, progress=cancel_at_nth, **TWO_PARTS)
    assert [entry for entry in drop._entries.values() if entry.is_open] == []
    async with FileDrop.serve() as another:  # which knows nothing of the first one's files
        try:
            report = await ownpage.files.run(source, stage=another, **TWO_PARTS)
        except JobError:  # the cancellation cut a fetch off: what the vendor makes of half a file is not known
            assert any(not fetch.complete for entry in drop._entries.values() for fetch in entry.fetches)
            report = await ownpage.files.run(source, stage=another, resend=True, **TWO_PARTS)
    assert (stored(own_list), report.adds_up, len(loaded_files(emulator))) == (ROWS, True, 2)
    assert rejected_in(source.parent) == ["people.rejected.csv"]


@under_both
@pytest.mark.parametrize("is_executed", [False, True])
async def test_a_lost_answer_is_settled_by_what_the_stage_or_the_list_knows(
    ownpage: OwnpageClient,
    emulator: OwnpageEmulator,
    own_list: Any,
    source: Path,
    drop: FileDrop,
    is_executed: bool,
):
    emulator.faults.add("files.create", Fault.drop(after_execution=is_executed), times=1)
    if is_executed and emulator.state.readings.file_fetch == "later":
        emulator.files.fetch_s = 0.2  # when it comes, the file is gone
    with pytest.raises(ConnectionLostError):
        await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    emulator.files.fetch_s = 0.002
    report = await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    assert (stored(own_list), report.adds_up, len(loaded_files(emulator))) == (ROWS, True, 2)
    was_found = is_executed and emulator.state.readings.file_fetch == "at_once"
    assert [part.is_found for part in report.parts] == [was_found, False]
    assert report.parts[0].file_id is None or not was_found


async def test_where_nobody_can_say_the_other_parts_go_in_and_resending_is_for_the_caller_to_say(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any, source: Path, published: Path
):
    stage = UrlStage("https://files.test", published)
    emulator.faults.add("files.create", Fault.drop(after_execution=False), times=1)
    with pytest.raises(ConnectionLostError):
        await ownpage.files.run(source, stage=stage, **TWO_PARTS)
    for _ in range(2):
        with pytest.raises(JobError, match=r"nobody can say .* 0 of its 2 rows") as caught:
            await ownpage.files.run(source, stage=stage, **TWO_PARTS)
        assert len(loaded_files(emulator)) == 1
        assert "rows 2 to 3: no file known, no status, NOT done" in caught.value.__notes__[-1]
        assert "doe.fr" not in f"{caught.value}{caught.value.__notes__}"
    assert sorted(stored(own_list)) == ["p2@doe.fr", "p3@doe.fr"]
    await ownpage.files.run(source, stage=stage, resend=True, **TWO_PARTS)
    assert (stored(own_list), len(loaded_files(emulator)), names_in(published)) == (ROWS, 2, [])


async def test_a_load_goes_on_from_its_journal_alone(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any, source: Path, drop: FileDrop, tmp_path: Path
):
    """The source is gone, and with it the list that the first run was told: the journal knows both."""
    journal = source.with_name("people.csv.ongage-journal")
    with pytest.raises(JournalError, match="there is no journal"):
        await ownpage.files.resume(journal, stage=drop)
    await anyio.Path(journal).mkdir()
    emulator.faults.add("counts.get", Fault.status(400, {"status": 400, "cause": "no"}), times=1)
    with pytest.raises(BadRequestError):
        await ownpage.files.run(source, stage=drop, **TWO_PARTS)
    with pytest.raises(JournalError, match="run the first command again"):
        await ownpage.files.resume(journal, stage=drop)
    emulator.faults.add("files.create", Fault.status(400, {"status": 400, "cause": "no"}), times=1, skip=1)
    with pytest.raises(BadRequestError):
        await ownpage.files.run(source, stage=drop, confirm=True, **TWO_PARTS)
    await anyio.Path(source).unlink()
    pace = {name: TWO_PARTS[name] for name in ("settled_s", "interval_s")}
    async with client_of(emulator, list_id=9, credentials=OwnpageCredentials("else", "k" * 20)) as stranger:
        with pytest.raises(JournalError, match="belongs to another account"):
            await stranger.files.resume(journal, stage=drop)
    async with client_of(emulator, list_id=9) as elsewhere:
        report = await elsewhere.files.resume(journal, stage=drop, confirm=True, **pace)
        again = await elsewhere.files.resume(journal, stage=drop, **pace)
    assert (stored(own_list), len(loaded_files(emulator))) == (ROWS, 2)
    assert (report.rows_read, report.rows_confirmed, report.adds_up) == (5, 4, True)
    assert (again.parts, again.calls) == (report.parts, 0)
    assert rejected_in(source.parent) == ["people.rejected.csv"]


async def test_a_load_of_the_other_vendor_is_not_gone_on_with(ownpage: OwnpageClient, drop: FileDrop, tmp_path: Path):
    journal = SqliteJournal(tmp_path / "journal")
    account = getattr(ownpage.files._caller, "account", "")
    async with journal.held():
        await journal.start(Identity.of(account=account, request={"import_action": "add"}))
        await journal.record("planned", parts=[], list_id=1)
    with pytest.raises(JournalError, match="belongs to another"):
        await ownpage.files.resume(tmp_path / "journal", stage=drop)


async def test_a_value_that_differs_is_no_proof(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, published: Path
):
    """Addresses that were in the list before prove nothing; their values have to be the part's."""
    await ownpage.subscribers.create([{"email": email, "data_city": "Elsewhere"} for email in ROWS])
    stage = UrlStage("https://files.test", published)
    emulator.faults.add("files.create", Fault.drop(after_execution=False), times=1)
    with pytest.raises(ConnectionLostError):
        await ownpage.files.run(source, stage=stage, **TWO_PARTS)
    with pytest.raises(JobError, match="0 of its 2 rows"):
        await ownpage.files.run(source, stage=stage, **TWO_PARTS)


async def test_a_file_that_nobody_fetched_is_sent_again_under_another_name(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any, source: Path, drop: FileDrop
):
    emulator.files.fetch_s = 60.0
    with pytest.raises(JobTimeoutError):
        await ownpage.files.run(source, stage=drop, timeout_s=0.2, **TWO_PARTS)
    emulator.files.fetch_s = 0.002
    async with FileDrop.serve() as another:
        report = await ownpage.files.run(source, stage=another, **TWO_PARTS)
    assert (stored(own_list), report.adds_up, len(loaded_files(emulator))) == (ROWS, True, 2)


KILLS = [
    *((AT_ONCE, "drop", step, "after") for step in (1, 2, 4, 7)),  # planned, staged, created, the next part staged
    (LATER, "drop", 5, "after"),  # it was seen that the file was fetched
    (AT_ONCE, "published", 4, "before"),  # created, and not written down
    (LATER, "published", 4, "after"),
]
UNDECIDABLE = [
    (AT_ONCE, "drop", 3, "after"),  # about to be submitted
    (LATER, "drop", 4, "after"),  # created, and its file is gone with the process
    (LATER, "published", 3, "after"),
]


@pytest.mark.parametrize(("readings", "kind", "step", "when"), KILLS + UNDECIDABLE)
def test_killed_at_a_line_of_the_journal_the_same_command_goes_on(
    readings: OwnpageReadings,
    emulator: OwnpageEmulator,
    own_list: Any,
    source: Path,
    published: Path,
    kind: str,
    step: int,
    when: str,
):
    """Nothing but a caller's word makes a second file of rows that a first one may hold."""
    is_undecidable = (readings, kind, step, when) in UNDECIDABLE
    emulator.files.fetch_s = 0.3 if is_undecidable else 0.002  # later than the process lives
    known = emulator.customer
    told = {"step": step, "when": when, "stage": kind, "source": str(source), "published": str(published)}
    told |= {"credentials": [known.username, known.api_key], "url": emulator.url}
    worker = subprocess.run(
        [sys.executable, "-m", "tests.ownpage.file_worker", json.dumps(told)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr.decode()[-2000:]

    async def go_on(**options: Any) -> Any:
        async with client_of(emulator) as ownpage, FileDrop.serve() as drop:
            stage = drop if kind == "drop" else UrlStage("https://files.test", published)
            return await ownpage.files.run(source, stage=stage, **TWO_PARTS, **options)

    emulator.files.fetch_s = 0.002
    if is_undecidable:
        with pytest.raises(JobError, match="nobody can say"):
            anyio.run(go_on)
        assert (sorted(stored(own_list)), len(loaded_files(emulator))) == (["p2@doe.fr", "p3@doe.fr"], 1)
        report = anyio.run(lambda: go_on(resend=True))
    else:
        report = anyio.run(go_on)
        assert emulator.witness.count("files.create") == 2
    assert (stored(own_list), report.rows_sent, len(loaded_files(emulator))) == (ROWS, 4, 2)
    assert (names_in(published), rejected_in(source.parent)) == ([], ["people.rejected.csv"])
