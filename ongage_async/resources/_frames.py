"""Rows as a data frame, by whichever library the user has: neither is needed, nor imported before its use."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from ongage_async.errors import ConfigurationError, InvalidInputError

Library = Literal["polars", "pandas"]

_KNOWN = ("polars", "pandas")
_OPTIONS: dict[str, dict[str, Any]] = {
    "polars": {"infer_schema_length": None, "strict": False},  # look at all rows: the vendor mixes numbers and text
    "pandas": {},
}


def frame_of(library: Library | None = None) -> Callable[[list[dict[str, Any]]], Any]:
    """Return what makes a frame of rows.

    Args:
        library: Which; None: the first that is installed, polars before pandas.

    Raises:
        InvalidInputError: It is another one.
        ConfigurationError: It is not installed.
    """
    if library is not None and library not in _KNOWN:
        raise InvalidInputError("a frame is made by polars or by pandas")
    for name in _KNOWN if library is None else (library,):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return partial(module.DataFrame, **_OPTIONS[name])
    wanted = library or "polars (or pandas)"
    raise ConfigurationError(f"frame() needs {wanted}: pip install {library or 'polars'}")
