"""Suppression: addresses and domains on and off a suppression list. Source: vendor page §3.9."""

from ongage_async.emulator._answers import Answer, invalid
from ongage_async.emulator._call import Call
from ongage_async.emulator._contact_rows import check_batch
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ADDRESS, COUNT, ID, array_of, choice, record
from ongage_async.emulator._shape import gives


def update(call: Call) -> Answer:
    """Add addresses, or remove them."""
    call.required("list_id", "emails")
    own_list = call.live_list(call.fields["list_id"])
    action, emails = call.fields.get("action", "add"), call.fields["emails"]
    if own_list.type != "suppression":
        raise invalid(errors={"list_id": "the list is not a suppression list"})
    if action not in ("add", "remove"):
        raise invalid(errors={"action": "action must be one of: add, remove"})
    if not isinstance(emails, list):
        raise invalid(errors={"emails": "emails must be an array"})
    check_batch(call, emails)
    done = 0
    for sent in emails:
        try:
            email = own_list.accept_address(sent)
        except ValueError:
            continue
        contact = own_list.contacts.get(email)
        if action == "remove" and contact is not None:
            own_list.contacts.remove(contact)
        elif action == "add" and contact is None:
            own_list.contacts.add(email, created=call.now)
        done += action == "add" or contact is not None
    return Answer({"rows": len(emails), "success": done})


_CHANGE = record({"list_id": ID, "emails": array_of(ADDRESS, least=1)}, action=choice("add", "remove"))
_DONE = record({"rows": COUNT, "success": COUNT})

ROUTES = (Route("suppression.update", "PUT", "/api/suppression", update, gives(_DONE, 412, takes=_CHANGE)),)
