"""Rows as a data frame, by whichever library the user has: neither is needed, nor imported before its use.

The vendor writes numbers as text, and in some answers only, so what a column holds is worked out here from all of its
values and not left to a library that looks at the first few: two reports of the same question get the same types.
"""

import importlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from ongage_async.errors import ConfigurationError, InvalidInputError

Library = Literal["polars", "pandas"]
Columns = Mapping[str, list[Any]]

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")  # a text that a number would be written as, and that fits 64 bits
_BROKEN = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]+")
_WORDS = re.compile(r"(?:.*_)?(?:name|title|subject|type|iso|url|description)")


def frame_of(library: Library | None = None) -> Callable[[Sequence[Mapping[str, Any]], Iterable[str]], Any]:
    """Return what makes a frame of rows and of the names of the columns that were asked for.

    Args:
        library: Which; None: the first that is installed, polars before pandas.

    Raises:
        InvalidInputError: It is another one.
        ConfigurationError: It is not installed.
    """
    if library is not None and library not in _MAKERS:
        raise InvalidInputError("a frame is made by polars or by pandas")
    for name in _MAKERS if library is None else (library,):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return lambda rows, names: _MAKERS[name](module, columns_of(rows, names))
    wanted = library or "polars (or pandas)"
    raise ConfigurationError(f"frame() needs {wanted}: pip install {library or 'polars'}")


def columns_of(rows: Sequence[Mapping[str, Any]], names: Iterable[str]) -> dict[str, list[Any]]:
    """Return rows by column, each column of one kind: whole numbers, numbers, flags or text, and None.

    Args:
        rows: Objects by column; a key that one of them lacks is None there.
        names: Columns that are there even if no row has them; those that only rows have come behind.
    """
    keys = dict.fromkeys([*names, *(key for row in rows for key in row)])
    return {key: _uniform(key, [row.get(key) for row in rows]) for key in keys}


def _uniform(name: str, values: list[Any]) -> list[Any]:
    is_words = _WORDS.fullmatch(name) is not None
    read = values if is_words else [_number(value) for value in values]
    kinds = {type(value) for value in read if value is not None}
    if not is_words and kinds == {int, float}:
        return [None if value is None else float(value) for value in read]
    if len(kinds) > 1 or kinds - {int, float, bool, str} or (is_words and kinds):
        return [_text(value) for value in values]  # as they came: "007" is kept, and so is every value
    return read


def _number(value: Any) -> Any:
    """Return the number that a text is, or the value itself."""
    if isinstance(value, str):
        if _WHOLE.fullmatch(value):
            return int(value)
        return float(value) if _BROKEN.fullmatch(value) else value
    if type(value) is int and not -(2**63) <= value < 2**63:
        return str(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _polars(polars: Any, columns: Columns) -> Any:
    return polars.DataFrame(dict(columns))


def _pandas(pandas: Any, columns: Columns) -> Any:
    nullable = {int: "Int64", float: "Float64", bool: "boolean", str: "str", type(None): "object"}
    made = {}
    for name, values in columns.items():
        kind = next((type(value) for value in values if value is not None), type(None))
        made[name] = pandas.Series(values, dtype=nullable[kind])
    return pandas.DataFrame(made, columns=list(columns))


_MAKERS: Mapping[str, Callable[[Any, Columns], Any]] = {"polars": _polars, "pandas": _pandas}
