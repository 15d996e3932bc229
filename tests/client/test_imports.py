"""Imports over sockets under every reading: started, read in both shapes, followed, and loaded the whole way."""

import csv
from pathlib import Path
from typing import Any

import pytest

from ongage_async import ImportFailedError, JobTimeoutError, NotFoundError, OngageClient, ServerError
from ongage_async.bulk import FileDrop
from ongage_async.emulator import Emulator, Fault, Readings, Step
from ongage_async.models import ImportStatus
from tests.client.conftest import Wire
from tests.client.variants import readings_of, variants

pytestmark = pytest.mark.anyio

URL = "https://files.example.com/contacts.csv?X-Signature=abc"
EVERYTHING = {
    "file_url": URL,
    "import_action": "add",
    "csv_delimiter": ";",
    "encoding": "ISO-8859-1",
    "overwrite": True,
    "ignore_empty": True,
    "overwrite_only_nulls": False,
    "send_welcome_message": False,
    "fields": {"email": {"name": "email", "type": "email"}},
    "import_type": "sending",
}


@pytest.fixture(
    params=variants(
        create_import_payload=["object"],
        import_collection=["object"],
        import_single=["strings"],
        counters=["sample"],
        status_40004=["after", "after_for_good"],
        error_status_200=[True],
    )
)
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


async def test_create_sends_every_documented_name_and_knows_the_id(
    ongage: OngageClient, wire: Wire, emulator: Emulator
):
    emulator.imports.script = [40001]
    made = await ongage.imports.create(list_id=emulator.default_list_id, **EVERYTHING)
    assert wire.last.line == f"POST /{emulator.default_list_id}/api/import"
    assert (wire.last.query, wire.last.body) == ({}, EVERYTHING)
    (job,) = emulator.state.imports.values()
    assert (made.id, job.request.csv_delimiter, job.request.overwrite) == (job.id, ";", True)
    assert "X-Signature" not in repr(made)


async def test_get_reads_numbers_and_texts_alike(ongage: OngageClient, wire: Wire, emulator: Emulator):
    emulator.imports.script = [Step(40002, progress=46, counts={"total": 10, "success": 4, "duplicate": 1})]
    made = await ongage.imports.create(URL)
    got = await ongage.imports.get(made.id)
    assert wire.last.line == f"GET /api/import/{made.id}"
    assert (got.id, got.list_id, got.status) == (made.id, emulator.default_list_id, ImportStatus.PROCESSING)
    assert (got.progress_pct, got.total, got.success, got.duplicate) == (46, 10, 4, 1)
    assert (got.created.tzinfo is not None, got.is_final, got.extra) == (True, False, {})
    with pytest.raises(NotFoundError):
        await ongage.imports.get(1)


@pytest.mark.parametrize("count", [0, 1, 2])
async def test_a_page_holds_none_one_or_several_imports(
    ongage: OngageClient, wire: Wire, emulator: Emulator, count: int
):
    emulator.imports.script = [40001]
    ids = [(await ongage.imports.create(URL)).id for _ in range(count)]
    page = await ongage.imports.page(sort="id", order="ASC", limit=500)
    assert (wire.last.line, wire.last.query) == ("GET /api/import", {"sort": "id", "order": "ASC", "limit": "500"})
    assert ([item.id for item in page], page.total) == (ids, count)


async def test_each_gives_every_import_once(ongage: OngageClient, wire: Wire, emulator: Emulator):
    emulator.imports.script = [40001]
    ids = [(await ongage.imports.create(URL)).id for _ in range(5)]
    assert sorted([item.id async for item in ongage.imports.each(page_size=2)]) == ids
    assert [sent.query.get("offset") for sent in wire.sent[5:]] == [None, "2", "4"]


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.csv"
    path.write_text(
        "email,name,product_id,country\n"
        'ann@doe.com,"Ann, the first",1,Chile\n'
        "ann@DOE.com,Ann again,2,Chile\n"
        "bob at doe.com,Bob,3,Chile\n"
        "cid@doe.com,Cid,many,Chile\n"
        'eve@doe.com,"Eve\n""Evil""",,\n'
        "old@doe.com,New name,9,Peru\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def drop(emulator: Emulator) -> FileDrop:
    """A file drop that the emulator reaches without sockets: serving one takes longer than all the rest."""
    made = FileDrop("https://drop.test")
    emulator.mount_fetch("https://drop.test", made.app)
    return made


def stored(own_list: Any) -> dict[str, tuple[Any, ...]]:
    return {
        view["email"]: (view["name"], view["product_id"], view["country"])
        for view in (own_list.view(contact) for contact in own_list.contacts)
    }


async def test_run_loads_exactly_the_good_rows_and_accounts_for_the_others(
    ongage: OngageClient, wire: Wire, emulator: Emulator, own_list: Any, contacts: Path, drop: FileDrop
):
    emulator.imports.stats_s = 0.05  # long enough that 40003 is seen where 40004 replaces it for good
    own_list.add_contact("old@doe.com", name="Old name", country="Chad")
    report = await ongage.imports.run(contacts, stage=drop, interval_s=0.01)
    assert stored(own_list) == {
        "ann@doe.com": ("Ann, the first", 1, "Chile"),
        "eve@doe.com": ('Eve\n"Evil"', None, None),
        "old@doe.com": ("New name", 9, "Peru"),
    }
    assert (report.rows_read, report.rows_sent, report.duplicates) == (6, 3, 1)
    assert report.rows_rejected == {"email: not an address": 1, "product_id: not a number": 1}
    assert (report.status, report.vendor.total, report.vendor.success) == (40003, 3, 3)
    assert (report.adds_up, report.differences, report.fetched_once, report.file_deleted) == (True, (), True, True)
    assert report.calls == len(wire.sent)
    with report.side_file.open(encoding="utf-8-sig", newline="") as side:
        assert [(row["ongage_row"], row["email"]) for row in csv.DictReader(side)] == [
            ("4", "bob at doe.com"),
            ("5", "cid@doe.com"),
        ]


async def test_an_uncertain_creation_is_executed_once_and_found_by_its_name(
    ongage: OngageClient,
    emulator: Emulator,
    own_list: Any,
    contacts: Path,
    drop: FileDrop,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(_run_defaults(), "lookup_waits_s", (0.01, 0.01))
    emulator.imports.stats_s = 0.05
    emulator.faults.add("imports.create", Fault.drop(after_execution=True))
    report = await ongage.imports.run(contacts, stage=drop, interval_s=0.01)
    assert emulator.witness.count("imports.create", executed=True) == 1
    assert emulator.witness.count("imports.create") == 1
    assert (report.status, report.adds_up, report.import_id in emulator.state.imports) == (40003, True, True)
    assert sorted(stored(own_list)) == ["ann@doe.com", "eve@doe.com", "old@doe.com"]


async def test_a_creation_that_never_happened_is_raised_and_not_sent_again(
    ongage: OngageClient,
    emulator: Emulator,
    own_list: Any,
    contacts: Path,
    drop: FileDrop,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(_run_defaults(), "lookup_waits_s", (0.01, 0.01))
    emulator.faults.add("imports.create", Fault.status(503, after_execution=False))
    with pytest.raises(ServerError) as caught:
        await ongage.imports.run(contacts, stage=drop, interval_s=0.01)
    assert emulator.witness.count("imports.create") == 1
    assert "cannot load a row twice" in "".join(caught.value.__notes__)
    assert len(own_list.contacts) == 0


def _run_defaults() -> dict[str, Any]:
    """The pauses before each look, which `imports.run` does not pass on: a minute is long for a test."""
    from ongage_async.bulk import run

    defaults = run.__kwdefaults__
    assert defaults is not None
    return defaults


async def test_wait_returns_the_completed_import_or_raises(ongage: OngageClient, emulator: Emulator):
    emulator.imports.script = [40001, 40010, 40002, 40003]
    done = await ongage.imports.wait((await ongage.imports.create(URL)).id, interval_s=0.001)
    assert (done.is_completed, done.progress_pct) == (True, 100)
    emulator.imports.script = [40001, Step(90008, info="File has no email column", counts={"invalid": 3})]
    with pytest.raises(ImportFailedError) as caught:
        await ongage.imports.wait((await ongage.imports.create(URL)).id, interval_s=0.001)
    assert (caught.value.status, caught.value.job.failed) == (90008, 3)
    emulator.imports.script = [40001]
    with pytest.raises(JobTimeoutError) as late:
        await ongage.imports.wait((await ongage.imports.create(URL)).id, interval_s=0.01, timeout_s=0.05)
    assert late.value.job.status == ImportStatus.QUEUED
