"""A few words of JSON Schema, so that a family can say in a line what a body or an answer looks like.

Pure. Families build the shapes of their routes with these; `_openapi.py` puts them into the document. Objects are open:
the vendor's have keys that nobody listed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "ADDRESS",
    "ANY",
    "COUNT",
    "DIGIT",
    "EMPTY",
    "FLAG",
    "ID",
    "NUMERAL",
    "OBJECT",
    "SOME_TEXT",
    "TEXT",
    "TIME",
    "URL",
    "Schema",
    "array_of",
    "choice",
    "either",
    "map_of",
    "maybe",
    "record",
    "texts_of",
]

Schema = Mapping[str, Any]

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
SOME_TEXT: Schema = {"type": "string", "minLength": 1}
ADDRESS: Schema = {"type": "string", "format": "email"}
URL: Schema = {"type": "string", "format": "uri"}
ID: Schema = {"type": "integer", "minimum": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
TIME: Schema = {"type": "integer", "description": "Unix seconds, UTC"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
EMPTY: Schema = {"type": "array", "maxItems": 0, "description": "nothing, as PHP writes it"}
DIGIT: Schema = {"enum": ["0", "1"], "description": "a flag as text"}
NUMERAL: Schema = {"type": "string", "pattern": "^-?[0-9]+$", "description": "a whole number as text"}


def choice(*words: str) -> Schema:
    """Return the schema of one of some words."""
    return {"type": "string", "enum": list(words)}


def either(*schemas: Schema) -> Schema:
    """Return the schema of what fits at least one of these."""
    return {"anyOf": list(schemas)}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return either(schema, {"type": "null"})


def array_of(items: Schema, *, least: int = 0) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def map_of(values: Schema) -> Schema:
    """Return the schema of an object by name, which is ``[]`` when it is empty (§1.4)."""
    return either({"type": "object", "additionalProperties": values, "minProperties": 1}, EMPTY)


def record(required: Mapping[str, Schema] | None = None, /, **optional: Schema) -> Schema:
    """Return the schema of an object.

    Args:
        required: Keys that it must have.
        **optional: Keys that it may have; others are not ruled out.
    """
    needed = required or {}
    return {
        "type": "object",
        "properties": {**needed, **optional},
        **({"required": list(needed)} if needed else {}),
    }


def texts_of(names: Iterable[str], **known: Schema) -> Schema:
    """Return the schema of an object of the families that write everything as text.

    Args:
        names: Keys whose values are text or null.
        **known: Keys of another kind.
    """
    return record({name: known.get(name, maybe(TEXT)) for name in (*names, *known)})
