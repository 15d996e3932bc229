"""Spans: one for each call, in the context of whoever makes it, and in it one for each attempt.

A call's span is current while its caller waits, and an attempt's while it is on the wire: the exchange runs in a task
of the library's own, which begins with a copy of that context. All events of a call are told in the caller's task, so
what was current before comes back at the end, however the call ends.
"""

from collections.abc import Mapping
from typing import Any

from attrs import define, field
from opentelemetry import context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from ongage_async.events import AccountPaused, AttemptBegan, AttemptEnded, BackOffBegan, CallBegan, CallEnded

__all__ = ["Spans", "error_type"]

_QUIET = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation")
"""Asks instrumentations of HTTP libraries to leave our requests alone: theirs would be second spans of the same
request, with full URLs, in which there may be an address."""


@define(eq=False)
class _Open:
    """The spans of one call under way."""

    span: Span
    outside: Context
    attempt: Span | None = None
    between: Context | None = None
    queued_s: float = 0.0
    paused_s: float = 0.0
    wire_s: float = 0.0
    backed_off_s: float = 0.0


@define(eq=False)
class Spans:
    """Open and end the spans of one client.

    Args:
        tracer: Makes them.
        name: What the names of calls begin with.
    """

    tracer: Tracer
    name: str
    _open: dict[str, _Open] = field(factory=dict, init=False)

    def call_began(self, event: CallBegan, server: Mapping[str, Any]) -> None:
        """Open a call's span and make it current."""
        attributes = {
            "ongage.operation": event.operation,
            "ongage.call_id": event.call_id,
            "ongage.lane": event.lane.name,
            **server,
        }
        outside = context.get_current()
        span = self.tracer.start_span(f"{self.name} {event.operation}", kind=SpanKind.INTERNAL, attributes=attributes)
        context.attach(set_span_in_context(span, outside))
        self._open[event.call_id] = _Open(span, outside)

    def attempt_began(self, call: CallBegan, event: AttemptBegan, server: Mapping[str, Any]) -> None:
        """Open an attempt's span and make it current."""
        open_ = self._open[event.call_id]
        open_.queued_s += event.queued_s
        open_.paused_s += event.paused_s
        attributes: dict[str, Any] = {
            "http.request.method": call.method,
            "url.template": call.template,
            "ongage.call_id": event.call_id,
            "ongage.queued_s": event.queued_s,
            "ongage.paused_s": event.paused_s,
            **server,
        }
        if event.waited_for is not None:
            attributes["ongage.waited_for"] = event.waited_for
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        span = self.tracer.start_span(f"{call.method} {call.template}", kind=SpanKind.CLIENT, attributes=attributes)
        open_.attempt, open_.between = span, context.get_current()
        context.attach(context.set_value(_QUIET, True, set_span_in_context(span)))

    def attempt_ended(self, event: AttemptEnded) -> None:
        """End an attempt's span; the call's is current again."""
        open_ = self._open[event.call_id]
        open_.wire_s += event.wire_s
        if (span := open_.attempt) is None or open_.between is None:
            return
        if event.status is not None:
            span.set_attribute("http.response.status_code", event.status)
        _end(span, error_type(event.error, event.status))
        open_.attempt = None
        context.attach(open_.between)

    def back_off_began(self, event: BackOffBegan) -> None:
        """Say in the call's span that it waits, and why."""
        open_ = self._open[event.call_id]
        open_.backed_off_s += event.wait_s
        open_.span.add_event("ongage.back_off", {"ongage.wait_s": event.wait_s, "error.type": event.error})

    def account_paused(self, event: AccountPaused) -> None:
        """Say in the span of the call that met the 429 that the account is paused."""
        if open_ := self._open.get(event.call_id):
            told = {"ongage.pause_s": event.pause_s, "ongage.strike": event.strike}
            open_.span.add_event("ongage.account_paused", told)

    def call_ended(self, event: CallEnded) -> None:
        """End a call's span; what was current before it is current again."""
        open_ = self._open.pop(event.call_id)
        open_.span.set_attributes(
            {
                "ongage.attempts": event.attempts,
                "ongage.queued_s": open_.queued_s,
                "ongage.paused_s": open_.paused_s,
                "ongage.backed_off_s": open_.backed_off_s,
                "ongage.wire_s": open_.wire_s,
            }
        )
        if event.outcome is not None:
            open_.span.set_attribute("ongage.outcome", event.outcome.value)
        _end(open_.span, event.error)
        context.attach(open_.outside)

    def end_all(self) -> None:
        """End what is open: nobody will tell how it goes on."""
        for open_ in self._open.values():
            for span in (open_.attempt, open_.span):
                if span is not None:
                    _end(span, "Cancelled")
        self._open.clear()


def _end(span: Span, error: str | None) -> None:
    """End a span; a caller that left is no error of the call's."""
    if error == "Cancelled":
        span.set_attribute("ongage.cancelled", True)
    elif error is not None:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def error_type(error: str | None, status: int | None) -> str | None:
    """Return the ``error.type`` of an HTTP request: its status where that says it, else the error's class."""
    return str(status) if error is not None and status is not None and status >= 400 else error
