"""What an adversary would try on a load: rows lost or doubled, a file left fetchable, a wrong word in the report."""

import asyncio
import fcntl
import json
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from ongage_async.bulk import HostedFile, ImportReport, Packing, SqliteJournal, resume, run
from ongage_async.bulk.check._side_file import free_name, publish
from ongage_async.bulk.load._create import LOOKED_AT, create_once, find_import
from ongage_async.bulk.load._journal import Identity, Standing
from ongage_async.bulk.load._passage import check
from ongage_async.bulk.load._report import PartReport, VendorCounts
from ongage_async.errors import (
    ConfigurationError,
    ConnectionLostError,
    JobError,
    JournalError,
    OngageError,
    ServerError,
)
from tests.bulk.test_resume import SOURCE, Lists, Scene, Vendor
from tests.support import memory_folder

pytestmark = pytest.mark.anyio

NAME = "0123456789abcdef" * 3 + ".csv"


@pytest.fixture
def scene(world, fake_import):
    world.source(SOURCE)
    with memory_folder(world.root) as folder:
        yield Scene(world, Vendor(world.stage, fake_import), Lists(), SqliteJournal(folder / "j"))


@pytest.fixture
def listener_that_fails_at():
    """Make progress listeners that raise when a phase is told of with some share done."""

    def make(phase: str, done: float) -> Any:
        def listen(progress):
            if (progress.phase, progress.done) == (phase, done):
                raise ZeroDivisionError

        return listen

    return make


# -- a file left fetchable --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["stage", "create", "process", "settle"])
@pytest.mark.parametrize("done", [0, 1])
@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_progress_listener_that_raises_leaves_no_file_on_the_stage(
    scene, listener_that_fails_at, phase, done, is_kept
):
    """Whenever it raises: also right after the file was put there, before its import is asked for."""
    chosen = {} if is_kept else {"journal": None}
    with suppress(ZeroDivisionError):
        await scene.run(packing=None, progress=listener_that_fails_at(phase, done), **chosen)
    assert list(scene.world.stage.open) == []


async def test_a_file_that_could_not_be_removed_is_removed_by_the_next_run(scene, staging_error):
    scene.world.stage.remove_error = staging_error
    report = await scene.run()
    assert (report.adds_up, report.file_deleted, len(scene.world.stage.open)) == (True, False, 5)
    scene.world.stage.remove_error = None
    again = await scene.run()
    assert (again.adds_up, again.file_deleted, scene.world.stage.open) == (True, True, {})
    assert (scene.is_loaded_once(), len(scene.vendor.created)) == (True, 5)


async def test_a_file_that_still_cannot_be_removed_is_no_reason_to_load_it_again(scene, staging_error):
    scene.world.stage.remove_error = staging_error
    for _ in range(2):
        assert not (await scene.run()).file_deleted
    assert (scene.is_loaded_once(), len(scene.vendor.created)) == (True, 5)


@pytest.mark.parametrize("executes", [True, False])
async def test_a_load_does_not_go_on_with_another_stage_while_a_file_may_lie_on_the_first(scene, executes):
    """Removing it there is what keeps an import that turns up later from loading rows that are sent again."""
    scene.world.stage.place = "s3://one"
    scene.vendor.lost, scene.vendor.executes_lost, scene.vendor.unlisted = 1, executes, 9
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    first, other = scene.world.stage, type(scene.world.stage)()
    other.place = "s3://two"
    with pytest.raises(JournalError, match="another stage"):
        await scene.run(packing=None, stage=other)
    assert (first.open, len(scene.vendor.created)) == ({}, int(executes))
    assert "s3" not in str([line.facts for line in await scene.journal.lines()])


async def test_the_note_on_a_lost_import_is_told_after_the_file_is_gone(scene):
    """An import could fetch the file between a look at the log and the removal; "nobody asked" would be wrong then."""

    class Late(type(scene.world.stage)):
        async def log(self, staged):
            return () if staged.name not in self.open else ("somebody, a moment later",)

    stage = Late()
    staged = await stage.put(scene.world.root / "contacts.csv", NAME)
    scene.vendor.lost, scene.vendor.unlisted = 1, 9
    with pytest.raises(ConnectionLostError) as caught:
        await create_once(scene.vendor, stage, staged, {}, list_id=7, waits_s=(0,))
    assert "it is removed now" in caught.value.__notes__[-1]
    assert stage.open == {}


# -- rows loaded twice ------------------------------------------------------------------------------------------------


class Listed:
    """Imports that are listed in some order, whatever is asked for."""

    def __init__(self, found):
        self.found = found

    async def each(self, *, sort=None, order=None, list_id=None):
        for each in self.found:
            yield each


@pytest.mark.parametrize("name", [NAME, NAME[:32], NAME.removesuffix(".csv"), NAME.upper(), f"import of {NAME}"])
async def test_an_import_is_found_though_the_vendor_cuts_or_spells_its_name_otherwise(fake_import, name):
    listed = Listed([fake_import(1, "f" * 48 + ".csv"), fake_import(2, name)])
    assert await find_import(listed, NAME) == 2


async def test_an_import_without_a_name_is_nobodys(fake_import):
    assert await find_import(Listed([fake_import(1, None), fake_import(2, "")]), NAME) is None


async def test_an_import_is_found_among_thousands_that_are_listed_oldest_first(fake_import):
    """That the newest come first is only assumed: a look that stops early must have seen that they do."""
    many = [fake_import(number, "x.csv") for number in range(1, 2 * LOOKED_AT)]
    assert await find_import(Listed([*many, fake_import(9_999, NAME)]), NAME) == 9_999


async def test_a_look_through_imports_that_come_newest_first_ends(fake_import):
    many = [fake_import(number, "x.csv") for number in range(9_999, 1, -1)]
    assert await find_import(Listed([*many, fake_import(1, NAME)]), NAME) is None


async def test_a_part_is_not_sent_again_before_each_look_got_an_answer(scene, monkeypatch):
    """One look two seconds after the removal is too few: it may be listed within the minute that is promised."""
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    each, looks = Vendor.each, 0

    def flaky(self, **asked):
        nonlocal looks
        looks += 1
        if looks == 3:
            raise ServerError("down", status=503)
        return each(self, **asked)

    monkeypatch.setattr(Vendor, "each", flaky)
    with pytest.raises(JobError, match="cannot be looked at"):
        await scene.run(packing=None)
    assert scene.vendor.created == []
    assert (await scene.run(packing=None)).adds_up


async def test_a_second_planned_line_forgets_no_part(scene):
    """It is written when the side file gets another name; what was sent stays sent."""
    await scene.run()
    lines = await scene.journal.lines()
    async with scene.journal.held():
        await scene.journal.record("planned", **{**lines[0].facts, "side_file": "elsewhere.csv"})
    standing = await scene.standing()
    assert (standing.is_finished, standing.plan["side_file"]) == (True, "elsewhere.csv")


async def test_a_lock_that_was_removed_with_its_journal_is_no_lock(tmp_path, monkeypatch):
    """Between opening and locking it, another program may have abandoned the journal, and a third begun a new one."""
    journal = SqliteJournal(tmp_path / "j")
    async with journal.held():
        pass
    flock = fcntl.flock

    def too_late(handle, how):
        (tmp_path / "j" / "lock").unlink(missing_ok=True)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", too_late)
    with pytest.raises(JournalError, match="another run"):
        async with journal.held():
            pass


async def test_no_line_is_written_by_a_run_that_has_let_go(tmp_path):
    """A thread cannot be cancelled: what a cancelled run leaves behind must not write among the next run's lines."""
    journal = SqliteJournal(tmp_path / "j")
    async with journal.held():
        await journal.record("planned", parts=[])
    with pytest.raises(JournalError, match="no run holds"):
        await journal.record("planned", parts=[])
    assert len(await journal.lines()) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("instant", range(1, 60, 3))
async def test_cancelled_twice_by_asyncio_itself_a_load_goes_on(scene, instant):
    """Its cancellation asks no shield, and leaves threads behind that still work; so does a second Ctrl-C."""
    task = asyncio.ensure_future(scene.run(packing=None))
    for _ in range(instant):
        await asyncio.sleep(0.0005)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    report = await scene.run(packing=None)
    assert (report.adds_up, scene.is_loaded_once(), scene.world.stage.open) == (True, True, {})


class _Opening:
    """A cleaner that takes its time to open the source."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.discarded = threading.Event(), threading.Event(), 0
        self.read_bytes, self.size_bytes = 0, None

    def open(self) -> None:
        self.begun.set()
        assert self.go_on.wait(5)

    def discard(self) -> None:
        self.discarded += 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("turns", range(4))
async def test_cancelled_twice_a_source_is_closed_all_the_same(turns):
    """The second cancellation may come before the thread that would close it has begun."""
    cleaner = _Opening()
    task = asyncio.ensure_future(check(cleaner, lambda *_: None))
    assert await asyncio.to_thread(cleaner.begun.wait, 5)
    task.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    cleaner.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cleaner.discarded >= 1


# -- rows lost --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["gone", "cut", "grown"])
async def test_a_part_that_was_damaged_meanwhile_is_not_sent(scene, damage):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    part = scene.journal.directory / "part-0001.csv"
    whole = part.read_bytes()
    part.unlink() if damage == "gone" else part.write_bytes(whole[:-9] if damage == "cut" else whole + b"x@y.zz,x\r\n")
    with pytest.raises(JournalError, match=r"part-0001\.csv"):
        await scene.run(packing=None)
    assert (scene.vendor.created, scene.world.stage.open) == ([], {})


def test_a_side_file_on_another_file_system_is_whole_or_not_there(tmp_path, monkeypatch):
    """Killed in the middle of the copy, and again: no half file under its name, no second one, no copy left behind."""
    written, place = tmp_path / "rejected.csv", tmp_path / "there" / "bad.csv"
    place.parent.mkdir()
    written.write_text("rows")
    link, fsync = os.link, os.fsync

    def no_link(source, target, **options):
        if os.fspath(source) == os.fspath(written):
            raise OSError(18, "Invalid cross-device link")
        link(source, target, **options)

    def killed(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(written, place)
    assert not place.exists()
    monkeypatch.setattr(os, "fsync", fsync)
    assert publish(written, place)
    assert [path.name for path in place.parent.iterdir()] == ["bad.csv"]
    assert (place.read_text(), place.stat().st_mode & 0o777, written.exists()) == ("rows", 0o600, False)


def test_a_side_file_that_was_copied_by_a_run_that_was_killed_is_known_again(tmp_path, monkeypatch):
    written, place = tmp_path / "rejected.csv", tmp_path / "bad.csv"
    written.write_text("rows")
    link, unlink = os.link, type(written).unlink

    def no_link(source, target, **options):
        if os.fspath(source) == os.fspath(written):
            raise OSError(18, "Invalid cross-device link")
        link(source, target, **options)

    def killed(self, **options):
        if place.exists():
            raise KeyboardInterrupt
        unlink(self, **options)

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(type(written), "unlink", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(written, place)
    monkeypatch.setattr(type(written), "unlink", unlink)
    assert publish(written, place)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["bad.csv"]


def test_a_side_file_never_goes_through_a_link_that_lies_in_its_place(tmp_path):
    """A link that leads nowhere looks free, and is not."""
    place, target = tmp_path / "bad.csv", tmp_path / "target"
    place.symlink_to(target)
    written = tmp_path / "rejected.csv"
    written.write_text("rows")
    assert free_name(place).name == "bad-2.csv"
    assert not publish(written, place)
    assert (written.exists(), target.exists()) == (True, False)


async def test_a_side_file_keeps_its_place_when_the_load_goes_on_from_another_folder(scene, monkeypatch):
    monkeypatch.chdir(scene.world.root)
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None, side_file="bad.csv")
    monkeypatch.chdir(scene.world.work)
    report = await resume(
        scene.vendor, scene.world.list_fields, scene.journal, stage=scene.world.stage, lookup_waits_s=(0,)
    )
    assert report.side_file == scene.world.root / "bad.csv"
    assert report.side_file.exists()


# -- the journal's directory ------------------------------------------------------------------------------------------


async def test_a_journal_moves_into_no_directory_that_holds_something_else(tmp_path):
    """It would empty `parts`, and abandoning it would remove what it never made."""
    place = tmp_path / "j"
    (place / "parts").mkdir(parents=True)
    (place / "parts" / "mine.csv").write_text("mine")
    with pytest.raises(JournalError, match="holds something else"):
        async with SqliteJournal(place).held():
            pass
    assert [path.name for path in place.rglob("*")] == ["parts", "mine.csv"]


async def test_abandoning_a_journal_removes_nothing_that_is_not_its_own(tmp_path):
    place = tmp_path / "j"
    journal = SqliteJournal(place)
    async with journal.held():
        (journal.directory / "part-0001.csv").write_text("a@b.co")
    (place / "notes.txt").write_text("mine")
    await journal.delete()
    assert [path.name for path in place.rglob("*")] == ["notes.txt"]
    (place / "notes.txt").unlink()
    async with journal.held():
        pass
    await journal.delete()
    assert not place.exists()


async def test_a_directory_that_others_can_read_is_made_private(tmp_path):
    place = tmp_path / "j"
    place.mkdir()
    place.chmod(0o777)
    async with SqliteJournal(place).held():
        assert place.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("blocked", ["parts", "journal.new"])
async def test_a_journal_that_cannot_be_made_says_so(tmp_path, monkeypatch, blocked):
    """A full or read-only disk is a `JournalError`, not whatever the system calls it."""
    mkdir, opened = type(tmp_path).mkdir, os.open

    def no_mkdir(self, *args, **options):
        if self.name == blocked:
            raise OSError(28, "No space left on device")
        mkdir(self, *args, **options)

    def no_open(path, *args, **options):
        if os.fspath(path).endswith(blocked):
            raise OSError(28, "No space left on device")
        return opened(path, *args, **options)

    monkeypatch.setattr(type(tmp_path), "mkdir", no_mkdir)
    monkeypatch.setattr(os, "open", no_open)
    with pytest.raises(JournalError, match="No space left"):
        async with SqliteJournal(tmp_path / "j").held():
            pass


async def test_a_disk_that_fills_up_while_parts_are_synced_is_told_as_a_journal_error(scene, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    async with scene.journal.held():
        pass
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(JournalError, match="No space left"):
        await scene.run()
    monkeypatch.undo()
    assert (await scene.run()).adds_up


async def test_names_of_files_that_are_no_text_stand_in_journals_and_reports(scene):
    """Some systems name files in bytes; Python stands lone surrogates for these, which no encoding has."""
    name = os.fsdecode(b"caf\xe9.csv")
    async with scene.journal.held():
        await scene.journal.start(Identity.of(source=f"{name} (0 bytes)"))
        await scene.journal.record("planned", source=name, parts=[])
        assert (await scene.journal.lines())[0].facts["source"] == name
        assert await scene.journal.identity() is not None
    report = ImportReport(name, 0, 0, side_file=Path(name))
    assert report.as_text().encode()
    assert json.loads(report.as_json().encode())["source"] == name


async def test_a_place_where_no_side_file_can_be_is_refused_before_it_is_journaled(scene):
    """So that another place, which the error asks for, helps."""
    with pytest.raises(ConfigurationError, match="pass another place"):
        await scene.run(side_file=scene.world.root / "missing" / "bad.csv")
    report = await scene.run()
    assert (report.adds_up, report.side_file.name) == (True, "bad.csv")


# -- wrong words ------------------------------------------------------------------------------------------------------


async def test_an_error_about_the_lists_settings_comes_as_it_is(scene, monkeypatch):
    """Not in a group of errors, which nobody catches."""

    async def get(self, list_id):
        raise ServerError("down", status=503)

    monkeypatch.setattr(Lists, "get", get)
    with pytest.raises(OngageError, match="down"):
        await scene.run()


def test_differences_of_two_parts_do_not_make_up_for_each_other():
    parts = tuple(
        PartReport(number, 5, 1, 5, vendor=VendorCounts(total=total, success=total))
        for number, total in ((1, 6), (2, 4))
    )
    report = ImportReport("x", 10, 10, vendor=VendorCounts(total=10, success=10), parts=parts)
    assert not report.adds_up


def test_rows_that_nobody_accounts_for_do_not_add_up():
    """Though the vendor counts as many as were sent: the text must not say both."""
    counts = VendorCounts(total=10, success=7, failed=1)
    report = ImportReport("x", 10, 10, vendor=counts, parts=(PartReport(1, 10, 2, 11, vendor=counts),))
    assert (report.outcomes["unknown"], report.adds_up) == (2, False)


async def test_an_answer_without_an_id_does_not_carry_the_hosted_files_url(scene, monkeypatch):
    async def create(self, **request):
        return self.snapshot(0, file_url=request["file_url"])

    monkeypatch.setattr(Vendor, "create", create)
    with pytest.raises(JobError) as caught:
        await run(scene.vendor, scene.world.list_fields, HostedFile("https://h.example/c.csv?key=secret"))
    assert "secret" not in repr(caught.value.job)


async def test_a_hosted_files_report_masks_the_vendors_words(scene, monkeypatch):
    async def create(self, **request):
        return self.snapshot(1)

    async def watch(self, import_id, /, **options):
        yield self.snapshot(1, status_desc="Error in row of ann@b.co", total=1, success=1)

    monkeypatch.setattr(Vendor, "create", create)
    monkeypatch.setattr(Vendor, "watch", watch)
    report = await run(scene.vendor, scene.world.list_fields, HostedFile("https://h.example/c.csv"))
    assert "ann@b.co" not in report.as_text()


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("limit", [0, None, 1])
async def test_a_source_of_no_row_or_one_is_accounted_for(scene, rows, limit):
    scene.lists.limit = limit
    scene.world.source("email\n" + "a@b.co\n" * rows)
    report = await scene.run()
    again = await scene.run()
    assert (report.adds_up, report.rows_read, len(scene.vendor.created)) == (True, rows, rows)
    assert evolve(again, elapsed_s=0, calls=None) == evolve(report, elapsed_s=0, calls=None)


async def test_a_source_of_bad_rows_only_is_accounted_for(scene):
    scene.world.source("email\n" + "nobody\n" * 3)
    report = await scene.run(packing=Packing(part_rows=1))
    assert (report.adds_up, report.outcomes["rejected"], scene.vendor.created) == (True, 3, [])
    assert Standing.of(await scene.journal.lines()).is_finished
