"""Lists and their fields over sockets: what the server read, and what came back."""

import datetime as dt
from typing import Any

import pytest

from ongage_async import NotFoundError, OngageClient, ValidationError
from ongage_async.emulator import Emulator, Readings
from ongage_async.models import FieldType, ListType
from tests.client.conftest import Wire
from tests.client.variants import readings_of, variants

pytestmark = pytest.mark.anyio


@pytest.fixture(params=variants(error_status_200=[True]))
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


async def test_a_list_is_got_with_all_settings_typed(ongage: OngageClient, wire: Wire, emulator: Emulator):
    found = await ongage.with_options(list_id=99).lists.get(emulator.default_list_id)
    assert wire.last.line == f"GET /api/lists/{emulator.default_list_id}"
    assert (found.id, found.type, found.imports_concurrent_limit) == (emulator.default_list_id, ListType.SENDING, 2)
    assert found.created > dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    assert (found.deleted, found.extra) == (None, {})


async def test_a_list_that_is_missing_is_not_found(ongage: OngageClient):
    with pytest.raises(NotFoundError):
        await ongage.lists.get(1)


async def test_a_page_sends_filters_and_paging_and_knows_the_total(
    ongage: OngageClient, wire: Wire, emulator: Emulator
):
    for number in range(4):
        emulator.state.add_list(f"news {number}")
    emulator.state.add_list("never", type="suppression", hash_type="md5")
    page = await ongage.lists.page(
        type="sending", name_like="news", archive=False, sort="name", order="DESC", offset=1, limit=2
    )
    assert wire.last.line == "GET /api/lists"
    assert wire.last.query == {
        "type": "sending",
        "name_like": "news",
        "archive": "false",
        "sort": "name",
        "order": "DESC",
        "offset": "1",
        "limit": "2",
    }
    assert ([item.name for item in page], page.total, page.offset) == (["news 2", "news 1"], 4, 1)


async def test_each_walks_all_pages_and_gives_each_list_once(ongage: OngageClient, wire: Wire, emulator: Emulator):
    for number in range(6):
        emulator.state.add_list(f"news {number}")
    found = [item.id async for item in ongage.lists.each(page_size=3)]
    assert found == list(emulator.state.lists)
    assert [sent.query for sent in wire.sent] == [
        {"limit": "3"},
        {"offset": "3", "limit": "3"},
        {"offset": "6", "limit": "3"},
    ]


async def test_a_list_is_made_updated_copied_and_deleted(ongage: OngageClient, wire: Wire, emulator: Emulator):
    made = await ongage.lists.create("Mine", ListType.SENDING, description="d", create_segment=True)
    assert wire.last.line == "POST /api/lists"
    assert wire.last.body == {"name": "Mine", "type": "sending", "description": "d", "create_segment": True}
    assert emulator.state.lists[made.id].settings["name"] == "Mine"

    updated = await ongage.lists.update(made.id, name="Ours", unsubscribe_default_link=False)
    assert wire.last.line == f"PUT /api/lists/{made.id}"
    assert wire.last.body == {"name": "Ours", "unsubscribe_default_link": False}
    assert (updated.id, emulator.state.lists[made.id].settings["name"]) == (made.id, "Ours")

    copy = await ongage.lists.copy(made.id, name="Theirs")
    assert wire.last.line == f"POST /api/lists/{made.id}/copy"
    assert wire.last.body["create"] is True
    assert (copy.id != made.id, emulator.state.lists[copy.id].settings["name"]) == (True, "Theirs")

    await ongage.lists.delete_implications(copy.id)
    assert wire.last.line == f"GET /api/lists/{copy.id}/delete_implications"
    await ongage.lists.delete(copy.id)
    assert (wire.last.line, wire.last.body) == (f"DELETE /api/lists/{copy.id}", None)
    assert emulator.state.lists[copy.id].deleted is not None
    with pytest.raises(NotFoundError):
        await ongage.lists.delete(copy.id)


async def test_a_suppression_list_sends_its_own_parameters(ongage: OngageClient, wire: Wire, emulator: Emulator):
    until = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    made = await ongage.lists.create(
        "Never",
        "suppression",
        scope="list",
        suppress_in_lists=[emulator.default_list_id],
        hash_type="sha256",
        expiration_date=until,
    )
    assert wire.last.body == {
        "name": "Never",
        "type": "suppression",
        "scope": "list",
        "suppress_in_lists": [emulator.default_list_id],
        "hash_type": "sha256",
        "expiration_date": int(until.timestamp()),
    }
    assert emulator.state.lists[made.id].type == "suppression"


async def test_what_the_vendor_refuses_is_a_validation_error_with_its_details(ongage: OngageClient):
    with pytest.raises(ValidationError) as caught:
        await ongage.lists.create("Mine", "nonsense")
    assert "type" in caught.value.errors


async def test_fields_are_paged_made_got_updated_and_deleted(
    ongage: OngageClient, wire: Wire, emulator: Emulator, own_list: Any
):
    home = emulator.default_list_id
    page = await ongage.list_fields.page(type="numeric", limit=5, list_id=home)
    assert (wire.last.line, wire.last.query) == (f"GET /{home}/api/list_fields", {"type": "numeric", "limit": "5"})
    assert ([item.name for item in page], page.total) == (["product_id"], 1)

    made = await ongage.list_fields.create("birthday", "Birthday", FieldType.DATE, position=20, format="yyyy-mm-dd")
    assert wire.last.line == "POST /api/list_fields"
    assert wire.last.body == {
        "name": "birthday",
        "title": "Birthday",
        "type": "date",
        "format": "yyyy-mm-dd",
        "mandatory": False,
        "position": 20,
    }
    assert own_list.field("birthday").format == "yyyy-mm-dd"

    got = await ongage.list_fields.get(made.id)
    assert wire.last.line == f"GET /api/list_fields/{made.id}"
    assert (got.name, got.type, got.mandatory, got.list_id) == ("birthday", FieldType.DATE, False, home)

    await ongage.list_fields.update(made.id, title="Born", mandatory=True)
    assert (wire.last.line, wire.last.body) == (
        f"PUT /api/list_fields/{made.id}",
        {"title": "Born", "mandatory": True},
    )
    assert (own_list.field("birthday").title, own_list.field("birthday").mandatory) == ("Born", True)

    await ongage.list_fields.delete(made.id)
    assert wire.last.line == f"DELETE /api/list_fields/{made.id}"
    assert own_list.field("birthday") is None
    with pytest.raises(NotFoundError):
        await ongage.list_fields.get(made.id)


async def test_all_fields_of_a_list_are_walked(ongage: OngageClient, wire: Wire, own_list: Any):
    names = [item.name async for item in ongage.list_fields.each(page_size=5)]
    assert names == [own.name for own in own_list.fields]
    assert len(wire.sent) == 3


async def test_a_field_is_made_in_all_lists_and_failures_are_told_by_list(
    ongage: OngageClient, wire: Wire, emulator: Emulator
):
    other = emulator.state.add_list("other")
    await ongage.list_fields.create("city", "City", "string", position=30, list_id=other.id)
    report = await ongage.with_options(list_id=other.id).list_fields.create_in_all_lists(
        "city", "City", "string", position=30
    )
    assert wire.last.line == "POST /api/list_fields/all_lists"
    assert [item.list_id for item in report.success_list_fields] == [emulator.default_list_id]
    assert list(report.failed_lists_errors) == [str(other.id)]
