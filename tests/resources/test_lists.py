"""Lists and their fields: the vendor's samples, and answers nobody has documented."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ongage_async._operation import Repeat
from ongage_async.errors import DecodeError, InvalidInputError
from ongage_async.models import FieldType, ListType
from ongage_async.resources.list_fields import ListFields
from ongage_async.resources.lists import Lists

pytestmark = pytest.mark.anyio

FIELD = {"id": 5, "list_id": 1, "name": "birthday", "type": "date"}


async def test_a_list_is_found_by_its_id_in_the_path(vendor: Any) -> None:
    vendor.answer({"id": 12345, "name": "Another List", "type": "sending"})
    assert (await Lists(vendor).get(12345)).type is ListType.SENDING
    assert vendor.line == "GET /api/lists/12345"


async def test_a_page_of_lists_sends_only_the_filters_that_are_given(vendor: Any) -> None:
    vendor.answer([{"id": 1}, {"id": 2}], total="17")
    page = await Lists(vendor).page(type="suppression", hash_type="md5", archive=False, offset=10, limit=2)
    assert vendor.line == "GET /api/lists?type=suppression&hash_type=md5&archive=false&offset=10&limit=2"
    assert ([item.id for item in page], page.total, page.offset, page.limit, len(page)) == ([1, 2], 17, 10, 2, 2)
    assert (page[0].id, page[-1].id) == (1, 2)
    await Lists(vendor).page()
    assert vendor.line == "GET /api/lists"


@pytest.mark.parametrize("total", [None, "many", [], {"a": 1}])
async def test_a_total_that_cannot_be_read_is_no_total(vendor: Any, total: Any) -> None:
    vendor.answer([{"id": 1}], total=total)
    assert (await Lists(vendor).page()).total is None


async def test_lists_are_made_as_in_the_vendors_samples(vendor: Any) -> None:
    vendor.answer({"id": 9})
    lists = Lists(vendor)
    await lists.create("suppression list test", "suppression", description="")
    assert (vendor.line, vendor.operation.repeat) == ("POST /api/lists", Repeat.IF_UNSENT)
    assert vendor.body == {"name": "suppression list test", "description": "", "type": "suppression"}
    await lists.create(
        "suppression MD5 hash", ListType.SUPPRESSION, description="", hash_type="md5", expiration_date=""
    )
    assert vendor.body == {
        "name": "suppression MD5 hash",
        "description": "",
        "type": "suppression",
        "hash_type": "md5",
        "expiration_date": "",
    }
    fields = [{"name": "email", "title": "email", "type": "email", "mandatory": True, "position": 0}]
    await lists.create("my_list_name", "sending", description="This is my list", create_segment=True, fields=fields)
    assert vendor.body == {
        "name": "my_list_name",
        "type": "sending",
        "description": "This is my list",
        "create_segment": True,
        "fields": fields,
    }
    await lists.create("x", "suppression", scope="list", suppress_in_lists=(1, 2))
    assert vendor.body == {"name": "x", "type": "suppression", "scope": "list", "suppress_in_lists": [1, 2]}


async def test_an_expiration_is_sent_in_unix_seconds_and_needs_a_zone(vendor: Any) -> None:
    vendor.answer({"id": 9})
    await Lists(vendor).create("x", "suppression", expiration_date=datetime(2021, 4, 4, 13, 2, 48, tzinfo=UTC))
    assert vendor.body["expiration_date"] == 1617541368
    with pytest.raises(InvalidInputError, match="no time zone"):
        await Lists(vendor).create("x", "suppression", expiration_date=datetime(2021, 4, 4))  # noqa: DTZ001


async def test_an_update_is_sent_as_the_vendors_sample(vendor: Any) -> None:
    vendor.answer(None)
    sample = {
        "name": "my_list_name",
        "type": "sending",
        "description": "This is my list",
        "welcome_email_active": False,
        "unsubscribe_default_link": True,
        "unsubscribe_confirmation_html": "<p>Are you sure you wannt to unsubscribe?</p>",
        "unsubscribe_confirmation_button": "Unsubscribe",
        "unsubscribe_success_html": "<p>you have been successfully unsubscribe</p>",
        "frequency_active": True,
        "frequency_html": "<p>Choose how frequent would you like to receive our email</p>",
        "frequencies": [{"active": True, "title": "Twice a month", "value": "Frequency1"}],
    }
    updated = await Lists(vendor).update(7, **sample)  # type: ignore[arg-type]
    assert (vendor.line, vendor.body, vendor.operation.repeat) == ("PUT /api/lists/7", sample, Repeat.SAFE)
    assert (updated.id, updated.name) == (7, None)


async def test_a_copy_is_sent_as_the_vendors_sample(vendor: Any) -> None:
    vendor.answer({"id": "8"})
    assert (await Lists(vendor).copy(7, name="copy")).id == 8
    assert (vendor.line, vendor.operation.repeat) == ("POST /api/lists/7/copy", Repeat.IF_UNSENT)
    assert vendor.body == {"create": True, "name": "copy", "description": "", "type": "sending", "default": False}


async def test_a_list_is_deleted_and_its_implications_are_told_as_they_come(vendor: Any) -> None:
    vendor.answer({"segments": 3})
    assert await Lists(vendor).delete_implications(7) == {"segments": 3}
    assert vendor.line == "GET /api/lists/7/delete_implications"
    await Lists(vendor).delete(7)
    assert vendor.line == "DELETE /api/lists/7"


@pytest.mark.parametrize("payload", [{"id": 9, "name": "x"}, [{"id": "9"}], 9, "9", [9], ["9"]])
async def test_the_answer_to_a_create_may_have_any_shape(vendor: Any, payload: Any) -> None:
    vendor.answer(payload)
    assert (await Lists(vendor).create("x", "sending")).id == 9


@pytest.mark.parametrize("payload", [None, [], {}, True, "created", {"name": "x"}, [1, 2]])
async def test_a_create_without_any_id_cannot_be_read(vendor: Any, payload: Any) -> None:
    vendor.answer(payload)
    with pytest.raises(DecodeError) as caught:
        await Lists(vendor).create("x", "sending")
    assert (caught.value.path, caught.value.outcome, caught.value.operation) == (
        "$.payload.id",
        "unknown",
        "lists.create",
    )


@pytest.mark.parametrize("payload", [None, [], {}, True, "updated", {"name": "x"}, [1, 2], {"id": None}])
async def test_an_update_always_knows_its_id(vendor: Any, payload: Any) -> None:
    vendor.answer(payload)
    updated = await Lists(vendor).update(7, name="x")
    assert updated.id == 7
    assert updated.extra == ({"payload": payload} if payload in ("updated", [1, 2]) else {})


# --- fields


async def test_a_field_is_made_as_in_the_vendors_sample_with_the_list_in_the_route(vendor: Any) -> None:
    vendor.answer(FIELD)
    field = await ListFields(vendor).create(
        "birthday", "Birthday", "date", format="yyyy-mm-dd", default="", mandatory=True, position=4, list_id=1
    )
    assert vendor.line == "POST /1/api/list_fields"
    assert vendor.body == {
        "name": "birthday",
        "title": "Birthday",
        "type": "date",
        "format": "yyyy-mm-dd",
        "default": "",
        "mandatory": True,
        "position": 4,
    }
    assert (field.id, field.type, vendor.operation.repeat) == (5, FieldType.DATE, Repeat.IF_UNSENT)


async def test_a_field_in_all_lists_names_no_list(vendor: Any) -> None:
    vendor.answer({"success_list_fields": [FIELD], "failed_lists_errors": []})
    report = await ListFields(vendor).create_in_all_lists("n", "N", FieldType.STRING, position=1)
    assert vendor.line == "POST /api/list_fields/all_lists"
    assert vendor.body == {"name": "n", "title": "N", "type": "string", "mandatory": False, "position": 1}
    assert ([field.id for field in report.success_list_fields], report.failed_lists_errors) == ([5], {})


async def test_fields_are_read_updated_and_deleted(vendor: Any) -> None:
    vendor.answer(FIELD)
    fields = ListFields(vendor)
    assert (await fields.get(5, list_id=1)).name == "birthday"
    assert vendor.line == "GET /1/api/list_fields/5"
    await fields.update(5, title="Day of birth", list_id=1)
    assert (vendor.line, vendor.body) == ("PUT /1/api/list_fields/5", {"title": "Day of birth"})
    await fields.delete(5, list_id=1)
    assert vendor.line == "DELETE /1/api/list_fields/5"
    page = await fields.page(type="date", limit=10, list_id=1)
    assert (vendor.line, page.items[0].id) == ("GET /1/api/list_fields?type=date&limit=10", 5)
    assert [field.id async for field in fields.each(list_id=1)] == [5]


async def test_a_date_field_needs_a_format_and_an_update_needs_something(vendor: Any) -> None:
    with pytest.raises(InvalidInputError, match="format"):
        await ListFields(vendor).create("b", "B", "date", position=1)
    with pytest.raises(InvalidInputError, match="nothing to update"):
        await ListFields(vendor).update(5)
    with pytest.raises(InvalidInputError, match="name"):
        await Lists(vendor).create(" ", "sending")
    assert vendor.sent == []
