"""Sending connections: the options all text, a new one real types (assumed). Source: vendor page §3.19.

What one client of 2014 knew around them is here as plain rows, whose shapes are assumed.
"""

from typing import Any

from ongage_async.emulator._answers import Answer, bad_request, invalid, missing
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._messages import texts
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import (
    EMPTY,
    FLAG,
    ID,
    NUMERAL,
    OBJECT,
    TEXT,
    TIME,
    array_of,
    record,
    texts_of,
)
from ongage_async.emulator._shape import gives

_ESPS = {
    4: "Amazon SES",
    9: "smtp.com",
    10: "Dyn",
    19: "SendGrid",
    43: "SocketLabs",
    51: "mySMTP",
    58: "Mailgun",
    59: "Private SMTP",
    61: "Mandrill",
    81: "MailJet V3",
    86: "SparkPost",
    92: "InboxRoad",
    93: "SparkPost Enterprise",
    97: "OpenText",
    131: "Bird",
}
_OPTION_KEYS = ("id", "esp_id", "esp_name", "support_transactional", "name")


def options(call: Call) -> Answer:
    """Answer with the connections to choose from."""
    active_only = call.query.get("active_only", "").lower() in ("true", "1")
    rows = call.state.messages.connections.values()
    shown = [row for row in rows if row.get("active", True) or not active_only]
    return Answer([texts({key: row[key] for key in _OPTION_KEYS}) for row in shown])


def create(call: Call) -> Answer:
    """Make the shell of a connection; it is inactive until somebody sets its credentials (assumed)."""
    call.required("esp_id")
    esp_id = as_id(call.fields["esp_id"])
    if esp_id not in _ESPS:
        raise invalid(errors={"esp_id": "esp_id is unknown"})
    number = call.state.next_id("connection", 12347)
    call.state.messages.connections[number] = {
        "id": number,
        "esp_id": esp_id,
        "esp_name": _ESPS[esp_id],
        "name": _ESPS[esp_id],
        "support_transactional": False,
        "active": False,
    }
    return Answer(
        {
            "esp_id": esp_id,
            "account_id": call.state.account_id,
            "creator_id": 1035,
            "id": number,
            "currency": "USD",
            "created": call.now,
            "modified": call.now,
            "unsubscribe_keywords": None,
            "help_message_id": None,
            "help_transactional_id": None,
        }
    )


def _found(call: Call, rows: dict[int, dict[str, Any]]) -> dict[str, Any]:
    found = rows.get(as_id(call.parameters["id"]))
    if found is None:
        raise missing("Unauthorized / Object not found")
    return found


def get(call: Call) -> Answer:
    """Answer with one connection."""
    row = _found(call, call.state.messages.connections)
    return Answer(texts({key: row[key] for key in _OPTION_KEYS}))


def delete(call: Call) -> Answer:
    """Delete a connection."""
    rows = call.state.messages.connections
    del rows[_found(call, rows)["id"]]
    return Answer([])


def account_esps(call: Call) -> Answer:
    """Answer with the sending vendors that the account has connections to."""
    used = {row["esp_id"]: row["esp_name"] for row in call.state.messages.connections.values()}
    return Answer([{"id": str(number), "name": name} for number, name in used.items()])


def esps(_call: Call) -> Answer:
    """Answer with all sending vendors."""
    return Answer([{"id": str(number), "name": name} for number, name in _ESPS.items()])


def esp(call: Call) -> Answer:
    """Answer with one sending vendor."""
    number = as_id(call.parameters["id"])
    if number not in _ESPS:
        raise missing("Unauthorized / Object not found")
    return Answer({"id": str(number), "name": _ESPS[number]})


def addresses(call: Call) -> Answer:
    """Answer with the sender addresses."""
    return Answer([texts(row) for row in call.state.messages.addresses.values()])


def address(call: Call) -> Answer:
    """Answer with one sender address."""
    return Answer(texts(_found(call, call.state.messages.addresses)))


def create_address(call: Call) -> Answer:
    """Keep a sender address, whatever its keys."""
    number = call.state.next_id("address", 501)
    call.state.messages.addresses[number] = {**call.fields, "id": number}
    return Answer(texts(call.state.messages.addresses[number]))


def update_address(call: Call) -> Answer:
    """Change a sender address."""
    row = _found(call, call.state.messages.addresses)
    row.update({**call.fields, "id": row["id"]})
    return Answer(texts(row))


def delete_addresses(call: Call) -> Answer:
    """Delete sender addresses."""
    numbers = call.fields.get("ids") or []
    if not isinstance(numbers, list):
        raise bad_request("Invalid data in request")
    for number in numbers:
        call.state.messages.addresses.pop(as_id(number), None)
    return Answer([])


_OPTION = texts_of(("esp_name", "name", "support_transactional"), id=NUMERAL, esp_id=NUMERAL)
_SHELL = record({"id": ID, "esp_id": ID, "account_id": ID, "currency": TEXT, "created": TIME, "modified": TIME})
_ESP = record({"id": NUMERAL, "name": TEXT})
_ADDRESS = texts_of((), id=NUMERAL)
_CREATES = gives(_SHELL, 412, takes=record({"esp_id": {"type": "integer", "enum": list(_ESPS)}}))
_LOSES = gives(EMPTY, takes=record({"ids": array_of(ID)}))
_CHOICES = gives(array_of(_OPTION), query={"active_only": FLAG})
_KEEPS = gives(_ADDRESS, takes=OBJECT)

ROUTES = (
    Route("esp_connections.options", "GET", "/api/esp_connections/options", options, _CHOICES),
    Route("esp_connections.create", "POST", "/api/esp_connections", create, _CREATES),
    Route("esp_connections.get", "GET", "/api/esp_connections/{id}", get, gives(_OPTION)),
    Route("esp_connections.delete", "DELETE", "/api/esp_connections/{id}", delete, gives(EMPTY)),
    Route("esp_connections.account_esps", "GET", "/api/accounts/0/esps", account_esps, gives(array_of(_ESP))),
    Route("esp_connections.esps", "GET", "/api/esps", esps, gives(array_of(_ESP))),
    Route("esp_connections.esp", "GET", "/api/esps/{id}", esp, gives(_ESP)),
    Route("esp_connections.addresses", "GET", "/api/account_addresses", addresses, gives(array_of(_ADDRESS))),
    Route("esp_connections.create_address", "POST", "/api/account_addresses", create_address, _KEEPS),
    Route("esp_connections.delete_addresses", "POST", "/api/account_addresses/delete", delete_addresses, _LOSES),
    Route("esp_connections.address", "GET", "/api/account_addresses/{id}", address, gives(_ADDRESS)),
    Route("esp_connections.update_address", "PUT", "/api/account_addresses/{id}", update_address, _KEEPS),
)
