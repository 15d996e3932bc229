"""Workflow analytics: nothing is known of the payloads, so the question is given back. Source: vendor page §3.21."""

from datetime import UTC, datetime
from typing import Any

from ongage_async.emulator._answers import Answer, invalid
from ongage_async.emulator._call import Call
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import EMPTY, ID, TEXT, Schema, record
from ongage_async.emulator._shape import Shape, gives


def _asked(call: Call) -> dict[str, Any]:
    """Return the question, checked."""
    errors = {}
    for name in ("date_from", "date_to"):
        try:
            datetime.strptime(call.query.get(name, ""), "%m/%d/%y").replace(tzinfo=UTC)
        except ValueError:
            errors[name] = f"{name} must be a date like 12/31/26"
    if errors:
        raise invalid(errors=errors)
    return {"list_id": call.mailing_list.id, **{name: call.query[name] for name in ("date_from", "date_to")}}


def workflows(call: Call) -> Answer:
    """Answer with the question and no workflow."""
    return Answer({**_asked(call), "workflows": []})


def messages(call: Call) -> Answer:
    """Answer with the question and no message."""
    return Answer({**_asked(call), "messages": []})


_DAY: Schema = {"type": "string", "examples": ["12/31/26"]}
_QUESTION = {"date_from!": _DAY, "date_to!": _DAY}


def _tells(noun: str) -> Shape:
    answer = record({"list_id": ID, "date_from": TEXT, "date_to": TEXT, noun: EMPTY})
    return gives(answer, 412, query=_QUESTION)


_WORKFLOWS, _MESSAGES = _tells("workflows"), _tells("messages")

ROUTES = (
    Route("workflow_analytics.workflows", "GET", "/analytics/api/v0/report/workflows", workflows, _WORKFLOWS),
    Route("workflow_analytics.messages", "GET", "/analytics/api/v0/report/workflow/messages", messages, _MESSAGES),
)
