"""Files the whole way: the emulator's subscribers are the good rows, exactly; the report accounts for the others."""

import gzip
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import polars
import pytest

from ongage_async import ConfigurationError, CSVError, JobTimeoutError, OwnpageClient, RetryPolicy, ServerError
from ongage_async.bulk import FileDrop, HostedFile, Packing, Progress, UrlStage
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator, OwnpageReadings
from ongage_async.errors import BadRequestError, ConnectionLostError
from tests.client.conftest import Wire
from tests.client.variants import variants

pytestmark = pytest.mark.anyio

SOURCE = """Mail;subscribed;unsubscribed_cause;guid;data_city;Notes
ann@doe.fr;true;;1;Paris;x
bob@doe.fr;NON;publisher;2;"Nice; vraiment";x
cid at doe.fr;true;;3;;x
eve@doe.fr;;;;Élancourt;x
fay@doe.fr;nope;;;;x
ann@doe.fr;false;;;;x
old@doe.fr;;;;Lyon;x
"""
FAST: dict[str, Any] = {"settled_s": 0.08, "interval_s": 0.01}


@pytest.fixture(params=variants(file_fetch=["later"], stored_email=["lower"]))
def readings(request: pytest.FixtureRequest) -> OwnpageReadings:
    return OwnpageReadings(**request.param)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "subscribers.csv"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def drop(emulator: OwnpageEmulator) -> Iterator[FileDrop]:
    """Mount a drop in an app: a server of its own takes a tenth of a second to end, in each of a hundred tests."""
    made = FileDrop("https://drop.test")
    emulator.mount_fetch("https://drop.test", made)
    yield made
    made.close()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stored(own_list: Any) -> dict[str, tuple[Any, ...]]:
    return {
        each.email: (each.subscribed, each.unsubscribed_cause, each.data.get("data_city"))
        for each in own_list.subscribers.values()
    }


GOOD = {
    "ann@doe.fr": (True, None, "Paris"),
    "bob@doe.fr": (False, "PUBLISHER", "Nice; vraiment"),
    "eve@doe.fr": (True, None, "Élancourt"),
    "old@doe.fr": (False, "READER", "Lyon"),
}


async def test_run_loads_exactly_the_good_rows_and_accounts_for_the_others(
    ownpage: OwnpageClient, wire: Wire, own_list: Any, source: Path, drop: FileDrop, readings: OwnpageReadings
):
    await ownpage.subscribers.create([{"email": "old@doe.fr", "subscribed": False}])
    wire.sent.clear()
    told: list[Progress] = []
    report = await ownpage.files.run(source, stage=drop, confirm=True, progress=told.append, **FAST)
    assert stored(own_list) == GOOD
    assert own_list.get("ann@doe.fr").guid == "1"
    assert (report.rows_read, report.rows_sent, report.duplicates) == (7, 4, 1)
    assert report.rows_rejected == {"email: not an address": 1, "subscribed: not true or false": 1}
    assert report.unknown_columns == ("Notes",)
    assert (report.before and report.before.total, report.after and report.after.total) == (1, 4)
    assert (report.settled, report.rows_confirmed, report.differences, report.adds_up) == (True, 4, (), True)
    assert report.bytes_counted == (report.bytes_sent if readings.file_fetch == "at_once" else None)
    assert (report.fetched_whole, report.file_deleted, report.status) == (True, True, "uploaded")
    assert report.calls == len(wire.sent)
    assert told[0].phase == "check"
    assert {each.phase for each in told} == {"check", "stage", "create", "process", "settle"}
    assert report.side_file is not None
    assert "cid at doe.fr" in report.side_file.read_text(encoding="utf-8-sig")
    assert json.loads(report.as_json())["adds_up"] is True
    text = report.as_text()
    assert "7 rows read = 4 sent + 2 rejected + 1 duplicates" in text
    assert "0 subscribed and 1 unsubscribed before, 2 subscribed and 2 unsubscribed after" in text
    (made,) = (sent for sent in wire.sent if sent.path == "/v1/files")
    assert made.body["email_list_id"] == 123


async def test_the_side_file_loads_again_when_it_is_mended(
    ownpage: OwnpageClient, own_list: Any, source: Path, drop: FileDrop, readings: OwnpageReadings
):
    report = await ownpage.files.run(source, stage=drop, **FAST)
    assert report.side_file is not None
    mended = report.side_file.read_text(encoding="utf-8-sig").replace("cid at", "cid@").replace("nope", "no")
    report.side_file.write_text(mended.replace("cid@ doe", "cid@doe"), encoding="utf-8")
    again = await ownpage.files.run(report.side_file, stage=drop, **FAST)
    assert (again.rows_sent, again.rows_rejected, again.side_file) == (2, {}, None)
    assert (own_list.get("cid@doe.fr").subscribed, own_list.get("fay@doe.fr").subscribed) == (True, False)


async def test_a_file_without_a_good_row_sends_nothing(
    ownpage: OwnpageClient, wire: Wire, tmp_path: Path, drop: FileDrop
):
    source = tmp_path / "bad.csv"
    source.write_text("email\nnobody\n")
    report = await ownpage.files.run(source, stage=drop, **FAST)
    assert (report.rows_read, report.rows_sent, report.file_id, report.adds_up) == (1, 0, None, True)
    assert "Nothing was sent" in report.as_text()
    assert wire.sent == []


async def test_what_cannot_be_loaded_is_refused_before_anything_is_sent(
    ownpage: OwnpageClient, wire: Wire, tmp_path: Path, drop: FileDrop
):
    source = tmp_path / "s.csv"
    source.write_text("name\nann\n")
    with pytest.raises(CSVError, match="no email column"):
        await ownpage.files.run(source, stage=drop)
    with pytest.raises(ConfigurationError, match="stage= is needed"):
        await ownpage.files.run(source)
    with pytest.raises(ConfigurationError, match="sent as it is"):
        await ownpage.files.run(HostedFile("https://files.test/c.csv"), stage=drop)
    assert (wire.sent, names_in(tmp_path)) == ([], ["s.csv"])


async def test_a_lost_answer_is_told_and_nothing_is_sent_twice(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, drop: FileDrop, readings: OwnpageReadings
):
    emulator.faults.add("files.create", Fault.drop(after_execution=True))
    with pytest.raises(ConnectionLostError) as caught:
        await ownpage.files.run(source, stage=drop, **FAST)
    assert emulator.witness.count("files.create") == 1
    note = caught.value.__notes__[-1]
    assert "loading it again sets the same values" in note
    if readings.file_fetch == "at_once":
        assert "It was fetched" in note
    assert source.with_name("subscribers.rejected.csv").exists()


async def test_a_file_that_is_refused_leaves_nothing_behind(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, tmp_path: Path
):
    published = tmp_path / "published"
    published.mkdir()
    stage = UrlStage("http://localhost:9", published)
    emulator.faults.add("files.create", Fault.status(400, {"status": 400, "cause": "no"}))
    with pytest.raises(BadRequestError, match="no"):
        await ownpage.files.run(source, stage=stage, **FAST)
    assert list(published.iterdir()) == []
    assert not source.with_name("subscribers.rejected.csv").exists()


async def test_a_file_that_nobody_fetches_is_told(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, drop: FileDrop, readings: OwnpageReadings
):
    if readings.file_fetch == "at_once":
        return
    emulator.files.fetch_s = 60.0
    with pytest.raises(JobTimeoutError, match="can the vendor's servers reach the stage"):
        await ownpage.files.run(source, stage=drop, timeout_s=0.2, **FAST)


async def test_a_list_in_use_is_reported_and_not_raised(
    ownpage: OwnpageClient, own_list: Any, source: Path, drop: FileDrop
):
    async with anyio.create_task_group() as tasks:

        async def live() -> None:
            number = 0
            while True:
                number += 1
                await ownpage.subscribers.create([{"email": f"live{number}@doe.fr"}])
                await anyio.sleep(0.01)

        tasks.start_soon(live)
        report = await ownpage.files.run(source, stage=drop, settled_s=0.7, interval_s=0.02, timeout_s=0.9)
        tasks.cancel_scope.cancel()
    assert (report.settled, report.adds_up) == (False, True)
    assert "still changing" in report.as_text()
    assert own_list.get("eve@doe.fr") is not None


async def test_a_file_that_is_hosted_already_goes_unseen(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, own_list: Any
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"email,data_x\nann@doe.fr,1\n"})

    emulator.mount_fetch("https://files.test", app)
    report = await ownpage.files.run(HostedFile("https://files.test/c.csv"), **FAST)
    assert (report.rows_read, report.rows_sent, report.settled, report.adds_up) == (None, None, True, report.adds_up)
    assert own_list.get("ann@doe.fr").data == {"data_x": "1"}


async def test_a_cancelled_load_leaves_no_file(ownpage: OwnpageClient, source: Path, drop: FileDrop, tmp_path: Path):
    work = tmp_path / "work"
    work.mkdir()
    for delay_s in (0.0, 0.01, 0.03, 0.06, 0.1):
        with anyio.move_on_after(delay_s):
            await ownpage.files.run(source, stage=drop, work_dir=work, **FAST)
    assert list(work.iterdir()) == []
    assert [entry for entry in drop._entries.values() if entry.is_open] == []


async def test_waiting_has_an_end(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    with pytest.raises(JobTimeoutError, match="has not stood still") as caught:
        await ownpage.files.wait(settled_s=10.0, timeout_s=1.0, interval_s=0.02)
    assert caught.value.job.subscribed == 0
    assert pickle.loads(pickle.dumps(caught.value)).job == caught.value.job
    emulator.faults.add("counts.get", Fault.status(503), times=3)
    counts = [
        each
        async for each in ownpage.with_options(retry=RetryPolicy.none()).files.watch(settled_s=0.05, interval_s=0.01)
    ]
    assert [each.total for each in counts] == [0]


async def test_a_vendor_that_counts_other_bytes_is_told(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, drop: FileDrop
):
    emulator.faults.add(
        "files.create", Fault.status(200, {"id": 1, "size": 3, "status": "uploaded", "email_list_id": 123})
    )
    report = await ownpage.files.run(source, stage=drop, confirm=True, **FAST)
    assert not report.adds_up
    assert len(report.differences) == 2
    assert "the vendor counts 3" in report.differences[0]
    assert "4 addresses were sent, 0 of them are in the list" in report.differences[1]
    assert "The counts do NOT add up" in report.as_text()


async def test_trouble_before_the_creation_is_raised_as_itself(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, source: Path, drop: FileDrop
):
    emulator.faults.add("counts.get", Fault.status(503))
    with pytest.raises(ServerError):
        await ownpage.with_options(retry=RetryPolicy.none()).files.run(source, stage=drop, **FAST)
    assert emulator.witness.count("files.create") == 0


async def _awaited(rows: Any) -> Any:
    for row in rows:
        await anyio.lowlevel.checkpoint()
        yield row


PEOPLE = [{"email": "ann@doe.fr", "subscribed": False, "data_age": 44}, {"email": "bob@doe.fr", "data_age": None}]


@pytest.mark.parametrize("kind", ["mappings", "awaited", "frame", "gzip", "pattern"])
async def test_any_source_is_a_source(
    ownpage: OwnpageClient, own_list: Any, tmp_path: Path, drop: FileDrop, readings: OwnpageReadings, kind: str
):
    packed = gzip.compress(b"email;subscribed;data_age\nann@doe.fr;non;44\nbob@doe.fr;;\n")
    await anyio.Path(tmp_path / "people.csv.gz").write_bytes(packed)
    given: Any = {
        "mappings": iter(PEOPLE),
        "awaited": _awaited(PEOPLE),
        "frame": polars.DataFrame(PEOPLE),
        "gzip": tmp_path / "people.csv.gz",
        "pattern": f"{tmp_path}/people*.gz",
    }
    report = await ownpage.files.run(given[kind], stage=drop, side_file=tmp_path / "bad.csv", **FAST)
    assert (report.rows_read, report.rows_sent, report.adds_up) == (2, 2, True)
    found = {each.email: (each.subscribed, each.data.get("data_age")) for each in own_list.subscribers.values()}
    assert found == {"ann@doe.fr": (False, "44"), "bob@doe.fr": (True, None)}


async def test_formulas_are_neutralised_in_attributes_and_never_in_a_guid(
    ownpage: OwnpageClient, own_list: Any, drop: FileDrop
):
    row = {"email": "ann@doe.fr", "guid": "=1", "data_note": "=1"}
    await ownpage.files.run([row], stage=drop, neutralise_formulas=True, **FAST)
    assert (own_list.get("ann@doe.fr").guid, own_list.get("ann@doe.fr").data) == ("=1", {"data_note": "'=1"})


async def test_a_stage_is_named_and_archives_are_refused(
    ownpage: OwnpageClient, wire: Wire, source: Path, tmp_path: Path, drop: FileDrop
):
    with pytest.raises(ConfigurationError, match="pass public_url="):
        await ownpage.files.run(source, stage=str(tmp_path))
    with pytest.raises(ConfigurationError, match="that it opens ZIP archives is not known"):
        await ownpage.files.run(source, stage=drop, packing=Packing(zip=True))
    with pytest.raises(ConfigurationError, match="sent as it is"):
        await ownpage.files.run(HostedFile("https://files.test/c.csv"), journal=tmp_path / "j")
    assert (wire.sent, names_in(tmp_path)) == ([], ["subscribers.csv"])
