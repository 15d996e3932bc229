"""Work out a report: filter, group, add up, sort, cut. Pure. Source: vendor page §3.18.

How a period is written, that sums are text, and what a query without a group means is assumed.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from ongage_async.emulator._answers import bad_request, invalid

__all__ = ["evaluate"]

Row = Mapping[str, Any]
_EXPRESSION = re.compile(r"(sum|count|min|max)\(`?(\w+)`?\)", re.IGNORECASE)
_PERIODS = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
}
_CHOSEN: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "min": min, "max": max}
_RATES = ("success", "failed", "opens", "unique_opens", "clicks", "unique_clicks")


@frozen
class _Column:
    """Say how one column of the answer is made."""

    key: str
    field: str
    function: str | None = None

    def value(self, rows: Sequence[Row]) -> Any:
        values = [row.get(self.field) for row in rows]
        if self.function is None:
            return values[0] if values else None
        if self.function == "count":
            return str(len(values))
        numbers = [value for value in values if isinstance(value, int | float)]
        return str(_CHOSEN[self.function](numbers)) if numbers else "0"


def evaluate(rows: Iterable[Row], asked: Mapping[str, Any], *, keys: str) -> list[Any]:
    """Return the rows of a report.

    Args:
        rows: All rows that the lists have.
        asked: The body of the call.
        keys: ``alias``, or ``expression`` for computed columns called by their whole text.

    Raises:
        Refusal: The question makes no sense.
    """
    columns = [_column(each, keys) for each in _listed(asked, "select")]
    if not columns:
        raise invalid(errors={"select": "select must not be empty"})
    conditions = [_condition(each) for each in _listed(asked, "filter")]
    kept = [row for row in rows if all(passes(row) for passes in conditions)]
    periods = dict(_grouping(each) for each in _listed(asked, "group"))
    kept = [{**row, **{name: _period(row.get(name), by) for name, by in periods.items() if by}} for row in kept]
    groups = _grouped(kept, list(periods), is_summed=any(column.function for column in columns))
    shown = [{column.key: column.value(group) for column in columns} for group in groups]
    if asked.get("calculate_rates"):
        shown = [{**row, **_rates(row)} for row in shown]
    for by, is_falling in reversed([_order(each) for each in _listed(asked, "order")]):
        shown.sort(key=lambda row, by=by: _sortable(row.get(by)), reverse=is_falling)  # type: ignore[misc]
    offset, limit = asked.get("offset") or 0, asked.get("limit")
    if not all(isinstance(number, int) and number >= 0 for number in (offset, 0 if limit is None else limit)):
        raise bad_request("Invalid data in request")
    shown = shown[offset : None if limit is None else offset + limit]
    return [row.get(_name(asked["value"])) for row in shown] if asked.get("value") else shown


def _listed(asked: Mapping[str, Any], name: str) -> list[Any]:
    value = asked.get(name) or []
    if not isinstance(value, list):
        raise bad_request("Invalid data in request")
    return value


def _name(given: Any) -> str:
    if not isinstance(given, str):
        raise bad_request("Invalid data in request")
    return given


def _column(given: Any, keys: str) -> _Column:
    expression, alias = given if isinstance(given, list) and len(given) == 2 else (given, None)
    if not isinstance(expression, str) or not isinstance(alias, str | None):
        raise bad_request("Invalid data in request")
    computed = _EXPRESSION.fullmatch(expression)
    if computed is None:
        return _Column(alias or expression, expression)
    key = expression if keys == "expression" else alias or computed[2]
    return _Column(key, computed[2], computed[1].lower())


def _condition(given: Any) -> Callable[[Row], bool]:
    if not isinstance(given, list) or len(given) != 3:
        raise bad_request("Invalid data in request")
    field, operator, value = _name(given[0]), _name(given[1]), given[2]
    if operator not in _OPERATORS:
        raise bad_request("Invalid data in request")
    wanted = _comparable(value)

    def passes(row: Row) -> bool:
        own = _comparable(row.get(field))
        return type(own) is type(wanted) and _OPERATORS[operator](own, wanted)

    return passes


def _comparable(value: Any) -> float | str:
    """Return a number for numbers, their text, and dates; text for the rest."""
    text = "" if value is None else str(value)
    try:
        number = float(value if isinstance(value, int | float) else text)
    except (ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number):
        return number
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return text


def _grouping(given: Any) -> tuple[str, str | None]:
    if isinstance(given, str):
        return given, None
    if isinstance(given, list) and len(given) == 2 and _name(given[1]) in _PERIODS:
        return _name(given[0]), given[1]
    raise bad_request("Invalid data in request")


def _period(time: Any, by: str) -> str:
    seconds = _comparable(time)
    try:
        return "" if isinstance(seconds, str) else datetime.fromtimestamp(seconds, UTC).strftime(_PERIODS[by])
    except (ValueError, OverflowError, OSError):  # beyond the calendar
        return ""


def _grouped(rows: Sequence[Row], by: Sequence[str], *, is_summed: bool) -> list[list[Row]]:
    if not by:
        return ([list(rows)] if rows else []) if is_summed else [[row] for row in rows]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    return list(groups.values())


def _rates(row: Row) -> dict[str, str]:
    numbers = {name: _comparable(row.get(name)) for name in ("sent", *_RATES) if name in row}
    base = numbers.get("sent")
    return {
        f"{name}_percent": f"{100 * number / base:.2f}%"
        for name, number in numbers.items()
        if base and isinstance(base, float) and isinstance(number, float) and name in _RATES
    }


def _order(given: Any) -> tuple[str, bool]:
    if isinstance(given, str):
        return given, False
    if isinstance(given, list) and len(given) == 2 and str(given[1]).upper() in ("ASC", "DESC"):
        return _name(given[0]), str(given[1]).upper() == "DESC"
    raise bad_request("Invalid data in request")


def _sortable(value: Any) -> tuple[bool, float | str]:
    known = _comparable(value)
    return isinstance(known, str), known
