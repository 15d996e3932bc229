"""Bring one part in by calls of up to a hundred contacts: no stage and no import, but an outcome for each row.

The journal's lines are those of `_delivery.py`, as far as they apply: *submitting* before the first call, *final* with
the counts, *cleaned* when no row is open any more. Between the first two, a journal of rows beside the part
(`many/_row_journal.py`) says which calls are settled: after a crash the part goes on behind them, and what was on its
way is sent again, which changes nothing. `_run.py` is the caller.
"""

from pathlib import Path
from typing import Any, Protocol

import anyio
from attrs import define

from ongage_async.bulk.check._parts import Part
from ongage_async.bulk.load._delivery import News, refuse_damage
from ongage_async.bulk.load._journal import Journal, PartStanding, Step
from ongage_async.bulk.many._many import Many
from ongage_async.bulk.many._many_report import ManyReport
from ongage_async.models import RowKind

__all__ = ["CallDelivery", "Contacts"]

_LOADED = (RowKind.CREATED, RowKind.UPDATED, RowKind.REVIVED, RowKind.SUCCEEDED)


class Contacts(Protocol):
    """The resource of a list's contacts."""

    def upsert_many(self, rows: Any, *, side_file: Any = None, journal: Any = None, list_id: int | None = None) -> Many:
        """Create or overwrite any number of contacts; never repeated where that could do harm."""
        ...


@define
class CallDelivery:
    """The way of one part by calls.

    Args:
        contacts: The contacts of the account.
        list_id: The list.
        journal: Where the steps are recorded.
        news: Told how far it is.
        part: The part.
        standing: Where its latest attempt is.
        refused: Where rows go that the vendor refuses, a JSON object a line.
    """

    contacts: Contacts
    list_id: int | None
    journal: Journal
    news: News
    part: Part
    standing: PartStanding
    refused: Path

    async def bring(self) -> None:
        """Bring the part to its end; rows without an answer leave it open, and the same load goes on with them.

        Raises:
            JournalError: The part or its journal is damaged.
            OngageError: As `contacts.upsert_many`.
        """
        refuse_damage(self.part)
        self.news("create", self.part.number, 0.0)
        await self._record("submitting", name=self.part.path.name)
        load = self.contacts.upsert_many(
            self.part.path, side_file=self.refused, journal=self._rows_journal, list_id=self.list_id
        )
        load.listener = lambda rows: self.news("process", self.part.number, rows / self.part.rows)
        done = await load
        refused = None if done.side_file is None else str(done.side_file)
        await self._record("final", import_id=None, status=None, counts=_counts(done), refused=refused)
        if done.counts.get(RowKind.UNKNOWN) or done.counts.get(RowKind.NOT_SENT):
            return
        await self._record("cleaned", file_deleted=True, fetches=None)
        for path in filter(None, (self.part.path, self._rows_journal)):
            await anyio.Path(path).unlink(missing_ok=True)
        for phase in ("stage", "create", "process", "settle"):
            self.news(phase, self.part.number, 1.0)

    @property
    def _rows_journal(self) -> Path | None:
        directory = self.journal.directory
        return None if directory is None else directory / f"{self.part.path.name}.rows"

    async def _record(self, step: Step, **facts: Any) -> None:
        await self.journal.record(step, self.part.number, **facts)
        self.standing.take(step, facts)


def _counts(done: ManyReport) -> dict[str, int]:
    """Return the outcomes under the names of an import's counters; there duplicates are among the failed."""
    loaded = sum(done.counts.get(kind, 0) for kind in _LOADED)
    duplicates = done.counts.get(RowKind.DUPLICATE, 0)
    failed = done.counts.get(RowKind.REJECTED, 0) + duplicates
    return {"total": loaded + failed, "success": loaded, "failed": failed, "duplicate": duplicates}
