"""Bring one part in, exactly once: stage, submit, follow, remove; and go on where an earlier run was killed.

The journal's lines say where a part is (`_journal.py`); here is what follows from that:

* *staged*: nothing was submitted. The file is removed, and the part begins anew.
* *submitting*: an import may exist. It is looked up by its name. If it is not there, the file is removed, so that an
  import which turns up later has nothing to load; then it is looked for again, for it may have been created and have
  fetched the file just before; and only if it is still not there, the part begins anew, under another name.
* *created*: it is followed by its id. An import that could not fetch its file, since that went with the run that was
  killed, fails without having loaded a row, and the part begins anew.

A second import of the same rows never runs beside a first one. If both load them all the same (an import that is not
listed for a minute, and had its file), the rows have the same values twice: no row doubles, since a list holds an
address once. `_run.py` is the caller.
"""

import abc
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import anyio
from attrs import define, evolve, field, frozen, has

from ongage_async.bulk._ports import Imports, ImportSnapshot, Phase, closing
from ongage_async.bulk.check._parts import Part
from ongage_async.bulk.load._create import create_once, find_import, look_for
from ongage_async.bulk.load._journal import Journal, PartStanding, Step
from ongage_async.bulk.load._passage import Staging, random_name, removing
from ongage_async.bulk.load._report import ImportReport, VendorCounts, fetch_as_dict
from ongage_async.bulk.stages._stage import Stage, StagedFile
from ongage_async.errors import (
    ImportFailedError,
    JobError,
    JobTimeoutError,
    JournalError,
    OngageError,
    Outcome,
    mask,
    mask_deep,
)

__all__ = [
    "Delivery",
    "ImportDelivery",
    "ImportTerms",
    "News",
    "Terms",
    "bare",
    "failure",
    "follow",
    "refuse_damage",
]

MOST_ATTEMPTS = 3
"""Attempts that one run makes of one part; a second one only after an excuse: a crash, a URL that had expired."""
RENEW_BEFORE = dt.timedelta(minutes=10)
"""A signed URL with less life than this is renewed before it is handed over."""


class News(Protocol):
    """Hear how far a part is."""

    def __call__(self, phase: Phase, part: int, share: float, detail: str = "") -> None:
        """Take the share, 0 to 1, that is done of a phase of a part."""
        ...


@frozen
class Terms:
    """Hold what all parts of a load have in common.

    Args:
        stage: Where the vendor fetches files.
        journal: Where the steps are recorded.
        news: Told how far it is.
    """

    stage: Stage
    journal: Journal
    news: News


@frozen
class ImportTerms(Terms):
    """Hold what all parts of a load by imports have in common.

    Args:
        imports: The imports of the account.
        list_id: The list.
        request: What each import asks for.
        interval_s: Seconds between two looks at an import; None: a cadence.
        timeout_s: Seconds to wait for the end of an import; None: no limit.
        lookup_waits_s: Pauses before each look for an import that may exist.
    """

    imports: Imports
    list_id: int | None
    request: Mapping[str, Any]
    interval_s: float | None
    timeout_s: float | None
    lookup_waits_s: Sequence[float]


AnyTerms = TypeVar("AnyTerms", bound=Terms)


def refuse_damage(part: Part) -> None:
    """Send a part only as it was planned: rows that are missing from it would be missing from the list.

    Raises:
        JournalError: It is not.
    """
    path = part.path
    if not path.exists() or path.stat().st_size != part.size_bytes:
        raise JournalError(
            f"{path.name} is not among the journal's parts as it was planned: put it back, or abandon the load and "
            "run it anew (`ongage import abandon`)"
        )


@define
class Delivery(abc.ABC, Generic[AnyTerms]):
    """The way of one part, whatever the vendor.

    Args:
        terms: What all parts have in common.
        part: The part.
        standing: Where its latest attempt is.
    """

    terms: AnyTerms
    part: Part
    standing: PartStanding
    _is_excused: bool = field(default=False, init=False)

    @abc.abstractmethod
    async def _recover(self) -> None:
        """Settle what became of an attempt that was left at *submitting*: found, forgotten, or an error."""

    @abc.abstractmethod
    async def _create(self, staged: StagedFile) -> dict[str, Any]:
        """Hand the file over, once; return the facts of the ``created`` line."""

    @abc.abstractmethod
    async def _process(self, place: Staging) -> None:
        """Wait for the vendor's end of it, and record ``final``."""

    async def bring(self) -> None:
        """Bring the part to its end: loaded, or failed; `standing` tells.

        Raises:
            JournalError: The part is damaged, or an earlier attempt's file lies on another stage.
            StagingError: It could not be staged, or an earlier attempt's file not be removed.
            JobTimeoutError: Its import did not end in time.
            OngageError: With `outcome` UNKNOWN: its import may exist and was not found.
        """
        self._is_excused = True  # whatever stopped an earlier run
        self._refuse_another_stage()
        await self._go_on()
        for _ in range(MOST_ATTEMPTS):
            if self.standing.is_done or not self._is_excused:
                break
            self._is_excused = False
            await self._attempt()
        for phase in ("stage", "create", "process", "settle"):
            self.terms.news(phase, self.part.number, 1.0)

    async def _record(self, step: Step, **facts: Any) -> None:
        if step == "staged":
            facts["stage"] = _digest_of(self.terms.stage)
        await self.terms.journal.record(step, self.part.number, **facts)
        self.standing.take(step, facts)

    # -- what an earlier run left ---------------------------------------------------------------------------------

    def _refuse_another_stage(self) -> None:
        """Refuse to go on where the file of the earlier attempt cannot be removed: it is what makes going on safe."""
        standing, stage = self.standing, _digest_of(self.terms.stage)
        if standing.may_be_staged and standing.stage and standing.stage != stage:
            raise JournalError(
                f"{standing.name} may still lie on another stage than this one: go on with the stage of the earlier "
                "run, or abandon the load: `ongage import abandon`"
            )

    async def tidy(self) -> None:
        """Remove the file that could not be removed when its import had ended; a failure is told as it was then."""
        self._refuse_another_stage()
        async with removing(self.terms.stage, self._left_file) as place:
            pass
        if place.deleted:
            await self._record("cleaned", **{**(self.standing.cleaning or {}), "file_deleted": True})

    async def _go_on(self) -> None:
        if self.standing.step == "submitting":
            await self._recover()
        elif self.standing.step == "staged":
            await self._withdraw()
        if self.standing.step in ("created", "final"):
            await self._finish(self._left_file)

    @property
    def _left_file(self) -> StagedFile:
        """The staged file of an earlier run: its URL is in no journal, and removing takes the name alone."""
        return StagedFile(self.standing.name, "")

    async def _withdraw(self) -> None:
        """Make sure that the attempt can load nothing any more, then forget it."""
        await self.terms.stage.remove(self._left_file)
        self.standing.step = None

    # -- an attempt -----------------------------------------------------------------------------------------------

    async def _attempt(self) -> None:
        if self.standing.is_left_on_stage:
            await self._withdraw()
        refuse_damage(self.part)
        terms = self.terms
        terms.news("stage", self.part.number, 0.0)
        name = random_name(self.part.path)
        await self._record("staged", name=name)
        staged = await terms.stage.put(self.part.path, name)
        await self._finish(staged)
        expires_at = staged.expires_at
        self._is_excused = expires_at is not None and expires_at <= dt.datetime.now(dt.UTC)

    async def _finish(self, staged: StagedFile) -> None:
        """Go from where the attempt is to its end."""
        async with removing(self.terms.stage, staged) as place:
            if self.standing.step == "staged":
                self.terms.news("stage", self.part.number, 1.0)
                await self._submit(staged)
            if self.standing.step == "created":
                self.terms.news("create", self.part.number, 1.0)
                await self._process(place)
        fetches = await self.terms.stage.log(staged)
        shown = None if fetches is None else [fetch_as_dict(fetch) for fetch in fetches]
        await self._record("cleaned", file_deleted=place.deleted, fetches=shown)
        if not self.standing.has_failed:
            await self._put_away()

    async def _put_away(self) -> None:
        """Remove the part: nothing asks for it again."""
        await anyio.Path(self.part.path).unlink(missing_ok=True)

    async def _submit(self, staged: StagedFile) -> None:
        terms = self.terms
        if staged.expires_at is not None and staged.expires_at - dt.datetime.now(dt.UTC) < RENEW_BEFORE:
            staged = await terms.stage.renew(staged)
        terms.news("create", self.part.number, 0.0)
        await self._record("submitting", name=staged.name)
        try:
            facts = await self._create(staged)
        except OngageError as error:
            if error.outcome is not Outcome.UNKNOWN:  # it is certain that there is no import
                await self._record("staged", name=staged.name)
            raise
        await self._record("created", **facts)


@define
class ImportDelivery(Delivery[ImportTerms]):
    """The way of one part into Ongage.

    Attributes:
        final: The last snapshot of its import, if this run saw it.
    """

    final: ImportSnapshot | None = field(default=None, init=False)

    async def _recover(self) -> None:
        """Find the import that may exist, or make sure that it can do nothing; the order matters, see above."""
        name, terms = self.standing.name, self.terms
        found = await find_import(terms.imports, name, list_id=terms.list_id)
        if found is None:
            await terms.stage.remove(self._left_file)
            found, looks = await look_for(terms.imports, name, terms.list_id, terms.lookup_waits_s)
            was_seen = 0 < looks == len(terms.lookup_waits_s)
            if found is None and (not was_seen or await terms.stage.log(self._left_file)):
                blind = "is removed now, but the imports of the list cannot be looked at"
                raise JobError(
                    f"the import of {name} may exist: it was submitted, and its file "
                    + ("was asked for" if was_seen else blind)
                    + ". Run the same command again in some minutes",
                    operation="imports.run",
                )
        if found is None:
            self.standing.step = None
        else:
            await self._record("created", import_id=found)

    async def _create(self, staged: StagedFile) -> dict[str, Any]:
        terms = self.terms
        import_id = await create_once(
            terms.imports,
            terms.stage,
            staged,
            dict(terms.request),
            list_id=terms.list_id,
            waits_s=terms.lookup_waits_s,
        )
        return {"import_id": import_id}

    async def _process(self, place: Staging) -> None:  # noqa: ARG002 - an import tells itself whether it has its file
        terms, import_id = self.terms, self.standing.creation["import_id"]
        self.final = final = await follow(
            terms.imports,
            import_id,
            partial(terms.news, "process", self.part.number),
            list_id=terms.list_id,
            interval_s=terms.interval_s,
            timeout_s=terms.timeout_s,
        )
        await self._record(
            "final",
            import_id=import_id,
            status=None if final.status is None else int(final.status),
            status_desc=final.status_desc and mask(final.status_desc),
            counts=VendorCounts.of(final).as_dict(),
        )


def _digest_of(stage: Stage) -> str:
    """Tell a stage from others without naming it; empty where its files go with the program, or nobody knows."""
    place = getattr(stage, "place", "")
    return hashlib.blake2b(os.fsencode(place), digest_size=16).hexdigest() if place else ""


async def follow(
    imports: Imports,
    import_id: int,
    tell: Callable[[float, str], None],
    *,
    list_id: int | None,
    interval_s: float | None,
    timeout_s: float | None,
) -> ImportSnapshot:
    """Watch an import to its end; return its last snapshot, whatever it says.

    Args:
        imports: The imports of the account.
        import_id: The import.
        tell: Told the share that is done, and the vendor's words.
        list_id: Its list.
        interval_s: Seconds between two looks; None: a cadence.
        timeout_s: Seconds to wait at most; None: no limit.

    Raises:
        JobTimeoutError: It did not end in time.
    """
    last: ImportSnapshot | None = None
    try:
        with anyio.move_on_after(timeout_s) as limit:
            watched = imports.watch(import_id, interval_s=interval_s, just_created=True, list_id=list_id)
            async with closing(watched) as snapshots:
                async for last in snapshots:
                    done = 1.0 if last.is_final else min(1.0, (last.progress_pct or 0) / 100)
                    tell(done, last.status_desc or str(last.status))
                    if last.is_final:
                        return last
        if limit.cancelled_caught:
            raise JobTimeoutError(f"import {import_id} did not end within {timeout_s:g} s", job=bare(last))
        raise JobError(f"import {import_id} could not be followed to its end", job=bare(last))
    except OngageError as error:
        error.add_note(f"Import {import_id} was created, and goes on at the vendor's if it has fetched the file.")
        raise


def bare(snapshot: Any) -> Any:
    """Return it without the file's URL and with the vendor's words masked: errors are pickled, a URL may be a key."""
    if not has(type(snapshot)):
        return snapshot
    words = {name: getattr(snapshot, name, None) for name in ("name", "status_desc", "status_info")}
    masked: dict[str, Any] = {name: mask(text) for name, text in words.items() if text}
    if (extra := getattr(snapshot, "extra", None)) is not None:
        masked["extra"] = mask_deep(extra)
    return evolve(snapshot, file_url=None, **masked)


def failure(report: ImportReport, final: ImportSnapshot | None) -> ImportFailedError:
    """Say which import failed, and why nobody may have come for its file.

    Args:
        report: Of the whole load.
        final: The last snapshot of the import, if this run saw it.
    """
    failed = [part for part in report.parts if part.is_failed]
    first = failed[0] if failed else report
    others = f"; {len(failed)} of {len(report.parts)} parts failed" if len(report.parts) > 1 else ""
    error = ImportFailedError(
        f"import {first.import_id} ended with status {first.status} ({first.status_desc or 'no description'}){others}",
        status=first.status or 0,
        job=bare(final),
        operation="imports.run",
    )
    error.report = report
    if failed and failed[0].is_fetch_log_known and not first.fetches:
        error.add_note("Nobody asked for the file: can the vendor's servers reach the stage?")
    refused = sorted({fetch.client for fetch in first.fetches if fetch.status == 404})
    if refused:
        error.add_note(f"Refused, being outside the allow-list: {', '.join(refused)}")
    error.add_note(report.as_text())
    return error
