"""Validation of one address: success without an envelope, and credits that end. Source: vendor page §3.20.

A bad key is refused at the door like everywhere (401); that this service says 400 for it is a fault to script.
"""

import json

from ongage_async.emulator._answers import Refusal, Reply, bad_request
from ongage_async.emulator._call import Call
from ongage_async.emulator._fields import accept_email
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ADDRESS, TEXT, choice, record
from ongage_async.emulator._shape import gives_bare

_JSON = ((b"content-type", b"application/json"),)


def validate(call: Call) -> Reply:
    """Answer with a verdict, at the price of a credit."""
    store = call.state.messages
    email = call.fields.get("email")
    if not isinstance(email, str) or not email.strip():
        raise bad_request("Please insert a valid Email address")
    if store.credits < 1:
        raise Refusal(402, "Not enough credits in your account")
    store.credits -= 1
    try:
        default = ("Deliverable", "accepted_email") if accept_email(email) else ("Unknown", "")
    except ValueError:
        default = ("Undeliverable", "invalid_email")
    status, reason = store.verdicts.get(email.strip().lower(), default)
    return Reply(200, json.dumps({"status": status, "reason": reason}).encode(), _JSON)


_PATH = "/email-validation/api/v1/realtime-validation"
_VERDICT = record({"status": choice("Deliverable", "Undeliverable", "Risky", "Unknown"), "reason": TEXT})
_VALIDATES = gives_bare(_VERDICT, 402, takes=record({"email": ADDRESS}))

ROUTES = (Route("validation.validate", "POST", _PATH, validate, _VALIDATES, body_list_id=False),)
