"""Sending connections, validation on its own host with its own key, and workflow analytics, over sockets."""

import datetime as dt
from typing import Any

import pytest

from ongage_async import (
    APIError,
    BadRequestError,
    ConfigurationError,
    DecodeError,
    InvalidInputError,
    Lane,
    NotFoundError,
    OngageClient,
    OngageError,
    ValidationError,
)
from ongage_async.emulator import Emulator, Fault
from ongage_async.models import Deliverability, Esp
from ongage_async.resources.validation import HOST
from tests.client.conftest import TRUST, Wire
from tests.support import client_of

pytestmark = pytest.mark.anyio


async def test_connections_are_of_the_account(emulator: Emulator, wire: Wire):
    async with client_of(emulator, ssl_context=TRUST, list_id=1) as ongage:
        found = await ongage.esp_connections.options(active_only=True)
        assert (wire.last.line, wire.last.query) == ("GET /api/esp_connections/options", {"active_only": "true"})
        assert [(each.id, each.esp_id, each.support_transactional) for each in found] == [
            (12345, Esp.AMAZON_SES, True),
            (12346, Esp.PRIVATE_SMTP, False),
        ]
        made = await ongage.esp_connections.create(Esp.MAILGUN)
        assert (wire.last.line, wire.last.body) == ("POST /api/esp_connections", {"esp_id": 58})
        assert (made.esp_id, made.currency, made.extra) == (58, "USD", {})
        assert (await ongage.esp_connections.get(made.id)).esp_name == "Mailgun"
        assert wire.last.line == f"GET /api/esp_connections/{made.id}"
        await ongage.esp_connections.delete(made.id)
        assert wire.last.line == f"DELETE /api/esp_connections/{made.id}"
        with pytest.raises(NotFoundError):
            await ongage.esp_connections.get(made.id)
        with pytest.raises(ValidationError):
            await ongage.esp_connections.create(7)


async def test_what_a_client_of_2014_knew_is_given_as_it_comes(ongage: OngageClient, wire: Wire):
    api = ongage.esp_connections
    assert (await api.account_esps())[0] == {"id": "4", "name": "Amazon SES"}
    assert wire.last.line == "GET /api/accounts/0/esps"
    assert {"id": "131", "name": "Bird"} in await api.esps()
    assert wire.last.line == "GET /api/esps"
    assert await api.esp(Esp.BIRD) == {"id": "131", "name": "Bird"}
    assert wire.last.line == "GET /api/esps/131"
    made = await api.create_address({"from_name": "Us"})
    assert (wire.last.line, wire.last.body) == ("POST /api/account_addresses", {"from_name": "Us"})
    address_id = int(made["id"])
    await api.update_address(address_id, {"from_name": "We"})
    assert (wire.last.line, wire.last.body) == (f"PUT /api/account_addresses/{address_id}", {"from_name": "We"})
    assert (await api.address(address_id))["from_name"] == "We"
    assert wire.last.line == f"GET /api/account_addresses/{address_id}"
    assert len(await api.addresses()) == 1
    assert wire.last.line == "GET /api/account_addresses"
    await api.delete_addresses([address_id])
    assert (wire.last.line, wire.last.body) == ("POST /api/account_addresses/delete", {"ids": [address_id]})
    await api.delete_addresses(extra={"address_ids": [1]})
    assert wire.last.body == {"address_ids": [1]}
    assert await api.addresses() == []


# --- validation

PATH = "POST /email-validation/api/v1/realtime-validation"


async def test_an_address_is_validated_at_the_price_of_a_credit(ongage: OngageClient, wire: Wire, messages: Any):
    messages.verdicts["risky@x.io"] = ("Risky", "low_quality")
    messages.credits = 3
    good = await ongage.validation.validate("john@doe.com")
    assert (wire.last.line, wire.last.body) == (PATH, {"email": "john@doe.com"})
    assert (good.status, good.reason, good.extra) == (Deliverability.DELIVERABLE, "accepted_email", {})
    assert (await ongage.validation.validate("risky@x.io")).status is Deliverability.RISKY
    assert (await ongage.validation.validate("nobody")).status is Deliverability.UNDELIVERABLE
    with pytest.raises(APIError, match="Not enough credits") as caught:
        await ongage.validation.validate("john@doe.com")
    assert caught.value.status == 402


async def test_its_own_key_goes_to_its_own_host_and_nothing_else_does(emulator: Emulator, wire: Wire):
    with Emulator(calls=None, parallel=None, api_key="validation-key") as other:
        elsewhere = Wire(other.app)
        other.app = elsewhere  # type: ignore[assignment]
        other.stop()
        other.start()
        async with client_of(emulator, ssl_context=TRUST, list_id=5) as ongage:
            keyed = ongage.validation.with_key("validation-key", base_url=other.url + "/")
            assert (await keyed.validate("john@doe.com")).status is Deliverability.DELIVERABLE
            again = ongage.with_options(max_wait_s=5).validation.with_key("validation-key", base_url=other.url)
            await again.validate("jane@doe.com")
        assert wire.sent == []
        assert [sent.line for sent in elsewhere.sent] == [PATH, PATH]
        assert elsewhere.last.headers["x-api-key"] == "validation-key"
        assert not {"x_username", "x_password", "x_account_code"} & set(elsewhere.last.headers)
        assert elsewhere.connections == 1
        assert "validation-key" not in repr(keyed)
        with pytest.raises(ConfigurationError, match="closed"):
            await keyed.validate("john@doe.com")
        with pytest.raises(ConfigurationError, match="closed"):
            ongage.validation.with_key("another", base_url=other.url)


async def test_its_calls_count_against_the_same_budget(emulator: Emulator):
    async with client_of(emulator, ssl_context=TRUST) as ongage:
        await ongage.validation.with_key(emulator.api_key, base_url=emulator.url).validate("john@doe.com")
        assert (await ongage.governor.statistics()).lanes[Lane.URGENT].granted == 1


async def test_a_key_must_not_travel_in_the_clear(ongage: OngageClient):
    assert HOST == "https://api.ongage.io"
    with pytest.raises(ConfigurationError, match="in the clear"):
        ongage.validation.with_key("key", base_url="http://api.ongage.io")
    with pytest.raises(ConfigurationError):
        ongage.validation.with_key(" ")


async def test_a_wrong_key_is_said_by_the_vendor(ongage: OngageClient, emulator: Emulator):
    body = {"metadata": {"error": True}, "payload": {"code": 400, "errors": [], "message": "Invalid API key"}}
    emulator.faults.add("validation.validate", Fault.status(400, body), times=1)
    with pytest.raises(BadRequestError, match="Invalid API key"):
        await ongage.validation.validate("john@doe.com")


@pytest.mark.parametrize("fault", [Fault.status(503), Fault.drop(after_execution=True)])
async def test_a_credit_is_not_spent_twice(ongage: OngageClient, emulator: Emulator, messages: Any, fault: Fault):
    emulator.faults.add("validation.validate", fault, times=5)
    with pytest.raises(OngageError):
        await ongage.validation.validate("john@doe.com")
    assert emulator.witness.count("validation.validate") == 1


async def test_an_answer_without_a_verdict_cannot_be_read(ongage: OngageClient, emulator: Emulator):
    emulator.faults.add("validation.validate", Fault.status(200, {"reason": "x"}), times=1)
    with pytest.raises(DecodeError):
        await ongage.validation.validate("john@doe.com")
    with pytest.raises(InvalidInputError):
        await ongage.validation.validate(" ")


# --- workflow analytics


async def test_workflows_are_asked_for_by_days(emulator: Emulator, wire: Wire):
    other = emulator.state.add_list("other").id
    async with client_of(emulator, ssl_context=TRUST, list_id=other) as ongage:
        told = await ongage.workflow_analytics.workflows(dt.date(2026, 1, 2), "12/31/26")
        assert wire.last.line == "GET /analytics/api/v0/report/workflows"
        assert wire.last.query == {"date_from": "01/02/26", "date_to": "12/31/26", "list_id": str(other)}
        assert told["workflows"] == []
        told = await ongage.workflow_analytics.messages("01/02/26", "12/31/26", list_id=emulator.default_list_id)
        assert wire.last.line == "GET /analytics/api/v0/report/workflow/messages"
        assert told["list_id"] == emulator.default_list_id
