"""Exports: a ZIP with a CSV for each segment, 412 until it is ready. Source: vendor page §3.11."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ongage_async.emulator._answers import Answer, Reply, invalid
from ongage_async.emulator._audience import csv_of, zip_of
from ongage_async.emulator._call import Call
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ID, SOME_TEXT, array_of, choice, either, record
from ongage_async.emulator._shape import gives, gives_file
from ongage_async.emulator.families._audience_jobs import columns, contacts_of, file, finished, live_segment, new_job

_DATES = {
    f"{order}{year}".replace("/", mark): f"{pattern}{digits}".replace("/", mark)
    for order, pattern in (("mm/dd/", "%m/%d/"), ("dd/mm/", "%d/%m/"))
    for year, digits in (("yyyy", "%Y"), ("yy", "%y"))
    for mark in "/-"
}
_STATUS = {
    "active": ("Active",),
    "inactive": ("Unsubscribed", "Bounced", "Complaint"),
    "unjoin-member": ("Unsubscribed",),
    "bounced": ("Bounced",),
    "complaint": ("Complaint",),
    "clicked": (),
    "opened": (),
}


def create(call: Call) -> Answer:
    """Begin an export."""
    given = call.fields
    is_suppression = call.mailing_list.type == "suppression"
    call.required("name", "date_format", "file_format", "status")
    errors = {}
    call.of_kind(str, "date_format")
    call.of_kind(list, "segment_id", "mailing_id")
    if given["date_format"] not in _DATES:
        errors["date_format"] = f"date_format must be one of: {', '.join(_DATES)}"
    if not isinstance(given["status"], list) or not all(each in tuple(_STATUS) for each in given["status"]):
        errors["status"] = f"status must be an array of: {', '.join(_STATUS)}"
    if not (given.get("segment_id") or given.get("mailing_id") or is_suppression):
        errors["segment_id"] = "segment_id or mailing_id must not be empty"
    if errors:
        raise invalid(errors=errors)
    job = new_job(call, "export", 4711, rows=_files(call, given))
    call.state.audience.exports[job.id] = job
    return Answer({"id": job.id})


def _files(call: Call, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one name and content for each segment; nothing is sent here, so nobody belongs to a mailing."""
    own_list = call.mailing_list
    if own_list.type == "suppression":
        found = {"suppression": [own_list.view(contact) for contact in own_list.contacts]}
    else:
        found = {
            f"segment_{each}": contacts_of(call, live_segment(call, each)) for each in given.get("segment_id") or ()
        }
        found |= {f"mailing_{each}": [] for each in given.get("mailing_id") or ()}
    wanted = {status for each in given["status"] for status in _STATUS[each]}
    names = columns(call, given.get("fields_selected"))
    return [
        {
            "name": f"{name}.csv",
            "content": csv_of(
                [_row(view, given["date_format"]) for view in views if view["ocx_status"] in wanted], names
            ),
        }
        for name, views in found.items()
    ]


def _row(view: Mapping[str, Any], date_format: str) -> dict[str, Any]:
    dates = {
        name: datetime.fromtimestamp(value, UTC).strftime(_DATES[date_format])
        for name, value in view.items()
        if name.startswith("ocx_") and name.endswith("_date") and value is not None
    }
    return {**view, "ocx_contact_id": view["id"], **dates}


def retrieve(call: Call) -> Reply:
    """Give the file, or 412."""
    job = finished(call, call.state.audience.exports, "Export")
    return file(zip_of({each["name"]: each["content"] for each in job.rows}), "application/zip")


_NEEDED = {
    "name": SOME_TEXT,
    "date_format": choice(*_DATES),
    "file_format": choice("csv"),
    "status": array_of(choice(*_STATUS), least=1),
}
_FIELDS = array_of(choice("email", "first_name", "country", "ocx_status", "ocx_created_date"))
_NEW = either(
    record({**_NEEDED, "segment_id": array_of(ID, least=1)}, fields_selected=_FIELDS),
    record({**_NEEDED, "mailing_id": array_of(ID, least=1)}, fields_selected=_FIELDS),
    record({**_NEEDED, "list_id": ID}, fields_selected=_FIELDS),
)
CREATES = gives(record({"id": ID}), 412, takes=_NEW)

ROUTES = (
    Route("exports.create", "POST", "/api/export", create, CREATES),
    Route("exports.download", "GET", "/api/export/{id}/retrieve", retrieve, gives_file("application/zip", 412)),
)
