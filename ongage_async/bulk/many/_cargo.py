"""What goes to the vendor in one call, and what became of it: a place for each address, in parallel lists.

Rows of one address travel as one, in one place, and can be parted again. `_many.py` and `_coalesce.py` fill a `Cargo`,
`_courier.py` delivers it and tells by `Settled` what happened.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any, cast

from attrs import define, evolve, field

from ongage_async.bulk.sources._lot import Lot
from ongage_async.errors import OngageError
from ongage_async.models import NewContact, RowKind, RowOutcome
from ongage_async.models.outcomes import Verdict

__all__ = ["Body", "Cargo", "ContactOf", "Settled", "merges"]

ContactOf = Callable[[Any], NewContact | None]
"""Makes a contact of a row as it was read; None of one that is no contact."""
Body = Callable[[NewContact], str]
"""Says what is sent for a contact."""


def merges(earlier: NewContact, later: NewContact) -> bool:
    """Tell whether one write can stand for both: a row that must not overwrite has an outcome of its own."""
    return earlier.overwrite is not False and later.overwrite is not False


@define(eq=False)
class Cargo:
    """Hold the rows of one call, no two places of one address.

    Attributes:
        contact: Makes a contact of a row.
        body: Says what is sent for one.
        keys: What an address is known by → its index in the lists.
        places: Place in the input, of the last row of the address.
        rows: The row, as it was read; merged, where there are several.
        bodies: What is sent.
        shared: Index → place and contact of each row of the address, where there are several.
    """

    contact: ContactOf
    body: Body
    keys: dict[str, int] = field(factory=dict)
    places: list[int] = field(factory=list)
    rows: list[Any] = field(factory=list)
    bodies: list[str] = field(factory=list)
    shared: dict[int, list[tuple[int, NewContact]]] = field(factory=dict)

    def __len__(self) -> int:
        return len(self.places)

    def take(self, lot: Lot, first: int) -> bool:
        """Take in all rows of a lot; false, and nothing taken, when an address stands in it that is here already.

        Args:
            lot: Rows without faults.
            first: Place of its first row in the input.
        """
        before = len(self)
        self.keys.update(zip(lot.keys, count(before), strict=False))
        if len(self.keys) != before + len(lot):
            known = list(self.keys)[:before]
            self.keys = dict(zip(known, count(), strict=False))
            return False
        self.places += range(first, first + len(lot))
        self.rows += lot.rows
        self.bodies += lot.bodies
        return True

    def add(self, place: int, key: str, row: Any, body: str) -> bool:
        """Take in a row; false, and nothing taken, when its address is here and the two must not be merged."""
        at = self.keys.get(key)
        if at is not None:
            return self._merge(at, place, self._contact_of(row))
        self.keys[key] = len(self)
        self.places.append(place)
        self.rows.append(row)
        self.bodies.append(body)
        return True

    def _merge(self, at: int, place: int, later: NewContact) -> bool:
        """Write both rows as what writing one after the other comes to: later values win, field by field."""
        earlier = self._contact_of(self.rows[at])
        if not merges(earlier, later):
            return False
        merged = evolve(later, fields={**earlier.fields, **later.fields})
        self.shared.setdefault(at, [(self.places[at], earlier)]).append((place, later))
        self.places[at], self.rows[at], self.bodies[at] = place, merged, self.body(merged)
        return True

    def _contact_of(self, row: Any) -> NewContact:
        return cast("NewContact", self.contact(row))  # what cannot be sent is in no cargo that goes

    def contacts(self) -> Iterator[NewContact]:
        """Yield what is sent as contacts, merged ones once."""
        return map(self._contact_of, self.rows)

    def part(self, indexes: Sequence[int]) -> "Cargo":
        """Return some of it, as a cargo of its own."""
        keys = list(self.keys)
        return Cargo(
            self.contact,
            self.body,
            {keys[at]: number for number, at in enumerate(indexes)},
            [self.places[at] for at in indexes],
            [self.rows[at] for at in indexes],
            [self.bodies[at] for at in indexes],
            {number: self.shared[at] for number, at in enumerate(indexes) if at in self.shared},
        )

    def single(self, at: int) -> "list[Cargo]":
        """Return the rows of one address, each as a cargo of its own."""
        key = list(self.keys)[at]
        rows = self.shared[at]
        return [Cargo(lambda row: row, self.body, {key: 0}, [place], [row], [self.body(row)]) for place, row in rows]

    def places_at(self, at: int) -> list[int]:
        """Return the places in the input of the rows of one address."""
        return [place for place, _ in self.shared[at]] if at in self.shared else [self.places[at]]


@define(eq=False)
class Settled:
    """Say what became of the rows of a cargo.

    Attributes:
        cargo: The rows.
        verdicts: One for each place; without an answer, what happened instead.
        error: Why there is no answer; None when there is one.
    """

    cargo: Cargo
    verdicts: Sequence[Verdict]
    error: OngageError | None = None

    def earlier(self, kind: RowKind) -> RowKind:
        """What became of all rows of an address but the last: they were merged into it, unless it was not taken."""
        return RowKind.DUPLICATE if self.error is None and kind is not RowKind.REJECTED else kind

    def outcomes(self, only: RowKind | None = None) -> Iterator[RowOutcome]:
        """Yield what became of each row, or of those that the vendor did one thing with."""
        cargo = self.cargo
        for at, (kind, contact_id, reason) in enumerate(self.verdicts):
            if only is not None and kind is not only:
                continue
            for place, merged in cargo.shared.get(at, ())[:-1]:
                yield RowOutcome(place, merged.email, self.earlier(kind), contact_id, reason)
            row = cargo.contact(cargo.rows[at])
            email, known_id = (row.email, row.id) if row is not None else (None, None)
            yield RowOutcome(cargo.places[at], email, kind, contact_id or known_id, reason)
