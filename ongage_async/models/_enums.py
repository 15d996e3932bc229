"""Enumerations that stay open: a value the vendor invents tomorrow is kept instead of refused.

`OpenStrEnum` and `OpenIntEnum` make a member on the fly for an unknown value; it compares, hashes, pickles and prints
like the value, and `is_known` is False. Models use them; the converter reports unknown ones as drift.
"""

import enum
from typing import Any, Self


class _Open:
    """Share what both kinds of open enumeration do."""

    __slots__ = ()
    _name_: str

    @property
    def is_known(self) -> bool:
        """Whether this library's version knows the value."""
        return self._name_ != "UNKNOWN"

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        # By value whatever the Python release: all unknown members share one name.
        return type(self), (self.value,)  # type: ignore[attr-defined]


class OpenStrEnum(_Open, enum.StrEnum):
    """Hold text values; known ones are recognised in any case, unknown ones kept as they came."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        for known in cls:
            if known.value.casefold() == value.strip().casefold():
                return known
        member = str.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = value
        return member


class OpenIntEnum(_Open, enum.IntEnum):
    """Hold whole numbers; unknown ones are kept as they came."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = int(value)
        return member
