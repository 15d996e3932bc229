"""Spans: whose child each one is, what it says, and that each one ends. Both loops, virtual time."""

import anyio
import httpx
import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from ongage_async import errors
from ongage_async.config import Lane
from ongage_async.events import ClientClosed, Listener
from ongage_async.integrations.opentelemetry import OpenTelemetry
from tests.engine.test_engine import BROKEN, BUSY, FINE, READ, WRITE, Vendor

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

IN_17_S = httpx.Response(429, headers={"retry-after": "17"}, content=BUSY.content)
SERVER = {"server.address": "vendor.test", "server.port": 443}


class Traced(Vendor):
    """A vendor of few words, a client whose spans are kept, and what was current where the request went out."""

    def __init__(self, *script: httpx.Response | Exception, answer_s: float = 0.0, **provider: object) -> None:
        super().__init__(*script, answer_s=answer_s)
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**provider)  # type: ignore[arg-type]
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")
        self.detach = OpenTelemetry(tracer_provider=self.provider).attach(self)
        self.seen_at_the_wire: list[trace.Span] = []
        self.quiet: list[object] = []

    def listen(self, listener: Listener) -> object:
        return self.engine.listener.add(listener)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen_at_the_wire.append(trace.get_current_span())
        self.quiet.append(context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY))
        return await super().answer(request)

    def spans(self, kind: SpanKind | None = None) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if kind is None or span.kind is kind]

    @property
    def all_ended(self) -> bool:
        """Whether each call has one span, and each attempt."""
        calls = self.spans(SpanKind.INTERNAL)
        return sum(int(span.attributes["ongage.attempts"]) for span in calls) == len(self.spans(SpanKind.CLIENT))


def parent_id(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def span_id(span: ReadableSpan | trace.Span) -> int:
    return span.get_span_context().span_id


async def test_a_call_is_one_span_and_its_attempt_another_inside_it():
    vendor = Traced(FINE, answer_s=0.5)
    await vendor.call(READ)
    (attempt,), (call,) = vendor.spans(SpanKind.CLIENT), vendor.spans(SpanKind.INTERNAL)
    call_id = call.attributes["ongage.call_id"]
    assert (call.name, attempt.name) == ("ongage lists.get", "GET /api/lists/{id}")
    assert (parent_id(attempt), parent_id(call)) == (span_id(call), None)
    assert dict(attempt.attributes) == {
        "http.request.method": "GET",
        "url.template": "/api/lists/{id}",
        "http.response.status_code": 200,
        "ongage.call_id": call_id,
        "ongage.queued_s": 0.0,
        "ongage.paused_s": 0.0,
        **SERVER,
    }
    assert dict(call.attributes) == {
        "ongage.operation": "lists.get",
        "ongage.call_id": call_id,
        "ongage.lane": "NORMAL",
        "ongage.attempts": 1,
        "ongage.queued_s": 0.0,
        "ongage.paused_s": 0.0,
        "ongage.backed_off_s": 0.0,
        "ongage.wire_s": pytest.approx(0.5),
        **SERVER,
    }
    assert [span.status.status_code for span in (call, attempt)] == [StatusCode.UNSET] * 2


async def test_retries_are_attempts_of_one_call_with_their_count_and_their_errors():
    vendor = Traced(BROKEN, httpx.ConnectError("refused"), FINE)
    await vendor.call(READ)
    first, second, third = vendor.spans(SpanKind.CLIENT)
    (call,) = vendor.spans(SpanKind.INTERNAL)
    assert {parent_id(span) for span in (first, second, third)} == {span_id(call)}
    assert [span.attributes.get("http.request.resend_count") for span in (first, second, third)] == [None, 1, 2]
    assert [span.attributes.get("error.type") for span in (first, second, third)] == ["503", "ConnectError", None]
    assert [span.attributes.get("http.response.status_code") for span in (first, second, third)] == [503, None, 200]
    assert [span.status.status_code for span in (first, second, third)] == [
        *[StatusCode.ERROR] * 2,
        StatusCode.UNSET,
    ]
    assert [(event.name, dict(event.attributes)) for event in call.events] == [
        ("ongage.back_off", {"ongage.wait_s": 60.0, "error.type": "ServerError"}),
        ("ongage.back_off", {"ongage.wait_s": 0.5, "error.type": "ConnectError"}),
    ]
    assert call.attributes["ongage.backed_off_s"] == pytest.approx(60.5)
    assert call.status.status_code is StatusCode.UNSET


async def test_a_pause_is_an_event_of_the_call_that_met_it_and_time_of_its_next_attempt():
    vendor = Traced(IN_17_S, FINE)
    await vendor.call(WRITE)
    refused, sent = vendor.spans(SpanKind.CLIENT)
    (call,) = vendor.spans(SpanKind.INTERNAL)
    assert (refused.attributes["error.type"], refused.attributes["http.response.status_code"]) == ("429", 429)
    assert sent.attributes["ongage.paused_s"] == pytest.approx(17.0)
    assert [(event.name, event.attributes["ongage.strike"]) for event in call.events] == [("ongage.account_paused", 1)]


async def test_each_caller_is_the_parent_of_its_own_calls_though_they_share_the_account():
    """Twenty tasks at once, each with a span of its own, two places, retries in between."""
    vendor = Traced(BROKEN, IN_17_S, BROKEN, FINE, answer_s=0.1)
    mine: dict[int, list[int]] = {}

    async def caller(number: int) -> None:
        with vendor.tracer.start_as_current_span(f"task {number}") as span:
            mine[span_id(span)] = []
            for _ in range(3):
                await vendor.call(READ)
                mine[span_id(span)].append(span_id(trace.get_current_span()))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(caller, number)
    calls = {span_id(span): span for span in vendor.spans() if span.name == "ongage lists.get"}
    attempts = vendor.spans(SpanKind.CLIENT)
    assert all(after == [task] * 3 for task, after in mine.items())
    assert sorted(parent_id(call) for call in calls.values()) == sorted([*mine] * 3)
    assert len(attempts) == 63
    for attempt in attempts:
        call = calls[parent_id(attempt)]
        assert attempt.attributes["ongage.call_id"] == call.attributes["ongage.call_id"]
        assert attempt.context.trace_id == call.context.trace_id


async def test_the_request_goes_out_inside_its_attempt_and_nobody_else_traces_it():
    """The exchange runs in a task of the library's own; an instrumentation of httpx would show addresses in URLs."""
    vendor = Traced(BROKEN, FINE)
    await vendor.call(READ)
    assert [span_id(span) for span in vendor.seen_at_the_wire] == [span_id(s) for s in vendor.spans(SpanKind.CLIENT)]
    assert vendor.quiet == [True, True]
    assert context.get_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY) is None


@pytest.mark.parametrize(("after_s", "attempts"), [(0.5, 1), (30.0, 1), (61.5, 2)])
async def test_a_caller_that_leaves_ends_its_spans_and_they_are_no_errors(after_s: float, attempts: int):
    """On the wire, in back-off, on the wire again: the spans end with the caller, and its own span is current."""
    vendor = Traced(BROKEN, answer_s=1.0)
    with vendor.tracer.start_as_current_span("mine") as mine:
        with anyio.move_on_after(after_s):
            await vendor.call(READ)
        assert trace.get_current_span() is mine
    (call,) = vendor.spans(SpanKind.INTERNAL)[:1]
    assert len(vendor.spans(SpanKind.CLIENT)) == attempts
    assert (call.attributes["ongage.cancelled"], call.status.status_code) == (True, StatusCode.UNSET)
    await vendor.engine.aclose()
    assert len(vendor.spans(SpanKind.CLIENT)) == attempts


async def test_an_attempt_says_what_was_scarce_when_it_asked():
    vendor = Traced(FINE, answer_s=1.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(vendor.call)
    waited = [
        (span.attributes["ongage.queued_s"], span.attributes.get("ongage.waited_for"))
        for span in vendor.spans(SpanKind.CLIENT)
    ]
    assert waited == [(0.0, None), (0.0, None), (1.0, "place")]


async def test_a_caller_that_leaves_the_queue_was_never_on_the_wire():
    vendor = Traced(FINE, answer_s=5.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(vendor.call)
        await anyio.sleep(1)
        with anyio.move_on_after(1):
            await vendor.call(WRITE)
        (left,) = vendor.spans()
        tasks.cancel_scope.cancel()
    assert (left.name, left.attributes["ongage.attempts"]) == ("ongage contacts.create", 0)
    assert left.attributes["ongage.cancelled"] is True
    await vendor.engine.aclose()
    assert vendor.all_ended


async def test_an_error_ends_both_spans_as_errors_and_what_was_current_comes_back():
    vendor = Traced(BROKEN)
    with vendor.tracer.start_as_current_span("mine") as mine:
        with pytest.raises(errors.ServerError) as caught:
            await vendor.call(WRITE)
        assert trace.get_current_span() is mine
    (attempt,), call = vendor.spans(SpanKind.CLIENT), vendor.spans(SpanKind.INTERNAL)[0]
    assert [span.attributes["error.type"] for span in (attempt, call)] == ["503", "ServerError"]
    assert {span.status.status_code for span in (attempt, call)} == {StatusCode.ERROR}
    assert call.attributes["ongage.outcome"] == "unknown"
    assert call.attributes["ongage.call_id"] == caught.value.call_id
    assert not attempt.events
    assert not call.events  # no exception is recorded: its text is the program's to show or not


async def test_a_refused_call_has_a_span_without_attempts():
    vendor = Traced(FINE, answer_s=5.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(vendor.call)
        await anyio.sleep(1)
        with pytest.raises(errors.BudgetError):
            await vendor.call(WRITE, max_wait_s=0.0, lane=Lane.URGENT)
        (refused,) = vendor.spans()
        tasks.cancel_scope.cancel()
    assert (refused.attributes["error.type"], refused.attributes["ongage.lane"]) == ("BudgetError", "URGENT")
    assert refused.attributes["ongage.attempts"] == 0
    await vendor.engine.aclose()


async def test_without_an_sdk_and_without_a_sample_nothing_is_kept_and_nothing_is_in_the_way():
    bare = Vendor(BROKEN, FINE)
    bare.listen = bare.engine.listener.add  # type: ignore[attr-defined]
    OpenTelemetry().attach(bare)  # type: ignore[arg-type]
    assert await bare.call() == {"id": 1}
    unsampled = Traced(BROKEN, FINE, sampler=ALWAYS_OFF)
    assert await unsampled.call() == {"id": 1}
    assert unsampled.spans() == []


async def test_detaching_lets_the_calls_under_way_end_their_spans_and_begins_no_more():
    vendor = Traced(FINE, answer_s=1.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(0.5)
        vendor.detach()
        tasks.start_soon(vendor.call, WRITE)
    assert [span.name for span in vendor.spans()] == ["GET /api/lists/{id}", "ongage lists.get"]
    assert len(vendor.engine.listener.each) == 1  # the vendor's own notes


async def test_closing_the_client_ends_the_spans_of_those_who_still_wait():
    vendor = Traced(BROKEN, answer_s=0.1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(vendor.call)
        await anyio.sleep(30)
        vendor.engine.listener(ClientClosed())
        assert [span.name for span in vendor.spans()] == ["GET /api/lists/{id}", "ongage lists.get"]
        tasks.cancel_scope.cancel()
    assert len(vendor.spans()) == 2


async def test_a_client_has_a_name_of_its_own():
    vendor = Traced(FINE)
    vendor.detach()
    OpenTelemetry(tracer_provider=vendor.provider).attach(vendor, name="ownpage")
    await vendor.call()
    assert vendor.spans(SpanKind.INTERNAL)[0].name == "ownpage lists.get"
