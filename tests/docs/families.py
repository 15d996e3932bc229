"""The families of both clients as the docs see them: names as users write them, methods, and declared operations."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cached_property
from types import ModuleType
from typing import Any

from ongage_async import ApiKey, OngageClient, OwnpageClient, ownpage, resources
from ongage_async._operation import Operation

ONGAGE = OngageClient(ApiKey("key of nobody"))
OWNPAGE = OwnpageClient("token of nobody")


def families(client: OngageClient | OwnpageClient) -> dict[str, type]:
    """Return the class behind each attribute of a client that is a family."""
    names = [name for name, thing in vars(type(client)).items() if isinstance(thing, cached_property)]
    return {name: type(getattr(client, name)) for name in names if not name.startswith("_")}


def public_methods(cls: type) -> Iterator[tuple[str, Any]]:
    """Give the public methods of a class and of what it is made of."""
    for part in cls.__mro__[:-1]:
        for name, thing in vars(part).items():
            method = getattr(thing, "__func__", thing)
            if not name.startswith("_") and callable(method):
                yield name, method


def methods(client: OngageClient | OwnpageClient) -> dict[str, Any]:
    """Return the methods of all families, by their names as users write them: ``contacts.create``."""
    return {
        f"{family}.{name}": method for family, cls in families(client).items() for name, method in public_methods(cls)
    }


def declared(package: ModuleType) -> list[Operation]:
    """Return every `Operation` that a module of the package declares."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    things = [thing for name in names for thing in vars(importlib.import_module(name)).values()]
    return [thing for thing in things if isinstance(thing, Operation)]


PACKAGES: dict[str, tuple[OngageClient | OwnpageClient, ModuleType]] = {
    "Ongage": (ONGAGE, resources),
    "Ownpage": (OWNPAGE, ownpage),
}
