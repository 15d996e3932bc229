"""The same models by pydantic and msgspec, made from the attributes of ours; and json alone.

Pydantic reads what ours reads: unknown keys kept, an unknown word of an enumeration kept, 0 as "never", numbers and
flags as text. It refuses a whole page for one value that cannot be read, counts nothing, and does not tell the list's
own fields from the vendor's new ones. msgspec forgets what is unknown and takes enumerations as text: it is the limit.
"""

import enum
import json
import types
import typing
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

import attrs
import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from ongage_async.models import Contact, MailingList

__all__ = ["contacts", "mailing_list", "new_contacts", "settings"]

Work = Callable[[], Any]


def contacts(body: bytes) -> dict[str, Work]:
    """Return how the others read a page of contacts."""
    return _readers(body, _pydantic(Contact), _msgspec(Contact), lambda item: tuple[item, ...])


def mailing_list(body: bytes) -> dict[str, Work]:
    """Return how the others read a list."""
    return _readers(body, _pydantic(MailingList), _msgspec(MailingList), lambda item: item)


def new_contacts(rows: Sequence[Contact]) -> dict[str, Work]:
    """Return how the others write the body of `contacts.create`."""
    model = create_model("NewContact", email=(str, ...), overwrite=(bool, True), fields=(dict[str, Any], ...))
    body = create_model("Body", rows=(list[model], ...))
    struct = msgspec.defstruct("NewContact", [("email", str), ("overwrite", bool), ("fields", dict[str, Any])])

    def pydantic() -> bytes:
        made = body(rows=[model(email=row.email, fields=row.fields) for row in rows])
        return made.__pydantic_serializer__.to_json(made)

    return {
        "pydantic": pydantic,
        "msgspec": lambda: msgspec.json.encode([struct(row.email, True, row.fields) for row in rows]),
        "json": lambda: _dumped([{"email": row.email, "overwrite": True, "fields": row.fields} for row in rows]),
    }


def settings(body: bytes, names: Sequence[str]) -> dict[str, Work]:
    """Return how the others write some of a list's settings."""
    model = _pydantic(MailingList).model_validate(json.loads(body)["payload"])
    struct = msgspec.convert(json.loads(body)["payload"], _msgspec(MailingList), strict=False)
    include = set(names)
    return {
        "pydantic": lambda: model.model_dump_json(include=include, exclude_none=True),
        "msgspec": lambda: msgspec.json.encode({name: getattr(struct, name) for name in names}),
        "json": lambda: _dumped({name: getattr(struct, name) for name in names}),
    }


def _readers(
    body: bytes, model: type[BaseModel], struct: type[msgspec.Struct], shape: Callable[[Any], Any]
) -> dict[str, Work]:
    answer = create_model("Answer", payload=(shape(model), ...))
    decoder = msgspec.json.Decoder(msgspec.defstruct("Answer", [("payload", shape(struct))]), strict=False)
    return {
        "pydantic": lambda: answer.model_validate_json(body).payload,
        "pydantic, after json.loads": lambda: answer.model_validate(json.loads(body)).payload,
        "msgspec": lambda: decoder.decode(body).payload,
        "json": lambda: json.loads(body)["payload"],
    }


def _dumped(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


# --- the classes ------------------------------------------------------------------------------------------------------


def _pydantic(model_type: type[Any]) -> type[BaseModel]:
    fields = {name: (_lenient(kind), Field(default=None, alias=key)) for name, key, kind in _attributes(model_type)}
    config = ConfigDict(extra="allow", coerce_numbers_to_str=True)
    return create_model(model_type.__name__, __config__=config, **fields)  # type: ignore[call-overload]


def _lenient(kind: Any) -> Any:
    if kind is datetime:
        return Annotated[datetime | None, BeforeValidator(lambda value: None if value in (0, "0", "") else value)]
    if _is_enum(kind):
        return Annotated[kind | str | None, BeforeValidator(lambda value: value or None)]
    return Any if kind is Any else kind | None


def _msgspec(model_type: type[Any]) -> type[msgspec.Struct]:
    attributes = _attributes(model_type)
    fields = [
        (name, Any if kind is Any else (str if _is_enum(kind) else kind) | None, None) for name, _, kind in attributes
    ]
    return msgspec.defstruct(model_type.__name__, fields, rename={name: key for name, key, _ in attributes}.get)


def _attributes(model_type: type[Any]) -> list[tuple[str, str, Any]]:
    """Return the attributes that have a key of their own: name, key, type without None."""
    return [
        (a.name, a.metadata.get("wire_key") or a.name, _bare(a.type))
        for a in attrs.fields(model_type)
        if a.name not in ("extra", "fields")
    ]


def _bare(annotation: Any) -> Any:
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    return annotation


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)
