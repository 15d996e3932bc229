"""What is public can be imported, is documented, and API methods say what they cost and how they repeat."""

import importlib
import inspect
import pkgutil
import re
from types import ModuleType
from typing import Any

import pytest

import ongage_async
from ongage_async import OngageClient, OwnpageClient, Repeat, resources
from tests.docs.families import ONGAGE, OWNPAGE, PACKAGES, declared, families, methods, public_methods


def modules() -> list[str]:
    found = [module.name for module in pkgutil.walk_packages(ongage_async.__path__, "ongage_async.")]
    return ["ongage_async", *(name for name in found if not name.endswith("__main__"))]


def imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("ongage_async"):
            raise
        pytest.skip(f"needs {missing.name}")


@pytest.mark.parametrize("name", modules())
def test_what_a_module_promises_is_there_and_documented(name: str):
    module = imported(name)
    assert module.__doc__, f"{name} does not say what lives there"
    promised = getattr(module, "__all__", [])
    assert len(promised) == len(set(promised))
    for each in promised:
        thing = getattr(module, each)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert (inspect.getdoc(thing) or "").strip(), f"{name}.{each} has no docstring"


@pytest.mark.parametrize("name", ["ongage_async", "ongage_async.bulk", "ongage_async.models", "ongage_async.emulator"])
def test_what_is_imported_for_users_is_promised(name: str):
    module = imported(name)
    public = {each for each, thing in vars(module).items() if not each.startswith("_") and not inspect.ismodule(thing)}
    assert public - set(module.__all__) == set()
    assert all(hasattr(module, each) for each in module.__all__)


API_METHODS = [
    pytest.param(method, id=f"{vendor}-{name}")
    for vendor, (client, _) in PACKAGES.items()
    for name, method in methods(client).items()
]


@pytest.mark.parametrize("method", API_METHODS)
def test_an_api_method_says_its_cost_how_it_repeats_and_its_source(method: Any):
    text = inspect.getdoc(method) or ""
    first = text.partition("\n")[0]
    assert first.endswith(".")
    missing = [heading for heading in ("Cost: ", "Repeat: ", "Source: ") if f"\n{heading}" not in text]
    assert missing == []


@pytest.mark.parametrize("method", API_METHODS)
def test_the_arguments_that_are_explained_are_the_ones_there_are(method: Any):
    text = inspect.getdoc(method) or ""
    _, there, rest = text.partition("Args:\n")
    explained = re.findall(r"^    (\w+):", rest.partition("\n\n")[0], re.MULTILINE)
    parameters = [name for name in inspect.signature(method).parameters if name != "self"]
    if there:
        assert sorted(explained) == sorted(parameters)


@pytest.mark.parametrize("client", [OngageClient, OwnpageClient])
def test_every_public_method_of_a_client_has_a_docstring(client: type):
    assert [name for name, method in public_methods(client) if not inspect.getdoc(method)] == []


UNDONE_BY_NOTHING = {
    "Ongage": (
        *("contacts.change_status", "contacts.delete", "contacts.remove_v1", "imports.create", "mailings.abort"),
        *("transactional.send_many", "esp_connections.delete_addresses"),
    ),
    "Ownpage": ("subscribers.delete", "subscribers.delete_many", "files.create"),
}
"""Besides what is deleted by its verb, and what reaches people."""
WARNING = re.compile(r"for good|cannot be|SEND|LAUNCH|GO OUT|ACTIVE|sends an email")


@pytest.mark.parametrize("vendor", PACKAGES)
def test_what_cannot_be_undone_says_so_first(vendor: str):
    client, package = PACKAGES[vendor]
    known = methods(client)
    final = {
        operation.name
        for operation in declared(package)
        if operation.method == "DELETE" or operation.repeat is Repeat.NEVER
    }
    said = {
        name: (inspect.getdoc(known[name]) or "").partition("\n")[0] for name in {*final, *UNDONE_BY_NOTHING[vendor]}
    }
    assert {name: first for name, first in said.items() if not WARNING.search(first)} == {}


def test_all_families_are_looked_at():
    assert (len(families(ONGAGE)), len(families(OWNPAGE))) == (22, 10)
    assert len(methods(ONGAGE)) > 140
    assert all(inspect.getdoc(cls) for client in (ONGAGE, OWNPAGE) for cls in families(client).values())


def test_there_are_nine_calls_for_contacts_and_five_that_they_superseded():
    names = {operation.name for operation in declared(resources) if operation.name.startswith("contacts.")}
    assert (len(names), len({name for name in names if name.endswith("_v1")})) == (14, 5)
