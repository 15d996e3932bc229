"""Any JSON in every model that answers become, found by itself: a model that keeps all of it, or a DecodeError.

A model that is added is examined without a line here. What a value may become is worked out again in this file, from
the vendors' habits (numbers and flags as text, ``[]`` for an empty object, times as seconds or as ISO text) and not
from the reader.
"""

import importlib
import json
import math
import pickle
import pkgutil
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ongage_async.models
from ongage_async import webhook
from ongage_async.errors import DecodeError, mask
from ongage_async.events import DriftSeen
from ongage_async.models._converter import structure, structure_many


def response_models() -> list[type[Any]]:
    """Return every class that answers become: those whose `extra` keeps what they do not know."""
    modules = [
        importlib.import_module(f"ongage_async.models.{found.name}")
        for found in pkgutil.iter_modules(ongage_async.models.__path__)
    ]
    classes = {
        thing
        for module in modules
        for thing in vars(module).values()
        if isinstance(thing, type) and attrs.has(thing) and thing.__module__ == module.__name__
    }
    keepers = [each for each in classes if "extra" in attrs.fields_dict(each)]
    return sorted(
        (each for each in keepers if attrs.fields_dict(each)["extra"].hash is False), key=lambda c: c.__name__
    )


MODELS = response_models()
EACH_MODEL = pytest.mark.parametrize("model_type", MODELS, ids=lambda each: each.__name__)
FEW = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


def keys_of(model_type: type[Any]) -> dict[str, Any]:
    """Return what the wire calls the attributes."""
    known = [a for a in attrs.fields(model_type) if a.name != "extra" and not a.metadata.get("wire_rest")]
    return {a.metadata.get("wire_key") or a.name: a for a in known}


LIKE_NUMBERS = ["0", "1", "-5", " 7 ", "1.0", "0.5", "1e999", "60004", "9" * 25, "nan", "1_0", "²"]
LIKE_OTHERS = ["", " ", "true", "No", "[]", "{}", '{"a":1}', '"{}"', "Active", "READER", "a@b.c"]
LIKE_TIMES = ["2025-04-02T12:25:01.000Z", "2025-04-02 12:25", "0000-00-00"]
ODD = st.sampled_from([*LIKE_NUMBERS, *LIKE_OTHERS, *LIKE_TIMES])
NUMBERS = (
    st.integers() | st.integers(0, 2_000_000_000) | st.floats(allow_nan=False) | st.sampled_from([0, 1, 40003, 2**63])
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=6) | ODD
ALL_KEYS = sorted(
    {key for each in MODELS for key in keys_of(each)} | {"ocx_status", "ocx_new", "data_x", "new", "0", "extra"}
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(ALL_KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


def objects_for(model_type: type[Any], depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """Return objects that look like the model's: its keys, with values that mostly fit, and some of neither."""
    kinds = {key: _kind(a.type) for key, a in keys_of(model_type).items()}
    needed = {
        key for key, a in keys_of(model_type).items() if a.default is attrs.NOTHING or a.metadata.get("wire_strict")
    }
    fitting = {key: _fitting(kind, depth) | VALUES for key, kind in kinds.items()}
    must = {key: _fitting(kinds[key], depth) for key in needed | set(getattr(model_type, "ONE_OF", ()))}
    known = st.fixed_dictionaries(must, optional={key: fitting[key] for key in kinds.keys() - must.keys()})
    more = st.dictionaries(
        st.sampled_from(["new", "ocx_new", "data_x", "extra", "fields", "7"]) | st.text(max_size=3), VALUES, max_size=2
    )
    return st.builds(lambda rest, own: {**rest, **own}, more, known)


def _kind(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    return annotation


def _fitting(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    if kind in (int, float, datetime):
        return st.integers(0, 2_000_000_000) | st.integers(0, 2_000_000_000).map(str)
    if kind is bool:
        return st.sampled_from([True, False, 0, 1, "0", "1", "true"])
    if typing.get_origin(kind) is tuple and depth:
        (item, *_) = typing.get_args(kind)
        inner = objects_for(item, depth - 1) if attrs.has(item) else SCALARS
        return st.lists(inner, max_size=2) | st.just([])
    if typing.get_origin(kind) is Mapping:
        return st.dictionaries(st.text(max_size=3), VALUES, max_size=2) | st.just([])
    if isinstance(kind, type) and attrs.has(kind) and depth:
        return objects_for(kind, depth - 1)
    return st.text(max_size=6) | st.sampled_from(["Active", "sending", "40003", 40003, 2, "READER", "nl_click"])


def attempt(reading: Any, model_type: type[Any], payload: Any) -> Any:
    """Return what comes of a payload; a DecodeError must say where, any other error is a failure."""
    before = json.dumps(payload)
    drifts: list[DriftSeen] = []
    try:
        made = reading(model_type, payload, operation="test.get", on_drift=drifts.append)
    except DecodeError as error:
        if not error.path.startswith("$.payload"):
            pytest.fail(f"no place: {error.path}")
        made = None
    assert json.dumps(payload) == before
    return made, drifts


def examine_anything(model_type: type[Any], payload: Any) -> None:
    for reading in (structure, structure_many):
        made, _ = attempt(reading, model_type, payload)
        assert pickle.loads(pickle.dumps(made)) == made
        repr(made)


def examine_losses(model_type: type[Any], payload: dict[str, Any]) -> None:
    made, drifts = attempt(structure, model_type, payload)
    if made is None:
        return
    assert list(losses(made, payload)) == []
    unknown = {key for key in made.extra if key not in keys_of(model_type)}
    told = {drift.field for drift in drifts if drift.model == model_type.__name__ and drift.kind == "field"}
    assert {mask(key) for key in unknown} <= told


def losses(model: Any, raw: Mapping[str, Any], place: str = "$") -> Any:
    """Yield the places of what came and is not in the model any more, in any form."""
    known = keys_of(type(model))
    rest = next((getattr(model, a.name) for a in attrs.fields(type(model)) if a.metadata.get("wire_rest")), {})
    for key, value in raw.items():
        if key in model.extra or key in rest:
            kept = model.extra if key in model.extra else rest
            if kept[key] is not value and kept[key] != value:
                yield f"{place}.{key}"
        elif key not in known:
            yield f"{place}.{key}"
        else:
            attribute = known[key]
            yield from differences(getattr(model, attribute.name), value, _kind(attribute.type), f"{place}.{key}")


def differences(told: Any, raw: Any, kind: Any, place: str) -> Any:
    if attrs.has(type(told)):
        yield from losses(told, raw or {}, place)
    elif is_nothing(raw):
        if not (told is None or told in ((), {}, "") or told == raw):
            yield place
    elif told is None:
        if not (kind is datetime and number(raw) == 0):
            yield place
    elif isinstance(told, tuple):
        items = raw if isinstance(raw, list) else list(raw.values()) if _is_numbered(raw) else [raw]
        assert len(items) == len(told), place
        for index, (each, item) in enumerate(zip(told, items, strict=True)):
            yield from differences(each, item, type(each), f"{place}[{index}]")
    elif not says(told, raw):
        yield place


def says(told: Any, raw: Any) -> bool:
    """Tell whether a value is a faithful reading of what came."""
    if isinstance(told, bool):
        return str(raw).strip().lower() in (
            ("1", "true", "yes", "1.0") if told else ("0", "false", "no", "0.0", "-0.0")
        )
    if isinstance(told, datetime):
        seconds = number(raw)
        if seconds is not None:
            return math.isclose(told.timestamp(), seconds, abs_tol=1e-3)
        read = datetime.fromisoformat(raw.strip())
        return told == (read if read.tzinfo else read.replace(tzinfo=UTC))
    if isinstance(told, Mapping):
        return dict(told) == (json.loads(raw) if isinstance(raw, str) else raw) or (not told and json.loads(raw) == [])
    if isinstance(told, str):
        return told == (raw if isinstance(raw, str) else json.dumps(raw) if isinstance(raw, bool) else str(raw))
    if isinstance(told, int):
        return int(told) == (
            int(raw) if isinstance(raw, str) and raw.strip().removeprefix("-").isdigit() else number(raw)
        )
    return told == raw or (isinstance(told, float) and told == number(raw))


def number(raw: Any) -> float | None:
    try:
        return float(raw)
    except (TypeError, ValueError, OverflowError):
        return None


def is_nothing(raw: Any) -> bool:
    return raw is None or raw in ([], {}) or (isinstance(raw, str) and not raw.strip())


def _is_numbered(raw: Any) -> bool:
    return isinstance(raw, Mapping) and all(key.isdecimal() for key in raw)


def test_the_models_of_both_vendors_and_of_the_webhook_are_found() -> None:
    """The search itself is examined: these few must be among what it finds."""
    names = {each.__name__ for each in MODELS}
    assert {
        "Contact",
        "Mailing",
        "SegmentRule",
        "OwnpageFile",
        "OwnpageEvent",
        "WebhookEvent",
        "MutationResult",
    } <= names
    assert len(names) >= 38


@EACH_MODEL
def test_any_json_is_a_model_or_a_decode_error(model_type: type[Any]) -> None:
    """Nothing that can come makes another error, and reading changes nothing of what came."""
    FEW(given(VALUES | objects_for(model_type))(lambda payload: examine_anything(model_type, payload)))()


@EACH_MODEL
def test_nothing_that_came_is_lost(model_type: type[Any]) -> None:
    """Each key of the wire is an attribute that says the same, or in `extra` as it came, and told as drift."""
    FEW(given(objects_for(model_type))(lambda payload: examine_losses(model_type, payload)))()


@pytest.mark.proof
@EACH_MODEL
def test_nothing_is_lost_in_many_more_cases(model_type: type[Any]) -> None:
    """The same two questions, three hundred times for each model."""
    MANY(given(VALUES | objects_for(model_type))(lambda payload: examine_anything(model_type, payload)))()
    MANY(given(objects_for(model_type))(lambda payload: examine_losses(model_type, payload)))()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(objects_for(webhook.WebhookEvent) | VALUES, max_size=3) | VALUES)
def test_any_delivery_is_events_or_a_decode_error(document: Any) -> None:
    """A delivery of the webhook is read as a whole, with all of its events and keys, or refused."""
    try:
        events = webhook.parse(json.dumps(document))
    except DecodeError as error:
        if not error.path.startswith("$"):
            pytest.fail(f"no place: {error.path}")
        return
    assert len(events) == len(document)
    for event, raw in zip(events, document, strict=True):
        assert list(losses(event, raw)) == []
