"""Each doubt about the vendors has a row in the docs, a switch in the emulator, and tests on both sides of it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from attrs import fields

from ongage_async.emulator import Readings
from ongage_async.emulator.ownpage import OwnpageReadings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "vendor.md").read_text("utf-8")
SWITCHES: tuple[tuple[type, str], ...] = tuple(
    (cls, each.name) for cls in (Readings, OwnpageReadings) for each in fields(cls)
)
every_switch = pytest.mark.parametrize(
    ("cls", "switch"), SWITCHES, ids=[f"{cls.__name__}.{name}" for cls, name in SWITCHES]
)
CONTRADICTIONS = range(1, 20)
"""The numbers of §6.1 of the book of facts."""


def other_values(cls: type, switch: str) -> set[Any]:
    """Return the readings of a switch beside its default; for a number, that there is another."""
    kind, default = get_type_hints(cls)[switch], getattr(cls(), switch)
    if get_origin(kind) is Literal:
        return set(get_args(kind)) - {default}
    return {True} if kind is bool else set()


def set_in_tests(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """Give each switch that a test file sets, with each constant that it may be set to.

    Set by keyword (``variants(eleventh=["503"])``, ``Readings(window="fixed")``), by assignment
    (``readings.counters = "sample"``), or by either from a parameter of the test.
    """
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        own = list(ast.walk(node))
        told = {text for part in getattr(node, "decorator_list", []) for text in constants(part)}
        for part in own:
            match part:
                case (
                    ast.keyword(arg=str(name), value=value)
                    | ast.Assign(targets=[ast.Attribute(attr=name)], value=value)
                ):
                    for found in constants(value) | (
                        told if any(isinstance(x, ast.Name) for x in ast.walk(value)) else set()
                    ):
                        yield name, found
                case ast.Dict(keys=keys, values=values):
                    for key, value in zip(keys, values, strict=True):
                        if isinstance(key, ast.Constant):
                            yield from ((str(key.value), found) for found in constants(value))


def constants(node: ast.AST) -> set[Any]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}


TESTED: frozenset[tuple[str, Any]] = frozenset(
    found
    for path in (ROOT / "tests").rglob("*.py")
    if "typing" not in path.parts
    for found in set_in_tests(ast.parse(path.read_text("utf-8")))
)


@every_switch
def test_a_switch_has_its_row_in_the_vendor_page(cls: type, switch: str):
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and f"`{switch}" in line]
    assert len(rows) == 1
    *_, client, emulator = (cell.strip() for cell in rows[0].strip("|").split("|"))
    assert client
    assert f"`{switch}" in emulator


@every_switch
def test_a_switch_is_explained_where_it_is(cls: type, switch: str):
    assert f"\n        {switch}: " in (cls.__doc__ or "") or f"\n    {switch}: " in (cls.__doc__ or "")


@every_switch
def test_the_tests_run_under_each_reading(cls: type, switch: str):
    """The default is what every other test runs under; each other value must be set somewhere."""
    assert {value for value in other_values(cls, switch) if (switch, value) not in TESTED} == set()
    assert any(name == switch for name, _ in TESTED)


@pytest.mark.parametrize("number", CONTRADICTIONS)
def test_every_contradiction_is_settled_once(number: int):
    assert sum(line.startswith(f"| {number} |") for line in PAGE.splitlines()) == 1


def test_a_reading_that_no_test_sets_is_found_out():
    """The search for settings is no yes-man."""
    tree = ast.parse('Readings(eleventh="503")\nreadings.like = "clients"\nother("queue")')
    assert set(set_in_tests(tree)) == {("eleventh", "503"), ("like", "clients")}
    assert other_values(Readings, "eleventh") == {"503", "queue"}
    assert other_values(Readings, "retry_after") == {True}
