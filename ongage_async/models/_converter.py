"""Make models from decoded JSON. The only file that knows cattrs.

`structure` and `structure_many` are what resources call. The rules: a key the model does not know goes to its `extra`;
so does a value that cannot be read, unless the field is strict (identity, an import's status), where the answer is
refused with its path; both are counted (`_drift.py`) and told to `on_drift`. Sloppy scalars are read by `_scalars.py`.
No I/O.
"""

import enum
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

import attrs
from cattrs import Converter

from ongage_async._drift import LONGEST_NAME, count
from ongage_async.errors import DecodeError, mask
from ongage_async.events import DriftSeen
from ongage_async.models import _scalars, _shape
from ongage_async.models._enums import OpenIntEnum, OpenStrEnum
from ongage_async.models._scalars import UnreadableError

M = TypeVar("M")
OnDrift = Callable[[DriftSeen], None]
_Read = Callable[[Any], Any]

_SCALARS: dict[Any, _Read] = {
    int: _scalars.to_int,
    float: _scalars.to_float,
    bool: _scalars.to_bool,
    str: _scalars.to_text,
    datetime: _scalars.to_datetime,
    Mapping[str, Any]: _scalars.to_object,
}


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
    models = _structure([payload], model_type, operation, lambda _index: ())
    _tell(models, on_drift)
    return models[0]


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
    models = _structure(items, model_type, operation, place)
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


def _structure(
    items: list[Any], model_type: type[M], operation: str, place: Callable[[int], tuple[str | int, ...]]
) -> list[M]:
    read = cast("Callable[[Any, Any], M]", _CONVERTER.get_structure_hook(model_type))
    models: list[M] = []
    try:
        for item in items:
            models.append(read(item, model_type))  # noqa: PERF401  # the length says where it broke
    except UnreadableError as error:
        raise _decode_error(model_type, error.inside(*place(len(models))), operation) from None
    return models


def _decode_error(model_type: type[Any], error: UnreadableError, operation: str) -> DecodeError:
    path = "$.payload" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.place)
    return DecodeError(
        f"no {model_type.__name__} can be read from the answer: {error.expected} was expected at {path}",
        path=path,
        operation=operation,
    )


# --- one plan per class -----------------------------------------------------------------------------------------------


@attrs.frozen
class _Slot:
    """Say how the value of one key becomes one attribute."""

    attribute: str
    read: _Read
    strict: bool


@attrs.frozen
class _Plan:
    """Hold what is worked out once per model."""

    slots: Mapping[str, _Slot]
    required: tuple[tuple[str, str], ...]
    one_of: tuple[str, ...]
    rest: str | None
    enums: tuple[tuple[str, str], ...]
    nested: tuple[str, ...]


_PLANS: dict[type[Any], _Plan] = {}


def _plan(model_type: type[Any]) -> _Plan:
    if model_type not in _PLANS:
        _PLANS[model_type] = _make_plan(model_type)
    return _PLANS[model_type]


def _make_plan(model_type: type[Any]) -> _Plan:
    known = [a for a in attrs.fields(model_type) if a.name != "extra" and _shape.REST not in a.metadata]
    key = {a.name: a.metadata.get(_shape.KEY) or a.name for a in known}
    return _Plan(
        slots={key[a.name]: _Slot(a.name, _reader(a.type), a.metadata.get(_shape.STRICT, False)) for a in known},
        required=tuple((a.name, key[a.name]) for a in known if a.default is attrs.NOTHING),
        one_of=getattr(model_type, "ONE_OF", ()),
        rest=next((a.name for a in attrs.fields(model_type) if _shape.REST in a.metadata), None),
        enums=tuple((a.name, key[a.name]) for a in known if _is_open_enum(_bare(a.type))),
        nested=tuple(a.name for a in known if _is_models(a.type)),
    )


def _reader(annotation: Any) -> _Read:
    """Return the function that reads a value of this type; optional types are read like bare ones."""
    bare = _bare(annotation)
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


def _is_open_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, (OpenStrEnum, OpenIntEnum))


def _model_hook(cls: type[Any]) -> Callable[[Any, Any], Any]:
    plan = _plan(cls)
    slots, rest = plan.slots, plan.rest

    def read_model(value: Any, _type: Any) -> Any:
        values: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        spill = values.setdefault(rest, {}) if rest else extra
        for key, raw in _object(value).items():
            slot = slots.get(key)
            if slot is None:
                (extra if key.startswith("ocx_") else spill)[key] = raw
            elif raw is not None:
                try:
                    values[slot.attribute] = slot.read(raw)
                except UnreadableError as error:
                    if slot.strict:
                        raise error.inside(key) from None
                    extra[key] = raw
        _check_identity(plan, values)
        return cls(**values, extra=extra)

    return read_model


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and not value:
        return {}
    raise UnreadableError("an object")


def _check_identity(plan: _Plan, values: Mapping[str, Any]) -> None:
    for attribute, key in plan.required:
        if values.get(attribute) is None:
            raise UnreadableError("a value", key)
    for name in plan.one_of:
        if not _scalars.is_nothing(values.get(name)):
            return
    if plan.one_of:
        raise UnreadableError(" or ".join(plan.one_of))


def _models_hook(annotation: Any) -> Callable[[Any, Any], Any]:
    model_type = typing.get_args(annotation)[0]
    read = _CONVERTER.get_structure_hook(model_type)

    def read_models(value: Any, _type: Any) -> tuple[Any, ...]:
        items, place = _items(value)
        models: list[Any] = []
        try:
            for item in items:
                models.append(read(item, model_type))  # noqa: PERF401  # the length says where it broke
        except UnreadableError as error:
            raise error.inside(*place(len(models))) from None
        return tuple(models)

    return read_models


def _enum_reader(cls: type[enum.Enum]) -> _Read:
    to_scalar = _scalars.to_int if issubclass(cls, int) else _scalars.to_text

    known = {member.value: member for member in cls}

    def read_enum(value: Any) -> Any:
        if value.__class__ is str and value in known:  # the common case, at a third of the price
            return known[value]
        scalar = to_scalar(value)
        return None if _scalars.is_nothing(scalar) else cls(scalar)

    return read_enum


_CONVERTER = Converter(detailed_validation=False)
_CONVERTER.register_structure_hook_factory(_is_model, _model_hook)
_CONVERTER.register_structure_hook_factory(_is_models, _models_hook)


# --- drift ------------------------------------------------------------------------------------------------------------


_Trace = tuple[str, str, str]


def _tell(models: list[Any], on_drift: OnDrift | None) -> None:
    """Count what the models of one answer do not know, and tell it; each field and value once."""
    traces = dict.fromkeys(trace for model in models for trace in _traces(model))
    if not traces:
        return
    seen = dict.fromkeys(DriftSeen(model, mask(key)[:LONGEST_NAME], kind) for model, key, kind in traces)
    count(seen)
    if on_drift is not None:
        for drift in seen:
            on_drift(drift)


def _traces(model: Any) -> Iterator[_Trace]:
    name, plan = type(model).__name__, _plan(type(model))
    for key in model.extra:
        yield name, key, "value" if key in plan.slots else "field"
    for attribute, key in plan.enums:
        value = getattr(model, attribute)
        if value is not None and not value.is_known:
            yield name, key, "value"
    for attribute in plan.nested:
        for inner in getattr(model, attribute):
            yield from _traces(inner)
