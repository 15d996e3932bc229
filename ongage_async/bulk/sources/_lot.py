"""Rows that were read together and are ready to be sent: parallel lists, so that no object is made for a row.

`_contacts.py` makes them of the cells of a table, `many/_intake.py` of rows that come one by one; `many/` cuts them
into calls.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

__all__ = ["Lot"]


@define(eq=False)
class Lot:
    """Some rows, in the order of the source.

    Attributes:
        rows: Each as it was read; whoever read it can make a contact of it.
        keys: What the address of each is known by.
        bodies: What is sent for each: JSON, or an address, or an id.
        faults: Index → why that row cannot be sent; its key and its body mean nothing.
    """

    rows: Sequence[Any]
    keys: Sequence[str]
    bodies: Sequence[str]
    faults: Mapping[int, str] = field(factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def head(self, count: int) -> "Lot":
        """Return the first rows, `count` at most."""
        if count >= len(self):
            return self
        faults = {at: fault for at, fault in self.faults.items() if at < count}
        return Lot(self.rows[:count], self.keys[:count], self.bodies[:count], faults)

    def behind(self, count: int) -> "Lot | None":
        """Return the rows behind the first `count`; None where there is none."""
        if count >= len(self):
            return None
        faults = {at - count: fault for at, fault in self.faults.items() if at >= count}
        return Lot(self.rows[count:], self.keys[count:], self.bodies[count:], faults)

    def encoded(self) -> Iterator[bytes]:
        """Yield what the digest of each row is made of."""
        for at, body in enumerate(self.bodies):
            yield type(self.rows[at]).__name__.encode() if at in self.faults else body.encode()
