"""Which contacts meet criteria: the vendor's operators, evaluated on the emulator's own contacts.

Pure but for reading the list. `check` refuses what makes no sense, `matching` finds the contacts. Conditions are joined
from left to right, each by the word that the rule before it carries (assumed); parentheses are not evaluated.
Source: vendor page §3.4, §3.5, §3.8.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from ongage_async.emulator._answers import Refusal, invalid
from ongage_async.emulator._fields import ListField
from ongage_async.emulator._schema import DIGIT, OBJECT, TEXT, Schema, array_of, choice, either, record
from ongage_async.emulator._state import MailingList
from ongage_async.emulator.readings import Readings

__all__ = ["CRITERIA", "check", "matching", "operand_text"]

OPERATORS = ("=", "!=", "<", ">", "<=", ">=", "><", "empty", "notempty", "LIKE", "NOT LIKE", "_LIKE", "LIKE_")
TYPES = (
    *("behavioral", "date_absolute", "date_relative", "date", "email", "string", "numeric", "enum", "entity"),
    *("timestamp", "segment", "id"),
)
_VALUE = either(TEXT, {"type": "number"})
_FIELDS = choice("email", "first_name", "country", "product_id", "ocx_created_date", "ocx_status")
_RULE = record(
    {
        "type": choice(*(each for each in TYPES if each != "behavioral")),
        "operator": choice(*OPERATORS),
        "operand": array_of(_VALUE, least=1),
        "field_name": _FIELDS,
    },
    case_sensitive=DIGIT,
    condition=choice("and", "or"),
)
_BEHAVIOR = record({"type": choice("behavioral"), "operator": choice(*OPERATORS), "operand": OBJECT})
CRITERIA: Schema = array_of(either(_RULE, _BEHAVIOR), least=1)
_DATES = ("date_absolute", "date", "timestamp")
_LIKES = ("LIKE", "_LIKE", "LIKE_")
_PARTS = {"yyyy": "%Y", "hh24": "%H", "mi": "%M", "ss": "%S", "dd": "%d", "mm": "%m"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda own, asked: bool(own == asked),
    "<": lambda own, asked: bool(own < asked),
    ">": lambda own, asked: bool(own > asked),
    "<=": lambda own, asked: bool(own <= asked),
    ">=": lambda own, asked: bool(own >= asked),
}
_USER_TYPES = {"active": "Active", "unsubscribed": "Unsubscribed", "bounced": "Bounced", "complaint": "Complaint"}


def check(mailing_list: MailingList, criteria: Any, *, status: int = 412) -> list[dict[str, Any]]:
    """Return criteria as a list; one sample shows a bare object.

    Raises:
        Refusal: The family's own status for data that it refuses.
    """
    rules = [criteria] if isinstance(criteria, dict) else criteria
    if not isinstance(rules, list) or not rules:
        raise invalid(errors={"criteria": "criteria must not be empty"}, status=status)
    for rule in rules:
        _check_one(mailing_list, rule, status)
    return rules


def _check_one(mailing_list: MailingList, rule: Any, status: int) -> None:
    if not isinstance(rule, dict):
        raise _wrong("criteria must be an array of objects", status)
    if rule.get("type") not in TYPES:
        raise _wrong(f"type must be one of: {', '.join(TYPES)}", status)
    if rule.get("operator") not in OPERATORS:
        raise _wrong(f"operator must be one of: {', '.join(OPERATORS)}", status)
    operand = rule.get("operand")
    if not isinstance(operand, dict if rule["type"] == "behavioral" else list) or not operand:
        raise _wrong("operand must not be empty", status)
    if rule["operator"] == "><" and len(operand) != 2:
        raise _wrong("operand of a range must have two values", status)
    if rule["type"] not in ("behavioral", "segment") and not _name(mailing_list, rule):
        raise _wrong("no such field in the list", status)


def _wrong(message: str, status: int) -> Refusal:
    return invalid(errors={"criteria": message}, status=status)


def _name(mailing_list: MailingList, rule: Mapping[str, Any]) -> str:
    """Return the name of the field that a rule is about, empty if there is none."""
    name = str(rule.get("field_name") or rule.get("field") or "")
    if not name:
        return next((own.name for own in mailing_list.fields if str(own.id) == str(rule.get("field_id"))), "")
    return name if name.startswith("ocx_") or mailing_list.field(name) else ""


def matching(
    mailing_list: MailingList, rules: Iterable[Mapping[str, Any]], readings: Readings, *, user_type: str = "all"
) -> list[dict[str, Any]]:
    """Return the contact objects that meet checked rules; without any, all.

    Args:
        mailing_list: The list.
        rules: From `check`.
        readings: Says which operator means "begins with".
        user_type: ``all``, ``nonactive``, or one status.
    """
    tests = [(_tester(mailing_list, rule, readings), str(rule.get("condition") or "and").lower()) for rule in rules]
    views = (mailing_list.view(contact) for contact in mailing_list.contacts)
    return [view for view in views if _is_user(view, user_type) and _meets(view, tests)]


def _is_user(view: Mapping[str, Any], user_type: str) -> bool:
    status = view["ocx_status"]
    if user_type.lower() == "nonactive":
        return bool(status != "Active")
    return user_type.lower() == "all" or status == _USER_TYPES.get(user_type.lower(), user_type)


def _meets(view: Mapping[str, Any], tests: list[tuple[Callable[[Mapping[str, Any]], bool], str]]) -> bool:
    result, joint = True, "and"
    for test, condition in tests:
        result = (result or test(view)) if joint == "or" else (result and test(view))
        joint = condition
    return result


def _tester(
    mailing_list: MailingList, rule: Mapping[str, Any], readings: Readings
) -> Callable[[Mapping[str, Any]], bool]:
    kind, operator = rule["type"], rule["operator"]
    if kind in ("behavioral", "segment"):
        return lambda _view: False  # nothing is sent here, so nobody did anything
    name = _name(mailing_list, rule)
    name = "id" if name == "ocx_contact_id" else name
    if operator in ("empty", "notempty"):
        return lambda view: (view.get(name) in (None, "")) == (operator == "empty")
    read = _reader(kind, mailing_list.field(name), case=rule.get("case_sensitive") in (1, "1", True))
    asked = [read(value) for value in rule["operand"]]
    return lambda view: _holds(operator, read(view.get(name)), asked, kind, readings)


def _holds(operator: str, own: Any, asked: list[Any], kind: str, readings: Readings) -> bool:
    if operator in ("!=", "NOT LIKE"):
        positive = "=" if operator == "!=" else "LIKE"
        return not _holds(positive, own, asked, kind, readings)
    if own is None or any(value is None for value in asked):
        return False
    if operator in _LIKES:
        return any(_is_like(operator, str(own), str(value), readings) for value in asked)
    if operator == "><":
        return bool(asked[0] <= own <= asked[1])
    if operator == "=" and kind in _DATES:  # "equal / on"
        return any(own // 86400 == value // 86400 for value in asked)
    return any(_COMPARE[operator](own, value) for value in asked)


def _is_like(operator: str, own: str, asked: str, readings: Readings) -> bool:
    begins = "_LIKE" if readings.like == "vendor" else "LIKE_"
    if operator == "LIKE":
        return asked in own
    return own.startswith(asked) if operator == begins else own.endswith(asked)


def _reader(kind: str, own: ListField | None, *, case: bool) -> Callable[[Any], Any]:
    """Return what makes values of a kind comparable; None for those that are not of the kind."""
    if kind == "numeric":
        return _number
    if kind in _DATES:
        return lambda value: _unix(value, own.format if own is not None else "")
    return lambda value: None if value is None else (str(value) if case else str(value).casefold())


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _unix(value: Any, vendor_format: str) -> int | None:
    """Return Unix seconds of a number, or of text in the field's format."""
    number = _number(value)
    if number is not None:
        return int(number)
    pattern = re.sub("|".join(_PARTS), lambda part: _PARTS[part.group()], vendor_format)
    try:
        return int(datetime.strptime(str(value), pattern).replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None


def operand_text(operand: Any) -> str:
    """Return an operand as a segment's rule shows it: JSON in text."""
    return json.dumps(operand, separators=(",", ":"))
