"""The rows of a source that one call accounts for: those that go with it, and those among them that cannot be sent.

Pure: `_many.py` fills it from the source, `_courier.py` sends its cargo.
"""

from typing import Any

from attrs import define, field

from ongage_async.bulk.many._cargo import Cargo, Settled
from ongage_async.bulk.many._courier import Turn
from ongage_async.bulk.sources._lot import Lot
from ongage_async.models import RowKind

__all__ = ["MOST_SPAN", "Batch"]

MOST_SPAN = 1_000
"""Rows of the source that one call accounts for at most, those included that are not sent with it."""


@define(eq=False)
class Batch:
    """The rows of the source that one call accounts for."""

    first: int
    cargo: Cargo
    lots: list[Lot] = field(factory=list)
    unfit: list[tuple[int, Any, str]] = field(factory=list)
    size_bytes: int = 2  # the brackets around them
    rows: int = 0
    turn: Turn | None = None

    def take(self, lot: Lot, most: int, most_bytes: int) -> int:
        """Take in rows that may go with this call, from the first on; return how many.

        No address stands in it twice, unless its rows can be merged.

        Args:
            lot: What comes next.
            most: Addresses of the call.
            most_bytes: Bytes of their rows, but for a single one.
        """
        lot = lot.head(MOST_SPAN - self.rows)
        room = max(0, most - len(self.cargo))  # calls may have been cut smaller since this one was begun
        taken = self._take_all(lot.head(room), most_bytes) or self._take_each(lot, most, most_bytes)
        if taken:
            self.lots.append(lot.head(taken))
            self.rows += taken
        return taken

    def _take_all(self, lot: Lot, most_bytes: int) -> int:
        """Take in all of them, if there is nothing about any that has to be looked at; else none."""
        size_bytes = self.size_bytes + len(",".join(lot.bodies).encode()) + 1
        if lot.faults or size_bytes > most_bytes or not self.cargo.take(lot, self.first + self.rows):
            return 0
        self.size_bytes = size_bytes
        return len(lot)

    def _take_each(self, lot: Lot, most: int, most_bytes: int) -> int:
        for at, (row, key, body) in enumerate(zip(lot.rows, lot.keys, lot.bodies, strict=True)):
            place = self.first + self.rows + at
            if len(self.cargo) >= most:
                return at
            if at in lot.faults:
                self.unfit.append((place, row, lot.faults[at]))
                continue
            size_bytes = len(body.encode()) + 1
            is_full = len(self.cargo) > 0 and self.size_bytes + size_bytes > most_bytes
            if (is_full and key not in self.cargo.keys) or not self.cargo.add(place, key, row, body):
                return at
            self.size_bytes += size_bytes
        return len(lot)

    def refused(self) -> Settled:
        """Return the rows that cannot be sent."""
        places, rows, reasons = zip(*self.unfit, strict=True) if self.unfit else ((), (), ())
        cargo = Cargo(_no_contact, self.cargo.body, places=list(places), rows=list(rows))
        return Settled(cargo, [(RowKind.REJECTED, None, reason) for reason in reasons])

    def rows_at(self, places: list[int]) -> list[Any]:
        """Return what was read at some places of the source."""
        rows = [row for lot in self.lots for row in lot.rows]
        return [rows[place - self.first] for place in places]


def _no_contact(_row: Any) -> None:
    return None
