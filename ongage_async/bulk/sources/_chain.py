"""Read several sources of the same columns as one."""

from collections.abc import Callable, Mapping, Sequence

from ongage_async.bulk.sources._rowsource import Chunk, RowSource
from ongage_async.errors import CSVError

__all__ = ["ChainedSource"]


class ChainedSource:
    """Read several sources of the same columns, one after the other.

    All of them are opened once in the beginning: the seventh file's wrong header is known before the first row is read.
    Rows are numbered on through all of them; `place` tells the file.
    """

    def __init__(self, sources: Sequence[Callable[[], RowSource]]) -> None:
        self._waiting = list(sources)
        self._names: list[str] = []
        self._sizes: list[int | None] = []
        self.header: list[str] = []
        for opening in sources:
            self._examine(opening())
        self.name = f"{self._names[0]} and {len(sources) - 1} more"
        self.size_bytes = None if None in self._sizes else sum(size or 0 for size in self._sizes)
        self._starts: list[int] = []
        self._formats: Mapping[int, str] = {}
        self._before_bytes = self._rows_out = 0
        self._now, self._order = self._next()
        self.delimiter = self._now.delimiter

    def _examine(self, source: RowSource) -> None:
        source.close()
        columns = [name.strip() for name in source.header]
        self.header = self.header or columns
        if sorted(columns) != sorted(self.header):
            strange = sorted(set(columns) ^ set(self.header)) or columns
            raise CSVError(
                f"{source.name} has other columns than {self._names[0]} "
                f"(the difference: {', '.join(strange[:20])}): load it by itself",
                row=1,
                column=strange[0],
                reason="other columns",
            )
        self._names.append(source.name)
        self._sizes.append(source.size_bytes)

    def _next(self) -> tuple[RowSource, list[int] | None]:
        source = self._waiting.pop(0)()
        columns = [name.strip() for name in source.header]
        order = None if columns == self.header else [columns.index(name) for name in self.header]
        source.write_dates({order.index(at) if order else at: form for at, form in self._formats.items()})
        self._starts.append(self._rows_out)
        return source, order

    @property
    def read_bytes(self) -> int:
        return self._before_bytes + self._now.read_bytes

    def chunk(self, rows: int) -> Chunk | None:
        while (chunk := self._now.chunk(rows)) is None:
            if not self._waiting:
                return None
            self._before_bytes += self._now.read_bytes
            self._now.close()
            self._now, self._order = self._next()
        start, width = self._starts[-1], len(self.header)
        self._rows_out = start + chunk.first_row + len(chunk.rows) - 1
        taken = chunk.rows
        if self._order is not None:
            taken = [[row[at] for at in self._order] if len(row) == width else row for row in taken]
        return Chunk(taken, start + chunk.first_row, chunk.plain, chunk.faults)

    def place(self, row: int) -> str:
        index = max(i for i, start in enumerate(self._starts) if start < row)
        return f"{self._names[index]}:{row - self._starts[index]}"

    def write_dates(self, formats: Mapping[int, str]) -> None:
        self._formats = formats
        order = self._order
        self._now.write_dates({order[at] if order else at: form for at, form in formats.items()})

    def close(self) -> None:
        self._now.close()
