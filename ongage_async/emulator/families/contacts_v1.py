"""The older calls for contacts: as their successors do it, since only their paths and some keys are known (assumed).

Source: vendor page §3.3, "older, superseded".
"""

from ongage_async.emulator._answers import Answer, invalid, paged
from ongage_async.emulator._call import Call
from ongage_async.emulator._criteria import CRITERIA, check, matching
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import COUNT, ID, TEXT, array_of, choice, record
from ongage_async.emulator._shape import Shape, pages
from ongage_async.emulator.families import contacts

_USER_TYPES = ("all", "active", "nonactive", "unsubscribed", "bounced", "complaint")


def page(call: Call) -> Answer:
    """Answer with a list's contacts."""
    rows, total = paged(matching(call.mailing_list, (), call.world.readings), call.query)
    return Answer(rows, {"total": total})


def lookup(call: Call) -> Answer:
    """Answer with the contacts that meet the criteria; the body says which page."""
    given, mailing_list = call.fields, call.mailing_list
    user_type = given.get("user_type", "all")
    if user_type not in _USER_TYPES:
        raise invalid(errors={"user_type": f"user_type must be one of: {', '.join(_USER_TYPES)}"})
    rules = check(mailing_list, given["criteria"]) if given.get("criteria") else ()
    found = matching(mailing_list, rules, call.world.readings, user_type=user_type)
    rows, total = paged(found, {key: str(given[key]) for key in ("sort", "offset", "limit") if key in given})
    return Answer(rows, {"total": total})


_QUESTION = record(list_id=ID, criteria=CRITERIA, user_type=choice(*_USER_TYPES), sort=TEXT, offset=COUNT, limit=COUNT)
_PAGES = pages(contacts.CONTACT)
_FINDS = Shape(answer=array_of(contacts.CONTACT), kind="page", takes=_QUESTION, refuses=(412,))

_SHAPES = {route.operation: route.shape for route in contacts.ROUTES}
_CONTACT = _SHAPES["contacts.get_by_email"].answer
_QUESTION = record(user_type=choice(*_USER_TYPES), criteria=CRITERIA, sort=TEXT, offset=COUNT, limit=COUNT, list_id=ID)
_LOOKS_UP = Shape(answer=array_of(_CONTACT), kind="page", takes=_QUESTION, refuses=(412,))

ROUTES = (
    Route("contacts.page_v1", "GET", "/api/contacts", page, pages(_CONTACT)),
    Route(
        "contacts.create_v1", "POST", "/api/contacts", contacts.create, _SHAPES["contacts.create"], body_list_id=False
    ),
    Route(
        "contacts.update_v1", "PUT", "/api/contacts", contacts.update, _SHAPES["contacts.update"], body_list_id=False
    ),
    Route(
        "contacts.remove_v1",
        "POST",
        "/api/contacts/remove",
        contacts.change_status,
        _SHAPES["contacts.change_status"],
    ),
    Route("contacts.lookup_v1", "POST", "/api/contacts/lookup", lookup, _LOOKS_UP),
)
