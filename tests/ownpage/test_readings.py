"""What the vendor leaves open, under every reading: the endpoints that are concerned, over sockets."""

from typing import Any

import pytest

from ongage_async import BadRequestError, NotFoundError, OwnpageClient
from ongage_async.emulator.ownpage import OwnpageEmulator, OwnpageReadings
from ongage_async.ownpage import NewSubscriber, UnsubscribedCause
from tests.client.conftest import Wire
from tests.client.variants import variants
from tests.ownpage.test_endpoints import SEED_REQUEST, SEED_RESPONSE

pytestmark = pytest.mark.anyio


@pytest.fixture(
    params=variants(
        file_fetch=["later"],
        bad_rows=["refused"],
        errors=["objects", "number"],
        delete_all=["empty"],
        missing_list=[400],
        search=["email_and_guid"],
        stored_email=["lower"],
    )
)
def readings(request: pytest.FixtureRequest) -> OwnpageReadings:
    return OwnpageReadings(**request.param)


async def test_a_list_that_is_not_there(ownpage: OwnpageClient, readings: OwnpageReadings):
    with pytest.raises(NotFoundError if readings.missing_list == 404 else BadRequestError, match="List not found"):
        await ownpage.counts.get(list_id=9)


async def test_rows_go_as_an_array_with_the_vendors_names(ownpage: OwnpageClient, wire: Wire, own_list: Any):
    result = await ownpage.subscribers.create(
        [
            NewSubscriber("jean@doe.fr", guid="7", data={"firstname": "Jean"}),
            {"email": "ann@doe.fr", "subscribed": False, "unsubscribed_cause": "READER", "data_age": 3},
            {"email": "eve@doe.fr", "data": {"vip": True}},
        ]
    )
    assert wire.last.line == "POST /v1/newsletters/lists/123/subscribers"
    assert wire.last.body == [
        {"email": "jean@doe.fr", "guid": "7", "data_firstname": "Jean"},
        {"email": "ann@doe.fr", "subscribed": False, "unsubscribed_cause": "READER", "data_age": 3},
        {"email": "eve@doe.fr", "data_vip": True},
    ]
    assert (result.nb_created, result.nb_subscribed, result.nb_unsubscribed) == (3, 2, 1)
    assert (result.unique_emails_count, result.has_errors, result.extra) == (3, False, {})
    assert own_list.get("jean@doe.fr").data == {"data_firstname": "Jean"}


async def test_subscribers_come_back_as_they_were_sent(ownpage: OwnpageClient, wire: Wire):
    rows = [NewSubscriber("a@doe.fr", True, None, "1", {"x": "y"}), NewSubscriber("b@doe.fr", False, "PUBLISHER", "2")]
    await ownpage.subscribers.create(rows)
    page = await ownpage.subscribers.page(status="all", limit=10, offset=0)
    assert wire.last.query == {"status": "all", "count": "10"}
    assert [NewSubscriber.of(each) for each in page] == rows
    first, second = page
    assert (first.subscribed_at is not None, first.send_count, first.extra) == (True, 0, {})
    assert (second.unsubscribed_cause, second.subscribed) == (UnsubscribedCause.PUBLISHER, False)
    await ownpage.subscribers.create(page)
    assert wire.last.body[1]["unsubscribed_cause"] == "PUBLISHER"


async def test_search_is_passed_on(ownpage: OwnpageClient, wire: Wire):
    await ownpage.subscribers.create([{"email": "ann@doe.fr"}, {"email": "joann@doe.fr"}])
    page = await ownpage.subscribers.page(search="ann@doe.fr", exact=True)
    assert wire.last.query == {"status": "subscribed", "search": "ann@doe.fr", "exact": "true"}
    assert [each.email for each in page] == ["ann@doe.fr"]
    assert len(await ownpage.subscribers.page(search="ann")) == 2


async def test_deletions_name_addresses_and_tell_how_many(ownpage: OwnpageClient, wire: Wire, own_list: Any):
    await ownpage.subscribers.create([{"email": f"s{n}@doe.fr"} for n in range(4)])
    gone = await ownpage.subscribers.delete(["s0@doe.fr", "s1@doe.fr", "s9@doe.fr"])
    assert wire.last.line == "POST /v1/newsletters/lists/123/subscribers/delete"
    assert wire.last.body == [{"email": "s0@doe.fr"}, {"email": "s1@doe.fr"}, {"email": "s9@doe.fr"}]
    assert (gone.success, gone.count) == ("2 subscriptions have been deleted", 2)
    with pytest.raises(BadRequestError, match=r"1 error\(s\): email is not valid") as caught:
        await ownpage.subscribers.delete(["user1@"])
    assert caught.value.status == 400
    assert len(own_list.subscribers) == 2


async def test_deleting_all_asks_for_whom(ownpage: OwnpageClient, wire: Wire, own_list: Any, readings: OwnpageReadings):
    await ownpage.subscribers.create([{"email": "a@doe.fr"}, {"email": "b@doe.fr", "subscribed": False}])
    gone = await ownpage.subscribers.delete_all(status="unsubscribed")
    assert (wire.last.line, wire.last.query) == (
        "DELETE /v1/newsletters/lists/123/subscribers/all",
        {"status": "unsubscribed"},
    )
    assert gone.count == (1 if readings.delete_all == "sentence" else None)
    assert list(own_list.subscribers) == ["a@doe.fr"]
    await ownpage.subscribers.delete_all(status="all")
    assert own_list.subscribers == {}


async def test_the_emulator_answers_with_the_seeds_keys(
    ownpage: OwnpageClient, emulator: OwnpageEmulator, readings: OwnpageReadings
):
    csv = b"email;subscribed\nann@doe.fr;true\n"

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": csv})

    emulator.mount_fetch("https://my.domain.com", app)
    file = await ownpage.files.create(url=SEED_REQUEST["url"])
    (made,) = emulator.state.files.values()
    assert set(made.view()) == set(SEED_RESPONSE)
    assert (file.id, file.status) == (12, "uploaded")
    assert file.size == (len(csv) if readings.file_fetch == "at_once" else None)
    counts = await ownpage.files.wait(settled_s=0.5, interval_s=0.01, timeout_s=10)
    assert counts.subscribed == 1
