"""The endpoint families, one file each; a new family adds its file and one line here.

A family is a tuple of `Route`s named ``ROUTES``; its handlers take a `Call` and return an `Answer` or raise a
`Refusal`.
"""

from ongage_async.emulator._router import Route
from ongage_async.emulator.families import contacts, imports, list_fields, lists

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (*contacts.ROUTES, *lists.ROUTES, *list_fields.ROUTES, *imports.ROUTES)
