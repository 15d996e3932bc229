"""Transactional messages: campaigns, and sends that end in the outbox. Source: vendor page §3.13, seed S1.

The campaign object is not shown by the vendor; a mailing's keys are assumed, and so are the codes of a send.
"""

from collections.abc import Iterator
from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, invalid, missing, paged
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._fields import accept_email
from ongage_async.emulator._messages import SentMessage, texts
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    ADDRESS,
    COUNT,
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
    record,
    texts_of,
)
from ongage_async.emulator._shape import gives, pages
from ongage_async.emulator._state import MailingList


def page(call: Call) -> Answer:
    """Answer with a list's campaigns."""
    list_id = call.mailing_list.id
    rows = [texts(row) for row in call.state.messages.campaigns.values() if row["list_id"] == list_id]
    shown, total = paged(rows, call.query)
    return Answer(shown, {"total": str(total)})


def create(call: Call) -> Answer:
    """Make a campaign."""
    call.required("name", "description")
    call.of_kind(str, "name", "description", "message_type")
    given, now = call.fields, call.now
    number = call.state.next_id("campaign", 500001)
    row = {
        "id": number,
        "type": "transactional",
        "message_type": given.get("message_type", "email"),
        "account_id": call.state.account_id,
        "list_id": call.mailing_list.id,
        "name": given["name"],
        "description": given["description"],
        "status": 60003,
        "status_desc": "In Progress",
        "status_date": now,
        "created": now,
        "modified": now,
        "deleted": None,
    }
    call.state.messages.campaigns[number] = row
    return Answer(texts(row))


def _campaign(call: Call) -> dict[str, Any]:
    found = call.state.messages.campaigns.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Campaign not found")
    return found


def update(call: Call) -> Answer:
    """Rename a campaign."""
    row = _campaign(call)
    call.required("name", "description")
    call.of_kind(str, "name", "description")
    row.update(name=call.fields["name"], description=call.fields["description"], modified=call.now)
    return Answer(texts(row))


def delete(call: Call) -> Answer:
    """Delete a campaign."""
    del call.state.messages.campaigns[_campaign(call)["id"]]
    return Answer([])


def send(call: Call) -> Answer:
    """Send a message of the library."""
    call.required("message_id", "recipients")
    message_id = call.fields["message_id"]
    if not isinstance(message_id, int):
        raise invalid(errors={"message_id": "message_id must be a number"})
    return _deliver(call, message_id)


def send_embed_content(call: Call) -> Answer:
    """Send a message that came with the call."""
    call.required("message", "recipients")
    message = call.fields["message"]
    if not isinstance(message, dict) or not message.get("subject"):
        raise invalid(errors={"message": "message must have a subject"})
    if not (message.get("content_html") or message.get("content_text")):
        raise invalid(errors={"message": "message must have content_html or content_text"})
    return _deliver(call, None)


def _deliver(call: Call, message_id: int | None) -> Answer:
    recipients = _recipients(call)
    subject, content = _message(call, message_id)
    _check_fields(call)
    campaign_id, connection_id = _campaign_id(call), _connection_id(call)
    failed: list[str] = []
    for recipient in recipients:
        if not _may_get(call, recipient, is_sms=message_id in call.state.messages.smses):
            failed.append(recipient)
            continue
        call.state.messages.outbox.append(
            SentMessage(
                recipient=recipient,
                list_id=call.mailing_list.id,
                campaign_id=campaign_id,
                message_id=message_id,
                subject=subject,
                content=content,
                fields=_fields(call, recipient),
                connection_id=connection_id,
                at=as_id(call.fields.get("schedule_date")) or call.now,
            )
        )
        _remember(call, recipient)
    return Answer({"success": len(recipients) - len(failed), "failed": len(failed), "failed_emails": failed})


def _recipients(call: Call) -> list[str]:
    recipients = call.fields["recipients"]
    if not isinstance(recipients, list) or not all(isinstance(each, str) for each in recipients):
        raise invalid(errors={"recipients": "recipients must be an array of addresses"})
    return recipients


def _check_fields(call: Call) -> None:
    for name in ("message_dynamic_fields", "message_dynamic_fields_per_recipient"):
        if not isinstance(call.fields.get(name) or {}, dict):
            raise invalid(errors={name: f"{name} must be an object"})


def _message(call: Call, message_id: int | None) -> tuple[str, str]:
    store = call.state.messages
    if message_id is None:
        message = call.fields["message"]
    elif store.has_message(message_id):
        message = store.emails.get(message_id) or store.smses[message_id]
    else:
        raise missing("Email not found")
    return str(message.get("subject") or ""), str(message.get("content_html") or message.get("content_text") or "")


def _campaign_id(call: Call) -> int:
    default = as_id(call.mailing_list.settings["default_transactional_id"])
    given = call.fields.get("campaign_id")
    if given in (None, ""):
        return default
    if as_id(given) != default and as_id(given) not in call.state.messages.campaigns:
        raise missing("Campaign not found")
    return as_id(given)


def _connection_id(call: Call) -> int | None:
    given = call.fields.get("sending_connection_id")
    if given in (None, ""):
        return None
    connection = call.state.messages.connections.get(as_id(given))
    if connection is None or not connection.get("support_transactional"):
        raise invalid(errors={"sending_connection_id": "the connection does not support transactional messages"})
    return as_id(given)


def _may_get(call: Call, recipient: str, *, is_sms: bool) -> bool:
    try:
        email = accept_email(recipient)
    except ValueError:
        return is_sms and recipient.lstrip("+").isdecimal()
    if call.fields.get("check_status"):
        contact = call.mailing_list.contacts.get(email)
        if contact is None or contact.deleted or contact.status != "Active":
            return False
    if call.fields.get(call.world.readings.suppression_flag):
        return not any(_has(each, email) for each in _suppressing(call))
    return True


def _suppressing(call: Call) -> Iterator[MailingList]:
    own = call.mailing_list.id
    for each in call.state.live_lists():
        scope = each.settings.get("scope")
        if each.type == "suppression" and (scope == "global" or own in (each.settings.get("suppress_in_lists") or ())):
            yield each


def _has(suppression: MailingList, email: str) -> bool:
    names = (email, f"*@{email.rpartition('@')[2]}")
    found = (suppression.contacts.get(name) for name in names)
    return any(contact is not None and not contact.deleted for contact in found)


def _fields(call: Call, recipient: str) -> dict[str, Any]:
    shared = call.fields.get("message_dynamic_fields") or {}
    own = (call.fields.get("message_dynamic_fields_per_recipient") or {}).get(recipient) or {}
    return {**shared, **(own if isinstance(own, dict) else {})}


def _remember(call: Call, recipient: str) -> None:
    book = call.mailing_list.contacts
    email = recipient.strip().lower()
    if call.fields.get("create_contact") and "@" in email and book.get(email) is None:
        book.add(email, created=call.now)


def notify(call: Call) -> Answer:
    """Send by the deprecated call."""
    call.required("recipients", status=400)
    given = call.fields
    message_id = given.get("email_message_id")
    if message_id is None and not isinstance(given.get("email_message"), dict):
        raise bad_request("Invalid data in request")
    if message_id is None:
        given["message"] = given["email_message"]
    given.setdefault("campaign_id", given.get("mailing_id"))
    sent = _deliver(call, None if message_id is None else as_id(message_id)).payload
    return Answer({"mailing_id": _campaign_id(call), "not_active": sent["failed_emails"]})


_CAMPAIGN = texts_of(
    ("name", "description", "type", "message_type", "status_desc"),
    **dict.fromkeys(("id", "account_id", "list_id", "status", "status_date", "created", "modified"), NUMERAL),
    deleted=DIGIT,
)
_NEW = record({"name": SOME_TEXT, "description": SOME_TEXT}, message_type=choice("email", "sms"))
_OPTIONS = {
    "list_id": ID,
    "campaign_id": ID,
    "sending_connection_id": ID,
    "schedule_date": TIME,
    **dict.fromkeys(("check_status", "check_global_and_list_suppression", "create_contact"), FLAG),
    **dict.fromkeys(("message_dynamic_fields", "message_dynamic_fields_per_recipient"), OBJECT),
}
_TO = array_of(ADDRESS, least=1)
_MESSAGE = record({"subject": SOME_TEXT, "content_html": SOME_TEXT}, content_text=TEXT)
_SENT = record({"success": COUNT, "failed": COUNT, "failed_emails": array_of(TEXT)})
_SENDS = gives(_SENT, 412, takes=record({"message_id": ID, "recipients": _TO}, **_OPTIONS))
_EMBEDS = gives(_SENT, 412, takes=record({"message": _MESSAGE, "recipients": _TO}, **_OPTIONS))
_NOTIFIES = gives(
    record({"mailing_id": COUNT, "not_active": array_of(TEXT)}),
    412,
    takes=record({"recipients": _TO}, email_message_id=ID, email_message=_MESSAGE, mailing_id=ID),
)

ROUTES = (
    Route("transactional.page", "GET", "/api/transactional", page, pages(_CAMPAIGN, total=NUMERAL)),
    Route("transactional.create", "POST", "/api/transactional", create, gives(_CAMPAIGN, 412, takes=_NEW)),
    Route("transactional.update", "PUT", "/api/transactional/{id}", update, gives(_CAMPAIGN, 412, takes=_NEW)),
    Route("transactional.delete", "DELETE", "/api/transactional/{id}", delete, gives(EMPTY)),
    Route("transactional.send", "POST", "/api/transactional/send", send, _SENDS),
    Route(
        "transactional.send_embed_content", "POST", "/api/transactional/send_embed_content", send_embed_content, _EMBEDS
    ),
    Route("transactional.notify", "POST", "/api/notify_transactions", notify, _NOTIFIES),
)
