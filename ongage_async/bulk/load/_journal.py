"""Remember how far a load is: what a journal is, the one that forgets with the process, and what its lines mean.

A journal is a list of lines that only grows. A line is written *before* what it announces, where that cannot be undone:

    planned     the parts are whole on the disk; nothing was sent yet
    staged      from here on, a file of this name may lie on the stage
    submitting  from here on, an import of this name may exist
    created     it exists, and this is its id
    final       it has ended, and so
    cleaned     the staged file was removed (or could not be)

What a load has reached is what its lines add up to (`Standing`), also for the run that writes them: a run that goes on
where another was killed knows exactly what that one knew. What it does about it is `_delivery.py`'s business. The
journal that outlives its process is `_sqlite_journal.py`.
"""

import datetime as dt
import hashlib
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

from attrs import define, field, frozen

from ongage_async.errors import JournalError, mask

__all__ = [
    "FAILED_FROM",
    "Entry",
    "Identity",
    "Journal",
    "MemoryJournal",
    "PartStanding",
    "Standing",
    "Step",
    "claim",
    "legible",
]

Step = Literal["planned", "staged", "submitting", "created", "final", "cleaned"]
FAILED_FROM = 90000
"""Final statuses of errors begin here (vendor page §4.3)."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@frozen
class Entry:
    """One line of a journal.

    Attributes:
        step: What was reached.
        facts: What a later run needs to go on: names, counts, ids; no secret, no address, no URL.
        part: Number of the part; 0 for the whole load.
        at: When; aware, UTC.
    """

    step: Step
    facts: dict[str, Any]
    part: int = 0
    at: dt.datetime = field(factory=_now)


@frozen
class Identity:
    """Say which load a journal belongs to.

    Attributes:
        features: Name → (digest, words that may be shown): the source's content, the list, the mapping, each option.
    """

    features: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, **features: Any) -> "Identity":
        """Make one of JSON values."""
        return cls({name: _feature(value) for name, value in features.items()})

    def is_of(self, **features: Any) -> bool:
        """Say whether these features are its own."""
        return all(self.features.get(name, _NONE)[0] == _feature(value)[0] for name, value in features.items())

    def differing(self, other: "Identity") -> dict[str, tuple[str, str]]:
        """Return name → (words here, words there) of what is not the same in both."""
        names = [*self.features, *(name for name in other.features if name not in self.features)]
        pairs = {name: (self.features.get(name, _NONE), other.features.get(name, _NONE)) for name in names}
        return {name: (mine[1], theirs[1]) for name, (mine, theirs) in pairs.items() if mine[0] != theirs[0]}


def _feature(value: Any) -> tuple[str, str]:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest(), legible(mask(text)[:200])


_NONE = ("", "nothing")


def legible(text: str) -> str:
    """Return text that can be written anywhere: names of files may be no text, and stand in reports and journals."""
    return text.encode("utf-8", "backslashreplace").decode()


class Journal(Protocol):
    """What a load needs of a journal."""

    @property
    def directory(self) -> Path | None:
        """Where parts lie that the journal speaks of; None where nothing outlives the process."""
        ...

    def held(self) -> AbstractAsyncContextManager[None]:
        """Keep every other run away while the block lasts; a run that is killed lets go at once.

        Raises:
            JournalError: Another run holds it.
        """
        ...

    async def identity(self) -> Identity | None:
        """Return what it belongs to; None when it is new."""
        ...

    async def start(self, identity: Identity) -> None:
        """Forget all lines, and belong to `identity` from now on."""
        ...

    async def record(self, step: Step, part: int = 0, /, **facts: Any) -> None:
        """Write a line; it is safe from a crash when this returns.

        Raises:
            JournalError: It could not be written.
        """
        ...

    async def lines(self) -> tuple[Entry, ...]:
        """Return all lines, oldest first."""
        ...


class MemoryJournal:
    """Keep the lines in memory: the default, for loads that are not resumed after a crash.

    Attributes:
        entries: The lines, oldest first.
    """

    directory = None

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._identity: Identity | None = None
        self._is_held = False

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Keep other runs away; see `Journal.held`."""
        if self._is_held:
            raise JournalError("another run holds this journal: let it end")
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False

    async def identity(self) -> Identity | None:
        """Return what it belongs to; see `Journal.identity`."""
        return self._identity

    async def start(self, identity: Identity) -> None:
        """Begin anew; see `Journal.start`."""
        self.entries.clear()
        self._identity = identity

    async def record(self, step: Step, part: int = 0, /, **facts: Any) -> None:
        """Add a line; see `Journal.record`."""
        self.entries.append(Entry(step, facts, part))

    async def lines(self) -> tuple[Entry, ...]:
        """Return all lines; see `Journal.lines`."""
        return tuple(self.entries)

    async def last(self) -> Entry | None:
        """Return the last line; None when there is none."""
        return self.entries[-1] if self.entries else None


@define
class PartStanding:
    """What the lines about one part add up to: where its latest attempt is.

    Attributes:
        step: The last step; None before the first.
        name: Name of the attempt's staged file.
        stage: What tells the stage that it was put on from others; empty where nothing does.
        import_id: The vendor's id.
        creation: The facts of its latest ``created`` line; empty before it.
        ending: The facts of its ``final`` line.
        cleaning: The facts of its ``cleaned`` line.
    """

    step: Step | None = None
    name: str = ""
    stage: str = ""
    import_id: int | None = None
    creation: Mapping[str, Any] = field(factory=dict)
    ending: Mapping[str, Any] | None = None
    cleaning: Mapping[str, Any] | None = None

    def take(self, step: Step, facts: Mapping[str, Any]) -> None:
        """Follow one line."""
        self.step = step
        match step:
            case "staged":
                self.name, self.stage = facts["name"], facts.get("stage", "")
                self.import_id = self.ending = self.cleaning = None
                self.creation = {}
            case "created":
                self.import_id, self.creation = facts["import_id"], facts
            case "final":
                self.ending = facts
            case "cleaned":
                self.cleaning = facts

    @property
    def has_failed(self) -> bool:
        """The attempt's import ended with an error."""
        return self.ending is not None and (self.ending["status"] or 0) >= FAILED_FROM

    @property
    def loaded_nothing(self) -> bool:
        """The attempt's import failed before its first row: another attempt cannot load a row twice."""
        if not self.has_failed or self.ending is None:
            return False
        counts = self.ending.get("counts") or {}
        return not (counts.get("total") or counts.get("success"))

    @property
    def is_left_on_stage(self) -> bool:
        """The staged file could not be removed."""
        return self.cleaning is not None and not self.cleaning["file_deleted"]

    @property
    def may_be_staged(self) -> bool:
        """The staged file may still be fetchable."""
        return self.is_left_on_stage or self.step not in (None, "cleaned")

    @property
    def is_done(self) -> bool:
        """Nothing is left to do for it."""
        return self.step == "cleaned" and not self.loaded_nothing


@define
class Standing:
    """What all lines of a journal add up to.

    Attributes:
        plan: The facts of its ``planned`` line; None before it.
        parts: Number → part.
    """

    plan: Mapping[str, Any] | None = None
    parts: dict[int, PartStanding] = field(factory=dict)

    @classmethod
    def of(cls, lines: Iterable[Entry]) -> "Standing":
        """Add lines up."""
        standing = cls()
        for line in lines:
            standing.take(line.step, line.part, line.facts)
        return standing

    def take(self, step: Step, part: int, facts: Mapping[str, Any]) -> None:
        """Follow one line."""
        if step == "planned":
            self.plan = facts
            for number in range(1, len(facts["parts"]) + 1):  # a second such line renames the side file, no more
                self.parts.setdefault(number, PartStanding())
        else:
            self.parts[part].take(step, facts)

    @property
    def is_finished(self) -> bool:
        """Every part was brought in: the journal is a record now, and nothing depends on it any more."""
        return self.plan is not None and all(part.is_done and not part.has_failed for part in self.parts.values())

    @property
    def may_have_sent(self) -> bool:
        """Something of it may have reached the vendor."""
        return any(part.step not in (None, "staged") for part in self.parts.values())


async def claim(journal: Journal, identity: Identity) -> Standing:
    """Open a journal for a load; return how far that load is.

    A journal that has ended, or of which nothing was ever sent, gives way to another load.

    Raises:
        JournalError: It belongs to another load that has not ended; the message says what differs.
    """
    known = await journal.identity()
    standing = Standing.of(await journal.lines())
    differing = known.differing(identity) if known is not None else {}
    if known is not None and not differing:
        return standing
    if differing and not standing.is_finished and standing.plan is not None:
        told = "; ".join(f"{name}: {there} there, {here} here" for name, (there, here) in differing.items())
        raise JournalError(
            f"the journal belongs to another load, which has not ended ({told}). Give that one's arguments to go on "
            "with it, or abandon it: `ongage import abandon`"
        )
    await journal.start(identity)
    return Standing()
