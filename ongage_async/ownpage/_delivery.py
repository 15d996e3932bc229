"""Bring one part of a load into Ownpage, at most once: create its file, wait, go on where an earlier run was killed.

The steps are those of `bulk/load/_delivery.py`. What is peculiar here is that the vendor says nothing about a file
after it took it, and has no endpoint that lists files (vendor page §5, unknown). So an attempt whose outcome is not
known cannot be looked up, and nothing is concluded but what holds under every reading of the vendor:

* The stage's log knows that nobody asked for the file, and the file is removed: it can load nothing. The part begins
  anew.
* The vendor took the file (its answer came), and counted its bytes or fetched all of them: it is followed.
* The list holds every row of the part with the values that the part gives it: whatever happened, nothing is left to do.
* Else nobody can say. The part is left alone and the others go on; a second file might undo what readers decided in
  between. `resend=True` is how a caller says that this does not matter.

What the stage knows is lost with the process where the stage is a `FileDrop`, so it is written into the journal as soon
as it matters: a fetch that was seen, or that nobody came. `_load.py` is the caller.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Protocol

import anyio
import anyio.to_thread
from attrs import define, field, frozen

from ongage_async.bulk import Fetch, StagedFile
from ongage_async.bulk._ports import closing
from ongage_async.bulk.load._delivery import Delivery, Terms
from ongage_async.bulk.load._passage import CLEAN_UP_S, Staging
from ongage_async.errors import JobError, JobTimeoutError, OngageError, mask
from ongage_async.models.ownpage import OwnpageFile, Subscriber, SubscriberCounts
from ongage_async.ownpage._proof import Rows

__all__ = ["FileDelivery", "FileTerms", "Vendor", "counts_as_dict", "is_whole", "settle"]

FIRST_LOOK_S, FETCH_POLL_S = 0.01, 0.25
"""Pause between two looks into the stage's own log, which grows from one to the other; costs the account nothing."""


class Vendor(Protocol):
    """What a load needs of the resources, all for one list."""

    async def counts(self) -> SubscriberCounts:
        """Count the list's subscribers."""
        ...

    async def create(self, url: str) -> OwnpageFile:
        """Hand a file over."""
        ...

    def watch(self) -> AsyncIterator[SubscriberCounts]:
        """Follow the list's counts until they stand still."""
        ...

    def subscribers(self) -> AsyncIterator[Subscriber]:
        """Iterate over all subscribers of the list."""
        ...


@frozen
class FileTerms(Terms):
    """Hold what all parts of a load have in common.

    Args:
        vendor: The calls.
        timeout_s: Seconds from the creation to the end of the waiting.
        keep_parts: Whether parts are needed after they are in.
        resend: Begin a part anew of which nobody can say whether the vendor took it.
    """

    vendor: Vendor
    timeout_s: float
    keep_parts: bool = False
    resend: bool = False


@define
class FileDelivery(Delivery[FileTerms]):
    """The way of one part into Ownpage.

    Attributes:
        is_undecided: Whether it ended because nobody can say if the vendor took the part.
    """

    is_undecided: bool = field(default=False, init=False)
    _after: SubscriberCounts | None = field(default=None, init=False)
    _is_settled: bool = field(default=False, init=False)

    async def bring(self) -> None:
        """Bring the part to its end; see `Delivery.bring`.

        Raises:
            JobError: Nobody can say whether the vendor took it.
            JobTimeoutError: Nobody fetched it in time.
        """
        try:
            await super().bring()
        except BaseException as error:
            with anyio.move_on_after(CLEAN_UP_S, shield=True):
                await self._keep_what_is_known(error)
            raise

    async def _keep_what_is_known(self, error: BaseException) -> None:
        """Write down what the stage knows of an attempt that is being left: it may not know it in the next run."""
        if self.standing.step not in ("submitting", "created") or self._is_fetched:
            return
        try:
            await self.terms.stage.remove(self._left_file)
        except OngageError:
            return
        fetches = await self.terms.stage.log(self._left_file)
        if self.standing.step == "submitting" and isinstance(error, OngageError) and not self.is_undecided:
            error.add_note(_what_is_known(fetches))
        if self.terms.journal.directory is None:
            return
        if _nobody_came(fetches):
            await self._record("staged", name=self.standing.name)
        elif self.standing.step == "created" and is_whole(fetches):
            await self._record("created", **{**self.standing.creation, "is_fetched": True})

    # -- what an earlier run left ---------------------------------------------------------------------------------

    @property
    def _is_fetched(self) -> bool:
        """The vendor took the file, and all of it."""
        return bool(self.standing.creation.get("is_fetched"))

    async def _go_on(self) -> None:
        if self.standing.step in ("submitting", "created") and not self._is_fetched:
            await self._recover()
        await super()._go_on()

    async def _recover(self) -> None:
        """Conclude what can be concluded, see above; the file is removed before its log counts."""
        stage, left = self.terms.stage, self._left_file
        if await stage.log(left) is None:  # it may have outlived its run, and the vendor be on its way
            await self._settle()
        await stage.remove(left)
        fetches = await stage.log(left)
        if _nobody_came(fetches):
            self.standing.step = None
        elif self.standing.step == "created" and is_whole(fetches):
            await self._record("created", **{**self.standing.creation, "is_fetched": True})
        else:
            await self._look()

    async def _look(self) -> None:
        """Look for the part's rows in the list."""
        rows = await anyio.to_thread.run_sync(Rows.of, self.part.path)
        async with closing(self.terms.vendor.subscribers()) as subscribers:
            async for subscriber in subscribers:
                rows.meet(subscriber)
        if rows.is_complete:
            known = {"import_id": None, **self.standing.creation}
            await self._record("created", **{**known, "is_fetched": True, "is_found": True})
        elif self.terms.resend:
            self.standing.step = None
        else:
            self.is_undecided = True
            raise JobError(_undecided(self.part.number, self.standing.import_id, rows), operation="files.run")

    # -- an attempt -----------------------------------------------------------------------------------------------

    async def _create(self, staged: StagedFile) -> dict[str, Any]:
        self._is_settled = False
        file = await self.terms.vendor.create(staged.url)
        status = file.status and mask(str(file.status))
        return {"import_id": file.id, "status": status, "size": file.size or None, "is_fetched": bool(file.size)}

    async def _process(self, place: Staging) -> None:
        ends_at = anyio.current_time() + self.terms.timeout_s
        if not self._is_fetched:
            await self._wait_for_fetch(place, ends_at)
        if not self._is_settled:
            await self._settle(ends_at)
        facts: dict[str, Any] = {"is_settled": self._is_settled, "after": counts_as_dict(self._after)}
        await self._record("final", import_id=self.standing.import_id, status=None, **facts)

    async def _wait_for_fetch(self, place: Staging, ends_at: float) -> None:
        """Wait until the stage saw the vendor take all of the file; where the stage sees nothing, do not wait."""
        file_id, tell = self.standing.import_id, partial(self.terms.news, "process", self.part.number, 0.0)
        tell("waiting for the file to be fetched")
        pause_s = FIRST_LOOK_S
        while (fetches := await place.stage.log(place.file)) is not None:
            if is_whole(fetches):
                await self._record("created", **{**self.standing.creation, "is_fetched": True})
                return
            if anyio.current_time() >= ends_at:
                raise JobTimeoutError(
                    f"nobody fetched file {file_id} within {self.terms.timeout_s:g} s, and it is removed now: can the "
                    "vendor's servers reach the stage?",
                    operation="files.run",
                )
            await anyio.sleep(pause_s)
            pause_s = min(FETCH_POLL_S, 1.5 * pause_s)

    async def _settle(self, ends_at: float | None = None) -> None:
        def tell(counts: SubscriberCounts) -> None:
            self._after = counts
            self.terms.news("process", self.part.number, 0.0, f"{counts.total or 0:,} subscribers")

        ends_at = anyio.current_time() + self.terms.timeout_s if ends_at is None else ends_at
        self._is_settled = await settle(self.terms.vendor, tell, ends_at - anyio.current_time())

    async def _put_away(self) -> None:
        if not self.terms.keep_parts:
            await super()._put_away()


async def settle(vendor: Vendor, tell: Any, timeout_s: float) -> bool:
    """Follow the list's counts until they stand still; return whether they did.

    Args:
        vendor: The calls.
        tell: Told the counts at every change.
        timeout_s: Seconds to wait at most.
    """
    with anyio.move_on_after(timeout_s):
        async with closing(vendor.watch()) as seen:
            async for counts in seen:
                tell(counts)
        return True
    return False


def counts_as_dict(counts: SubscriberCounts | None) -> dict[str, Any] | None:
    """Return a list's counts as plain JSON values."""
    if counts is None:
        return None
    return {"subscribed": counts.subscribed, "unsubscribed": counts.unsubscribed, "causes": dict(counts.causes or {})}


def is_whole(fetches: tuple[Fetch, ...] | None) -> bool:
    """Say whether somebody took all of a file."""
    return any(fetch.complete and fetch.method == "GET" and fetch.status == 200 for fetch in fetches or ())


def _nobody_came(fetches: tuple[Fetch, ...] | None) -> bool:
    """Say whether the stage knows that no byte of a file was handed out."""
    return fetches is not None and not any(fetch.method == "GET" and fetch.status < 400 for fetch in fetches)


def _what_is_known(fetches: tuple[Fetch, ...] | None) -> str:
    known = (
        "It is not known whether the vendor took the file; it was not sent again, and "
        "loading it again sets the same values"
    )
    if fetches is None:
        return f"{known}."
    return f"{known}. It was {'fetched' if fetches else 'not asked for'}, and is removed now."


def _undecided(part: int, file_id: int | None, rows: Rows) -> str:
    what = f"file {file_id}, part {part}, was taken" if file_id else f"part {part} was handed over"
    return (
        f"{what} when an earlier run ended, and nobody can say whether the vendor loads it: {rows.found:,} of its "
        f"{rows.total:,} rows are in the list as sent. It was not sent again. Run the same command later; or look into "
        "Ownpage, and if it is not there, or what readers decide in between does not matter, pass resend=True"
    )
