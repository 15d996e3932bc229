"""Lists: real integers and booleans, `total` a number. Source: vendor page §3.1.

The answers to writes are not shown by the vendor; the list object is assumed.
"""

from collections.abc import Mapping
from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, invalid, paged
from ongage_async.emulator._call import Call
from ongage_async.emulator._list_object import COLLECTION_KEYS
from ongage_async.emulator._router import Route
from ongage_async.emulator._state import MailingList
from ongage_async.emulator.families.list_fields import check_field

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
    _check_choices(given)
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


def _check_choices(given: Mapping[str, Any]) -> None:
    errors = {
        key: f"{key} must be one of: {', '.join(choices)}"
        for key, choices in _CHOICES.items()
        if given.get(key) not in (None, "", *choices)
    }
    if errors:
        raise invalid(errors=errors)


def update(call: Call) -> Answer:
    """Change a list's settings."""
    each = call.live_list(call.parameters["id"])
    call.required("name")
    given = call.fields
    if given.get("frequency_active"):
        call.required("frequency_html", "frequencies")
    _check_choices(given)
    each.settings.update({key: given[key] for key in _UPDATE_KEYS if key in given}, modified=call.now)
    return Answer(_view(call, each))


def copy(call: Call) -> Answer:
    """Make a list with another one's settings and fields; contacts stay where they are (assumed)."""
    source = call.live_list(call.parameters["id"])
    given = call.fields
    _check_choices(given)
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


ROUTES = (
    Route("lists.page", "GET", "/api/lists", page),
    Route("lists.create", "POST", "/api/lists", create),
    Route("lists.get", "GET", "/api/lists/{id}", get),
    Route("lists.update", "PUT", "/api/lists/{id}", update),
    Route("lists.delete", "DELETE", "/api/lists/{id}", delete),
    Route("lists.copy", "POST", "/api/lists/{id}/copy", copy),
    Route("lists.delete_implications", "GET", "/api/lists/{id}/delete_implications", delete_implications),
)
