"""Imports: ask for one, look at one, look at all; what moves them is `_imports.py`. Source: vendor page §4."""

import codecs
from typing import Any

from ongage_async.emulator._answers import Answer, invalid, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._import_job import ImportRequest
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    DIGIT,
    FLAG,
    ID,
    NUMERAL,
    OBJECT,
    TEXT,
    TIME,
    URL,
    array_of,
    choice,
    either,
    maybe,
    record,
)
from ongage_async.emulator._shape import Shape, gives, pages
from ongage_async.emulator._state import MailingList

_ACTIONS = ("add", "remove", "unsubscribe", "resubscribe", "bounce", "complaint")
_SENDING_ONLY = ("unsubscribe", "resubscribe")
_DELIMITERS = {",": ",", "|": "|", ";": ";", "t": "\t", "\t": "\t", "\\t": "\t"}
_FLAGS = ("overwrite", "ignore_empty", "overwrite_only_nulls", "send_welcome_message")
_VALIDATION_STATUS = 500  # this family's own (§6.1 no. 15)


def create(call: Call) -> Answer:
    """Begin an import."""
    mailing_list = call.mailing_list
    call.required("file_url", status=_VALIDATION_STATUS)
    given: dict[str, Any] = {
        "csv_delimiter": ",",
        "encoding": "UTF-8",
        "import_action": "add",
        "import_type": mailing_list.type,
    }
    given.update({key: value for key, value in call.fields.items() if value is not None})
    errors = _errors(given, mailing_list)
    if errors:
        raise invalid(errors=errors, status=_VALIDATION_STATUS)
    request = ImportRequest(
        list_id=mailing_list.id,
        file_url=given["file_url"],
        csv_delimiter=_DELIMITERS[given["csv_delimiter"]],
        encoding=given["encoding"],
        fields=given.get("fields") or None,
        import_action=given["import_action"],
        import_type=given["import_type"],
        **{flag: given.get(flag) in (True, 1, "1", "true") for flag in _FLAGS},
    )
    job = call.world.imports.create(request)
    if call.world.readings.create_import_payload == "id":
        return Answer({"id": job.id})
    return Answer(job.mixed(call.world.readings.counters))


def _errors(given: dict[str, Any], mailing_list: MailingList) -> dict[str, str]:
    errors = {}
    if not str(given["file_url"]).startswith(("http://", "https://")):
        errors["file_url"] = "file_url must be a full URL"
    if str(given["csv_delimiter"]) not in _DELIMITERS:
        errors["csv_delimiter"] = "csv_delimiter must be one of: , | ; t"
    if given["import_action"] not in _ACTIONS:
        errors["import_action"] = f"import_action must be one of: {', '.join(_ACTIONS)}"
    if given["import_type"] != mailing_list.type:
        errors["import_type"] = f"the list is of type {mailing_list.type}"
    elif given["import_action"] in _SENDING_ONLY and mailing_list.type != "sending":
        errors["import_action"] = f"{given['import_action']} is for sending lists only"
    if not isinstance(given.get("fields") or {}, dict):
        errors["fields"] = "fields must be an object"
    if not _is_encoding(given["encoding"]):
        errors["encoding"] = "unknown encoding"
    return errors


def _is_encoding(name: Any) -> bool:
    try:
        codecs.lookup(name)
    except (LookupError, TypeError, ValueError):
        return False
    return True


def get(call: Call) -> Answer:
    """Answer with one import."""
    job = call.state.imports.get(as_id(call.parameters["id"]))
    if job is None:
        raise missing("Unauthorized / Import not found")
    job.follow_script(call.world.clock.now())
    readings = call.world.readings
    shown = job.mixed if readings.import_single == "mixed" else job.strings
    return Answer(shown(readings.counters))


def page(call: Call) -> Answer:
    """Answer with the imports of a list, the newest first (order assumed)."""
    list_id = call.mailing_list.id
    readings = call.world.readings
    jobs = [job for job in call.state.imports.values() if job.request.list_id == list_id]
    for job in jobs:
        job.follow_script(call.world.clock.now())
    rows = [job.strings(readings.counters) for job in reversed(jobs)]
    shown, total = paged(rows, call.query)
    if readings.import_collection == "object" and len(shown) == 1:
        return Answer(shown[0], {"total": total})
    return Answer(shown, {"total": total})


_COUNTERS = ("total", "success", "failed", "duplicate", "existing", "not_existing", "incomplete", "invalid")
_NUMERALS = (
    *("id", "account_id", "list_id", "progress", "status", "created", "modified", "file_size_bytes"),
    *("import_process_start_time", "import_process_end_time", *_COUNTERS),
)
_FLAGS_AS_TEXT = ("is_override", "send_welcome_message", "ignore_empty", "overwrite_only_nulls", "can_be_aborted")
_STRINGS = record(
    {
        **dict.fromkeys(_NUMERALS, NUMERAL),
        **dict.fromkeys(_FLAGS_AS_TEXT, DIGIT),
        **dict.fromkeys(("name", "file", "status_desc", "fields", "csv_delimiter", "encoding"), TEXT),
        "action": choice(*_ACTIONS),
        "type": choice("sending", "suppression"),
        "file_url": maybe(URL),
        "deleted": DIGIT,
    }
)
_MIXED = record(
    {
        **dict.fromkeys(("id", "list_id", "status"), ID),
        **dict.fromkeys(("account_id", "progress", "size", *_COUNTERS), NUMERAL),
        **dict.fromkeys(("created", "modified"), TIME),
        **dict.fromkeys(("is_override", "send_welcome_message", "save_report"), FLAG),
        **dict.fromkeys(("name", "status_desc", "csv_delimiter", "encoding"), TEXT),
        "action": choice(*_ACTIONS),
        "type": {"const": "import"},
        "deleted": DIGIT,
    }
)
_NEW = record(
    {"file_url": URL},
    list_id=ID,
    csv_delimiter=choice(*_DELIMITERS),
    encoding=choice("UTF-8", "ISO-8859-1"),
    import_action=choice(*_ACTIONS),
    import_type=choice("sending", "suppression"),
    fields=OBJECT,
    **dict.fromkeys(_FLAGS, FLAG),
)
_PAGE = Shape(answer=either(array_of(_STRINGS), _STRINGS), kind="page", query=pages(_STRINGS).query)
_CREATED = either(record({"id": ID}), _MIXED)

ROUTES = (
    Route("imports.page", "GET", "/api/import", page, _PAGE),
    Route("imports.create", "POST", "/api/import", create, gives(_CREATED, _VALIDATION_STATUS, takes=_NEW)),
    Route("imports.get", "GET", "/api/import/{id}", get, gives(either(_MIXED, _STRINGS))),
)
