"""Decode JSON: by msgspec where it is installed (the extra ``fast``), else by the standard library; nobody sees which.

msgspec takes half the time. What it refuses, the standard library judges, which is laxer (half characters, a byte order
mark, numbers beyond all bounds). The only file that knows msgspec. Pure; `_wire.py` asks.
"""

import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, NoReturn

__all__ = ["decode"]


def decode(body: bytes) -> Any:
    """Return what a body of JSON says.

    Raises:
        ValueError: It is no JSON; NaN and Infinity are none.
        RecursionError: It is nested too deeply.
    """
    fast = _fast()
    if fast is not None:
        try:
            return fast(body)
        except (ValueError, RecursionError):
            pass
    return _DECODER.decode(body.decode().removeprefix("\ufeff"))  # "utf-8-sig" takes three times as long


@cache
def _fast() -> Callable[[bytes], Any] | None:
    """Return msgspec's decoder: imported with the first answer, since it is no part of an import of the library."""
    try:
        return import_module("msgspec.json").decode  # type: ignore[no-any-return]
    except ImportError:
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
