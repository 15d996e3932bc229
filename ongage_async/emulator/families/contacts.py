"""Contacts: the nine endpoints, the synchronous road for a few rows. Source: vendor page §3.3."""

from typing import Any

from ongage_async.emulator._answers import Answer, Refusal, bad_request, invalid, missing
from ongage_async.emulator._call import Call
from ongage_async.emulator._contact_rows import Row, check_batch, read_rows, with_defaults
from ongage_async.emulator._contacts import STATUS_CHANGES, Contact
from ongage_async.emulator._fields import accept_email
from ongage_async.emulator._mutation import Mutation
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    ADDRESS,
    COUNT,
    FLAG,
    ID,
    TEXT,
    TIME,
    array_of,
    choice,
    either,
    map_of,
    maybe,
    record,
)
from ongage_async.emulator._shape import gives
from ongage_async.emulator._state import MailingList


def get_by_email(call: Call) -> Answer:
    """Answer with the contact of an address."""
    mailing_list = call.mailing_list
    contact = mailing_list.contacts.get(call.parameters["email"].strip().lower())
    return _shown(mailing_list, contact, "Unauthorized / Email not found")


def get_by_id(call: Call) -> Answer:
    """Answer with the contact of an id."""
    mailing_list = call.mailing_list
    contact = mailing_list.contacts.by_id(call.parameters["id"])
    return _shown(mailing_list, contact, "Unauthorized / Contact not found")


def _shown(mailing_list: MailingList, contact: Contact | None, message: str) -> Answer:
    if contact is None or contact.deleted:
        raise missing(message)
    return Answer(mailing_list.view(contact))


def create(call: Call) -> Answer:
    """Add contacts, or overwrite those that exist."""
    mailing_list = call.mailing_list
    rows = read_rows(call, mailing_list, creates=True)
    result = Mutation(call.world.readings, len(rows))
    for row in rows:
        _create_one(call, mailing_list, row, result)
    return Answer(result.view())


def _create_one(call: Call, mailing_list: MailingList, row: Row, result: Mutation) -> None:
    book = mailing_list.contacts
    contact = book.get(row.email)  # again: an earlier row may have made it
    if row.error:
        result.fail(row.sent, row.error)
    elif contact is None:
        values = with_defaults(mailing_list.fields, row.values)
        result.succeed("created", row.sent, book.add(row.email, values, created=call.now))
    elif contact.deleted:
        contact.deleted = False  # the status stays as it was: only resubscribe changes that
        book.write(contact, row.values)
        result.succeed("revived", row.sent, contact)
    elif row.overwrite:
        book.write(contact, row.values)
        result.succeed("updated", row.sent, contact)
    else:
        result.fail(row.sent, "Email already exists")


def add(call: Call) -> Answer:
    """Add one contact by a GET; the query names the fields."""
    given = {name: value for name, value in call.query.items() if name != "list_id"}
    tunnelled = Call(call.world, call.route, {}, call.query, given, call.route_list_id)
    return create(tunnelled)


def update(call: Call) -> Answer:
    """Change contacts that exist; others fail, none is added."""
    mailing_list = call.mailing_list
    rows = read_rows(call, mailing_list, creates=False)
    result = Mutation(call.world.readings, len(rows))
    book = mailing_list.contacts
    for row in rows:
        contact = row.contact and book.get(row.contact.email)  # again: an earlier row may have changed it
        if row.error:
            result.fail(row.sent, row.error)
        elif contact is None or contact.deleted:
            result.fail(row.sent, "Contact not found")
        else:
            book.write(contact, row.values)
            result.succeed("updated", row.sent, contact)
    return Answer(result.view())


def change_status(call: Call) -> Answer:
    """Change the status of addresses, in one of six ways."""
    mailing_list = call.mailing_list
    call.required("change_to", "emails")
    change_to, emails = call.fields["change_to"], call.fields["emails"]
    if change_to not in STATUS_CHANGES:
        raise invalid(errors={"change_to": f"change_to must be one of: {', '.join(STATUS_CHANGES)}"})
    if not isinstance(emails, list) or not all(isinstance(email, str) for email in emails):
        raise invalid(errors={"emails": "emails must be an array of addresses"})
    check_batch(call, emails)
    result = Mutation(call.world.readings, len(emails))
    for sent in emails:
        contact = mailing_list.contacts.get(sent.strip().lower())
        if contact is None or (contact.deleted and change_to not in ("resubscribe", "remove")):
            result.fail(sent, "Email not found")
        else:
            result.succeed(mailing_list.contacts.change_status(contact, change_to, call.now), sent, contact)
    return Answer(result.view())


def change_email(call: Call) -> Answer:
    """Move one contact to another address, not twice within the waiting time."""
    mailing_list = call.mailing_list
    call.required("email", "new_email")
    sent = str(call.fields["email"])
    try:
        new_email = accept_email(call.fields["new_email"])
    except ValueError as wrong:
        raise invalid(errors={"new_email": str(wrong)}) from None
    contact = mailing_list.contacts.get(sent.strip().lower())
    if contact is None or contact.deleted:
        raise invalid(errors={"email": "Email not found"})
    if mailing_list.contacts.get(new_email) is not None:
        raise invalid(errors={"new_email": "Email already exists"})
    _check_rest(call, contact)
    contact.email_changed_at = call.world.clock.now()
    mailing_list.contacts.rename(contact, new_email)
    return Answer({"success_emails": {sent: contact.id}})


def _check_rest(call: Call, contact: Contact) -> None:
    if contact.email_changed_at is None:
        return
    if call.world.clock.now() < contact.email_changed_at + call.world.readings.change_email_wait_s:
        raise invalid(errors={"email": "The same email address can be changed again only after 15 minutes"})


def delete(call: Call) -> Answer:
    """Delete contacts by id, softly: adding the address again revives it (§3.3, inferred)."""
    given = call.fields
    ids = given.get("contact_ids") or ([given["contact_id"]] if given.get("contact_id") else [])
    if not ids or not isinstance(ids, list):
        raise bad_request("Missing contact ID(s)")
    check_batch(call, ids)
    book = call.mailing_list.contacts
    found = [
        contact for contact in (book.by_id(str(each)) for each in ids) if contact is not None and not contact.deleted
    ]
    if not found:
        raise invalid(errors={"contact_id": "Contact not found"})
    for contact in found:
        contact.deleted = True
        book.put(contact)
    return Answer({"rows": len(ids), "success": len(found), "failed": len(ids) - len(found)})


def cross_account(call: Call) -> Answer:
    """Answer with the contact of an address in every list (shape unknown: a reading)."""
    email = call.query.get("email", "").strip().lower()
    if not email:
        raise Refusal(412, "Validation error", errors={"email": "email must not be empty"})
    found: dict[str, dict[str, Any]] = {}
    for mailing_list in call.state.live_lists():
        view = mailing_list.contact(email)
        if view is not None:
            stats = {"opens": 0, "clicks": 0, "sent": 0} if "behavior" in call.query else {}
            found[str(mailing_list.id)] = {"list_id": mailing_list.id, **view, **stats}
    return Answer(list(found.values()) if call.world.readings.cross_account == "array" else found or [])


_DATES = ("ocx_unsubscribe_date", "ocx_resubscribe_date", "ocx_bounce_date", "ocx_complaint_date")
CONTACT = record(
    {
        "email": TEXT,
        "id": {"type": "string", "pattern": "^[0-9a-f]{24}$"},
        "ocx_status": choice("Active", "Unsubscribed", "Bounced", "Complaint"),
        "ocx_created_date": TIME,
        **{name: maybe(TIME) for name in _DATES},
        "ocx_import_id": maybe(ID),
    }
)
_OUTCOMES = ("created", "updated", "revived")
_RESULT = record(
    {
        **dict.fromkeys(("rows", "success", "failed", *_OUTCOMES), COUNT),
        **{f"{name}_emails": map_of(TEXT) for name in (*_OUTCOMES, "success")},
        "failed_emails": either(map_of(TEXT), array_of(TEXT)),
    }
)
_VALUES = record(first_name=TEXT, country=TEXT, product_id={"type": "number"})
_NEW = record({"email": ADDRESS}, fields=_VALUES, overwrite=FLAG)
_KNOWN = either(record({"email": ADDRESS, "fields": _VALUES}), record({"id": TEXT, "fields": _VALUES}))
_CHANGE = record(
    {"change_to": choice(*STATUS_CHANGES), "emails": array_of(ADDRESS, least=1)},
    list_id=ID,
    ocx_child_id=ID,
    ocx_connection_id=ID,
)
_IDS = either(record({"contact_id": TEXT}), record({"contact_ids": array_of(TEXT, least=1)}))

_GETS = gives(CONTACT)
_GETS_BY_ID = gives(CONTACT, path={"id": TEXT})
_ADDS = gives(_RESULT, 412, query={"email!": ADDRESS, "first_name": TEXT, "country": TEXT})
CREATES = gives(_RESULT, 412, takes=either(_NEW, array_of(_NEW, least=1)))
UPDATES = gives(_RESULT, 412, takes=either(_KNOWN, array_of(_KNOWN, least=1)))
CHANGES = gives(_RESULT, 412, takes=_CHANGE)
_MOVES = gives(record({"success_emails": map_of(TEXT)}), 412, takes=record({"email": ADDRESS, "new_email": ADDRESS}))
_DELETES = gives(record(dict.fromkeys(("rows", "success", "failed"), COUNT)), 412, takes=_IDS)
_FINDS = gives(either(array_of(CONTACT), map_of(CONTACT)), 412, query={"email!": ADDRESS, "behavior": TEXT})

ROUTES = (
    Route("contacts.get_by_email", "GET", "/api/contacts/by_email/{email}", get_by_email, _GETS),
    Route("contacts.get_by_id", "GET", "/api/contacts/by_id/{id}", get_by_id, _GETS_BY_ID),
    Route("contacts.add", "GET", "/api/contacts/add", add, _ADDS, body_list_id=False),
    Route("contacts.create", "POST", "/api/v2/contacts", create, CREATES, body_list_id=False),
    Route("contacts.update", "PUT", "/api/v2/contacts", update, UPDATES, body_list_id=False),
    Route("contacts.change_status", "POST", "/api/v2/contacts/change_status", change_status, CHANGES),
    Route("contacts.change_email", "PUT", "/api/contacts/change_email", change_email, _MOVES),
    Route("contacts.delete", "POST", "/api/contacts/delete", delete, _DELETES),
    Route("contacts.cross_account", "GET", "/api/contacts/cross_account", cross_account, _FINDS),
)
