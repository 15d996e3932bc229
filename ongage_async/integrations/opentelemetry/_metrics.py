"""Metrics: what is counted and measured of calls and attempts, and the gauges of the account's budget.

Attributes are few and of few values each (operations, lanes, statuses, classes of errors, hosts), so that no backend
drowns in series; ids and fields of contacts are never among them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from ongage_async.events import (
    AccountPaused,
    AttemptBegan,
    AttemptEnded,
    BackOffBegan,
    CallBegan,
    CallEnded,
    DriftSeen,
    Event,
    ForeignUseSeen,
    LedgerLost,
)
from ongage_async.governor import GovernorStatistics
from ongage_async.integrations.opentelemetry._budget import Budget
from ongage_async.integrations.opentelemetry._spans import error_type

__all__ = ["Meters"]

WIRE_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The buckets that the semantic conventions ask for."""
WAITS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240, 480, 960, 2000)
"""For what may take as long as the vendor's whole ladder."""

Gauge = Callable[[GovernorStatistics], Iterable[tuple[float, Mapping[str, Any]]]]


class Meters:
    """Hold the instruments, and record what happens.

    Args:
        meter: Makes them.
        budgets: Whose gauges are read whenever somebody collects.
    """

    def __init__(self, meter: Meter, budgets: Sequence[Budget]) -> None:
        self._budgets = budgets
        self._seen: Event | None = None
        self._wire = meter.create_histogram(
            "http.client.request.duration", "s", "Time on the wire.", explicit_bucket_boundaries_advisory=WIRE_S
        )
        self._active = meter.create_up_down_counter("http.client.active_requests", "{request}", "Requests on the wire.")
        self._calls = meter.create_histogram(
            "ongage.call.duration",
            "s",
            "Whole calls, all waiting included.",
            explicit_bucket_boundaries_advisory=WAITS_S,
        )
        self._queue = meter.create_histogram(
            "ongage.queue.duration",
            "s",
            "Waiting for a permit, pauses after a 429 left out.",
            explicit_bucket_boundaries_advisory=WAITS_S,
        )
        self._back_off = meter.create_histogram(
            "ongage.back_off.duration",
            "s",
            "Waiting after a failure, or for the end of a pause after a 429.",
            explicit_bucket_boundaries_advisory=WAITS_S,
        )
        count = meter.create_counter
        self._resent = count("ongage.resends", "{request}", "Requests that were sent again.")
        self._refused = count("ongage.calls.refused", "{call}", "Calls that the governor refused (BudgetError).")
        self._limited = count("ongage.responses.rate_limited", "{response}", "Answers with status 429.")
        self._pauses = count("ongage.account.pauses", "{pause}", "Pauses of the account after a 429.")
        self._foreign = count("ongage.account.foreign_use", "{time}", "429s below our own count.")
        self._losses = count("ongage.ledger.losses", "{loss}", "Losses of the shared ledger.")
        self._drift = count("ongage.drift", "{sighting}", "Fields and values that the models do not know.")
        for name, unit, description, gauge in GAUGES:
            meter.create_observable_gauge(name, [self._observed(gauge)], unit, description)

    def begin(self, name: str) -> None:
        """Show a client's rare counters from the start: a counter's steps are seen, its first value is not."""
        for counter in (self._pauses, self._foreign, self._losses):
            counter.add(0, {"ongage.client": name})

    # -- calls --------------------------------------------------------------------------------------------------------

    def attempt_began(self, name: str, call: CallBegan, event: AttemptBegan, server: Mapping[str, Any]) -> None:
        """Record how long a permit took, and that a request is out."""
        lane = {"ongage.client": name, "ongage.lane": call.lane.name}
        scarce = {} if event.waited_for is None else {"ongage.waited_for": event.waited_for}
        self._queue.record(max(0.0, event.queued_s - event.paused_s), {**lane, **scarce})
        if event.paused_s:
            self._back_off.record(event.paused_s, {**lane, "ongage.reason": "pause"})
        if event.attempt > 1:
            self._resent.add(1, {"ongage.client": name, "ongage.operation": call.operation})
        self._active.add(1, {"ongage.client": name, "http.request.method": call.method, **server})

    def attempt_ended(self, name: str, call: CallBegan, event: AttemptEnded, server: Mapping[str, Any]) -> None:
        """Record how long a request was out, and how it ended."""
        self._active.add(-1, {"ongage.client": name, "http.request.method": call.method, **server})
        attributes: dict[str, Any] = {
            "ongage.client": name,
            "http.request.method": call.method,
            "url.template": call.template,
            "ongage.operation": call.operation,
            **server,
        }
        if event.status is not None:
            attributes["http.response.status_code"] = event.status
        if (error := error_type(event.error, event.status)) is not None:
            attributes["error.type"] = error
        self._wire.record(event.wire_s, attributes)
        if event.status == 429:
            self._limited.add(1, {"ongage.client": name, "ongage.operation": call.operation})

    def back_off_began(self, name: str, call: CallBegan, event: BackOffBegan) -> None:
        """Record a wait that a failed call begins."""
        lane = {"ongage.client": name, "ongage.lane": call.lane.name}
        self._back_off.record(event.wait_s, {**lane, "ongage.reason": event.error})

    def call_ended(self, name: str, call: CallBegan, event: CallEnded) -> None:
        """Record a whole call."""
        attributes = {
            "ongage.client": name,
            "ongage.operation": call.operation,
            "ongage.lane": call.lane.name,
        }
        if event.error == "BudgetError":
            self._refused.add(1, attributes)
        if event.error is not None:
            attributes["error.type"] = event.error
        self._calls.record(event.elapsed_s, attributes)

    # -- the account --------------------------------------------------------------------------------------------------

    def account_event(self, name: str, event: Event) -> None:
        """Count what befalls the account; clients that share a governor tell the same event, which counts once."""
        if event is self._seen:
            return
        self._seen = event
        client = {"ongage.client": name}
        match event:
            case AccountPaused():
                self._pauses.add(1, client)
            case ForeignUseSeen():
                self._foreign.add(1, client)
            case LedgerLost():
                self._losses.add(1, client)
            case DriftSeen():
                self._drift.add(1, {**client, "ongage.model": event.model, "ongage.drift.kind": event.kind})
            case _:
                pass

    def _observed(self, gauge: Gauge) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            for budget in tuple(self._budgets):
                if (now := budget.look()) is not None:
                    for value, attributes in gauge(now):
                        yield Observation(value, {**budget.attributes, **attributes})

        return observe


def _waiting(now: GovernorStatistics) -> Iterable[tuple[float, Mapping[str, Any]]]:
    return [(lane.waiting, {"ongage.lane": which.name}) for which, lane in now.lanes.items()]


GAUGES: Sequence[tuple[str, str, str, Gauge]] = (
    ("ongage.account.tokens", "{call}", "Calls that could be sent at once.", lambda now: [(now.tokens_free, {})]),
    ("ongage.account.places", "{call}", "Free places for calls in parallel.", lambda now: [(now.places_free, {})]),
    ("ongage.account.open", "{call}", "Open calls of all who share the account.", lambda now: [(now.open, {})]),
    ("ongage.account.limit", "{call}", "Calls per window in force.", lambda now: [(now.calls_in_force, {})]),
    ("ongage.account.window", "s", "The window of the limit.", lambda now: [(now.limits.per_s, {})]),
    ("ongage.account.hold", "s", "Until a running pause ends.", lambda now: [(now.hold_s, {})]),
    ("ongage.ledger.lost", "", "Whether the shared ledger is out of reach.", lambda now: [(int(now.ledger_lost), {})]),
    ("ongage.queue.waiting", "{call}", "Calls that wait for a permit in this process.", _waiting),
)
