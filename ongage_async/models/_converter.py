"""Make models from decoded JSON. The only file that knows cattrs.

`structure` and `structure_many` are what resources call. The rules: a key the model does not know goes to its `extra`;
so does a value that cannot be read, unless the field is strict (identity, an import's status), where the answer is
refused with its path; both are counted (`_drift.py`) and told to `on_drift`. Sloppy scalars are read by `_scalars.py`.
No I/O.
"""

import enum
import functools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
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

_VENDORS = "ocx_"
"""How the names of the vendor's own fields of a contact begin (vendor page §3.3)."""

_SCALARS: dict[Any, _Read] = {
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


_Slot = tuple[str, str, type[Any] | None, Mapping[str, Any], _Read, bool]
"""How one key becomes one attribute: key, attribute, type of the values that are taken as they are, texts that come
often and what they mean, reader of all others, whether the model is refused when it cannot read. A bare tuple: taking a
named one apart costs twice as much."""


@attrs.frozen
class _Plan:
    """Hold what is worked out once per model.

    Attributes:
        slots: One per attribute that has a key of its own.
        keys: Theirs.
        blank: What each of these attributes is where nothing is said.
        fresh: Attributes whose blank is made anew for each model, and what makes it.
        required: Attributes and keys without which nothing can be read.
        one_of: Attributes of which one at least must have a value.
        rest: Attribute that takes what is unknown and not the vendor's own.
        enums: Attributes and keys that hold an open enumeration.
        nested: Attributes that hold models.
    """

    slots: tuple[_Slot, ...]
    keys: frozenset[str]
    blank: Mapping[str, Any]
    fresh: tuple[tuple[str, Callable[[], Any]], ...]
    required: tuple[tuple[str, str], ...]
    one_of: tuple[str, ...]
    rest: str | None
    enums: tuple[tuple[str, str], ...]
    nested: tuple[str, ...]


_PLANS: dict[type[Any], _Plan] = {}
_FACTORY: type[Any] = attrs.Factory  # type: ignore[assignment]  # the stub says it is a function


def _plan(model_type: type[Any]) -> _Plan:
    if model_type not in _PLANS:
        _PLANS[model_type] = _make_plan(model_type)
    return _PLANS[model_type]


def _make_plan(model_type: type[Any]) -> _Plan:
    known = [a for a in attrs.fields(model_type) if a.name != "extra" and _shape.REST not in a.metadata]
    key = {a.name: a.metadata.get(_shape.KEY) or a.name for a in known}
    fresh = {a.name: a.default.factory for a in known if isinstance(a.default, _FACTORY)}
    return _Plan(
        slots=tuple(_slot(key[a.name], a) for a in known),
        keys=frozenset(key.values()),
        blank={a.name: None if a.default is attrs.NOTHING else a.default for a in known if a.name not in fresh},
        fresh=tuple(fresh.items()),
        required=tuple((a.name, key[a.name]) for a in known if a.default is attrs.NOTHING),
        one_of=getattr(model_type, "ONE_OF", ()),
        rest=next((a.name for a in attrs.fields(model_type) if _shape.REST in a.metadata), None),
        enums=tuple((a.name, key[a.name]) for a in known if _is_open_enum(_bare(a.type))),
        nested=tuple(a.name for a in known if _is_models(a.type)),
    )


def _slot(key: str, attribute: "attrs.Attribute[Any]") -> _Slot:
    bare = _bare(attribute.type)
    exact = bare if bare in (int, str, bool) else None  # a float may be infinite
    return key, attribute.name, exact, _often(bare), _reader(bare), attribute.metadata.get(_shape.STRICT, False)


def _often(bare: Any) -> Mapping[str, Any]:
    """Return what the texts mean that come often where a value of this type is expected."""
    if _is_open_enum(bare):
        return {str(member.value): member for member in bare}
    return _OFTEN.get(bare, {})


def _reader(bare: Any) -> _Read:
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


def _is_open_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, (OpenStrEnum, OpenIntEnum))


def _model_hook(cls: type[Any]) -> Callable[[Any, Any], Any]:
    """Return the function that reads a model: a page runs through it a hundred times, so it is one flat loop."""
    plan = _plan(cls)
    slots, blank, rest = plan.slots, plan.blank, plan.rest

    def read_model(value: Any, _type: Any) -> Any:
        left = _object(value).copy()  # what no slot takes stays in it
        take = left.pop
        unreadable: dict[str, Any] = {}
        model: Any = object.__new__(cls)
        values = model.__dict__  # filled in one go: a frozen class's own __init__ pays for each attribute
        values.update(blank)
        for key, attribute, exact, often, read, strict in slots:
            raw = take(key, None)
            if raw is None:
                continue
            if raw.__class__ is exact:
                values[attribute] = raw
            elif raw.__class__ is str and raw in often:
                values[attribute] = often[raw]
            else:
                try:
                    values[attribute] = read(raw)
                except UnreadableError as error:
                    if strict:
                        raise error.inside(key) from None
                    unreadable[key] = raw
        for attribute, make in plan.fresh:
            values.setdefault(attribute, make())
        if rest is not None:
            values[rest], left = _parted(left)
        values["extra"] = {**left, **unreadable} if left or unreadable else {}
        _check_identity(plan, values)
        return model

    return read_model


def _parted(unknown: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the list's own fields, and the vendor's that this version does not know."""
    if _VENDORS not in "".join(unknown):  # one search is a fifth of the price of a look at each key
        return unknown, {}
    vendors = {key: value for key, value in unknown.items() if key.startswith(_VENDORS)}
    return {key: value for key, value in unknown.items() if key not in vendors}, vendors


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and not value:
        return {}
    raise UnreadableError("an object")


def _check_identity(plan: _Plan, values: Mapping[str, Any]) -> None:
    for attribute, key in plan.required:
        if values[attribute] is None:
            raise UnreadableError("a value", key)
    for name in plan.one_of:
        if not _scalars.is_nothing(values[name]):
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
    make = functools.lru_cache(maxsize=64)(cls)  # an unknown value comes again with the next object

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


def _drifts(models: Sequence[Any]) -> Iterator[DriftSeen]:
    """Yield what models of one class do not know, and then the models in them."""
    if not models:
        return
    name, plan = type(models[0]).__name__, _plan(type(models[0]))
    for key in dict.fromkeys(key for model in models if model.extra for key in model.extra):
        yield DriftSeen(name, mask(key)[:LONGEST_NAME], "value" if key in plan.keys else "field")
    for attribute, key in plan.enums:
        values = [getattr(model, attribute) for model in models]
        if [value for value in values if value is not None and not value.is_known]:
            yield DriftSeen(name, key, "value")
    for attribute in plan.nested:
        yield from _drifts([inner for model in models for inner in getattr(model, attribute)])
