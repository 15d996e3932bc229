"""The emulators' own documents: made from the routes, whole, served to anybody, and no call of the API."""

import json
import subprocess
import sys

import httpx
import pytest

from ongage_async.emulator import Emulator, Fault
from ongage_async.emulator._openapi import ONGAGE, document
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import TEXT
from ongage_async.emulator._shape import UNDESCRIBED, gives
from ongage_async.emulator.ownpage import OwnpageEmulator

EMULATORS = pytest.mark.parametrize("made", [Emulator, OwnpageEmulator])


def operations(described):
    return {(method.upper(), path): each for path, item in described["paths"].items() for method, each in item.items()}


@EMULATORS
def test_every_route_says_what_it_does_takes_and_gives(made):
    """A route that is added without a description fails here."""
    routes = made().app.router.routes
    assert [route.operation for route in routes if route.shape is UNDESCRIBED] == []
    assert [route.operation for route in routes if not route.summary.endswith(".")] == []


@EMULATORS
def test_the_document_has_every_route_once(made):
    """Nothing is served that is not in it, and nothing is in it that is not served."""
    emulator = made()
    found = operations(emulator.openapi())
    assert set(found) == {(route.method, route.path) for route in emulator.app.router.routes}
    names = [each["operationId"] for each in found.values()]
    assert len(set(names)) == len(names)
    assert {route.operation for route in emulator.app.router.routes} <= set(names)


@EMULATORS
def test_what_any_call_may_meet_is_in_every_operation(made):
    """The credentials, the limit and the faults of the vendor concern every call."""
    described = made().openapi()
    for each in operations(described).values():
        assert {"200", "400", "401", "404", "429", "503", "504"} <= set(each["responses"])
        for response in each["responses"].values():
            name = response.get("$ref", "#/components/responses/429").rpartition("/")[2]
            assert name in described["components"]["responses"]


def test_the_vendors_odd_statuses_are_where_the_vendor_has_them():
    """412 is for values, but 500 for those of imports and counts, and 402 for credits alone."""
    by_status = {"412": set(), "500": set(), "402": set()}
    for each in operations(Emulator().openapi()).values():
        for status in by_status.keys() & each["responses"].keys():
            by_status[status].add(each["operationId"])
    assert by_status["500"] == {"imports.create", "contact_counts.create"}
    assert by_status["402"] == {"validation.validate"}
    assert {"contacts.create", "exports.download", "lists.create"} <= by_status["412"]


def test_a_route_is_described_by_its_handler_and_its_shape():
    """What a family says of a route is what stands in the document."""

    def rename(_call):
        """Rename a thing."""

    shape = gives(TEXT, 412, takes={"type": "object"}, query={"list_id": TEXT, "kind!": TEXT})
    each = operations(document(ONGAGE, [Route("things.rename", "PUT", "/api/things/{id}", rename, shape)]))
    ((method, path), found) = each.popitem()
    assert (method, path, found["operationId"], found["summary"]) == (
        *("PUT", "/api/things/{id}"),
        *("things.rename", "Rename a thing."),
    )
    asked = [(one["name"], one["in"], one["required"]) for one in found["parameters"]]
    assert asked == [("id", "path", True), ("list_id", "query", False), ("kind", "query", True)]
    assert found["requestBody"]["content"] == {"application/json": {"schema": {"type": "object"}}}
    assert "412" in found["responses"]


@EMULATORS
def test_it_is_served_to_anybody_and_is_no_call(made):
    """No credentials, no limit, no fault and no log: who reads the document leaves no trace."""
    emulator = made(calls=1)
    emulator.faults.add("*", Fault.status(503))
    with emulator:
        url = emulator.url.removesuffix("/v1") + "/openapi.json"
        for _ in range(3):
            answer = httpx.get(url, trust_env=False)
            assert (answer.status_code, answer.headers["content-type"][:16]) == (200, "application/json")
            assert answer.json() == emulator.openapi()
        assert len(emulator.witness) == 0
        assert httpx.post(url, trust_env=False).status_code in (401, 404)
        assert emulator.witness.count("unknown") == 1


@pytest.mark.parametrize(("arguments", "made"), [((), Emulator), (("--ownpage",), OwnpageEmulator)])
def test_it_is_printed_without_serving(arguments, made):
    """A shell gets the same document, for a file or another tool."""
    command = [sys.executable, "-m", "ongage_async.emulator", "--openapi", *arguments]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert json.loads(printed.stdout) == made().openapi()


def test_ownpage_is_served_elsewhere():
    """This command serves one vendor; asking it for the other's API is a mistake that is told."""
    command = [sys.executable, "-m", "ongage_async.emulator", "--ownpage"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "--openapi" in ended.stderr) == (2, True)
