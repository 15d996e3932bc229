"""The families of the API as typed methods, one file each; the client makes them, users call them.

A resource knows routes, parameters and models. It knows the engine as a `Caller`, and nothing below it.
"""

from ongage_async.resources.contacts import Contacts
from ongage_async.resources.imports import Imports
from ongage_async.resources.list_fields import ListFields
from ongage_async.resources.lists import Lists

__all__ = ["Contacts", "Imports", "ListFields", "Lists"]
