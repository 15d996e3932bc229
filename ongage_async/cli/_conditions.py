"""Read what people write on a command line: conditions like ``country=Chile|Peru``, columns like ``sum(sent)``.

Pure. Conditions become criteria for searches, typed by the list's own fields, or filters of reports.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import reduce
from typing import Any, cast

from ongage_async.cli._ending import UsageError
from ongage_async.models import FieldType, ReportField
from ongage_async.models.reports import Condition, Grouping, Order, Period, Selected
from ongage_async.resources.criteria import Field, Group, Rule, field

__all__ = ["columns", "criteria", "filters", "groups", "orders"]

_CONDITION = re.compile(r"\s*(\w+)\s*(!=|>=|<=|!~|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_COLUMN = re.compile(r"(sum|count|min|max)\(\s*(\w+)\s*\)(?:\s+as\s+(\w+))?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,15})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_HOW = 'write "country=Chile|Peru", "age>=30", "name~ann", "created>2026-01-31", "city=" for empty'


def _parts(condition: str) -> tuple[str, str, str]:
    if (found := _CONDITION.fullmatch(condition)) is None:
        raise UsageError(f"a condition is a name, a sign and a value: {_HOW}")
    return found[1], found[2], found[3]


def _typed(text: str) -> Any:
    """Return the number, day or time that a text looks like; quotes keep it a text."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return _time(text) if _DAY.match(text) else text


def _time(text: str) -> date | datetime:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text} is no day or time: write 2026-01-31, or 2026-01-31T12:00:00+00:00") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


# --- criteria of contacts ---------------------------------------------------------------------------------------------


def criteria(conditions: Iterable[str], types: Mapping[str, FieldType | None], *, either: bool = False) -> Rule | Group:
    """Return what selects contacts; everybody if there are no conditions.

    Args:
        conditions: ``name sign value``; ``|`` parts values of which one must be met.
        types: The list's fields.
        either: One condition is enough; else all must be met.

    Raises:
        UsageError: A condition cannot be read, or the list has no such field.
    """
    rules = [_rule(condition, types) for condition in conditions]
    if not rules:
        return field("email").is_not_empty()
    return reduce((lambda one, other: one | other) if either else (lambda one, other: one & other), rules)


def _rule(condition: str, types: Mapping[str, FieldType | None]) -> Rule | Group:
    name, sign, text = _parts(condition)
    if name not in types and not name.startswith("ocx_"):
        raise UsageError(f"the list has no field {name}; it has {', '.join(sorted(types)) or 'none'}: ongage fields")
    own = field(name, type="string") if types.get(name) == FieldType.STRING else field(name)
    is_date = types.get(name) == FieldType.DATE or (name.startswith("ocx_") and name.endswith("_date"))
    if not text:
        return _emptiness(own, sign)
    values = [_value(each, types.get(name), is_date=is_date) for each in text.split("|")]
    if sign in _ONE and len(values) > 1:
        raise UsageError(f"{name}{sign} takes one value; | goes with = != ~ !~")
    return _ONE[sign](own, values[0]) if sign in _ONE else _MANY[sign](own, values)


_ONE = {">": Field.greater_than, ">=": Field.at_least, "<": Field.less_than, "<=": Field.at_most}
_MANY: dict[str, Any] = {
    "=": lambda own, values: own.equals(*values),
    "!=": lambda own, values: own.not_equals(*values),
    "~": lambda own, values: own.contains(*map(str, values)),
    "!~": lambda own, values: own.not_contains(*map(str, values)),
}


def _emptiness(own: Field, sign: str) -> Rule:
    if sign not in ("=", "!="):
        raise UsageError(f"a condition needs a value: {_HOW}")
    return own.is_empty() if sign == "=" else own.is_not_empty()


def _value(text: str, kind: FieldType | None, *, is_date: bool) -> Any:
    if is_date:
        return _time(text)
    value = _typed(text) if kind is None or kind == FieldType.NUMERIC else text
    if kind == FieldType.NUMERIC and not isinstance(value, int | float):
        raise UsageError(f'"{text[:20]}" is no number, and the field holds numbers')
    return value


# --- reports ----------------------------------------------------------------------------------------------------------


def columns(words: Iterable[str]) -> list[Selected]:
    """Return the columns of a report: ``mailing_name``, ``sum(sent)``, ``"sum(clicks) as clicked"``."""
    return [_column(word) for word in words]


def _column(word: str) -> Selected:
    if (found := _COLUMN.fullmatch(word.strip())) is None:
        if not re.fullmatch(r"\w+", word.strip()):
            raise UsageError(f'{word} is no column: write a name, "sum(sent)" or "sum(clicks) as clicked"')
        return word.strip()
    computed = getattr(ReportField(found[2]), found[1].lower())
    column: Selected = computed(found[3]) if found[3] else computed()
    return column


def filters(conditions: Iterable[str]) -> list[Condition]:
    """Return the filters of a report: ``stats_date>=2026-01-01``, ``sent>0``, ``mailing_name='2026'``."""
    found = []
    for condition in conditions:
        name, sign, text = _parts(condition)
        if "~" in sign:
            raise UsageError("a report's conditions are = != > >= < <=")
        found.append(ReportField(name).compare(sign, _typed(text)))
    return found


def groups(words: Iterable[str]) -> list[str | Grouping]:
    """Return what rows are made for: ``mailing_name``, ``stats_date:day``."""
    return [_group(*word.partition(":")) for word in words]


def _group(name: str, colon: str, period: str) -> str | Grouping:
    if not colon:
        return name
    if period not in ("day", "week", "month", "year"):
        raise UsageError(f"{name} is grouped by day, week, month or year: write {name}:day")
    return ReportField(name).by(cast("Period", period))


def orders(words: Iterable[str]) -> list[Order]:
    """Return the sorting: ``sent`` smallest first, ``sent:desc`` largest first."""
    found = []
    for word in words:
        name, _, direction = word.partition(":")
        if direction not in ("", "asc", "desc"):
            raise UsageError(f"{name} is sorted up or down: write {name} or {name}:desc")
        found.append(Order(name, "DESC" if direction == "desc" else "ASC"))
    return found
