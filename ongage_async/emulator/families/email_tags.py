"""Tags of email messages, of one list or of all. Source: vendor page §3.16; the tag object is not shown (assumed)."""

from typing import Any

from ongage_async.emulator._answers import Answer, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import EMPTY, ID, SOME_TEXT, TEXT, TIME, maybe, record
from ongage_async.emulator._shape import gives, pages


def _list_id(call: Call) -> int | None:
    """Return the list of a tag: ``null`` in the body means all of them, a missing key the call's list."""
    if "list_id" in call.fields and call.fields["list_id"] is None:
        return None
    return call.mailing_list.id


def _found(call: Call) -> dict[str, Any]:
    found = call.state.messages.tags.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Unauthorized / Tag not found")
    return found


def page(call: Call) -> Answer:
    """Answer with a list's tags and the global ones."""
    list_id = call.mailing_list.id
    wanted = call.query.get("title", "")
    tags = call.state.messages.tags.values()
    rows = [row for row in tags if row["list_id"] in (None, list_id) and wanted in row["title"]]
    shown, total = paged(rows, call.query)
    return Answer(shown, {"total": total})


def create(call: Call) -> Answer:
    """Make a tag."""
    call.required("title")
    number = call.state.next_id("tag", 3001)
    row = {
        "id": number,
        "title": str(call.fields["title"]),
        "list_id": _list_id(call),
        "account_id": call.state.account_id,
        "created": call.now,
        "modified": call.now,
        "deleted": None,
    }
    call.state.messages.tags[number] = row
    return Answer(row)


def update(call: Call) -> Answer:
    """Change a tag's title, and its list if the body names one."""
    row = _found(call)
    call.required("title")
    row.update(title=str(call.fields["title"]), modified=call.now)
    if "list_id" in call.fields:
        row["list_id"] = _list_id(call)
    return Answer(row)


def delete(call: Call) -> Answer:
    """Delete a tag."""
    del call.state.messages.tags[_found(call)["id"]]
    return Answer([])


_TAG = record({"id": ID, "title": TEXT, "list_id": maybe(ID), "account_id": ID, "created": TIME, "modified": TIME})
_NEW = record({"title": SOME_TEXT}, list_id=maybe(ID))

ROUTES = (
    Route("email_tags.page", "GET", "/api/email_tag", page, pages(_TAG, query={"title": TEXT})),
    Route("email_tags.create", "POST", "/api/email_tag", create, gives(_TAG, 412, takes=_NEW)),
    Route("email_tags.update", "PUT", "/api/email_tag/{id}", update, gives(_TAG, 412, takes=_NEW)),
    Route("email_tags.delete", "DELETE", "/api/email_tag/{id}", delete, gives(EMPTY)),
)
