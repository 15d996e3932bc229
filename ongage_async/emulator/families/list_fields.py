"""List fields: real types, `total` a number. Source: vendor page §3.2.

The answers to writes are not shown by the vendor; the field object is assumed.
"""

from collections.abc import Mapping
from typing import Any

from ongage_async.emulator._answers import Answer, Refusal, invalid, missing, object_or_empty, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._fields import DATE_FORMATS, FIELD_TYPES, ListField
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    ANY,
    COUNT,
    EMPTY,
    FLAG,
    ID,
    SOME_TEXT,
    TEXT,
    TIME,
    Schema,
    array_of,
    choice,
    map_of,
    maybe,
    record,
)
from ongage_async.emulator._shape import gives, pages
from ongage_async.emulator._state import MailingList

_CHANGEABLE = ("name", "title", "format", "default", "mandatory", "position")
_ALL_LISTS_KEYS = (
    *("name", "title", "type", "format", "default", "mandatory", "position"),
    *("account_id", "list_id", "id", "created", "modified", "deleted"),
)


def check_field(given: Any, taken: MailingList | None = None) -> None:
    """Refuse a field object that cannot be made.

    Args:
        given: The object as sent.
        taken: A list that must not have a field of this name yet.

    Raises:
        Refusal: 412.
    """
    if not isinstance(given, Mapping):
        raise invalid(errors={"fields": "fields must be an array of objects"})
    errors = {name: f"{name} must not be empty" for name in ("name", "title", "type") if not given.get(name)}
    wrong = [name for name in ("name", "title", "format") if not isinstance(given.get(name) or "", str)]
    errors.update({name: f"{name} must be text" for name in wrong})
    if not isinstance(given.get("position"), int | None):
        errors["position"] = "position must be a whole number"
    if not errors and given["type"] not in FIELD_TYPES:
        errors["type"] = f"type must be one of: {', '.join(FIELD_TYPES)}"
    formats = DATE_FORMATS if given.get("type") == "date" else (None, "", *DATE_FORMATS)
    if given.get("format") not in formats:
        errors["format"] = f"format must be one of: {', '.join(DATE_FORMATS)}"
    if taken is not None and not errors and taken.field(str(given["name"])) is not None:
        errors["name"] = "name already exists in the list"
    if errors:
        raise invalid(errors=errors)


def _found(call: Call) -> tuple[MailingList, ListField]:
    found = call.state.find_field(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Unauthorized / List field not found")
    return found


def get(call: Call) -> Answer:
    """Answer with one field."""
    return Answer(_found(call)[1].view())


def page(call: Call) -> Answer:
    """Answer with the fields of a list."""
    query = call.query
    rows = [own.view() for own in sorted(call.mailing_list.fields, key=lambda own: own.position)]
    rows = [row for row in rows if all(row[key] == query[key] for key in ("name", "type") if key in query)]
    shown, total = paged(rows, query)
    return Answer(shown, {"total": total})


def create(call: Call) -> Answer:
    """Make a field in one list."""
    mailing_list = call.mailing_list
    call.required("position")
    check_field(call.fields, mailing_list)
    return Answer(call.state.add_field(mailing_list, call.fields).view())


def create_in_all_lists(call: Call) -> Answer:
    """Make a field in every list that can take it."""
    call.required("position")
    check_field(call.fields)
    made: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for mailing_list in list(call.state.live_lists()):
        try:
            check_field(call.fields, mailing_list)
        except Refusal as refusal:
            failed[str(mailing_list.id)] = "; ".join((refusal.errors or {}).values())
            continue
        view = call.state.add_field(mailing_list, call.fields).view()
        made.append({key: view[key] for key in _ALL_LISTS_KEYS})
    return Answer({"success_list_fields": made, "failed_lists_errors": object_or_empty(failed)})


def update(call: Call) -> Answer:
    """Change a field, but not its type, and not the email field."""
    mailing_list, own = _found(call)
    if own.name == "email":
        raise invalid(errors={"name": "the email field can not be changed"})
    changed = {**own.view(), **{key: call.fields[key] for key in _CHANGEABLE if key in call.fields}}
    check_field(changed, mailing_list if changed["name"] != own.name else None)
    changed |= {"format": changed["format"] or "", "mandatory": bool(changed["mandatory"])}
    changed["position"] = int(changed["position"] or 0)
    if changed["name"] != own.name:
        mailing_list.contacts.rename_column(own.name, changed["name"])
    for key in _CHANGEABLE:
        setattr(own, key, changed[key])
    own.modified = call.now
    return Answer(own.view())


def delete(call: Call) -> Answer:
    """Delete a field and its data."""
    mailing_list, own = _found(call)
    if own.name == "email":
        raise invalid(errors={"name": "the email field can not be deleted"})
    mailing_list.fields.remove(own)
    mailing_list.contacts.drop_column(own.name)
    return Answer([])


_HEAD: dict[str, Schema] = {"name": SOME_TEXT, "title": SOME_TEXT, "type": choice(*FIELD_TYPES)}
_REST: dict[str, Schema] = {"default": ANY, "mandatory": FLAG}
_FORMAT = choice("", *DATE_FORMATS)
_FIELD = record(
    {
        **dict.fromkeys(("id", "account_id", "list_id"), ID),
        **_HEAD,
        **_REST,
        "format": _FORMAT,
        "position": {"type": "integer"},
        "created": TIME,
        "modified": TIME,
        "deleted": maybe(TIME),
    },
    is_sms=FLAG,
)
NEW_FIELD = record(_HEAD, format=_FORMAT, position=COUNT, **_REST)
_NEW = record({**_HEAD, "position": COUNT}, list_id=ID, format=_FORMAT, **_REST)
_CHANGE = record(name=TEXT, title=TEXT, format=_FORMAT, position=COUNT, **_REST)
_EVERYWHERE = record({"success_list_fields": array_of(_FIELD), "failed_lists_errors": map_of(TEXT)})
_FILTERS = {"name": TEXT, "type": choice(*FIELD_TYPES)}
_IN_ALL = gives(_EVERYWHERE, 412, takes=_NEW)

ROUTES = (
    Route("list_fields.page", "GET", "/api/list_fields", page, pages(_FIELD, query=_FILTERS)),
    Route("list_fields.create", "POST", "/api/list_fields", create, gives(_FIELD, 412, takes=_NEW)),
    Route("list_fields.create_in_all_lists", "POST", "/api/list_fields/all_lists", create_in_all_lists, _IN_ALL),
    Route("list_fields.get", "GET", "/api/list_fields/{id}", get, gives(_FIELD)),
    Route("list_fields.update", "PUT", "/api/list_fields/{id}", update, gives(_FIELD, 412, takes=_CHANGE)),
    Route("list_fields.delete", "DELETE", "/api/list_fields/{id}", delete, gives(EMPTY, 412)),
)
