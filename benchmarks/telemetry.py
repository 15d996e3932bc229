"""What being watched costs a call: nobody listens, beside an engine that was built without the hooks; and who listens.

The vendor is a function that answers at once, so that nothing but the engine, its governor and the listeners is
measured: over a network the share is smaller. All take turns within one event loop.
"""

import ast
import asyncio
import gc
import inspect
import statistics
import time
import types
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.report import median_and_spread
from ongage_async import Governor, Limits, _engine
from ongage_async._explain import Explanations
from ongage_async._operation import Operation, Repeat
from ongage_async._transport import WireResponse
from ongage_async.events import Event, Listener
from ongage_async.integrations.opentelemetry import OpenTelemetry

__all__ = ["WATCHERS", "run", "without_hooks"]

LISTS = Operation("lists.get", "GET", "/api/lists/{id}", Repeat.SAFE)
BODY = b'{"metadata": {"error": false}, "payload": {"id": 1}}'
BARE, AGAIN, OFF = "an engine without the hooks", "the same engine once more: noise", "nobody listens"


def run(*, tiny: bool) -> list[dict[str, Any]]:
    """Measure them all, in turns."""
    measured = asyncio.run(measure(*((50, 2) if tiny else (1000, 60))))
    bare = measured[BARE]
    return [
        {
            "who listens": name,
            "CPU, µs a call": median_and_spread(figures),
            "times the engine without hooks": statistics.median(
                mine / theirs for mine, theirs in zip(figures, bare, strict=True)
            ),
        }
        for name, figures in measured.items()
    ]


async def measure(calls: int, rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of processor time that a call took in each round, by who listens."""
    engines = {name: make() for name, make in WATCHERS.items()}
    figures: dict[str, list[float]] = {name: [] for name in engines}
    for engine in engines.values():
        await _once(engine, calls)
    for number in range(rounds):
        first = number % len(engines)
        for name in [*list(engines)[first:], *list(engines)[:first]]:
            figures[name].append(await _once(engines[name], calls))
    return figures


async def _once(engine: Any, calls: int) -> float:
    gc.collect()
    options, began = _engine.Options(), time.process_time()
    for _ in range(calls):
        await engine.call(LISTS, options, path={"id": 1})
    return (time.process_time() - began) / calls * 1e6


# -- who listens ------------------------------------------------------------------------------------------------------


class _Vendor:
    """Answers at once."""

    base_url = "https://vendor.test"

    async def send(self, *_: Any) -> WireResponse:
        return WireResponse(200, {"content-type": "application/json"}, BODY)


def _made(engine: Any = _engine.Engine, *listeners: Listener, **given: Any) -> Any:
    made = engine(_Vendor(), Governor(Limits(calls=100_000_000)), **given)
    for listener in listeners:
        made.listener.add(listener)
    return made


def _explained() -> Any:
    ring = Explanations(1000)
    return _made(_engine.Engine, ring, explanations=ring)


def _traced(telemetry: OpenTelemetry) -> Any:
    made = _made()
    telemetry.attach(types.SimpleNamespace(governor=made.governor, listen=made.listener.add))
    return made


def _in_memory() -> OpenTelemetry:
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(_Forgetful()))
    return OpenTelemetry(tracer_provider=spans, meter_provider=MeterProvider([InMemoryMetricReader()]))


class _Forgetful(InMemorySpanExporter):
    """Takes spans and keeps none, so that rounds cost alike."""

    def export(self, spans: Any) -> Any:
        result = super().export(spans)
        self.clear()
        return result


def _ignore(event: Event) -> None:
    """Listen, and do nothing."""


def without_hooks() -> Any:
    """Return an engine class whose source tells nothing: every line that tells is cut out before it is compiled."""
    tree = ast.parse(inspect.getsource(_engine))
    cutter = _Cutter()
    module = types.ModuleType("engine_without_hooks")
    exec(compile(ast.fix_missing_locations(cutter.visit(tree)), module.__name__, "exec"), vars(module))
    assert cutter.cut == 6, "the engine tells elsewhere now: look at _Cutter"
    return module.Engine


class _Cutter(ast.NodeTransformer):
    """Cut out ``call.tell_…(…)``, and whatever is done only for calls with an id."""

    cut = 0

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        match node.value:
            case ast.Call(ast.Attribute(ast.Name("call"), attr)) if attr.startswith("tell_"):
                return self._nothing()
        return node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        match node.test:
            case ast.Attribute(ast.Name("call"), "id"):
                return self._nothing()
        return self.generic_visit(node)

    def _nothing(self) -> ast.Pass:
        self.cut += 1
        return ast.Pass()


WATCHERS: dict[str, Callable[[], Any]] = {
    BARE: lambda: _made(without_hooks()),
    AGAIN: lambda: _made(without_hooks()),
    OFF: _made,
    "a function that does nothing": lambda: _made(_engine.Engine, _ignore),
    "explain=1000": _explained,
    "OpenTelemetry, no SDK": lambda: _traced(OpenTelemetry()),
    "OpenTelemetry, SDK in memory": lambda: _traced(_in_memory()),
}
