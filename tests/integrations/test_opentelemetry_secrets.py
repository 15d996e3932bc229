"""Nothing secret or personal is in a span, a metric, an explanation or a log line: planted, and looked for."""

import logging
from collections.abc import Iterator

import anyio
import anyio.to_thread
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ongage_async import Credentials, Limits, OngageClient, OngageError, RetryPolicy
from ongage_async.emulator import Credentials as EmulatedCredentials
from ongage_async.emulator import Emulator, Fault
from ongage_async.emulator.ownpage import OwnpageEmulator
from ongage_async.integrations.opentelemetry import OpenTelemetry
from ongage_async.ownpage import OwnpageClient, OwnpageCredentials

pytestmark = pytest.mark.anyio

USER, PASSWORD, CODE = "planted-user@doe.test", "planted-pass-1", "planted-code-2"
ADDRESS, OTHER = "planted.person@mail.test", "planted.other@mail.test"
ECHO = {"metadata": {"error": True}, "payload": {"code": 412, "message": f"no {OTHER}", "errors": {ADDRESS: [OTHER]}}}
PRESIGNED = "https://files.test/c.csv?X-Signature=planted-signature-4"


class Kept:
    """All that leaves the library for somebody to look at."""

    def __init__(self) -> None:
        self.spans, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.telemetry = OpenTelemetry(tracer_provider=tracers, meter_provider=meters)

    def text(self) -> str:
        data = self.reader.get_metrics_data()
        assert data is not None
        return "\n".join([data.to_json(), *(span.to_json() for span in self.spans.get_finished_spans())])


@pytest.fixture
def ongage_emulated() -> Iterator[Emulator]:
    known = EmulatedCredentials(USER, PASSWORD, CODE)
    emulator = Emulator(credentials=known, calls=None, parallel=None)
    emulator.state.default_list.add_contact(ADDRESS, name="x")
    with emulator:
        yield emulator


async def test_spans_metrics_explanations_and_logs_hold_no_secret_and_no_address(
    ongage_emulated: Emulator, caplog: pytest.LogCaptureFixture
):
    """Successes, refusals that echo addresses, lost connections, retries, and a caller that leaves."""
    caplog.set_level(logging.DEBUG, "ongage_async")
    kept, faults = Kept(), ongage_emulated.faults
    faults.add("contacts.create", Fault.status(412, ECHO), times=1)
    faults.add("lists.page", Fault.drop(), times=1)
    async with OngageClient(
        Credentials(USER, PASSWORD, CODE),
        base_url=ongage_emulated.url,
        limits=Limits(calls=10_000),
        retry=RetryPolicy(connection_ladder_s=(0.001,), jitter=0.0),
        explain=100,
    ) as ongage:
        kept.telemetry.attach(ongage)
        await ongage.contacts.get_by_email(ADDRESS)
        with pytest.raises(OngageError) as refused:
            await ongage.contacts.create([{"email": OTHER}])
        await ongage.contacts.create([{"email": OTHER}])
        await ongage.lists.page()
        await ongage.imports.create(PRESIGNED)
        await ongage.request("GET", "/api/contacts/cross_account", params={"email": OTHER})
        await ongage.request("GET", f"/api/contacts/by_email/{OTHER}?x={ADDRESS}")  # a route should have none
        ongage_emulated.latency = 0.05
        with anyio.move_on_after(0.01):
            await ongage.contacts.get_by_email(OTHER)
        told = await anyio.to_thread.run_sync(kept.text)
        explained = "\n".join(map(repr, ongage.explanations()))
        assert str(ongage.explain(refused.value.call_id)) in refused.value.__notes__[-1]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    for text in (told, explained, logged):
        assert "planted" not in text
    assert told.count("/api/contacts/by_email/{email}") >= 2
    assert (told.count("ongage contacts.create"), explained.count("contacts.create")) == (2, 2)
    assert "ConnectionLostError" in told
    assert "contacts.create attempt 1" in logged


async def test_the_second_vendors_client_is_followed_too():
    """Its token and its key travel in headers and bodies, which no span shows."""
    kept = Kept()
    with OwnpageEmulator() as emulator:
        known = emulator.customer
        credentials = OwnpageCredentials(known.username, known.api_key)
        async with OwnpageClient(credentials, base_url=emulator.url) as ownpage:
            kept.telemetry.attach(ownpage, name="ownpage")
            await ownpage.lists.page()
            told = await anyio.to_thread.run_sync(kept.text)
    assert "ownpage lists.page" in told
    assert "ongage.account.tokens" in told
    assert known.api_key not in told
    assert known.username not in told
