"""Mailings: text for numbers, `total` as text, and a status that follows the clock. Source: vendor page §3.12.

The answers to writes are not shown by the vendor; the mailing object is assumed.
"""

from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._mailing import STATUS_NAMES, Mailing
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

_ACTIONS = ("hold", "resume", "abort")
_TEXTS = ("name", "description", "type", "split_type")
_LISTS = ("email_message", "segments", "segments_excluded", "distribution", "recipients")


def create(call: Call) -> Answer:
    """Make a mailing; without a date it launches at once."""
    call.required("name", "email_message", status=400)
    settings = _settings(call)
    now = call.now
    made = Mailing(
        id=call.state.next_id("mailing", 1700001),
        list_id=call.mailing_list.id,
        settings=settings,
        created=now,
        modified=now,
        status_date=now,
        left_s=call.state.messages.sending_s,
        targeted=_targeted(call, settings),
    )
    made.launch(call.world.clock, _date(call))
    call.state.messages.mailings[made.id] = made
    return Answer(_view(call, made))


def update(call: Call) -> Answer:
    """Change a mailing and schedule it, or launch it (assumed) where there is no date."""
    made = _found(call)
    call.required("name", status=400)
    made.settings.update(_settings(call))
    made.modified = call.now
    made.launch(call.world.clock, _date(call))
    return Answer(_view(call, made))


def _settings(call: Call) -> dict[str, Any]:
    """Return the body without the date and the list, checked."""
    settings = {key: value for key, value in call.fields.items() if key not in ("schedule_date", "list_id")}
    kinds = {"is_test": bool, **dict.fromkeys(_LISTS, list), **dict.fromkeys(_TEXTS, str), "emails_limit": int | str}
    if not all(isinstance(settings[name], kind) for name, kind in kinds.items() if settings.get(name) is not None):
        raise bad_request("Invalid data in request")
    settings = {name: value for name, value in settings.items() if value is not None or name not in kinds}
    for message_id in settings.get("email_message") or ():
        if not call.state.messages.has_message(message_id):
            raise missing("Email/Campaign not found")
    distribution = settings.get("distribution", ())
    if not all(isinstance(each, dict) and _is_number(each.get("esp_connection_id")) for each in distribution):
        raise bad_request("Invalid data in request")
    domains = [each.get("domain") for each in distribution if each.get("domain")]
    if domains and "default" not in domains:
        raise bad_request("Invalid data in request")
    return settings


def _is_number(value: Any) -> bool:
    return isinstance(value, int | str | None)


def _date(call: Call) -> int | None:
    date = call.fields.get("schedule_date")
    if date in (None, "", 0):
        return None
    if not as_id(date):
        raise bad_request("Invalid data in request")
    return as_id(date)


def _targeted(call: Call, settings: dict[str, Any]) -> int:
    if settings.get("is_test"):
        return len(settings.get("recipients") or ())
    active = call.mailing_list.contacts.active
    return min(active, as_id(settings.get("emails_limit")) or active)


def _found(call: Call) -> Mailing:
    found = call.state.messages.mailings.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Campaign not found")
    found.follow(call.world.clock)
    return found


def _view(call: Call, each: Mailing) -> dict[str, Any]:
    settings = each.settings
    emails = call.state.messages.emails
    names = {number: emails.get(number, {}) for number in settings.get("email_message", ())}
    excluded = settings.get("segments_excluded", ())
    return {
        **_core(each),
        "account_id": str(call.state.account_id),
        "description": settings.get("description", ""),
        "segments": [_segment(number, number in excluded) for number in (*settings.get("segments", ()), *excluded)],
        "distribution": [texts(route) for route in settings.get("distribution", ())],
        "email_message": [
            {
                "type": "email_message",
                "email_message_id": str(number),
                **{key: email.get(key) for key in ("name", "description", "subject")},
            }
            for number, email in names.items()
        ],
    }


def _segment(segment_id: Any, exclude: bool) -> dict[str, Any]:
    return {
        "segment_id": str(segment_id),
        "type": "Active",
        "name": f"segment {segment_id}",
        "last_count": "0",
        "exclude": "1" if exclude else "0",
    }


def _core(each: Mailing) -> dict[str, Any]:
    settings = each.settings
    return texts(
        {
            "id": each.id,
            "name": settings["name"],
            "type": settings.get("type", "campaign"),
            "split_type": settings.get("split_type"),
            "list_id": each.list_id,
            "is_test": bool(settings.get("is_test")),
            "schedule_date": each.scheduled or each.created,
            "status": each.status,
            "status_desc": STATUS_NAMES.get(each.status, "Unknown"),
            "status_date": each.status_date,
            "created": each.created,
            "modified": each.modified,
            "scheduled_by": "1035",
            "deleted": None,
        }
    )


def _row(each: Mailing) -> dict[str, Any]:
    """Return the entry of a collection (§3.12)."""
    ended = each.has_sent
    start = int(each.scheduled or each.created)
    added = {
        "has_quota": False,
        "split_subject_content_email_id": None,
        "created_by": 1035,
        "favorite": bool(each.settings.get("favorite")),
        "progress": 100 if ended else 0,
        "manager": "user@example.com",
        "targeted": each.targeted,
        "cannot_resume": False,
        "cannot_resume_reason": "",
        "original_email_message_id": next(iter(each.settings.get("email_message", ())), None),
        "ox_data": None,
        "sending_start_date": start,
        "sending_end_date": each.status_date if ended else 0,
        "estimated_sending_end_date": 0,
        "emails_limit": each.settings.get("emails_limit"),
    }
    numbers = {"report": 1, "test": 0, "cancel": 0}
    return {**_core(each), **texts(added), **numbers, "schedule": "delivered", "esps": "SparkPost"}


def get(call: Call) -> Answer:
    """Answer with one mailing."""
    return Answer(_view(call, _found(call)))


def page(call: Call) -> Answer:
    """Answer with a list's mailings that pass the filters, the newest first (order assumed)."""
    list_id = call.mailing_list.id
    rows = []
    for each in reversed(call.state.messages.mailings.values()):
        each.follow(call.world.clock)
        if each.list_id == list_id and _passes(call, each):
            rows.append(_row(each))
    shown, total = paged(rows, call.query)
    return Answer(shown, {"total": str(total)})


def _passes(call: Call, each: Mailing) -> bool:
    query, settings = call.query, each.settings
    start = each.scheduled or each.created
    names = [call.state.messages.emails.get(number, {}).get("name") for number in settings.get("email_message", ())]
    wanted_test = query.get("is_test", "").lower()
    return (
        as_id(query.get("date_from")) <= start <= (as_id(query.get("date_to")) or start)
        and query.get("mailing_name", settings["name"]) in settings["name"]
        and ("email_name" not in query or query["email_name"] in names)
        and (not wanted_test or (wanted_test in ("1", "true")) == bool(settings.get("is_test")))
        and query.get("mailing_type", settings.get("type", "campaign")) == settings.get("type", "campaign")
    )


def abort(call: Call) -> Answer:
    """Hold, resume or stop a mailing."""
    made = _found(call)
    action = call.fields.get("action") or "hold"
    if action not in _ACTIONS:
        raise bad_request("Invalid data in request")
    made.act(action, call.world.clock)
    return Answer(_view(call, made))


def cancel(call: Call) -> Answer:
    """Cancel a mailing."""
    made = _found(call)
    made.cancel(call.world.clock)
    return Answer(_view(call, made))


def unschedule(call: Call) -> Answer:
    """Take a mailing's date away."""
    made = _found(call)
    made.unschedule(call.world.clock)
    return Answer(_view(call, made))


def revive(call: Call) -> Answer:
    """Bring a cancelled mailing back."""
    made = _found(call)
    made.revive(call.world.clock)
    return Answer(_view(call, made))


def duplicate(call: Call) -> Answer:
    """Make a new mailing, without a date, from another one."""
    source, given, now = _found(call), call.fields, call.now
    call.of_kind(list, "segments", status=400)
    call.of_kind(int, "email_message_id", status=400)
    settings = {**source.settings}
    if given.get("email_message_id"):
        settings["email_message"] = [given["email_message_id"]]
    if given.get("segments"):
        settings["segments"] = given["segments"]
    if given.get("add_copy_to_title"):
        settings["name"] = f"{settings['name']} copy"
    made = Mailing(
        id=call.state.next_id("mailing", 1700001),
        list_id=source.list_id,
        settings=settings,
        created=now,
        modified=now,
        status_date=now,
        left_s=call.state.messages.sending_s,
        targeted=source.targeted,
    )
    call.state.messages.mailings[made.id] = made
    return Answer(_view(call, made))


def delete(call: Call) -> Answer:
    """Delete a mailing for good."""
    del call.state.messages.mailings[_found(call).id]
    return Answer([])


_CORE = {
    **dict.fromkeys(("id", "list_id", "status", "status_date", "created", "modified", "schedule_date"), NUMERAL),
    "is_test": DIGIT,
    "deleted": DIGIT,
}
_WORDS = ("name", "type", "split_type", "status_desc", "scheduled_by")
_PARTS = {name: array_of(OBJECT) for name in ("segments", "distribution", "email_message")}
_MAILING = texts_of((*_WORDS, "account_id", "description"), **_CORE, **_PARTS)
_ROW = texts_of((*_WORDS, "progress", "targeted", "manager", "emails_limit"), **_CORE)
_ROUTE = record({"esp_connection_id": ID}, domain=choice("default", "gmail.com"), percent=ID)
_CHANGE = record(
    {"name": SOME_TEXT},
    description=TEXT,
    type=choice("campaign", "split"),
    email_message=array_of(ID, least=1),
    segments=array_of(ID),
    segments_excluded=array_of(ID),
    distribution=array_of(_ROUTE),
    schedule_date=maybe(TIME),
    is_test=FLAG,
    recipients=array_of(TEXT),
    emails_limit=ID,
)
_NEW = {**_CHANGE, "required": ["name", "email_message"]}
_COPY = record(email_message_id=ID, segments=array_of(ID), add_copy_to_title=FLAG)
_FILTERS = {
    "date_from": TIME,
    "date_to": TIME,
    "mailing_name": TEXT,
    "email_name": TEXT,
    "is_test": FLAG,
    "mailing_type": choice("campaign", "split"),
}
_GIVES, _ACTS = gives(_MAILING), gives(_MAILING, takes=record(action=choice(*_ACTIONS)))

ROUTES = (
    Route("mailings.page", "GET", "/api/mailings", page, pages(_ROW, total=NUMERAL, query=_FILTERS)),
    Route("mailings.create", "POST", "/api/mailings", create, gives(_MAILING, takes=_NEW)),
    Route("mailings.get", "GET", "/api/mailings/{id}", get, _GIVES),
    Route("mailings.update", "PUT", "/api/mailings/{id}", update, gives(_MAILING, takes=_CHANGE)),
    Route("mailings.delete", "DELETE", "/api/mailings/{id}", delete, gives(EMPTY)),
    Route("mailings.abort", "PUT", "/api/mailings/{id}/abort", abort, _ACTS),
    Route("mailings.cancel", "PUT", "/api/mailings/{id}/cancel", cancel, _GIVES),
    Route("mailings.unschedule", "PUT", "/api/mailings/{id}/unschedule", unschedule, _GIVES),
    Route("mailings.revive", "PUT", "/api/mailings/{id}/revive", revive, _GIVES),
    Route("mailings.copy", "POST", "/api/mailings/{id}/duplicate", duplicate, gives(_MAILING, takes=_COPY)),
)
