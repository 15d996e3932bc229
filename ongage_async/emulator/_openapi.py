"""The API's own description: an OpenAPI document, made from the routes that are served and from nothing else.

Pure. `document` joins what each route says of itself (`Shape`, and the first line of its handler's docstring) with what
holds for every call of a vendor (`Vendor`). The app serves it; ``--openapi`` prints it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import ADDRESS, ID, TEXT, Schema, either, map_of, record
from ongage_async.emulator._shape import Shape

__all__ = ["ONGAGE", "Vendor", "document"]

_SUCCESS = {"payload": "Done", "page": "A page of rows", "bare": "Done, without an envelope", "file": "The file"}
_BY_NAME = {"id": ID, "email": ADDRESS}


@frozen
class Vendor:
    """Hold what is the same for all calls of one vendor.

    Args:
        title: Name of the API.
        about: What a reader should know first.
        servers: Where it is, relative to the document.
        keys: Names of the headers that open the door, by security scheme.
        doors: Which of them open it together.
        any_call: What every call may be refused with, and what that means.
        special: What some calls may be refused with beside.
        refusal: Returns the schema of a refusal with a status.
    """

    title: str
    about: str
    servers: Sequence[Mapping[str, Any]]
    keys: Mapping[str, str]
    doors: Sequence[Sequence[str]]
    any_call: Mapping[int, str]
    special: Mapping[int, str]
    refusal: Callable[[int], Schema]


def document(vendor: Vendor, routes: Iterable[Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some routes."""
    paths: dict[str, dict[str, Any]] = {}
    names: set[str] = set()
    for route in routes:
        name = route.operation if route.operation not in names else f"{route.operation}.{route.segments[-1]}"
        names.add(name)
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(vendor, route, name)
    schemes = {name: {"type": "apiKey", "in": "header", "name": header} for name, header in vendor.keys.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": vendor.title, "version": "emulated", "description": vendor.about},
        "servers": list(vendor.servers),
        "security": [{name: [] for name in door} for door in vendor.doors],
        "paths": paths,
        "components": {"securitySchemes": schemes, "responses": dict(_refusals(vendor))},
    }


def _refusals(vendor: Vendor) -> Iterable[tuple[str, Any]]:
    for status, meaning in {**vendor.any_call, **vendor.special}.items():
        yield str(status), {"description": meaning, "content": _json(vendor.refusal(status))}


def _operation(vendor: Vendor, route: Route, name: str) -> dict[str, Any]:
    shape = route.shape
    described: dict[str, Any] = {
        "operationId": name,
        "summary": route.summary,
        "tags": [route.operation.partition(".")[0]],
        "parameters": [*_path_parameters(route), *_query_parameters(shape)],
        "responses": _responses(vendor, shape),
    }
    if shape.takes is not None:
        described["requestBody"] = {"required": True, "content": _json(shape.takes)}
    if route.is_open:
        described["security"] = []
    return described


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for segment in route.segments:
        if segment[0] == "{":
            name = segment[1:-1]
            schema = route.shape.path.get(name, _BY_NAME.get(name, TEXT))
            yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(shape: Shape) -> Iterable[dict[str, Any]]:
    for name, schema in shape.query.items():
        yield {"name": name.rstrip("!"), "in": "query", "required": name.endswith("!"), "schema": schema}


def _responses(vendor: Vendor, shape: Shape) -> dict[str, Any]:
    made: dict[str, Any] = {
        "200": {"description": _SUCCESS[shape.kind], "content": {shape.media: {"schema": _success(shape)}}}
    }
    if shape.or_nothing:
        made["204"] = {"description": "Done, and nothing to say", "content": {}}
    for status in sorted({*vendor.any_call, *shape.refuses}):
        made[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return made


def _success(shape: Shape) -> Schema:
    if shape.kind in ("bare", "file"):
        return shape.answer
    metadata = {"error": {"const": False}, **({"total": shape.total} if shape.kind == "page" else {})}
    return record({"metadata": record(metadata), "payload": shape.answer})


def _json(schema: Schema) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ongage_refusal(status: int) -> Schema:
    """Return the vendor's three forms of a refusal; the one without an envelope is for a bad key alone (§1.4)."""
    code: Schema = {"const": status}
    message = {"const": "Validation error"} if status == 500 else TEXT  # any other 500 would be a crash
    failed = {"const": True}
    plain = record(
        {
            "metadata": record({"error": failed}),
            "payload": record({"code": code, "errors": map_of(TEXT), "message": message}),
        }
    )
    http = record(
        {
            "metadata": record({"error": failed, "type": {"const": "http"}}),
            "links": {"type": "array", "maxItems": 0},
            "payload": record({"code": code, "message": message}),
        }
    )
    return either(plain, http, record({"message": TEXT})) if status == 401 else either(plain, http)


ONGAGE = Vendor(
    title="Ongage, emulated",
    about="What the emulator serves. Every path may be preceded by a list's number, and end in a slash.",
    servers=(
        {"url": "/"},
        {"url": "/{list_id}", "variables": {"list_id": {"default": "60299", "description": "the list of the call"}}},
    ),
    keys={"username": "X_USERNAME", "password": "X_PASSWORD", "account": "X_ACCOUNT_CODE", "key": "x-api-key"},
    doors=(("username", "password", "account"), ("key",)),
    any_call={
        400: "The request makes no sense",
        401: "Nobody is known by these credentials",
        403: "No access to the API",
        404: "No such path, object or list",
        429: "Calls per minute exceeded, or too many at once",
        503: "Overloaded for a moment; here only as a fault by script",
        504: "Overloaded for a moment; here only as a fault by script",
    },
    special={
        402: "No credits are left",
        412: "Values are refused, or a result is not ready yet",
        500: "Values are refused, by the families that use this status for it",
    },
    refusal=_ongage_refusal,
)
