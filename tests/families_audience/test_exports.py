"""Exports: asked for as in the vendor's example, waited for through its 412, and brought home."""

import datetime as dt
import zipfile
from pathlib import Path
from typing import Any

import anyio
import pytest

from ongage_async import (
    JobTimeoutError,
    NotFoundError,
    OngageClient,
    Outcome,
    RetryPolicy,
    ValidationError,
)
from ongage_async.emulator import Emulator, Fault, Readings
from ongage_async.errors import InvalidInputError
from ongage_async.models import ExportDateFormat, ExportStatus
from ongage_async.resources.criteria import field
from tests.client.conftest import Wire
from tests.client.variants import readings_of, variants
from tests.families_audience.servers import left_in

pytestmark = pytest.mark.anyio

CHILE = field("country").equals("Chile")
SOME = {"date_format": "mm/dd/yyyy", "status": ["active", "inactive"]}


@pytest.fixture(params=variants(error_status_200=[True]))
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


async def test_an_export_is_started_as_in_the_vendors_example(
    ongage: OngageClient, wire: Wire, emulator: Emulator, people: dict[str, Any]
):
    chile, rest = await ongage.segments.create("Chile", CHILE), await ongage.segments.create("rest", CHILE)
    made = await ongage.exports.create("My export", segment_id=[chile.id, rest.id], **SOME)
    assert wire.last.line == "POST /api/export"
    assert wire.last.body == {
        "name": "My export",
        "date_format": "mm/dd/yyyy",
        "file_format": "csv",
        "segment_id": [chile.id, rest.id],
        "status": ["active", "inactive"],
    }
    assert made.id in emulator.state.audience.exports


async def test_the_list_goes_into_the_body_where_a_suppression_list_needs_it(
    ongage: OngageClient, wire: Wire, emulator: Emulator, tmp_path: Path
):
    own = emulator.state.add_list("never", type="suppression", fields=[{"name": "email", "type": "email"}])
    own.add_contact("no@doe.com")
    made = await ongage.exports.create(
        "never", date_format=ExportDateFormat.DAY_MONTH_YY, status=[ExportStatus.ACTIVE], list_id=own.id
    )
    assert (wire.last.line, wire.last.body["list_id"]) == ("POST /api/export", own.id)
    emulator.state.audience.exports[made.id].due_at = 0.0
    (path,) = await ongage.exports.download(made.id, tmp_path, unzip=True, interval_s=0.01)
    assert path.read_text() == "email\nno@doe.com\n"


async def test_an_export_is_waited_for_and_comes_as_a_zip_with_a_csv_per_segment(
    ongage: OngageClient, wire: Wire, emulator: Emulator, people: dict[str, Any], tmp_path: Path
):
    emulator.state.audience.ready_s = 60.0
    segment = await ongage.segments.create("Chile", CHILE)
    made = await ongage.exports.create(
        "x",
        segment_id=segment.id,
        date_format="dd-mm-yyyy",
        status=["active", "bounced"],
        fields_selected=["email", "name", "ocx_created_date", "ocx_unsubscribe_date"],
    )

    async def finish() -> None:
        while emulator.witness.count("exports.download") < 3:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        emulator.state.audience.exports[made.id].due_at = 0.0

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(finish)
        (path,) = await ongage.exports.download(made.id, tmp_path / "chile.zip", interval_s=0.02)
    assert wire.last.line == f"GET /api/export/{made.id}/retrieve"
    assert emulator.witness.count("exports.download") > 3
    created = dt.datetime.fromtimestamp(1_700_000_000, dt.UTC).strftime("%d-%m-%Y")
    with zipfile.ZipFile(path) as opened:
        assert opened.namelist() == [f"segment_{segment.id}.csv"]
        assert opened.read(opened.namelist()[0]).decode().splitlines() == [
            "email,name,ocx_created_date,ocx_unsubscribe_date",
            f"ann@doe.com,Ann,{created},",
            f"cid@roe.org,Cid,{created},",
        ]
    assert left_in(tmp_path) == [path]


async def test_an_export_that_does_not_come_in_time_goes_on(ongage: OngageClient, emulator: Emulator, tmp_path: Path):
    emulator.state.audience.ready_s = 60.0
    made = await ongage.exports.create("x", mailing_id=[1], **SOME)
    with pytest.raises(JobTimeoutError, match="goes on") as caught:
        await ongage.exports.download(made.id, tmp_path / "x.zip", timeout_s=0.5, interval_s=0.05)
    assert (caught.value.operation, caught.value.outcome) == ("exports.download", Outcome.UNKNOWN)
    assert "not finished yet" in str(caught.value.__cause__)
    assert left_in(tmp_path) == []


async def test_a_412_that_names_what_is_wrong_is_no_reason_to_wait(
    ongage: OngageClient, emulator: Emulator, tmp_path: Path
):
    body = {"metadata": {"error": True}, "payload": {"code": 412, "message": "Invalid", "errors": {"id": "no"}}}
    emulator.faults.add("exports.download", Fault.status(412, body))
    with pytest.raises(ValidationError) as caught:
        await ongage.exports.download(1, tmp_path / "x.zip", interval_s=0.01)
    assert caught.value.errors == {"id": "no"}
    assert emulator.witness.count("exports.download") == 1


async def test_what_cannot_be_exported_is_refused(ongage: OngageClient, wire: Wire, emulator: Emulator, tmp_path: Path):
    for wrong in (
        {"date_format": "yyyy-mm-dd"},
        {"status": []},
        {"status": "active"},
        {"status": ["asleep"]},
        {"segment_id": [1], "mailing_id": [2]},
        {"segment_id": ["one"]},
        {"file_format": ""},
        {"extra": {"name": "y"}},
    ):
        with pytest.raises(InvalidInputError):
            await ongage.exports.create("x", **{**SOME, **wrong})
    assert wire.sent == []
    with pytest.raises(ValidationError) as caught:
        await ongage.exports.create("x", **SOME)
    assert "segment_id" in caught.value.errors
    with pytest.raises(NotFoundError):
        await ongage.exports.download(1, tmp_path / "x.zip")


@pytest.mark.parametrize(
    "fault", [Fault.drop(), Fault.half_body(), Fault.status(503)], ids=["drop", "half a body", "503"]
)
async def test_what_goes_wrong_while_waiting_is_survived(
    ongage: OngageClient, emulator: Emulator, people: dict[str, Any], tmp_path: Path, fault: Fault
):
    segment = await ongage.segments.create("Chile", CHILE)
    made = await ongage.exports.create("x", segment_id=segment.id, **SOME)
    emulator.faults.add("exports.download", fault, times=3)
    view = ongage.with_options(retry=RetryPolicy.none())
    (path,) = await view.exports.download(made.id, tmp_path / "x.zip", interval_s=0.01)
    assert zipfile.is_zipfile(path)
    assert emulator.witness.count("exports.download") == 4
    assert left_in(tmp_path) == [path]


@pytest.mark.virtual_time
@pytest.mark.usefixtures("threads_take_no_time")
async def test_an_export_of_three_hours_costs_few_calls(ongage_inside: OngageClient, inside: Emulator, tmp_path: Path):
    inside.state.audience.ready_s = 3 * 3600.0
    began = anyio.current_time()
    made = await ongage_inside.exports.create("x", mailing_id=[1], **SOME)
    await ongage_inside.exports.download(made.id, tmp_path / "x.zip")
    assert 3 * 3600 <= anyio.current_time() - began < 3 * 3600 + 61
    assert 150 < inside.witness.count("exports.download") < 320
