"""Read what speaks Arrow: data frames and query results by their C stream, and Parquet files.

arro3 is imported here and nowhere else. It is the smallest reader (11 MB, and 23 more for Parquet; pyarrow 170) that
takes the string views which Polars sends: nanoarrow 0.9 ended the process on them. It makes Python values of rows of
seven columns in half the time of pyarrow.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ongage_async.bulk.sources._rows import TypedSource
from ongage_async.errors import ConfigurationError, CSVError

__all__ = ["is_arrow", "open_arrow", "open_parquet"]

SLICE_ROWS = 1_024


def is_arrow(source: object) -> bool:
    """Tell whether it gives an Arrow stream: a data frame, a table, a query's result."""
    return hasattr(source, "__arrow_c_stream__")


def open_arrow(source: Any) -> TypedSource:
    """Open what gives an Arrow stream.

    Raises:
        CSVError: The stream cannot be read, or is no table.
        ConfigurationError: arro3 is not installed.
    """
    core = _load("arro3.core", "arrow")
    name = type(source).__name__
    with _errors_of_arro3(name):
        reader = core.RecordBatchReader.from_stream(source)
    return _open(name, reader, None)


def open_parquet(path: Path) -> TypedSource:
    """Open a Parquet file.

    Raises:
        CSVError: It is damaged.
        ConfigurationError: arro3 is not installed.
    """
    parquet = _load("arro3.io", "parquet")
    with _errors_of_arro3(path.name):
        reader = parquet.read_parquet(path)
    return _open(path.name, reader, path.stat().st_size)


def _open(name: str, reader: Any, size_bytes: int | None) -> TypedSource:
    columns = list(reader.schema.names)
    return TypedSource(name, columns, _records(name, reader), size_bytes=size_bytes)


def _records(name: str, reader: Any) -> Iterator[tuple[Any, ...]]:
    batches = iter(reader)
    while True:
        with _errors_of_arro3(name):
            batch = next(batches, None)
        if batch is None:
            return
        for start in range(0, batch.num_rows, SLICE_ROWS):
            piece = batch.slice(start, min(SLICE_ROWS, batch.num_rows - start))
            yield from zip(*(column.to_pylist() for column in piece.columns), strict=True)


@contextmanager
def _errors_of_arro3(name: str) -> Iterator[None]:
    """Rename them: `Exception` itself, `ValueError`, or a panic of its Rust code, which is no `Exception` at all."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        hint = "; cast columns without any value to text" if '"Null"' in str(error) else ""
        raise CSVError(f"{name} cannot be read as Arrow ({error}){hint}", reason="not readable as Arrow") from None


def _load(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"reading this needs arro3: pip install 'ongage-async[{extra}]'; or pass a CSV file, or mappings"
        ) from None
