"""From a method and a path to an operation: both URL shapes, with and without the trailing slash.

Pure. Families declare `Route`s; the app asks the `Router`. A table by method and length instead of a list of regular
expressions, since every call of a benchmark goes through here. Source: vendor page §1.1.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote

from attrs import Factory, field, frozen

from ongage_async.emulator._shape import UNDESCRIBED, Shape

if TYPE_CHECKING:
    from ongage_async.emulator._answers import Answer, Reply
    from ongage_async.emulator._call import Call

__all__ = ["Match", "Route", "Router"]

_MOST_DIGITS = 18


def _segments(route: "Route") -> tuple[str, ...]:
    return tuple(route.path.strip("/").split("/"))


@frozen
class Route:
    """Describe one endpoint.

    Args:
        operation: Dotted name, used by faults and the witness.
        method: HTTP method.
        path: Template with ``{parameters}``, without the list prefix.
        handler: What it does; the first line of its docstring is the summary of the route.
        shape: What it takes and gives; not looked at when it is called.
        body_list_id: Whether a ``list_id`` in the body names the list (§1.3; v2 contacts are the exception).
        is_open: Whether it may be called without credentials.
    """

    operation: str
    method: str
    path: str
    handler: "Callable[[Call], Answer | Reply]" = field(repr=False)
    shape: Shape = field(default=UNDESCRIBED, repr=False)
    body_list_id: bool = True
    is_open: bool = False
    segments: tuple[str, ...] = field(init=False, repr=False, default=Factory(_segments, takes_self=True))

    @property
    def summary(self) -> str:
        """Return what it does, in a sentence; empty when its handler does not say."""
        handler = self.handler.func if isinstance(self.handler, partial) else self.handler
        return (handler.__doc__ or "").partition("\n")[0]

    def parameters(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values of the template's parameters, or None when the path is another one."""
        found = {}
        for own, given in zip(self.segments, segments, strict=True):
            if own[0] == "{":
                found[own[1:-1]] = given
            elif own != given:
                return None
        return found


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS


@frozen
class Match:
    """Hold a route that fits, with what the path said."""

    route: Route
    parameters: Mapping[str, str]
    list_id: int | None


class Router:
    """Find the route of a request; `routes` are all there are."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._plain: dict[tuple[str, tuple[str, ...]], Route] = {}
        self._templates: dict[tuple[str, int], list[Route]] = {}
        for route in self.routes:
            if "{" in route.path:
                self._templates.setdefault((route.method, len(route.segments)), []).append(route)
            else:
                self._plain[route.method, route.segments] = route

    def match(self, method: str, raw_path: str) -> Match | None:
        """Return the route that fits.

        Args:
            method: HTTP method.
            raw_path: Path as sent, still percent-encoded, without the query.

        Returns:
            The match, or None for a path that nobody knows.
        """
        segments = tuple(unquote(segment) for segment in raw_path.split("/") if segment)
        list_id = None
        if len(segments) > 1 and segments[1] == "api" and _is_number(segments[0]):
            list_id, segments = int(segments[0]), segments[1:]
        route = self._plain.get((method, segments))
        if route is not None:
            return Match(route, {}, list_id)
        for template in self._templates.get((method, len(segments)), ()):
            parameters = template.parameters(segments)
            if parameters is not None:
                return Match(template, parameters, list_id)
        return None
