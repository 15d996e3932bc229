"""From what a user asks for to parts that are ready to be sent: what a run and a plan have in common.

Nothing here speaks to the vendor but to learn the list's fields and its limit; nothing is changed there. `_run.py` and
`_plan.py` are the callers; the rows themselves are `_clean.py`'s business.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from attrs import define, evolve, field, frozen

from ongage_async.bulk._fields import FieldRule, UnknownColumns
from ongage_async.bulk._ports import ListField, ListFields, Lists, closing
from ongage_async.bulk.check._clean import Cleaner, Recipe, Tally
from ongage_async.bulk.check._parts import Packing
from ongage_async.bulk.load._journal import Identity
from ongage_async.bulk.load._passage import Tell, check, private_directory
from ongage_async.bulk.sources._sources import fingerprint
from ongage_async.bulk.sources._spool import spool
from ongage_async.errors import NotFoundError, PermissionDeniedError

__all__ = ["Desk", "Order", "SourceOrder", "at_hand", "prepare"]

SMALLEST_PART_BYTES, LARGEST_PART_BYTES = 4 << 20, 64 << 20
"""A part of 4 MiB is some 60,000 rows and keeps the vendor busy for minutes; one of 64 MiB, for hours."""


@frozen(kw_only=True)
class SourceOrder:
    """Say what is loaded and how it is checked, whatever the vendor.

    Args:
        source: What holds the rows.
        list_id: The list; None: the account's default.
        mapping: Column name → field name.
        encoding: The source's encoding; None: found out.
        delimiter: The source's delimiter; None: found out.
        dedupe: Send the first good row of each address only.
        packing: How parts are cut and packed; without limits: as suits the list.
        password: What opens the source, if it is an encrypted ZIP archive.
        neutralise_formulas: Put an apostrophe before text that a spreadsheet would take for a formula.
    """

    source: Any
    list_id: int | None = None
    mapping: Mapping[str, str | None] | None = None
    encoding: str | None = None
    delimiter: str | None = None
    dedupe: bool = True
    packing: Packing = field(factory=Packing)
    password: str | None = field(default=None, repr=False)
    neutralise_formulas: bool = False

    @property
    def path(self) -> Path | None:
        """The source's path; None if it is no single file."""
        return Path(self.source) if isinstance(self.source, str | PathLike) and self.source != "-" else None

    def side_file(self) -> Path:
        """Return where rejected rows go if nobody says where: beside the source."""
        path = self.path
        if path is None or "*" in path.name:
            return Path("rows.rejected.csv")
        return path.with_name(f"{path.stem.removesuffix('.csv')}.rejected.csv")

    def features(self) -> dict[str, Any]:
        """Return what else tells it from others: what is asked of this vendor."""
        return {}

    def identity(self, content: str | None, account: str) -> Identity:
        """Return what tells this load from others.

        Args:
            content: What tells the source from others (`fingerprint`).
            account: What tells the account from others; no secret.
        """
        packing = self.packing
        return Identity.of(
            source=f"{self.path.name if self.path else 'rows'} ({content or 'not kept'})",
            account=account,
            list=self.list_id,
            mapping=self.mapping and dict(self.mapping),
            encoding=self.encoding,
            delimiter=self.delimiter,
            dedupe=self.dedupe,
            neutralise_formulas=self.neutralise_formulas,
            parts=[packing.part_rows, packing.part_bytes, packing.zip, packing.password is not None],
            **self.features(),
        )


@frozen(kw_only=True)
class Order(SourceOrder):
    """Say what is loaded, how it is checked, and what is asked of Ongage.

    Args:
        overwrite: Change contacts that exist.
        ignore_empty: Let empty cells change nothing.
        import_action: What is done with each address.
        unknown_columns: What to do about columns that the list lacks.
    """

    overwrite: bool = True
    ignore_empty: bool = False
    import_action: str = "add"
    unknown_columns: UnknownColumns = "drop"

    def request(self, **sent: str) -> dict[str, Any]:
        """Return what each import asks for."""
        asked = {"import_action": self.import_action, "overwrite": self.overwrite, "ignore_empty": self.ignore_empty}
        return asked | sent

    def recipe(self, rules: tuple[FieldRule, ...]) -> Recipe:
        """Return how the rows are checked."""
        return Recipe(
            rules=rules,
            mapping=self.mapping,
            encoding=self.encoding,
            delimiter=self.delimiter,
            dedupe=self.dedupe,
            unknown_columns=self.unknown_columns,
            only_email=self.import_action != "add",
            password=self.password,
            neutralise_formulas=self.neutralise_formulas,
        )

    def features(self) -> dict[str, Any]:
        """Return what is asked of the vendor; see `SourceOrder.features`."""
        return {"request": self.request(), "unknown_columns": self.unknown_columns}


AnyOrder = TypeVar("AnyOrder", bound=SourceOrder)


@define
class Desk:
    """Ask the vendor what a load needs to know of its list; each question once at most.

    Args:
        list_fields: The fields of lists.
        lists: The lists themselves; None where they cannot be asked.
        list_id: The list.

    Attributes:
        call_s: Seconds that the question about the fields took; None before it.
    """

    list_fields: ListFields
    lists: Lists | None
    list_id: int | None
    call_s: float | None = field(default=None, init=False)
    _concurrent: int | None = field(default=None, init=False)

    async def rules(self) -> tuple[FieldRule, ...]:
        """Return what can be checked of the list's fields."""
        began_s = anyio.current_time()
        async with closing(self.list_fields.each(list_id=self.list_id)) as found:
            rules = tuple([_rule(item.name, item) async for item in found if item.name])
        self.call_s = anyio.current_time() - began_s
        return rules

    async def concurrent(self) -> int:
        """Return how many imports the list runs at once: what it says, else 1, which is never too many."""
        if self._concurrent is None:
            self._concurrent = max(1, await self._limit() or 1)
        return self._concurrent

    async def _limit(self) -> int | None:
        if self.lists is None or self.list_id is None:
            return None
        try:
            return (await self.lists.get(self.list_id)).imports_concurrent_limit
        except (NotFoundError, PermissionDeniedError):  # one may import into a list and not see its settings
            return None


@asynccontextmanager
async def at_hand(
    order: AnyOrder, work_dir: Path | None, *, again: bool = False
) -> AsyncGenerator[tuple[AnyOrder, str | None]]:
    """Have the source where worker threads can read it, while the block runs.

    Args:
        order: What is asked for.
        work_dir: Where a private directory is made for rows that come only once.
        again: Whether the source must be known again, for a journal.

    Yields:
        The order, and what tells its source from others; None if `again` is false, or nobody could tell.
    """
    content, is_async = None, hasattr(order.source, "__aiter__")
    if again and not is_async:
        content = await anyio.to_thread.run_sync(fingerprint, order.source)
    if content is not None or not (again or is_async):
        yield order, content
        return
    async with private_directory(work_dir) as directory:
        source = await spool(order.source, directory)
        if isinstance(source, Path) and source.parent == directory:
            source = source.rename(directory / "rows")  # its name is part of what tells it from others
        content = await anyio.to_thread.run_sync(fingerprint, source) if again else None
        yield evolve(order, source=source), content


async def prepare(order: Order, desk: Desk, directory: Path, side: Path, tell: Tell) -> tuple[Cleaner, Tally]:
    """Check a source into parts on the disk.

    Args:
        order: What is asked for.
        desk: Where the list is asked about.
        directory: Where the parts go.
        side: Where rejected rows go.
        tell: Told how far it is.

    Raises:
        CSVError: The source cannot be used; no file is left.
        StagingError: The parts could not be written; no file is left.
    """
    tell("fields", 0, None, "fields")
    rules = await desk.rules()
    tell("fields", len(rules), len(rules), "fields")
    packing = await _packing(order, desk)
    cleaner = Cleaner(order.source, directory, side, order.recipe(rules), packing)
    return cleaner, await check(cleaner, tell)


async def _packing(order: Order, desk: Desk) -> Packing:
    """Cut so that as many parts as the list takes at once are busy; small sources stay whole."""
    packing = order.packing
    if packing.part_rows is not None or packing.part_bytes is not None:
        return packing
    size_bytes = await anyio.to_thread.run_sync(_size_bytes, order.path)
    if size_bytes is not None and size_bytes <= 2 * SMALLEST_PART_BYTES:
        return packing
    part_bytes = LARGEST_PART_BYTES
    if size_bytes is not None:
        share = size_bytes // await desk.concurrent()
        part_bytes = min(LARGEST_PART_BYTES, max(SMALLEST_PART_BYTES, share + share // 50))
    return Packing(None, part_bytes, packing.zip, packing.password, packing.encryption)


def _size_bytes(path: Path | None) -> int | None:
    """Return how large a plain file is; None for what is packed, or no file."""
    if path is None or path.suffix.lower() in (".gz", ".zip", ".parquet"):
        return None
    try:
        return path.stat().st_size
    except OSError:
        return None  # whoever opens it will say what is wrong


def _rule(name: str, item: ListField) -> FieldRule:
    """Take what can be checked of a field; one with a default is not demanded of a row (*assumed*)."""
    mandatory = bool(item.mandatory) and item.default in (None, "")
    return FieldRule(name, str(item.type or "string"), item.format, mandatory)
