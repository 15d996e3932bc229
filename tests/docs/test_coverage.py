"""The coverage page, the code and the emulator say the same: of every endpoint, in all directions."""

import inspect
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from ongage_async._operation import Operation
from ongage_async.emulator.families import ROUTES
from ongage_async.emulator.ownpage import OwnpageEmulator
from tests.docs.families import PACKAGES, declared, methods

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "coverage.md").read_text("utf-8")
CERTAINTIES = {"seed", "vendor doc", "client code", "inferred"}
EMULATED = {"stateful", "job", "declared"}
NOT_CALLED = {("GET", "/token")}
BY_ANOTHER_NAME = {"tokens.create": "create_token"}
"""Operations whose method is not of a family: the token is got by itself."""


@frozen
class Row:
    """One row of the page."""

    vendor: str
    endpoint: tuple[str, str]
    methods: tuple[str, ...]
    certainty: str
    repeat: frozenset[str]
    lanes: frozenset[str]
    emulator: str
    notes: str


def rows(page: str = PAGE) -> Iterator[Row]:
    vendor = ""
    for line in page.splitlines():
        if line.startswith("## "):
            vendor = line[3:]
        elif vendor in PACKAGES and line.startswith("| `"):
            endpoint, names, certainty, repeat, lanes, emulator, notes = (
                cell.strip() for cell in line.strip("|").split("|")
            )
            method, _, route = endpoint.strip("`").partition(" ")
            words = (frozenset(repeat.split(", ")), frozenset(lanes.split(", ")))
            yield Row(
                vendor, (method, route), tuple(re.findall(r"`([\w.]+)`", names)), certainty, *words, emulator, notes
            )


ROWS = list(rows())
BY_ENDPOINT = {(row.vendor, *row.endpoint): row for row in ROWS}
OPERATIONS = [(vendor, each) for vendor, (_, package) in PACKAGES.items() for each in declared(package)]
METHODS = {vendor: methods(client) for vendor, (client, _) in PACKAGES.items()}
METHODS["Ownpage"]["create_token"] = type(PACKAGES["Ownpage"][0]).create_token  # type: ignore[union-attr]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.vendor} {' '.join(row.endpoint)}")


def name_of(operation: Operation) -> str:
    return BY_ANOTHER_NAME.get(operation.name, operation.name)


def operations_of(row: Row) -> list[Operation]:
    return [each for vendor, each in OPERATIONS if (vendor, each.method, each.route) == (row.vendor, *row.endpoint)]


def lanes_of(row: Row) -> set[str]:
    """Return the lanes that its methods name as their cost, since some choose theirs when they run.

    The polls of a whole load have a row of their own.
    """
    costs = [_part(METHODS[row.vendor][name], "Cost") for name in row.methods]
    return {lane for cost in costs for lane in re.findall(r"lane (URGENT|NORMAL|BULK)(?! for the polls)", cost)}


def _part(method: Any, heading: str) -> str:
    """Return one of the last parts of a docstring on one line: Cost, Repeat, Source."""
    text = " ".join((inspect.getdoc(method) or "").split())
    found = re.search(rf" {heading}: (.*?)(?= (?:Cost|Repeat|Source): |$)", text)
    return found[1] if found else ""


def shape(route: str) -> str:
    """Return a route with its parameters nameless: the client and the emulator call them differently."""
    return re.sub(r"{\w+}", "{}", route)


def emulated(vendor: str) -> set[tuple[str, str]]:
    routes = ROUTES if vendor == "Ongage" else OwnpageEmulator().app.router.routes
    return {(route.method, shape(route.path.removeprefix("/v1"))) for route in routes}


def test_every_endpoint_stands_on_the_page_once():
    places = sorted((row.vendor, row.endpoint[0], shape(row.endpoint[1])) for row in ROWS)
    assert [place for place, found in groupby(places) if len(list(found)) > 1] == []
    assert len(places) > 125


def test_every_declared_operation_has_a_row():
    wanted = {(vendor, each.method, each.route) for vendor, each in OPERATIONS}
    assert wanted - set(BY_ENDPOINT) == set()


def test_every_public_method_stands_on_the_page():
    told = {(row.vendor, name) for row in ROWS for name in row.methods}
    assert {(vendor, name) for vendor, known in METHODS.items() for name in known} - told == set()


@every_row
def test_a_row_says_what_the_code_declares(row: Row):
    found = operations_of(row)
    assert found, "nothing in the code calls it"
    assert row.repeat == {each.repeat.name for each in found}
    assert row.lanes == {each.lane.name for each in found} | lanes_of(row)
    assert {name_of(each) for each in found} - set(row.methods) == set()


@every_row
def test_the_methods_of_a_row_are_there(row: Row):
    assert set(row.methods) - set(METHODS[row.vendor]) == set()


@every_row
def test_a_row_uses_the_words_of_the_legend(row: Row):
    first, *_ = re.split("; |, ", row.certainty)
    assert first in CERTAINTIES
    assert row.emulator.removesuffix(", assumed shape") in EMULATED
    for instead in re.findall(r"\*\*deprecated\*\*: `([\w.]+)`", row.notes):
        assert instead in METHODS[row.vendor]


@every_row
def test_the_docstrings_of_a_row_agree_with_it(row: Row):
    """Whoever reads a method in the editor is told the same: how sure, how it repeats, which lane, what is older."""
    found = operations_of(row)
    own = {name_of(each): METHODS[row.vendor][name_of(each)] for each in found}
    sources = " ".join(_part(method, "Source") for method in own.values())
    assert [mark for mark in CERTAINTIES if mark in row.certainty and mark not in sources] == []
    assert {each.repeat.name for each in found if each.repeat.name not in _part(own[name_of(each)], "Repeat")} == set()
    assert {each.lane.name for each in found} - lanes_of(row) == set()
    texts = [inspect.getdoc(method) or "" for method in own.values()]
    assert ("**deprecated**" in row.notes) == any("deprecated" in text.lower() or "legacy" in text for text in texts)


@pytest.mark.parametrize("vendor", PACKAGES)
def test_the_emulator_serves_what_the_page_says_and_nothing_more(vendor: str):
    told = {(row.endpoint[0], shape(row.endpoint[1])) for row in ROWS if row.vendor == vendor}
    extra = NOT_CALLED if vendor == "Ownpage" else set()
    assert emulated(vendor) == told | extra
    assert all(f"`{method} {route}`" in PAGE for method, route in extra)


def test_the_webhook_is_told_of():
    from ongage_async import webhook
    from ongage_async.emulator import webhooks

    assert "`ongage_async.webhook.parse`" in PAGE
    assert "`emulator.webhooks.webhook_body`" in PAGE
    assert callable(webhook.parse)
    assert callable(webhooks.webhook_body)


def test_a_page_that_lies_is_found_out():
    """The reader of the page is no yes-man: each cell of a row reaches the comparison."""
    line = (
        "| `GET /api/lists` | `lists.page`, `lists.each` | seed; filters: client code | SAFE | NORMAL | stateful |  |"
    )
    (row,) = rows(f"## Ongage\n\n{line}")
    assert row.endpoint == ("GET", "/api/lists")
    assert row.methods == ("lists.page", "lists.each")
    assert (row.repeat, row.lanes, row.emulator) == ({"SAFE"}, {"NORMAL"}, "stateful")
    assert list(rows(f"## Elsewhere\n\n{line}")) == []
