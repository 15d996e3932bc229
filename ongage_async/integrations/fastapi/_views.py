"""What a request gets: a view of the worker's client with the lane, tenant and patience of that request."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import define, field
from fastapi import Request

from ongage_async.client import OngageClient

__all__ = ["Chosen", "View", "patience_s"]

T = TypeVar("T")
Chosen: TypeAlias = T | Callable[[Request], T]
"""A value for all requests, or a function that finds it in one."""


@define(eq=False)
class View:
    """A dependency that gives each request its own view of the worker's client; made by `Ongage.view`."""

    _client: Callable[[], OngageClient]
    _options: Mapping[str, Any] = field(factory=dict)
    _deadline_header: str | None = None

    async def __call__(self, request: Request) -> OngageClient:
        """Return the view."""
        options = {name: _chosen(value, request) for name, value in self._options.items()}
        if self._deadline_header is not None:
            asked_s = patience_s(self._deadline_header, request.headers.get(self._deadline_header))
            most_s = options.get("max_wait_s")
            if asked_s is not None:
                options["max_wait_s"] = asked_s if most_s is None else min(asked_s, most_s)
        return self._client().with_options(**options)


def _chosen(value: Any, request: Request) -> Any:
    return value(request) if callable(value) else value


def patience_s(header: str, value: str | None) -> float | None:
    """Return for how many seconds a visitor waits, as a header of the request tells.

    Args:
        header: Its name; the number counts milliseconds if it ends in ``-ms`` (as Envoy's
            ``x-envoy-expected-rq-timeout-ms``), else seconds.
        value: Its value; what is no number says nothing.

    Returns:
        Zero for whoever is late already; None if nothing was said.
    """
    try:
        number = float(value or "")
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return max(0.0, number / 1000 if header.lower().endswith("-ms") else number)
