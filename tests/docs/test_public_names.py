"""What is public can be imported, is documented, and API methods say what they cost and how they repeat."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import ongage_async
from ongage_async import OngageClient
from ongage_async.resources import Contacts, Imports, ListFields, Lists

RESOURCES = (Contacts, Imports, ListFields, Lists)


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


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    for name, thing in vars(cls).items():
        if not name.startswith("_") and callable(getattr(thing, "__func__", thing)):
            yield name, getattr(thing, "__func__", thing)


API_METHODS = [
    pytest.param(method, id=f"{cls.__name__}.{name}") for cls in RESOURCES for name, method in public_methods(cls)
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


def test_every_public_method_of_the_client_has_a_docstring():
    assert [name for name, method in public_methods(OngageClient) if not inspect.getdoc(method)] == []


def test_there_are_nine_calls_for_contacts():
    assert len(dict(public_methods(Contacts))) == 9
