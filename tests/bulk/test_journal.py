"""Journals: both kinds answer the same questions alike, and the lasting one survives what a program dies of."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ongage_async.bulk import MemoryJournal, SqliteJournal
from ongage_async.bulk.load._journal import Identity, Standing, claim
from ongage_async.errors import ConfigurationError, JournalError

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[2]
MINE = Identity.of(source="contacts.csv 5 bytes", list=7, mapping=None)
OTHER = Identity.of(source="contacts.csv 5 bytes", list=8, mapping={"E-Mail": "email"})
PLAN = {"parts": [{"number": 1}, {"number": 2}]}


@pytest.fixture(params=["memory", "sqlite"])
def journal(request, tmp_path):
    return MemoryJournal() if request.param == "memory" else SqliteJournal(tmp_path / "a.csv.ongage-journal")


async def bring_in(journal, part, status=40003, total=5):
    await journal.record("staged", part, name=f"{part}.csv")
    await journal.record("submitting", part, name=f"{part}.csv")
    await journal.record("created", part, import_id=100 + part)
    await journal.record("final", part, import_id=100 + part, status=status, counts={"total": total})
    await journal.record("cleaned", part, file_deleted=True, fetches=None)


async def test_lines_come_back_in_order_with_their_facts(journal):
    """What `record` has returned from is there, as it was given."""
    async with journal.held():
        assert await journal.identity() is None
        await journal.start(MINE)
        await journal.record("planned", **PLAN)
        await journal.record("staged", 2, name="täst.csv")
        lines = await journal.lines()
        assert [(line.step, line.part, line.facts) for line in lines] == [
            ("planned", 0, PLAN),
            ("staged", 2, {"name": "täst.csv"}),
        ]
        assert lines[0].at <= lines[1].at
        assert lines[0].at.tzinfo is not None
        assert await journal.last() == lines[-1]
        assert await journal.identity() == MINE


async def test_a_journal_is_held_by_one_run(journal):
    async with journal.held():
        with pytest.raises(JournalError, match="another run holds"):
            async with journal.held():
                pass
    async with journal.held():
        pass


async def test_starting_forgets_what_was(journal):
    async with journal.held():
        await journal.start(MINE)
        await journal.record("planned", **PLAN)
        await journal.start(OTHER)
        assert (await journal.lines(), await journal.identity(), await journal.last()) == ((), OTHER, None)


async def test_a_journal_of_another_load_is_refused_and_says_what_differs(journal):
    async with journal.held():
        assert (await claim(journal, MINE)).plan is None
        await journal.record("planned", **PLAN)
        with pytest.raises(JournalError) as caught:
            await claim(journal, OTHER)
        assert 'list: 7 there, 8 here; mapping: null there, {"E-Mail": "email"} here' in str(caught.value)
        assert "source" not in str(caught.value)
        assert (await claim(journal, MINE)).plan == PLAN


async def test_a_journal_that_has_ended_gives_way(journal):
    async with journal.held():
        await claim(journal, MINE)
        await journal.record("planned", **PLAN)
        await bring_in(journal, 1)
        with pytest.raises(JournalError):
            await claim(journal, OTHER)
        await bring_in(journal, 2)
        assert (await claim(journal, MINE)).is_finished
        assert (await claim(journal, OTHER)).plan is None
        assert await journal.lines() == ()


async def test_a_journal_without_a_plan_gives_way(journal):
    """Nothing was sent: a run that was killed while it read the source, and is started with another mapping."""
    async with journal.held():
        await claim(journal, MINE)
        await claim(journal, OTHER)
        assert await journal.identity() == OTHER


@pytest.mark.parametrize(
    ("total", "nothing", "done"), [(0, True, False), (None, True, False), (5, False, True)], ids=str
)
async def test_a_failed_part_is_done_only_if_it_may_have_loaded_rows(journal, total, nothing, done):
    async with journal.held():
        await claim(journal, MINE)
        await journal.record("planned", parts=[{"number": 1}])
        await bring_in(journal, 1, status=90001, total=total)
        standing = Standing.of(await journal.lines())
        part = standing.parts[1]
        assert (part.has_failed, part.loaded_nothing, part.is_done, standing.is_finished) == (
            True,
            nothing,
            done,
            False,
        )
        await journal.record("staged", 1, name="again.csv")
        part = Standing.of(await journal.lines()).parts[1]
        assert (part.name, part.import_id, part.ending, part.has_failed) == ("again.csv", None, None, False)


async def test_what_is_read_is_what_was_followed(journal):
    """A run that goes on knows what the killed one knew: nothing is lost or changed on the way through the journal."""
    steps = ["staged", "submitting", "created", "final", "cleaned", "staged", "submitting", "staged", "created"]
    facts = {
        "staged": {"name": "ä.csv"},
        "submitting": {"name": "ä.csv"},
        "created": {"import_id": 5},
        "final": {"import_id": 5, "status": 90001, "status_desc": None, "counts": {"total": 0, "failed": None}},
        "cleaned": {"file_deleted": True, "fetches": [{"at": "2026-01-01T00:00:00+00:00", "status": 200}]},
    }
    followed = Standing()
    async with journal.held():
        await journal.record("planned", **PLAN)
        followed.take("planned", 0, PLAN)
        for step in steps:
            await journal.record(step, 1, **facts[step])
            followed.take(step, 1, facts[step])
            assert Standing.of(await journal.lines()) == followed


async def test_words_that_look_like_addresses_or_keys_are_not_kept(tmp_path):
    journal = SqliteJournal(tmp_path / "j")
    async with journal.held():
        await journal.start(Identity.of(mapping={"john@doe.com": "email"}, source="https://x.example/a?key=s3cret"))
    everything = (journal.path / "journal.sqlite").read_bytes()
    assert b"john" not in everything
    assert b"s3cret" not in everything


async def test_only_the_owner_can_read_it(tmp_path):
    journal = SqliteJournal(tmp_path / "j")
    async with journal.held():
        await journal.start(MINE)
        await journal.record("planned", **PLAN)
        modes = {path.name: path.stat().st_mode & 0o777 for path in [journal.path, *journal.path.iterdir()]}
        assert modes == {"j": 0o700, "journal.sqlite": 0o600, "lock": 0o600, "parts": 0o700}


async def test_a_line_is_on_the_disk_when_record_returns(tmp_path, monkeypatch):
    """Rollback journal and EXTRA: with less, SQLite may lose the last commits when the power fails."""
    seen = []
    connect = sqlite3.connect

    def connecting(*args, **options):
        base = connect(*args, **options)
        base.set_trace_callback(seen.append)
        return base

    monkeypatch.setattr("ongage_async.bulk.load._sqlite_journal.sqlite3.connect", connecting)
    journal = SqliteJournal(tmp_path / "j")
    async with journal.held():
        seen.clear()
        await journal.record("planned", **PLAN)
    statements = [statement.split()[0] if "pragma" not in statement else statement for statement in seen]
    assert statements[0] == "pragma synchronous=extra"
    assert statements[-1] == "commit"
    base = connect(journal.path / "journal.sqlite")
    assert base.execute("pragma journal_mode").fetchone() == ("delete",)
    base.close()


async def test_a_killed_holder_lets_go_at_once(tmp_path):
    """The lock is the kernel's: it goes with the process, and no file says otherwise."""
    script = (
        "import anyio, sys\n"
        "from ongage_async.bulk import SqliteJournal\n"
        "async def main():\n"
        "    async with SqliteJournal(sys.argv[1]).held():\n"
        "        print('held', flush=True)\n"
        "        await anyio.sleep(60)\n"
        "anyio.run(main)\n"
    )
    place = tmp_path / "j"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(  # noqa: ASYNC220 - it is over in a moment
        [sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE, text=True, env=environment
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        journal = SqliteJournal(place)
        assert journal.is_held()
        with pytest.raises(JournalError, match="another run holds"):
            async with journal.held():
                pass
        holder.kill()
        holder.wait()
        assert not journal.is_held()
        async with journal.held():
            pass


async def test_a_journal_that_was_never_made_whole_is_made_again(tmp_path):
    """Killed while the file was made: it takes its name only when its tables are in it."""
    place = tmp_path / "j"
    place.mkdir()
    (place / "journal.new").write_bytes(b"half")
    journal = SqliteJournal(place)
    assert not journal.exists
    async with journal.held():
        assert await journal.lines() == ()


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100], ids=["empty", "garbage"])
async def test_what_is_no_journal_is_refused(tmp_path, content):
    place = tmp_path / "j"
    place.mkdir()
    (place / "journal.sqlite").write_bytes(content)
    with pytest.raises(JournalError, match=r"of another version|cannot be used"):
        async with SqliteJournal(place).held():
            pass


async def test_a_place_that_cannot_be_one_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="is no directory"):
        SqliteJournal(tmp_path / "file")
    with pytest.raises(JournalError, match=r"cannot be made: No such file or directory\. Make its directory .* first"):
        async with SqliteJournal(tmp_path / "no" / "such" / "place").held():
            pass


async def test_deleting_takes_the_parts_along_unless_a_run_is_alive(tmp_path):
    journal = SqliteJournal.beside(tmp_path / "contacts.csv")
    assert journal.path == tmp_path / "contacts.csv.ongage-journal"
    async with journal.held():
        (journal.directory / "part-0001.csv").write_text("email\n")
        with pytest.raises(JournalError, match="another run holds"):
            await journal.delete()
    await journal.delete()
    assert not journal.path.exists()
