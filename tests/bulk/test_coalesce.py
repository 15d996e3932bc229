"""Single upserts of many tasks in shared calls: each task gets what is its own, and nobody disturbs another."""

import traceback
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from ongage_async import (
    AuthenticationError,
    BudgetError,
    ConfigurationError,
    Governor,
    InvalidInputError,
    Lane,
    Limits,
    OngageClient,
    RetryPolicy,
    ServerError,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.models import NewContact, RowKind, RowOutcome
from tests.bulk import streams

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@pytest.fixture
def inside() -> Emulator:
    return streams.emulator()


@pytest.fixture
async def ongage(inside: Emulator) -> AsyncIterator[OngageClient]:
    async with streams.client(inside) as client:
        yield client


async def together(contacts: Any, rows: list[Any], *, in_order: bool = False) -> list[RowOutcome | Exception]:
    """Upsert every row in a task of its own; return how each ended. Trio begins tasks in any order, unless asked."""
    ends: list[Any] = [None] * len(rows)

    async def one(place: int, row: Any) -> None:
        try:
            ends[place] = await contacts.upsert(row)
        except Exception as error:  # noqa: BLE001 - that is what is looked at
            ends[place] = error

    async with anyio.create_task_group() as tasks:
        for place, row in enumerate(rows):
            tasks.start_soon(one, place, row)
            if in_order:
                await anyio.sleep(0.001)
    return ends


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {"email": f"c{number}@doe.com", **fields}


async def test_a_thousand_handlers_cost_fifty_calls_and_each_gets_its_own_outcome(
    ongage: OngageClient, inside: Emulator
):
    async with ongage.contacts.coalesced() as contacts:
        ends = await together(contacts, [row(number) for number in range(1000)])
    assert contacts.calls == inside.witness.count("contacts.create") == 50
    book = inside.state.default_list
    for number, end in enumerate(ends):
        assert isinstance(end, RowOutcome)
        assert (end.email, end.kind) == (f"c{number}@doe.com", RowKind.CREATED)
        assert end.contact_id == book.contact(f"c{number}@doe.com")["id"]


async def test_a_lone_row_waits_no_longer_than_the_delay(ongage: OngageClient):
    async with ongage.contacts.coalesced(max_delay_s=0.05) as contacts:
        began = anyio.current_time()
        await contacts.upsert(row(1))
        assert anyio.current_time() - began == pytest.approx(0.05)


async def test_a_full_call_leaves_at_once(ongage: OngageClient):
    async with ongage.contacts.coalesced(max_rows=3, max_delay_s=60) as contacts:
        began = anyio.current_time()
        await together(contacts, [row(number) for number in range(3)])
        assert anyio.current_time() - began < 1


async def test_rejected_rows_are_outcomes_and_harm_nobody(inside: Emulator):
    for reading in ("row", "batch"):
        inside.readings.invalid_row = reading  # type: ignore[assignment]
        rows = [row(number, product_id="no number" if number in (3, 11) else 7) for number in range(20)]
        async with streams.client(inside) as ongage, ongage.contacts.coalesced() as contacts:
            ends = await together(contacts, rows)
        kinds = [end.kind for end in ends if isinstance(end, RowOutcome)]
        assert [place for place, kind in enumerate(kinds) if kind is RowKind.REJECTED] == [3, 11]
        assert "numeric" in str(ends[3].reason)  # type: ignore[union-attr]
        assert len(inside.state.default_list.contacts) == 18


async def test_the_last_write_to_an_address_wins_and_earlier_ones_get_its_outcome(
    ongage: OngageClient, inside: Emulator
):
    async with ongage.contacts.coalesced() as contacts:
        rows = [row(1, first_name="x", country="Chile"), row(2), row(1, first_name="y"), row(1, first_name="z")]
        ends = await together(contacts, rows, in_order=True)
    assert [end.kind for end in ends if isinstance(end, RowOutcome)] == [RowKind.CREATED] * 4
    kept = inside.state.default_list.contact("c1@doe.com")
    assert (kept["first_name"], kept["country"]) == ("z", "Chile")
    assert contacts.calls == 1


async def test_merged_rows_are_judged_apart_when_one_is_bad(ongage: OngageClient, inside: Emulator):
    async with ongage.contacts.coalesced() as contacts:
        rows = [row(1, product_id="no number"), row(1, first_name="y")]
        ends = await together(contacts, rows, in_order=True)
    assert [end.kind for end in ends if isinstance(end, RowOutcome)] == [RowKind.REJECTED, RowKind.CREATED]
    assert inside.state.default_list.contact("c1@doe.com")["first_name"] == "y"


async def test_calls_that_share_an_address_never_overtake_each_other(inside: Emulator):
    latency = iter([5.0, 0.1, 0.1])
    inside.latency = lambda _: next(latency)
    async with (
        streams.client(inside) as ongage,
        ongage.contacts.coalesced(max_rows=2, max_delay_s=0.01) as contacts,
        anyio.create_task_group() as tasks,
    ):
        for name in ("first", "second", "third"):
            tasks.start_soon(contacts.upsert, row(1, first_name=name))
            await anyio.sleep(0.1)
    assert inside.state.default_list.contact("c1@doe.com")["first_name"] == "third"


async def test_a_row_that_does_not_overwrite_goes_in_a_call_of_its_own(ongage: OngageClient, inside: Emulator):
    async with ongage.contacts.coalesced() as contacts:
        rows = [row(1, first_name="x"), NewContact("c1@doe.com", {}, overwrite=False)]
        ends = await together(contacts, rows, in_order=True)
    assert [end.kind for end in ends if isinstance(end, RowOutcome)] == [RowKind.CREATED, RowKind.REJECTED]
    assert contacts.calls == 2


async def test_an_error_of_the_call_is_raised_in_every_task_as_one_of_its_own(inside: Emulator):
    inside.faults.add("contacts.create", Fault.status(503))
    async with streams.client(inside, retry=RetryPolicy.none()) as ongage, ongage.contacts.coalesced() as contacts:
        ends = await together(contacts, [row(number) for number in range(20)])
    errors = [end for end in ends if isinstance(end, ServerError)]
    assert len({id(error) for error in errors}) == 20
    assert len({id(error.__notes__) for error in errors}) == 20
    assert {len(traceback.extract_tb(error.__traceback__)) for error in errors} == {3}
    assert {(error.operation, error.status) for error in errors} == {("contacts.create", 503)}


async def test_the_options_of_the_view_hold(inside: Emulator):
    governor = Governor(Limits(calls=1, per_s=60.0, parallel=10))
    async with streams.client(inside, governor=governor) as ongage:
        form = ongage.with_options(lane=Lane.URGENT, max_wait_s=1.0)
        async with form.contacts.coalesced(max_rows=2) as contacts:
            ends = await together(contacts, [row(number) for number in range(4)], in_order=True)
            assert [type(end) for end in ends] == [RowOutcome, RowOutcome, BudgetError, BudgetError]
            assert ends[2].retry_after_s > 30  # type: ignore[union-attr]
            await anyio.sleep(61)
            assert (await contacts.upsert(row(9))).kind is RowKind.CREATED  # it goes on: the next call is another
    lanes = (await governor.statistics()).lanes
    assert (lanes[Lane.URGENT].granted, lanes[Lane.NORMAL].granted) == (2, 0)


async def test_hopeless_errors_reach_who_was_in_the_call_and_later_calls_are_tried(inside: Emulator):
    inside.faults.add("contacts.create", Fault.status(401), times=1)
    async with streams.client(inside) as ongage, ongage.contacts.coalesced(max_rows=2) as contacts:
        ends = await together(contacts, [row(number) for number in range(2)])
        assert [type(end) for end in ends] == [AuthenticationError, AuthenticationError]
        assert (await contacts.upsert(row(3))).kind is RowKind.CREATED


async def test_bad_input_concerns_its_own_task_only(ongage: OngageClient, inside: Emulator):
    async with ongage.contacts.coalesced() as contacts:
        ends = await together(contacts, [row(1), {"first_name": "x"}, 7, row(2)])
        assert [type(end) for end in ends] == [RowOutcome, InvalidInputError, InvalidInputError, RowOutcome]
    for wrong in ({"max_rows": 0}, {"max_rows": 501}, {"max_delay_s": -1}, {"max_delay_s": float("nan")}):
        with pytest.raises(InvalidInputError):
            ongage.contacts.coalesced(**wrong)


# --- coming and going


async def test_a_cancelled_task_takes_its_row_out_and_hurts_nobody(ongage: OngageClient, inside: Emulator):
    async with ongage.contacts.coalesced(max_delay_s=1.0) as contacts, anyio.create_task_group() as tasks:
        tasks.start_soon(contacts.upsert, row(1, first_name="x"))
        with anyio.move_on_after(0.5):
            await contacts.upsert(row(1, first_name="y"))
        with anyio.move_on_after(0.1):
            await contacts.upsert(row(2))
    assert [contact.email for contact in inside.state.default_list.contacts] == ["c1@doe.com"]
    assert inside.state.default_list.contact("c1@doe.com")["first_name"] == "x"


async def test_when_all_have_left_no_call_is_made(ongage: OngageClient, inside: Emulator):
    async with ongage.contacts.coalesced(max_delay_s=1.0) as contacts:
        with anyio.move_on_after(0.5):
            await contacts.upsert(row(1))
    assert contacts.calls == inside.witness.count("contacts.create") == 0


async def test_a_task_that_leaves_after_its_call_has_left_changes_nothing(ongage: OngageClient, inside: Emulator):
    inside.latency = 5.0
    ends: list[Any] = []
    async with ongage.contacts.coalesced() as contacts:

        async def other() -> None:
            ends.append(await contacts.upsert(row(2)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            with anyio.move_on_after(1.0):
                await contacts.upsert(row(1))
    assert [end.kind for end in ends] == [RowKind.CREATED]
    assert len(inside.state.default_list.contacts) == 2


async def test_a_task_that_leaves_while_its_call_waits_for_its_turn_changes_nothing(
    ongage: OngageClient, inside: Emulator
):
    inside.latency = 5.0
    async with ongage.contacts.coalesced() as contacts, anyio.create_task_group() as tasks:
        tasks.start_soon(contacts.upsert, row(1, first_name="x"))
        await anyio.sleep(0.1)
        tasks.start_soon(contacts.upsert, row(1, first_name="y"))
        with anyio.move_on_after(1.0):
            await contacts.upsert(row(2))
    assert contacts.calls == 2
    assert {contact.email for contact in inside.state.default_list.contacts} == {"c1@doe.com", "c2@doe.com"}
    assert contacts._order._open == {}


async def test_leaving_the_block_sends_what_waits_and_waits_for_it(ongage: OngageClient, inside: Emulator):
    inside.latency = 2.0
    ends: list[Any] = []

    async def handler(number: int) -> None:
        ends.append(await contacts.upsert(row(number)))

    async with anyio.create_task_group() as tasks:
        async with ongage.contacts.coalesced(max_delay_s=3600) as contacts:
            for number in range(5):
                tasks.start_soon(handler, number)
            await anyio.sleep(0.1)
        assert len(inside.state.default_list.contacts) == 5
        with pytest.raises(ConfigurationError, match="closed"):
            await contacts.upsert(row(9))
    assert len(ends) == 5


@pytest.mark.parametrize("seed", range(5))
async def test_a_storm_of_cancellations_loses_no_outcome_of_who_stays(
    ongage: OngageClient, inside: Emulator, seed: int
):
    """Every task ends as it should: cancelled at its own deadline, or with its own address's outcome."""
    inside.latency = 0.03
    stayed: list[str] = []

    async def handler(number: int) -> None:
        with anyio.move_on_after(0.01 * ((number * 7 + seed) % 12)) as scope:
            outcome = await contacts.upsert(row(number))
            assert (outcome.email, outcome.kind) == (f"c{number}@doe.com", RowKind.CREATED)
        if not scope.cancelled_caught:
            stayed.append(f"c{number}@doe.com")

    async with ongage.contacts.coalesced(max_rows=7, max_delay_s=0.02) as contacts, anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(handler, number)
            await anyio.sleep(0.001)
    assert stayed
    assert set(stayed) <= {contact.email for contact in inside.state.default_list.contacts}
    assert (await ongage.governor.statistics()).open == 0
