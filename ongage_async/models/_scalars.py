"""Read single values of the vendor's sloppy JSON: numbers and flags as text, times as Unix seconds, ``[]`` for ``{}``.

Pure functions from a JSON value to a Python value or None ("the vendor says nothing here"). What cannot be read raises
`UnreadableError`, which carries the place and never the value. Models reach these through `_converter.py`; `_wire.py`
uses them for envelopes. Source: vendor page §1.4.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_from_unix = datetime.fromtimestamp
FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class UnreadableError(Exception):
    """A value is not what it should be; `place` grows from the inside out while the error rises."""

    def __init__(self, expected: str, *place: str | int) -> None:
        super().__init__(expected)
        self.expected = expected
        self.place = place

    def inside(self, *outer: str | int) -> "UnreadableError":
        """Return the same error as seen from the value that holds this one."""
        return UnreadableError(self.expected, *outer, *self.place)


def is_nothing(value: Any) -> bool:
    """Tell whether a value stands for "nothing": null, blank text, an empty array or object."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, (list, Mapping)) and not value)


def to_int(value: Any) -> int | None:
    """Read a whole number from a number, numeric text or flag."""
    if value.__class__ is int:
        return value
    if value.__class__ is str and value.isdecimal():
        return _int(value)
    if isinstance(value, str) and _is_digits(value.strip()):
        return _int(value)
    number = to_float(value)
    if number is not None and not number.is_integer():
        raise UnreadableError("a whole number")
    return None if number is None else int(number)


def to_ints(texts: list[str]) -> list[int | None]:
    """Read whole numbers from texts."""
    try:
        if "".join(texts).isdecimal():  # one look at all of them
            return list(map(int, texts))
    except ValueError:  # one is blank, or has thousands of digits
        pass
    return [to_int(text) for text in texts]


def _is_digits(text: str) -> bool:
    return text.isascii() and text.removeprefix("-").isdigit()


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # thousands of digits: Python refuses to convert those
        raise UnreadableError("a whole number") from None


def to_float(value: Any) -> float | None:
    """Read a finite number from a number or numeric text."""
    if is_nothing(value):
        return None
    if not isinstance(value, (int, float, str)) or (isinstance(value, str) and "_" in value):
        raise UnreadableError("a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise UnreadableError("a number") from None
    if not math.isfinite(number):
        raise UnreadableError("a finite number")
    return number


def to_bool(value: Any) -> bool | None:
    """Read a flag: true/false, 0/1, or the same as text in any case."""
    if isinstance(value, bool):
        return value
    if is_nothing(value):
        return None
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    flag = FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if flag is None:
        raise UnreadableError("a flag")
    return flag


def to_text(value: Any) -> str | None:
    """Read text; numbers and flags are written out, and blank text stays as it is."""
    if isinstance(value, str):
        return value
    if is_nothing(value):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise UnreadableError("text")


def to_datetime(value: Any) -> datetime | None:
    """Read a time in UTC from Unix seconds or an ISO text; 0, ``"0"`` and blank mean "never"."""
    if value.__class__ is int:
        return _unix_time(value)
    if value.__class__ is str and value.isdecimal():
        return _unix_time(_int(value))
    if is_nothing(value):
        return None
    if value is True:
        raise UnreadableError("a time")
    try:
        seconds = to_float(value)
    except UnreadableError:
        return _iso_time(value)
    return _unix_time(seconds or 0)


def to_datetimes(texts: list[str]) -> list[datetime | None]:
    """Read times from texts."""
    try:
        if "".join(texts).isdecimal():
            return [_from_unix(seconds, UTC) if seconds else None for seconds in map(int, texts)]
    except (OverflowError, ValueError, OSError):
        pass
    return [to_datetime(text) for text in texts]


def _unix_time(seconds: float) -> datetime | None:
    try:
        return _from_unix(seconds, UTC) if seconds else None
    except (OverflowError, ValueError, OSError):  # it depends on the size which of them
        raise UnreadableError("a time between the years 1 and 9999") from None


def _iso_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value.strip())
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)  # assumed: vendor times are UTC (§1.4)
    except (AttributeError, ValueError, OverflowError):
        raise UnreadableError("a time in Unix seconds") from None


def to_object(value: Any) -> dict[str, Any] | None:
    """Read an object; ``[]`` is an empty one, and text may hold one as JSON (``fields`` of an import)."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list) and not value:
        return {}
    if is_nothing(value):
        return None
    if isinstance(value, str):
        return to_object(_inner_json(value))
    raise UnreadableError("an object")


def _inner_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("an object") from None
    if isinstance(value, str):  # never peel twice: text in text is not an object
        raise UnreadableError("an object")
    return value
