"""Segments: everything is text, `total` too; rules keep their operand as JSON in text. Source: vendor page §3.8.

The answer to a create is not shown by the vendor; the segment object is assumed.
"""

from typing import Any

from ongage_async.emulator._answers import Answer, Reply, bad_request, invalid, paged
from ongage_async.emulator._call import Call
from ongage_async.emulator._criteria import CRITERIA, check, operand_text
from ongage_async.emulator._fields import accept_email
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    ADDRESS,
    COUNT,
    DIGIT,
    EMPTY,
    FLAG,
    ID,
    NUMERAL,
    SOME_TEXT,
    TEXT,
    URL,
    array_of,
    record,
    texts_of,
)
from ongage_async.emulator._shape import gives, gives_file, pages
from ongage_async.emulator.families import exports
from ongage_async.emulator.families._audience_jobs import live_segment

_FLAGS = ("is_external", "favorite", "default_include_segment", "default_exclude_segment")
_FIRST_VALUES: dict[str, Any] = {
    "favorite": "0",
    "last_count": "0",
    "last_count_date": "0",
    "last_count_request_date": None,
    "isp_breakdown": "",
    "last_sent": "0",
    "segment_quota": "0",
    "is_quota_percent": "0",
    "created_by": "1234",
    "modified_by": "1234",
    "deleted": "0",
    "included_segment_cache": None,
    "excluded_segment_cache": None,
    "default_include_segment": "0",
    "default_exclude_segment": "0",
    "is_external": "0",
    "external_url": None,
    "external_insert_missing": "0",
    "external_include_unsubscribes": "0",
}
_COLLECTION_KEYS = (
    *("id", "list_id", "list_name", "name", "type", "description", "favorite", "last_sent", "last_count"),
    *("last_count_date", "created_by", "created", "modified", "deleted", "modifier"),
)


def get(call: Call) -> Answer:
    """Answer with one segment and its rules."""
    return Answer(live_segment(call, call.parameters["id"]))


def page(call: Call) -> Answer:
    """Answer with the segments of a list, without their rules."""
    own_list = call.mailing_list
    rows = [
        {key: ({**each, "list_name": own_list.settings["name"], "modifier": "admin"})[key] for key in _COLLECTION_KEYS}
        for each in call.state.audience.segments.values()
        if each["list_id"] == str(own_list.id) and each["deleted"] == "0"
    ]
    shown, total = paged(rows, call.query)
    return Answer(shown, {"total": str(total)})


def create(call: Call) -> Answer:
    """Make a segment."""
    call.required("name")
    own_list = call.mailing_list
    number = call.state.next_id("segment", 12345)
    made = {
        "id": str(number),
        "list_id": str(own_list.id),
        "name": "",
        "type": "Active",
        "description": "",
        **_FIRST_VALUES,
        "created": str(call.now),
    }
    _write(call, made)
    call.state.audience.segments[number] = made
    return Answer(made)


def update(call: Call) -> Answer:
    """Change a segment; its rules are replaced."""
    segment = live_segment(call, call.parameters["id"])
    call.required("name")
    _write(call, segment)
    return Answer(segment)


def _write(call: Call, segment: dict[str, Any]) -> None:
    given = call.fields
    if not given.get("criteria") and not given.get("is_external") and "rules" not in segment:
        raise bad_request("Invalid call")
    if given.get("criteria"):
        segment["rules"] = _rules(call, segment["id"], given["criteria"])
    segment.setdefault("rules", [])
    for key in ("name", "type", "description", "external_url"):
        if given.get(key) is not None:
            segment[key] = str(given[key])
    for key in _FLAGS:
        if given.get(key) is not None:
            segment[key] = "1" if given[key] in (True, 1, "1") else "0"
    segment["modified"] = segment["user_modified"] = str(call.now)


def _rules(call: Call, segment_id: str, criteria: Any) -> list[dict[str, Any]]:
    own_list = call.mailing_list
    return [
        {
            "id": str(call.state.next_id("rule", 1234)),
            "segment_id": segment_id,
            "position": str(rule.get("position", place)),
            "left_parenthesis": str(rule.get("left_parenthesis", 0)),
            "field_id": _field_id(own_list.field(str(rule.get("field_name"))), rule),
            "field_name": str(rule.get("field_name") or ""),
            "operator": rule["operator"],
            "operand": operand_text(rule["operand"]),
            "is_external_operand": "0",
            "right_parenthesis": str(rule.get("right_parenthesis", 0)),
            "condition": str(rule.get("condition") or "and"),
            "case_sensitive": "1" if rule.get("case_sensitive") in (1, "1", True) else "0",
            "type": rule["type"],
            "group": str(rule.get("group") or ""),
        }
        for place, rule in enumerate(check(own_list, criteria))
    ]


def _field_id(own: Any, rule: dict[str, Any]) -> str | None:
    if own is not None:
        return str(own.id)
    return str(rule["field_id"]) if rule.get("field_id") else None


def populate_external(call: Call) -> Answer:
    """Give an external segment its contacts; those of the call before are replaced (assumed)."""
    segment = live_segment(call, call.parameters["id"])
    call.required("recipients")
    call.of_kind(list, "recipients")
    if segment["is_external"] != "1":
        raise invalid(errors={"is_external": "the segment is not external"})
    emails = []
    for recipient in call.fields["recipients"]:
        try:
            emails.append(accept_email(recipient.get("email")))
        except (ValueError, AttributeError) as wrong:
            raise invalid(errors={"recipients": str(wrong)}) from None
    call.state.audience.recipients[int(segment["id"])] = emails
    return Answer({"rows": len(emails), "success": len(emails)})


def delete(call: Call) -> Answer:
    """Mark a segment as deleted."""
    live_segment(call, call.parameters["id"])["deleted"] = str(call.now)
    return Answer([])


def export(call: Call) -> Answer:
    """Begin an export by the deprecated endpoint."""
    return exports.create(call)


def export_retrieve(call: Call) -> Reply:
    """Give the file of an export by the deprecated endpoint."""
    return exports.retrieve(call)


_IDS = {"id": NUMERAL, "list_id": NUMERAL, "created": NUMERAL, "modified": NUMERAL}
_RULE = texts_of(
    ("field_name", "operator", "operand", "condition", "type", "group", "field_id"),
    id=NUMERAL,
    segment_id=NUMERAL,
    position=NUMERAL,
    case_sensitive=DIGIT,
)
_SEGMENT = texts_of(("name", "type", "description", *_FIRST_VALUES), rules=array_of(_RULE), **_IDS)
_ROW = texts_of([key for key in _COLLECTION_KEYS if key not in _IDS], **_IDS)
_NEW = record(
    {"name": SOME_TEXT, "criteria": CRITERIA},
    list_id=ID,
    description=TEXT,
    external_url=URL,
    **dict.fromkeys(_FLAGS, FLAG),
)
_CHANGE = record({"name": SOME_TEXT}, criteria=CRITERIA, description=TEXT, **dict.fromkeys(_FLAGS, FLAG))
_PEOPLE = record({"recipients": array_of(record({"email": ADDRESS}), least=1)})
_POPULATES = gives(record({"rows": COUNT, "success": COUNT}), 412, takes=_PEOPLE)
_EXPORTS, _RETRIEVES = exports.CREATES, gives_file("application/zip", 412)

ROUTES = (
    Route("segments.page", "GET", "/api/segments", page, pages(_ROW, total=NUMERAL)),
    Route("segments.create", "POST", "/api/segments", create, gives(_SEGMENT, 412, takes=_NEW)),
    Route("segments.export", "POST", "/api/segments/export", export, _EXPORTS),
    Route("segments.get", "GET", "/api/segments/{id}", get, gives(_SEGMENT)),
    Route("segments.update", "PUT", "/api/segments/{id}", update, gives(_SEGMENT, 412, takes=_CHANGE)),
    Route("segments.populate_external", "PUT", "/api/segments/{id}/populate_external", populate_external, _POPULATES),
    Route("segments.delete", "DELETE", "/api/segments/{id}", delete, gives(EMPTY)),
    Route("segments.export_retrieve", "GET", "/api/segments/{id}/export_retrieve", export_retrieve, _RETRIEVES),
)
