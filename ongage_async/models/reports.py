"""Build a report's question without knowing the wire: columns, groups, filters, order. Source: vendor page §3.18.

Pure values. Asking it is `resources/reports.py`. Plain text stands for a column wherever one is asked for, so a field
that this version does not know needs nothing of this file.
"""

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import attrs

from ongage_async.errors import InvalidInputError

Period = Literal["day", "week", "month", "year"]

_EXPRESSION = re.compile(r"\s*(sum|count|min|max)\s*\(\s*`?(\w+)`?\s*\)\s*", re.IGNORECASE)


class ReportSource(enum.StrEnum):
    """Name what a report counts."""

    MAILING = "mailing"
    """Messages: what was sent, opened, clicked. Without a filter on ``stats_date`` the last month only."""
    LIST = "list"
    """Contacts of lists, by ``record_date``."""
    EVENT = "event"
    """Events; known from other clients' code only."""


@attrs.frozen
class Condition:
    """Hold one filter."""

    field: str
    operator: str
    value: Any = attrs.field(repr=False)

    def to_wire(self) -> list[Any]:
        """Return ``[field, operator, value]``; a time goes as Unix seconds, a day as ``YYYY-MM-DD`` (assumed)."""
        return [self.field, self.operator, _plain(self.value, self.field)]


@attrs.frozen
class Order:
    """Hold one sorting."""

    by: str
    direction: Literal["ASC", "DESC"]

    def to_wire(self) -> list[str]:
        """Return ``[name, direction]``."""
        return [self.by, self.direction]


@attrs.frozen
class Grouping:
    """Hold a grouping by a period of time."""

    field: str
    period: Period

    def to_wire(self) -> list[str]:
        """Return ``[field, period]``."""
        return [self.field, self.period]


@attrs.frozen
class Column:
    """Hold one computed column; `key` is what rows call it.

    It is always sent with its alias, so that it does not matter what the vendor calls a column without one: ``sent`` or
    the whole expression (vendor page §6.1 #14).
    """

    expression: str
    key: str

    def to_wire(self) -> list[str]:
        """Return ``[expression, alias]``."""
        return [self.expression, self.key]

    def ascending(self) -> Order:
        """Sort by this, smallest first."""
        return Order(self.key, "ASC")

    def descending(self) -> Order:
        """Sort by this, largest first."""
        return Order(self.key, "DESC")


def _is_name(_: object, __: object, value: Any) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"\w+", value):
        raise InvalidInputError("a report field's name has letters, digits and underscores only")


@attrs.frozen
class ReportField:
    """Name a field of a report, to sum it, group by it, filter on it or sort by it.

    Fields seen in use: ``mailing_id mailing_name mailing_type list_id segment_id segment_name event_id event_name
    email_message_id email_message_name email_message_subject schedule_date stats_date delivery_date is_test_campaign
    esp_name esp_connection_id esp_connection_title isp_name country_iso link_url targeted sent success failed
    hard_bounces soft_bounces opens unique_opens clicks unique_clicks unsubscribes complaints``; of lists: ``record_date
    active not_active complaints unsubscribes bounces opened clicked no_activity``.

    Args:
        name: The vendor's name.
    """

    name: str = attrs.field(validator=_is_name)

    def sum(self, key: str | None = None) -> Column:
        """Add it up; rows call it `key`, by default like the field."""
        return self._computed("sum", key)

    def count(self, key: str | None = None) -> Column:
        """Count the values; rows call it `key`, by default ``<name>_count``."""
        return self._computed("count", key or f"{self.name}_count")

    def min(self, key: str | None = None) -> Column:
        """Take the smallest; rows call it `key`, by default ``<name>_min``."""
        return self._computed("min", key or f"{self.name}_min")

    def max(self, key: str | None = None) -> Column:
        """Take the largest; rows call it `key`, by default ``<name>_max``."""
        return self._computed("max", key or f"{self.name}_max")

    def by(self, period: Period) -> Grouping:
        """Group by a period of this time; the vendor shows it for ``stats_date``."""
        if period not in ("day", "week", "month", "year"):
            raise InvalidInputError("a report is grouped by day, week, month or year")
        return Grouping(self.name, period)

    def equals(self, value: Any) -> Condition:
        """Keep rows with this value."""
        return self.compare("=", value)

    def differs(self, value: Any) -> Condition:
        """Leave out rows with this value."""
        return self.compare("!=", value)

    def above(self, value: Any) -> Condition:
        """Keep rows with a larger value."""
        return self.compare(">", value)

    def at_least(self, value: Any) -> Condition:
        """Keep rows with this value or a larger one."""
        return self.compare(">=", value)

    def below(self, value: Any) -> Condition:
        """Keep rows with a smaller value."""
        return self.compare("<", value)

    def at_most(self, value: Any) -> Condition:
        """Keep rows with this value or a smaller one."""
        return self.compare("<=", value)

    def compare(self, operator: str, value: Any) -> Condition:
        """Filter by any operator; which ones the vendor takes beside the six above is not known."""
        return Condition(self.name, operator, value)

    def ascending(self) -> Order:
        """Sort by this, smallest first."""
        return Order(self.name, "ASC")

    def descending(self) -> Order:
        """Sort by this, largest first."""
        return Order(self.name, "DESC")

    def _computed(self, function: str, key: str | None) -> Column:
        return Column(f"{function}(`{self.name}`)", key or self.name)


Selected = str | ReportField | Column
Grouped = str | ReportField | Grouping
Filtered = Condition | Sequence[Any]
Ordered = str | ReportField | Column | Order


def _tuple(parts: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(parts)


@attrs.frozen(kw_only=True)
class ReportQuery:
    """Hold a whole question; `reports.query` makes one from its arguments, and takes one ready made.

    Args:
        select: Columns of the rows, at least one.
        source: What is counted.
        group: What rows are made for; without it, what the vendor does with sums is not known.
        where: All of these must hold.
        order: Most important first.
        list_ids: Lists by id, or ``all``; None: the list of the client, else the account's default list (inferred).
        time_zone: Name of the zone that days are cut in; None: GMT. Client code only.
        calculate_rates: Whether rows gain ``<name>_percent``. Client code only.
        extra: More keys of the body, as they are.
    """

    select: tuple[Selected, ...] = attrs.field(converter=_tuple)
    source: ReportSource | str = ReportSource.MAILING
    group: tuple[Grouped, ...] = attrs.field(converter=_tuple, default=())
    where: tuple[Filtered, ...] = attrs.field(converter=_tuple, default=())
    order: tuple[Ordered, ...] = attrs.field(converter=_tuple, default=())
    list_ids: Sequence[int] | Literal["all"] | None = None
    time_zone: str | None = None
    calculate_rates: bool | None = None
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not self.select:
            raise InvalidInputError("select nothing, get nothing: name at least one column")
        if isinstance(self.list_ids, str) and self.list_ids != "all":
            raise InvalidInputError('list_ids are numbers, or the word "all"')

    def to_wire(self) -> dict[str, Any]:
        """Return the body."""
        body: dict[str, Any] = {"select": [_wire(each) for each in self.select], "from": str(self.source)}
        for name, parts in (("group", self.group), ("order", self.order)):
            if parts:
                body[name] = [_sorted(each) if name == "order" else _wire(each) for each in parts]
        if self.where:
            body["filter"] = [_condition(each) for each in self.where]
        if self.list_ids is not None:
            body["list_ids"] = self.list_ids if isinstance(self.list_ids, str) else list(self.list_ids)
        optional = {"time_zone": self.time_zone, "calculate_rates": self.calculate_rates}
        return {**body, **{key: value for key, value in optional.items() if value is not None}, **self.extra}

    @property
    def columns(self) -> tuple[str, ...]:
        """Return what rows call the columns that were asked for; not of computed ones whose name is not known."""
        keys = (_column_key(each) for each in self.select)
        return tuple(key for key in keys if key is not None)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row under the keys that were asked for, with computed columns as numbers.

        Nothing is lost: a value that is no number stays as it came, and so does every other key.
        """
        told = {_spelled(key): key for key in row}
        renamed = dict(row)
        for column in filter(None, map(_computed, self.select)):
            if column.key not in renamed and (key := told.get(_spelled(column.expression))) is not None:
                renamed = {column.key if name == key else name: value for name, value in renamed.items()}
            if column.key in renamed:
                renamed[column.key] = _number(renamed[column.key])
        return renamed


def _wire(part: Any) -> Any:
    match part:
        case ReportField():
            return part.name
        case Column() | Grouping() | Order():
            return part.to_wire()
        case str():
            return part
        case _:
            return _pair(part)


def _computed(part: Any) -> Column | None:
    """Return a computed column that has an alias, however it was written."""
    if isinstance(part, Column):
        return part
    if isinstance(part, (str, ReportField)) or not _EXPRESSION.fullmatch(str((pair := _pair(part))[0])):
        return None
    return Column(*pair)


def _column_key(part: Any) -> str | None:
    match part:
        case ReportField():
            return part.name
        case Column():
            return part.key
        case str():
            return None if _EXPRESSION.fullmatch(part) else part
        case _:
            return str(_pair(part)[1])


def _sorted(part: Any) -> Any:
    return part.key if isinstance(part, Column) else _wire(part)


def _condition(part: Any) -> list[Any]:
    if isinstance(part, Condition):
        return part.to_wire()
    if isinstance(part, str) or not isinstance(part, Iterable) or len(parts := list(part)) != 3:
        raise InvalidInputError("a filter is [field, operator, value]")
    field, operator, value = parts
    return [_wire(field), operator, _plain(value, str(field))]


def _pair(part: Any) -> list[Any]:
    if isinstance(part, (list, tuple)) and len(part) == 2:
        return list(part)
    raise InvalidInputError("a column is a name, or [expression, alias]; see ReportField")


def _plain(value: Any, name: str) -> Any:
    match value:
        case datetime() if value.tzinfo is None:
            raise InvalidInputError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
        case datetime():
            return int(value.timestamp())
        case date():
            return value.isoformat()
        case enum.Enum():
            return value.value
        case tuple() | set() | frozenset():
            return [_plain(each, name) for each in value]
        case _:
            return value


def _spelled(expression: str) -> str:
    """Return an expression without back quotes, blanks and capitals, so that two spellings of one are equal."""
    match = _EXPRESSION.fullmatch(expression)
    return f"{match[1].lower()}({match[2]})" if match else expression


def _number(value: Any) -> Any:
    """Return the number that text holds; anything else as it came."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,18}\.\d{1,18}", text, re.ASCII) else value
