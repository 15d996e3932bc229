"""Models of the message families: the vendor's samples with nothing left over, and anything at all."""

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async.errors import DecodeError
from ongage_async.events import DriftSeen
from ongage_async.models import (
    AddressVerdict,
    Deliverability,
    Email,
    EmailTag,
    EspConnection,
    Image,
    ImageFolder,
    Mailing,
    MailingStatus,
    SendKind,
    SendResult,
    Sms,
    TransactionalCampaign,
    TriggerEvent,
    WebhookEvent,
)
from ongage_async.models._converter import structure, structure_many
from ongage_async.models.transactional import per_recipient
from tests.families_messages import samples

MODELS = [
    AddressVerdict,
    Email,
    EmailTag,
    EspConnection,
    Image,
    ImageFolder,
    Mailing,
    SendResult,
    Sms,
    TransactionalCampaign,
    TriggerEvent,
    WebhookEvent,
]


def make(model_type: type[Any], payload: Any) -> tuple[Any, list[DriftSeen]]:
    drifts: list[DriftSeen] = []
    return structure(model_type, payload, operation="test.get", on_drift=drifts.append), drifts


@pytest.mark.parametrize(
    ("model_type", "sample"),
    [
        (Mailing, samples.MAILING),
        (Mailing, samples.MAILING_IN_COLLECTION),
        (Email, samples.EMAIL),
        (Sms, samples.SMS),
        (Image, samples.IMAGE),
        (ImageFolder, samples.IMAGE_FOLDER),
        (EspConnection, samples.ESP_OPTION),
        (EspConnection, samples.ESP_CREATED),
        (AddressVerdict, samples.VERDICT),
        (SendResult, samples.SENT),
        (SendResult, samples.NOTIFIED),
        (WebhookEvent, samples.WEBHOOK[0]),
    ],
)
def test_the_vendors_samples_are_read_with_nothing_left_over(model_type: type[Any], sample: Any) -> None:
    model, drifts = make(model_type, sample)
    assert (model.extra, drifts) == ({}, [])
    told = {attribute.name: getattr(model, attribute.name) for attribute in attrs.fields(model_type)}
    nothing = (None, "0", "")
    lost = [key for key in sample if told.get({"file_size": "size_bytes"}.get(key, key)) is None]
    assert all(sample[key] in nothing for key in lost)


def test_a_mailing_is_typed_to_its_last_part() -> None:
    mailing, _ = make(Mailing, samples.MAILING)
    assert (mailing.id, mailing.status, mailing.is_final, mailing.is_failed) == (
        1740001,
        MailingStatus.ERROR,
        True,
        True,
    )
    assert mailing.schedule_date == datetime(2021, 4, 4, 13, 2, 48, tzinfo=UTC)
    assert (mailing.segments[0].segment_id, mailing.segments[0].exclude) == (1429, False)
    assert (mailing.distribution[0].percent, mailing.distribution[0].domain) == (100.0, "default")
    assert mailing.email_message[0].email_message_id == 27


@pytest.mark.parametrize("status", [60002, "60003", 60009, 60001, 60011, 7])
def test_a_status_that_may_change_or_is_not_known_is_no_end(status: Any) -> None:
    mailing, drifts = make(Mailing, {"id": 1, "status": status})
    assert (mailing.is_final, mailing.is_failed) == (False, False)
    assert [drift.field for drift in drifts] == ([] if mailing.status.is_known else ["status"])


def test_a_word_of_the_validation_that_is_not_known_is_kept() -> None:
    verdict, drifts = make(AddressVerdict, {"status": "Disposable"})
    assert (verdict.status, verdict.status.is_known, len(drifts)) == ("Disposable", False, 1)
    assert make(AddressVerdict, {"status": "unknown"})[0].status is Deliverability.UNKNOWN_ADDRESS
    with pytest.raises(DecodeError):
        make(AddressVerdict, {"reason": "accepted_email"})


# --- what became of each recipient

A, B, C = "a@x.io", "B@x.io", "c@x.io"
SENT, REJECTED, UNKNOWN = SendKind.SENT, SendKind.REJECTED, SendKind.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ({"success": 3, "failed": 0, "failed_emails": []}, [SENT, SENT, SENT]),
        ({"success": "3"}, [SENT, SENT, SENT]),
        ({"failed": 0}, [SENT, SENT, SENT]),
        ({"success": 2, "failed": 1, "failed_emails": ["b@X.io"]}, [SENT, REJECTED, SENT]),
        ({"success": 2, "failed": 1, "failed_emails": [{"email": "b@x.io"}]}, [SENT, REJECTED, SENT]),
        ({"success": 2, "failed": 1, "failed_emails": {"b@x.io": "no"}}, [SENT, REJECTED, SENT]),
        ({"success": 2, "failed": 1, "failed_emails": {"0": "b@x.io"}}, [SENT, REJECTED, SENT]),
        ({"not_active": ["b@x.io"], "failed": 1}, [SENT, REJECTED, SENT]),
        ({"success": 0, "failed": 3}, [REJECTED, REJECTED, REJECTED]),
        ({"success": 2, "failed": 1}, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"success": 1, "failed": 2, "failed_emails": ["b@x.io"]}, [UNKNOWN, REJECTED, UNKNOWN]),
        ({}, [UNKNOWN, UNKNOWN, UNKNOWN]),
        ({"message": "queued"}, [UNKNOWN, UNKNOWN, UNKNOWN]),
    ],
)
def test_an_answer_is_told_recipient_by_recipient_and_never_guessed(answer: Any, kinds: list[SendKind]) -> None:
    told = per_recipient([A, B, C], make(SendResult, answer)[0])
    assert [outcome.recipient for outcome in told] == [A, B, C]
    assert [outcome.kind for outcome in told] == kinds


# --- anything at all

keys = st.sampled_from(sorted({a.name for m in MODELS for a in attrs.fields(m)} | {"new", "0"}))
odd = st.sampled_from(["0", "1", "", "true", "[]", "{}", "60004", "1e999", "-5", "99999999999999999999", "nan", "²"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=8),
    max_leaves=25,
)


@settings(deadline=None)
@given(st.sampled_from(MODELS), json_values)
def test_any_json_gives_a_model_or_a_decode_error(model_type: type[Any], payload: Any) -> None:
    before = json.dumps(payload)
    for reading in (structure, structure_many):
        try:
            made = reading(model_type, payload, operation="test.get")
        except DecodeError as error:
            if not error.path.startswith("$.payload"):
                pytest.fail(f"no place: {error.path}")
            continue
        pickle.loads(pickle.dumps(made))
        repr(made)
    assert json.dumps(payload) == before


@settings(deadline=None)
@given(st.sampled_from(MODELS), st.dictionaries(keys | st.text(max_size=4), json_values, max_size=12))
def test_no_key_is_lost(model_type: type[Any], payload: dict[str, Any]) -> None:
    payload = {**payload, "id": 7, **({"status": "60004"} if model_type is Mailing else {"status": "x"})}
    try:
        model, _ = make(model_type, payload)
    except DecodeError:
        return
    known = {a.metadata.get("wire_key") or a.name for a in attrs.fields(model_type)} - {"extra"}
    assert set(payload) - known <= set(model.extra)
    assert all(model.extra[key] == payload[key] for key in model.extra)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=6), json_values)
def test_every_recipient_has_one_outcome_whatever_the_answer(recipients: list[str], payload: Any) -> None:
    try:
        result = structure(SendResult, payload, operation="test.send")
    except DecodeError:
        return
    assert [outcome.recipient for outcome in per_recipient(recipients, result)] == recipients
