"""Email messages, templates and folders: text for numbers, pages by number. Source: vendor page §3.14.

The answers to writes are not shown by the vendor; the email object is assumed.
"""

from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, invalid, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._messages import email_row, texts
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    DIGIT,
    FLAG,
    ID,
    NUMERAL,
    TEXT,
    TIME,
    URL,
    array_of,
    choice,
    either,
    record,
    texts_of,
)
from ongage_async.emulator._shape import Shape, gives

_TYPES = ("email_message", "template", "folder")
_WORDS = ("description", "subject", "content_html", "content_text", "preheader", "content_import_url", "language_iso")
_CHANGEABLE = (
    *("name", "description", "subject", "content_html", "content_text", "addresses", "preheader", "tag_ids"),
    *("content_import_url", "parent_id", "favorite", "no_wysiwyg", "language_iso"),
    *("unsubscribe_default_link", "unsubscribe_success_html", "unsubscribe_confirmation_html"),
)
_HIDDEN = ("parent_id", "favorite", "addresses", "preheader", "tag_ids", "content_import_url", "no_wysiwyg")


def _view(row: dict[str, Any]) -> dict[str, Any]:
    return texts({key: value for key, value in row.items() if key not in (*_HIDDEN, "language_iso")})


def _found(call: Call) -> dict[str, Any]:
    found = call.state.messages.emails.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Unauthorized / Email not found")
    return found


def get(call: Call) -> Answer:
    """Answer with one message."""
    return Answer(_view(_found(call)))


def page(call: Call) -> Answer:
    """Answer with a page of a list's messages; folders and templates are among them."""
    query, list_id = call.query, call.mailing_list.id
    rows = [row for row in call.state.messages.emails.values() if row["list_id"] in (None, list_id)]
    rows = [_view(row) for row in rows if _passes(row, query)]
    size = as_id(query.get("page_size")) or 50
    offset = (max(1, as_id(query.get("page"))) - 1) * size
    shown, total = paged(rows, {"offset": str(offset), "limit": str(size)})
    return Answer(shown, {"total": str(total)})


def _passes(row: dict[str, Any], query: Any) -> bool:
    modified = row["modified"] or 0
    return (
        query.get("type", row["type"]) == row["type"]
        and query.get("name", "") in str(row["name"] or "")
        and query.get("subject", "") in str(row["subject"] or "")
        and ("parent_id" not in query or as_id(query["parent_id"]) == row["parent_id"])
        and ("favorite" not in query or (query["favorite"] == "1") == bool(row["favorite"]))
        and as_id(query.get("modified_from")) <= modified <= (as_id(query.get("modified_to")) or modified)
    )


def _check(call: Call) -> None:
    call.of_kind(str, "name", "type", *_WORDS)


def create(call: Call) -> Answer:
    """Make a message."""
    call.required("name")
    _check(call)
    given, now = call.fields, call.now
    if given.get("type", "email_message") not in _TYPES:
        raise invalid(errors={"type": f"type must be one of: {', '.join(_TYPES)}"})
    number = call.state.next_id("email", 800001)
    known = {key: given[key] for key in (*_CHANGEABLE, "type") if key in given}
    place = {"account_id": call.state.account_id, "list_id": call.mailing_list.id, "created": now, "modified": now}
    row = call.state.messages.emails[number] = email_row(number, {**known, **place, "name": str(given["name"])})
    return Answer(_view(row))


def update(call: Call) -> Answer:
    """Change a message."""
    row = _found(call)
    _check(call)
    row.update({key: call.fields[key] for key in _CHANGEABLE if key in call.fields}, modified=call.now)
    return Answer(_view(row))


def delete(call: Call) -> Answer:
    """Delete a message, unless a mailing uses it."""
    row = _found(call)
    used = any(row["id"] in each.settings.get("email_message", ()) for each in call.state.messages.mailings.values())
    if used:
        raise bad_request("Dependency error")
    del call.state.messages.emails[row["id"]]
    return Answer({**_view(row), "deleted": str(call.now)})


def copy(call: Call) -> Answer:
    """Copy a message to other lists; answers with the copies (assumed)."""
    row, given = _found(call), call.fields
    targets = given.get("target_list_ids") or ([given["target_list_id"]] if given.get("target_list_id") else [])
    if not targets or not isinstance(targets, list):
        raise bad_request("Invalid data in request")
    made = []
    for target in targets:
        number = call.state.next_id("email", 800001)
        copied = {**row, "id": number, "list_id": call.live_list(target).id, "created": call.now}
        call.state.messages.emails[number] = copied
        made.append(_view(copied))
    return Answer(made)


def move(call: Call) -> Answer:
    """Move a message into a folder."""
    row, parent_id = _found(call), as_id(call.fields.get("parent_id", 0))
    folder = call.state.messages.emails.get(parent_id)
    if parent_id and (folder is None or folder["type"] != "folder"):
        raise missing("Unauthorized / Email not found")
    row.update(parent_id=parent_id, name=str(call.fields.get("name") or row["name"]), modified=call.now)
    return Answer(_view(row))


def mark(call: Call) -> Answer:
    """Mark a message, or take the mark away; the path is spelled in one way only."""
    if not call.route.path.endswith(call.world.readings.email_mark_path):
        raise missing("The requested URL was not found on this server")
    row = _found(call)
    row["favorite"] = not row["favorite"]
    return Answer({"id": str(row["id"]), "favorite": "1" if row["favorite"] else "0"})


def links(call: Call) -> Answer:
    """Answer with the addresses that a message links to (shape assumed)."""
    html = str(_found(call)["content_html"] or "")
    return Answer([{"url": part.partition('"')[0]} for part in html.split('href="')[1:]])


_EMAIL = texts_of(
    ("type", "name", "description", "subject", "content_html", "content_text", "account_id", "list_id"),
    id=NUMERAL,
    deleted=TEXT,
)
_CHANGE = record(
    **dict.fromkeys(("name", "description", "subject", "content_html", "content_text", "preheader"), TEXT),
    tag_ids=array_of(ID),
    content_import_url=URL,
    parent_id=ID,
    favorite=FLAG,
    no_wysiwyg=FLAG,
    language_iso=TEXT,
    unsubscribe_default_link=FLAG,
)
_NEW = {**_CHANGE, "required": ["name"]}
_FILTERS = {
    "page": ID,
    "page_size": ID,
    "type": choice(*_TYPES),
    "name": TEXT,
    "subject": TEXT,
    "parent_id": ID,
    "favorite": DIGIT,
    "modified_from": TIME,
    "modified_to": TIME,
}
_PAGES = Shape(answer=array_of(_EMAIL), kind="page", query=_FILTERS, total=NUMERAL)
_TARGETS = either(record({"target_list_ids": array_of(ID, least=1)}), record({"target_list_id": ID}))
_COPIES = gives(array_of(_EMAIL), takes=_TARGETS)
_MOVES = gives(_EMAIL, takes=record(parent_id=ID, name=TEXT))
_MARKS = gives(record({"id": NUMERAL, "favorite": DIGIT}))
_LINKS = gives(array_of(record({"url": TEXT})))

ROUTES = (
    Route("emails.page", "GET", "/api/emails", page, _PAGES),
    Route("emails.create", "POST", "/api/emails", create, gives(_EMAIL, 412, takes=_NEW)),
    Route("emails.get", "GET", "/api/emails/{id}", get, gives(_EMAIL)),
    Route("emails.update", "PUT", "/api/emails/{id}", update, gives(_EMAIL, 412, takes=_CHANGE)),
    Route("emails.delete", "DELETE", "/api/emails/{id}", delete, gives(_EMAIL)),
    Route("emails.copy", "PUT", "/api/emails/{id}/copy", copy, _COPIES),
    Route("emails.move", "PUT", "/api/emails/{id}/move", move, _MOVES),
    Route("emails.toggle_favourite", "PUT", "/api/emails/{id}/favourite", mark, _MARKS),
    Route("emails.toggle_favourite", "PUT", "/api/emails/{id}/favorite", mark, _MARKS),
    Route("emails.links", "GET", "/api/emails/{id}/links", links, _LINKS),
)
