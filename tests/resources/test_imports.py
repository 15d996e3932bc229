"""Imports: starting one as the vendor's samples do, reading it in both shapes, and following it to its end."""

import itertools
import pickle
from typing import Any

import anyio
import pytest

from ongage_async._operation import Repeat
from ongage_async.config import Lane
from ongage_async.errors import (
    APIError,
    DecodeError,
    ImportFailedError,
    InvalidInputError,
    JobTimeoutError,
    NotFoundError,
    ServerError,
    ValidationError,
)
from ongage_async.models import Import, ImportAction, ImportStatus
from ongage_async.resources.imports import Imports

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

URL = "https://bucket.s3.amazonaws.com/contacts.csv?X-Amz-Signature=s3cret"


# --- create


async def test_an_import_is_started_with_every_documented_name(vendor: Any) -> None:
    vendor.answer({"id": "83513", "status": "40001"})
    job = await Imports(vendor).create(
        "http://www.yourdomain.com/filename.csv",
        ignore_empty=True,
        fields={"email": {"name": "email", "type": "email"}},
        import_type="sending",
        list_id=1234,
    )
    assert vendor.line == "POST /1234/api/import"
    assert vendor.body == {
        "file_url": "http://www.yourdomain.com/filename.csv",
        "import_action": "add",
        "csv_delimiter": ",",
        "encoding": "UTF-8",
        "overwrite": False,
        "ignore_empty": True,
        "overwrite_only_nulls": False,
        "send_welcome_message": False,
        "fields": {"email": {"name": "email", "type": "email"}},
        "import_type": "sending",
    }
    assert (job.id, job.status) == (83513, ImportStatus.QUEUED)
    assert vendor.operation.repeat is Repeat.IF_UNSENT


async def test_what_is_left_to_the_vendor_is_not_sent(vendor: Any) -> None:
    vendor.answer({"id": 1})
    await Imports(vendor).create(URL, ImportAction.REMOVE)
    assert {"fields", "import_type", "list_id"}.isdisjoint(vendor.body)
    assert vendor.body["import_action"] == "remove"


async def test_an_import_that_writes_to_people_is_never_repeated(vendor: Any) -> None:
    vendor.answer({"id": 1})
    await Imports(vendor).create(URL, send_welcome_message=True)
    assert vendor.operation.repeat is Repeat.NEVER


@pytest.mark.parametrize(("given", "sent"), [(",", ","), ("|", "|"), (";", ";"), ("\t", "t"), ("t", "t")])
async def test_a_tab_is_sent_as_the_vendors_letter(vendor: Any, given: str, sent: str) -> None:
    vendor.answer({"id": 1})
    await Imports(vendor).create(URL, csv_delimiter=given)
    assert vendor.body["csv_delimiter"] == sent


@pytest.mark.parametrize(
    "payload", [{"id": 83513}, {"id": "83513", "status": "40001"}, 83513, "83513", [{"id": 83513}], [83513]]
)
async def test_the_answer_to_a_start_may_have_any_shape(vendor: Any, payload: Any) -> None:
    vendor.answer(payload)
    assert (await Imports(vendor).create(URL)).id == 83513


async def test_a_code_in_the_payload_of_a_success_is_a_failure(vendor: Any) -> None:
    vendor.answer({"code": 500, "message": "Validation error", "errors": {"file_url": "no"}})
    with pytest.raises(ServerError, match="Validation error") as caught:
        await Imports(vendor).create(URL)
    assert (caught.value.operation, caught.value.status) == ("imports.create", 500)
    vendor.answer({"code": "412"})
    with pytest.raises(APIError):
        await Imports(vendor).create(URL)
    with pytest.raises(ValidationError):
        await Imports(vendor).create(URL)


async def test_a_code_beside_an_id_is_no_failure(vendor: Any) -> None:
    vendor.answer({"id": 5, "code": 200})
    job = await Imports(vendor).create(URL)
    assert (job.id, job.extra) == (5, {"code": 200})


@pytest.mark.parametrize("payload", [None, [], True, "queued", {"status": 40001}])
async def test_a_start_without_an_id_cannot_be_read(vendor: Any, payload: Any) -> None:
    vendor.answer(payload)
    with pytest.raises(DecodeError):
        await Imports(vendor).create(URL)


@pytest.mark.parametrize(
    "arguments",
    [
        {"file_url": "ftp://s3cret.host/x.csv"},
        {"file_url": "s3cret.csv"},
        {"file_url": "https:///s3cret"},
        {"file_url": "http://[s3cret"},
        {"file_url": ""},
        {"file_url": URL, "import_action": "delete"},
        {"file_url": URL, "csv_delimiter": "::"},
        {"file_url": URL, "encoding": ""},
    ],
)
async def test_a_start_that_cannot_work_is_refused_without_showing_the_url(
    vendor: Any, arguments: dict[str, Any]
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        await Imports(vendor).create(**arguments)
    assert "s3cret" not in str(caught.value)
    assert vendor.sent == []


# --- get, page, each


async def test_an_import_is_read_in_both_shapes(vendor: Any) -> None:
    vendor.answer({"id": 83513, "status": 40003, "status_desc": "Complete"})
    vendor.answer([{"id": "83513", "status": "40003", "status_desc": "Completed"}])
    imports = Imports(vendor)
    for _ in range(2):
        assert (await imports.get(83513, list_id=2)).is_completed
        assert (vendor.line, vendor.operation.lane) == ("GET /2/api/import/83513", Lane.NORMAL)


async def test_a_page_may_be_one_object_or_an_array(vendor: Any) -> None:
    vendor.answer({"id": 1, "status": 40001})
    vendor.answer([{"id": "1"}, {"id": "2"}], total="2")
    assert [job.id for job in await Imports(vendor).page()] == [1]
    assert [job.id async for job in Imports(vendor).each(list_id=3)] == [1, 2]
    assert vendor.line == "GET /3/api/import?limit=50"


# --- watch and wait


def goes(vendor: Any, *statuses: Any, **more: Any) -> None:
    for status in statuses:
        vendor.answer({"id": "5", "status": status, **more})


async def watched(vendor: Any, **options: Any) -> list[int | None]:
    return [snapshot.status async for snapshot in Imports(vendor).watch(5, **options)]


ORDERS = [
    [40001, 40010, 40002, 40004, 40003],
    [40001, 40010, 40002, 40003],
    [40001, 40002, 40010, 40002, 40003],
    [40004, 40003],
    [40003],
    [40001, 90001],
    [90008],
    [40001, 40099, 40002, 40003],
    [40001, 40002, 95555],
    [None, 40001, 40003],
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", [int, str])
async def test_a_watch_follows_every_order_of_statuses_to_the_first_final_one(
    vendor: Any, order: list[Any], kind: Any
) -> None:
    goes(vendor, *(status and kind(status) for status in order), 40004, 40003)
    assert await watched(vendor) == order
    assert vendor.line == "GET /api/import/5"
    assert all(operation.lane is Lane.BULK and operation.name == "imports.get" for operation in vendor.operations)


async def test_a_watch_stops_at_completed_even_if_list_stats_follow(vendor: Any) -> None:
    goes(vendor, 40002, 40003, 40004)
    assert await watched(vendor) == [40002, 40003]


async def test_a_watch_tells_changes_of_progress_and_nothing_twice(vendor: Any) -> None:
    for progress in ("0", "0", "46", "46", "80"):
        vendor.answer({"id": 5, "status": "40002", "progress": progress})
    goes(vendor, 40003)
    seen = [(job.status, job.progress_pct) async for job in Imports(vendor).watch(5, list_id=9)]
    assert seen == [(40002, 0), (40002, 46), (40002, 80), (40003, 100)]
    assert vendor.line == "GET /9/api/import/5"


async def test_every_permutation_of_the_unfinished_statuses_is_survived(vendor: Any) -> None:
    for order in itertools.permutations([40001, 40010, 40002, 40004]):
        goes(vendor, *order, 40003)
        assert await watched(vendor) == [*order, 40003]
        vendor.answers.clear()


async def test_waiting_returns_the_completed_import(vendor: Any) -> None:
    goes(vendor, 40001, 40003, total="10", success="8")
    job = await Imports(vendor).wait(5)
    assert (job.status, job.total, job.success) == (40003, 10, 8)


@pytest.mark.parametrize("status", [90001, "90008", 90002, "99999"])
async def test_waiting_for_an_import_that_fails_raises_with_its_counts(vendor: Any, status: Any) -> None:
    goes(vendor, 40001, status, total="10", status_desc="Invalid: john@doe.com", file_url=URL, source=URL)
    with pytest.raises(ImportFailedError) as caught:
        await Imports(vendor).wait(5)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.status, error.job.total, error.operation) == (int(status), 10, "imports.wait")
    assert f"status {status}" in str(error)
    assert "s3cret" not in f"{error} {error.job!r} {error.job.file_url} {error.job.extra}"
    assert "doe.com" not in str(error)


async def test_waiting_no_longer_than_asked_tells_the_last_snapshot(vendor: Any) -> None:
    goes(vendor, 40001, 40002)
    start = anyio.current_time()
    with pytest.raises(JobTimeoutError, match="40002") as caught:
        await Imports(vendor).wait(5, timeout_s=100)
    assert caught.value.job.status == 40002
    assert anyio.current_time() - start == pytest.approx(100)


async def test_waiting_for_nothing_seen_at_all_times_out_without_a_job(vendor: Any) -> None:
    vendor.answer({}, status=503)
    with pytest.raises(JobTimeoutError, match="nothing yet") as caught:
        await Imports(vendor).wait(5, timeout_s=100)
    assert caught.value.job is None


async def test_an_import_nobody_knows_is_not_found_at_once(vendor: Any) -> None:
    vendor.answer({"message": "Unauthorized / Import not found"}, status=404)
    with pytest.raises(NotFoundError):
        await Imports(vendor).wait(5)
    assert len(vendor.sent) == 1


async def test_an_import_just_started_may_appear_late(vendor: Any) -> None:
    for _ in range(3):
        vendor.answer({}, status=404)
    goes(vendor, 40001, 40003)
    assert (await Imports(vendor).wait(5, just_created=True)).is_completed


async def test_an_import_that_vanishes_is_told_with_its_last_status(vendor: Any) -> None:
    goes(vendor, 40002, status_info="john@doe.com")
    vendor.answer({}, status=404)
    with pytest.raises(NotFoundError) as caught:
        await watched(vendor)
    assert "status 40002" in caught.value.__notes__[-1]
    assert "doe.com" not in caught.value.__notes__[-1]
    assert len(vendor.sent) == 4


async def test_an_interval_must_be_positive(vendor: Any) -> None:
    for interval_s in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidInputError):
            Imports(vendor).watch(5, interval_s=interval_s)


async def test_an_import_model_can_be_made_by_hand() -> None:
    assert Import(id=1).is_final is False
