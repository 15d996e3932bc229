"""Remember how far a load is: the `Journal` protocol, and the one that forgets with the process.

The steps are written *before* what they announce, where it cannot be undone: after `submitting` and without `created`,
an import may exist, and it is looked up by its file name before anything is sent again.
"""

from typing import Any, Literal, Protocol

from attrs import frozen

__all__ = ["Entry", "Journal", "MemoryJournal", "Step"]

Step = Literal["planned", "staged", "submitting", "created", "final", "cleaned"]


@frozen
class Entry:
    """One line of a journal.

    Attributes:
        step: What was reached.
        facts: What a later run needs to go on: names, counts, ids; no secret, no address, no URL.
    """

    step: Step
    facts: dict[str, Any]


class Journal(Protocol):
    """What a load needs of a journal."""

    async def record(self, step: Step, **facts: Any) -> None:
        """Write a line; it is safe from a crash when this returns.

        Raises:
            JournalError: It could not be written, or the journal belongs to something else.
        """
        ...

    async def last(self) -> Entry | None:
        """Return the last line; None when there is none."""
        ...


class MemoryJournal:
    """Keep the lines in memory: the default, for loads that are not resumed after a crash.

    Attributes:
        entries: The lines, oldest first.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def record(self, step: Step, **facts: Any) -> None:
        """Add a line; see `Journal.record`."""
        self.entries.append(Entry(step, facts))

    async def last(self) -> Entry | None:
        """Return the last line; see `Journal.last`."""
        return self.entries[-1] if self.entries else None
