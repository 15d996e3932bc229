"""Create an import once, also when nobody can say whether it was created.

A lost answer leaves an import that may or may not exist, and a second one would load every row again (and send welcome
messages again). So nothing is ever sent twice from here: an uncertain import is looked up by its random file name, and
if it is not found either, the error is raised with what is known.

"Not found" is no proof: the vendor promises nothing about how soon an import is listed. What makes a second run safe
is that the staged file is removed before the error leaves here: an import that turns up later has nothing to load,
unless it fetched the file before, which the stage's log shows. A run that goes on after a crash does the same in the
same order (`_delivery.py`).
"""

from collections.abc import Sequence
from typing import Any

import anyio

from ongage_async.bulk._ports import Imports, ImportSnapshot, closing
from ongage_async.bulk.stages._stage import Stage, StagedFile
from ongage_async.errors import DecodeError, OngageError, Outcome, StagingError

__all__ = ["LOOKUP_WAITS_S", "create_once", "find_import", "look_for"]

LOOKUP_WAITS_S = (2.0, 5.0, 15.0, 30.0)
"""Pauses before each look at the list's imports; under a minute together."""

LOOKED_AT = 1_000
"""Imports that one look goes through, where the newest come first."""
TELLING = 24
"""Characters of a staged file's name that no other has (96 random bits), should the vendor keep no more of it."""


async def create_once(
    imports: Imports,
    stage: Stage,
    staged: StagedFile,
    request: dict[str, Any],
    *,
    list_id: int | None,
    waits_s: Sequence[float] = LOOKUP_WAITS_S,
) -> int:
    """Create the import of a staged file and return its id.

    Raises:
        OngageError: As `imports.create`; when its outcome is UNKNOWN, the import was not found, and a note says how it
            was looked for and whether the file was fetched.

    Cost: 1 call; up to 4 looks at the list's imports when the outcome is uncertain.
    Repeat: never; see above.
    """
    try:
        created = await imports.create(file_url=staged.url, list_id=list_id, **request)
        if created.id:
            return created.id
        raise DecodeError("the answer names no import", operation="imports.create", attempts=1)
    except OngageError as error:
        if error.outcome is not Outcome.UNKNOWN:
            raise
        found, looks = await look_for(imports, staged.name, list_id, waits_s)
        if found is not None:
            return found
        await _tell(error, stage, staged, looks)
        raise


async def find_import(imports: Imports, name: str, *, list_id: int | None = None) -> int | None:
    """Return the id of the import whose file has this name; None if it is not listed (yet).

    Cost: the calls of `imports.each` up to the import, or to the thousandth; of a server that lists the oldest first
        although it is asked for the newest, all.
    """
    looked_at, newest = 0, 0
    async with closing(imports.each(sort="id", order="DESC", list_id=list_id)) as found:
        async for snapshot in found:
            if _is_of(snapshot, name):
                return snapshot.id
            looked_at += 1
            newest = newest or snapshot.id
            if looked_at >= LOOKED_AT and snapshot.id < newest:
                break
    return None


def _is_of(snapshot: ImportSnapshot, name: str) -> bool:
    """Say whether an import is of the file `name`: collections name the file and leave its address null (§4.4)."""
    telling = name[:TELLING].lower()
    return any(telling in (text or "").lower() for text in (snapshot.name, snapshot.file_url))


async def look_for(
    imports: Imports, name: str, list_id: int | None, waits_s: Sequence[float]
) -> tuple[int | None, int]:
    """Look for an import by its file's name, after each of the pauses.

    Returns:
        Its id, or None; and how many looks got an answer.
    """
    looks = 0
    for wait_s in waits_s:
        await anyio.sleep(wait_s)
        try:
            if (found := await find_import(imports, name, list_id=list_id)) is not None:
                return found, looks + 1
        except OngageError:
            continue  # the same trouble, most likely: the next look is the retry
        looks += 1
    return None, looks


async def _tell(error: OngageError, stage: Stage, staged: StagedFile, looks: int) -> None:
    error.add_note(
        f"It is not known whether an import of {staged.name} was created. It was looked for by that name "
        f"{looks} times and not found; it was not sent again."
    )
    try:
        await stage.remove(staged)  # before the log is read: nobody fetches it in between
    except StagingError:
        return
    fetches = await stage.log(staged)
    if fetches is None:
        return
    error.add_note(
        f"The file was asked for {len(fetches)} times: the import exists. Look for it before you load these rows again."
        if fetches
        else "Nobody asked for the file, and it is removed now: loading again cannot load a row twice."
    )
