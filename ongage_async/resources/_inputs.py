"""Checks and small conversions of what callers give, before anything is sent. Pure; used by resources only."""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from ongage_async.errors import InvalidInputError

E = TypeVar("E", bound=enum.StrEnum)

MOST_ROWS = 500
"""Rows or addresses per call: client code only, C-skill and C-oomol (vendor page §2)."""


def given(**values: Any) -> dict[str, Any]:
    """Return the arguments that are not None; a time becomes Unix seconds (vendor page §1.4)."""
    return {
        key: unix_s(value, key) if isinstance(value, datetime) else value
        for key, value in values.items()
        if value is not None
    }


def unix_s(time: datetime, name: str) -> int:
    """Return Unix seconds of an aware time.

    Raises:
        InvalidInputError: The time has no zone, so it could mean two dozen instants.
    """
    if time.tzinfo is None:
        raise InvalidInputError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
    return int(time.timestamp())


def choice(kind: type[E], value: str, name: str) -> E:
    """Return the member that a caller's text means.

    Raises:
        InvalidInputError: There is none; a typo must not fall back on the vendor's default.
    """
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise InvalidInputError(f"{name} must be one of: {known}") from None


def counted(items: Iterable[Any], noun: str, advice: str) -> list[Any]:
    """Return the items as a list.

    Args:
        items: What the caller gives.
        noun: What they are.
        advice: What to use instead when there are too many.

    Raises:
        InvalidInputError: There are none, more than 500, or it is text, which is a sequence by accident only.
    """
    if isinstance(items, (str, bytes)):
        raise InvalidInputError(f"give a list of {noun}, not {type(items).__name__}")
    rows = list(items)
    if not rows:
        raise InvalidInputError(f"no {noun}: give at least one")
    if len(rows) > MOST_ROWS:
        raise InvalidInputError(f"{len(rows)} {noun} in one call; {MOST_ROWS} are allowed: {advice}")
    return rows


def texts(items: Sequence[str], noun: str, advice: str) -> list[str]:
    """Return `counted` items that must all be text.

    Raises:
        InvalidInputError: As `counted`, or one is blank or no text.
    """
    rows = counted(items, noun, advice)
    for number, row in enumerate(rows, 1):
        text(row, f"number {number} of the {noun}")
    return rows


def text(value: Any, name: str) -> str:
    """Return text that is not blank.

    Raises:
        InvalidInputError: It is blank or no text.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{name} is blank or no text")
    return value
