"""Reports over completed mailings, over lists as they are, and over rows that a test puts into ``messages.stats``.

Source: vendor page §3.18. Working them out is `_report.py`.
"""

from collections.abc import Iterator
from typing import Any

from ongage_async.emulator._answers import Answer, bad_request
from ongage_async.emulator._call import Call
from ongage_async.emulator._report import evaluate
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ANY, COUNT, FLAG, ID, TEXT, array_of, choice, either, record
from ongage_async.emulator._shape import gives

_MONTH_S = 31 * 86400


def query(call: Call) -> Answer:
    """Answer a question."""
    asked = call.fields
    source = asked.get("from", "mailing")
    list_ids = _list_ids(call, asked.get("list_ids"))
    rows = list(_lists(call, list_ids)) if source == "list" else list(_mailings(call, list_ids))
    if source not in ("mailing", "list", "event"):
        raise bad_request("Invalid data in request")
    given = asked.get("filter")
    filtered = [each[0] for each in given if isinstance(each, list) and each] if isinstance(given, list) else []
    if source == "mailing" and "stats_date" not in filtered:
        rows = [row for row in rows if row.get("stats_date", call.now) >= call.now - _MONTH_S]
    return Answer(evaluate(rows, asked, keys=call.world.readings.report_keys))


def _list_ids(call: Call, given: Any) -> set[int]:
    if given is None:
        return {call.mailing_list.id}
    if given == "all":
        return {each.id for each in call.state.live_lists()}
    if not isinstance(given, list):
        raise bad_request("Invalid data in request")
    return {call.live_list(each).id for each in given}


def _mailings(call: Call, list_ids: set[int]) -> Iterator[dict[str, Any]]:
    for each in call.state.messages.mailings.values():
        each.follow(call.world.clock)
        if each.has_sent and each.list_id in list_ids:
            yield each.stats()
    yield from (row for row in call.state.messages.stats if row.get("list_id") in list_ids)


def _lists(call: Call, list_ids: set[int]) -> Iterator[dict[str, Any]]:
    for each in call.state.live_lists():
        if each.id in list_ids:
            active, known = each.contacts.active, len(each.contacts)
            numbers = {"active": active, "not_active": known - active, "no_activity": active}
            none = dict.fromkeys(("complaints", "unsubscribes", "bounces", "opened", "clicked"), 0)
            yield {"record_date": call.now, "list_id": each.id, **numbers, **none}


_COLUMN = choice("sum(`sent`)", "sum(`opens`)", "count(mailing_id)", "mailing_id", "list_id", "stats_date", "active")
_PERIOD = {
    "type": "array",
    "prefixItems": [TEXT, choice("day", "week", "month", "year")],
    "items": False,
    "minItems": 2,
}
_CONDITION = {
    "type": "array",
    "prefixItems": [_COLUMN, choice("=", "!=", ">", ">=", "<", "<="), either(TEXT, {"type": "number"})],
    "items": False,
    "minItems": 3,
}
_ORDER = {"type": "array", "prefixItems": [_COLUMN, choice("ASC", "DESC")], "items": False, "minItems": 2}
_QUESTION = record(
    {"select": array_of(either(_COLUMN, array_of(TEXT, least=2)), least=1)},
    **{"from": choice("mailing", "list", "event")},
    list_ids=either({"const": "all"}, array_of(ID)),
    group=array_of(either(_COLUMN, _PERIOD)),
    filter=array_of(_CONDITION),
    order=array_of(either(_COLUMN, _ORDER)),
    offset=COUNT,
    limit=COUNT,
    calculate_rates=FLAG,
)

ROUTES = (Route("reports.query", "POST", "/api/reports/query", query, gives(array_of(ANY), 412, takes=_QUESTION)),)
