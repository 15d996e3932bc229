"""SMS messages: the list's id as text, other numbers as numbers. Source: vendor page §3.15."""

from ongage_async.emulator._answers import Answer
from ongage_async.emulator._call import Call
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ID, NUMERAL, SOME_TEXT, TIME, record
from ongage_async.emulator._shape import gives


def create(call: Call) -> Answer:
    """Make a message."""
    call.required("name", "description", "content_text")
    call.of_kind(str, "name", "description", "content_text")
    given = call.fields
    number = call.state.next_id("email", 800001)  # one row of numbers for both kinds: a send names either
    row = {
        "id": number,
        "type": "sms",
        "account_id": call.state.account_id,
        "list_id": str(call.mailing_list.id),
        "name": given["name"],
        "description": given["description"],
        "content_html": None,
        "content_text": given["content_text"],
        "created_by": "1035",
        "created": call.now,
        "modified_by": None,
        "modified": None,
        "deleted": None,
    }
    call.state.messages.smses[number] = row
    return Answer(row)


_WORDS = {"name": SOME_TEXT, "description": SOME_TEXT, "content_text": SOME_TEXT}
_SMS = record({**_WORDS, "id": ID, "list_id": NUMERAL, "created": TIME, "type": {"const": "sms"}})

ROUTES = (Route("sms.create", "POST", "/api/smses", create, gives(_SMS, 412, takes=record(_WORDS, list_id=ID))),)
