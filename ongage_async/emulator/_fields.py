"""List fields and the rules for the values they accept.

Pure. Contacts and imports ask `ListField.accept` before they store anything. Source: vendor page §3.2, §4.5.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import define, field

__all__ = ["DATE_FORMATS", "FIELD_TYPES", "ListField", "accept_email"]

FIELD_TYPES = ("date", "email", "numeric", "string")
_ORDERS = ("dd/mm/yyyy", "mm/dd/yyyy", "yyyy/mm/dd", "dd-mm-yyyy", "mm-dd-yyyy", "yyyy-mm-dd")
DATE_FORMATS = tuple(order + clock for order in _ORDERS for clock in ("", " hh24:mi", " hh24:mi:ss"))
_PARTS = {"yyyy": "%Y", "hh24": "%H", "mi": "%M", "ss": "%S", "dd": "%d", "mm": "%m"}
_EMAIL = re.compile(r"[^@\s,;\"<>()]+@[^@\s,;\"<>().]+(?:\.[^@\s,;\"<>().]+)+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")


def accept_email(value: Any) -> str:
    """Return an address as it is stored: without spaces around it, in lower case (assumed).

    Raises:
        ValueError: It is no address; the text is the vendor's sample message.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not _EMAIL.fullmatch(text):
        raise ValueError("Please insert a valid Email address")
    return text.lower()


def _accept_number(value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("Value must be numeric")
    number = float(text) if "." in text else int(text)
    if number in (math.inf, -math.inf):
        raise ValueError("Value must be numeric")
    return number


def _accept_string(value: Any) -> str:
    if isinstance(value, dict | list):
        raise ValueError("Value must be a string")  # noqa: TRY004 - the value is the user's, not an argument
    return value if isinstance(value, str) else str(value)


def _date_acceptor(vendor_format: str) -> Callable[[Any], str]:
    pattern = re.sub("|".join(_PARTS), lambda part: _PARTS[part.group()], vendor_format)

    def accept_date(value: Any) -> str:
        try:
            datetime.strptime(str(value), pattern)  # noqa: DTZ007 - only the form is asked
        except ValueError:
            raise ValueError(f"Date must be in the format {vendor_format}") from None
        return str(value)

    return accept_date


@define(kw_only=True)
class ListField:
    """Hold one field of a list, with real types, as this family has them."""

    id: int
    account_id: int
    list_id: int
    name: str
    title: str
    type: str
    format: str = ""
    default: Any = None
    mandatory: bool = False
    position: int = 0
    created: int = 0
    modified: int = 0
    deleted: int | None = None
    is_sms: bool = False
    _acceptor: tuple[str, Callable[[Any], Any]] = field(default=("", str), init=False, eq=False, repr=False)

    def accept(self, value: Any) -> Any:
        """Return the value as it is stored; null and the empty text become None.

        Raises:
            ValueError: The value does not fit the field's type or format.
        """
        if value is None or value == "":
            return None
        kind = self.format or self.type
        if self._acceptor[0] != kind:
            self._acceptor = (kind, self._make_acceptor())
        return self._acceptor[1](value)

    def _make_acceptor(self) -> Callable[[Any], Any]:
        if self.type == "date" and self.format:
            return _date_acceptor(self.format)
        return {"email": accept_email, "numeric": _accept_number}.get(self.type, _accept_string)

    def view(self) -> dict[str, Any]:
        """Return the field object (§3.2)."""
        return {
            "id": self.id,
            "account_id": self.account_id,
            "list_id": self.list_id,
            "name": self.name,
            "title": self.title,
            "type": self.type,
            "format": self.format,
            "default": self.default,
            "mandatory": self.mandatory,
            "position": self.position,
            "created": self.created,
            "modified": self.modified,
            "deleted": self.deleted,
            "is_sms": self.is_sms,
        }
