"""Metrics: what is counted, under which names, and the gauges of the budget from whatever thread collects."""

import math
import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

from ongage_async import errors
from ongage_async.config import Lane, Limits
from ongage_async.events import DriftSeen, ForeignUseSeen, LedgerBack, LedgerLost, Listener
from ongage_async.governor import Governor, GovernorStatistics, MemoryLedger
from ongage_async.integrations.opentelemetry import OpenTelemetry
from ongage_async.integrations.opentelemetry._budget import Budget
from tests.engine.test_engine import BROKEN, BUSY, FINE, READ, WRITE, Vendor

pytestmark = pytest.mark.anyio
virtual_time = pytest.mark.virtual_time

IN_17_S = httpx.Response(429, headers={"retry-after": "17"}, content=BUSY.content)
GET = {"ongage.client": "ongage", "http.request.method": "GET", "server.address": "vendor.test", "server.port": 443}
LISTS = {**GET, "url.template": "/api/lists/{id}", "ongage.operation": "lists.get"}
MINE = {"ongage.client": "ongage"}
SECOND = {"ongage.client": "second"}


class Metered(Vendor):
    """A vendor of few words, and a client whose metrics can be read."""

    def __init__(self, *script: httpx.Response | Exception, answer_s: float = 0.0) -> None:
        super().__init__(*script, answer_s=answer_s)
        self.reader = InMemoryMetricReader()
        self.telemetry = OpenTelemetry(meter_provider=MeterProvider([self.reader], shutdown_on_exit=False))
        self.detach = self.telemetry.attach(self)

    def listen(self, listener: Listener) -> Callable[[], None]:
        ends = self.engine.listener.add(listener), self.governor.listen(listener)
        return lambda: [end() for end in ends] and None

    async def before_answer(self) -> None:
        pass

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await self.before_answer()
        return await super().answer(request)

    def points(self) -> dict[str, list[Any]]:
        """Return the data points by metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        metrics = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
        return {metric.name: list(metric.data.data_points) for metric in metrics}


def counted(points: list[Any]) -> dict[frozenset[tuple[str, Any]], Any]:
    """Return count and sum, or the value, by attributes."""
    return {
        frozenset((point.attributes or {}).items()): point.value
        if isinstance(point, NumberDataPoint)
        else (point.count, pytest.approx(point.sum))
        for point in points
    }


def at(attributes: dict[str, Any], value: Any) -> tuple[frozenset[tuple[str, Any]], Any]:
    return frozenset(attributes.items()), value


@virtual_time
async def test_each_attempt_is_measured_under_the_names_of_the_conventions():
    vendor = Metered(BROKEN, httpx.RemoteProtocolError(""), FINE, answer_s=0.25)
    await vendor.call(READ)
    points = vendor.points()
    assert counted(points["http.client.request.duration"]) == dict(
        [
            at({**LISTS, "http.response.status_code": 503, "error.type": "503"}, (1, 0.25)),
            at({**LISTS, "error.type": "ConnectionLostError"}, (1, 0.25)),
            at({**LISTS, "http.response.status_code": 200}, (1, 0.25)),
        ]
    )
    assert counted(points["http.client.active_requests"]) == dict([at(GET, 0)])
    assert counted(points["ongage.resends"]) == dict([at({**MINE, "ongage.operation": "lists.get"}, 2)])
    normal = {**MINE, "ongage.lane": "NORMAL"}
    assert counted(points["ongage.queue.duration"]) == dict([at(normal, (3, 0.0))])
    assert counted(points["ongage.back_off.duration"]) == dict(
        [
            at({**normal, "ongage.reason": "ServerError"}, (1, 60.0)),
            at({**normal, "ongage.reason": "ConnectionLostError"}, (1, 0.5)),
        ]
    )
    call = {**normal, "ongage.operation": "lists.get"}
    assert counted(points["ongage.call.duration"]) == dict([at(call, (1, 61.25))])


@virtual_time
async def test_a_pause_counts_once_for_a_burst_and_its_429s_each():
    vendor = Metered(IN_17_S, IN_17_S, FINE, answer_s=0.5)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(vendor.call, WRITE)
    points = vendor.points()
    assert counted(points["ongage.account.pauses"]) == dict([at(MINE, 1)])
    assert counted(points["ongage.responses.rate_limited"]) == dict(
        [at({**MINE, "ongage.operation": "contacts.create"}, 2)]
    )
    (waited,) = points["ongage.back_off.duration"]
    assert (waited.count, waited.attributes["ongage.reason"]) == (2, "pause")
    assert waited.sum == pytest.approx(34.0)
    queued = [
        (point.count, point.sum, point.attributes.get("ongage.waited_for")) for point in points["ongage.queue.duration"]
    ]
    assert queued == [(2, 0.0, None), (2, pytest.approx(0.0), "pause")]


@virtual_time
async def test_requests_on_the_wire_and_refusals_are_counted():
    vendor = Metered(FINE, answer_s=5.0)
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(vendor.call)
        await anyio.sleep(1)
        with pytest.raises(errors.BudgetError):
            await vendor.call(WRITE, max_wait_s=0.0, lane=Lane.BULK)
        points = vendor.points()
        tasks.cancel_scope.cancel()
    refused = {**MINE, "ongage.operation": "contacts.create", "ongage.lane": "BULK"}
    assert counted(points["http.client.active_requests"]) == dict([at(GET, 2)])
    assert counted(points["ongage.calls.refused"]) == dict([at(refused, 1)])
    assert counted(points["ongage.call.duration"]) == dict([at({**refused, "error.type": "BudgetError"}, (1, 0.0))])
    assert counted(vendor.points()["http.client.active_requests"]) == dict([at(GET, 0)])  # cancelled ones came home
    await vendor.engine.aclose()


@virtual_time
async def test_what_befalls_the_account_counts_once_though_two_clients_share_it():
    """Both clients are told of the same loss by their governor."""
    vendor = Metered(FINE)
    vendor.telemetry.attach(vendor, name="second")
    lost = LedgerLost("unreachable", None, 0.0)
    vendor.governor._tell(lost)
    vendor.governor._tell(LedgerBack(1.0, 0.0))
    vendor.governor._tell(LedgerLost("unreachable", None, 0.0))
    vendor.detach()
    vendor.engine.listener(ForeignUseSeen(3, 70))
    vendor.engine.listener(DriftSeen("Contact", "shoe_size", "field"))
    points = vendor.points()
    assert counted(points["ongage.ledger.losses"]) == dict([at(MINE, 2), at(SECOND, 0)])
    assert counted(points["ongage.account.foreign_use"]) == dict([at(MINE, 0), at(SECOND, 1)])
    drifted = {**SECOND, "ongage.model": "Contact", "ongage.drift.kind": "field"}
    assert counted(points["ongage.drift"]) == dict([at(drifted, 1)])


# -- gauges, in real time: threads know no other ----------------------------------------------------------------------


async def test_the_budget_is_read_from_the_thread_that_collects(monkeypatch: pytest.MonkeyPatch):
    """An exporter's thread gets the budget as it is now, not as it was at the last call."""
    vendor, answers = Metered(FINE), anyio.Event()
    monkeypatch.setattr(vendor, "before_answer", answers.wait)
    vendor.governor = vendor.engine.governor = Governor(Limits(calls=7, per_s=30.0, parallel=2))
    vendor.detach()
    vendor.telemetry.attach(vendor)
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(vendor.call)
            await anyio.wait_all_tasks_blocked()
        points = await anyio.to_thread.run_sync(vendor.points)
        answers.set()
    gauges = {name: each for name, each in points.items() if not name.endswith("duration")}
    values = {name: [(point.value, point.attributes) for point in each] for name, each in gauges.items()}
    assert values["ongage.account.tokens"] == [(5, MINE)]
    assert values["ongage.account.places"] == [(0, MINE)]
    assert values["ongage.account.open"] == [(2, MINE)]
    assert values["ongage.account.limit"] == [(7, MINE)]
    assert values["ongage.account.window"] == [(30.0, MINE)]
    assert values["ongage.account.hold"] == [(0.0, MINE)]
    assert values["ongage.ledger.lost"] == [(0, MINE)]
    waiting = {attributes["ongage.lane"]: value for value, attributes in values["ongage.queue.waiting"]}
    assert waiting == {"URGENT": 0, "NORMAL": 1, "BULK": 0}


async def test_a_collection_in_the_loops_own_thread_does_not_wait_and_shows_the_look_before(
    monkeypatch: pytest.MonkeyPatch,
):
    """It could never be answered: the loop would wait for itself, here for ever."""
    monkeypatch.setattr("ongage_async.integrations.opentelemetry._budget.PATIENCE_S", None)
    monkeypatch.setattr("ongage_async.integrations.opentelemetry._budget.FRESH_S", -1.0)
    vendor = Metered(FINE)
    assert "ongage.account.tokens" not in vendor.points()
    await vendor.call()
    await anyio.wait_all_tasks_blocked()
    assert [point.value for point in vendor.points()["ongage.account.tokens"]] == [999]


async def test_a_busy_loop_keeps_the_collecting_thread_for_a_moment_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("ongage_async.integrations.opentelemetry._budget.PATIENCE_S", 0.01)
    vendor = Metered(FINE)
    await vendor.call()
    collected = threading.Event()
    thread = threading.Thread(target=lambda: (vendor.points(), collected.set()))
    thread.start()
    assert collected.wait(5.0)  # the loop's thread stands still here
    thread.join()
    await anyio.wait_all_tasks_blocked()


async def test_a_governor_that_cannot_be_asked_shows_no_gauge_and_breaks_nothing():
    class Broken(MemoryLedger):
        async def look(self) -> Any:
            raise OSError("gone")

    vendor = Metered(FINE)
    vendor.governor = vendor.engine.governor = Governor(Limits(), ledger=Broken(Limits()))
    vendor.detach()
    vendor.telemetry.attach(vendor)
    await vendor.call()
    assert not (await anyio.to_thread.run_sync(vendor.points)).get("ongage.account.tokens")
    assert await vendor.call() == {"id": 1}


async def test_a_client_that_is_closed_has_no_gauges_any_more():
    vendor = Metered(FINE)
    await vendor.call()
    assert (await anyio.to_thread.run_sync(vendor.points))["ongage.account.tokens"]
    vendor.detach()
    assert not (await anyio.to_thread.run_sync(vendor.points)).get("ongage.account.tokens")


def test_when_the_loop_is_gone_there_is_nobody_to_ask_and_the_next_loop_is_found(anyio_backend: str):
    """A program may run one loop after another; a collector may come in between, from any thread."""
    budget, seen = Budget(Governor(), MINE), []

    def look() -> None:
        budget._looked_at = -math.inf
        seen.append(budget.look())

    async def main() -> None:
        budget.bind()
        await anyio.to_thread.run_sync(look)

    for _ in range(2):
        anyio.run(main, backend=anyio_backend)
        look()
    assert [isinstance(found, GovernorStatistics) for found in seen] == [True, False, True, False]
