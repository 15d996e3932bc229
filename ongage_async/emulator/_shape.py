"""What a route takes and gives, said beside its handler: the document of the API is made from it.

Pure. `gives`, `pages`, `gives_bare` and `gives_file` are the four kinds of answer that the vendors have. A handler
does not look at its shape: what is refused is the handler's business, and tests hold the two to each other.
"""

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from ongage_async.emulator._schema import ANY, COUNT, TEXT, Schema, array_of, choice

__all__ = ["UNDESCRIBED", "Kind", "Shape", "gives", "gives_bare", "gives_file", "pages"]

Kind = Literal["payload", "page", "bare", "file"]

_PAGING: Mapping[str, Schema] = {"sort": TEXT, "order": choice("ASC", "DESC"), "offset": COUNT, "limit": COUNT}


@frozen(kw_only=True)
class Shape:
    """Describe what goes into a route and what comes out of it.

    Args:
        answer: Schema of the payload, or of the whole body where there is no envelope.
        kind: Whether the answer has an envelope, without or with a total, has none, or is a file.
        takes: Schema of the JSON body; None when the route takes none.
        path: Schemas of parameters of the path that are not what their name says.
        query: Parameters of the query; their names end in ``!`` when they are obligatory.
        refuses: Statuses of refusals beyond those that any call may meet.
        total: Schema of the total of a page.
        media: Media type of the answer.
        or_nothing: Whether the success may also be a 204.
    """

    answer: Schema
    kind: Kind = "payload"
    takes: Schema | None = None
    path: Mapping[str, Schema] = field(factory=dict)
    query: Mapping[str, Schema] = field(factory=dict)
    refuses: tuple[int, ...] = ()
    total: Schema = COUNT
    media: str = "application/json"
    or_nothing: bool = False


UNDESCRIBED = Shape(answer=ANY)  # what a route has that says nothing; a test finds those


def gives(
    payload: Schema,
    *refuses: int,
    takes: Schema | None = None,
    path: Mapping[str, Schema] | None = None,
    query: Mapping[str, Schema] | None = None,
) -> Shape:
    """Return the shape of a route that answers with a payload in the envelope."""
    return Shape(answer=payload, takes=takes, path=path or {}, query=query or {}, refuses=refuses)


def pages(row: Schema, *refuses: int, total: Schema = COUNT, query: Mapping[str, Schema] | None = None) -> Shape:
    """Return the shape of a route that answers with a page: an array, and the number of all rows."""
    asked = {**_PAGING, **(query or {})}
    return Shape(answer=array_of(row), kind="page", query=asked, refuses=refuses, total=total)


def gives_bare(
    body: Schema,
    *refuses: int,
    takes: Schema | None = None,
    path: Mapping[str, Schema] | None = None,
    query: Mapping[str, Schema] | None = None,
    or_nothing: bool = False,
) -> Shape:
    """Return the shape of a route whose success has no envelope."""
    return Shape(
        answer=body,
        kind="bare",
        takes=takes,
        path=path or {},
        query=query or {},
        refuses=refuses,
        or_nothing=or_nothing,
    )


def gives_file(media: str, *refuses: int, path: Mapping[str, Schema] | None = None) -> Shape:
    """Return the shape of a route that answers with a file."""
    return Shape(answer=TEXT, kind="file", path=path or {}, refuses=refuses, media=media)
