"""The webhook: what it delivers, what it may deliver one day, and what is none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ongage_async import webhook
from ongage_async.emulator.webhooks import webhook_body
from ongage_async.errors import DecodeError
from ongage_async.webhook import WebhookEvent, WebhookStatus
from tests.families_messages.samples import WEBHOOK


def test_the_vendors_delivery_is_read() -> None:
    first, second = webhook.parse(json.dumps(WEBHOOK))
    assert first == WebhookEvent(
        status=WebhookStatus.HARD_BOUNCE, email="john@doe.com", list_id=60299, esp_name="SparkPost"
    )
    assert (second.status, second.list_id) == (WebhookStatus.UNSUBSCRIBE, 60299)
    assert "john" not in repr(first)


@pytest.mark.parametrize("status", ["soft", "hard", "unsubscribe", "complaint"])
def test_every_status_is_known_and_bytes_are_read_like_text(status: str) -> None:
    (event,) = webhook.parse(webhook_body(("john@doe.com", status), list_id=5))
    assert (event.status, event.status.is_known, event.list_id, event.extra) == (status, True, 5, {})


def test_new_kinds_and_fields_are_kept_and_told() -> None:
    told: list[Any] = []
    (event,) = webhook.parse('[{"status": "deferred", "phone": "44", "list_id": "many"}]', on_drift=told.append)
    assert (event.status, event.status.is_known, event.email) == ("deferred", False, None)
    assert event.extra == {"phone": "44", "list_id": "many"}
    assert {(drift.field, drift.kind) for drift in told} == {
        ("phone", "field"),
        ("list_id", "value"),
        ("status", "value"),
    }


def test_an_empty_delivery_has_no_events() -> None:
    assert webhook.parse(b"[]") == ()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("", "$"),
        ("<html>", "$"),
        (b"\xff\xfe\x00", "$"),
        ("[" * 100_000, "$"),
        ("{}", "$"),
        ('{"status": "hard"}', "$"),
        ("null", "$"),
        ("7", "$"),
        ('[{"status": "hard"}, 7]', "$[1]"),
        ("[[]]", "$[0]"),
        ("[{}]", "$[0].status"),
        ('[{"status": "hard"}, {"status": ""}]', "$[1].status"),
        ('[{"status": {"a": 1}}]', "$[0].status"),
    ],
)
def test_what_is_no_delivery_is_refused_as_a_whole(body: Any, path: str) -> None:
    with pytest.raises(DecodeError) as caught:
        webhook.parse(body)
    assert (caught.value.path, caught.value.operation) == (path, "webhook.parse")


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_anything_is_events_or_a_decode_error(body: Any) -> None:
    try:
        webhook.parse(body)
    except DecodeError:
        return
