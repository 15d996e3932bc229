"""From answers to models, for all resources: one object, a page, all pages, and what undocumented answers hold.

No vendor routes here, those are in the resources; no JSON typing, that is `models/_converter.py`.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Generic, Self, TypeVar

import attrs

from ongage_async._operation import Answer, Operation
from ongage_async.models import MutationResult, Page
from ongage_async.models._converter import OnDrift, structure, structure_many
from ongage_async.models._scalars import UnreadableError, to_int

T = TypeVar("T")

PAGE_SIZE = 50
"""Items per call of `each`: the vendor's own default according to one client; the maximum is not known (§1.5)."""


@attrs.frozen
class Reader:
    """Read the answers of one resource, and tell what the models do not know.

    Args:
        on_drift: Told once per answer for each unknown field or value.
    """

    on_drift: OnDrift | None = None

    def one(self, model_type: type[T], answer: Answer, operation: Operation) -> T:
        """Read one object."""
        return structure(model_type, answer.payload, operation=operation.name, on_drift=self.on_drift)

    def page(
        self, model_type: type[T], answer: Answer, operation: Operation, *, offset: int, limit: int | None
    ) -> Page[T]:
        """Read one page; `total` comes as a number, as text, or not at all (vendor page §1.4)."""
        items = structure_many(model_type, answer.payload, operation=operation.name, on_drift=self.on_drift)
        try:
            total = to_int(answer.metadata.get("total"))
        except UnreadableError:
            total = None
        return Page(items, total, offset, limit)

    def changed(self, model_type: type[T], answer: Answer, operation: Operation, *, known_id: int | None = None) -> T:
        """Read the object that a create or update answers with, in any shape.

        The vendor shows none of these answers (vendor page §6.2 #1, #8, #11): it may be the whole object, an array with
        it, its bare id, or nothing. What is no object is kept in the model's ``extra["payload"]``.

        Args:
            model_type: The model.
            answer: The answer.
            operation: The call.
            known_id: Id of the object that was updated, for an answer without one.

        Raises:
            DecodeError: No id is known and the answer holds none: it was most likely done all the same.
        """
        document = _as_object(answer.payload)
        if known_id is not None and document.get("id") in (None, ""):
            document = {**document, "id": known_id}
        return structure(model_type, document, operation=operation.name, on_drift=self.on_drift)

    def mutation(self, answer: Answer, operation: Operation) -> MutationResult:
        """Read the counters of a call that changes contacts; never fails over an answer to something that was done."""
        match answer.payload:
            case dict() as document:
                pass
            case [dict() as document]:
                pass
            case other:
                document = _rest(other)
        return structure(MutationResult, document, operation=operation.name, on_drift=self.on_drift)


def _as_object(payload: Any) -> dict[str, Any]:
    match payload:
        case dict():
            return payload
        case [only]:
            return _as_object(only)
        case int() | str() if not isinstance(payload, bool) and _is_id(payload):
            return {"id": payload}
        case _:
            return _rest(payload)


def _is_id(payload: int | str) -> bool:
    return isinstance(payload, int) or (payload.strip().isascii() and payload.strip().isdigit())


def _rest(payload: Any) -> dict[str, Any]:
    return {"payload": payload} if payload not in (None, [], "", True) else {}


class Each(Generic[T]):
    """Iterate over the items of all pages, each item once; pages are fetched as they are needed.

    It ends under every reading of the vendor's paging: at `total`, at a page that brings nothing new (past the end, or
    from a server that ignores `offset`), and without a total never by a short page alone, since the vendor's largest
    `limit` is not known. An object and not an async generator: it may be left at any time.
    """

    __slots__ = ("_fetch", "_is_over", "_key", "_offset", "_page_size", "_ready", "_seen")

    def __init__(
        self,
        fetch: Callable[[int, int], Awaitable[Page[T]]],
        *,
        key: Callable[[T], Hashable],
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._fetch = fetch
        self._key = key
        self._page_size = page_size
        self._offset = 0
        self._ready: deque[T] = deque()
        self._seen: set[Hashable] = set()
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._ready:
            if self._is_over:
                raise StopAsyncIteration
            self._take(await self._fetch(self._offset, self._page_size))
        return self._ready.popleft()

    def _take(self, page: Page[T]) -> None:
        for item in page:
            if (key := self._key(item)) not in self._seen:
                self._seen.add(key)
                self._ready.append(item)
        self._offset += len(page)
        is_all = page.total is not None and self._offset >= page.total
        self._is_over = is_all or not self._ready


def paging(sort: str | None, order: str | None, offset: int, limit: int | None) -> Mapping[str, Any]:
    """Return the query parameters of the offset style (vendor page §1.5); an offset of 0 is not sent."""
    return {"sort": sort, "order": order, "offset": offset or None, "limit": limit}
