"""`imports.watch` through the whole client: every order of statuses, and everything that happens in between.

In virtual time and in process, because hours pass; the cadence is the real one.
"""

import time
from typing import Any

import anyio
import pytest

from ongage_async import (
    AuthenticationError,
    ImportFailedError,
    NotFoundError,
    OngageClient,
    ResponseTimeoutError,
    RetryPolicy,
    ServerError,
)
from ongage_async.emulator import Emulator, Fault, Readings, Step
from ongage_async.models import Import

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

URL = "https://files.example.com/contacts.csv"


@pytest.fixture(params=["mixed", "strings"])
def inside(request: pytest.FixtureRequest) -> Emulator:
    """An emulator whose single imports come with numbers, or all as text."""
    readings = Readings(import_single=request.param)
    return Emulator(calls=None, parallel=None, epoch=1_700_000_000.0, readings=readings)


async def started(ongage: OngageClient, inside: Emulator, *script: int | Step) -> int:
    inside.imports.script = script
    return (await ongage.imports.create(URL)).id


async def watched(ongage: OngageClient, import_id: int, **options: Any) -> list[Import]:
    return [snapshot async for snapshot in ongage.imports.watch(import_id, **options)]


ORDERS = {
    "as likely": [40001, 40010, 40002, 40004, 40003],
    "40004 after 40003": [40001, 40010, 40002, 40003, 40004, 40003],
    "40004 on both sides": [40001, 40002, 40004, 40003, 40004],
    "validated while queued": [40010, 40001, 40002, 40003],
    "backwards": [40004, 40002, 40010, 40001, 40003],
    "queued again": [40001, 40010, 40001, 40002, 40003],
    "at once": [40003],
    "error": [40001, 40010, 90001],
    "invalid": [40001, 90008],
    "error after stats": [40001, 40002, 40004, 90001],
    "unknown error": [40001, 91234],
    "first of all errors": [90000],
    "unknown in between": [40001, 40077, 12, 0, 89999, 40003],
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_every_order_of_statuses_is_told_up_to_the_first_final_one(
    ongage_inside: OngageClient, inside: Emulator, order: list[int]
):
    snapshots = await watched(ongage_inside, await started(ongage_inside, inside, *order))
    end = next(place for place, status in enumerate(order) if status == 40003 or status >= 90000)
    assert [int(snapshot.status) for snapshot in snapshots] == order[: end + 1]
    assert [snapshot.is_final for snapshot in snapshots] == [False] * end + [True]
    calls = inside.witness.count("imports.get")
    await anyio.sleep(3600)
    assert inside.witness.count("imports.get") == calls == end + 1


async def test_an_unknown_status_is_kept_and_is_no_end(ongage_inside: OngageClient, inside: Emulator):
    first, *_ = await watched(ongage_inside, await started(ongage_inside, inside, 40077, 40003))
    assert (first.status, first.status.is_known, first.is_final) == (40077, False, False)


async def test_the_first_snapshot_comes_at_once_and_then_every_change(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(
        ongage_inside,
        inside,
        Step(40001, for_s=30),
        *(Step(40002, for_s=60, progress=done) for done in (0, 40, 80)),
        Step(40004, for_s=600),
        Step(40003),
    )
    began = anyio.current_time()
    seen = [
        (round(anyio.current_time() - began), int(snapshot.status), snapshot.progress_pct)
        async for snapshot in ongage_inside.imports.watch(import_id)
    ]
    assert seen[0] == (0, 40001, 0)
    assert [(status, done) for _, status, done in seen[1:]] == [
        (40002, 0),
        (40002, 40),
        (40002, 80),
        (40004, 0),
        (40003, 100),
    ]
    assert [at for at, _, _ in seen[1:]] == pytest.approx([30, 90, 150, 210, 810], abs=15)


async def test_an_import_of_three_hours_costs_few_calls_and_all_are_bulk(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, Step(40002, for_s=3 * 3600), Step(40003))
    began = time.monotonic()
    last = (await watched(ongage_inside, import_id))[-1]
    assert last.is_completed
    assert 150 < inside.witness.count("imports.get") < 320
    assert time.monotonic() - began < 60
    lanes = (await ongage_inside.governor.statistics()).lanes
    assert [lanes[lane].granted for lane in lanes] == [0, 1, inside.witness.count("imports.get")]


IN_BETWEEN = {
    "500": Fault.status(500),
    "503 of a proxy": Fault.status(503, "<html>Service Unavailable"),
    "429": Fault.status(429, headers={"Retry-After": "30"}),
    "drop": Fault.drop(),
    "half a body": Fault.half_body(),
    "garbage": Fault.garbage(),
    "slower than the timeout": Fault.delay(120),
}


@pytest.mark.parametrize("retry", [RetryPolicy(), RetryPolicy.none()], ids=["with retries", "without"])
@pytest.mark.parametrize("fault", IN_BETWEEN.values(), ids=IN_BETWEEN)
async def test_what_goes_wrong_in_between_is_survived(
    ongage_inside: OngageClient, inside: Emulator, fault: Fault, retry: RetryPolicy
):
    import_id = await started(ongage_inside, inside, Step(40001, for_s=5), Step(40002, for_s=900), Step(40003))
    inside.faults.add("imports.get", fault, times=12, every=2)
    snapshots = await watched(ongage_inside.with_options(retry=retry), import_id)
    assert snapshots[0].status in (40001, 40002)
    assert snapshots[-1].is_completed


async def test_an_hour_of_maintenance_is_survived(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, Step(40002, for_s=10), Step(40003))
    maintenance = inside.faults.add("*", Fault.status(503), skip=1)
    async with anyio.create_task_group() as tasks:

        async def end() -> None:
            await anyio.sleep(3600)
            inside.faults.remove(maintenance)

        tasks.start_soon(end)
        assert (await watched(ongage_inside, import_id))[-1].is_completed


async def test_after_hours_of_nothing_but_failures_the_last_one_is_raised(
    ongage_inside: OngageClient, inside: Emulator
):
    import_id = await started(ongage_inside, inside, 40001)
    inside.faults.add("imports.get", Fault.status(503))
    began = anyio.current_time()
    with pytest.raises(ServerError) as caught:
        await watched(ongage_inside, import_id)
    assert 7200 <= anyio.current_time() - began < 3 * 3600
    assert "without a success" in caught.value.__notes__[-1]


async def test_what_waiting_does_not_cure_is_raised_at_once(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, 40002, 40003)
    inside.faults.add("imports.get", Fault.status(401), skip=1)
    with pytest.raises(AuthenticationError):
        await watched(ongage_inside, import_id)
    assert inside.witness.count("imports.get") == 2


async def test_an_import_that_nobody_knows_is_not_found_at_once(ongage_inside: OngageClient, inside: Emulator):
    with pytest.raises(NotFoundError):
        await watched(ongage_inside, 1)
    assert inside.witness.count("imports.get") == 1


async def test_an_import_just_created_may_appear_late(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, 40003)
    inside.faults.add("imports.get", Fault.status(404), times=5)
    snapshots = await watched(ongage_inside, import_id, just_created=True)
    assert snapshots[-1].is_completed


async def test_an_import_that_vanishes_is_told_with_its_last_status(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, Step(40002, progress=46))
    watch = ongage_inside.imports.watch(import_id)
    assert [int((await anext(watch)).status) for _ in range(2)] == [40001, 40002]
    inside.state.imports.clear()
    with pytest.raises(NotFoundError) as caught:
        await anext(watch)
    assert "last seen: status 40002" in caught.value.__notes__[-1]


async def test_a_404_that_passes_is_no_end(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, 40002, 40003)
    inside.faults.add("imports.get", Fault.status(404), times=2, skip=1)
    assert (await watched(ongage_inside, import_id))[-1].is_completed


async def test_a_failed_import_ends_the_watch_and_fails_the_wait(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001, Step(90001, info="disk full"))
    assert (await watched(ongage_inside, import_id))[-1].is_failed
    with pytest.raises(ImportFailedError, match="disk full"):
        await ongage_inside.imports.wait(import_id)


async def test_an_interval_of_the_callers_replaces_the_cadence(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, Step(40002, for_s=100), Step(40003))
    await watched(ongage_inside, import_id, interval_s=20)
    assert inside.witness.count("imports.get") == 6


async def test_a_caller_that_waits_no_longer_leaves_nothing_behind(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40001)
    inside.latency = 5.0
    with anyio.move_on_after(2.0):
        await watched(ongage_inside, import_id)
    await anyio.sleep(10)
    seen = await ongage_inside.governor.statistics()
    assert (seen.open, inside.witness.count("imports.get")) == (0, 1)


async def test_a_timeout_of_one_look_does_not_end_the_wait(ongage_inside: OngageClient, inside: Emulator):
    import_id = await started(ongage_inside, inside, 40003)
    inside.faults.add("imports.get", Fault.delay(100), times=1)
    view = ongage_inside.with_options(timeout_s=10.0, retry=RetryPolicy.none())
    with pytest.raises(ResponseTimeoutError):
        await view.imports.get(import_id)
    inside.faults.clear()
    inside.faults.add("imports.get", Fault.delay(100), times=1)
    assert (await view.imports.wait(import_id)).is_completed
