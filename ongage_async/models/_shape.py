"""How a model says where its fields come from and what its repr may show.

A model is an attrs class whose attributes are named like the vendor's keys; where they are not, `wire` names the key.
Every response model ends with `extra`, which keeps what the model does not know. The converter reads these marks.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import field

KEY = "wire_key"
STRICT = "wire_strict"
REST = "wire_rest"


def wire(
    key: str | None = None, *, strict: bool = False, default: Any = None, show: bool | Callable[[Any], str] = True
) -> Any:
    """Declare a field.

    Args:
        key: The vendor's key when it is not the attribute's name.
        strict: Whether an unreadable value makes the whole answer unreadable; otherwise it is kept in `extra`.
        default: Value of a missing key. An attribute without any default (``id: int``) is obligatory.
        show: Whether repr shows the value, or a function that shows it.
    """
    return field(default=default, repr=show, metadata={KEY: key, STRICT: strict})


def quiet(key: str | None = None) -> Any:
    """Declare a field that repr leaves out: for length, or because it may be private. Not part of the hash."""
    return field(default=None, repr=False, hash=False, metadata={KEY: key})


def rest() -> Any:
    """Declare the field that takes all unknown keys but the vendor's own ``ocx_…``; repr shows how many."""
    return field(factory=dict, repr=show_count, hash=False, metadata={REST: True})


def extra() -> Any:
    """Declare the field that keeps what the model does not know, under the vendor's keys."""
    return field(factory=dict, repr=False, hash=False)


def show_count(values: Mapping[str, Any]) -> str:
    """Show how many values there are, and none of them."""
    return f"‹{len(values)}›"


def show_address(address: str | None) -> str:
    """Show the first letter of an address: enough to tell two apart in a log, too little to write to anybody."""
    if address is None:
        return "None"
    name, at, _ = address.partition("@")
    return repr(f"{name[:1]}…@…" if at else "…")
