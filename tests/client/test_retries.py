"""Back-off, budget and uncertainty through the whole client, told by the emulator's witness.

In virtual time and in process.
"""

import time
from itertools import pairwise
from typing import Any

import anyio
import pytest

from ongage_async import (
    BudgetError,
    ConnectionLostError,
    Credentials,
    DecodeError,
    Governor,
    Limits,
    OngageClient,
    OngageError,
    Outcome,
    RateLimitedError,
    Repeat,
    RetryPolicy,
    ServerError,
)
from ongage_async.emulator import Emulator, Fault, Readings
from ongage_async.events import AccountPaused, AttemptEnded, CallEnded, Event
from tests.client.variants import variants

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

URL = "https://files.example.com/contacts.csv"


async def test_31_minutes_of_the_vendors_ladder_pass_in_milliseconds(ongage_inside: OngageClient, inside: Emulator):
    inside.faults.add("lists.page", Fault.status(503))
    began, virtual = time.monotonic(), anyio.current_time()
    with pytest.raises(ServerError) as caught:
        await ongage_inside.lists.page()
    arrivals = [call.arrived_at for call in inside.witness.calls]
    waits = [later - earlier for earlier, later in pairwise(arrivals)]
    for wait_s, step_s in zip(waits, (60, 120, 240, 480, 960), strict=True):
        assert step_s <= wait_s <= step_s * 1.1 + 0.1
    assert anyio.current_time() - virtual >= 31 * 60
    assert time.monotonic() - began < 30.0  # half of the shortest wait
    assert (caught.value.attempts, len(caught.value.__notes__)) == (6, 6)


async def test_a_call_that_recovers_on_the_last_step_is_a_success(ongage_inside: OngageClient, inside: Emulator):
    inside.faults.add("lists.page", Fault.status(504), times=5)
    assert (await ongage_inside.lists.page()).total == 1
    assert inside.witness.count("lists.page") == 6


NEVER_CALLS: dict[str, Any] = {
    "imports.create": lambda ongage: ongage.imports.create(URL, send_welcome_message=True),
    "lists.create": lambda ongage: ongage.request(
        "POST", "/api/lists", json={"name": "x", "type": "sending"}, repeat=Repeat.NEVER
    ),
}
UNCERTAIN = {
    "503": (Fault.status(503, after_execution=True), ServerError),
    "drop": (Fault.drop(after_execution=True), ConnectionLostError),
    "half a body": (Fault.half_body(), ConnectionLostError),
    "garbage": (Fault.garbage(), DecodeError),
}


@pytest.mark.parametrize("operation", NEVER_CALLS)
@pytest.mark.parametrize("fault", UNCERTAIN)
async def test_an_uncertain_never_call_is_raised_and_the_witness_saw_one_execution(
    ongage_inside: OngageClient, inside: Emulator, operation: str, fault: str
):
    happens, kind = UNCERTAIN[fault]
    inside.faults.add(operation, happens)
    with pytest.raises(kind) as caught:
        await NEVER_CALLS[operation](ongage_inside)
    await anyio.sleep(3600)
    assert caught.value.outcome is Outcome.UNKNOWN
    assert inside.witness.count(operation) == inside.witness.count(operation, executed=True) == 1


@pytest.mark.parametrize("fault", UNCERTAIN)
async def test_an_uncertain_creation_of_contacts_is_repeated_only_when_it_overwrites(
    ongage_inside: OngageClient, inside: Emulator, fault: str
):
    happens, kind = UNCERTAIN[fault]
    rule = inside.faults.add("contacts.create", happens, times=1)
    with pytest.raises(kind):
        await ongage_inside.contacts.create([{"email": "a@doe.com"}])
    assert inside.witness.count("contacts.create") == 1
    inside.faults.remove(rule)
    if kind is DecodeError:  # an answer came: reading it again would not make it clearer
        return
    inside.faults.add("contacts.create", happens, times=1)
    report = await ongage_inside.contacts.create([{"email": "a@doe.com", "name": "A"}], overwrite=True)
    assert inside.witness.count("contacts.create") == 3
    assert len(report) == 1


@pytest.mark.parametrize("fault", [Fault.drop(), Fault.status(503)])
async def test_a_refused_call_executes_nothing_and_is_not_repeated_blindly(
    ongage_inside: OngageClient, inside: Emulator, fault: Fault
):
    inside.faults.add("lists.create", fault, times=1)
    with pytest.raises(OngageError) as caught:
        await ongage_inside.lists.create("x", "sending")
    assert caught.value.outcome is Outcome.UNKNOWN
    assert inside.witness.count("lists.create", executed=True) == 0
    assert len(inside.state.lists) == 1


# --- the account's budget, under every reading of the limits ---------------------------------------------------------


@pytest.fixture(
    params=variants(
        window=["sliding"],
        eleventh=["503", "queue"],
        denied_calls_count=[True],
        retry_after=[True],
        error_status_200=[True],
    )
)
def strict(request: pytest.FixtureRequest) -> Emulator:
    """An emulator that enforces a small account's limits."""
    return Emulator(calls=20, per_s=60.0, parallel=3, latency=0.5, readings=Readings(**request.param))


def client_inside(emulator: Emulator, http_client: Any, governor: Governor, events: list[Event]) -> OngageClient:
    made = emulator.credentials
    return OngageClient(
        Credentials(made.username, made.password, made.account_code),
        base_url=emulator.url,
        http_client=http_client,
        governor=governor,
        on_event=events.append,
    )


async def test_two_clients_that_share_a_governor_are_never_refused(strict: Emulator):
    governor = Governor(Limits(calls=20, per_s=60.0, parallel=3))
    async with strict.http_client() as http_client, anyio.create_task_group() as tasks:
        for _ in range(2):
            one = client_inside(strict, http_client, governor, [])
            for _ in range(35):
                tasks.start_soon(one.lists.page)
    assert strict.witness.count(status=200) == len(strict.witness) == 70
    assert strict.witness.worst_window(60.0) <= 20
    assert strict.witness.worst_open() <= 3


async def test_two_clients_that_do_not_share_are_refused_and_every_call_still_ends_well(strict: Emulator):
    events: list[Event] = []
    async with strict.http_client() as http_client, anyio.create_task_group() as tasks:
        for _ in range(2):
            one = client_inside(strict, http_client, Governor(Limits(calls=20, per_s=60.0, parallel=3)), events)
            for _ in range(15):
                tasks.start_soon(one.lists.page)
    ended = [event for event in events if isinstance(event, CallEnded)]
    assert (len(ended), {event.error for event in ended}) == (30, {None})
    assert any(
        isinstance(event, AccountPaused | AttemptEnded) and getattr(event, "status", 0) != 200 for event in events
    )
    assert strict.witness.count("lists.page", executed=True) == 30


async def test_a_call_that_may_not_wait_is_refused_at_once_with_the_time_to_come_again(
    ongage_inside: OngageClient, inside: Emulator
):
    hasty = ongage_inside.with_options(max_wait_s=5.0)
    inside.faults.add("lists.page", Fault.status(429), times=1)
    began = anyio.current_time()
    with pytest.raises(RateLimitedError) as first:
        await hasty.lists.page()
    with pytest.raises(BudgetError) as second:
        await hasty.contacts.get_by_email("a@doe.com")
    assert anyio.current_time() == pytest.approx(began)
    assert (first.value.outcome, second.value.outcome) == (Outcome.REJECTED, Outcome.NOT_SENT)
    assert 59 < second.value.retry_after_s <= 66
    await anyio.sleep(second.value.retry_after_s)
    assert (await hasty.lists.page()).total == 1


async def test_without_retries_the_first_error_is_raised(ongage_inside: OngageClient, inside: Emulator):
    inside.faults.add("lists.page", Fault.status(500))
    with pytest.raises(ServerError):
        await ongage_inside.with_options(retry=RetryPolicy.none()).lists.page()
    assert len(inside.witness) == 1
