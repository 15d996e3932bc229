"""Add up how far the parts of a load are, for whoever watches the whole. `_run.py` is the caller."""

from collections.abc import Iterable, Mapping

from attrs import define, field

from ongage_async.bulk._ports import Phase
from ongage_async.bulk.load._passage import Tell

__all__ = ["Shares"]


@define
class Shares:
    """Take news of parts, and tell of all together.

    Args:
        tell: Told about the whole.
        rows: Number → rows of each part.
    """

    tell: Tell
    rows: Mapping[int, int]
    _shares: dict[tuple[Phase, int], float] = field(factory=dict, init=False)

    def skip(self, parts: Iterable[int]) -> None:
        """Count parts that an earlier run has brought in."""
        phases: tuple[Phase, ...] = ("stage", "create", "process", "settle")
        self._shares.update({(phase, part): 1.0 for part in parts for phase in phases})

    def take(self, phase: Phase, part: int, share: float, detail: str = "") -> None:
        """Take the share of a phase that is done of a part (`News`)."""
        self._shares[phase, part] = share
        done = {number: self._shares.get((phase, number), 0.0) for number in self.rows}
        if phase != "process":
            self.tell(phase, int(sum(done.values())), len(done), "imports" if phase == "create" else "files", "")
            return
        rows = sum(self.rows[number] * share for number, share in done.items())
        ended = sum(share == 1.0 for share in done.values())
        several = f"{ended} of {len(done)} parts" if len(done) > 1 else ""
        words = " · ".join(filter(None, (several, detail)))
        self.tell("process", 100 * rows / sum(self.rows.values()), 100, "%", words)
