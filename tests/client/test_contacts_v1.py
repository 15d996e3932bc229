"""The calls for contacts that the vendor superseded: they warn, and go where other people's clients sent them."""

from typing import Any

import pytest

from ongage_async import NotFoundError, OngageClient, Outcome, ServerError, ValidationError
from ongage_async.emulator import Emulator, Fault
from ongage_async.errors import InvalidInputError
from ongage_async.models import ContactStatus
from ongage_async.resources.criteria import field
from tests.client.conftest import Wire

pytestmark = pytest.mark.anyio


@pytest.fixture
def people(own_list: Any) -> Any:
    for name, country in (("ann", "Chile"), ("bob", "Peru"), ("eve", "Chile")):
        own_list.add_contact(f"{name}@doe.com", country=country)
    own_list.contacts.change_status(own_list.contacts.get("eve@doe.com"), "unsubscribe", 1)
    return own_list


async def test_contacts_are_got_by_a_query_of_your_own(ongage: OngageClient, wire: Wire, people: Any):
    with pytest.warns(DeprecationWarning, match=r"use contact_search") as warned:
        payload = await ongage.contacts.page_v1({"limit": 2}, list_id=people.id)
    assert warned[0].filename == __file__
    assert (wire.last.line, wire.last.query) == (f"GET /{people.id}/api/contacts", {"limit": "2"})
    assert [row["email"] for row in payload] == ["ann@doe.com", "bob@doe.com"]


async def test_a_contact_is_made_and_changed_by_a_body_of_your_own(ongage: OngageClient, wire: Wire, people: Any):
    body = {"email": "new@doe.com", "country": "Chad"}
    with pytest.warns(DeprecationWarning, match=r"use contacts\.create"):
        made = await ongage.contacts.create_v1(body)
    assert (wire.last.line, wire.last.body) == ("POST /api/contacts", body)
    with pytest.warns(DeprecationWarning, match=r"use contacts\.update"):
        changed = await ongage.contacts.update_v1({**body, "country": "Peru"})
    assert (wire.last.line, wire.last.body["country"]) == ("PUT /api/contacts", "Peru")
    assert (made["created"], changed["updated"]) == (1, 1)
    assert people.contact("new@doe.com")["country"] == "Peru"


async def test_contacts_are_unsubscribed_with_a_mailing_to_credit(ongage: OngageClient, wire: Wire, people: Any):
    with pytest.warns(DeprecationWarning, match=r"use contacts\.change_status"):
        result = await ongage.contacts.remove_v1(["ann@doe.com"], "unsubscribe", mailing_id=7, extra={"new": 1})
    assert wire.last.line == "POST /api/contacts/remove"
    assert wire.last.body == {"change_to": "unsubscribe", "emails": ["ann@doe.com"], "mailing_id": 7, "new": 1}
    assert (result.success, people.contact("ann@doe.com")["ocx_status"]) == (1, "Unsubscribed")


async def test_contacts_are_looked_up_by_criteria_and_status(ongage: OngageClient, wire: Wire, people: Any):
    with pytest.warns(DeprecationWarning, match=r"use contact_search"):
        page = await ongage.contacts.lookup_v1(
            field("country").equals("Chile"), user_type="active", sort="email", offset=0, limit=10
        )
    assert wire.last.line == "POST /api/contacts/lookup"
    assert {key: wire.last.body[key] for key in ("user_type", "sort", "limit")} == {
        "user_type": "active",
        "sort": "email",
        "limit": 10,
    }
    assert wire.last.body["criteria"][0]["operand"] == ["Chile"]
    assert [(each.email, each.status) for each in page] == [("ann@doe.com", ContactStatus.ACTIVE)]
    assert page.total == 1


async def test_a_lookup_without_criteria_gives_everybody_page_by_page(ongage: OngageClient, people: Any):
    with pytest.warns(DeprecationWarning, match="use contact_search"):
        page = await ongage.contacts.lookup_v1(offset=1, limit=1)
    assert ([each.email for each in page], page.total) == (["bob@doe.com"], 3)


@pytest.mark.filterwarnings("ignore:contacts")
async def test_what_makes_no_sense_is_refused(ongage: OngageClient, wire: Wire, people: Any):
    with pytest.raises(InvalidInputError, match="change_to"):
        await ongage.contacts.remove_v1(["ann@doe.com"], "vanish")
    assert wire.sent == []
    with pytest.raises(ValidationError):
        await ongage.contacts.lookup_v1(user_type="asleep")
    with pytest.raises(ValidationError):
        await ongage.contacts.create_v1({"name": "nobody"})
    with pytest.raises(NotFoundError):
        await ongage.contacts.page_v1(list_id=1)


@pytest.mark.filterwarnings("ignore:contacts")
async def test_a_removal_whose_end_is_uncertain_is_not_sent_again(
    ongage: OngageClient, emulator: Emulator, people: Any
):
    emulator.faults.add("contacts.remove_v1", Fault.status(503, after_execution=True), times=1)
    with pytest.raises(ServerError) as failed:
        await ongage.contacts.remove_v1(["ann@doe.com"], "remove")
    assert failed.value.outcome is Outcome.UNKNOWN
    assert emulator.witness.count("contacts.remove_v1") == 1
