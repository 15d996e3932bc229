"""Make models from decoded JSON. The only file that knows cattrs.

`structure` and `structure_many` are what resources call. The rules: a key the model does not know goes to its `extra`;
so does a value that cannot be read, unless the field is strict (identity, an import's status), where the answer is
refused with its path; both are counted (`_drift.py`) and told to `on_drift`. Here it is worked out what the keys of a
model mean; objects are read by `_reading.py`, sloppy scalars by `_scalars.py`. No I/O.
"""

import enum
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

import attrs
from cattrs import Converter

from ongage_async._drift import LONGEST_NAME, count
from ongage_async.errors import DecodeError, mask
from ongage_async.events import DriftSeen
from ongage_async.models import _scalars, _shape
from ongage_async.models._enums import OpenIntEnum, OpenStrEnum
from ongage_async.models._reading import Plan, Read, Slot, read_many, read_one
from ongage_async.models._scalars import UnreadableError

M = TypeVar("M")
OnDrift = Callable[[DriftSeen], None]

_SCALARS: dict[Any, Read] = {
    int: _scalars.to_int,
    float: _scalars.to_float,
    bool: _scalars.to_bool,
    str: _scalars.to_text,
    datetime: _scalars.to_datetime,
    Mapping[str, Any]: _scalars.to_object,
}
_OFTEN: dict[Any, Mapping[str, Any]] = {
    int: {"0": 0, "1": 1},
    bool: _scalars.FLAGS,
    datetime: {"0": None, "": None},
}
"""Texts that come often, read already; enumerations add their members."""


def structure(model_type: type[M], payload: Any, *, operation: str, on_drift: OnDrift | None = None) -> M:
    """Make one model from a payload.

    Args:
        model_type: The attrs class.
        payload: Any JSON value; ``[]`` is taken as an empty object.
        operation: Dotted name, for the error.
        on_drift: Told once for each unknown field and unknown value.

    Raises:
        DecodeError: It is no object, or a strict field is missing or unreadable; `path` says where.
    """
    try:
        model: M = read_one(_plan(model_type), payload)
    except UnreadableError as error:
        raise _decode_error(model_type, error, operation) from None
    _tell([model], on_drift)
    return model


def structure_many(
    model_type: type[M], payload: Any, *, operation: str, on_drift: OnDrift | None = None
) -> tuple[M, ...]:
    """Make the models of a collection.

    Args:
        model_type: The attrs class of one item.
        payload: An array; null and ``{}`` are empty ones; an object is a single item (vendor page §6.1 #6), or an array
            if its keys are all numbers, as PHP writes an array that has gaps.
        operation: Dotted name, for the error.
        on_drift: Told once for each unknown field and unknown value.

    Raises:
        DecodeError: An item cannot be read; `path` says which, as in ``$.payload[3].id``.
    """
    items, place = _items(payload)
    try:
        models: list[M] = read_many(_plan(model_type), items, place)
    except UnreadableError as error:
        raise _decode_error(model_type, error, operation) from None
    _tell(models, on_drift)
    return tuple(models)


def _items(payload: Any) -> tuple[list[Any], Callable[[int], tuple[str | int, ...]]]:
    if isinstance(payload, list):
        return payload, lambda index: (index,)
    if _scalars.is_nothing(payload):
        return [], lambda _index: ()
    if isinstance(payload, Mapping) and all(isinstance(key, str) and key.isdecimal() for key in payload):
        keys = list(payload)
        return list(payload.values()), lambda index: (keys[index],)
    return [payload], lambda _index: ()


def _decode_error(model_type: type[Any], error: UnreadableError, operation: str) -> DecodeError:
    path = "$.payload" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.place)
    return DecodeError(
        f"no {model_type.__name__} can be read from the answer: {error.expected} was expected at {path}",
        path=path,
        operation=operation,
    )


# --- one plan per class -----------------------------------------------------------------------------------------------


_PLANS: dict[type[Any], Plan] = {}
_FACTORY: type[Any] = attrs.Factory  # type: ignore[assignment]  # the stub says it is a function


def _plan(model_type: type[Any]) -> Plan:
    if model_type not in _PLANS:
        _PLANS[model_type] = _make_plan(model_type)
    return _PLANS[model_type]


def _make_plan(model_type: type[Any]) -> Plan:
    known = [a for a in attrs.fields(model_type) if a.name != "extra" and _shape.REST not in a.metadata]
    key = {a.name: a.metadata.get(_shape.KEY) or a.name for a in known}
    fresh = {a.name: a.default.factory for a in known if isinstance(a.default, _FACTORY)}
    return Plan(
        model_type=model_type,
        slots=tuple(_slot(key[a.name], a) for a in known),
        keys=frozenset(key.values()),
        scalars=frozenset(key[a.name] for a in known if _is_scalar(_bare(a.type))),
        blank={
            a.name: None if isinstance(a.default, _FACTORY) or a.default is attrs.NOTHING else a.default
            for a in attrs.fields(model_type)
            if a.name not in fresh
        },
        fresh=tuple(fresh.items()),
        required=tuple((a.name, key[a.name]) for a in known if a.default is attrs.NOTHING),
        one_of=getattr(model_type, "ONE_OF", ()),
        rest=next((a.name for a in attrs.fields(model_type) if _shape.REST in a.metadata), None),
        enums=tuple(
            (attrgetter(a.name), key[a.name], frozenset({None, *_bare(a.type)}))
            for a in known
            if _is_open_enum(_bare(a.type))
        ),
        nested=tuple(a.name for a in known if _is_models(a.type)),
    )


def _slot(key: str, attribute: "attrs.Attribute[Any]") -> Slot:
    bare = _bare(attribute.type)
    exact = bare if bare in (int, str, bool) else None  # a float may be infinite
    return key, attribute.name, exact, _often(bare), _reader(bare), attribute.metadata.get(_shape.STRICT, False)


def _often(bare: Any) -> Mapping[str, Any]:
    """Return what the texts mean that come often where a value of this type is expected."""
    if _is_open_enum(bare):
        return {str(member.value): member for member in bare}
    return _OFTEN.get(bare, {})


def _reader(bare: Any) -> Read:
    """Return the function that reads a value of this type."""
    if bare in _SCALARS:
        return _SCALARS[bare]
    if bare is Any:
        return lambda value: value
    if _is_open_enum(bare):  # not by dispatch: cattrs takes a StrEnum for text, as it is a subclass
        return _enum_reader(bare)
    hook = _CONVERTER.get_structure_hook(bare)
    return lambda value: hook(value, bare)


def _bare(annotation: Any) -> Any:
    """Return ``X`` for ``X | None``."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    return annotation


# --- hooks ------------------------------------------------------------------------------------------------------------


def _is_model(cls: Any) -> bool:
    return isinstance(cls, type) and attrs.has(cls) and "extra" in attrs.fields_dict(cls)


def _is_models(annotation: Any) -> bool:
    return typing.get_origin(annotation) is tuple and _is_model(typing.get_args(annotation)[0])


def _is_scalar(cls: Any) -> bool:
    return _is_open_enum(cls) or cls in (int, float, bool, str, datetime)


def _is_open_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, (OpenStrEnum, OpenIntEnum))


def _model_hook(cls: type[Any]) -> Callable[[Any, Any], Any]:
    plan = _plan(cls)
    return lambda value, _type: read_one(plan, value)


def _models_hook(annotation: Any) -> Callable[[Any, Any], Any]:
    plan = _plan(typing.get_args(annotation)[0])
    return lambda value, _type: tuple(read_many(plan, *_items(value)))


def _enum_reader(cls: type[enum.Enum]) -> Read:
    to_scalar = _scalars.to_int if issubclass(cls, int) else _scalars.to_text
    make = lru_cache(maxsize=64)(cls)  # an unknown value comes again with the next object

    def read_enum(value: Any) -> Any:
        scalar = to_scalar(value)
        return None if _scalars.is_nothing(scalar) else make(scalar)

    return read_enum


_CONVERTER = Converter(detailed_validation=False)
_CONVERTER.register_structure_hook_factory(_is_model, _model_hook)
_CONVERTER.register_structure_hook_factory(_is_models, _models_hook)


# --- drift ------------------------------------------------------------------------------------------------------------


def _tell(models: list[Any], on_drift: OnDrift | None) -> None:
    """Count what the models of one answer do not know, and tell it; each field and value once."""
    seen = dict.fromkeys(_drifts(models))
    if not seen:
        return
    count(seen)
    if on_drift is not None:
        for drift in seen:
            on_drift(drift)


def _drifts(models: Sequence[Any]) -> list[DriftSeen]:
    """Return what models of one class do not know, and then the models in them."""
    if not models:
        return []
    name, plan = type(models[0]).__name__, _plan(type(models[0]))
    found = [
        _sighting(name, key if len(key) <= LONGEST_NAME else mask(key)[:LONGEST_NAME], key in plan.keys)
        for key in dict.fromkeys(chain.from_iterable(map(_EXTRA, models)))
    ]
    for value_of, key, known in plan.enums:
        if not known.issuperset(map(value_of, models)):
            found.append(_sighting(name, key, True))
    for attribute in plan.nested:
        found += _drifts([inner for model in models for inner in getattr(model, attribute)])
    return found


_EXTRA = attrgetter("extra")


@lru_cache(maxsize=256)
def _sighting(model: str, key: str, is_value: bool) -> DriftSeen:
    """Return the same object for what comes again with each answer: it is made and counted in half the time."""
    return DriftSeen(model, mask(key)[:LONGEST_NAME], "value" if is_value else "field")
