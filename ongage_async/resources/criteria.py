"""Which contacts: small values with names instead of the vendor's operators, for counts, searches and segments.

    field("country").equals("Chile", "Peru") & field("ocx_created_date").after(date(2026, 1, 1))

Conditions are joined by ``&`` or by ``|``, not by a mixture: how the vendor writes groups is not known (`Group`). Pure.
Source: vendor page §3.4, §3.5, §3.8.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Literal

import attrs

from ongage_async.errors import InvalidInputError
from ongage_async.resources._inputs import text, unix_s

__all__ = ["Criteria", "Field", "Group", "Like", "Rule", "behavior", "field", "render", "render_segment"]

Value = str | int | float | date
"""Text, a number, a day (its start in UTC) or an aware datetime."""

_SAME = ("=", "LIKE", "_LIKE", "LIKE_")


class Like(enum.Enum):
    """Say which of the vendor's two operators means "begins with": its pages contradict each other's readers.

    To find out, count both with text that contacts begin with and never end with. Source: vendor page §6.1 #2.
    """

    VENDOR = ("_LIKE", "LIKE_")
    """``_LIKE`` begins, ``LIKE_`` ends: the vendor's page on counts."""
    CLIENTS = ("LIKE_", "_LIKE")
    """``LIKE_`` begins, ``_LIKE`` ends: two other clients."""


@attrs.frozen
class Rule:
    """Hold one condition; made by `field` and `behavior`.

    Attributes:
        field: Name of a list field or system field, or a list field's id.
        type: The vendor's word for the kind of field.
        operator: The vendor's operator.
        operand: Values, any of which may match; an object for behaviour.
        case_sensitive: Whether case counts.
    """

    field: str | int
    type: str
    operator: str
    operand: Any
    case_sensitive: bool = False

    def __and__(self, other: "Rule | Group") -> "Rule | Group":
        return _join("and", self, other)

    def __or__(self, other: "Rule | Group") -> "Rule | Group":
        return _join("or", self, other)


@attrs.frozen
class Group:
    """Hold conditions that must all be true (``and``), or any of which must be (``or``).

    The vendor's rules have parentheses and groups, but no source shows how they are filled; so ``(a | b) & c`` is
    refused, unless a and b ask the same of the same field, which becomes one condition with several values. Otherwise
    give the rules as the vendor writes them: a list of mappings goes through as it is.
    """

    condition: Literal["and", "or"]
    rules: tuple[Rule, ...]

    def __and__(self, other: "Rule | Group") -> "Rule | Group":
        return _join("and", self, other)

    def __or__(self, other: "Rule | Group") -> "Rule | Group":
        return _join("or", self, other)


Criteria = Rule | Group | Mapping[str, Any] | Sequence["Rule | Mapping[str, Any]"]
"""A condition or a group; a mapping as the vendor writes it; or a list of these, all of which must be true."""


def _join(condition: Literal["and", "or"], one: Rule | Group, other: Any) -> Rule | Group:
    if not isinstance(other, (Rule, Group)):
        raise InvalidInputError("join a condition with another one: both are made with field() or behavior()")
    for part in (one, other):
        if isinstance(part, Group) and part.condition != condition:
            raise InvalidInputError(
                "`&` and `|` cannot be mixed: how the vendor writes groups is not known; give several values to one "
                "condition, make several segments, or give the rules as the vendor writes them, as mappings"
            )
    rules = [rule for part in (one, other) for rule in (part.rules if isinstance(part, Group) else (part,))]
    if condition == "or":
        rules = _merged(rules)
    return rules[0] if len(rules) == 1 else Group(condition, tuple(rules))


def _merged(rules: list[Rule]) -> list[Rule]:
    """Put values for which the same is asked of the same field into one condition: the vendor takes any of them."""
    merged: dict[Any, Rule] = {}
    for number, rule in enumerate(rules):
        same = rule.operator in _SAME and isinstance(rule.operand, tuple)
        key = (rule.field, rule.type, rule.operator, rule.case_sensitive) if same else number
        known = merged.get(key)
        merged[key] = rule if known is None else attrs.evolve(known, operand=known.operand + rule.operand)
    return list(merged.values())


# --- making them ------------------------------------------------------------------------------------------------------


def field(name: str | int, *, type: str | None = None, case_sensitive: bool = False) -> "Field":  # noqa: A002
    """Name the field that a condition is about.

    Args:
        name: A list field's name or id, or a system field: ``ocx_created_date``, ``ocx_status``, ``ocx_import_id``, …
        type: The vendor's word: string, numeric, email, date_absolute, date_relative, enum, entity, timestamp,
            segment, behavioral. None: ``email`` for the field of that name, else by the value: numeric for numbers,
            date_absolute for dates, string for text. That system dates are date_absolute is from other clients' code.
        case_sensitive: Whether case counts.
    """
    if not isinstance(name, int):
        text(name, "the field's name")
    return Field(name, type, case_sensitive)


def behavior(name: str, *, mailing_ids: Iterable[int]) -> Rule:
    """Ask for what contacts did with mailings.

    Args:
        name: ``sent``, ``opens``, ``clicks``, …
        mailing_ids: The mailings.

    Source: vendor page §3.6, from other clients' code only.
    """
    return Rule(text(name, "the behaviour"), "behavioral", "=", {"mailing_ids": list(mailing_ids)})


@attrs.frozen
class Field:
    """Make conditions about one field; see `field`."""

    name: str | int
    type: str | None = None
    case_sensitive: bool = False

    def equals(self, *values: Value) -> Rule:
        """Be any of these values; a date: be on that day."""
        return self._rule("=", values)

    def not_equals(self, *values: Value) -> Rule | Group:
        """Be none of these values; several become several conditions, as it is not known how the vendor joins them."""
        return self._none_of("!=", values)

    def contains(self, *texts: str) -> Rule:
        """Contain any of these texts."""
        return self._rule("LIKE", texts)

    def not_contains(self, *texts: str) -> Rule | Group:
        """Contain none of these texts."""
        return self._none_of("NOT LIKE", texts)

    def begins_with(self, *texts: str, like: Like | None = None) -> Rule:
        """Begin with any of these texts.

        Args:
            texts: The beginnings.
            like: Which operator means this: sources contradict each other, so that a guess could select the wrong
                people, and there is no guess.

        Raises:
            InvalidInputError: `like` is not given.
        """
        return self._rule(_chosen(like).value[0], texts)

    def ends_with(self, *texts: str, like: Like | None = None) -> Rule:
        """End with any of these texts; `like` as for `begins_with`."""
        return self._rule(_chosen(like).value[1], texts)

    def greater_than(self, value: Value) -> Rule:
        """Be greater than a number."""
        return self._rule(">", (value,))

    def at_least(self, value: Value) -> Rule:
        """Be a number or greater; a date: be then or later."""
        return self._rule(">=", (value,))

    def less_than(self, value: Value) -> Rule:
        """Be less than a number."""
        return self._rule("<", (value,))

    def at_most(self, value: Value) -> Rule:
        """Be a number or less; a date: be then or earlier."""
        return self._rule("<=", (value,))

    def after(self, when: date) -> Rule:
        """Be later than a time; a day stands for its start in UTC."""
        return self._rule(">", (when,))

    def before(self, when: date) -> Rule:
        """Be earlier than a time; a day stands for its start in UTC."""
        return self._rule("<", (when,))

    def between(self, low: Value, high: Value) -> Rule:
        """Be in a range; whether its ends belong to it is not known."""
        return self._rule("><", (low, high))

    def is_empty(self) -> Rule:
        """Have no value."""
        return self._rule("empty", ("",))

    def is_not_empty(self) -> Rule:
        """Have a value."""
        return self._rule("notempty", ("",))

    def _none_of(self, operator: str, values: Sequence[Value]) -> Rule | Group:
        rules = [self._rule(operator, (value,)) for value in values] or [self._rule(operator, ())]
        return rules[0] if len(rules) == 1 else Group("and", tuple(rules))

    def _rule(self, operator: str, values: Sequence[Any]) -> Rule:
        if not values:
            raise InvalidInputError("give a condition at least one value")
        if any(isinstance(value, bool) or not isinstance(value, (str, int, float, date)) for value in values):
            raise InvalidInputError("a condition's values are texts, numbers, dates or aware datetimes")
        kinds = {_kind(value) for value in values}
        if len(kinds) > 1:
            raise InvalidInputError("the values of one condition must be of one kind")
        operand = tuple(_on_wire(value) for value in values)
        return Rule(self.name, self.type or self._type(kinds.pop()), operator, operand, self.case_sensitive)

    def _type(self, kind: str) -> str:
        if self.name == "email":
            return "email"
        is_system_date = isinstance(self.name, str) and self.name.startswith("ocx_") and self.name.endswith("_date")
        return "date_absolute" if is_system_date else kind


def _chosen(like: Like | None) -> Like:
    if like is None:
        raise InvalidInputError(
            "sources contradict each other on which of `_LIKE` and `LIKE_` means begins and which ends: choose with "
            "like=Like.VENDOR (the vendor's page) or like=Like.CLIENTS (other clients), or use contains()"
        )
    return like


def _kind(value: Value) -> str:
    match value:
        case date():
            return "date_absolute"
        case str():
            return "string"
        case _:
            return "numeric"


def _on_wire(value: Value) -> Value:
    """Return Unix seconds for times: so in the vendor's sample of a date rule, and in other clients' code."""
    match value:
        case datetime():
            return unix_s(value, "the time of a condition")
        case date():
            return int(datetime.combine(value, time(), UTC).timestamp())
        case _:
            return value


# --- on the wire ------------------------------------------------------------------------------------------------------


def render(criteria: Criteria) -> list[dict[str, Any]]:
    """Return the array of criteria that counts, searches and activity reports take.

    Raises:
        InvalidInputError: There is no condition, or something else than one.
    """
    condition, rules = _rules(criteria)
    return [rule if isinstance(rule, dict) else _criterion(rule, condition) for rule in rules]


def render_segment(criteria: Criteria) -> list[dict[str, Any]]:
    """Return the array of rules that segments take: criteria with their place, and without parentheses.

    Source: vendor page §3.8, from other clients' code.
    """
    condition, rules = _rules(criteria)
    return [
        rule if isinstance(rule, dict) else {**_criterion(rule, condition), **_ALONE, "position": position}
        for position, rule in enumerate(rules)
    ]


def is_and(criteria: Criteria) -> bool | None:
    """Return whether all conditions must be true; None when there is only one, or they say so themselves."""
    condition, rules = _rules(criteria)
    return None if len(rules) == 1 or any(isinstance(rule, dict) for rule in rules) else condition == "and"


_ALONE = {"group": "", "left_parenthesis": 0, "right_parenthesis": 0, "is_external_operand": False}


def _rules(criteria: Any) -> tuple[str, list[Rule | dict[str, Any]]]:
    match criteria:
        case Rule():
            return "and", [criteria]
        case Group():
            return criteria.condition, list(criteria.rules)
        case Mapping():
            return "and", [dict(criteria)]
        case str() | bytes():
            pass
        case Sequence() if criteria:
            return "and", [_listed(rule, number) for number, rule in enumerate(criteria, 1)]
    raise InvalidInputError("criteria must be conditions made with field(), or a list that is not empty")


def _listed(rule: Any, number: int) -> Rule | dict[str, Any]:
    match rule:
        case Rule():
            return rule
        case Mapping():
            return dict(rule)
        case _:
            raise InvalidInputError(
                f"criteria: number {number} is no condition; groups are not listed, but joined by &"
            )


def _criterion(rule: Rule, condition: str) -> dict[str, Any]:
    named = {"field_id": rule.field, "field_name": ""} if isinstance(rule.field, int) else {"field_name": rule.field}
    return {
        **named,
        "type": rule.type,
        "operator": rule.operator,
        "operand": list(rule.operand) if isinstance(rule.operand, tuple) else rule.operand,
        "case_sensitive": int(rule.case_sensitive),
        "condition": condition,
    }
