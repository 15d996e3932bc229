"""Read subscribers from a table: a file, several, or a data frame, by the contract of `_contract.py`.

For `subscribers.upsert_many` and `delete_many`; what a table is, and how it is opened, is `bulk/sources/`'s business.
"""

from collections.abc import AsyncGenerator, Mapping
from os import PathLike
from typing import Any

import anyio
import anyio.to_thread
from attrs import define, evolve

from ongage_async.bulk._fields import EMAIL, ColumnPlan, wrong_width
from ongage_async.bulk.sources._rowsource import Chunk, RowSource
from ongage_async.bulk.sources._sources import open_source
from ongage_async.ownpage._contract import UnknownColumns, plan_file

__all__ = ["BadRow", "is_table", "rows_in"]

AT_ONCE = 256
"""Rows that a worker thread reads at a time."""


@define
class BadRow:
    """A row that cannot be sent: too few cells, a NUL byte, a flag that is none.

    Attributes:
        reason: Where it stands, and what is wrong; no address.
    """

    reason: str


def is_table(source: Any) -> bool:
    """Say whether it is a path, several paths, or what gives an Arrow stream."""
    one = source[0] if isinstance(source, (list, tuple)) and source else source
    return isinstance(one, (str, PathLike, RowSource)) or hasattr(source, "__arrow_c_stream__")


async def rows_in(
    source: Any,
    *,
    mapping: Mapping[str, str | None] | None,
    encoding: str | None,
    delimiter: str | None,
    unknown: UnknownColumns,
    only_email: bool = False,
) -> AsyncGenerator[dict[str, Any] | BadRow]:
    """Iterate over the rows of a table, in memory that does not grow with it; an empty cell asks for nothing.

    Args:
        source: What `open_source` takes.
        mapping: As for `plan_file`.
        encoding: The source's encoding; None: found out.
        delimiter: The source's delimiter; None: found out.
        unknown: As for `plan_file`.
        only_email: Look at the addresses and at nothing else.

    Raises:
        CSVError: It cannot be used, or not be read on.
        ConfigurationError: It is nothing that holds rows, or `mapping` does not fit it.
    """
    opened = await anyio.to_thread.run_sync(lambda: open_source(source, encoding=encoding, delimiter=delimiter))
    try:
        plan = plan_file(opened.header, mapping=mapping, unknown=unknown)
        if only_email:
            plan = evolve(plan, sent=((plan.email, EMAIL),), needed=(), tests=(), rewrites=())
        table = _Table(opened, plan)
        while (chunk := await anyio.to_thread.run_sync(opened.chunk, AT_ONCE)) is not None:
            for row in table.rows(chunk):
                yield row
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(opened.close)


@define
class _Table:
    source: RowSource
    plan: ColumnPlan

    def rows(self, chunk: Chunk) -> list[dict[str, Any] | BadRow]:
        """Make rows of a chunk; a blank line is none."""
        numbered = ((at, cells) for at, cells in enumerate(chunk.rows) if cells)
        return [self._row(cells, chunk.first_row + at, chunk.faults.get(at)) for at, cells in numbered]

    def _row(self, cells: list[str], number: int, fault: str | None) -> dict[str, Any] | BadRow:
        stripped = [cell.strip() for cell in cells]
        if (reason := fault or self._fault(stripped)) is not None:
            return BadRow(f"{self.source.place(number)}: {reason}")
        for index, rewrite in self.plan.rewrites:
            stripped[index] = rewrite(stripped[index])
        row: dict[str, Any] = {name: stripped[index] for index, name in self.plan.sent if stripped[index]}
        if flag := row.get("subscribed"):
            row["subscribed"] = flag == "true"
        return row

    def _fault(self, cells: list[str]) -> str | None:
        if len(cells) != self.plan.width:
            return wrong_width(cells, self.source.header)
        if "\0" in "".join(cells):
            return "a NUL byte"
        return next((why for at, test, why in self.plan.tests if cells[at] and not test(cells[at])), None)
