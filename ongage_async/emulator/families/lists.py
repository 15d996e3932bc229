"""Lists: real integers and booleans, `total` a number. Source: vendor page §3.1.

The answers to writes are not shown by the vendor; the list object is assumed.
"""

from collections.abc import Mapping
from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, invalid, paged
from ongage_async.emulator._call import Call
from ongage_async.emulator._list_object import COLLECTION_KEYS, FIRST_VALUES
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    COUNT,
    EMPTY,
    FLAG,
    ID,
    OBJECT,
    SOME_TEXT,
    TEXT,
    TIME,
    Schema,
    array_of,
    choice,
    either,
    maybe,
    record,
)
from ongage_async.emulator._shape import gives, pages
from ongage_async.emulator._state import MailingList
from ongage_async.emulator.families.list_fields import NEW_FIELD, check_field

_CREATE_KEYS = ("description", "expiration_date", "scope", "suppress_in_lists", "hash_type")
_UPDATE_KEYS = (
    *("name", "description", "expiration_date", "scope", "unsubscribe_default_link", "unsubscribe_confirmation_html"),
    *(
        "unsubscribe_confirmation_button",
        "unsubscribe_success_html",
        "frequency_active",
        "frequency_html",
        "frequencies",
    ),
    *("welcome_email_active", "welcome_email_id"),
)
_TEXTS = (
    *("name", "description", "type", "scope", "hash_type", "unsubscribe_confirmation_html", "frequency_html"),
    *("unsubscribe_confirmation_button", "unsubscribe_success_html"),
)
_SWITCHES = ("create_segment", "default", "unsubscribe_default_link", "frequency_active", "welcome_email_active")
_CHOICES = {
    "type": ("sending", "suppression"),
    "scope": ("global", "list", "campaign"),
    "hash_type": ("md5", "sha256", "sha512"),
}


def _view(call: Call, each: MailingList) -> dict[str, Any]:
    return {
        "id": each.id,
        "account_id": call.state.account_id,
        "type": each.type,
        **each.settings,
        "last_count": len(each.contacts),
        "last_active_count": each.contacts.active,
        "deleted": each.deleted,
    }


def _row(call: Call, each: MailingList) -> dict[str, Any]:
    full = {**_view(call, each), "default": each.id == call.state.default_list_id}
    return {key: full[key] for key in COLLECTION_KEYS}


def get(call: Call) -> Answer:
    """Answer with one list."""
    return Answer(_view(call, call.live_list(call.parameters["id"])))


def page(call: Call) -> Answer:
    """Answer with the lists that pass the filters."""
    query = call.query
    deleted = _flag(query, "deleted")
    rows = [
        _row(call, each)
        for each in call.state.lists.values()
        if (each.deleted is not None) == bool(deleted) and _passes(each, query)
    ]
    shown, total = paged(rows, query)
    return Answer(shown, {"total": total})


def _passes(each: MailingList, query: Mapping[str, str]) -> bool:
    settings = {**each.settings, "type": each.type}
    exact = all(settings[key] == query[key] for key in ("name", "type", "hash_type", "scope") if key in query)
    archive = _flag(query, "archive")
    return exact and query.get("name_like", "") in settings["name"] and archive in (None, settings["archive"])


def _flag(query: Mapping[str, str], key: str) -> bool | None:
    return query[key].lower() in ("true", "1") if key in query else None


def create(call: Call) -> Answer:
    """Make a list; without fields, with those of the default list."""
    call.required("name", "type")
    given = call.fields
    _check(call)
    if given["type"] == "suppression" and given.get("scope") == "list" and not given.get("suppress_in_lists"):
        raise invalid(errors={"suppress_in_lists": "suppress_in_lists must not be empty"})
    fields = given.get("fields") or [own.view() for own in call.state.default_list.fields]
    for each in fields:
        check_field(each)
    settings = {key: given[key] for key in _CREATE_KEYS if given.get(key) not in (None, "")}
    if given["type"] == "suppression":
        settings.setdefault("scope", "global")
    made = call.state.add_list(str(given["name"]), type=given["type"], fields=fields, **settings)
    return Answer(_view(call, made))


def _check(call: Call) -> None:
    call.of_kind(str, *_TEXTS)
    call.of_kind(bool, *_SWITCHES)
    call.of_kind(list, "fields", "frequencies", "suppress_in_lists")
    given = call.fields
    errors = {
        key: f"{key} must be one of: {', '.join(choices)}"
        for key, choices in _CHOICES.items()
        if given.get(key) not in (None, "", *choices)
    }
    if not isinstance(given.get("expiration_date"), int | str | None):
        errors["expiration_date"] = "expiration_date must be a date"
    if errors:
        raise invalid(errors=errors)


def update(call: Call) -> Answer:
    """Change a list's settings."""
    each = call.live_list(call.parameters["id"])
    call.required("name")
    given = call.fields
    if given.get("frequency_active"):
        call.required("frequency_html", "frequencies")
    _check(call)
    each.settings.update({key: given[key] for key in _UPDATE_KEYS if key in given}, modified=call.now)
    return Answer(_view(call, each))


def copy(call: Call) -> Answer:
    """Make a list with another one's settings and fields; contacts stay where they are (assumed)."""
    source = call.live_list(call.parameters["id"])
    given = call.fields
    _check(call)
    settings = {key: value for key, value in source.settings.items() if key not in ("name", "created", "modified")}
    if "description" in given:
        settings["description"] = given["description"]
    made = call.state.add_list(
        str(given.get("name") or f"{source.settings['name']} copy"),
        type=given.get("type") or source.type,
        fields=[own.view() for own in source.fields],
        **settings,
    )
    return Answer(_view(call, made))


def delete(call: Call) -> Answer:
    """Mark a list as deleted; the default list stays (assumed)."""
    each = call.live_list(call.parameters["id"])
    if each.id == call.state.default_list_id:
        raise bad_request("Dependency error")
    each.deleted = call.now
    return Answer([])


def delete_implications(call: Call) -> Answer:
    """Say what a deletion would take along (shape assumed)."""
    each = call.live_list(call.parameters["id"])
    imports = sum(job.request.list_id == each.id for job in call.state.imports.values())
    return Answer({"contacts": len(each.contacts), "list_fields": len(each.fields), "imports": imports})


def _setting(value: Any) -> Schema:
    """Return the schema of a setting, by its first value; what begins as null may become anything."""
    return {bool: maybe(FLAG), int: {"type": "integer"}, str: maybe(TEXT)}.get(type(value), {})


_DATE = either(TIME, TEXT, {"type": "null"})
_ROW_KEYS = [key for key in COLLECTION_KEYS if key not in ("id", "name", "type", "created", "modified", "deleted")]
_HEAD: dict[str, Schema] = {
    "id": ID,
    "name": TEXT,
    "type": choice(*_CHOICES["type"]),
    "created": TIME,
    "modified": TIME,
    "deleted": maybe(TIME),
}
_COUNTS: dict[str, Schema] = {"account_id": ID, "last_count": COUNT, "last_active_count": COUNT, "default": FLAG}
_SETTINGS = {key: _setting(value) for key, value in FIRST_VALUES.items()} | {"expiration_date": _DATE}
_LIST = record({**_HEAD, **_SETTINGS, **{key: _COUNTS[key] for key in _COUNTS if key != "default"}})
_ROW = record({**_HEAD, **{key: _COUNTS.get(key) or _SETTINGS[key] for key in _ROW_KEYS}})
_SCOPE, _HASH = choice(*_CHOICES["scope"]), choice(*_CHOICES["hash_type"])
_NEW = record(
    {"name": SOME_TEXT, "type": choice(*_CHOICES["type"])},
    description=TEXT,
    create_segment=FLAG,
    fields=array_of(NEW_FIELD),
    expiration_date=_DATE,
    scope=_SCOPE,
    suppress_in_lists=array_of(ID),
    hash_type=_HASH,
)
_CHANGE = record(
    {"name": SOME_TEXT},
    description=TEXT,
    expiration_date=_DATE,
    scope=_SCOPE,
    unsubscribe_default_link=FLAG,
    unsubscribe_confirmation_html=TEXT,
    unsubscribe_confirmation_button=TEXT,
    unsubscribe_success_html=TEXT,
    frequency_active=FLAG,
    frequency_html=TEXT,
    frequencies=array_of(OBJECT),
)
_COPY = record(create=FLAG, name=TEXT, description=TEXT, type=choice(*_CHOICES["type"]), default=FLAG)
_FILTERS = {
    "name": TEXT,
    "name_like": TEXT,
    "type": choice(*_CHOICES["type"]),
    "scope": _SCOPE,
    "hash_type": _HASH,
    "archive": FLAG,
    "deleted": FLAG,
}
_IMPLICATIONS = gives(record(dict.fromkeys(("contacts", "list_fields", "imports"), COUNT)))

ROUTES = (
    Route("lists.page", "GET", "/api/lists", page, pages(_ROW, query=_FILTERS)),
    Route("lists.create", "POST", "/api/lists", create, gives(_LIST, 412, takes=_NEW)),
    Route("lists.get", "GET", "/api/lists/{id}", get, gives(_LIST)),
    Route("lists.update", "PUT", "/api/lists/{id}", update, gives(_LIST, 412, takes=_CHANGE)),
    Route("lists.delete", "DELETE", "/api/lists/{id}", delete, gives(EMPTY)),
    Route("lists.copy", "POST", "/api/lists/{id}/copy", copy, gives(_LIST, 412, takes=_COPY)),
    Route(
        "lists.delete_implications",
        "GET",
        "/api/lists/{id}/delete_implications",
        delete_implications,
        _IMPLICATIONS,
    ),
)
