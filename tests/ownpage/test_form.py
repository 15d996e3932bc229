"""The subscribe form: without a token, and with a budget of its own."""

import pytest

from ongage_async import BadRequestError, BudgetError, Governor, Limits, OwnpageClient
from ongage_async.emulator import Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.errors import ConnectionLostError, InvalidInputError, RateLimitedError
from tests.client.conftest import Wire
from tests.ownpage.conftest import client_of

pytestmark = pytest.mark.anyio


def keys(emulator: OwnpageEmulator) -> dict[str, str]:
    return {"tracking_key": emulator.customer.tracking_key, "form_key": emulator.customer.form_key}


async def test_a_sign_up_carries_the_forms_key_and_no_token(
    ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator
):
    await ownpage.lists.page()
    done = await ownpage.form.create("email@ownpage.fr", **keys(emulator), data={"firstname": "Jean"})
    assert wire.last.line == "POST /v1/subscribe/emulated-tracking"
    assert wire.last.body == {"form_key": "emulated-form", "email": "email@ownpage.fr", "data_firstname": "Jean"}
    assert "x-ownpage-client-token" not in wire.last.headers
    assert done.success is not None
    assert done.success.startswith("Thank you for registering!")
    assert emulator.state.sign_ups == [{"email": "email@ownpage.fr", "data_firstname": "Jean"}]
    with pytest.raises(BadRequestError, match="Invalid request"):
        await ownpage.form.create("email@ownpage.fr", tracking_key="emulated-tracking", form_key="other")


async def test_somebody_who_is_there_can_be_changed(ownpage: OwnpageClient, wire: Wire, emulator: OwnpageEmulator):
    await ownpage.subscribers.create([{"email": "a@doe.fr", "guid": "7"}])
    done = await ownpage.form.create("a@doe.fr", **keys(emulator), data={"lastname": "Todt"}, update=True)
    assert (wire.last.body["update"], done.success) == (True, "Subscriber has been successfully updated.")
    await ownpage.form.update("7", {"firstname": "Jean"}, tracking_key="emulated-tracking")
    assert wire.last.line == "PUT /v1/subscribe/emulated-tracking"
    assert wire.last.body == {"guid": "7", "data_firstname": "Jean"}
    assert emulator.state.first_list.get("a@doe.fr").data == {"data_lastname": "Todt", "data_firstname": "Jean"}  # type: ignore[union-attr]
    with pytest.raises(BadRequestError, match="unknown subscriber"):
        await ownpage.form.update("8", {"firstname": "Jean"}, tracking_key="emulated-tracking")
    with pytest.raises(InvalidInputError):
        await ownpage.form.update("7", {}, tracking_key="emulated-tracking")


async def test_the_sixth_of_a_minute_waits_or_is_refused_and_holds_nothing_else_up(
    ownpage: OwnpageClient, emulator: OwnpageEmulator
):
    for number in range(5):
        await ownpage.form.create(f"s{number}@doe.fr", **keys(emulator))
    with pytest.raises(BudgetError) as caught:
        await ownpage.with_options(max_wait_s=1.0).form.create("s6@doe.fr", **keys(emulator))
    assert 50 < caught.value.retry_after_s <= 61
    assert len(await ownpage.lists.page()) == 1
    assert emulator.witness.count("form.create") == 5
    assert emulator.witness.count(status=429) == 0


async def test_a_client_that_knows_no_limit_meets_the_vendors(emulator: OwnpageEmulator):
    free = Governor(Limits(calls=1_000))
    async with client_of(emulator, form_governor=free) as ownpage:
        view = ownpage.with_options(max_wait_s=0.0)
        for number in range(5):
            await view.form.create(f"s{number}@doe.fr", **keys(emulator))
        with pytest.raises(RateLimitedError, match="Calls per minute exceeded"):
            await view.form.create("s6@doe.fr", **keys(emulator))
        assert len(await view.lists.page()) == 1  # the form's pause is not the account's


async def test_a_sign_up_whose_answer_is_lost_is_never_repeated(ownpage: OwnpageClient, emulator: OwnpageEmulator):
    emulator.faults.add("form.create", Fault.drop(after_execution=True))
    with pytest.raises(ConnectionLostError):
        await ownpage.form.create("a@doe.fr", **keys(emulator))
    assert len(emulator.state.sign_ups) == 1


@pytest.mark.virtual_time
async def test_fifty_sign_ups_take_nine_minutes_and_no_refusal():
    inside = OwnpageEmulator(epoch=1_700_000_000.0)
    async with (
        inside.http_client() as http_client,
        client_of(inside, http_client=http_client, ssl_context=None) as ownpage,
    ):
        for number in range(50):
            await ownpage.form.create(f"s{number}@doe.fr", **keys(inside))
    assert inside.witness.count("form.create", status=200) == 50
    assert inside.witness.worst_window(60.0) == 5
