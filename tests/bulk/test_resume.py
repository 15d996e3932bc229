"""Loads of several parts with a journal: side by side, stopped anywhere, resumed, and each row loaded once."""

import datetime as dt
from typing import Any

import anyio
import pytest
from attrs import define, evolve, field

from ongage_async.bulk import Packing, SqliteJournal, StagedFile, resume, run
from ongage_async.bulk.load._journal import Standing
from ongage_async.errors import (
    ConfigurationError,
    ConnectionLostError,
    ImportFailedError,
    JobError,
    JournalError,
    ServerError,
    StagingError,
)
from tests.support import memory_folder

pytestmark = pytest.mark.anyio

ROWS = 10
SOURCE = "email,first_name\n" + "".join(f"p{n}@b.co,Ann {n}\n" for n in range(ROWS)) + "nobody,x\n"


@define
class Vendor:
    """Imports that fetch when they are watched, as the vendor's do: later than they are created."""

    stage: Any
    snapshot: Any
    failing: set[int] = field(factory=set)
    lost: int = 0
    executes_lost: bool = True
    created: list[str] = field(factory=list)
    loaded: list[str] = field(factory=list)
    ended: dict[int, Any] = field(factory=dict)
    open: int = 0
    most_open: int = 0
    looks: list[str] = field(factory=list)
    unlisted: int = 0
    takes_s: float = 0.001

    async def create(self, *, file_url, **request):
        await anyio.lowlevel.checkpoint()
        lost, self.lost = self.lost > 0, max(0, self.lost - 1)
        if not lost or self.executes_lost:
            self.created.append(file_url.rpartition("/")[2])
        if lost:
            raise ConnectionLostError("lost")
        return self.snapshot(len(self.created))

    async def watch(self, import_id, /, *, interval_s=None, just_created=False, list_id=None):
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            yield self.snapshot(import_id, status=40001, status_desc="Queued", progress_pct=0)
            await anyio.sleep(self.takes_s)
            yield self.end(import_id)
        finally:
            self.open -= 1

    def end(self, import_id):
        """Fetch and load, once; an import without its file, or that was told to, fails."""
        if import_id not in self.ended:
            path = self.stage.open.get(self.created[import_id - 1])
            if path is None or import_id in self.failing:
                self.ended[import_id] = self.snapshot(import_id, status=90001, status_desc="Error", total=None)
            else:
                rows = path.read_text("utf-8").splitlines()[1:]
                self.loaded += rows
                self.ended[import_id] = self.snapshot(import_id, total=len(rows), success=len(rows))
        return self.ended[import_id]

    async def each(self, *, sort=None, order=None, list_id=None):
        self.looks.append(",".join(self.stage.open))
        await anyio.lowlevel.checkpoint()
        if self.unlisted:
            self.unlisted -= 1
            return
        for number, name in enumerate(self.created, 1):
            yield self.snapshot(number, name)


@define
class Lists:
    limit: int | None = 2
    asked: int = 0

    async def get(self, list_id):
        self.asked += 1
        return self

    @property
    def imports_concurrent_limit(self):
        return self.limit


@define
class Scene:
    world: Any
    vendor: Vendor
    lists: Lists
    journal: SqliteJournal

    async def run(self, source: Any = None, **options: Any) -> Any:
        given = {
            "stage": self.world.stage,
            "journal": self.journal,
            "packing": Packing(part_rows=2),
            "lookup_waits_s": (0, 0),
            "lists": self.lists,
            "list_id": 7,
            "side_file": self.world.root / "bad.csv",
        }
        chosen = self.world.root / "contacts.csv" if source is None else source
        return await run(self.vendor, self.world.list_fields, chosen, **given | options)

    async def standing(self) -> Standing:
        return Standing.of(await self.journal.lines())

    def is_loaded_once(self) -> bool:
        return sorted(self.vendor.loaded) == sorted(SOURCE.splitlines()[1:-1])


@pytest.fixture
def scene(world, fake_import):
    world.source(SOURCE)
    with memory_folder(world.root) as folder:
        yield Scene(world, Vendor(world.stage, fake_import), Lists(), SqliteJournal(folder / "j"))


async def test_parts_go_side_by_side_as_many_as_the_list_takes(scene):
    scene.vendor.takes_s = 0.05
    report = await scene.run()
    assert scene.is_loaded_once()
    assert (scene.vendor.most_open, scene.lists.asked) == (2, 1)
    assert [part.rows for part in report.parts] == [2] * 5
    assert [(part.first_row, part.last_row) for part in report.parts][:2] == [(2, 3), (4, 5)]
    assert (report.adds_up, report.vendor.total, report.file_deleted) == (True, 10, True)
    assert report.outcomes == {"loaded": 10, "rejected": 1, "duplicate": 0, "unknown": 0}
    assert sum(report.outcomes.values()) == report.rows_read
    assert scene.world.leftovers == []
    assert list(scene.journal.directory.iterdir()) == []


@pytest.mark.parametrize("limit", [None, 0, 1])
async def test_a_list_that_names_no_limit_gets_one_import_at_a_time(scene, limit):
    scene.lists.limit = limit
    await scene.run()
    assert (scene.vendor.most_open, scene.is_loaded_once()) == (1, True)


async def test_a_load_that_has_ended_is_not_run_again(scene):
    first = await scene.run()
    again = await scene.run()
    assert len(scene.vendor.created) == 5
    assert evolve(again, elapsed_s=0, calls=None) == evolve(first, elapsed_s=0, calls=None)
    assert [path.name for path in scene.world.root.glob("bad*")] == ["bad.csv"]


async def test_a_journal_of_another_file_list_or_mapping_refuses_while_parts_are_left(scene):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run()
    for options in ({"list_id": 8}, {"mapping": {"first_name": None}}, {"overwrite": False}, {"account": "b"}):
        with pytest.raises(JournalError, match="another load") as caught:
            await scene.run(**options)
        assert {"account": "account"}.get(*options, next(iter(options)).removesuffix("_id")) in str(caught.value) or (
            "request" in str(caught.value)
        )
    scene.world.source(SOURCE + "new@b.co,New\n")
    with pytest.raises(JournalError, match="source"):
        await scene.run()
    scene.world.source(SOURCE)
    assert (await scene.run()).adds_up
    assert scene.is_loaded_once()


async def test_a_second_run_while_one_is_alive_refuses(scene):
    inside = anyio.Event()

    def note(progress):
        if progress.phase == "process":
            inside.set()

    async with anyio.create_task_group() as tasks:

        async def first():
            await scene.run(progress=note)

        tasks.start_soon(first)
        await inside.wait()
        with pytest.raises(JournalError, match="another run holds"):
            await scene.run()
    assert scene.is_loaded_once()


async def test_a_part_that_fails_stops_no_other_and_is_tried_again_by_the_next_run(scene):
    scene.vendor.failing = {2}
    with pytest.raises(ImportFailedError, match="1 of 5 parts failed") as caught:
        await scene.run()
    report = caught.value.report
    assert [part.is_failed for part in report.parts].count(True) == 1
    assert (report.outcomes["loaded"], report.outcomes["unknown"], report.adds_up) == (8, 2, False)
    assert "import 2: Error (90001)" in report.as_text()
    again = await scene.run()
    assert (again.adds_up, scene.is_loaded_once(), len(scene.vendor.created)) == (True, True, 6)


async def test_a_part_that_failed_after_its_first_row_is_not_tried_again(scene, monkeypatch):
    end = Vendor.end

    def half(self, import_id):
        seen = end(self, import_id)
        return evolve(seen, status=90001, total=2, success=1) if import_id == 3 else seen

    monkeypatch.setattr(Vendor, "end", half)
    for _ in range(2):
        with pytest.raises(ImportFailedError) as caught:
            await scene.run()
    assert len(scene.vendor.created) == 5
    assert caught.value.report.outcomes["loaded"] == 9


async def test_after_an_error_no_part_is_begun_and_those_under_way_are_ended(scene):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError) as caught:
        await scene.run()
    assert "the same command goes on" in "".join(caught.value.__notes__)
    steps = [part.step for part in (await scene.standing()).parts.values()]
    assert sorted(steps, key=str) == [None, None, None, "cleaned", "submitting"]
    await scene.run()
    assert scene.is_loaded_once()
    assert len(scene.vendor.created) == 5


@pytest.mark.parametrize("when", ["at once", "after the file was removed"])
async def test_a_part_left_at_submitting_is_found_by_its_name(scene, when):
    """Nothing is sent again when the import is listed, be it only at the look that follows the removal of its file."""
    scene.vendor.lost = 1
    scene.vendor.unlisted = 2
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    name = (await scene.standing()).parts[1].name
    scene.world.stage.open[name] = scene.journal.directory / "part-0001.csv"
    scene.vendor.unlisted = 0 if when == "at once" else 1
    if when != "at once":
        scene.vendor.end(1)  # it had fetched its file before
    await scene.run(packing=None)
    assert scene.is_loaded_once()
    assert scene.vendor.created == [name]
    assert scene.world.leftovers == []


async def test_a_part_left_at_submitting_that_is_not_found_loses_its_file_before_another_attempt(scene):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    lost = (await scene.standing()).parts[1].name
    scene.world.stage.open[lost] = scene.journal.directory / "part-0001.csv"  # as after a kill
    scene.vendor.looks.clear()
    await scene.run(packing=None)
    assert scene.vendor.looks == [lost, "", ""]
    assert scene.is_loaded_once()
    assert scene.vendor.created == [scene.world.stage.puts[-1]] != [lost]


async def test_a_file_that_cannot_be_removed_keeps_its_part_from_being_sent_again(scene, staging_error):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    scene.world.stage.remove_error = staging_error
    with pytest.raises(StagingError):
        await scene.run(packing=None)
    assert scene.vendor.created == []
    scene.world.stage.remove_error = None
    await scene.run(packing=None)
    assert scene.is_loaded_once()


async def test_an_import_that_may_exist_is_not_replaced_while_nobody_can_look(scene, monkeypatch):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(packing=None)
    looks = 0

    async def each(self, *, sort=None, order=None, list_id=None):
        nonlocal looks
        looks += 1
        if looks > 1:
            raise ServerError("down", status=503)
        return
        yield

    monkeypatch.setattr(Vendor, "each", each)
    with pytest.raises(JobError, match="cannot be looked at"):
        await scene.run(packing=None)
    assert scene.vendor.created == []


async def test_an_import_whose_url_expired_before_it_was_fetched_gets_another(scene, monkeypatch):
    put = type(scene.world.stage).put
    past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    renewed = []

    async def putting(self, path, name):
        staged = await put(self, path, name)
        return evolve(staged, expires_at=past) if len(self.puts) == 1 else staged

    async def renew(self, staged):
        renewed.append(staged.name)
        return StagedFile(staged.name, staged.url)

    monkeypatch.setattr(type(scene.world.stage), "put", putting)
    monkeypatch.setattr(type(scene.world.stage), "renew", renew, raising=False)
    scene.vendor.failing = {1}
    report = await scene.run(packing=None)
    assert (report.adds_up, len(scene.vendor.created), scene.is_loaded_once()) == (True, 2, True)
    assert renewed == [scene.world.stage.puts[0]]


async def test_rows_that_come_only_once_are_known_again(scene):
    """Async rows are kept in a file of the run's own, so that a journal can tell whether they are the same."""

    async def rows(*, more=0):
        for number in range(ROWS + more):
            yield {"email": f"p{number}@b.co", "first_name": f"Ann {number}"}

    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(rows())
    with pytest.raises(JournalError, match="source"):
        await scene.run(rows(more=1))
    report = await scene.run(rows())
    assert (report.adds_up, report.rows_read, scene.is_loaded_once()) == (True, ROWS, True)


async def test_a_load_goes_on_from_its_journal_alone(scene):
    scene.vendor.lost, scene.vendor.executes_lost = 1, False
    with pytest.raises(ConnectionLostError):
        await scene.run(account="mine")
    (scene.world.root / "contacts.csv").unlink()
    going = {"stage": scene.world.stage, "lookup_waits_s": (0,), "lists": scene.lists}
    with pytest.raises(JournalError, match="another account"):
        await resume(scene.vendor, scene.world.list_fields, scene.journal, account="yours", **going)
    report = await resume(scene.vendor, scene.world.list_fields, scene.journal, account="mine", **going)
    assert (report.adds_up, report.rows_read, scene.is_loaded_once()) == (True, ROWS + 1, True)


async def test_a_journal_that_never_came_to_a_plan_needs_the_source(scene):
    with pytest.raises(JournalError, match="there is no journal"):
        await resume(scene.vendor, scene.world.list_fields, scene.journal, stage=scene.world.stage)
    async with scene.journal.held():
        pass
    with pytest.raises(JournalError, match="run the first command again"):
        await resume(scene.vendor, scene.world.list_fields, scene.journal, stage=scene.world.stage)


async def test_a_journal_beside_the_source_needs_a_source_with_a_place(scene):
    await scene.run(journal=True)
    assert (scene.world.root / "contacts.csv.ongage-journal" / "journal.sqlite").exists()
    with pytest.raises(ConfigurationError, match="pass a place"):
        await scene.run([{"email": "a@b.co"}], journal=True)


async def test_a_side_file_takes_its_place_beside_one_that_came_meanwhile(scene):
    """The place that the journal names was free when it was named; somebody took it before the file could."""
    bad = scene.world.root / "bad.csv"
    bad.write_text("mine")
    report = await scene.run()
    assert (report.side_file.name, bad.read_text()) == ("bad-2.csv", "mine")

    assert report.side_file.read_text("utf-8-sig").splitlines()[1].startswith("12,")


@pytest.mark.parametrize("nth", range(1, 22))
async def test_cancelled_at_any_instant_a_load_with_a_journal_goes_on(scene, nth):
    calls = 0
    with anyio.CancelScope() as scope:

        def cancel_at_nth(progress):
            nonlocal calls
            calls += 1
            if calls == nth:
                scope.cancel()

        await scene.run(progress=cancel_at_nth, packing=Packing(part_rows=5))
    assert list(scene.world.stage.open) == []
    report = await scene.run(packing=Packing(part_rows=5))
    assert (report.adds_up, scene.is_loaded_once()) == (True, True)
    assert [path.name for path in scene.world.root.glob("bad*")] == ["bad.csv"]
    assert list(scene.world.work.iterdir()) == []
