"""Watchers of imports of one list share their calls: how many it takes, and that nobody notices but the account."""

import gc
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from ongage_async import AuthenticationError, NotFoundError, OngageClient, RetryPolicy, ServerError
from ongage_async._together import Group, Groups
from ongage_async.emulator import Emulator, Fault, Step
from ongage_async.models import Import
from tests.bulk import streams

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

URL = "https://files.example.com/contacts.csv"
HOUR = [Step(40001, for_s=600), Step(40002, for_s=1800, progress=5), Step(40002, for_s=1200, progress=60), Step(40003)]
MINUTES = [Step(40001, for_s=60), Step(40002, for_s=120, progress=5), Step(40002, for_s=180, progress=60), Step(40003)]


@pytest.fixture(params=["mixed", "strings"])
def inside(request: pytest.FixtureRequest) -> Emulator:
    made = streams.emulator()
    made.readings.import_single = request.param
    made.imports.script = HOUR
    return made


@pytest.fixture
async def ongage(inside: Emulator) -> AsyncIterator[OngageClient]:
    async with streams.client(inside) as client:
        yield client


async def started(ongage: OngageClient, count: int) -> list[int]:
    return [(await ongage.imports.create(URL)).id for _ in range(count)]


async def all_watched(ongage: OngageClient, ids: list[int], *, apart_s: float = 0.0) -> dict[int, list[Import]]:
    seen: dict[int, list[Import]] = {}

    async def watch(import_id: int) -> None:
        seen[import_id] = [snapshot async for snapshot in ongage.imports.watch(import_id)]

    async with anyio.create_task_group() as tasks:
        for import_id in ids:
            tasks.start_soon(watch, import_id)
            if apart_s:
                await anyio.sleep(apart_s)
    return seen


def looks(inside: Emulator) -> tuple[int, int]:
    return inside.witness.count("imports.get"), inside.witness.count("imports.page")


# --- what it costs


async def test_a_hundred_watchers_of_one_list_cost_what_one_costs(ongage: OngageClient, inside: Emulator):
    inside.imports.script = MINUTES
    await all_watched(ongage, await started(ongage, 1))
    alone, _ = looks(inside)
    seen = await all_watched(ongage, await started(ongage, 100))
    single, shared = looks(inside)
    assert single - alone + shared <= alone + 5
    statuses = {tuple((int(each.status or 0), each.progress_pct) for each in job) for job in seen.values()}
    assert statuses == {((40001, 0), (40002, 5), (40002, 60), (40003, 100))}


async def test_a_lone_watcher_asks_for_its_own_import_only(ongage: OngageClient, inside: Emulator):
    await all_watched(ongage, await started(ongage, 1))
    assert looks(inside)[1] == 0


async def test_watchers_that_come_at_different_times_share_all_the_same(ongage: OngageClient, inside: Emulator):
    """Twelve imports, one begun every 20 s: the youngest sets the pace, and the others take what it sees."""
    seen = await all_watched(ongage, await started(ongage, 12), apart_s=20)
    assert all(job[-1].is_completed for job in seen.values())
    assert sum(looks(inside)) < 400
    assert looks(inside)[0] < 20


async def test_shared_looks_are_on_the_bulk_lane(ongage: OngageClient, inside: Emulator):
    await all_watched(ongage, await started(ongage, 3))
    lanes = (await ongage.governor.statistics()).lanes
    assert [lanes[lane].granted for lane in lanes] == [0, 3, sum(looks(inside))]


async def test_the_newest_are_asked_for_and_enough_of_them(inside: Emulator):
    """The order without `sort` is not known, and a watched import may be the oldest of those that are watched."""
    asked: list[str] = []
    app = inside.app

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope["query_string"].decode())
        await app(scope, receive, send)

    inside.app = noting  # type: ignore[assignment]
    async with streams.client(inside) as ongage:
        watches = [ongage.imports.watch(each) for each in await started(ongage, 2)]
        for watch in watches:
            await anext(watch)
    assert asked[-1] == "sort=id&order=DESC&limit=100"


async def test_views_with_other_options_and_other_lists_look_for_themselves(inside: Emulator):
    async with streams.client(inside) as ongage:
        ids = await started(ongage, 2)
        watches = [
            ongage.imports.watch(ids[0]),
            ongage.with_options(timeout_s=7.0).imports.watch(ids[0]),
            ongage.imports.watch(ids[1], list_id=inside.default_list_id),
        ]
        for watch in watches:
            await anext(watch)
        assert looks(inside) == (3, 0)
        await anext(ongage.with_options().imports.watch(ids[1]))
        assert looks(inside) == (3, 1)


# --- what the watchers see


async def test_a_change_of_shape_alone_is_no_news(ongage: OngageClient, inside: Emulator):
    """A single answer and the collection differ in keys and in `type`; who changes between the two sees no change."""
    inside.imports.script = [Step(40002, for_s=1000, progress=46), Step(40003)]
    first, second = await started(ongage, 2)
    seen: list[Import] = []

    async def long() -> None:
        async for snapshot in ongage.imports.watch(first):
            seen.append(snapshot)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(long)
        for _ in range(5):
            await anyio.sleep(60)
            with anyio.move_on_after(30):
                async for _ in ongage.imports.watch(second):
                    pass
    assert looks(inside)[0] > 10
    assert looks(inside)[1] > 5
    assert [int(each.status or 0) for each in seen] == [40002, 40003]


async def test_what_the_collection_does_not_show_is_asked_for_singly(ongage: OngageClient, inside: Emulator):
    older = await started(ongage, 1)
    await started(ongage, 150)
    newer = await started(ongage, 2)
    seen = await all_watched(ongage, older + newer)
    assert all(job[-1].is_completed for job in seen.values())
    single, shared = looks(inside)
    assert abs(single - shared) <= 5


async def test_a_collection_that_shows_none_of_the_jobs_is_left_alone_for_a_while(
    ongage: OngageClient, inside: Emulator
):
    older = await started(ongage, 2)
    await started(ongage, 150)
    seen = await all_watched(ongage, older)
    assert all(job[-1].is_completed for job in seen.values())
    single, shared = looks(inside)
    assert shared <= 35
    assert single <= 2 * 160


@pytest.mark.parametrize(
    "fault",
    [Fault.status(400), Fault.status(404), Fault.status(412), Fault.garbage(), Fault.status(200, {"payload": [{}]})],
    ids=["400", "404", "412", "garbage", "an import without an id"],
)
async def test_a_collection_that_cannot_be_used_is_no_trouble(ongage: OngageClient, inside: Emulator, fault: Fault):
    inside.faults.add("imports.page", fault)
    seen = await all_watched(ongage, await started(ongage, 3))
    assert all(job[-1].is_completed for job in seen.values())


async def test_an_import_that_just_began_may_be_missing_in_the_collection(ongage: OngageClient, inside: Emulator):
    first, second = await started(ongage, 2)
    await anext(ongage.imports.watch(first))
    inside.faults.add("imports.page", Fault.status(200, {"metadata": {"error": False}, "payload": []}), times=1)
    assert (await anext(ongage.imports.watch(second, just_created=True))).id == second


async def test_one_that_vanishes_is_told_to_its_own_watcher_only(ongage: OngageClient, inside: Emulator):
    ids = await started(ongage, 3)
    ends: dict[int, Any] = {}

    async def watch(import_id: int) -> None:
        try:
            ends[import_id] = [each async for each in ongage.imports.watch(import_id)][-1].is_completed
        except NotFoundError as error:
            ends[import_id] = error.__notes__[-1]

    async with anyio.create_task_group() as tasks:
        for import_id in ids:
            tasks.start_soon(watch, import_id)
        await anyio.sleep(700)
        del inside.state.imports[ids[1]]
    assert ends[ids[0]] is ends[ids[2]] is True
    assert "last seen: status 40002" in ends[ids[1]]


# --- trouble


async def test_an_hour_of_maintenance_is_survived_by_all_for_the_price_of_one(ongage: OngageClient, inside: Emulator):
    ids = await started(ongage, 20)
    maintenance = inside.faults.add("imports.*", Fault.status(503), skip=30)

    async def end() -> None:
        await anyio.sleep(3600)
        inside.faults.remove(maintenance)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        seen = await all_watched(ongage, ids)
    assert all(job[-1].is_completed for job in seen.values())
    assert sum(looks(inside)) < 250


async def test_each_watcher_gets_an_error_of_its_own_when_patience_is_used_up(inside: Emulator):
    async with streams.client(inside, retry=RetryPolicy.none()) as ongage:
        ids = await started(ongage, 5)
        inside.faults.add("imports.*", Fault.status(503))
        errors: list[ServerError] = []

        async def watch(import_id: int) -> None:
            with pytest.raises(ServerError) as caught:
                [each async for each in ongage.imports.watch(import_id)]
            errors.append(caught.value)

        async with anyio.create_task_group() as tasks:
            for import_id in ids:
                tasks.start_soon(watch, import_id)
    assert len({id(error) for error in errors}) == 5
    assert all(sum("without a success" in note for note in error.__notes__) == 1 for error in errors)


async def test_what_waiting_does_not_cure_is_raised_at_once(ongage: OngageClient, inside: Emulator):
    ids = await started(ongage, 3)
    watches = [ongage.imports.watch(each) for each in ids]
    for watch in watches:
        await anext(watch)
    inside.faults.add("imports.*", Fault.status(401))
    for watch in watches:
        with pytest.raises(AuthenticationError):
            await anext(watch)


# --- coming and going


async def test_who_leaves_in_the_middle_of_a_look_disturbs_nobody(ongage: OngageClient, inside: Emulator):
    """The one that began the call is cancelled; the others get their answer from that same call."""
    ids = await started(ongage, 4)
    watches = [ongage.imports.watch(each) for each in ids]
    for watch in watches:
        await anext(watch)
    inside.latency = 1.5
    before = looks(inside)
    seen: list[int] = []

    async def follow(watch: Any) -> None:
        seen.append((await anext(watch)).status)

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            for watch in watches[1:]:
                tasks.start_soon(follow, watch)

            async def leave() -> None:
                await anyio.sleep(2.5)
                scope.cancel()

            tasks.start_soon(leave)
            await anext(watches[0])
        assert scope.cancelled_caught
        await anyio.sleep(0.6)
        assert (looks(inside)[0] - before[0], looks(inside)[1] - before[1]) == (0, 1)
    assert seen == [40002] * 3


async def test_when_all_leave_the_call_is_given_up_and_nothing_is_left(ongage: OngageClient, inside: Emulator):
    ids = await started(ongage, 3)
    watches = [ongage.imports.watch(each) for each in ids]
    for watch in watches:
        await anext(watch)
    inside.faults.add("imports.page", Fault.status(503))

    with anyio.move_on_after(100):
        async with anyio.create_task_group() as tasks:
            for watch in watches:
                tasks.start_soon(anext, watch)
    calls = sum(looks(inside))
    await anyio.sleep(4000)
    assert sum(looks(inside)) == calls
    assert (await ongage.governor.statistics()).open == 0
    inside.faults.clear()
    assert (await anext(watches[0])).is_completed


async def test_a_watcher_that_was_dropped_does_not_count_for_long(ongage: OngageClient, inside: Emulator):
    first, second = await started(ongage, 2)
    await anext(ongage.imports.watch(second))
    async for snapshot in ongage.imports.watch(first):
        if snapshot.progress_pct == 5:
            break
    single, shared = looks(inside)
    assert shared <= 4
    assert single > 20


def test_a_group_lasts_as_long_as_somebody_holds_it():
    groups: Groups[int] = Groups()
    held: Group[int] = groups.of("options", 7)
    assert groups.of("options", 7) is held
    assert groups.of("options", None) is not held
    del held
    gc.collect()
    assert len(groups._known) == 0
