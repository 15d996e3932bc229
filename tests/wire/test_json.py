"""JSON is read alike with msgspec and without it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ongage_async.models import _json

WITHOUT = _json._DECODER.decode
ODD = [
    *(b"", b" ", b"\xef\xbb\xbf{}", b"NaN", b"[-Infinity]", b'"\\ud800"', b'"\xed\xa0\x80"', b"\xff", b"1e999", b"-0"),
    *(b"9" * 40, b"9" * 5000, b"-9223372036854775809", b"1.5e-400", b'{"a":1,"a":2}', b"[1,]", b"01", b"{} {}"),
    *(b"[" * 100_000, b'"\t"', b'"\\/"', b'"\\ud83d\\ude00"', b'{"\xc3\xa9":"\xe2\x82\xac"}', b" [1 , 2]\r\n"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def told(decode: Callable[[bytes], Any], body: bytes) -> tuple[str, str]:
    """Return what is read, with the types of it all, or the kind of refusal."""
    try:
        return "read", repr(decode(body))
    except (ValueError, RecursionError) as error:
        return "refused", "too deep" if isinstance(error, RecursionError) else "no JSON"


def without(body: bytes) -> Any:
    return WITHOUT(body.decode().removeprefix("\ufeff"))


def test_msgspec_is_here_to_be_examined():
    assert _json._fast() is not None


@pytest.mark.parametrize("body", ODD, ids=lambda body: repr(body[:16]))
def test_odd_bodies_are_read_alike(body: bytes):
    assert told(_json.decode, body) == told(without, body)


@settings(deadline=None)
@given(
    VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=12)
    | st.text('[]{}",:0-9eE.+ntf').map(str.encode)
)
def test_any_bytes_are_read_alike(body: bytes):
    """Numbers keep their size and kind, names their last value, and what is refused is refused by both."""
    assert told(_json.decode, body) == told(without, body)


def test_without_msgspec_the_standard_library_reads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_json, "_fast", lambda: None)
    assert _json.decode(b'{"a": [1, "x"]}') == {"a": [1, "x"]}


def test_a_missing_msgspec_is_noticed_once(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(_json, "import_module", missing)
    assert _json._fast.__wrapped__() is None
