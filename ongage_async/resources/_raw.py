"""Bodies of calls whose keys are known in part only: the known ones, and the caller's own beside them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from ongage_async.errors import InvalidInputError
from ongage_async.resources._inputs import given

Objects = Sequence[Mapping[str, Any]]


def body_of(extra: Mapping[str, Any] | None, **known: Any) -> dict[str, Any]:
    """Return a body of the known keys that are not None, and of `extra`.

    Args:
        extra: Keys that this library does not know, as they are.
        known: Keys that it knows; a time becomes Unix seconds, a sequence a list.

    Raises:
        InvalidInputError: A key comes twice: by its own argument and in `extra`.
    """
    body = {key: _listed(value) for key, value in given(**known).items()}
    if twice := sorted(set(body) & set(extra or {})):
        raise InvalidInputError(f"{twice[0]} is given twice: by its own argument and in extra")
    return {**body, **(extra or {})}


def _listed(value: Any) -> Any:
    match value:
        case str() | bytes():
            return value
        case Mapping():
            return dict(value)
        case Sequence() | set() | frozenset():
            return [_listed(each) for each in value]
        case _:
            return value


def ids(values: Sequence[int] | int | None, name: str) -> list[int] | None:
    """Return ids as a list; one alone is a list of one.

    Raises:
        InvalidInputError: One of them is no number.
    """
    if values is None:
        return None
    listed = [values] if isinstance(values, int) else list(values)
    if any(isinstance(each, bool) or not isinstance(each, int) for each in listed):
        raise InvalidInputError(f"{name} are numbers, the ids that the vendor gave")
    return listed
