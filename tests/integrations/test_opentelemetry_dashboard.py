"""The Grafana dashboard asks for what there is: each metric and label in it comes out of Prometheus' own exporter."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import pytest
from anyio import create_task_group, wait_all_tasks_blocked
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from ongage_async.emulator.virtual_time import run
from ongage_async.errors import BudgetError
from ongage_async.events import DriftSeen
from ongage_async.integrations.opentelemetry import OpenTelemetry
from tests.engine.test_engine import BROKEN, BUSY, FINE, Vendor

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "ongage.json").read_text("utf-8"))
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANELS = DASHBOARD["panels"]
EXPRESSIONS = [
    *(
        pytest.param(one["expr"], one["legendFormat"], id=panel["title"])
        for panel in PANELS
        for one in panel["targets"]
    ),
    *(
        pytest.param(one["expr"], one["titleFormat"], id=one["name"])
        for one in DASHBOARD["annotations"]["list"]
        if "expr" in one
    ),
]


async def everything_happens(reader: Any) -> Any:
    """Have every instrument record something."""
    vendor = Vendor(BUSY, BROKEN, httpx.ConnectError(""), FINE)
    vendor.listen = vendor.engine.listener.add  # type: ignore[attr-defined]
    OpenTelemetry(meter_provider=MeterProvider([reader], shutdown_on_exit=False)).attach(vendor)  # type: ignore[arg-type]
    async with create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(vendor.call)
    await vendor.governor.pause(60.0)
    with pytest.raises(BudgetError):
        await vendor.call(max_wait_s=1.0)
    vendor.engine.listener(DriftSeen("Contact", "shoe_size", "field"))
    await wait_all_tasks_blocked()


@pytest.fixture(scope="module")
def scraped() -> dict[str, set[str]]:
    """Return the labels of each metric that Prometheus gets."""
    registry, found = CollectorRegistry(), dict[str, set[str]]()

    async def main() -> None:
        await everything_happens(PrometheusMetricReader(registry=registry))
        for metric in registry.collect():
            for sample in metric.samples:
                found.setdefault(sample.name, set()).update(sample.labels)

    run(main)
    return found


def selectors(node: Any) -> Iterator[Any]:
    """Yield the parts of an expression that select series."""
    match node:
        case promql_parser.VectorSelector():
            yield node
        case promql_parser.MatrixSelector():
            yield node.vector_selector
        case promql_parser.BinaryExpr():
            yield from (*selectors(node.lhs), *selectors(node.rhs))
        case promql_parser.Call():
            yield from (found for each in node.args for found in selectors(each))
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr():
            yield from selectors(node.expr)


def grouped(node: Any) -> set[str]:
    """Return the labels that an expression's series have left."""
    match node:
        case promql_parser.AggregateExpr():
            return set(node.modifier.labels) if node.modifier else set()
        case promql_parser.BinaryExpr():
            return grouped(node.lhs)
        case promql_parser.Call():
            return grouped(node.args[-1]) - {"le"}
    return set()


@pytest.mark.parametrize(("expression", "legend"), EXPRESSIONS)
def test_each_query_asks_for_metrics_and_labels_that_are_emitted(
    expression: str, legend: str, scraped: dict[str, set[str]]
):
    parsed = promql_parser.parse(expression.replace("$__rate_interval", "5m"))
    asked = list(selectors(parsed))
    assert asked
    for selector in asked:
        assert selector.name in scraped
        assert {matcher.name for matcher in selector.matchers.matchers} <= scraped[selector.name]
        assert grouped(parsed) <= scraped[selector.name]
    assert set(re.findall(r"{{(\w+)}}", legend)) == grouped(parsed)


def test_the_variable_offers_the_clients_that_there_are(scraped: dict[str, set[str]]):
    source, client = DASHBOARD["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", client["query"]["query"]).groups()
    assert label in scraped[metric]
    assert all(f'{label}=~"${client["name"]}"' in expression.values[0] for expression in EXPRESSIONS)


def test_all_panels_use_the_chosen_data_source_and_none_lies_on_another():
    places = [
        (x, y)
        for panel in PANELS
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(places) == len(set(places))
    assert {x for x, _ in places} == set(range(24))
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    asked = [*PANELS, *(target for panel in PANELS for target in panel["targets"])]
    assert all(each["datasource"] == SOURCE for each in asked)
    assert all(panel["title"] and panel["description"] for panel in PANELS)


def test_the_page_lists_each_metric_with_its_unit_and_its_attributes():
    """`docs/telemetry.md` says the same as the instruments."""
    reader = InMemoryMetricReader()

    async def main() -> Any:
        await everything_happens(reader)
        return reader.get_metrics_data()

    data = run(main)
    metrics = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
    page = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.MULTILINE)
    told = {name: (unit.strip("`"), set(re.findall(r"`([\w.]+)`", attributes))) for name, unit, attributes, _ in rows}
    made = {
        metric.name: (
            metric.unit,
            {key for point in metric.data.data_points for key in point.attributes} - {"ongage.client"},
        )
        for metric in metrics
    }
    assert told == made
