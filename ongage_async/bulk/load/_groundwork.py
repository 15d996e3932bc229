"""Lay the ground for a load, whatever the vendor: its parts on the disk, and the journal's word for them, exactly once.

A run finds here how far an earlier one came, or checks the source anew. What is then done with the parts is the
caller's: `_run.py` imports them into Ongage, the file loads of the other vendor hand them over there.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Generic

import anyio
import anyio.to_thread
from attrs import asdict, define

from ongage_async.bulk.check._clean import Tally
from ongage_async.bulk.check._parts import Part
from ongage_async.bulk.check._side_file import free_name, publish
from ongage_async.bulk.load._journal import Identity, Journal, MemoryJournal, Standing, claim
from ongage_async.bulk.load._passage import no_side_file_unless, private_directory
from ongage_async.bulk.load._prepare import AnyOrder, at_hand
from ongage_async.bulk.load._sqlite_journal import SqliteJournal, empty_directory, sync_files
from ongage_async.errors import ConfigurationError, JournalError, mask

__all__ = ["Groundwork", "found_again", "journal_of", "planned_parts"]

SIDE_FILE = "rejected.csv"
"""Name of the side file while it lies among the parts."""


def journal_of(journal: Journal | str | PathLike[str] | bool | None, source: Path | None) -> Journal:
    """Return the journal that a caller means.

    Args:
        journal: A journal, its place, True for the place beside the source, or nothing.
        source: Path of the source, if it has one.

    Raises:
        ConfigurationError: There is no place beside the source.
    """
    if journal is None or journal is False:
        return MemoryJournal()
    if journal is not True:
        return SqliteJournal(journal) if isinstance(journal, str | PathLike) else journal
    if source is None or "*" in source.name:
        raise ConfigurationError("journal=True lies beside a file: for this source, pass a place as journal=")
    return SqliteJournal.beside(source)


@asynccontextmanager
async def found_again(journal: SqliteJournal, **features: Any) -> AsyncGenerator[tuple[Standing, dict[str, Any]]]:
    """Have a load's journal without its source, and every other run of it kept away, while the block runs.

    Args:
        journal: The journal.
        features: What the load must be: its account, and what else tells this vendor's loads from others.

    Yields:
        How far the load is, and its plan.

    Raises:
        JournalError: There is none, another run holds it, it belongs to another account, or nothing was planned in it:
            the source is needed then.
    """
    if not journal.exists:
        raise JournalError(f"there is no journal {journal.path.name}")
    async with journal.held():
        known, standing = await journal.identity(), Standing.of(await journal.lines())
        if known is not None and not known.is_of(**features):
            raise JournalError(f"the journal {journal.path.name} belongs to another account")
        if standing.plan is None:
            raise JournalError(
                f"the load of {journal.path.name} was stopped before its rows were checked, and nothing was sent: "
                "run the first command again"
            )
        yield standing, dict(standing.plan)


def planned_parts(plan: Mapping[str, Any], directory: Path) -> list[Part]:
    """Return the parts that a journal's plan names.

    Args:
        plan: The facts of its ``planned`` line.
        directory: Where they lie.
    """
    return [Part(**{**facts, "path": directory / facts["path"]}) for facts in plan["parts"]]


@define
class Groundwork(Generic[AnyOrder]):
    """Prepare one load, or find it prepared.

    Args:
        journal: Where the steps are recorded.
        prepare: Checks the order's source into parts in a directory, with the rejected rows in a side file; returns
            where the rows went, and what the plan shall say beside that.
    """

    journal: Journal
    prepare: Callable[[AnyOrder, Path, Path], Awaitable[tuple[Tally, dict[str, Any]]]]

    @property
    def is_kept(self) -> bool:
        """The journal outlives this process, and with it the parts and the side file."""
        return self.journal.directory is not None

    @asynccontextmanager
    async def laid(
        self, order: AnyOrder, side: Path, account: str, work_dir: Path | None
    ) -> AsyncGenerator[tuple[Standing, Path]]:
        """Have parts and plan while the block runs, and every other run of this journal kept away.

        Args:
            order: What is loaded.
            side: Where rejected rows go.
            account: What tells the account from others; no secret.
            work_dir: Where the temporary directory is made.

        Yields:
            How far the load is, with a plan in it; and where the parts are.

        Raises:
            JournalError: The journal belongs to another load that has not ended, or another run holds it.
        """
        async with self.journal.held(), self._room(work_dir) as directory:
            async with at_hand(order, work_dir, again=self.is_kept) as (order_at_hand, content):
                standing = await self._standing(order_at_hand.identity(content, account))
                tally = None if standing.plan else await self._plan(order_at_hand, standing, directory, side)
            if tally is None or self.is_kept:
                yield standing, directory
                return
            with no_side_file_unless(lambda: standing.may_have_sent, tally):
                yield standing, directory

    @asynccontextmanager
    async def _room(self, work_dir: Path | None) -> AsyncGenerator[Path]:
        """Find a directory for the parts: the journal's, or one that goes with this run."""
        if self.journal.directory is not None:
            yield self.journal.directory
        else:
            async with private_directory(work_dir) as directory:
                yield directory

    async def _standing(self, identity: Identity) -> Standing:
        """Ask the journal how far the load is."""
        if self.is_kept:
            return await claim(self.journal, identity)
        await self.journal.start(identity)  # what a journal in memory knows of is gone with the run that wrote it
        return Standing()

    async def _plan(self, order: AnyOrder, standing: Standing, directory: Path, side: Path) -> Tally:
        """Check the source into parts, and have both on the disk before the journal says so."""
        await anyio.to_thread.run_sync(empty_directory, directory)
        tally, more = await self.prepare(order, directory, directory / SIDE_FILE if self.is_kept else side)
        with no_side_file_unless(lambda: standing.plan is not None, tally):
            place: Path | None = tally.side_file
            if self.is_kept:
                await anyio.to_thread.run_sync(sync_files, directory)
                place = place and await self._place(side)
            await self._record_plan(standing, more | _facts(tally, place))
        return tally

    async def _place(self, side: Path) -> Path:
        return await anyio.to_thread.run_sync(free_name, side)

    async def _record_plan(self, standing: Standing, facts: dict[str, Any]) -> None:
        await self.journal.record("planned", **facts)
        standing.take("planned", 0, facts)

    async def publish_side_file(self, standing: Standing, directory: Path) -> None:
        """Give it the place that the journal says; where somebody was faster, another one, once the journal knows."""
        written = directory / SIDE_FILE
        while standing.plan and standing.plan["side_file"] and await anyio.Path(written).exists():
            place = Path(standing.plan["side_file"])
            if await anyio.to_thread.run_sync(publish, written, place):
                return
            await self._record_plan(standing, {**standing.plan, "side_file": str(await self._place(place))})


def _facts(tally: Tally, side_file: Path | None) -> dict[str, Any]:
    return {
        "rows_read": tally.rows_read,
        "rows_clean": tally.rows_clean,
        "duplicates": tally.duplicates,
        "rejected": dict(tally.rejected),
        "unknown_columns": [mask(name) for name in tally.unknown_columns],
        "parts": [{**asdict(part), "path": part.path.name} for part in tally.parts],
        "side_file": side_file and str(side_file),
    }
