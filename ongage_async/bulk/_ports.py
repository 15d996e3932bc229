"""Say what bulk loading needs of the resources, and what it tells whoever watches.

Protocols and values only. The real `imports` and `list_fields` fit them; so do the fakes of the tests.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol, TypeVar

from attrs import frozen

T = TypeVar("T")

__all__ = [
    "ImportSnapshot",
    "Imports",
    "ListField",
    "ListFields",
    "Lists",
    "Phase",
    "Progress",
    "ProgressListener",
    "RoadWish",
    "closing",
]

Phase = Literal["fields", "check", "stage", "create", "process", "settle"]
RoadWish = Literal["auto", "import", "calls"]
"""By which road a load shall go: by imports, by calls of some dozens of contacts, or as its plan advises."""


@frozen
class Progress:
    """Tell how far a phase of a load is.

    Attributes:
        phase: What is being done.
        done: How much of it is done.
        total: How much there is to do; None while that is not known.
        unit: What is counted: ``fields``, ``bytes``, ``files``, ``imports`` or ``%``.
        detail: While the vendor works: its status in words, ``Processing (46%)``; else empty.
    """

    phase: Phase
    done: float
    total: float | None
    unit: str
    detail: str = ""


ProgressListener = Callable[[Progress], None]


class ListField(Protocol):
    """A field of a list (vendor page §3.2)."""

    @property
    def name(self) -> str | None: ...
    @property
    def type(self) -> str | None: ...
    @property
    def format(self) -> str | None: ...
    @property
    def mandatory(self) -> bool | None: ...
    @property
    def default(self) -> Any: ...


class ListFields(Protocol):
    """The resource of a list's fields."""

    def each(self, *, list_id: int | None = None) -> AsyncIterator[ListField]:
        """Iterate over the fields of a list."""
        ...


class ListSettings(Protocol):
    """A list's own settings (vendor page §3.1)."""

    @property
    def imports_concurrent_limit(self) -> int | None: ...


class Lists(Protocol):
    """The resource of lists."""

    async def get(self, list_id: int) -> ListSettings:
        """Get a list with its settings."""
        ...


class ImportSnapshot(Protocol):
    """An import as it was at some moment (vendor page §4.4); counters are None where the vendor left them out."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str | None: ...
    @property
    def file_url(self) -> str | None: ...
    @property
    def status(self) -> int | None: ...
    @property
    def status_desc(self) -> str | None: ...
    @property
    def progress_pct(self) -> float | None: ...
    @property
    def total(self) -> int | None: ...
    @property
    def success(self) -> int | None: ...
    @property
    def failed(self) -> int | None: ...
    @property
    def duplicate(self) -> int | None: ...
    @property
    def existing(self) -> int | None: ...
    @property
    def not_existing(self) -> int | None: ...
    @property
    def incomplete(self) -> int | None: ...
    @property
    def invalid(self) -> int | None: ...
    @property
    def is_final(self) -> bool: ...
    @property
    def is_failed(self) -> bool: ...


class Created(Protocol):
    """What the creation of an import answers."""

    @property
    def id(self) -> int | None: ...


class Imports(Protocol):
    """The resource of imports."""

    async def create(
        self,
        *,
        file_url: str,
        import_action: Any = "add",
        csv_delimiter: str = ",",
        encoding: str = "UTF-8",
        overwrite: bool = False,
        ignore_empty: bool = False,
        fields: Any = None,
        list_id: int | None = None,
    ) -> Created:
        """Create an import; never repeated by itself when its outcome is unknown."""
        ...

    def watch(
        self,
        import_id: int,
        /,
        *,
        interval_s: float | None = None,
        just_created: bool = False,
        list_id: int | None = None,
    ) -> AsyncIterator[ImportSnapshot]:
        """Iterate over the changes of an import, to its end."""
        ...

    def each(
        self, *, sort: str | None = None, order: str | None = None, list_id: int | None = None
    ) -> AsyncIterator[ImportSnapshot]:
        """Iterate over the imports of a list."""
        ...


@asynccontextmanager
async def closing(iterator: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T]]:
    """Close an iterator at the end of the block, if it can be closed, instead of when the loop comes round to it."""
    try:
        yield iterator
    finally:
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()
