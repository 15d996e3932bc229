"""Open whatever holds rows: files, archives, the standard input, mappings, data frames, and many of them as one.

All kinds look the same to `_clean.py`, which reads them: a `RowSource`. Here is decided which kind it is; each kind is
at home in its own file.
"""

import hashlib
from collections.abc import AsyncIterable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ongage_async.bulk.sources._arrow import is_arrow, open_arrow, open_parquet
from ongage_async.bulk.sources._chain import ChainedSource
from ongage_async.bulk.sources._csv import CSVSource
from ongage_async.bulk.sources._rows import open_mappings
from ongage_async.bulk.sources._rowsource import RowSource
from ongage_async.bulk.sources._spool import is_spooled, open_spooled, spool
from ongage_async.bulk.sources._streams import STDIN, open_bytes, paths_of
from ongage_async.errors import ConfigurationError, CSVError

__all__ = ["RowSource", "fingerprint", "open_source", "paths_of", "spool"]

PIECE_BYTES = 1 << 20


def open_source(
    source: Any, *, encoding: str | None = None, delimiter: str | None = None, password: str | None = None
) -> RowSource:
    """Open a source of rows.

    Args:
        source: Path of a CSV, TSV or TXT file, plain or packed by gzip or as the only file of a ZIP archive; ``-``, the
            standard input; a Parquet file; a pattern (``contacts-*.csv``) or a list of paths, of files with the same
            columns; an iterable of mappings or contacts; what gives an Arrow stream (a data frame of Polars or pandas,
            a result of DuckDB); an open source, which is returned.
        encoding: Encoding of files; None: UTF-8, or what their mark says.
        delimiter: Delimiter of files; None: found in each header.
        password: What opens an encrypted ZIP archive.

    Raises:
        CSVError: It cannot be used.
        ConfigurationError: It is nothing that holds rows, or reading it needs an extra.
    """
    if isinstance(source, RowSource):
        return source
    if (paths := paths_of(source)) is not None:
        opened = [lambda path=path: _open_path(path, encoding, delimiter, password) for path in paths]
        return opened[0]() if len(opened) == 1 else ChainedSource(opened)
    if is_arrow(source):
        return open_arrow(source)
    _refuse_what_holds_no_rows(source)
    return open_mappings(source)


def _refuse_what_holds_no_rows(source: Any) -> None:
    if isinstance(source, AsyncIterable):
        raise ConfigurationError("an async iterable cannot be read here: `spool` it to a file first")
    if not isinstance(source, Iterable) or isinstance(source, Mapping | bytes | bytearray):
        raise ConfigurationError(
            f"a {type(source).__name__} is no source of rows: give a path, an iterable of mappings, or a data frame"
        )


def _open_path(path: str | Path, encoding: str | None, delimiter: str | None, password: str | None) -> RowSource:
    if isinstance(path, Path) and path.is_file():
        magic = _magic(path)
        if magic.startswith(b"PAR1"):
            return open_parquet(path)
        if is_spooled(magic):
            return open_spooled(path)
    return CSVSource(open_bytes(path, password=password), encoding=encoding, delimiter=delimiter)


def _magic(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError:
        return b""  # whoever opens it next will say what is wrong


def fingerprint(source: Any) -> str | None:
    """Return what tells a source from others: a digest of its files' names, sizes and contents.

    Blocking: it reads the files once (about 1 GB/s).

    Returns:
        None for what cannot be read a second time: the standard input, iterables, streams.

    Raises:
        CSVError: A file cannot be read.
    """
    paths = None if isinstance(source, RowSource) else paths_of(source)
    if paths is None or STDIN in paths:
        return None
    digest = hashlib.blake2b(digest_size=16)
    for path in map(Path, paths):
        try:
            with path.open("rb") as file:
                digest.update(f"{path.name}\0".encode(errors="surrogateescape"))
                size = 0
                while piece := file.read(PIECE_BYTES):
                    digest.update(piece)
                    size += len(piece)
        except OSError as error:
            raise CSVError(f"{path.name} cannot be read: {error.strerror}", reason="cannot be opened") from error
        digest.update(f"\0{size}\0".encode())
    return digest.hexdigest()
