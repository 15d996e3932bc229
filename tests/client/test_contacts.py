"""All nine calls for contacts over sockets: what the server read, what came back, and under every reading."""

from typing import Any

import pytest

from ongage_async import NotFoundError, OngageClient, ValidationError
from ongage_async.emulator import Emulator, Readings
from ongage_async.models import ContactStatus, NewContact, RowKind
from tests.client.conftest import Wire
from tests.client.variants import readings_of, variants

pytestmark = pytest.mark.anyio

READINGS = variants(
    result_keys=["stored"],
    failed_emails=["list", "empty"],
    invalid_row=["batch"],
    unknown_fields=["invalid"],
    cross_account=["object"],
    error_status_200=[True],
    change_email_wait_s=[0.0],
)


@pytest.fixture(params=READINGS)
def readings(request: pytest.FixtureRequest) -> Readings:
    return readings_of(request)


@pytest.fixture
def john(own_list: Any) -> str:
    """A contact with an address that has everything a path must escape."""
    return own_list.add_contact("john+news/x@doe.com", name="John", product_id=7).id


async def test_get_by_email_escapes_the_address_and_types_the_contact(ongage: OngageClient, wire: Wire, john: str):
    contact = await ongage.contacts.get_by_email("John+news/x@doe.com")
    assert wire.last.line == "GET /api/contacts/by_email/John%2Bnews%2Fx%40doe.com"
    assert (wire.last.query, wire.last.body) == ({}, None)
    assert (contact.id, contact.email, contact.status) == (john, "john+news/x@doe.com", ContactStatus.ACTIVE)
    assert (contact.fields["name"], contact.fields["product_id"]) == ("John", 7)
    assert contact.created.tzinfo is not None
    assert contact.extra == {}


async def test_get_by_id_names_the_contact_in_the_path(ongage: OngageClient, wire: Wire, john: str):
    contact = await ongage.contacts.get_by_id(john)
    assert wire.last.line == f"GET /api/contacts/by_id/{john}"
    assert contact.email == "john+news/x@doe.com"


async def test_a_missing_contact_is_not_found_under_every_reading(ongage: OngageClient):
    with pytest.raises(NotFoundError, match="Email not found"):
        await ongage.contacts.get_by_email("nobody@doe.com")
    with pytest.raises(NotFoundError, match="Contact not found"):
        await ongage.contacts.get_by_id("0" * 24)


async def test_add_goes_by_the_query(ongage: OngageClient, wire: Wire, own_list: Any):
    result = await ongage.contacts.add("eve+a&b@doe.com", {"name": "Eve & Co=", "country": None})
    assert wire.last.line == "GET /api/contacts/add"
    assert wire.last.query == {"email": "eve+a&b@doe.com", "name": "Eve & Co="}
    assert (result.rows, result.created, result.failed) == (1, 1, 0)
    assert own_list.contact("eve+a&b@doe.com")["name"] == "Eve & Co="


async def test_create_gives_one_outcome_per_row_in_input_order(
    ongage: OngageClient, wire: Wire, own_list: Any, john: str
):
    own_list.add_contact("gone@doe.com")
    await ongage.contacts.delete(own_list.contact("gone@doe.com")["id"])
    report = await ongage.contacts.create(
        [
            {"email": "Ann@doe.com", "name": "Ann"},
            NewContact("john+news/x@doe.com", {"name": "Johnny"}),
            NewContact("gone@doe.com", {}),
            NewContact("JOHN+news/x@doe.com", {"name": "Jack"}, overwrite=True),
        ]
    )
    assert wire.last.line == "POST /api/v2/contacts"
    assert wire.last.headers["content-type"] == "application/json"
    assert wire.last.body == [
        {"email": "Ann@doe.com", "overwrite": False, "fields": {"name": "Ann"}},
        {"email": "john+news/x@doe.com", "overwrite": False, "fields": {"name": "Johnny"}},
        {"email": "gone@doe.com", "overwrite": False, "fields": {}},
        {"email": "JOHN+news/x@doe.com", "overwrite": True, "fields": {"name": "Jack"}},
    ]
    assert [outcome.index for outcome in report] == [0, 1, 2, 3]
    assert [outcome.kind for outcome in report][:3] == [RowKind.CREATED, RowKind.DUPLICATE, RowKind.REVIVED]
    assert sum(report.counts.values()) == 4
    assert own_list.contact("john+news/x@doe.com")["name"] == "Jack"
    assert report.outcomes[0].contact_id == own_list.contact("ann@doe.com")["id"]


async def test_a_row_that_exists_is_rejected_beside_one_that_is_made(ongage: OngageClient, john: str):
    report = await ongage.contacts.create([{"email": "john+news/x@doe.com"}, {"email": "new@doe.com"}])
    assert [outcome.kind for outcome in report] == [RowKind.REJECTED, RowKind.CREATED]


async def test_an_invalid_row_is_rejected_alone_or_with_its_batch_and_nothing_is_guessed(
    ongage: OngageClient, readings: Readings, own_list: Any
):
    rows = [{"email": "new@doe.com"}, {"email": "no address"}]
    if readings.invalid_row == "batch":
        with pytest.raises(ValidationError) as caught:
            await ongage.contacts.create(rows)
        assert caught.value.errors == {"1": "Please insert a valid Email address"}
        assert own_list.contact("new@doe.com") is None
        return
    report = await ongage.contacts.create(rows)
    assert [outcome.kind for outcome in report] == [RowKind.CREATED, RowKind.REJECTED]


async def test_a_value_for_no_field_is_ignored_or_refused_and_told(
    ongage: OngageClient, readings: Readings, own_list: Any
):
    create = ongage.contacts.create([{"email": "new@doe.com", "shoe_size": 44}, {"email": "other@doe.com"}])
    report = await create
    refused = readings.unknown_fields == "invalid"
    assert [outcome.kind for outcome in report] == [RowKind.REJECTED if refused else RowKind.CREATED, RowKind.CREATED]
    assert (own_list.contact("new@doe.com") is None) == refused


async def test_update_changes_only_what_exists(
    ongage: OngageClient, wire: Wire, own_list: Any, john: str, readings: Readings
):
    report = await ongage.contacts.update([{"id": john, "name": "Jon"}, {"email": "nobody@doe.com", "name": "x"}])
    assert wire.last.line == "PUT /api/v2/contacts"
    assert wire.last.body == [
        {"id": john, "overwrite": True, "fields": {"name": "Jon"}},
        {"email": "nobody@doe.com", "overwrite": True, "fields": {"name": "x"}},
    ]
    silent = readings.failed_emails == "empty"  # two rows, one done and one not, and no word about which
    expected = [RowKind.UNKNOWN] * 2 if silent else [RowKind.UPDATED, RowKind.REJECTED]
    assert [outcome.kind for outcome in report] == expected
    assert own_list.contact("john+news/x@doe.com")["name"] == "Jon"
    assert own_list.contact("nobody@doe.com") is None


async def test_one_row_is_sent_as_an_object(ongage: OngageClient, wire: Wire, john: str):
    report = await ongage.contacts.update([NewContact(id=john, fields={"country": "Chile"})])
    assert wire.last.body == {"id": john, "overwrite": True, "fields": {"country": "Chile"}}
    assert report.outcomes[0].kind is RowKind.UPDATED


async def test_change_status_unsubscribes_resubscribes_and_removes(
    ongage: OngageClient, wire: Wire, own_list: Any, john: str
):
    emails = ["john+news/x@doe.com", "nobody@doe.com"]
    report = await ongage.contacts.change_status(emails, "unsubscribe", ocx_child_id=5)
    assert wire.last.line == "POST /api/v2/contacts/change_status"
    assert wire.last.body == {"change_to": "unsubscribe", "emails": emails, "ocx_child_id": 5}
    assert [outcome.kind for outcome in report] == [RowKind.UPDATED, RowKind.REJECTED]
    assert (await ongage.contacts.get_by_email(emails[0])).status is ContactStatus.UNSUBSCRIBED
    await ongage.contacts.change_status(emails[:1], "resubscribe")
    assert (await ongage.contacts.get_by_email(emails[0])).status is ContactStatus.ACTIVE
    await ongage.contacts.change_status(emails[:1], "remove")
    assert own_list.contact(emails[0]) is None


async def test_change_email_moves_the_contact_and_tells_its_id(
    ongage: OngageClient, wire: Wire, own_list: Any, john: str, readings: Readings
):
    report = await ongage.contacts.change_email("john+news/x@doe.com", "jack@doe.com")
    assert wire.last.line == "PUT /api/contacts/change_email"
    assert wire.last.body == {"email": "john+news/x@doe.com", "new_email": "jack@doe.com"}
    assert (report.outcomes[0].kind, report.outcomes[0].contact_id) == (RowKind.SUCCEEDED, john)
    assert own_list.contact("jack@doe.com")["id"] == john
    if not readings.change_email_wait_s:
        await ongage.contacts.change_email("jack@doe.com", "john@doe.com")
        return
    with pytest.raises(ValidationError) as caught:
        await ongage.contacts.change_email("jack@doe.com", "john@doe.com")
    assert "15 minutes" in caught.value.errors["email"]


async def test_delete_takes_one_id_or_several(ongage: OngageClient, wire: Wire, own_list: Any, john: str):
    result = await ongage.contacts.delete(john)
    assert (wire.last.line, wire.last.body) == ("POST /api/contacts/delete", {"contact_id": john})
    assert (result.rows, result.success, result.failed) == (1, 1, 0)
    ids = [own_list.add_contact(f"c{number}@doe.com").id for number in range(2)]
    await ongage.contacts.delete([*ids, "0" * 24])
    assert wire.last.body == {"contact_ids": [*ids, "0" * 24]}
    assert len(own_list.contacts) == 0


async def test_cross_account_names_no_list_and_gives_what_comes(
    ongage: OngageClient, wire: Wire, emulator: Emulator, john: str, readings: Readings
):
    other = emulator.state.add_list("other")
    other.add_contact("john+news/x@doe.com")
    found = await ongage.with_options(list_id=other.id).contacts.cross_account("john+news/x@doe.com", behavior=1)
    assert wire.last.line == "GET /api/contacts/cross_account"
    assert wire.last.query == {"email": "john+news/x@doe.com", "behavior": "1"}
    rows = found.values() if readings.cross_account == "object" else found
    assert {row["list_id"] for row in rows} == {emulator.default_list_id, other.id}
    assert await ongage.contacts.cross_account("nobody@doe.com") == []


async def test_a_list_goes_into_the_route_and_nowhere_else(ongage: OngageClient, wire: Wire, emulator: Emulator):
    other = emulator.state.add_list("other")
    await ongage.contacts.create([{"email": "a@doe.com"}], list_id=other.id)
    assert wire.last.line == f"POST /{other.id}/api/v2/contacts"
    view = ongage.with_options(list_id=other.id)
    await view.contacts.change_status(["a@doe.com"], "unsubscribe")
    assert wire.last.line == f"POST /{other.id}/api/v2/contacts/change_status"
    await view.contacts.get_by_email("a@doe.com")
    assert wire.last.line == f"GET /{other.id}/api/contacts/by_email/a%40doe.com"
    assert all("list_id" not in sent.query and "list_id" not in (sent.body or {}) for sent in wire.sent)


async def test_a_list_that_is_not_there_is_not_found(ongage: OngageClient):
    with pytest.raises(NotFoundError, match="List not found"):
        await ongage.contacts.create([{"email": "a@doe.com"}], list_id=1)
