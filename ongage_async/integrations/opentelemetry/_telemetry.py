"""The door: `OpenTelemetry`, which follows clients, and what follows one client."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import define, field
from opentelemetry import metrics, trace

from ongage_async import __version__
from ongage_async.events import (
    AccountPaused,
    AttemptBegan,
    AttemptEnded,
    BackOffBegan,
    CallBegan,
    CallEnded,
    ClientClosed,
    Event,
    Listener,
)
from ongage_async.governor import Governor
from ongage_async.integrations.opentelemetry._budget import Budget
from ongage_async.integrations.opentelemetry._metrics import Meters
from ongage_async.integrations.opentelemetry._spans import Spans

__all__ = ["Followed", "OpenTelemetry"]

SCOPE = "ongage_async"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.30.0"


class Followed(Protocol):
    """What is asked of a client: `OngageClient` and `OwnpageClient` both have it."""

    governor: Governor

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` told what happens; the function returned ends it."""
        ...


class OpenTelemetry:
    """Make spans and metrics of what clients do. One for the whole program is enough.

    Args:
        tracer_provider: Where spans go; the program's own by default.
        meter_provider: Where metrics go; the program's own by default.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        scope = SCOPE, __version__
        self._tracer = trace.get_tracer(*scope, tracer_provider=tracer_provider, schema_url=SCHEMA_URL)
        self._budgets: list[Budget] = []
        meter = metrics.get_meter(*scope, meter_provider=meter_provider, schema_url=SCHEMA_URL)
        self._meters = Meters(meter, self._budgets)

    def attach(self, client: Followed, *, name: str = "ongage") -> Callable[[], None]:
        """Follow a client, from now until it is closed.

        Args:
            client: An `OngageClient` or an `OwnpageClient`; its views are followed with it.
            name: What its spans begin with, and what ``ongage.client`` says in its metrics: give each account of a
                program its own.

        Returns:
            A function that ends it sooner.
        """
        budget = Budget(client.governor, {"ongage.client": name})
        follower = _Follower(name, Spans(self._tracer, name), self._meters, budget, self._budgets)
        self._budgets.append(budget)
        self._meters.begin(name)
        follower.unlisten = client.listen(follower)
        return follower.leave


@define(eq=False)
class _Follower:
    """Follow one client: a listener like any other."""

    name: str
    spans: Spans
    meters: Meters
    budget: Budget
    budgets: list[Budget]
    unlisten: Callable[[], None] = field(default=lambda: None, init=False)
    _open: dict[str, CallBegan] = field(factory=dict, init=False)
    _is_leaving: bool = field(default=False, init=False)

    def __call__(self, event: Event) -> None:
        match event:
            case CallBegan() if not self._is_leaving:
                self.budget.bind()
                self._open[event.call_id] = event
                self.spans.call_began(event, server_of(event.base_url))
            case AttemptBegan() | AttemptEnded() | BackOffBegan() if call := self._open.get(event.call_id):
                self._go_on(call, event)
            case CallEnded() if call := self._open.pop(event.call_id, None):
                self.meters.call_ended(self.name, call, event)
                self.spans.call_ended(event)
                self._leave_if_done()
            case AccountPaused():
                self.meters.account_event(self.name, event)
                self.spans.account_paused(event)
            case ClientClosed():
                self._open.clear()
                self.spans.end_all()
                self.leave()
            case _:  # what befalls the account; or the rest of a call whose beginning was not heard
                self.meters.account_event(self.name, event)

    def leave(self) -> None:
        """Follow no new call; those that are under way are followed to their ends, so that their spans have one."""
        self._is_leaving = True
        if self.budget in self.budgets:
            self.budgets.remove(self.budget)
        self._leave_if_done()

    def _leave_if_done(self) -> None:
        if self._is_leaving and not self._open:
            self.unlisten()

    def _go_on(self, call: CallBegan, event: AttemptBegan | AttemptEnded | BackOffBegan) -> None:
        server = server_of(call.base_url)
        match event:
            case AttemptBegan():
                self.meters.attempt_began(self.name, call, event, server)
                self.spans.attempt_began(call, event, server)
            case AttemptEnded():
                self.meters.attempt_ended(self.name, call, event, server)
                self.spans.attempt_ended(event)
            case BackOffBegan():
                self.meters.back_off_began(self.name, call, event)
                self.spans.back_off_began(event)


@lru_cache(maxsize=64)
def server_of(base_url: str) -> Mapping[str, Any]:
    """Return the attributes that name a server."""
    parts = urlsplit(base_url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return {"server.address": parts.hostname or "", "server.port": port}
