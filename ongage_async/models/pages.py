"""One page of a collection. Source: vendor page §1.5."""

from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """Hold the items of one page and where it lies.

    Attributes:
        items: In the vendor's order.
        total: Number of all items that match, not of this page; None when the answer does not tell.
        offset: Place of the first item in the whole.
        limit: How many were asked for; None when it was left to the vendor (50, according to one client).
    """

    items: tuple[T, ...]
    total: int | None = None
    offset: int = 0
    limit: int | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]
