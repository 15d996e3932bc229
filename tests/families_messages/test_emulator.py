"""The emulator's message families by themselves: no body of a stranger's makes them stumble."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async.emulator import Emulator
from ongage_async.emulator._answers import Refusal, succeeded
from ongage_async.emulator._call import Call
from ongage_async.emulator._router import Route
from ongage_async.emulator.families import (
    email_tags,
    emails,
    esp_connections,
    events,
    images,
    mailings,
    reports,
    sms,
    transactional,
    validation,
    workflow_analytics,
)

FAMILIES = (
    mailings,
    transactional,
    emails,
    sms,
    email_tags,
    images,
    events,
    reports,
    esp_connections,
    validation,
    workflow_analytics,
)
ROUTES: list[Route] = [route for family in FAMILIES for route in family.ROUTES]
KEYS = (
    *("name", "description", "email_message", "email_messages", "segments", "segments_excluded", "distribution"),
    *("schedule_date", "is_test", "recipients", "emails_limit", "action", "message_id", "campaign_id", "message"),
    *("sending_connection_id", "check_status", "check_global_and_list_suppression", "message_dynamic_fields"),
    *("message_dynamic_fields_per_recipient", "create_contact", "subject", "content_html", "content_text", "type"),
    *("target_list_id", "target_list_ids", "parent_id", "title", "list_id", "image_url", "folder_id", "status"),
    *("triggers", "esps", "based_on", "select", "from", "group", "order", "filter", "list_ids", "value", "offset"),
    *("limit", "calculate_rates", "esp_id", "ids", "email", "email_message_id", "mailing_id", "ongoing_event"),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
    | st.sampled_from(
        ["a@x.io", "27", 27, 12345, "http://x.io/a.png", "all", "list", "sum(`sent`)", "sent", "day", ">"]
    )
    | st.sampled_from(["stats_date", "hold", "abort", "now", 9e30, 2**70, "2026-01-01", "default"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
GOOD: dict[str, dict[str, Any]] = {
    "mailings.create": {
        "name": "x",
        "email_message": [27],
        "segments": [1],
        "segments_excluded": [2],
        "distribution": [{"esp_connection_id": 1, "percent": 100, "domain": "default"}],
        "emails_limit": 5,
        "is_test": False,
        "recipients": [],
    },
    "transactional.send": {
        "message_id": 27,
        "recipients": ["a@x.io"],
        "check_status": True,
        "check_global_and_list_suppression": True,
        "message_dynamic_fields": {},
        "message_dynamic_fields_per_recipient": {},
        "create_contact": True,
    },
    "transactional.send_embed_content": {"message": {"subject": "x", "content_text": "y"}, "recipients": ["a@x.io"]},
    "transactional.notify": {"recipients": ["a@x.io"], "email_message": {"subject": "x"}, "campaign_id": 12345},
    "transactional.create": {"name": "x", "description": "d"},
    "emails.create": {"name": "x", "type": "folder", "content_html": "x", "parent_id": 0},
    "emails.copy": {"target_list_ids": [60299]},
    "emails.move": {"parent_id": 0, "name": "x"},
    "sms.create": {"name": "x", "description": "d", "content_text": "t", "list_id": 60299},
    "email_tags.create": {"title": "x", "list_id": None},
    "images.create": {"image_url": "http://x.io/a", "folder_id": 0},
    "events.create": {
        "name": "x",
        "status": True,
        "segments": [1],
        "triggers": [{}],
        "distribution": [{}],
        "based_on": "mailing",
        "mailing_id": 1,
    },
    "reports.query": {
        "select": ["sent", ["sum(`sent`)", "x"]],
        "group": [["stats_date", "day"], "sent"],
        "order": ["sent", ["x", "DESC"]],
        "filter": [["stats_date", ">", 0]],
        "from": "mailing",
        "list_ids": "all",
        "offset": 0,
        "limit": 5,
        "value": "sent",
        "calculate_rates": True,
    },
    "esp_connections.create": {"esp_id": 4},
    "esp_connections.create_address": {"name": "x"},
    "esp_connections.delete_addresses": {"ids": [1]},
    "validation.validate": {"email": "a@x.io"},
}


def bodies(route: Route) -> st.SearchStrategy[Any]:
    """Return good bodies with one or two bad values, and bodies of nothing good at all."""
    good = GOOD.get(route.operation, {"name": "x", "description": "d", "title": "t"})
    keys = st.sampled_from(sorted(good))
    spoilt = st.dictionaries(keys, values, min_size=1, max_size=2).map(lambda bad: {**good, **bad})
    return spoilt | spoilt | values


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.operation} {route.path}")
@settings(deadline=None, max_examples=40)
@given(query=st.dictionaries(st.sampled_from(KEYS), st.text(max_size=4), max_size=4), data=st.data())
def test_any_body_gets_an_answer_or_a_refusal(route: Route, query: dict[str, str], data: Any) -> None:
    body = data.draw(bodies(route))
    emulator = Emulator(epoch=1_700_000_000.0, clock=lambda: 0.0)
    world = emulator.app.world
    emulator.state.messages.add_email(27, name="hello", list_id=60299)
    emulator.state.messages.stats.append({"list_id": 60299, "stats_date": 1_700_000_000, "sent": 3, "x": None})
    emulator.state.default_list.add_contact("a@x.io")
    number = data.draw(st.sampled_from(["27", "12345", "1", "x"]))
    try:
        succeeded(route.handler(Call(world, route, {"id": number}, query, body, None)))
    except Refusal as refusal:
        if not 400 <= refusal.status < 500:
            pytest.fail(f"{refusal.status}: {refusal.message}")
        refusal.document()
