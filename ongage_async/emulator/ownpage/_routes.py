"""The endpoints of Ownpage, a few lines each. Source: vendor page §5."""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, cast

from attrs import frozen

from ongage_async.emulator._answers import Refusal, Reply
from ongage_async.emulator._call import as_id
from ongage_async.emulator._router import Route
from ongage_async.emulator.ownpage import _shapes as shapes
from ongage_async.emulator.ownpage._files import FileEngine
from ongage_async.emulator.ownpage._office import TokenOffice
from ongage_async.emulator.ownpage._state import OwnpageList, OwnpageState, Subscriber, Upsert, is_address

__all__ = ["OPEN_TO_ALL", "OwnpageCall", "json_reply", "routes"]

OPEN_TO_ALL = ("tokens.create", "tokens.get", "form.create", "form.update")
_MOST_ROWS, _PAGE, _MOST_PER_PAGE = 20_000, 1_000, 10_000
_EXPORT_LIFE_S = 24 * 3600.0


@frozen
class OwnpageCall:
    """Hold one request, admitted, and the world it acts on."""

    state: OwnpageState
    office: TokenOffice
    files: FileEngine
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Any

    @property
    def object(self) -> dict[str, Any]:
        """Return the body as an object.

        Raises:
            Refusal: 400, it is something else.
        """
        if not isinstance(self.body, dict):
            raise Refusal(400, "Invalid request")
        return self.body

    def list_of(self, number: Any) -> OwnpageList:
        """Return a list by what came over the wire.

        Raises:
            Refusal: There is no such list.
        """
        found = self.state.lists.get(as_id(number))
        if found is None:
            raise Refusal(self.state.readings.missing_list, "List not found")
        return found

    @property
    def own_list(self) -> OwnpageList:
        """Return the list that the route names; the first one for routes without."""
        return self.list_of(self.parameters.get("list_id", self.state.first_list_id))


Handler = Callable[[OwnpageCall], Awaitable[Reply]]


def json_reply(document: Any, status: int = 200) -> Reply:
    """Put a document on the wire: there is no envelope."""
    return Reply(status, json.dumps(document, separators=(",", ":")).encode())


def _csv(text: str) -> Reply:
    return Reply(200, text.encode(), ((b"content-type", b"text/csv; charset=utf-8"),))


async def _token(call: OwnpageCall) -> Reply:
    """Make a token from a name and a key."""
    given = call.object
    return json_reply({"token": call.office.issue(given.get("username"), given.get("password"))})


async def _old_token(call: OwnpageCall) -> Reply:
    """Make a token, with the key in the query as it was once done."""
    return json_reply({"token": call.office.issue(call.query.get("username"), call.query.get("password"))})


async def _lists(call: OwnpageCall) -> Reply:
    """Answer with all lists."""
    return json_reply([each.view() for each in call.state.lists.values()])


async def _counts(call: OwnpageCall) -> Reply:
    """Answer with the numbers of a list."""
    return json_reply(call.own_list.counts())


async def _subscribers(call: OwnpageCall) -> Reply:
    """Answer with a page of subscribers."""
    status = call.query.get("status", "subscribed")
    if status not in ("subscribed", "unsubscribed", "all"):
        raise Refusal(400, "Invalid status")
    chosen = [each for each in call.own_list.subscribers.values() if _matches(each, status, call)]
    offset, count = _number(call, "offset", 0), min(_number(call, "count", _PAGE), _MOST_PER_PAGE)
    return json_reply([each.view() for each in chosen[offset : offset + count]])


def _matches(each: Subscriber, status: str, call: OwnpageCall) -> bool:
    if status != "all" and each.subscribed != (status == "subscribed"):
        return False
    if not (search := call.query.get("search")):
        return True
    places = [each.email] if call.state.readings.search == "email" else [each.email, each.guid]
    if call.query.get("exact") == "true":
        return any(search.lower() == place.lower() for place in places)
    return any(search.lower() in place.lower() for place in places)


def _number(call: OwnpageCall, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return as_id(text) if text.isdecimal() else default


async def _upsert(call: OwnpageCall) -> Reply:
    """Create subscribers, or change them."""
    target, rows, done = call.own_list, _rows(call), Upsert()
    if call.state.readings.bad_rows == "refused":
        _refuse_bad(rows)
    for row in rows:
        target.put(row, call.state.clock.unix(), done)
    return json_reply(done.view(call.state.readings.errors))


def _rows(call: OwnpageCall) -> list[dict[str, Any]]:
    rows = [call.body] if isinstance(call.body, dict) else call.body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(400, "Invalid request")
    if len(rows) > _MOST_ROWS:
        raise Refusal(400, "Payload is limited to 20.000 users per request")
    return rows


def _refuse_bad(rows: list[dict[str, Any]]) -> None:
    emails = [str(row.get("email") or "").strip() for row in rows]
    if bad := [f"email is not valid {email}" for email in emails if not is_address(email)]:
        raise Refusal(400, f"{len(bad)} error(s): {', '.join(bad[:10])}")


async def _delete(call: OwnpageCall) -> Reply:
    """Delete subscribers."""
    target, rows = call.own_list, _rows(call)
    _refuse_bad(rows)
    gone = [target.subscribers.pop(str(row["email"]).strip().lower(), None) for row in rows]
    count = sum(each is not None for each in gone)
    return json_reply({"success": f"{count} subscriptions have been deleted"})


async def _delete_all(call: OwnpageCall) -> Reply:
    """Delete everybody, or everybody of a status."""
    target, status = call.own_list, call.query.get("status", "all")
    if status not in ("subscribed", "unsubscribed", "all"):
        raise Refusal(400, "Invalid status")
    gone = [
        key
        for key, each in target.subscribers.items()
        if status == "all" or each.subscribed == (status == "subscribed")
    ]
    for key in gone:
        del target.subscribers[key]
    if call.state.readings.delete_all == "empty":
        return Reply(204, b"")
    return json_reply({"success": f"{len(gone)} subscriptions have been deleted"})


async def _file(call: OwnpageCall) -> Reply:
    """Begin the import of a file."""
    given = call.object
    target = call.list_of(given.get("email_list_id"))
    if not str(given.get("url", "")).startswith(("http://", "https://")):
        raise Refusal(400, "Invalid url")
    return json_reply((await call.files.create(target.id, given["url"])).view())


async def _events(call: OwnpageCall) -> Reply:
    """Give the events of a day as CSV."""
    kind, day = call.parameters["kind"], call.parameters["day"]
    if kind not in shapes.KINDS or not _is_day(day):
        raise Refusal(400, "Invalid request")
    if (text := call.state.events.get((kind, day))) is None:
        raise Refusal(404, "Events not found")
    return _csv(text)


async def _export(call: OwnpageCall) -> Reply:
    """Begin an export of campaigns."""
    start, end = call.query.get("startDate", ""), call.query.get("endDate", "")
    if not (_is_day(start) and _is_day(end)):
        raise Refusal(400, "Invalid request")
    token, filename = secrets.token_hex(8), f"campaigns-{start}-{end}.csv"
    content = f"campaign_id,name,sent\n1,From {start} to {end},2\n"
    call.state.exports[token] = (filename, content, call.state.clock.now())
    return json_reply({"token": token, "filename": filename})


async def _exported(call: OwnpageCall) -> Reply:
    """Give an export as CSV."""
    filename, content, made_at = call.state.exports.get(call.parameters["token"], ("", "", 0.0))
    if filename != call.parameters["filename"] or call.state.clock.now() - made_at > _EXPORT_LIFE_S:
        raise Refusal(404, "Export not found")
    return _csv(content)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


async def _templates(call: OwnpageCall) -> Reply:
    """Answer with the templates."""
    return json_reply(call.state.templates)


async def _send(call: OwnpageCall) -> Reply:
    """Send an email."""
    given = call.object
    people = given.get("to")
    if not given.get("subject") or not isinstance(people, list) or not people:
        raise Refusal(400, "Invalid request")
    if not all(isinstance(one, dict) and one.get("email") for one in (given.get("sender"), *people)):
        raise Refusal(400, "Invalid request")
    if (number := given.get("templateId")) is not None and number not in [each["id"] for each in call.state.templates]:
        raise Refusal(400, "Template not found")
    message_id = f"message-{len(call.state.outbox) + 1}"
    call.state.outbox.append({**given, "messageId": message_id})
    return json_reply({"messageId": message_id})


async def _sign_up(call: OwnpageCall) -> Reply:
    """Take a sign-up of the form, or change somebody who is there."""
    given, customer = call.object, call.office.customer
    keys = (call.parameters["tracking_key"], given.get("form_key"))
    if keys != (customer.tracking_key, customer.form_key) or not given.get("email"):
        raise Refusal(400, "Invalid request")
    data = {key: value for key, value in given.items() if key.startswith("data_")}
    if given.get("update"):
        return _change(call.state.first_list.get(str(given["email"])), data)
    call.state.sign_ups.append({"email": given["email"], **data})
    return json_reply({"success": "Thank you for registering! You will receive a confirmation email in a few moments."})


async def _change_by_guid(call: OwnpageCall) -> Reply:
    """Change a subscriber by guid."""
    given = call.object
    if call.parameters["tracking_key"] != call.office.customer.tracking_key:
        raise Refusal(400, "Invalid request")
    everybody = call.state.first_list.subscribers.values()
    found = next((each for each in everybody if each.guid == given.get("guid")), None)
    return _change(found, {key: value for key, value in given.items() if key.startswith("data_")})


def _change(found: Subscriber | None, data: Mapping[str, Any]) -> Reply:
    if found is None:
        raise Refusal(400, "Could not update unknown subscriber.")
    found.data |= data
    return json_reply({"success": "Subscriber has been successfully updated."})


def routes(send_path: str) -> tuple[Route, ...]:
    """Return the routes.

    Args:
        send_path: Path of the transactional emails, which the vendor's page does not show.
    """
    own = "/newsletters/lists/{list_id}/subscribers"
    table = (
        ("tokens.create", "POST", "/token", _token, shapes.TOKEN),
        ("tokens.get", "GET", "/token", _old_token, shapes.OLD_TOKEN),
        ("lists.page", "GET", "/newsletters/lists", _lists, shapes.LISTS),
        ("counts.get", "GET", f"{own}/count", _counts, shapes.COUNTS),
        ("subscribers.page", "GET", own, _subscribers, shapes.SUBSCRIBERS),
        ("subscribers.create", "POST", own, _upsert, shapes.UPSERT),
        ("subscribers.delete", "POST", f"{own}/delete", _delete, shapes.DELETE),
        ("subscribers.delete_all", "DELETE", f"{own}/all", _delete_all, shapes.DELETE_ALL),
        ("files.create", "POST", "/files", _file, shapes.FILE),
        ("form.create", "POST", "/subscribe/{tracking_key}", _sign_up, shapes.SIGN_UP),
        ("form.update", "PUT", "/subscribe/{tracking_key}", _change_by_guid, shapes.CHANGE),
        ("events.download", "GET", "/newsletters/events/{kind}/{day}", _events, shapes.EVENTS),
        ("exports.create", "GET", "/newsletters/stats/export", _export, shapes.EXPORT),
        ("exports.download", "GET", "/export/{token}/{filename}", _exported, shapes.EXPORTED),
        ("templates.page", "GET", "/transactional/templates", _templates, shapes.TEMPLATES),
        ("transactional.send", "POST", send_path, _send, shapes.SEND),
        ("legacy.counts", "GET", "/newsletters/subscribers/count", _counts, shapes.COUNTS),
        ("legacy.page", "GET", "/newsletters/subscribers", _subscribers, shapes.SUBSCRIBERS),
        ("legacy.create", "POST", "/newsletters/subscribers", _upsert, shapes.UPSERT),
    )
    return tuple(
        Route(name, method, f"/v1{path}", cast("Any", handler), shape, is_open=name in OPEN_TO_ALL)
        for name, method, path, handler, shape in table
    )
