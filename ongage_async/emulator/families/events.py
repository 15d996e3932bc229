"""Events and their triggers: text for numbers. Source: vendor page §3.17; the event object is not shown (assumed).

Nothing is sent by an event here: what would set it off happens outside of the emulator.
"""

from typing import Any

from ongage_async.emulator._answers import Answer, invalid, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._messages import texts
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    DIGIT,
    EMPTY,
    FLAG,
    ID,
    NUMERAL,
    OBJECT,
    SOME_TEXT,
    TEXT,
    TIME,
    array_of,
    choice,
    maybe,
    record,
    texts_of,
)
from ongage_async.emulator._shape import gives, pages

_NEEDS = {"mailing": "mailing_id", "date_field": "date_field_name"}
_KEYS = (
    *("name", "description", "based_on", "event_type", "mailing_id", "date_field_name", "annually_event"),
    *("ongoing_event", "start_date", "end_date", "segments", "segments_excluded", "distribution", "triggers"),
)
_PARTS = ("segments", "segments_excluded", "distribution", "triggers")
_CHANGEABLE = ("name", "description", "esp_connections_quota", "emails_limit")


def _view(row: dict[str, Any]) -> dict[str, Any]:
    active = row["active"]
    shown = {key: value for key, value in row.items() if key != "active"}
    return texts({**shown, "status": active, "status_desc": "Active" if active else "Inactive"})


def _found(call: Call) -> dict[str, Any]:
    found = call.state.messages.events.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Unauthorized / Event not found")
    return found


def get(call: Call) -> Answer:
    """Answer with one event."""
    return Answer(_view(_found(call)))


def page(call: Call) -> Answer:
    """Answer with a list's events."""
    list_id, wanted = call.mailing_list.id, call.query.get("name", "")
    rows = [row for row in call.state.messages.events.values() if row["list_id"] == list_id and wanted in row["name"]]
    shown, total = paged([_view(row) for row in rows], call.query)
    return Answer(shown, {"total": str(total)})


def _check(call: Call) -> None:
    call.of_kind(str, "name", "description", "event_type", "date_field_name", "based_on")
    call.of_kind((int, str), "mailing_id", "start_date", "end_date")
    call.of_kind(bool, "ongoing_event", "annually_event")
    call.of_kind(list, *_PARTS)


def create(call: Call) -> Answer:
    """Make an event."""
    call.required("name", "segments", "triggers")
    given, now = call.fields, call.now
    _check(call)
    errors = {}
    if "status" not in given:
        errors["status"] = "status must not be empty"
    if not given.get("distribution") and not given.get("esps"):
        errors["distribution"] = "distribution must not be empty"
    needed = _NEEDS.get(str(given.get("based_on")))
    if needed and not given.get(needed):
        errors[needed] = f"{needed} must not be empty"
    if given.get("ongoing_event") is False and not (given.get("start_date") and given.get("end_date")):
        errors["start_date"] = "start_date must not be empty"
    if errors:
        raise invalid(errors=errors)
    number = call.state.next_id("event", 40001)
    row: dict[str, Any] = {
        "id": number,
        "list_id": call.mailing_list.id,
        **{key: given.get(key) for key in _KEYS},
        "name": str(given["name"]),
        "active": bool(given["status"]),
        "status_date": now,
        "time_to_send_config": [],
        "created": now,
        "modified": now,
        "deleted": None,
    }
    call.state.messages.events[number] = row
    return Answer(_view(row))


def update(call: Call) -> Answer:
    """Change an event."""
    row = _found(call)
    _check(call)
    row.update({key: call.fields[key] for key in _CHANGEABLE if key in call.fields}, modified=call.now)
    row["name"] = str(row["name"])
    return Answer(_view(row))


def toggle_status(call: Call) -> Answer:
    """Activate an event, or deactivate it."""
    row = _found(call)
    row.update(active=not row["active"], status_date=call.now)
    return Answer(_view(row))


def delete(call: Call) -> Answer:
    """Delete an event."""
    del call.state.messages.events[_found(call)["id"]]
    return Answer([])


_NUMBERS = dict.fromkeys(("id", "list_id", "status_date", "created", "modified"), NUMERAL)
_EVENT = texts_of(
    ("name", "status_desc", *(key for key in _KEYS if key not in _PARTS)),
    **{key: maybe(array_of({})) for key in _PARTS},
    **_NUMBERS,
    status=DIGIT,
    deleted=DIGIT,
)
_NEW = record(
    {
        "name": SOME_TEXT,
        "status": FLAG,
        "based_on": choice("mailing", "date_field", "recurring"),
        "segments": array_of(ID, least=1),
        "triggers": array_of(OBJECT, least=1),
        "distribution": array_of(OBJECT, least=1),
    },
    list_id=ID,
    description=TEXT,
    event_type=TEXT,
    mailing_id=ID,
    date_field_name=TEXT,
    ongoing_event=FLAG,
    start_date=TIME,
    end_date=TIME,
)
_CHANGE = record(name=TEXT, description=TEXT, emails_limit=ID)

ROUTES = (
    Route("events.page", "GET", "/api/events", page, pages(_EVENT, total=NUMERAL, query={"name": TEXT})),
    Route("events.create", "POST", "/api/events", create, gives(_EVENT, 412, takes=_NEW)),
    Route("events.get", "GET", "/api/events/{id}", get, gives(_EVENT)),
    Route("events.update", "PUT", "/api/events/{id}", update, gives(_EVENT, 412, takes=_CHANGE)),
    Route("events.toggle_status", "PUT", "/api/events/{id}/status", toggle_status, gives(_EVENT)),
    Route("events.delete", "DELETE", "/api/events/{id}", delete, gives(EMPTY)),
)
