"""Read objects of JSON into models: one object key by key, a page column by column.

By columns, each step is done once for a page and not for each value: a page of a hundred contacts takes two thirds of
the time. Both ways make the same models and the same errors: what has to be refused is read again key by key, which
tells the place. What the keys of a model mean is worked out in `_converter.py`, the only caller. Pure.
"""

import types
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ongage_async.models import _scalars
from ongage_async.models._scalars import UnreadableError

Read = Callable[[Any], Any]

_VENDORS = "ocx_"
"""How the names of the vendor's own fields of a contact begin (vendor page §3.3)."""

_COLUMNS_FROM = 20
"""Objects from which on columns are faster: setting about a column costs as much as twenty of its values."""

_TOLD_APART = ({str}, {int}, {bool})
"""Kinds of columns in which equal values are the same; where they are mixed, 1 and True are equal and are not."""

_AT_ONCE: dict[Read, Callable[[list[str]], list[Any]]] = {
    _scalars.to_int: _scalars.to_ints,
    _scalars.to_datetime: _scalars.to_datetimes,
}
"""How a whole column of texts is read, where that is faster than one by one."""

Slot = tuple[str, str, type[Any] | None, Mapping[str, Any], Read, bool]
"""How one key becomes one attribute: key, attribute, type of the values that are taken as they are, texts that come
often and what they mean, reader of all others, whether the model is refused when it cannot read. A bare tuple: taking a
named one apart costs twice as much."""


@attrs.frozen
class Plan:
    """Hold what is worked out once per model.

    Attributes:
        model_type: The model.
        slots: One per attribute that has a key of its own.
        keys: Theirs.
        scalars: Those of them whose values, once read, can be shared between models, since nobody can change them.
        blank: What each attribute is where nothing is said; `rest` and `extra` too, which are set last, so that the
            dict of a model grows once.
        fresh: Attributes whose blank is made anew for each model, and what makes it.
        required: Attributes and keys without which nothing can be read.
        one_of: Attributes of which one at least must have a value.
        rest: Attribute that takes what is unknown and not the vendor's own.
        enums: For each open enumeration, what gets its value of a model, its key, and the values that are known.
        nested: Attributes that hold models.
    """

    model_type: type[Any]
    slots: tuple[Slot, ...]
    keys: frozenset[str]
    scalars: frozenset[str]
    blank: Mapping[str, Any]
    fresh: tuple[tuple[str, Callable[[], Any]], ...]
    required: tuple[tuple[str, str], ...]
    one_of: tuple[str, ...]
    rest: str | None
    enums: tuple[tuple[Callable[[Any], Any], str, frozenset[Any]], ...]
    nested: tuple[str, ...]


def read_many(plan: Plan, items: list[Any], place: Callable[[int], tuple[str | int, ...]]) -> list[Any]:
    """Return the models of many objects.

    Args:
        plan: Of their model.
        items: JSON values.
        place: Returns where an item stands, from its index.

    Raises:
        UnreadableError: An item has to be refused.
    """
    if len(items) >= _COLUMNS_FROM:
        try:
            return _read_columns(plan, items)
        except UnreadableError:
            pass  # the other way knows which of them, or that [] is an object too
    models: list[Any] = []
    try:
        for item in items:
            models.append(read_one(plan, item))  # noqa: PERF401  # the length says where it broke
    except UnreadableError as error:
        raise error.inside(*place(len(models))) from None
    return models


# --- one object -------------------------------------------------------------------------------------------------------


def read_one(plan: Plan, value: Any) -> Any:
    """Return the model of one object: a flat loop, for there are objects of sixty keys.

    Raises:
        UnreadableError: It has to be refused.
    """
    left = _object(value).copy()  # what no slot takes stays in it
    take = left.pop
    unreadable: dict[str, Any] = {}
    model: Any = object.__new__(plan.model_type)
    values = model.__dict__  # filled in one go: a frozen class's own __init__ pays for each attribute
    values.update(plan.blank)
    for key, attribute, exact, often, read, strict in plan.slots:
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
    if plan.rest is not None:
        values[plan.rest], left = _parted(left)
    values["extra"] = {**left, **unreadable} if left or unreadable else {}
    _check_identity(plan, values)
    return model


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


def _check_identity(plan: Plan, values: Mapping[str, Any]) -> None:
    for attribute, key in plan.required:
        if values[attribute] is None:
            raise UnreadableError("a value", key)
    for name in plan.one_of:
        if not _scalars.is_nothing(values[name]):
            return
    if plan.one_of:
        raise UnreadableError(" or ".join(plan.one_of))


# --- many objects -----------------------------------------------------------------------------------------------------


_Values = dict[str, Any]
"""The attributes of a model that is being made."""


def _read_columns(plan: Plan, items: list[Any]) -> list[Any]:
    if set(map(type, items)) != {dict}:
        raise UnreadableError("objects")
    lefts = [item.copy() for item in items]  # what no slot takes stays in them
    models = [object.__new__(plan.model_type) for _ in items]
    everybody: list[_Values] = [model.__dict__ for model in models]
    for values in everybody:
        values.update(plan.blank)
    unreadable: list[tuple[_Values, str, Any]] = []
    nothing = [None] * len(items)
    for slot in plan.slots:
        key = slot[0]
        column = [left.pop(key, None) for left in lefts]
        if column != nothing:
            unreadable += _fill(slot, everybody, column, is_scalar=key in plan.scalars)
    for attribute, make in plan.fresh:
        for values in everybody:
            values.setdefault(attribute, make())
    _keep(plan.rest, everybody, lefts)
    for values, key, raw in unreadable:
        values["extra"][key] = raw
    _check_identities(plan, everybody)
    return models


def _fill(slot: Slot, where: list[_Values], said: list[Any], *, is_scalar: bool) -> list[tuple[_Values, str, Any]]:
    """Set one attribute of many models; return whose value cannot be read, and its key and the value."""
    _, attribute, exact, often, read, _ = slot
    kinds = set(map(type, said))
    if types.NoneType in kinds:
        kinds.discard(types.NoneType)
        where = [values for values, raw in zip(where, said, strict=True) if raw is not None]
        said = [raw for raw in said if raw is not None]
    try:
        if kinds == {exact}:
            told = said
        elif kinds == {str} and read in _AT_ONCE:
            told = _AT_ONCE[read](said)
        elif is_scalar and kinds in _TOLD_APART:
            meaning = {raw: _value(often, read, raw) for raw in set(said)}  # each different one is read once
            told = [meaning[raw] for raw in said]
        else:
            told = [_value(often, read, raw) for raw in said]
    except UnreadableError:
        return _fill_one_by_one(slot, where, said)
    for values, value in zip(where, told, strict=True):
        values[attribute] = value
    return []


def _value(often: Mapping[str, Any], read: Read, raw: Any) -> Any:
    return often[raw] if raw.__class__ is str and raw in often else read(raw)


def _fill_one_by_one(slot: Slot, where: list[_Values], said: list[Any]) -> list[tuple[_Values, str, Any]]:
    key, attribute, _, often, read, strict = slot
    unreadable: list[tuple[_Values, str, Any]] = []
    for values, raw in zip(where, said, strict=True):
        try:
            values[attribute] = _value(often, read, raw)
        except UnreadableError:
            if strict:
                raise
            unreadable.append((values, key, raw))
    return unreadable


def _keep(rest: str | None, everybody: list[_Values], lefts: list[dict[str, Any]]) -> None:
    """Set what no slot took: the list's own fields, and what is unknown."""
    if rest is None:
        for values, left in zip(everybody, lefts, strict=True):
            values["extra"] = {**left}
        return
    for values, left in zip(everybody, lefts, strict=True):
        values[rest] = left
        values["extra"] = {}
    for key in sorted(key for key in set[str]().union(*lefts) if key.startswith(_VENDORS)):
        for values, left in zip(everybody, lefts, strict=True):
            if key in left:
                values["extra"][key] = left.pop(key)


def _check_identities(plan: Plan, everybody: list[_Values]) -> None:
    for attribute, key in plan.required:
        if None in [values[attribute] for values in everybody]:
            raise UnreadableError("a value", key)
    unnamed = everybody if plan.one_of else []
    for name in plan.one_of:
        unnamed = [values for values in unnamed if _scalars.is_nothing(values[name])]
    if unnamed:
        raise UnreadableError(" or ".join(plan.one_of))
