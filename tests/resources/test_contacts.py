"""The contacts family: what is sent is the vendor's sample, and every answer is told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ongage_async._operation import Repeat
from ongage_async.errors import InvalidInputError, NotFoundError
from ongage_async.events import DriftSeen
from ongage_async.models import ChangeTo, Contact, NewContact, RowKind
from ongage_async.resources.contacts import Contacts

pytestmark = pytest.mark.anyio

DONE = {"rows": 1, "success": 1, "created": 1, "created_emails": {"john@doe.com": "5aae"}, "failed_emails": []}


async def test_a_contact_is_found_by_its_address(vendor: Any) -> None:
    vendor.answer({"email": "john+x@doe.com", "id": "5aae", "ocx_status": "Active", "name": "John"})
    contact = await Contacts(vendor).get_by_email("john+x@doe.com", list_id=7)
    assert vendor.line == "GET /7/api/contacts/by_email/john%2Bx%40doe.com"
    assert (contact.id, contact.fields) == ("5aae", {"name": "John"})


async def test_a_contact_is_found_by_its_id(vendor: Any) -> None:
    vendor.answer({"email": "a@b.c", "id": "5aae312578464ae01f8b4567"})
    await Contacts(vendor).get_by_id("5aae312578464ae01f8b4567")
    assert vendor.line == "GET /api/contacts/by_id/5aae312578464ae01f8b4567"


async def test_a_missing_contact_is_not_found(vendor: Any) -> None:
    vendor.answer({"code": 404, "message": "Unauthorized / Email not found"}, status=404)
    with pytest.raises(NotFoundError, match="Email not found"):
        await Contacts(vendor).get_by_email("john@doe.com")


async def test_one_row_is_sent_as_the_vendors_sample(vendor: Any) -> None:
    vendor.answer(DONE)
    row = {"email": "john@doe.com", "name": "John Doe", "country": "Chile"}
    report = await Contacts(vendor).create([row], overwrite=True, list_id=7)
    assert vendor.line == "POST /7/api/v2/contacts"
    assert vendor.body == {
        "email": "john@doe.com",
        "overwrite": True,
        "fields": {"name": "John Doe", "country": "Chile"},
    }
    assert [(o.email, o.kind, o.contact_id) for o in report] == [("john@doe.com", RowKind.CREATED, "5aae")]
    assert (report.result.rows, report.result.failed) == (1, None)


async def test_several_rows_are_sent_as_an_array(vendor: Any) -> None:
    vendor.answer({"rows": 2, "success": 2})
    report = await Contacts(vendor).create([NewContact("a@b.c"), Contact(email="d@e.f", fields={"n": 1})])
    assert vendor.body == [
        {"email": "a@b.c", "overwrite": False, "fields": {}},
        {"email": "d@e.f", "overwrite": False, "fields": {"n": 1}},
    ]
    assert [outcome.kind for outcome in report] == ["succeeded", "succeeded"]


async def test_creating_repeats_only_when_every_row_overwrites(vendor: Any) -> None:
    vendor.answer(DONE)
    contacts = Contacts(vendor)
    await contacts.create([{"email": "a@b.c"}])
    assert vendor.operation.repeat is Repeat.IF_UNSENT
    await contacts.create([{"email": "a@b.c"}], overwrite=True)
    assert vendor.operation.repeat is Repeat.SAFE
    await contacts.create([{"email": "a@b.c"}, NewContact("d@e.f", overwrite=False)], overwrite=True)
    assert vendor.operation.repeat is Repeat.IF_UNSENT
    assert vendor.operation.name == "contacts.create"


async def test_an_update_names_contacts_by_address_or_id(vendor: Any) -> None:
    vendor.answer({"updated": 2, "success": 2})
    report = await Contacts(vendor).update([{"email": "a@b.c", "name": "A"}, {"id": "5aae", "fields": {"name": "B"}}])
    assert vendor.line == "PUT /api/v2/contacts"
    assert vendor.body == [
        {"email": "a@b.c", "overwrite": True, "fields": {"name": "A"}},
        {"id": "5aae", "overwrite": True, "fields": {"name": "B"}},
    ]
    assert [outcome.kind for outcome in report] == ["updated", "updated"]


async def test_a_status_change_is_sent_as_the_vendors_sample_with_the_list_in_the_route(vendor: Any) -> None:
    vendor.answer({"success": 3})
    emails = ["email1@gmail.com", "email2@gmail.com", "email3@gmail.com"]
    report = await Contacts(vendor).change_status(emails, "remove", list_id=1)
    assert vendor.line == "POST /1/api/v2/contacts/change_status"
    assert vendor.body == {"change_to": "remove", "emails": emails}
    assert [outcome.kind for outcome in report] == ["succeeded"] * 3
    assert vendor.operation.repeat is Repeat.IF_UNSENT


async def test_a_plain_unsubscribe_repeats_and_one_with_a_credit_does_not(vendor: Any) -> None:
    vendor.answer({"success": 1})
    await Contacts(vendor).change_status(["a@b.c"], ChangeTo.UNSUBSCRIBE)
    assert vendor.operation.repeat is Repeat.SAFE
    await Contacts(vendor).change_status(["a@b.c"], ChangeTo.UNSUBSCRIBE, ocx_child_id=5, ocx_connection_id=6)
    assert vendor.operation.repeat is Repeat.IF_UNSENT
    assert vendor.body == {"change_to": "unsubscribe", "emails": ["a@b.c"], "ocx_child_id": 5, "ocx_connection_id": 6}


async def test_a_change_of_address_is_sent_as_the_vendors_sample(vendor: Any) -> None:
    vendor.answer({"success_emails": {"john@doe.com": "5aae"}})
    report = await Contacts(vendor).change_email("john@doe.com", "john@doe.org", list_id=3)
    assert (vendor.line, vendor.body) == (
        "PUT /3/api/contacts/change_email",
        {"email": "john@doe.com", "new_email": "john@doe.org"},
    )
    assert [(o.email, o.kind, o.contact_id) for o in report] == [("john@doe.com", "succeeded", "5aae")]


async def test_one_contact_and_several_are_deleted_by_their_own_keys(vendor: Any) -> None:
    vendor.answer([])
    await Contacts(vendor).delete("5aae", list_id=3)
    assert (vendor.line, vendor.body) == ("POST /3/api/contacts/delete", {"contact_id": "5aae"})
    await Contacts(vendor).delete(["5aae"])
    assert vendor.body == {"contact_id": "5aae"}
    await Contacts(vendor).delete(["5aae", "5bbb"])
    assert vendor.body == {"contact_ids": ["5aae", "5bbb"]}


@pytest.mark.parametrize("payload", [None, [], {}, True, "deleted", 2, [1, 2], {"success": "2"}, [{"success": 2}]])
async def test_an_undocumented_answer_to_a_delete_is_never_an_error_and_never_lost(vendor: Any, payload: Any) -> None:
    drifts: list[DriftSeen] = []
    vendor.answer(payload)
    result = await Contacts(vendor, drifts.append).delete("5aae")
    if payload in (None, [], {}, True):
        assert (result.success, result.extra) == (None, {})
    elif payload in ({"success": "2"}, [{"success": 2}]):
        assert result.success == 2
    else:
        assert result.extra == {"payload": payload}
        assert drifts == [DriftSeen("MutationResult", "payload", "field")]


async def test_the_legacy_tunnel_carries_fields_in_the_query(vendor: Any) -> None:
    vendor.answer({"created": 1})
    result = await Contacts(vendor).add("john@doe.com", {"name": "John Doe", "country": "Chile", "zip": None})
    assert vendor.line == "GET /api/contacts/add?email=john%40doe.com&name=John%20Doe&country=Chile"
    assert result.created == 1
    assert vendor.operation.repeat is Repeat.IF_UNSENT
    with pytest.raises(InvalidInputError, match="list_id"):
        await Contacts(vendor).add("john@doe.com", {"list_id": 3})


async def test_a_lookup_over_all_lists_names_none(vendor: Any) -> None:
    vendor.answer([{"list_id": 1, "anything": True}])
    found = await Contacts(vendor).cross_account("example@example.com")
    assert vendor.line == "GET /api/contacts/cross_account?email=example%40example.com"
    assert found == [{"list_id": 1, "anything": True}]
    await Contacts(vendor).cross_account("a@b.c", behavior=True)
    assert vendor.line.endswith("&behavior=true")


Calls = Callable[[Contacts], Awaitable[Any]]
REFUSED: list[tuple[Calls, str]] = [
    (lambda c: c.create([]), "no rows"),
    (
        lambda c: c.create([{"email": f"{n}@b.c"} for n in range(501)]),
        "501 rows in one call; 500 are allowed: use upsert",
    ),
    (lambda c: c.create([{"email": "a@b.c"}, {"id": "5aae"}]), "row 2 has no email"),
    (lambda c: c.create([{"email": "a@b.c"}, {"name": "x"}]), "row 2 has no email"),
    (lambda c: c.create({"email": "a@b.c"}), "give a list of rows"),  # type: ignore[arg-type]
    (lambda c: c.create("a@b.c"), "give a list of rows, not str"),  # type: ignore[arg-type]
    (lambda c: c.update([{"name": "x"}]), "row 1 has neither"),
    (lambda c: c.change_status([], "remove"), "no addresses"),
    (lambda c: c.change_status("a@b.c", "remove"), "not str"),
    (lambda c: c.change_status(["a@b.c", " "], "remove"), "number 2 of the addresses"),
    (lambda c: c.change_status(["a@b.c"], "delete"), "change_to must be one of: resubscribe"),
    (lambda c: c.change_status(["a@b.c"] * 501, "remove"), "501 addresses"),
    (lambda c: c.change_email("a@b.c", ""), "new_email"),
    (lambda c: c.delete([]), "no contact ids"),
    (lambda c: c.delete(""), "number 1 of the contact ids"),
    (lambda c: c.get_by_email(""), "`email` is missing"),
    (lambda c: c.get_by_id(".."), "`contact_id` is missing"),
]


@pytest.mark.parametrize(("call", "why"), REFUSED)
async def test_what_cannot_be_sent_is_refused_before_it_is_sent(vendor: Any, call: Calls, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why) as caught:
        await call(Contacts(vendor))
    assert vendor.sent == []
    assert "@" not in str(caught.value)


async def test_a_row_with_a_date_is_refused_with_its_place(vendor: Any) -> None:
    from datetime import date

    vendor.answer(DONE)
    with pytest.raises(InvalidInputError, match=r"\$\[1\]\.fields\.birthday is a date"):
        await Contacts(vendor).create([{"email": "a@b.c"}, {"email": "d@e.f", "birthday": date(2000, 1, 1)}])
