"""What the endpoints of Ownpage take and give, and what holds for all of them. Source: vendor page §5."""

from ongage_async.emulator._openapi import Vendor
from ongage_async.emulator._schema import (
    ADDRESS,
    COUNT,
    FLAG,
    ID,
    OBJECT,
    TEXT,
    URL,
    Schema,
    array_of,
    choice,
    either,
    maybe,
    record,
)
from ongage_async.emulator._shape import Shape, gives_bare, gives_file

__all__ = ["KINDS", "OWNPAGE"]

KINDS = ("nl_click", "nl_display", "nl_send", "nl_subscribe", "nl_unsubscribe", "nl_bounce", "nl_complaint")

_TIME: Schema = {"type": "string", "format": "date-time"}
_DAY: Schema = {"type": "string", "format": "date"}
_STATUS = choice("subscribed", "unsubscribed", "all")
_CAUSE = choice("READER", "PUBLISHER")

_NAMED = record({"id": ID, "name": TEXT, "created_at": _TIME, "updated_at": _TIME})
_SUBSCRIBER = record(
    {
        "email": TEXT,
        "guid": TEXT,
        "subscribed": FLAG,
        "unsubscribed_cause": maybe(TEXT),
        **{name: maybe(_TIME) for name in ("subscribed_at", "unsubscribed_at", "last_sent_at", "last_open_at")},
        **dict.fromkeys(("send_count", "open_count", "click_count"), COUNT),
    }
)
_NEW = record({"email": ADDRESS}, subscribed=FLAG, unsubscribed_cause=_CAUSE, guid=TEXT, data_firstname=TEXT)
_COUNTERS = (
    *("unique_emails_count", "duplicate_emails_count", "duplicate_guid_count", "nb_created"),
    *("nb_subscribed", "nb_unsubscribed", "nb_data_changed"),
)
_ERRORS = either(array_of(TEXT), array_of(record({"message": TEXT})), COUNT)
_SUCCESS = record({"success": TEXT})
_PERSON = record({"email": ADDRESS}, name=TEXT)
_FILE = record(
    {
        "id": ID,
        "email_list_id": ID,
        "size": maybe(COUNT),
        "created_at": _TIME,
        **dict.fromkeys(("name", "url", "mediatype", "subtype", "status"), TEXT),
    }
)

_KEYS = {"username": TEXT, "password": TEXT}
TOKEN = gives_bare(record({"token": TEXT}), takes=record(_KEYS))
OLD_TOKEN = gives_bare(record({"token": TEXT}), query={f"{name}!": schema for name, schema in _KEYS.items()})
LISTS = gives_bare(array_of(_NAMED))
COUNTS = gives_bare(record({"subscribed": COUNT, "unsubscribed": COUNT, "cause": OBJECT}), path={"list_id": ID})
SUBSCRIBERS = gives_bare(
    array_of(_SUBSCRIBER),
    path={"list_id": ID},
    query={"status": _STATUS, "search": TEXT, "exact": FLAG, "offset": COUNT, "count": COUNT},
)
UPSERT = gives_bare(
    record({"errors": _ERRORS, **dict.fromkeys(_COUNTERS, COUNT)}),
    path={"list_id": ID},
    takes=either(_NEW, array_of(_NEW, least=1)),
)
DELETE = gives_bare(_SUCCESS, path={"list_id": ID}, takes=array_of(record({"email": ADDRESS}), least=1))
DELETE_ALL = gives_bare(_SUCCESS, path={"list_id": ID}, query={"status": _STATUS}, or_nothing=True)
FILE = gives_bare(_FILE, takes=record({"email_list_id": ID, "url": URL}))
SIGN_UP = gives_bare(_SUCCESS, takes=record({"form_key": TEXT, "email": ADDRESS}, update=FLAG, data_firstname=TEXT))
CHANGE = gives_bare(_SUCCESS, takes=record({"guid": TEXT}, data_firstname=TEXT))
EVENTS = gives_file("text/csv", path={"kind": choice(*KINDS), "day": _DAY})
EXPORT = gives_bare(record({"token": TEXT, "filename": TEXT}), query={"startDate!": _DAY, "endDate!": _DAY})
EXPORTED = gives_file("text/csv")
TEMPLATES = gives_bare(array_of(_NAMED))
SEND: Shape = gives_bare(
    record({"messageId": TEXT}),
    takes=record({"subject": TEXT, "sender": _PERSON, "to": array_of(_PERSON, least=1)}, templateId=ID, content=TEXT),
)


def _refusal(status: int) -> Schema:
    return record({"status": {"const": status}, "cause": TEXT})


OWNPAGE = Vendor(
    title="Ownpage, emulated",
    about="What the emulator of Ownpage serves. Successes and refusals have no envelope.",
    servers=({"url": "/"},),
    keys={"token": "X-Ownpage-Client-Token"},
    doors=(("token",),),
    any_call={
        400: "The request makes no sense",
        401: "No token, or one that is too old",
        404: "No such path, object or list",
        429: "Too many calls, where a limit is switched on",
        503: "Overloaded for a moment; here only as a fault by script",
        504: "Overloaded for a moment; here only as a fault by script",
    },
    special={},
    refusal=_refusal,
)
