"""Errors as values: every one pickles, with what it knows and without what it must not tell."""

import pickle

import pytest

from ongage_async import errors

ALL = [getattr(errors, name) for name in errors.__all__ if isinstance(getattr(errors, name), type)]


@pytest.mark.parametrize("kind", [kind for kind in ALL if issubclass(kind, errors.OngageError)])
def test_every_error_pickles_with_its_notes(kind: type[errors.OngageError]):
    error = kind("what happened to john@doe.com", operation="contacts.create", attempts=2)
    error.add_note("attempt 1")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.attempts, again.__notes__) == (str(error), 2, ["attempt 1"])
    assert "john" not in str(again)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("john@doe.com is there", "‹address› is there"),
        ("GET /by_email/john%40doe.com", "GET /by_email/‹address›"),
        ("https://a.b/c.csv?X-Signature=1", "https://a.b/c.csv?‹query›"),
        ("see https://a.b/c?to=john@doe.com, please?", "see https://a.b/c?‹query› please?"),
        ("nothing to hide?", "nothing to hide?"),
    ],
)
def test_addresses_and_queries_are_blotted_out(text: str, masked: str):
    assert errors.mask(text) == masked
