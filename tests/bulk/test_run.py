"""The whole way of a load, with fakes of the vendor and of the stage: every outcome, and cancellation everywhere."""

import asyncio
import datetime as dt
import json
import pickle
import time

import anyio
import pytest

from ongage_async.bulk import Fetch, FileDrop, HostedFile, MemoryJournal, UrlStage, run
from ongage_async.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    CSVError,
    DecodeError,
    ImportFailedError,
    JobError,
    JobTimeoutError,
    Outcome,
    ServerError,
    StagingError,
)

pytestmark = pytest.mark.anyio

SOURCE = (
    "email,first_name,age,shoe\na@b.co,Ann,1,40\nnobody,Bob,2,41\na@b.co,Ann,3,42\nc@d.co,Cid,x,43\ne@f.co,Eve,,44\n"
)


@pytest.fixture
def load(world):
    """Return a function that runs a load in the test's world."""

    async def loading(text=SOURCE, **options):
        source = world.source(text) if isinstance(text, str | bytes) else text
        options = {"stage": world.stage, "work_dir": world.work, "lookup_waits_s": (0, 0, 0)} | options
        return await run(world.imports, world.list_fields, source, **options)

    return loading


async def test_a_load_ends_with_a_report_whose_counts_add_up(world, load, rows_of):
    report = await load()
    assert world.imports.rows == [
        {"email": "a@b.co", "first_name": "Ann", "age": "1"},
        {"email": "e@f.co", "first_name": "Eve", "age": ""},
    ]
    assert (report.rows_read, report.rows_sent, report.duplicates) == (5, 2, 1)
    assert report.rows_rejected == {"email: not an address": 1, "age: not a number": 1}
    assert [row["ongage_row"] for row in rows_of(report.side_file)] == ["3", "5"]
    assert report.side_file == world.root / "contacts.rejected.csv"
    assert report.unknown_columns == ("shoe",)
    assert (report.import_id, report.status, report.vendor.total) == (1001, 40003, 2)
    assert report.adds_up
    assert report.file_deleted
    assert report.differences == ()
    assert world.leftovers == []


async def test_what_is_asked_of_the_vendor_is_one_import_of_the_clean_file(world, load):
    await load(overwrite=False, ignore_empty=True, list_id=7)
    (request,) = world.imports.created
    url = request.pop("file_url")
    assert url.startswith("https://stage.example/")
    assert len(url.rpartition("/")[2]) >= 40
    assert request == {
        "import_action": "add",
        "overwrite": False,
        "ignore_empty": True,
        "csv_delimiter": ",",
        "encoding": "UTF-8",
        "list_id": 7,
    }


async def test_a_load_by_way_of_a_real_file_drop_tells_who_fetched(world, load):
    import httpx

    async with FileDrop.serve() as drop:

        async def fetch(url):
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(url)).text.splitlines()[1:]

        world.imports.fetch = fetch
        report = await load(stage=drop)
    assert [(one.client, one.status, one.complete) for one in report.fetches] == [("127.0.0.1", 200, True)]
    assert report.fetched_once
    assert "The file was asked for once (whole: 1) by 127.0.0.1" in report.as_text()


async def test_a_directory_of_a_web_server_holds_the_file_during_the_import_only(world, load, rows_of):
    published = world.root / "www"
    published.mkdir()

    async def fetch(url):
        (file,) = published.iterdir()
        assert url == f"https://files.example/x/{file.name}"
        assert file.stat().st_mode & 0o777 == 0o644
        return rows_of(file)

    world.imports.fetch = fetch
    report = await load(stage=UrlStage("https://files.example/x/", published))
    assert (report.file_deleted, list(published.iterdir()), report.fetches) == (True, [], ())


async def test_a_directory_that_is_gone_is_a_staging_error(world, load):
    with pytest.raises(StagingError, match="No such file"):
        await load(stage=UrlStage("https://files.example", world.root / "gone"))
    assert world.leftovers == []


async def test_a_hosted_file_is_sent_unseen(world, load):
    world.imports.fetch = None
    world.imports.counts = {"total": 10, "success": 8, "duplicate": 2}
    hosted = HostedFile("https://files.example/mine.csv?X-Signature=secret")
    report = await load(hosted, stage=None, delimiter="\t", encoding="cp1252")
    (request,) = world.imports.created
    assert (request["file_url"], request["csv_delimiter"], request["encoding"]) == (hosted.url, "\t", "cp1252")
    assert (report.source, report.rows_read, report.adds_up) == ("mine.csv", None, True)
    assert "secret" not in repr(hosted) + report.as_text() + report.as_json()


async def test_a_hosted_file_takes_no_stage(world, load):
    with pytest.raises(ConfigurationError, match="as it is"):
        await load(HostedFile("https://files.example/mine.csv"))
    with pytest.raises(ConfigurationError, match="stage= is needed"):
        await load(stage=None)


@pytest.mark.parametrize("text", ["email\n", "email\nnobody\n"], ids=["header alone", "bad rows only"])
async def test_without_a_good_row_nothing_is_sent(world, load, text):
    report = await load(text)
    assert (report.import_id, world.imports.created, world.stage.puts) == (None, [], [])
    assert report.adds_up
    assert "Nothing was sent" in report.as_text()


@pytest.mark.parametrize("data", [b"", b"name\nx\n", b"email\n\xff\n"], ids=["empty", "no email", "wrong encoding"])
async def test_a_source_that_cannot_be_used_leaves_nothing(world, load, data):
    with pytest.raises(CSVError):
        await load(b"email\nnobody\n" + data if data.endswith(b"\xff\n") else data)
    assert world.leftovers == []
    assert [path.name for path in world.root.glob("*.csv")] == ["contacts.csv"]


async def test_the_side_file_loads_again_when_mended(world, load):
    report = await load()
    mended = report.side_file.read_text("utf-8-sig").replace("nobody", "bob@b.co").replace(",x,", ",9,")
    again = await load(world.source(mended, "mended.csv"), unknown_columns="drop")
    assert [row["email"] for row in world.imports.rows] == ["bob@b.co", "c@d.co"]
    assert (again.rows_read, again.side_file, again.unknown_columns) == (2, None, ("shoe",))


async def test_an_action_on_addresses_sends_addresses(world, load):
    await load(import_action="unsubscribe")
    assert world.imports.rows == [{"email": "a@b.co"}, {"email": "c@d.co"}, {"email": "e@f.co"}]


async def test_fields_without_a_name_or_with_a_default_are_not_demanded(world, load, fake_field):
    world.list_fields.fields += [fake_field(None), fake_field("country", mandatory=True, default="FR")]
    assert (await load()).rows_sent == 2
    world.list_fields.fields.append(fake_field("city", mandatory=True))
    with pytest.raises(CSVError, match='demands "city"'):
        await load()


async def test_the_journal_has_the_steps_and_no_secret(world, load):
    journal = MemoryJournal()
    await load(journal=journal)
    assert [entry.step for entry in journal.entries] == [
        "planned",
        "staged",
        "submitting",
        "created",
        "final",
        "cleaned",
    ]
    assert (await journal.last()).step == "cleaned"
    assert "https://" not in repr(journal.entries)
    assert journal.entries[2].facts["name"] == world.stage.puts[0]


async def test_the_progress_goes_through_all_phases_to_their_ends(world, load):
    seen = []
    await load(progress=seen.append)
    assert list(dict.fromkeys(step.phase for step in seen)) == [
        "fields",
        "check",
        "stage",
        "create",
        "process",
        "settle",
    ]
    last = {step.phase: step for step in seen}
    assert all(step.done == step.total for step in last.values())
    assert last["check"].unit == "bytes"


async def test_calls_are_counted_by_who_can(load):
    counts = iter([40, 47])
    assert (await load(count_calls=lambda: next(counts))).calls == 7


async def test_a_failed_import_raises_with_its_report(world, load):
    world.imports.statuses = (40001, 90001)
    world.imports.counts = {"total": 2, "failed": 2}
    world.stage.fetches = ()
    with pytest.raises(ImportFailedError, match="status 90001") as caught:
        await load()
    error = caught.value
    assert (error.status, error.report.vendor.failed, error.report.file_deleted) == (90001, 2, True)
    assert "can the vendor's servers reach the stage" in "".join(error.__notes__)
    assert pickle.loads(pickle.dumps(error)).report == error.report
    assert world.leftovers == []


async def test_a_failed_import_names_a_client_that_was_refused(world, load):
    world.imports.statuses = (90001,)
    world.stage.fetches = (Fetch(dt.datetime.now(dt.UTC), "192.0.2.1", "GET", 404),)
    with pytest.raises(ImportFailedError) as caught:
        await load()
    assert "outside the allow-list: 192.0.2.1" in "".join(caught.value.__notes__)


LOST = [
    ConnectionLostError("lost", operation="imports.create", attempts=1),
    ServerError("failed", status=502),
    DecodeError("what?"),
]


@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("listed_after", [0, 2])
async def test_an_uncertain_import_is_found_by_its_name_and_not_sent_again(
    world, load, lost, listed_after, fake_import
):
    world.imports.existing = [fake_import(5, "other.csv"), fake_import(6, None)]
    world.imports.create_error, world.imports.listed_after = lost, listed_after
    report = await load()
    assert (report.import_id, len(world.imports.created), world.imports.looks) == (1001, 1, listed_after + 1)
    assert report.adds_up


async def test_an_uncertain_import_that_is_not_found_is_raised_and_not_sent_again(world, load):
    world.imports.create_error, world.imports.executes = ConnectionLostError("lost"), False
    world.stage.fetches = ()
    journal = MemoryJournal()
    with pytest.raises(ConnectionLostError) as caught:
        await load(journal=journal)
    notes = "".join(caught.value.__notes__)
    assert "looked for by that name 3 times and not found; it was not sent again" in notes
    assert "loading again cannot load a row twice" in notes
    assert (len(world.imports.created), world.leftovers) == (1, [])
    assert (await journal.last()).step == "submitting"


async def test_an_uncertain_import_whose_file_was_fetched_is_said_to_exist(world, load):
    world.imports.create_error = ConnectionLostError("lost")
    world.imports.list_error = ServerError("failed", status=500)
    world.stage.fetches = (Fetch(dt.datetime.now(dt.UTC), "192.0.2.1", "GET", 200),)
    with pytest.raises(ConnectionLostError) as caught:
        await load()
    assert "looked for by that name 0 times" in caught.value.__notes__[0]
    assert "the import exists" in caught.value.__notes__[1]


async def test_an_import_that_was_not_sent_is_not_looked_for(world, load):
    world.imports.create_error, world.imports.executes = ConnectError("refused"), False
    with pytest.raises(ConnectError) as caught:
        await load()
    assert (caught.value.outcome, world.imports.looks, world.leftovers) == (Outcome.NOT_SENT, 0, [])
    assert list(world.root.glob("*rejected*")) == []


async def test_a_load_that_takes_too_long_says_so_and_cleans_up(world, load):
    world.imports.statuses, world.imports.hold = (40001, 40002), anyio.Event()
    with pytest.raises(JobTimeoutError, match=r"did not end within 0\.05 s") as caught:
        await load(timeout_s=0.05)
    assert (caught.value.job.status, world.leftovers) == (40002, [])
    assert "Import 1001 was created" in caught.value.__notes__[0]


async def test_a_watch_that_ends_early_is_not_taken_for_success(world, load):
    world.imports.statuses = (40001, 40002)
    with pytest.raises(JobError, match="could not be followed"):
        await load()


async def test_a_file_that_cannot_be_removed_is_told_and_fails_nothing(world, load, staging_error):
    world.stage.remove_error = staging_error
    report = await load()
    assert not report.file_deleted
    assert "NOT deleted" in report.as_text()
    world.imports.create_error = ConnectError("refused")
    with pytest.raises(ConnectError) as caught:
        await load()
    assert "could not be removed" in caught.value.__notes__[-1]


async def test_a_stage_that_is_full_sends_nothing(world, load, staging_error):
    world.stage.put_error = staging_error
    with pytest.raises(StagingError):
        await load()
    assert (world.imports.created, world.leftovers) == ([], [])


async def test_no_temporary_directory_is_a_setting(world, load):
    with pytest.raises(ConfigurationError, match="work_dir="):
        await load(work_dir=world.root / "gone")


BIG = "email,first_name,age\n" + "".join(f"p{i}@b.co,Ann,{i}\n" for i in range(20_000)) + "nobody,x,1\n"


@pytest.mark.parametrize("nth", range(1, 40))
async def test_cancelled_at_any_instant_a_load_leaves_no_file(world, load, nth):
    """The progress callback cancels at its nth call, so that every phase gets its turn."""
    calls = 0
    with anyio.CancelScope() as scope:

        def cancel_at_nth(progress):
            nonlocal calls
            calls += 1
            if calls == nth:
                scope.cancel()

        await load(BIG, progress=cancel_at_nth)
    assert world.leftovers == []
    if scope.cancelled_caught and not world.imports.created:
        assert list(world.root.glob("*rejected*")) == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("after_s", [0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05])
async def test_a_native_cancellation_of_asyncio_leaves_no_file_either(world, load, after_s):
    """`asyncio.timeout` and FastAPI cancel past anyio's shields: the worker thread goes on without its waiter."""
    world.imports.statuses, world.imports.hold = (40001,), anyio.Event()
    task = asyncio.ensure_future(load(BIG))
    await asyncio.sleep(after_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with anyio.fail_after(10):
        while world.leftovers:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_checking_rows_does_not_hold_up_the_event_loop(world, load):
    source = world.source("email,first_name,age\n" + "".join(f"p{i}@b.co,Ann,{i}\n" for i in range(150_000)))
    gaps = []

    async def tick():
        before = time.perf_counter()
        while True:
            await anyio.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - before)
            before = now

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await load(source)
        tasks.cancel_scope.cancel()
    gaps.sort()
    assert len(gaps) > 20
    assert gaps[len(gaps) * 95 // 100] < 0.05  # a busy machine may take some of them


async def test_the_report_is_json_without_addresses(world, load):
    report = await load(world.source(SOURCE, "john@doe.com.csv"))
    document = json.loads(report.as_json())
    assert (document["rows_sent"], document["adds_up"], document["vendor"]["success"]) == (2, True, 2)
    assert "@" not in report.as_text().replace(str(report.side_file), "")
    assert "@" not in report.source
